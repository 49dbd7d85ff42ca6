package pgstore

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// aside is a connection to a store's database that the store knows nothing of.
type aside struct {
	t testing.TB
	*pgx.Conn
}

func beside(t testing.TB, dsn string) *aside {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatalf("connect beside the store: %v", err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return &aside{t, c}
}

func (a *aside) run(sql string, args ...any) {
	a.t.Helper()
	if _, err := a.Exec(a.t.Context(), sql, args...); err != nil {
		a.t.Fatalf("%s: %v", sql, err)
	}
}

// ask reads one value.
func ask[T any](a *aside, sql string, args ...any) (value T) {
	a.t.Helper()
	if err := a.QueryRow(a.t.Context(), sql, args...).Scan(&value); err != nil {
		a.t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// waiting is how many others of the database wait for a lock.
func (a *aside) waiting() int {
	a.t.Helper()
	return ask[int](a, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'`)
}

// patient are limits for a crowd on a machine that has other things to do.
func patient(l *limits) { l.commit, l.call, l.retry = time.Minute, time.Minute, time.Minute }

// openWith opens a store with changed limits, and closes it when the test ends.
func openWith(t testing.TB, dsn string, change func(*limits)) *Store {
	t.Helper()
	target, err := ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l := standard
	change(&l)
	s, err := openWithin(t.Context(), Config{
		Target: target, Vault: &testVault{}, Logger: zaptest.NewLogger(t, zaptest.Level(zap.FatalLevel)),
	}, l)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// await waits until a condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// together runs fn n times at once and waits for all.
func together(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	done := make(chan struct{})
	var left atomic.Int64
	left.Store(int64(n))
	for i := range n {
		go func() {
			errs[i] = fn(i)
			if left.Add(-1) == 0 {
				close(done)
			}
		}()
	}
	<-done
	return errs
}

// once gives the fault to the first flight that it is asked about.
func once(f pgtest.Fault) func() pgtest.Fault {
	var asked atomic.Bool
	return func() pgtest.Fault {
		if asked.Swap(true) {
			return pgtest.Fault{}
		}
		return f
	}
}

// put is an Update that writes a user.
func put(t testing.TB, s authcore.Store, id authcore.UserID) error {
	return s.Update(t.Context(), func(tx authcore.Tx) error {
		tx.PutUser(authcore.User{ID: id, Created: time.Now()})
		return nil
	})
}

// write is an Update that has to succeed.
func write(t testing.TB, s authcore.Store, change func(authcore.Tx)) {
	t.Helper()
	if err := s.Update(t.Context(), func(tx authcore.Tx) error { change(tx); return nil }); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// find looks for a user.
func find(t testing.TB, s authcore.Store, id authcore.UserID) error {
	return s.View(t.Context(), func(tx authcore.Tx) error {
		_, err := tx.User(id)
		return err
	})
}
