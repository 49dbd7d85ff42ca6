package pgstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
)

const (
	// announceWithin is how old an announcement may be when its COMMIT returns.
	// One that is older may have been missed by every node, and is made anew
	// before anybody is told that the write holds.
	announceWithin = 5 * time.Second
	// window is how far back a Poll looks, by the database's clock. It exceeds
	// announceWithin by more than the time between two Polls.
	window = 10 * time.Second
	// maxGap is the time between two Polls after which nobody tells what was
	// missed.
	maxGap = window
	// maxJump is by how much the database's clock may run apart from ours
	// between two Polls. A failover to a server whose clock is wrong, and a clock
	// that was set, look like that.
	maxJump = time.Second
)

type eventID [16]byte

// feed is what a node has heard so far.
type feed struct {
	mu     sync.Mutex
	seen   map[eventID]struct{}
	doubts []doubt

	// The last Poll that was answered: when it was sent, when its answer came,
	// and the database's clock in between. Before the first, sent is when the
	// store was opened: nothing had been read by then that could have ended.
	sent, received, clock time.Time
}

// own marks announcements that this node made and applies itself.
func (f *feed) own(ids []eventID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		return // nobody listens
	}
	for _, id := range ids {
		f.seen[id] = struct{}{}
	}
}

// Announce implements [authcore.Tx].
func (t *tx) Announce(events ...authcore.Event) {
	if t.mode < modeDurable {
		t.refuse(errReadOnly)
		return
	}
	t.events = append(t.events, events...)
}

// announcements are the statements that write events down.
func announcements(events []authcore.Event) (flight []statement, ids []eventID) {
	for _, e := range events {
		var id eventID
		rand.Read(id[:])
		ids = append(ids, id)
		flight = append(flight, statement{
			sql: `INSERT INTO qqauth_events (id, at, user_id, session_id, ended, ring)
				VALUES ($1, clock_timestamp(), $2, $3, $4, $5)`,
			args: []any{id[:], userKey(e.User), string(e.Session), e.Ended, e.Ring},
		})
	}
	return flight, ids
}

// announceAgain repeats what a COMMIT that took too long announced. That waited
// for a standby, perhaps, and the next one may, too.
func (t *tx) announceAgain() error {
	for range 3 {
		flight, ids := announcements(t.events)
		sent := time.Now()
		if err := t.fly("announce", t.store.limits.commit, flight...); err != nil {
			break
		}
		t.store.feed.own(ids)
		if time.Since(sent) <= t.store.limits.announce {
			return nil
		}
	}
	// Nothing may make it run again.
	t.fault, t.verdict = fmt.Errorf("%w: the write holds, but other nodes may not know yet", authcore.ErrUnavailable), failed
	return t.fault
}

// Poll implements [authcore.Feed]. What it finds out about the database is what
// every other call goes by: one that is away fails them at once.
func (s *Store) Poll(ctx context.Context) (events []authcore.Event, complete bool, err error) {
	if !s.gate.TryRLock() {
		return nil, false, fmt.Errorf("%w: closed", authcore.ErrUnavailable)
	}
	defer s.gate.RUnlock()
	began := time.Now()
	events, complete, err = s.poll(ctx)
	if err != nil && time.Since(began) < time.Second && ctx.Err() == nil {
		s.feeds.Reset() // perhaps the connection alone has died
		events, complete, err = s.poll(ctx)
	}
	if was := s.away.Swap(err != nil); was != (err != nil) && ctx.Err() == nil {
		if err != nil {
			s.log.Error("postgresql does not answer", zap.Error(err))
			s.reads.Reset()
			s.writes.Reset()
		} else {
			s.log.Info("postgresql answers again")
		}
	}
	return events, complete, err
}

func (s *Store) poll(ctx context.Context) ([]authcore.Event, bool, error) {
	c, err := s.feeds.acquire(ctx)
	if err != nil {
		return nil, false, err
	}
	defer c.Release()
	f, l := &s.feed, &s.limits
	sent := time.Now()
	gap := sent.Sub(f.sent)
	// An announcement that the last Poll could not see yet was stamped up to
	// announceWithin before it.
	back := max(l.window, min(gap, l.maxGap)+l.announce+time.Second)
	var clock time.Time
	var frozen bool
	var rows []announcement
	err = c.fly(l.call, statement{
		sql:  "SELECT now(), frozen FROM qqauth_store WHERE id = 1",
		scan: func(r pgx.Rows) error { return r.Scan(&clock, &frozen) },
	}, readAnnouncements(&rows, back))
	if err != nil {
		return nil, false, fault("poll", err)
	}
	received := time.Now()
	s.frozen.Store(frozen)
	passed := received.Sub(f.sent) // at most, until the database looked
	if !f.clock.IsZero() {
		passed = clock.Sub(f.clock)
	}
	complete := gap <= l.maxGap && passed+l.announce <= back && (f.clock.IsZero() || f.steady(clock, sent, received))
	f.sent, f.received, f.clock = sent, received, clock
	return f.news(rows), complete, nil
}

// steady reports whether the database's clock went on since the last Poll as ours
// did, as far as the time on the way lets that be known.
func (f *feed) steady(clock, sent, received time.Time) bool {
	passed := clock.Sub(f.clock)
	return passed >= sent.Sub(f.received)-maxJump && passed <= received.Sub(f.sent)+maxJump
}

// announcement is a row of qqauth_events.
type announcement struct {
	id    eventID
	event authcore.Event
}

func readAnnouncements(to *[]announcement, back time.Duration) statement {
	return statement{
		sql: `SELECT id, user_id, session_id, ended, ring FROM qqauth_events
			WHERE at > now() - $1 * INTERVAL '1 millisecond'`,
		args: []any{back.Milliseconds()},
		scan: func(rows pgx.Rows) error {
			var id []byte
			var user, session string
			var a announcement
			if err := rows.Scan(&id, &user, &session, &a.event.Ended, &a.event.Ring); err != nil {
				return err
			}
			copy(a.id[:], id)
			a.event.User, a.event.Session = userOf(user), authcore.SessionID(session)
			*to = append(*to, a)
			return nil
		},
	}
}

// news are the events that are not known yet. What is no longer found is
// forgotten: it is too old to be found again. An own one that comes to be found
// only later is heard twice, and then at most has something read again.
func (f *feed) news(rows []announcement) (events []authcore.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := make(map[eventID]struct{}, len(rows))
	for _, a := range rows {
		if _, ok := f.seen[a.id]; !ok {
			events = append(events, a.event)
		}
		found[a.id] = struct{}{}
	}
	f.seen = found
	return events
}
