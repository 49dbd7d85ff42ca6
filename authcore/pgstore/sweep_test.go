package pgstore

import (
	"errors"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// due makes the next sweep due now.
func (a *aside) due() {
	a.t.Helper()
	a.run("UPDATE qqauth_sweeps SET due = now() - INTERVAL '1 second'")
}

func TestSweep(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	s, a := open(t, dsn), beside(t, dsn)
	now := time.Now()
	ends := map[string]time.Time{
		"old": now.Add(-2*time.Hour - time.Minute), "expired": now.Add(-2*time.Hour + time.Minute), "living": now.Add(time.Hour),
	}
	a.run("DELETE FROM qqauth_events") // of the start
	write(t, s, func(tx authcore.Tx) {
		tx.PutUser(authcore.User{ID: "u", Created: now})
		for name, expires := range ends {
			live := aSession("u", name)
			live.ID, live.Expires = authcore.SessionID(name), expires
			tx.PutSession(live)
			tx.PutAccess(digest("access", name), authcore.Access{User: "u", Expires: expires})
			tx.PutPending(authcore.Pending{
				ID: authcore.PendingID(name), Status: authcore.StatusSocialBind, Identity: digest("i"), Created: now, Expires: expires,
			})
			tx.PutCode(authcore.Code{Hash: digest("code", name), Expires: expires})
			tx.PutCaptcha(authcore.Captcha{Token: digest("captcha", name), Expires: expires})
			tx.PutCounter(authcore.Counter{Key: digest("counter", name), Expires: expires})
			tx.PutErased(authcore.Erased{Hash: digest("erased", name), At: expires})
			tx.Announce(authcore.Event{User: "u", Session: authcore.SessionID(name)})
		}
		for name, expires := range ends {
			tx.PutTicket(authcore.Ticket{Token: digest("ticket", name), Session: "living", Expires: expires})
			tx.RetireToken(digest("resumed", name), authcore.Retired{Session: "living", At: now, Expires: expires, GoodUntil: expires})
		}
		tx.PutGuest(authcore.Guest{User: "u", Due: ends["old"]}) // which the core looks at
		tx.PutTicket(authcore.Ticket{Token: digest("of the old session"), Session: "old", Expires: now.Add(time.Hour)})
		tx.RetireToken(digest("before"), authcore.Retired{Session: "old", At: now, Expires: now.Add(time.Hour)})
	})
	a.run("UPDATE qqauth_events SET at = at - CASE session_id WHEN 'old' THEN INTERVAL '121 minutes' WHEN 'expired' THEN INTERVAL '119 minutes' ELSE INTERVAL '0' END")

	a.run("UPDATE qqauth_sweeps SET due = now() + INTERVAL '50 seconds'")
	if err := s.sweepOnce(t.Context()); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	if n := ask[int](a, "SELECT count(*) FROM qqauth_sessions"); n != 3 {
		t.Errorf("%d of 3 sessions are left by a sweep that is not due", n)
	}
	a.due()
	if err := s.sweepOnce(t.Context()); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	for table, key := range map[string]string{
		"qqauth_sessions": "id", "qqauth_pendings": "id", "qqauth_events": "session_id",
	} {
		if got := ask[string](a, "SELECT coalesce(string_agg("+key+", ' ' ORDER BY "+key+"), '') FROM "+table); got != "expired living" {
			t.Errorf("%s has the rows %q after a sweep", table, got)
		}
	}
	for table, left := range map[string]int{
		"qqauth_access_tokens": 2, "qqauth_tickets": 2, "qqauth_retired_tokens": 2, "qqauth_users": 1,
		"qqauth_codes": 2, "qqauth_captchas": 2, "qqauth_counters": 2, "qqauth_erased": 3, "qqauth_guests": 1,
	} {
		if n := ask[int](a, "SELECT count(*) FROM "+table); n != left {
			t.Errorf("%s has %d rows after a sweep; want %d", table, n, left)
		}
	}
	if wait := ask[float64](a, "SELECT extract(epoch FROM due - now())::float8 FROM qqauth_sweeps"); wait < 30 || wait > 60 {
		t.Errorf("the next sweep is due in %v s; want a minute", wait)
	}
}

// The clock that the time was set by may have been put back since.
func TestSweepThatIsDueInTheFarFuture(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	s, a := open(t, dsn), beside(t, dsn)
	a.run("UPDATE qqauth_sweeps SET due = now() + INTERVAL '1 day'")
	if err := s.sweepOnce(t.Context()); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	if wait := ask[float64](a, "SELECT extract(epoch FROM due - now())::float8 FROM qqauth_sweeps"); wait > 60 {
		t.Errorf("the next sweep is due in %v s; want a minute", wait)
	}
}

func TestSweepGoesOnWhereOneBatchEnds(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	s, a := open(t, dsn), beside(t, dsn)
	const n = 2*sweepRows + 1
	a.run("DELETE FROM qqauth_events") // of the start
	a.run(`INSERT INTO qqauth_events SELECT sha256(n::text::bytea), now() - INTERVAL '1 day', '', '', FALSE, FALSE FROM generate_series(1, $1) n`, n)
	a.run(`INSERT INTO qqauth_access_tokens SELECT sha256(n::text::bytea), '', 0, now() - INTERVAL '1 day' FROM generate_series(1, $1) n`, 2*sweepRows)
	a.due()
	if err := s.sweepOnce(t.Context()); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	if left := ask[int](a, "SELECT (SELECT count(*) FROM qqauth_events) + (SELECT count(*) FROM qqauth_access_tokens)"); left != 0 {
		t.Errorf("%d rows are left", left)
	}
}

func TestOneNodeSweeps(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	handles, a := [2]*Store{open(t, dsn), open(t, dsn)}, beside(t, dsn)
	a.run("CREATE TABLE taken (at TIMESTAMPTZ)")
	a.run(`CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO taken VALUES (now()); RETURN NEW; END'`)
	a.due()
	a.run("CREATE TRIGGER take AFTER UPDATE ON qqauth_sweeps FOR EACH ROW EXECUTE FUNCTION take()")
	errs := together(8, func(i int) error { return handles[i%2].sweepOnce(t.Context()) })
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	if n := ask[int](a, "SELECT count(*) FROM taken"); n != 1 {
		t.Errorf("%d sweeps of 8 at once went on; want 1", n)
	}
}
