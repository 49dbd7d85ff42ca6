package storetest

import (
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// A frozen store keeps what it has, says so, and takes nothing until it is opened
// again: not even after a restart.
func testFreeze(t *testing.T, f *Fixture) {
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(user("u")) })
	for range 2 { // freezing what is frozen is no fault
		if err := f.Store.Freeze(t.Context(), true); err != nil {
			t.Fatalf("Freeze: %v", err)
		}
	}
	for range 2 {
		wantErr(t, "Writable, at once", f.Store.Writable(), authcore.ErrFrozen)
		write := func(tx authcore.Tx) error { tx.PutUser(user("late")); return nil }
		wantErr(t, "Update", f.Store.Update(t.Context(), write), authcore.ErrFrozen)
		wantErr(t, "UpdateVolatile", f.Store.UpdateVolatile(t.Context(), write), authcore.ErrFrozen)
		if err := f.Store.Ping(t.Context()); err != nil {
			t.Errorf("Ping: %v", err)
		}
		view(t, f.Store, func(t *run, tx authcore.Tx) {
			got, err := tx.User("u")
			want(t, "user", got, err, user("u"))
			_, err = tx.User("late")
			wantErr(t, "a user that was refused", err, authcore.ErrNotFound)
		})
		f.Reopen(t)
	}
	if err := f.Store.Freeze(t.Context(), false); err != nil {
		t.Fatalf("open it again: %v", err)
	}
	if err := f.Store.Writable(); err != nil {
		t.Errorf("Writable: %v", err)
	}
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(user("late")) })
}
