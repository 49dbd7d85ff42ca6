package authcore

import (
	"context"
	"errors"
	"hash/maphash"
	"iter"
	"slices"
	"sync"
	"time"
)

// grace is how long requests in flight may go on after their session ended.
const grace = 500 * time.Millisecond

// liveRequests knows every guarded request in flight and every connection with a
// player, so that ending a session ends them. Those of one user share a shard, and
// each shard is a list that is entered and left in constant time without allocation.
type liveRequests struct {
	seed   maphash.Seed
	shards [256]liveShard
}

type liveShard struct {
	mu    sync.Mutex
	first *Pass
	_     [48]byte // one cache line each: shards are locked by every request
}

func newLiveRequests() *liveRequests {
	return &liveRequests{seed: maphash.MakeSeed()}
}

func (l *liveRequests) shardOf(user UserID) *liveShard {
	return &l.shards[maphash.String(l.seed, string(user))%uint64(len(l.shards))]
}

// enter adds a request.
func (s *liveShard) enter(p *Pass) {
	s.mu.Lock()
	p.shard, p.next = s, s.first
	if s.first != nil {
		s.first.prev = p
	}
	s.first = p
	s.mu.Unlock()
}

// leave removes a request; it may be called once for each enter.
func (s *liveShard) leave(p *Pass) {
	s.mu.Lock()
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		s.first = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	}
	s.mu.Unlock()
}

// concerned lists the requests that an event is about.
func (l *liveRequests) concerned(e Event) (passes []*Pass) {
	if e.User == "" {
		return slices.Collect(l.all())
	}
	shard := l.shardOf(e.User)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for p := shard.first; p != nil; p = p.next {
		if e.concerns(p.entry.user, p.entry.session) {
			passes = append(passes, p)
		}
	}
	return passes
}

// end cancels requests after their grace.
func end(passes []*Pass) {
	if len(passes) == 0 {
		return
	}
	time.AfterFunc(grace, func() {
		for _, p := range passes {
			p.over(true)
		}
	})
}

// judgeAgain ends the requests in flight that their guards would no longer let
// in, now that something about their sessions has changed.
func (n *Node) judgeAgain(passes []*Pass) {
	if len(passes) == 0 {
		return
	}
	n.inBackground(func() {
		for p := range slices.Values(passes) {
			if passes, known := n.stillPasses(p); passes {
				continue
			} else if known {
				end([]*Pass{p})
			} else { // what cannot be read is not let in for longer
				time.AfterFunc(grace, func() { p.over(false) })
			}
		}
	})
}

// stillPasses reads a request's session by its id, which a refresh does not
// change. known is false if it cannot be read.
func (n *Node) stillPasses(p *Pass) (passes, known bool) {
	ctx, cancel := context.WithTimeout(n.ctx, pulse)
	defer cancel()
	var s Session
	var u User
	err := n.store.View(ctx, func(tx Tx) (err error) {
		s, u, err = tx.SessionByID(p.entry.session)
		return err
	})
	if err != nil {
		return false, errors.Is(err, ErrNotFound)
	}
	return s.alive(&u, n.now()) && (p.guard == nil || p.guard.judgeSession(n.newEntry(&s, &u)) == nil), true
}

// expire cancels the requests whose sessions have reached their absolute end.
func (l *liveRequests) expire(now time.Time) {
	for p := range l.all() {
		if !now.Before(p.entry.expires) {
			p.over(true)
		}
	}
}

// endAll cancels every request at once: nobody can tell them any more that their
// session has ended.
func (l *liveRequests) endAll() {
	for p := range l.all() {
		p.over(false)
	}
}

// count returns the number of requests in flight.
func (l *liveRequests) count() (n int) {
	for p := range l.all() {
		if p.ended == nil {
			n++
		}
	}
	return n
}

// all goes through the requests, one shard at a time under its lock.
func (l *liveRequests) all() iter.Seq[*Pass] {
	return func(yield func(*Pass) bool) {
		for i := range l.shards {
			shard := &l.shards[i]
			shard.mu.Lock()
			for p := shard.first; p != nil; p = p.next {
				if !yield(p) {
					shard.mu.Unlock()
					return
				}
			}
			shard.mu.Unlock()
		}
	}
}
