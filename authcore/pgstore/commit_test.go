package pgstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// never is longer than any test waits for an answer.
const never = time.Hour

// Nobody knows what becomes of a COMMIT whose connection is lost, so nobody may
// send another.
func TestLostCommit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault pgtest.Fault
		held  bool
	}{
		{"before the server has it", pgtest.Fault{CutBefore: true}, false},
		{"after the server has it", pgtest.Fault{CutAfter: true}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dsn := pgtest.Database(t)
			proxy, via := pgtest.Via(t, dsn)
			s, a := open(t, via), beside(t, dsn)
			if err := put(t, s, "before"); err != nil {
				t.Fatal(err)
			}
			for i, update := range []func(func(authcore.Tx) error) error{
				func(fn func(authcore.Tx) error) error { return s.Update(t.Context(), fn) },
				func(fn func(authcore.Tx) error) error { return s.UpdateVolatile(t.Context(), fn) },
			} {
				id, runs := authcore.UserID(fmt.Sprint("u", i)), 0
				proxy.OnCommit(once(test.fault))
				err := update(func(tx authcore.Tx) error {
					runs++
					tx.PutUser(authcore.User{ID: id, Created: time.Now()})
					return nil
				})
				if !errors.Is(err, authcore.ErrUnavailable) || runs != 1 {
					t.Errorf("update %d: error %v after %d runs; want ErrUnavailable after one", i, err, runs)
				}
				if held := ask[int](a, "SELECT count(*) FROM qqauth_users WHERE id = $1", string(id)) == 1; held != test.held {
					t.Errorf("update %d holds: %v, want %v", i, held, test.held)
				}
			}
			if err := errors.Join(put(t, s, "after"), find(t, s, "after")); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// A connection that is lost before its COMMIT decides nothing; a call survives
// that even if others were in its way before.
func TestLostBeforeCommit(t *testing.T) {
	t.Parallel()
	proxy, dsn := pgtest.Via(t, pgtest.Database(t))
	s := open(t, dsn)
	if err := put(t, s, "u"); err != nil {
		t.Fatal(err)
	}
	runs := 0
	proxy.OnCommit(once(pgtest.Fault{Fail: "40001"}))
	err := s.Update(t.Context(), func(tx authcore.Tx) error {
		if runs++; runs == 2 {
			proxy.OnRead(once(pgtest.Fault{CutAfter: true}))
		}
		_, err := tx.User("u")
		return err
	})
	if err != nil || runs != 3 {
		t.Errorf("error %v after %d runs; want none after 3", err, runs)
	}
}

// unanswered makes every connection for writing wait for the answer to a COMMIT,
// and checks that each is given up at its limit.
func unanswered(t *testing.T, s *Store, proxy *pgtest.Proxy) {
	t.Helper()
	proxy.OnCommit(func() pgtest.Fault { return pgtest.Fault{DelayAnswer: never} })
	all := int(s.writes.Config().MaxConns)
	runs := make([]int, all)
	errs := together(all, func(i int) error {
		return s.Update(t.Context(), func(tx authcore.Tx) error {
			runs[i]++
			tx.PutUser(authcore.User{ID: authcore.UserID(fmt.Sprint("u", i)), Created: time.Now()})
			return nil
		})
	})
	proxy.OnCommit(nil)
	for i, err := range errs {
		if !errors.Is(err, authcore.ErrUnavailable) || runs[i] != 1 {
			t.Errorf("update %d: error %v after %d runs; want ErrUnavailable after one", i, err, runs[i])
		}
	}
}

func TestUnansweredCommit(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	proxy, via := pgtest.Via(t, dsn)
	s := openWith(t, via, func(l *limits) { l.commit = 200 * time.Millisecond })
	if err := put(t, s, "before"); err != nil {
		t.Fatal(err)
	}
	unanswered(t, s, proxy)
	// pgx would drain a dropped connection for 15 s before another may take its
	// place; a call waits for one for 3.
	all := int(s.writes.Config().MaxConns)
	if err := errors.Join(together(all, func(i int) error { return put(t, s, authcore.UserID(fmt.Sprint("v", i))) })...); err != nil {
		t.Errorf("right after all connections were dropped: %v", err)
	}
	if n := ask[int](beside(t, dsn), "SELECT count(*) FROM qqauth_users"); n != 1+2*all {
		t.Errorf("%d users; want %d: a COMMIT that is not answered was carried out all the same", n, 1+2*all)
	}
	s.Close() // waits for what the driver does with dropped connections
	if n := proxy.CancelRequests(); n != 0 {
		t.Errorf("%d requests to cancel", n)
	}
}

// A read that hangs is given up at its limit, and once only: another try would
// take as long.
func TestHangingRead(t *testing.T) {
	t.Parallel()
	proxy, dsn := pgtest.Via(t, pgtest.Database(t))
	s := openWith(t, dsn, func(l *limits) { l.call = 2 * time.Second })
	if err := errors.Join(put(t, s, "u"), find(t, s, "u")); err != nil {
		t.Fatal(err)
	}
	proxy.Hang(true)
	connections := proxy.Connections()
	if err := find(t, s, "u"); !errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("View: got error %v, want ErrUnavailable", err)
	}
	if err := put(t, s, "v"); !errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("Update: got error %v, want ErrUnavailable", err)
	}
	if n := proxy.Connections(); n != connections {
		t.Errorf("%d connections were made to try again", n-connections)
	}
	proxy.Hang(false)
	all := int(s.reads.Config().MaxConns)
	if err := errors.Join(together(all, func(int) error { return find(t, s, "u") })...); err != nil {
		t.Errorf("View afterwards: %v", err)
	}
	if err := put(t, s, "v"); err != nil {
		t.Errorf("Update afterwards: %v", err)
	}
	s.Close()
	if n := proxy.CancelRequests(); n != 0 {
		t.Errorf("%d requests to cancel", n)
	}
}

// A wait for a standby that were cancelled would be taken for a success: the
// revocation would be seen here, and be gone after a failover.
func TestCommitWaitsForTheStandby(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t, pgtest.Config{NoSync: true})
	standby, err := server.Standby(t.Context(), "second", pgtest.Config{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = standby.Close() })
	dsn := server.DSN("postgres")
	s := openWith(t, dsn, func(l *limits) { l.commit = 300 * time.Millisecond })
	live := aSession("u", "s")
	write(t, s, func(tx authcore.Tx) { tx.PutUser(authcore.User{ID: "u", Created: time.Now()}); tx.PutSession(live) })
	if err := errors.Join(server.SetSynchronous("second"), standby.Pause()); err != nil {
		t.Fatal(err)
	}

	runs := 0
	err = s.Update(t.Context(), func(tx authcore.Tx) error {
		runs++
		_, _, err := tx.Session(live.Token)
		tx.DeleteSession("u", authcore.SessionRef{ID: live.ID})
		tx.Announce(authcore.Event{User: "u", Session: live.ID, Ended: true})
		return err
	})
	if !errors.Is(err, authcore.ErrUnavailable) || runs != 1 {
		t.Errorf("revocation without a standby: error %v after %d runs; want ErrUnavailable after one", err, runs)
	}
	s.Close() // and with it whatever might cancel
	a := beside(t, dsn)
	if n := ask[int](a, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"); n != 1 {
		t.Errorf("%d commits wait for the standby, want 1", n)
	}
	if n := ask[int](a, "SELECT count(*) FROM qqauth_sessions"); n != 1 {
		t.Error("the revocation is visible, though it can still be lost")
	}
	if err := standby.Resume(); err != nil {
		t.Fatal(err)
	}
	await(t, "the revocation", func() bool { return ask[int](a, "SELECT count(*) FROM qqauth_sessions") == 0 })
}
