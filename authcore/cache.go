package authcore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

const (
	// cachedSessions bounds the cache; an entry with one assertion is about
	// 1.5 KiB. An attacker cannot fill it: only sessions that exist enter.
	cachedSessions = 112 << 10
	// staleAfter is the age at which the next use of an entry reads it again in
	// the background, and maxAge the age at which a use waits for that.
	staleAfter = 25 * time.Second
	maxAge     = 30 * time.Second
	// maxSilence is how long a node that does not hear from its store goes on
	// letting cached sessions through.
	maxSilence = 30 * time.Second
)

// entry is a living session as the guard needs it. Only the atomic fields
// change after it was made.
type entry struct {
	hash     TokenHash
	session  SessionID
	user     UserID
	client   ClientID
	device   DeviceHash
	methods  []Method
	authTime time.Time
	expires  time.Time
	ends     time.Time // of the token, at the latest when the session expires
	shard    *liveShard
	stamp    Stamp // of the records, zero if the store has none
	idle     time.Duration

	userName    string
	displayName string
	mobile      string
	email       string
	segments    map[string]string

	seen       atomic.Uint64 // the number of the last event it was compared with
	read       atomic.Int64  // the node's age when the store read that it rests on began
	refreshing atomic.Bool
	used       atomic.Int64 // when the session was used, in Unix nanoseconds
	noting     atomic.Bool  // its use is being written
	assertions atomic.Pointer[assertion]
}

func (n *Node) newEntry(s *Session, u *User) *entry {
	e := &entry{
		hash: s.Token, session: s.ID, user: u.ID, client: s.Client, device: s.Device,
		methods: s.Methods, authTime: s.AuthTime, expires: s.Expires, ends: s.Expires,
		shard:    n.live.shardOf(u.ID),
		userName: u.UserName, displayName: u.DisplayName, mobile: u.Mobile, email: u.Email,
		segments: u.Segments, idle: s.Idle,
	}
	if s.Idle > 0 {
		e.used.Store(s.LastUse.UnixNano())
		n.idles.Store(true)
	}
	return e
}

type sessionCache = otter.Cache[TokenHash, *entry]

func newSessionCache() *sessionCache {
	return otter.Must(&otter.Options[TokenHash, *entry]{MaximumSize: cachedSessions})
}

// current reports whether nothing has happened to the entry since it was read.
// It must be asked again after a request has been entered as live: an event that
// comes later finds the request, one that came earlier is seen here.
func (n *Node) current(e *entry) bool {
	seen := e.seen.Load()
	if n.events.head.Load() == seen {
		return true
	}
	upTo, ok := n.events.since(seen, e.user, e.session)
	if ok {
		e.seen.CompareAndSwap(seen, upTo)
	}
	return ok
}

// lookup returns the living session of a token. It reads the store only if the
// cache has nothing that may be relied on at now.
func (n *Node) lookup(ctx context.Context, hash TokenHash, token string, now time.Time) (*entry, error) {
	e, ok := n.cache.GetIfPresent(hash)
	if !ok {
		if !n.keys.Ring().ValidOpaque(kindSession, token) {
			return nil, ErrSession
		}
		return n.fill(ctx, hash, now)
	}
	if !n.current(e) || e.unused(now) {
		return n.fill(ctx, hash, now)
	}
	if !now.Before(e.ends) {
		n.cache.Invalidate(hash)
		return nil, ErrSession
	}
	age := n.age(now) - e.age()
	if age < staleAfter && !n.silent(now) {
		return e, nil
	}
	if age < maxAge && !n.silent(now) {
		n.refresh(e)
		return e, nil
	}
	if n.confirm(ctx, e, now) {
		return e, nil
	}
	fresh, err := n.fill(ctx, hash, now)
	if err != nil && n.mayOutlive(e, err, now) {
		return e, nil // a database failover: the store is away, not long yet
	}
	return fresh, err
}

// silent reports whether the store has not been heard from for too long.
func (n *Node) silent(now time.Time) bool {
	return n.age(now)-time.Duration(n.heard.Load()) > maxSilence
}

// age is the node's age at now. Ages, and not times, are compared: a clock that
// is set back must not keep anything fresh.
func (n *Node) age(now time.Time) time.Duration { return now.Sub(n.began) }

// age is the node's age when the entry was read.
func (e *entry) age() time.Duration { return time.Duration(e.read.Load()) }

// mayOutlive reports whether an entry may stand in for a read that failed with
// err: the store is unreachable, but was heard from not long ago. Damage is no
// such case, nor is a session that cannot be read while the rest of the store
// can.
func (n *Node) mayOutlive(e *entry, err error, now time.Time) bool {
	return errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrDamaged) &&
		!n.silent(now) && n.age(now)-e.age() <= maxAge+maxSilence
}

// refresh reads an entry again in the background; the use that asked for it is
// not kept waiting.
func (n *Node) refresh(e *entry) {
	if !e.refreshing.CompareAndSwap(false, true) {
		return
	}
	n.inBackground(func() {
		defer e.refreshing.Store(false)
		ctx, cancel := context.WithTimeout(n.ctx, maxAge-staleAfter)
		defer cancel()
		if now := n.now(); !n.confirm(ctx, e, now) {
			_, _ = n.fill(ctx, e.hash, now) // a failure shows at the next use
		}
	})
}

// confirm reads whether an entry is still as the store has it, at less cost than
// filling it anew. It reports false if that is not so, or cannot be told.
func (n *Node) confirm(ctx context.Context, e *entry, now time.Time) bool {
	if e.stamp == (Stamp{}) {
		return false
	}
	var stamp Stamp
	err := n.store.View(ctx, func(tx Tx) (err error) {
		stamp, err = tx.(Stamped).Stamp(e.hash, e.user)
		return err
	})
	if err != nil || stamp != e.stamp {
		return false
	}
	n.answered(now)
	e.read.Store(int64(n.age(now)))
	return true
}

// fill reads a session from the store into the cache.
func (n *Node) fill(ctx context.Context, hash TokenHash, now time.Time) (*entry, error) {
	fresh, err := n.read(ctx, hash, now)
	if err != nil {
		return nil, err
	}
	lock := n.filling.of(hash)
	lock.Lock()
	defer lock.Unlock()
	return n.publish(fresh), nil
}

// read makes an entry of what the store says about a session.
func (n *Node) read(ctx context.Context, hash TokenHash, now time.Time) (*entry, error) {
	seen := n.events.head.Load()
	s, u, ends, stamp, err := n.use(ctx, hash, now)
	if err != nil {
		if errors.Is(err, ErrSession) {
			n.cache.Invalidate(hash)
		}
		return nil, err
	}
	fresh := n.newEntry(&s, &u)
	fresh.hash, fresh.ends = hash, ends
	fresh.stamp = stamp
	fresh.seen.Store(seen)
	fresh.read.Store(int64(n.age(now)))
	return fresh, nil
}

// publish puts an entry into the cache, with the assertions of the one that it
// replaces if nothing has changed. The session's lock is held.
func (n *Node) publish(fresh *entry) *entry {
	if old, ok := n.cache.GetIfPresent(fresh.hash); ok && old.same(fresh) {
		fresh.assertions.Store(old.assertions.Load())
	}
	n.cache.Set(fresh.hash, fresh)
	return fresh
}

// fillLocks order, for each session, what replaces its entry and what adds to
// it, so that no assertion is lost between two entries and signed twice. Few
// sessions share a lock.
type fillLocks [1024]sync.Mutex

func (l *fillLocks) of(hash TokenHash) *sync.Mutex {
	return &l[(int(hash[0])<<8|int(hash[1]))%len(l)]
}

// same reports whether an assertion made for one entry holds for the other.
func (e *entry) same(f *entry) bool {
	if e.session != f.session || e.user != f.user || e.displayName != f.displayName ||
		!e.expires.Equal(f.expires) || !e.authTime.Equal(f.authTime) ||
		!slices.Equal(e.methods, f.methods) || len(e.segments) != len(f.segments) {
		return false
	}
	for name, value := range e.segments {
		if other, ok := f.segments[name]; !ok || other != value {
			return false
		}
	}
	return true
}
