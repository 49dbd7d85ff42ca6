package pgstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// player is a user with an identity and some sessions.
type player struct {
	user     authcore.User
	identity authcore.IdentityHash
	access   authcore.AccessHash
	sessions []authcore.Session
}

func newPlayer(t *testing.T, s *Store, name string, sessions int) player {
	t.Helper()
	p := player{identity: digest("identity", name), access: digest("access", name)}
	p.user = authcore.User{
		ID: authcore.UserID(name), Created: time.Now(),
		Links: []authcore.Link{{Identity: p.identity, App: "101", OpenID: "OPENID", Since: time.Now()}},
	}
	for i := range sessions {
		p.sessions = append(p.sessions, aSession(p.user.ID, fmt.Sprint(name, i)))
	}
	write(t, s, func(tx authcore.Tx) {
		tx.PutUser(p.user)
		tx.PutLink(p.user.Links[0], p.user.ID)
		for _, live := range p.sessions {
			tx.PutSession(live)
		}
	})
	return p
}

// login is what a known user's login does: it ends all sessions that there are
// and makes one.
func (p player) login(t *testing.T, s *Store, next string) error {
	return s.Update(t.Context(), func(tx authcore.Tx) error {
		record, err := tx.Login(authcore.LoginQuery{Identity: p.identity, Access: p.access})
		if err != nil || !record.Linked {
			return errors.Join(err, errors.New("the user is known"))
		}
		for _, r := range record.Sessions {
			tx.DeleteSession(p.user.ID, r)
			tx.Announce(authcore.Event{User: p.user.ID, Session: r.ID, Ended: true})
		}
		tx.PutAccess(p.access, authcore.Access{User: p.user.ID, Expires: time.Now().Add(time.Hour)})
		tx.PutSession(aSession(p.user.ID, next))
		return nil
	})
}

// refresh is what a refresh of a session does.
func refresh(t *testing.T, s *Store, old authcore.Session, next string) error {
	return s.Update(t.Context(), func(tx authcore.Tx) error {
		live, _, err := tx.Session(old.Token)
		if err != nil {
			return err
		}
		tx.RetireToken(live.Token, authcore.Retired{Session: live.ID, At: time.Now(), Expires: live.Expires})
		live.Previous, live.Token = live.Token, digest("token", next)
		tx.PutSession(live)
		tx.Announce(authcore.Event{User: live.User, Session: live.ID})
		return nil
	})
}

// redeem is what the redemption of a ticket does.
func redeem(t *testing.T, s *Store, ticket authcore.TokenHash) error {
	return s.Update(t.Context(), func(tx authcore.Tx) error {
		found, err := tx.Ticket(ticket)
		if err != nil {
			return err
		}
		tx.DeleteTicket(ticket)
		_, _, err = tx.SessionByID(found.Session)
		return err
	})
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	proxy, dsn := pgtest.Via(t, pgtest.Database(t))
	s := open(t, dsn)
	stamp := func(p player) error {
		return s.View(t.Context(), func(tx authcore.Tx) error {
			_, err := tx.(authcore.Stamped).Stamp(p.sessions[0].Token, p.user.ID)
			return err
		})
	}
	// Each is done twice, by two players: a connection that is new to a statement
	// asks for its types first.
	for _, test := range []struct {
		what  string
		trips int
		do    func(p player) error
	}{
		{"a session with its user", 1, func(p player) error {
			return s.View(t.Context(), func(tx authcore.Tx) error { _, _, err := tx.Session(p.sessions[0].Token); return err })
		}},
		{"a session and its stamp", 1, func(p player) error {
			return s.View(t.Context(), func(tx authcore.Tx) error {
				_, u, err := tx.Session(p.sessions[0].Token)
				if err == nil {
					_, err = tx.(authcore.Stamped).Stamp(p.sessions[0].Token, u.ID)
				}
				return err
			})
		}},
		{"a stamp", 1, stamp},
		{"a ticket", 2, func(p player) error {
			return s.UpdateVolatile(t.Context(), func(tx authcore.Tx) error {
				tx.PutTicket(authcore.Ticket{
					Token: digest("ticket", p.user.ID), Session: p.sessions[0].ID, Expires: time.Now().Add(time.Hour),
				})
				return nil
			})
		}},
		{"its redemption", 3, func(p player) error { return redeem(t, s, digest("ticket", p.user.ID)) }},
		{"a refresh", 2, func(p player) error { return refresh(t, s, p.sessions[1], "refreshed "+string(p.user.ID)) }},
		{"a known user's login", 2, func(p player) error { return p.login(t, s, "again "+string(p.user.ID)) }},
		{"some counters", 1, func(p player) error {
			return s.View(t.Context(), func(tx authcore.Tx) error {
				_, err := tx.Counters(digest(p.user.ID, 1), digest(p.user.ID, 2), digest(p.user.ID, 3))
				return err
			})
		}},
		{"what counts", 2, func(p player) error {
			return s.Update(t.Context(), func(tx authcore.Tx) error {
				counters, err := tx.Counters(digest(p.user.ID, 1), digest(p.user.ID, 2))
				for _, c := range counters {
					c.Slots, c.Expires = append(c.Slots, authcore.Slot{At: 1, N: 1}), time.Now().Add(time.Hour)
					tx.PutCounter(c)
				}
				return err
			})
		}},
		{"a user by a phone", 1, func(p player) error {
			err := s.View(t.Context(), func(tx authcore.Tx) error { _, err := tx.UserByHandle(digest("none")); return err })
			if !errors.Is(err, authcore.ErrNotFound) {
				return errors.Join(err, errors.New("the phone is unknown"))
			}
			return nil
		}},
		{"guests who are due", 1, func(player) error {
			return s.View(t.Context(), func(tx authcore.Tx) error { _, err := tx.Guests(time.Now(), 100); return err })
		}},
		{"a poll", 1, func(player) error { _, _, err := s.Poll(t.Context()); return err }},
		{"a ping", 1, func(player) error { return s.Ping(t.Context()) }},
	} {
		var trips int
		for i := range 2 {
			p := newPlayer(t, s, fmt.Sprint(test.what, i), 4)
			if test.what == "its redemption" {
				write(t, s, func(tx authcore.Tx) {
					tx.PutTicket(authcore.Ticket{
						Token: digest("ticket", p.user.ID), Session: p.sessions[0].ID, Expires: time.Now().Add(time.Hour),
					})
				})
			}
			before := proxy.RoundTrips()
			if err := test.do(p); err != nil {
				t.Fatalf("%s: %v", test.what, err)
			}
			trips = proxy.RoundTrips() - before
		}
		if trips != test.trips {
			t.Errorf("%s takes %d round trips, want %d", test.what, trips, test.trips)
		}
	}
}

// Guards and logins have connections of their own: neither waits for the other.
func TestReadsWhileWritesAreBlocked(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	s, a := open(t, dsn), beside(t, dsn)
	p := newPlayer(t, s, "u", 1)
	a.run("BEGIN")
	a.run("SELECT FROM qqauth_users WHERE id = 'u' FOR UPDATE")
	all := int(s.writes.Config().MaxConns)
	blocked := make(chan error, 1)
	go func() {
		blocked <- errors.Join(together(all, func(int) error {
			return s.Update(t.Context(), func(tx authcore.Tx) error { tx.PutUser(p.user); return nil })
		})...)
	}()
	watch := beside(t, dsn)
	await(t, "all writes to be blocked", func() bool { return watch.waiting() == all })
	for range 2 * all {
		if err := s.View(t.Context(), func(tx authcore.Tx) error { _, _, err := tx.Session(p.sessions[0].Token); return err }); err != nil {
			t.Fatalf("a guard's read: %v", err)
		}
	}
	if _, _, err := s.Poll(t.Context()); err != nil {
		t.Errorf("Poll: %v", err)
	}
	if n := watch.waiting(); n != all {
		t.Errorf("%d writes are still blocked, want %d", n, all)
	}
	a.run("COMMIT")
	if err := <-blocked; err != nil {
		t.Errorf("the writes that were blocked: %v", err)
	}
}

func TestLoginsWhileReadsAreBlocked(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	// A blocked read is given up at its limit, and this test may be slow.
	s := openWith(t, dsn, func(l *limits) { l.call = time.Minute })
	a := beside(t, dsn)
	p := newPlayer(t, s, "u", 3)
	a.run("BEGIN")
	a.run("LOCK TABLE qqauth_pendings IN ACCESS EXCLUSIVE MODE")
	all := int(s.reads.Config().MaxConns)
	blocked := make(chan error, 1)
	go func() {
		blocked <- errors.Join(together(all, func(int) error {
			return s.View(t.Context(), func(tx authcore.Tx) error { _, err := tx.Pendings(p.identity); return err })
		})...)
	}()
	watch := beside(t, dsn)
	await(t, "all reads to be blocked", func() bool { return watch.waiting() == all })
	again := newPlayer(t, s, "v", 0)
	for i := range 2 * all {
		err := s.Update(t.Context(), func(tx authcore.Tx) error {
			if _, err := tx.Login(authcore.LoginQuery{Identity: again.identity, Access: again.access}); err != nil {
				return err
			}
			tx.PutSession(aSession("v", fmt.Sprint("v", i)))
			return nil
		})
		if err != nil {
			t.Fatalf("login: %v", err)
		}
	}
	if n := watch.waiting(); n != all {
		t.Errorf("%d reads are still blocked, want %d", n, all)
	}
	a.run("COMMIT")
	if err := <-blocked; err != nil {
		t.Errorf("the reads that were blocked: %v", err)
	}
}
