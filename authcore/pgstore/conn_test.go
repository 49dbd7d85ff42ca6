package pgstore

import (
	"context"
	"errors"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// A server that hangs between letting a connection in and setting it up must not
// keep its place in the pool.
func TestHangDuringSetup(t *testing.T) {
	t.Parallel()
	proxy, dsn := pgtest.Via(t, pgtest.Database(t))
	s := openWith(t, dsn, func(l *limits) { l.call = 500 * time.Millisecond })
	var flights atomic.Int64
	proxy.OnRead(func() pgtest.Fault { // asked whether it takes writes, the server answers
		if flights.Add(1)%2 == 0 {
			return pgtest.Fault{DelayAnswer: never}
		}
		return pgtest.Fault{}
	})
	proxy.Cut()
	for range 5 { // more than the pool has places
		if _, _, err := s.Poll(t.Context()); !errors.Is(err, authcore.ErrUnavailable) {
			t.Fatalf("poll while all hangs: %v", err)
		}
	}
	proxy.OnRead(nil)
	await(t, "a Poll to be answered", func() bool { _, _, err := s.Poll(t.Context()); return err == nil })
}

// What stops a start is a fault of state later: the password was changed, or
// another server is in charge that has not heard of us.
func TestConnectionRefusedLater(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	a := beside(t, dsn)
	a.run(`CREATE ROLE barred SUPERUSER LOGIN PASSWORD 'pw'`)
	t.Cleanup(func() { _, _ = a.Exec(context.Background(), "DROP OWNED BY barred; DROP ROLE barred") })
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("barred", "pw")
	s := open(t, u.String())
	a.run(`ALTER ROLE barred NOLOGIN`)
	s.reads.Reset()
	s.writes.Reset()
	for what, err := range map[string]error{"view": find(t, s, "u"), "update": put(t, s, "u")} {
		if !errors.Is(err, authcore.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := tryOpen(t, u.String()); err == nil || errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("at a start: %v", err)
	}
}

// Connections are not the price of transactions that are in each other's way.
func TestRefusedCommitKeepsItsConnection(t *testing.T) {
	t.Parallel()
	s := openWith(t, pgtest.Database(t), patient)
	if err := put(t, s, "u"); err != nil {
		t.Fatal(err)
	}
	errs := together(16, func(int) error {
		for range 20 {
			err := s.Update(t.Context(), func(tx authcore.Tx) error {
				u, err := tx.User("u")
				u.Epoch++
				tx.PutUser(u)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	refused := s.Stats().Refusals
	made, most := s.writes.Stat().NewConnsCount(), int64(s.writes.Config().MaxConns)
	if refused == 0 || made > most {
		t.Errorf("%d connections made for a pool of %d, at %d refusals", made, most, refused)
	}
}

// Two hosts that do not answer must not keep a node from the third.
func TestThirdHost(t *testing.T) {
	if testing.Short() {
		t.Skip("long: hosts that do not answer")
	}
	t.Parallel()
	dsn := pgtest.Database(t)
	one, _ := pgtest.Via(t, dsn)
	two, _ := pgtest.Via(t, dsn)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = one.Addr() + "," + two.Addr() + "," + u.Host
	one.Hang(true)
	two.Hang(true)
	s, err := tryOpen(t, u.String())
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	if err := put(t, s, "u"); err != nil {
		t.Errorf("put: %v", err)
	}
}

// A node that vanishes while it starts keeps nobody else from starting for long.
func TestStartAfterAVanishedOne(t *testing.T) {
	if testing.Short() {
		t.Skip("long: the server's time-out")
	}
	t.Parallel()
	dsn := pgtest.Database(t)
	proxy, via := pgtest.Via(t, dsn)
	if err := open(t, dsn).Close(); err != nil {
		t.Fatal(err)
	}
	proxy.OnCommit(func() pgtest.Fault { proxy.Hang(true); return pgtest.Fault{Delay: never} })
	if _, err := tryOpen(t, via); !errors.Is(err, authcore.ErrUnavailable) {
		t.Fatalf("the one that vanishes: %v", err)
	}
	await(t, "another to start", func() bool { _, err := tryOpen(t, dsn); return err == nil })
}
