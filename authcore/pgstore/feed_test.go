package pgstore

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// poll asks for events of sessions; those of a start are about the ring.
func poll(t *testing.T, s *Store) (sessions []string, complete bool) {
	t.Helper()
	events, complete, err := s.Poll(t.Context())
	if err != nil {
		t.Fatalf("Poll: %v", err)
	}
	for _, e := range events {
		if !e.Ring {
			sessions = append(sessions, string(e.Session))
		}
	}
	slices.Sort(sessions)
	return sessions, complete
}

// wantPoll checks what a Poll answers, and that it is complete.
func wantPoll(t *testing.T, what string, s *Store, sessions ...string) {
	t.Helper()
	got, complete := poll(t, s)
	if !slices.Equal(got, sessions) || !complete {
		t.Errorf("%s: Poll answers %q, complete %v; want %q, true", what, got, complete, sessions)
	}
}

func announce(t *testing.T, s *Store, sessions ...string) {
	t.Helper()
	write(t, s, func(tx authcore.Tx) {
		for _, id := range sessions {
			tx.Announce(authcore.Event{User: "u", Session: authcore.SessionID(id), Ended: true})
		}
	})
}

func TestFeed(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	a, b := open(t, dsn), open(t, dsn)
	wantPoll(t, "first at A", a)
	wantPoll(t, "first at B", b)
	announce(t, a, "1")
	wantPoll(t, "own", a)
	wantPoll(t, "another's", b, "1")
	wantPoll(t, "another's, again", b)
	announce(t, b, "2")
	announce(t, a, "3")
	announce(t, b, "4", "5")
	wantPoll(t, "between own ones", a, "2", "4", "5")
	wantPoll(t, "between own ones", b, "3")

	mine := errors.New("mine")
	err := a.Update(t.Context(), func(tx authcore.Tx) error {
		tx.Announce(authcore.Event{User: "u", Session: "undone"})
		return mine
	})
	if err != mine {
		t.Errorf("got error %v, want the function's own", err)
	}
	wantPoll(t, "after an update that is undone", b)
	err = a.UpdateVolatile(t.Context(), func(tx authcore.Tx) error {
		tx.Announce(authcore.Event{User: "u", Session: "6"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantPoll(t, "after a volatile update", b, "6")
	wantPoll(t, "at a node that has just started", open(t, dsn), "1", "2", "3", "4", "5", "6")
}

// An event is all that a node gets to know: each field of it counts.
func TestFeedKeepsEvents(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	a, b := open(t, dsn), open(t, dsn)
	poll(t, b)
	for _, e := range []authcore.Event{
		{}, {User: "u"}, {User: "u", Session: "s"}, {User: "u", Ended: true}, {User: "u", Session: "s", Ended: true}, {Ring: true},
	} {
		write(t, a, func(tx authcore.Tx) { tx.Announce(e) })
		got, _, err := b.Poll(t.Context())
		if err != nil || len(got) != 1 || got[0] != e {
			t.Errorf("Poll answers %v, error %v; want %v", got, err, e)
		}
	}
}

func TestFeedOfMany(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	a, b, beside := open(t, dsn), open(t, dsn), beside(t, dsn)
	wantPoll(t, "first", b)
	beside.run(`INSERT INTO qqauth_events SELECT sha256(n::text::bytea), now() - INTERVAL '1 minute', 'u', 'old', TRUE, FALSE
		FROM generate_series(1, 10000) n`)
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprintf("%04d", i))
	}
	announce(t, a, ids...)
	wantPoll(t, "a thousand behind old ones", b, ids...)
	wantPoll(t, "again", b)
}

// A node may read before it hears for the first time.
func TestLateFirstPoll(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Database(t))
	s.feed.sent = s.feed.sent.Add(-11 * time.Second)
	if _, complete := poll(t, s); complete {
		t.Error("the first Poll, 11 s after the start, is complete")
	}
	wantPoll(t, "the second", s)
}

// shift makes the last Poll one of so long ago.
func (f *feed) shift(by time.Duration) {
	f.sent, f.received, f.clock = f.sent.Add(-by), f.received.Add(-by), f.clock.Add(-by)
}

func TestFeedAfterAGap(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	s, a := open(t, dsn), beside(t, dsn)
	// stamped is a row that becomes visible now, and when it was stamped.
	stamped := func(id string, ago time.Duration) {
		a.run("INSERT INTO qqauth_events VALUES (sha256($1::text::bytea), now() - $2 * INTERVAL '1 millisecond', 'u', $1::text, TRUE, FALSE)",
			id, ago.Milliseconds())
	}
	wantPoll(t, "first", s)
	stamped("fresh", 4*time.Second)
	wantPoll(t, "at once", s, "fresh")

	// 7 s ago, the row that was stamped 4 s before was not to be seen.
	s.feed.shift(7 * time.Second)
	stamped("late", 11*time.Second)
	wantPoll(t, "after 7 s", s, "late")

	s.feed.shift(11 * time.Second)
	if _, complete := poll(t, s); complete {
		t.Error("after 11 s without a Poll, the next one is complete")
	}
	wantPoll(t, "after it", s)
}

func TestFeedWhenTheClockJumps(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Database(t))
	wantPoll(t, "first", s)
	for _, jump := range []time.Duration{5 * time.Second, -5 * time.Second, time.Hour, -time.Hour} {
		s.feed.clock = s.feed.clock.Add(-jump)
		if _, complete := poll(t, s); complete {
			t.Errorf("the database's clock jumps by %v, and Poll is complete", jump)
		}
		wantPoll(t, "after the jump", s)
	}
}

// listener polls all the time, as a node does.
type listener struct {
	stop  chan struct{}
	heard chan []string
}

// everything is heard where a Poll is not complete: all is read again.
const everything = "*"

func listen(t *testing.T, s *Store, every time.Duration) *listener {
	t.Helper()
	poll(t, s)
	l := &listener{make(chan struct{}), make(chan []string, 1)}
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		var all []string
		for {
			select {
			case <-l.stop:
				l.heard <- all
				return
			case <-tick.C:
			}
			events, complete, err := s.Poll(t.Context())
			if err != nil {
				t.Errorf("Poll: %v", err)
			}
			if !complete {
				all = append(all, everything)
			}
			for _, e := range events {
				all = append(all, string(e.Session))
			}
		}
	}()
	return l
}

// end ends the polls with one more.
func (l *listener) end(t *testing.T, s *Store) []string {
	t.Helper()
	close(l.stop)
	heard := <-l.heard
	last, complete := poll(t, s)
	if !complete {
		last = append(last, everything)
	}
	return append(heard, last...)
}

// wantHeard ends a listener that has to know of an event.
func wantHeard(t *testing.T, l *listener, s *Store, session string) {
	t.Helper()
	if heard := l.end(t, s); !slices.Contains(heard, session) && !slices.Contains(heard, everything) {
		t.Errorf("%s is not among what was heard: %q", session, heard)
	}
}

// scaled are the limits of the feed in another measure of time.
func scaled(scale time.Duration) func(*limits) {
	return func(l *limits) {
		l.announce, l.window, l.maxGap = l.announce/scale, l.window/scale, l.maxGap/scale
	}
}

// testLateCommit has a write of A wait in its COMMIT, as it would for a standby:
// its announcement is stamped before, and to be seen only after. B, which polls
// all the time, has to know when the call returns.
func testLateCommit(t *testing.T, wait, scale time.Duration) {
	dsn := pgtest.Database(t)
	a, b := openWith(t, dsn, scaled(scale)), openWith(t, dsn, scaled(scale))
	side := beside(t, dsn)
	side.run(`CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF (SELECT count(*) FROM qqauth_events WHERE session_id = NEW.session_id) = 1 THEN
			PERFORM pg_sleep(` + fmt.Sprint((wait / scale).Seconds()) + `);
		END IF;
		RETURN NULL;
	END $$`)
	side.run(`CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON qqauth_events DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW WHEN (NEW.session_id = 'late') EXECUTE FUNCTION wait()`)
	poll(t, a)
	l := listen(t, b, 250*time.Millisecond/scale)
	began := time.Now()
	announce(t, a, "late")
	if time.Since(began) < wait/scale {
		t.Error("the COMMIT did not wait")
	}
	age := ask[float64](side, "SELECT extract(epoch FROM now() - max(at))::float8 FROM qqauth_events WHERE session_id = 'late'")
	if age > standard.announce.Seconds() {
		t.Errorf("the announcement is %.1f s old when the call returns", age)
	}
	wantHeard(t, l, b, "late")
	if got, _ := poll(t, a); len(got) > 0 {
		t.Errorf("A hears its own %q", got)
	}
}

func TestLateCommit(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{3 * time.Second, 8 * time.Second, 12 * time.Second} {
		t.Run(wait.String(), func(t *testing.T) {
			t.Parallel()
			testLateCommit(t, wait, 5)
		})
	}
}

func TestLateCommitInRealTime(t *testing.T) {
	if testing.Short() {
		t.Skip("long: commits that take 8 s and 12 s")
	}
	t.Parallel()
	for _, wait := range []time.Duration{8 * time.Second, 12 * time.Second} {
		t.Run(wait.String(), func(t *testing.T) {
			t.Parallel()
			testLateCommit(t, wait, 1)
		})
	}
}

// A COMMIT that is on its way for long, or whose answer is, announces what may
// have been missed anew.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	const scale = 5
	for _, fault := range []pgtest.Fault{
		{Delay: 8 * time.Second / scale}, {DelayAnswer: 8 * time.Second / scale}, {DelayAnswer: 12 * time.Second / scale},
	} {
		t.Run(fmt.Sprint(fault.Delay, " and ", fault.DelayAnswer), func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.Database(t)
			proxy, via := pgtest.Via(t, dsn)
			a, b := openWith(t, via, scaled(scale)), openWith(t, dsn, scaled(scale))
			l := listen(t, b, 250*time.Millisecond/scale)
			proxy.OnCommit(once(fault))
			announce(t, a, "late")
			if n := ask[int](beside(t, dsn), "SELECT count(*) FROM qqauth_events WHERE session_id = 'late'"); n < 2 {
				t.Errorf("it is announced %d times; want it announced again", n)
			}
			wantHeard(t, l, b, "late")
		})
	}
}

// The write holds by then: whatever becomes of the second announcement, the
// function must not run again.
func TestLateAnswerThatCannotBeAnnounced(t *testing.T) {
	t.Parallel()
	for _, fault := range []pgtest.Fault{{Fail: "40001"}, {Fail: "23505"}, {CutBefore: true}, {CutAfter: true}} {
		t.Run(fmt.Sprintf("%+v", fault), func(t *testing.T) {
			t.Parallel()
			proxy, dsn := pgtest.Via(t, pgtest.Database(t))
			s := openWith(t, dsn, scaled(10))
			announce(t, s, "before")
			runs := 0
			proxy.OnCommit(once(pgtest.Fault{DelayAnswer: 8 * time.Second / 10}))
			err := s.Update(t.Context(), func(tx authcore.Tx) error {
				runs++
				tx.Announce(authcore.Event{User: "u"})
				_, err := tx.Sessions("u")
				proxy.OnRead(once(fault))
				return err
			})
			if !errors.Is(err, authcore.ErrUnavailable) || runs != 1 {
				t.Errorf("error %v after %d runs; want ErrUnavailable after one", err, runs)
			}
		})
	}
}

func TestPollOfADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	proxy, dsn := pgtest.Via(t, pgtest.Database(t))
	s := openWith(t, dsn, func(l *limits) { l.call = 2 * time.Second })
	wantPoll(t, "first", s)
	proxy.Cut()
	wantPoll(t, "over a connection that has died", s)
	proxy.Hang(true)
	if _, _, err := s.Poll(t.Context()); !errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("got error %v, want ErrUnavailable", err)
	}
	connections := proxy.Connections()
	if err := errors.Join(find(t, s, "u"), put(t, s, "u")); !errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("while it is away: got error %v, want ErrUnavailable", err)
	}
	if proxy.Connections() != connections {
		t.Error("a call waits for a database that is known to be away")
	}
	proxy.Hang(false)
	wantPoll(t, "when it is back", s)
	if err := errors.Join(put(t, s, "u"), find(t, s, "u")); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// Logins are shed where the database is frozen, whoever froze it.
func TestPollSeesTheFreeze(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	a, b := open(t, dsn), open(t, dsn)
	for _, frozen := range []bool{true, false} {
		if err := a.Freeze(t.Context(), frozen); err != nil {
			t.Fatalf("Freeze: %v", err)
		}
		poll(t, b)
		if err := b.Writable(); errors.Is(err, authcore.ErrFrozen) != frozen {
			t.Errorf("frozen %v: Writable answers %v", frozen, err)
		}
	}
}

// The answer to the last Poll may have taken long, and this one long to get there:
// then it looks back too little, and has to say so.
func TestPollOnASlowWay(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	proxy, via := pgtest.Via(t, dsn)
	s, a := open(t, via), beside(t, dsn)
	wantPoll(t, "first", s)
	s.feed.shift(3100 * time.Millisecond)
	a.run("INSERT INTO qqauth_events VALUES (sha256('x'), now() - INTERVAL '8 seconds', 'u', 'x', TRUE, FALSE)")
	proxy.OnRead(once(pgtest.Fault{Delay: 2900 * time.Millisecond}))
	if got, complete := poll(t, s); len(got) == 0 && complete {
		t.Error("missed one, and said to be complete")
	}
}
