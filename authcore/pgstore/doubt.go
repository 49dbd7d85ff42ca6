package pgstore

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/qqauth/qqauth/authcore"
)

const (
	// settleEvery is how often a store looks after its doubts, and doubtFor how
	// long it has one. Announcements are kept for longer.
	settleEvery = 500 * time.Millisecond
	doubtFor    = time.Hour
	// maxDoubts bounds what a database that takes no COMMIT leaves behind.
	maxDoubts = 1 << 12
)

// doubt is what a transaction announced of which nobody knows whether it holds. It
// may come to hold when nobody looks so far back any more; and whoever repeats what
// it did finds nothing left to do, and so to announce.
type doubt struct {
	events []authcore.Event
	id     eventID // of the first
	since  time.Time
}

// doubt notes one.
func (f *feed) doubt(events []authcore.Event, id eventID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.doubts) < maxDoubts {
		f.doubts = append(f.doubts, doubt{events, id, time.Now()})
	}
}

// takeDoubts returns the doubts that there are and forgets them.
func (f *feed) takeDoubts() []doubt {
	f.mu.Lock()
	defer f.mu.Unlock()
	doubts := f.doubts
	f.doubts = nil
	return doubts
}

// settle announces anew what turns out to hold after all, until ctx ends.
func (s *Store) settle(ctx context.Context) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	var open []doubt
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		open = append(open, s.feed.takeDoubts()...)
		if len(open) > 0 && !s.away.Load() {
			open = slices.DeleteFunc(open, func(d doubt) bool {
				return time.Since(d.since) > doubtFor || s.settled(ctx, d)
			})
		}
	}
}

// settled looks whether a doubtful transaction holds and announces its events, to
// this node too: it has perhaps read and cached anew what was before them.
func (s *Store) settled(ctx context.Context, d doubt) bool {
	c, err := s.feeds.acquire(ctx)
	if err != nil {
		return false
	}
	defer c.Release()
	found := false
	err = c.fly(s.limits.call, statement{
		sql:  "SELECT id FROM qqauth_events WHERE id = $1",
		args: []any{d.id[:]},
		scan: func(pgx.Rows) error { found = true; return nil },
	})
	if err != nil || !found {
		return false
	}
	flight, _ := announcements(d.events)
	sent := time.Now()
	return c.fly(s.limits.commit, flight...) == nil && time.Since(sent) <= s.limits.announce
}
