package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

func testAbsent(t *testing.T, f *Fixture) {
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		_, _, err := tx.Session(hash("none"))
		wantErr(t, "Session", err, authcore.ErrNotFound)
		_, _, err = tx.SessionByID("none")
		wantErr(t, "SessionByID", err, authcore.ErrNotFound)
		_, err = tx.Retired(hash("none"))
		wantErr(t, "Retired", err, authcore.ErrNotFound)
		_, err = tx.User("none")
		wantErr(t, "User", err, authcore.ErrNotFound)
		_, err = tx.UserByIdentity(hash("none"))
		wantErr(t, "UserByIdentity", err, authcore.ErrNotFound)
		_, err = tx.Ticket(hash("none"))
		wantErr(t, "Ticket", err, authcore.ErrNotFound)
		_, err = tx.Pending("none")
		wantErr(t, "Pending", err, authcore.ErrNotFound)
		_, err = tx.UserByHandle(hash("none"))
		wantErr(t, "UserByHandle", err, authcore.ErrNotFound)
		_, err = tx.Code(hash("none"))
		wantErr(t, "Code", err, authcore.ErrNotFound)
		_, err = tx.Captcha(hash("none"))
		wantErr(t, "Captcha", err, authcore.ErrNotFound)
		_, err = tx.Erased(hash("none"))
		wantErr(t, "Erased", err, authcore.ErrNotFound)
		guests, err := tx.Guests(base.Add(time.Hour), 10)
		want(t, "Guests", len(guests), err, 0)

		// What a caller may send in a path.
		for _, odd := range []string{"", "a\x00b", "\xff", strings.Repeat("x", 1<<16)} {
			_, err = tx.User(authcore.UserID(odd))
			wantErr(t, "User of an odd id", err, authcore.ErrNotFound)
			_, _, err = tx.SessionByID(authcore.SessionID(odd))
			wantErr(t, "SessionByID of an odd id", err, authcore.ErrNotFound)
			_, err = tx.Pending(authcore.PendingID(odd))
			wantErr(t, "Pending of an odd id", err, authcore.ErrNotFound)
			wantNoLists(t, tx, odd)
		}
		wantNoLists(t, tx, "none")

		record, err := tx.Login(authcore.LoginQuery{Identity: hash("none"), Access: hash("none")})
		want(t, "Login", record, err, authcore.LoginRecord{})
		members, err := tx.Union(hash("none"))
		want(t, "Union", len(members), err, 0)
		pendings, err := tx.Pendings(hash("none"))
		want(t, "Pendings", len(pendings), err, 0)
	})
}

// wantNoLists checks that a user or client has no sessions and logins.
func wantNoLists(t reporter, tx authcore.Tx, id string) {
	t.Helper()
	refs, err := tx.Sessions(authcore.UserID(id))
	want(t, "Sessions", len(refs), err, 0)
	pendings, err := tx.PendingsOf(authcore.UserID(id))
	want(t, "PendingsOf", len(pendings), err, 0)
	for _, device := range []authcore.DeviceHash{{}, hash("none")} {
		refs, err = tx.SessionsAt(authcore.ClientID(id), device)
		want(t, "SessionsAt", len(refs), err, 0)
		pendings, err = tx.Waiting(authcore.ClientID(id), device)
		want(t, "Waiting", len(pendings), err, 0)
	}
}

func testUsers(t *testing.T, f *Fixture) {
	full, bare := user("full", hash("identity")), authcore.User{ID: "bare", Created: base}
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(full); tx.PutUser(bare) })
	changed := full
	changed.Disabled, changed.DisabledBy, changed.Segments, changed.Mobile, changed.MobileVia = true, "client", nil, "", nil
	changed.EmailVia = []authcore.ClientID{"another"}
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.User("full")
		want(t, "user", got, err, full)
		got, err = tx.User("bare")
		want(t, "user with nothing", got, err, bare)
	})
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(changed) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.User("full")
		want(t, "user written again", got, err, changed)
	})
	changed.Email, changed.EmailVia = "", nil
	changed.Links = slices.Clone(full.Links)
	changed.Links[0].SyncName = false
	changed.Password, changed.Devices = "", changed.Devices[1:]
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(changed) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.User("full")
		want(t, "user without proofs", got, err, changed)
	})
	changed.Home, changed.Devices, changed.Requested = "", nil, nil
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(changed) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.User("full")
		want(t, "user who has nothing for games", got, err, changed)
	})
}

func testLinks(t *testing.T, f *Fixture) {
	one, two := authcore.IdentityHash(hash(1)), authcore.IdentityHash(hash(2))
	u := user("u", one, two)
	s := session("s", "u", 1)
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(u)
		tx.PutLink(u.Links[0], "u")
		tx.PutLink(u.Links[1], "u")
		tx.PutSession(s)
	})
	for _, h := range []authcore.IdentityHash{one, two} {
		view(t, f.Store, func(t *run, tx authcore.Tx) {
			got, err := tx.UserByIdentity(h)
			want(t, "UserByIdentity", got, err, u)
			record, err := tx.Login(authcore.LoginQuery{Identity: h})
			want(t, "Login", record, err, authcore.LoginRecord{
				Linked: true, User: u, Sessions: []authcore.SessionRef{line(s)},
			})
		})
	}

	// Only the link of the user that is named goes.
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.DeleteLink(u.Links[0], "another")
		tx.DeleteLink(u.Links[1], "u")
		tx.DeleteLink(link(hash("never there"), "101"), "u")
		_, err := tx.UserByIdentity(two)
		wantErr(t, "a link that was deleted in the transaction", err, authcore.ErrNotFound)
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.UserByIdentity(one)
		want(t, "the link that stays", got, err, u)
		_, err = tx.UserByIdentity(two)
		wantErr(t, "the link that was deleted", err, authcore.ErrNotFound)
		record, err := tx.Login(authcore.LoginQuery{Identity: two})
		want(t, "Login by it", record, err, authcore.LoginRecord{})
	})
}

// A link that leads nowhere, or to a user who does not know of it, is no link
// and no new user either. A store may also refuse to write it.
func testLinkFaults(t *testing.T, f *Fixture) {
	for _, test := range []struct {
		name string
		make func(authcore.Tx, authcore.IdentityHash)
	}{
		{"user absent", func(tx authcore.Tx, h authcore.IdentityHash) { tx.PutLink(link(h, "101"), "nobody") }},
		{"user does not name it", func(tx authcore.Tx, h authcore.IdentityHash) {
			tx.PutUser(user("other", hash("another identity")))
			tx.PutLink(link(h, "101"), "other")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := authcore.IdentityHash(hash(test.name))
			if f.Store.Update(t.Context(), func(tx authcore.Tx) error { test.make(tx, h); return nil }) != nil {
				view(t, f.Store, func(t *run, tx authcore.Tx) {
					_, err := tx.UserByIdentity(h)
					wantErr(t, "a link that was refused", err, authcore.ErrNotFound)
				})
				return
			}
			var found error
			err := f.Store.View(t.Context(), func(tx authcore.Tx) error {
				_, found = tx.UserByIdentity(h)
				_, err := tx.Login(authcore.LoginQuery{Identity: h})
				return err
			})
			wantErr(t, "UserByIdentity", found, authcore.ErrDamaged)
			wantErr(t, "Login", err, authcore.ErrDamaged)

			// Nothing may be written by a transaction that met it, even if its
			// function does not care.
			err = f.Store.Update(t.Context(), func(tx authcore.Tx) error {
				_, _ = tx.Login(authcore.LoginQuery{Identity: h})
				tx.PutUser(user("made in spite of it"))
				return nil
			})
			wantErr(t, "Update that ignores it", err, authcore.ErrDamaged)
			view(t, f.Store, func(t *run, tx authcore.Tx) {
				_, err := tx.User("made in spite of it")
				wantErr(t, "its user", err, authcore.ErrNotFound)
			})
		})
	}
}

func testAccess(t *testing.T, f *Fixture) {
	h := authcore.AccessHash(hash("access"))
	a := authcore.Access{User: "u", Epoch: 4, Expires: base.Add(90 * 24 * time.Hour)}
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutAccess(h, a) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		record, err := tx.Login(authcore.LoginQuery{Identity: hash("i"), Access: h})
		want(t, "known token", record, err, authcore.LoginRecord{Seen: true, Access: a})
		record, err = tx.Login(authcore.LoginQuery{Identity: hash("i"), Access: hash("other")})
		want(t, "another token", record, err, authcore.LoginRecord{})
		record, err = tx.Login(authcore.LoginQuery{Identity: hash("i")})
		want(t, "no token", record, err, authcore.LoginRecord{})
	})
}

func testUnions(t *testing.T, f *Fixture) {
	h := authcore.UnionHash(hash("union"))
	for _, members := range [][]authcore.UnionMember{
		{{App: "101", User: "a"}},
		{{App: "101", User: "a"}, {App: "102", User: "b"}},
	} {
		update(t, f.Store, func(t *run, tx authcore.Tx) {
			tx.PutUser(user("a"))
			tx.PutUser(user("b"))
			tx.PutUnion(h, members)
		})
		view(t, f.Store, func(t *run, tx authcore.Tx) {
			got, err := tx.Union(h)
			want(t, "Union", got, err, members)
		})
	}
}

func testTickets(t *testing.T, f *Fixture) {
	one := authcore.Ticket{
		Token: hash("one"), Session: "s", Receiver: "client", Device: hash("device"), Expires: base.Add(time.Hour),
	}
	two := one
	two.Token = hash("two")
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(user("u"))
		tx.PutSession(session("s", "u", 1))
		tx.PutTicket(one)
		tx.PutTicket(two)
	})
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.Ticket(one.Token)
		want(t, "Ticket", got, err, one)
		tx.DeleteTicket(one.Token)
		tx.DeleteTicket(hash("never there"))
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		_, err := tx.Ticket(one.Token)
		wantErr(t, "used ticket", err, authcore.ErrNotFound)
		got, err := tx.Ticket(two.Token)
		want(t, "the other ticket", got, err, two)
	})
}

func testRing(t *testing.T, f *Fixture) {
	// A store that has been opened holds the ring that its vault gave it.
	for _, ring := range []string{"first ring", "second ring"} {
		update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutRing([]byte(ring)) })
		view(t, f.Store, func(t *run, tx authcore.Tx) {
			got, err := tx.Ring()
			want(t, "Ring", string(got), err, ring)
		})
	}
}

// What is given to a transaction and taken from it shares no memory with it.
func testOwnership(t *testing.T, f *Fixture) {
	u := user("u", hash("identity"))
	s := session("s", "u", 1)
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		given, from := user("u", hash("identity")), session("s", "u", 1)
		tx.PutUser(given)
		tx.PutSession(from)
		given.Segments["tier"], given.Links[0].OpenID, from.Methods[0] = "changed", "changed", "changed"
		given.Requested["vip"], given.Devices[0].ID, given.Links[0].SyncName = "changed", "changed", false
		for range 2 {
			got, err := tx.User("u")
			want(t, "user in its transaction", got, err, u)
			if err != nil {
				return
			}
			got.Segments["tier"], got.Links[0].OpenID = "changed", "changed"
			got.Requested["vip"], got.Devices[0].ID = "changed", "changed"
		}
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		for range 2 {
			gotSession, got, err := tx.Session(s.Token)
			want(t, "user", got, err, u)
			want(t, "session", gotSession, err, s)
			if err != nil {
				return
			}
			got.Segments["tier"], got.Links[0].OpenID, gotSession.Methods[0] = "changed", "changed", "changed"
			got.Requested["vip"], got.Devices[0].ID = "changed", "changed"
		}
	})
}
