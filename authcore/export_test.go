package authcore

import "time"

// What tests outside of the package need from inside of it.

// KindSession is the kind that session tokens are made as.
const KindSession = kindSession

// EventLogSize is how many events the node remembers.
const EventLogSize = len(eventLog{}.ring)

// Beat is what the node does every few seconds.
func (n *Node) Beat() {
	n.beat()
	n.noteLive(n.now())
}

// Rotate is what the node does every hour.
func (n *Node) Rotate() { n.rotate() }

// Evict drops what the node caches, as the pressure of other sessions would.
func (n *Node) Evict() { n.cache.InvalidateAll() }

// Apply takes events to the node, as a store that holds them would.
func (n *Node) Apply(events ...Event) { n.apply(events) }

// HashToken is what the store knows a token by.
func HashToken(s string) TokenHash { return hashToken(s) }

// HandleOf is what the store knows a phone or an e-mail address by.
func (s *Service) HandleOf(c Contact) HandleHash { return s.handle(c) }

// TakeQuota counts an attempt under one limit that is counted in the store, or
// answers that there is no room for it.
func TakeQuota(tx Tx, now time.Time, most int, window time.Duration) error {
	q := quotas{{most: most, window: window}}
	counters, _, verdict, err := q.read(tx, now)
	if err == nil && verdict == nil {
		q.count(tx, counters, now)
	}
	if err == nil {
		err = verdict
	}
	return err
}

// RetryAfterExactly is RetryAfter before it is rounded up.
func RetryAfterExactly(err error) time.Duration { return err.(retryLater).after }
