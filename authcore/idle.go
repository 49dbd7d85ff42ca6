package authcore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A session that may go unused only so long carries when it was used, written
// down at most once in a tenth of that time: what is written is up to a tenth too
// old, and the session ends a tenth later than the writing says. So it lives at
// least as long as it may, and at most a tenth longer.

// allowIdle lets the session go unused for so long; 0 is for ever.
func (s *Session) allowIdle(idle time.Duration, now time.Time) {
	if s.Idle = idle; idle > 0 {
		s.LastUse = now
	}
}

// unused reports whether the session has ended because nobody used it.
func (s *Session) unused(now time.Time) bool { return unusedSince(s.LastUse, s.Idle, now) }

func unusedSince(last time.Time, idle time.Duration, now time.Time) bool {
	return idle > 0 && !now.Before(last.Add(idle+idle/10))
}

// noteUse reports whether a use at now has to be written, and notes it.
func (s *Session) noteUse(now time.Time) bool {
	if s.Idle == 0 || now.Before(s.LastUse.Add(s.Idle/10)) {
		return false
	}
	s.LastUse = now
	return true
}

// noteUse writes, where that is due, that a session in the cache is used. The
// request does not wait for it, unless the session had all but ended: another
// node would then refuse the next one.
func (n *Node) noteUse(ctx context.Context, e *entry, now time.Time) {
	if e.idle == 0 {
		return
	}
	unused := now.Sub(e.lastUse())
	if unused < e.idle/10 || !e.noting.CompareAndSwap(false, true) {
		return
	}
	if unused >= e.idle {
		defer e.noting.Store(false)
		n.writeUse(ctx, e, now)
		return
	}
	n.inBackground(func() {
		defer e.noting.Store(false)
		ctx, cancel := context.WithTimeout(n.ctx, pulse)
		defer cancel()
		n.writeUse(ctx, e, now)
	})
}

// writeUse writes that the session of an entry was used at now.
func (n *Node) writeUse(ctx context.Context, e *entry, now time.Time) {
	if last, err := n.writeUseOf(ctx, e.session, now); err == nil {
		e.used.Store(last.UnixNano())
	}
}

// writeUseOf writes that a session was used at now, by its id, which a refresh
// does not change. A session that may not be written goes on all the same: its
// next use tries again.
func (n *Node) writeUseOf(ctx context.Context, id SessionID, now time.Time) (last time.Time, err error) {
	err = n.update(ctx, func(tx Tx) ([]Event, error) {
		s, u, err := tx.SessionByID(id)
		if err != nil {
			return nil, err
		}
		if s.alive(&u, now) && s.noteUse(now) {
			tx.PutSession(s)
		}
		last = s.LastUse
		return nil, nil
	})
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnavailable) && n.ctx.Err() == nil {
		n.onFault(fmt.Errorf("note the use of a session: %w", err))
	}
	return last, err
}

// lastUse is when the session was used, as far as the entry knows.
func (e *entry) lastUse() time.Time { return time.Unix(0, e.used.Load()) }

// unused reports whether the session has ended because nobody used it, as far as
// the entry knows: another node may have seen it used since.
func (e *entry) unused(now time.Time) bool {
	return e.idle > 0 && unusedSince(e.lastUse(), e.idle, now)
}

// noteLive notes that sessions with requests in flight are in use.
func (n *Node) noteLive(now time.Time) {
	if !n.idles.Load() {
		return
	}
	var due []*entry
	for p := range n.live.all() {
		if e := p.entry; e.idle > 0 && now.Sub(e.lastUse()) >= e.idle/10 {
			due = append(due, e)
		}
	}
	for _, e := range due {
		n.noteUse(n.ctx, e, now)
	}
}
