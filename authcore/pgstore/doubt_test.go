package pgstore

import (
	"errors"
	"testing"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/token"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// A log-out whose COMMIT was not answered comes to hold when nobody looks so far
// back any more. Whoever repeats it finds no session, and is told that all is well:
// so it has to be.
func TestLogoutRepeatedAfterADoubt(t *testing.T) {
	if testing.Short() {
		t.Skip("long: a standby")
	}
	t.Parallel()
	server := pgtest.New(t, pgtest.Config{NoSync: true})
	dsn, kek := server.DSN("postgres"), token.NewKEK()
	var short *limits
	a := join(t, dsn, kek, 0, func(l *limits) { scaled(10)(l); l.commit = l.call; short = l })
	b := join(t, dsn, kek, 0, scaled(10))
	u := a.newUser("u")
	pass := b.live(b.any, u)
	standby, err := server.Standby(t.Context(), "second", pgtest.Config{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = standby.Close() })
	if err := errors.Join(server.SetSynchronous("second"), standby.Pause()); err != nil {
		t.Fatal(err)
	}
	if err := a.Logout(t.Context(), "c", u.token, ""); !errors.Is(err, authcore.ErrUnavailable) {
		t.Fatalf("log-out while the standby is away: %v", err)
	}
	side := beside(t, dsn)
	old := func() bool {
		return ask[bool](side, "SELECT now() - max(query_start) > $1 * INTERVAL '1 second' FROM pg_stat_activity WHERE query ILIKE 'commit' AND wait_event = 'SyncRep'",
			(2 * short.window).Seconds())
	}
	await(t, "its stamp to be older than any window", old)
	if err := standby.Resume(); err != nil {
		t.Fatal(err)
	}
	await(t, "the commit", func() bool { return ask[int](side, "SELECT count(*) FROM qqauth_sessions") == 0 })
	if err := a.Logout(t.Context(), "c", u.token, ""); err != nil {
		t.Fatalf("log-out repeated: %v", err)
	}
	await(t, "A to refuse it", func() bool { return errors.Is(admit(t, a.any, u), authcore.ErrSession) })
	await(t, "B to refuse it", func() bool { return errors.Is(admit(t, b.any, u), authcore.ErrSession) })
	await(t, "its live request at B to end", func() bool { return pass.Context().Err() != nil })
}
