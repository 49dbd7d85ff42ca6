package pgstore

import (
	"errors"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// What cannot be true is neither believed nor taken for absent.
func TestDamagedRows(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	s, a := open(t, dsn), beside(t, dsn)
	p := newPlayer(t, s, "u", 1)
	newPlayer(t, s, "v", 0)
	phone, counter := digest("phone"), digest("counter")
	p.user.MobileVia = []authcore.ClientID{"client"}
	login := authcore.Pending{ID: "p", Identity: p.identity, Leave: "s0", Created: p.user.Created, Expires: time.Now().Add(time.Hour)}
	whole := func() {
		write(t, s, func(tx authcore.Tx) {
			tx.PutUser(p.user)
			tx.PutUser(authcore.User{ID: "bare", Created: p.user.Created})
			tx.PutLink(p.user.Links[0], "u")
			tx.PutHandle(phone, "u")
			tx.PutCounter(authcore.Counter{Key: counter, Expires: time.Now()})
			tx.PutPending(login)
		})
	}
	byIdentity := func(tx authcore.Tx) error { _, err := tx.UserByIdentity(p.identity); return err }
	byHandle := func(tx authcore.Tx) error { _, err := tx.UserByHandle(phone); return err }
	bare := func(tx authcore.Tx) error { _, err := tx.User("bare"); return err }
	unfinished := func(tx authcore.Tx) error { _, err := tx.Pending("p"); return err }
	count := func(tx authcore.Tx) error { _, err := tx.Counters(counter); return err }
	for _, test := range []struct {
		what, damage string
		args         []any
		read         func(authcore.Tx) error
	}{
		{"a link without its mirror's word", "UPDATE qqauth_identity_mirrors SET user_id = 'v' WHERE identity = $1", []any{p.identity[:]}, byIdentity},
		{"a mirror without its link", "DELETE FROM qqauth_identities WHERE identity = $1", []any{p.identity[:]}, byIdentity},
		{"a handle without its mirror's word", "UPDATE qqauth_handle_mirrors SET user_id = 'v' WHERE handle = $1", []any{phone[:]}, byHandle},
		{"a mirror without its handle", "DELETE FROM qqauth_handles WHERE handle = $1", []any{phone[:]}, byHandle},
		{"a column in the place of another", "UPDATE qqauth_users SET via = personal WHERE id = $1", []any{"bare"}, bare},
		{"another column in the place of that", "UPDATE qqauth_users SET game = personal WHERE id = $1", []any{"bare"}, bare},
		{"a column of nothing", "UPDATE qqauth_users SET game = '' WHERE id = $1", []any{"bare"}, bare},
		{"what QQ said in the place of what was asked", "UPDATE qqauth_pendings SET game = personal WHERE id = $1", []any{"p"}, unfinished},
		{"a counter that is no list", "UPDATE qqauth_counters SET slots = 'x' WHERE counter = $1", []any{counter[:]}, count},
	} {
		whole()
		if err := s.View(t.Context(), test.read); err != nil {
			t.Fatalf("%s, before: %v", test.what, err)
		}
		a.run(test.damage, test.args...)
		if err := s.View(t.Context(), test.read); !errors.Is(err, authcore.ErrDamaged) {
			t.Errorf("%s: got error %v, want ErrDamaged", test.what, err)
		}
		err := s.Update(t.Context(), func(tx authcore.Tx) error { _ = test.read(tx); return nil })
		if !errors.Is(err, authcore.ErrDamaged) {
			t.Errorf("%s, in an update that ignores it: got error %v, want ErrDamaged", test.what, err)
		}
	}
}

// A user whom something still names stays.
func TestDeleteUserWhoIsNamed(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Database(t))
	p := newPlayer(t, s, "u", 1)
	write(t, s, func(tx authcore.Tx) { tx.PutUser(authcore.User{ID: "v"}); tx.PutHandle(digest("phone"), "v") })
	for _, id := range []authcore.UserID{"u", "v"} {
		if err := s.Update(t.Context(), func(tx authcore.Tx) error { tx.DeleteUser(id); return nil }); err == nil {
			t.Errorf("user %s is deleted", id)
		}
	}
	write(t, s, func(tx authcore.Tx) { tx.DeleteLink(p.user.Links[0], "u"); tx.DeleteUser("u") })
	if err := find(t, s, "u"); !errors.Is(err, authcore.ErrNotFound) {
		t.Errorf("a user whom nothing names any more: %v", err)
	}
}
