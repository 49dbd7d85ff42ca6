package pgstore

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// An Update that found the store open before another node closed it must not
// commit when that is done: an export would not have it, and whoever made it would
// think it kept.
func TestFreezeRefusesWhatHasBegun(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	a, b := open(t, dsn), open(t, dsn)
	runs := 0
	err := a.Update(t.Context(), func(tx authcore.Tx) error {
		runs++
		if _, err := tx.User("u"); err != nil && !errors.Is(err, authcore.ErrNotFound) {
			return err
		}
		if runs == 1 {
			if err := b.Freeze(t.Context(), true); err != nil {
				t.Errorf("freeze: %v", err)
			}
		}
		tx.PutUser(authcore.User{ID: "u", Created: time.Now()})
		return nil
	})
	if !errors.Is(err, authcore.ErrFrozen) {
		t.Errorf("update: %v, want that the store is closed", err)
	}
	if err := find(t, b, "u"); !errors.Is(err, authcore.ErrNotFound) {
		t.Errorf("what it wrote: %v", err)
	}
}

// The fence has to stand before every table that a transaction writes.
func TestFenceKnowsAllTables(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	open(t, dsn).Close()
	all := ask[[]string](beside(t, dsn), `SELECT array_agg(tablename::text ORDER BY tablename) FROM pg_tables
		WHERE schemaname = 'public' AND tablename NOT IN ('qqauth_schema', 'qqauth_store', 'qqauth_sweeps')`)
	if known := slices.Sorted(slices.Values(tables)); !slices.Equal(known, all) {
		t.Errorf("it knows %v, there are %v", known, all)
	}
}

// Freezing gets through where everybody writes.
func TestFreezeInACrowd(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	a, b := openWith(t, dsn, patient), openWith(t, dsn, patient)
	errs := together(17, func(i int) error {
		if i == 0 {
			return b.Freeze(t.Context(), true)
		}
		for n := range 50 {
			switch err := put(t, a, authcore.UserID(fmt.Sprintf("%d-%d", n, i))); {
			case errors.Is(err, authcore.ErrFrozen):
				return nil
			case err != nil:
				return err
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if err := put(t, a, "late"); !errors.Is(err, authcore.ErrFrozen) {
		t.Errorf("after it: %v", err)
	}
}
