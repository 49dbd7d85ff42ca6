package storetest

import (
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

func testHandles(t *testing.T, f *Fixture) {
	phone, email := authcore.HandleHash(hash("phone")), authcore.HandleHash(hash("e-mail"))
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(user("u"))
		tx.PutUser(user("v"))
		tx.PutHandle(phone, "u")
		tx.PutHandle(email, "u")
		got, err := tx.UserByHandle(phone)
		want(t, "in the transaction", got, err, user("u"))
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		for _, h := range []authcore.HandleHash{phone, email} {
			got, err := tx.UserByHandle(h)
			want(t, "UserByHandle", got, err, user("u"))
		}
		_, err := tx.UserByIdentity(authcore.IdentityHash(phone))
		wantErr(t, "an identity of the same hash", err, authcore.ErrNotFound)
	})
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutHandle(phone, "v")
		tx.DeleteHandle(email)
		tx.DeleteHandle(hash("never there"))
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.UserByHandle(phone)
		want(t, "the new owner", got, err, user("v"))
		_, err = tx.UserByHandle(email)
		wantErr(t, "deleted", err, authcore.ErrNotFound)
	})
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutHandle(email, "v") })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.UserByHandle(email)
		want(t, "taken again", got, err, user("v"))
	})
}

// A handle of nobody is not free: who takes it for absent makes a second user. A
// store may also refuse to write it.
func testHandleFaults(t *testing.T, f *Fixture) {
	h := authcore.HandleHash(hash("phone"))
	refused := f.Store.Update(t.Context(), func(tx authcore.Tx) error { tx.PutHandle(h, "nobody"); return nil })
	err := f.Store.View(t.Context(), func(tx authcore.Tx) error { _, err := tx.UserByHandle(h); return err })
	if refused != nil {
		wantErr(t, "a handle that was refused", err, authcore.ErrNotFound)
		return
	}
	wantErr(t, "UserByHandle", err, authcore.ErrDamaged)
	err = f.Store.Update(t.Context(), func(tx authcore.Tx) error {
		_, _ = tx.UserByHandle(h)
		tx.PutUser(user("made in spite of it"))
		return nil
	})
	wantErr(t, "Update that ignores it", err, authcore.ErrDamaged)
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		_, err := tx.User("made in spite of it")
		wantErr(t, "its user", err, authcore.ErrNotFound)
	})
}

func testErased(t *testing.T, f *Fixture) {
	e := authcore.Erased{Hash: hash("erased"), At: base}
	for range 2 { // erased again, of an older copy
		update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutErased(e) })
		view(t, f.Store, func(t *run, tx authcore.Tx) {
			got, err := tx.Erased(e.Hash)
			want(t, "Erased", got, err, e)
			_, err = tx.Erased(hash("another"))
			wantErr(t, "another", err, authcore.ErrNotFound)
		})
		e.At = base.Add(time.Hour)
	}
}

// A user who is erased is made anew by the next login with the same identity, and
// nothing of the first one is in the way.
func testDeleteUser(t *testing.T, f *Fixture) {
	identity, phone := authcore.IdentityHash(hash("identity")), authcore.HandleHash(hash("phone"))
	union := authcore.UnionHash(hash("union"))
	u, other := user("u", identity), user("v", hash("another"))
	s, p := session("s", "u", 1), pending("p", time.Hour)
	access := authcore.Access{User: "u", Expires: base.Add(time.Hour)}
	login := func(tx authcore.Tx) {
		tx.PutUser(u)
		tx.PutLink(u.Links[0], "u")
		tx.PutHandle(phone, "u")
		tx.PutSession(s)
		tx.PutPending(p)
		tx.PutAccess(hash("access"), access)
		tx.PutGuest(authcore.Guest{User: "u", Due: base})
		tx.PutUnion(union, []authcore.UnionMember{{App: "101", User: "u"}, {App: "102", User: "v"}})
	}
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(other)
		tx.PutLink(other.Links[0], "v")
		tx.PutGuest(authcore.Guest{User: "v", Due: base})
		login(tx)
	})
	for range 2 {
		update(t, f.Store, func(t *run, tx authcore.Tx) {
			tx.DeleteLink(u.Links[0], "u")
			tx.DeleteHandle(phone)
			tx.DeleteSession("u", line(s))
			tx.DeletePending(p.Identity, p.ID)
			tx.PutUnion(union, []authcore.UnionMember{{App: "102", User: "v"}})
			tx.DeleteUser("u")
		})
		view(t, f.Store, func(t *run, tx authcore.Tx) {
			wantNothingOf(t, tx, u, s, p)
			_, err := tx.UserByHandle(phone)
			wantErr(t, "the handle", err, authcore.ErrNotFound)
			record, err := tx.Login(authcore.LoginQuery{Identity: identity, Access: hash("access")})
			want(t, "Login, which knows the token", record, err, authcore.LoginRecord{Seen: true, Access: access})
			members, err := tx.Union(union)
			want(t, "the union", members, err, []authcore.UnionMember{{App: "102", User: "v"}})
			got, err := tx.UserByIdentity(other.Links[0].Identity)
			want(t, "another user", got, err, other)
			guests, err := tx.Guests(base.Add(time.Hour), 10)
			want(t, "guests", guests, err, []authcore.Guest{{User: "v", Due: base}})
		})
		update(t, f.Store, func(t *run, tx authcore.Tx) { login(tx) })
		view(t, f.Store, func(t *run, tx authcore.Tx) {
			got, err := tx.UserByHandle(phone)
			want(t, "the user that was made anew", got, err, u)
			_, owner, err := tx.Session(s.Token)
			want(t, "whose session it is", owner, err, u)
		})
	}
}

// Whoever ends all sessions of the list and deletes the user leaves no session of
// nobody, though the list need not name those that have expired.
func testDeleteUserWithOldSessions(t *testing.T, f *Fixture) {
	old, live := session("old", "u", "old"), session("live", "u", "live")
	old.Expires = base.Add(-time.Minute)
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(user("u")); tx.PutSession(old); tx.PutSession(live) })
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		refs, err := tx.Sessions("u")
		if err != nil {
			t.Errorf("Sessions: %v", err)
		}
		for _, r := range refs {
			tx.DeleteSession("u", r)
		}
		tx.DeleteUser("u")
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		for _, s := range []authcore.Session{old, live} {
			_, _, err := tx.Session(s.Token)
			wantErr(t, "the session "+string(s.ID), err, authcore.ErrNotFound)
		}
	})
}

// wantNothingOf checks that a user, a session and a pending login are gone.
func wantNothingOf(t reporter, tx authcore.Tx, u authcore.User, s authcore.Session, p authcore.Pending) {
	t.Helper()
	_, err := tx.User(u.ID)
	wantErr(t, "the user", err, authcore.ErrNotFound)
	_, _, err = tx.Session(s.Token)
	wantErr(t, "the session", err, authcore.ErrNotFound)
	_, _, err = tx.SessionByID(s.ID)
	wantErr(t, "the session, by id", err, authcore.ErrNotFound)
	_, err = tx.Pending(p.ID)
	wantErr(t, "the pending login", err, authcore.ErrNotFound)
	refs, err := tx.Sessions(u.ID)
	want(t, "sessions", len(refs), err, 0)
	refs, err = tx.SessionsAt(s.Client, s.Device)
	want(t, "sessions at the device", len(refs), err, 0)
	pendings, err := tx.Pendings(p.Identity)
	want(t, "pending logins", len(pendings), err, 0)
	pendings, err = tx.PendingsOf(u.ID)
	want(t, "pending logins of the user", len(pendings), err, 0)
	pendings, err = tx.Waiting(p.Client, p.Device)
	want(t, "waiting logins", len(pendings), err, 0)
}
