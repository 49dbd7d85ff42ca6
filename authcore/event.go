package authcore

import (
	"sync"
	"sync/atomic"
)

// Event tells that what is known of sessions is no longer true: a session ended,
// or something that an assertion or a rule is made of changed.
type Event struct {
	// User is whose sessions it is about; empty means everybody's.
	User UserID
	// Session narrows the event to one session; empty means all of the user's.
	Session SessionID
	// Ended says that the sessions are over, and with them their live requests.
	// Otherwise they are only to be read again.
	Ended bool
	// Ring says that the key ring was replaced. Such an event is about no
	// session.
	Ring bool
}

// concerns reports whether the event is about a session of a user.
func (e *Event) concerns(user UserID, session SessionID) bool {
	return e.User == "" || e.User == user && (e.Session == "" || e.Session == session)
}

// eventLog numbers events. Whoever holds something that was read from the store
// remembers the number up to which it has been compared; as long as the head has
// not moved on, one atomic load proves that it still holds. This one mechanism
// also drops a cache fill that began before a revocation, and catches an entry
// that was evicted while a request was holding it.
type eventLog struct {
	head atomic.Uint64

	mu   sync.RWMutex
	ring [4096]Event
}

// append adds an event and returns when every later look at the head sees it.
func (l *eventLog) append(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.head.Load() + 1
	l.ring[n%uint64(len(l.ring))] = e
	l.head.Store(n)
}

// since looks for an event after number seen that concerns the session. It
// returns the number up to which there is none, or ok false if there is one or
// the log no longer reaches back that far.
func (l *eventLog) since(seen uint64, user UserID, session SessionID) (upTo uint64, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	head := l.head.Load()
	if head-seen >= uint64(len(l.ring)) {
		return 0, false
	}
	for n := seen + 1; n <= head; n++ {
		if l.ring[n%uint64(len(l.ring))].concerns(user, session) {
			return 0, false
		}
	}
	return head, true
}
