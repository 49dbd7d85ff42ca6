package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

func testRollback(t *testing.T, f *Fixture) {
	mine := errors.New("mine")
	for name, update := range map[string]func(context.Context, func(authcore.Tx) error) error{
		"Update": f.Store.Update, "UpdateVolatile": f.Store.UpdateVolatile,
	} {
		err := update(t.Context(), func(tx authcore.Tx) error {
			tx.PutUser(user("u", hash("identity")))
			tx.PutLink(link(hash("identity"), "101"), "u")
			tx.PutSession(session("s", "u", 1))
			return mine
		})
		if err != mine {
			t.Errorf("%s: got error %v, want the function's own", name, err)
		}
	}
	if err := f.Store.View(t.Context(), func(authcore.Tx) error { return mine }); err != mine {
		t.Errorf("View: got error %v, want the function's own", err)
	}
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		_, err := tx.User("u")
		wantErr(t, "user of a refused update", err, authcore.ErrNotFound)
		_, err = tx.UserByIdentity(hash("identity"))
		wantErr(t, "its link", err, authcore.ErrNotFound)
		_, _, err = tx.SessionByID("s")
		wantErr(t, "its session", err, authcore.ErrNotFound)
	})
}

func testReadYourWrites(t *testing.T, f *Fixture) {
	h := authcore.IdentityHash(hash("identity"))
	u, s := user("u", h), session("s", "u", 1)
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(u)
		tx.PutLink(u.Links[0], "u")
		tx.PutSession(s)
		record, err := tx.Login(authcore.LoginQuery{Identity: h})
		want(t, "Login", record, err, authcore.LoginRecord{
			Linked: true, User: u, Sessions: []authcore.SessionRef{line(s)},
		})
		tx.DeleteSession("u", line(s))
		_, _, err = tx.Session(s.Token)
		wantErr(t, "deleted again", err, authcore.ErrNotFound)
		tx.PutSession(s)
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, _, err := tx.SessionByID("s")
		want(t, "the last write", got, err, s)
	})
}

// A function may run more than once; whatever the runs before the last wrote is
// not there.
func testRunAgain(t *testing.T, f *Fixture) {
	runs := 0
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		runs++
		u := user("u")
		u.Epoch = uint32(runs)
		tx.PutUser(u)
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.User("u")
		want(t, "epoch", got.Epoch, err, uint32(runs))
	})
}

func testWriteInView(t *testing.T, f *Fixture) {
	err := f.Store.View(t.Context(), func(tx authcore.Tx) error { tx.PutUser(user("u")); return nil })
	if err == nil {
		t.Error("View accepts a write")
	}
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		_, err := tx.User("u")
		wantErr(t, "user written in a view", err, authcore.ErrNotFound)
	})
}

// A panic must not end the process, nor keep the store from going on.
func testPanic(t *testing.T, f *Fixture) {
	for name, run := range map[string]func(context.Context, func(authcore.Tx) error) error{
		"View": f.Store.View, "Update": f.Store.Update, "UpdateVolatile": f.Store.UpdateVolatile,
	} {
		if err := run(t.Context(), func(authcore.Tx) error { panic("secret") }); err == nil {
			t.Errorf("%s: no error for a panic", name)
		}
	}
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(user("u")) })
}

func testContext(t *testing.T, f *Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, run := range map[string]func(context.Context, func(authcore.Tx) error) error{
		"View": f.Store.View, "Update": f.Store.Update, "UpdateVolatile": f.Store.UpdateVolatile,
	} {
		wantErr(t, name, run(ctx, func(authcore.Tx) error { return nil }), context.Canceled)
	}
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(user("u")) })
}

// A view sees one moment, however long it takes. It may run again, and then sees
// another.
func testSnapshot(t *testing.T, f *Fixture) {
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(user("u")) })
	runs := uint32(0)
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		runs++
		before, err := tx.User("u")
		if err != nil {
			t.Errorf("User: %v", err)
		}
		since := authcore.UserID(fmt.Sprint("made in run ", runs))
		for range 2 {
			update(t, f.Store, func(t *run, tx authcore.Tx) {
				changed := user("u")
				changed.Epoch = 100 + runs
				tx.PutUser(changed)
				tx.PutUser(user(since))
			})
			got, err := tx.User("u")
			want(t, "user in the snapshot", got, err, before)
		}
		_, err = tx.User(since)
		wantErr(t, "user made since", err, authcore.ErrNotFound)
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.User("u")
		want(t, "epoch after", got.Epoch, err, 100+runs)
	})
}

func testVolatile(t *testing.T, f *Fixture) {
	ticket := authcore.Ticket{Token: hash("ticket"), Session: "s", Receiver: "c", Expires: base.Add(time.Hour)}
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(user("u")); tx.PutSession(session("s", "u", 1)) })
	if err := f.Store.UpdateVolatile(t.Context(), func(tx authcore.Tx) error { tx.PutTicket(ticket); return nil }); err != nil {
		t.Fatalf("UpdateVolatile: %v", err)
	}
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.Ticket(ticket.Token)
		want(t, "Ticket", got, err, ticket)
	})
}

func testReopen(t *testing.T, f *Fixture) {
	h := authcore.IdentityHash(hash("identity"))
	u, s := user("u", h), session("s", "u", 1)
	a := authcore.Access{User: "u", Expires: base.Add(time.Hour)}
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(u)
		tx.PutLink(u.Links[0], "u")
		tx.PutSession(s)
		tx.PutAccess(hash("access"), a)
		tx.PutTicket(authcore.Ticket{Token: hash("ticket"), Session: s.ID, Expires: base.Add(time.Hour)})
		tx.PutHandle(hash("phone"), "u")
		tx.PutErased(authcore.Erased{Hash: hash("erased"), At: base})
		tx.PutGuest(authcore.Guest{User: "u", Due: base})
	})
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.DeleteTicket(hash("ticket")) })
	for range 2 {
		s2 := f.Reopen(t)
		view(t, s2, func(t *run, tx authcore.Tx) {
			record, err := tx.Login(authcore.LoginQuery{Identity: h, Access: hash("access")})
			want(t, "Login", record, err, authcore.LoginRecord{
				Linked: true, User: u, Sessions: []authcore.SessionRef{line(s)}, Seen: true, Access: a,
			})
			got, owner, err := tx.Session(s.Token)
			want(t, "Session", got, err, s)
			want(t, "its user", owner, err, u)
			_, err = tx.Ticket(hash("ticket"))
			wantErr(t, "used ticket", err, authcore.ErrNotFound)
			owner, err = tx.UserByHandle(hash("phone"))
			want(t, "UserByHandle", owner, err, u)
			_, err = tx.Erased(hash("erased"))
			want(t, "Erased", true, err, true)
			guests, err := tx.Guests(base.Add(time.Hour), 10)
			want(t, "Guests", guests, err, []authcore.Guest{{User: "u", Due: base}})
		})
		if err := s2.Ping(t.Context()); err != nil {
			t.Errorf("Ping: %v", err)
		}
		if err := s2.Writable(); err != nil {
			t.Errorf("Writable: %v", err)
		}
	}
}

func testClosed(t *testing.T, f *Fixture) {
	for range 2 {
		if err := f.Store.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	nothing := func(authcore.Tx) error { return nil }
	wantErr(t, "View", f.Store.View(t.Context(), nothing), authcore.ErrUnavailable)
	wantErr(t, "Update", f.Store.Update(t.Context(), nothing), authcore.ErrUnavailable)
	wantErr(t, "UpdateVolatile", f.Store.UpdateVolatile(t.Context(), nothing), authcore.ErrUnavailable)
	wantErr(t, "Ping", f.Store.Ping(t.Context()), authcore.ErrUnavailable)
	wantErr(t, "Writable", f.Store.Writable(), authcore.ErrUnavailable)
}
