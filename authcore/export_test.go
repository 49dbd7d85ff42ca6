package authcore

import (
	"context"
	"encoding/base64"
	"fmt"
	"sync/atomic"
	"time"
)

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

// DecideLink is the linking decision. The action is one of the test table's words.
func DecideLink(current, owner UserID, otherQQ bool, f LinkFlags) (action string, refused Refusal, summary bool) {
	d := decideLink(linkCase{current: current, owner: owner, otherQQ: otherQQ}, f)
	return string(d.action), d.refused, d.summary
}

// SweepGuests is what the node does every hour.
func (n *Node) SweepGuests(ctx context.Context) error { return n.sweepGuests(ctx) }

// DeviceHandle is what the store knows a device by.
func (s *Service) DeviceHandle(d Device) HandleHash { return deviceHandle(s.node.keys.Ring(), &d) }

// UserNameHandle is what the store knows a user name by.
func (s *Service) UserNameHandle(name string) HandleHash {
	return userNameHandle(s.node.keys.Ring(), name)
}

// What tests of names and passwords need.
var (
	FoldName        = foldName
	CheckUserName   = checkUserName
	CheckPassword   = checkPassword
	HashPassword    = hashPassword
	VerifyPassword  = verifyPassword
	NobodysPassword = nobodysPassword
)

// CheapPassword is a hash that costs little to verify.
func CheapPassword(password string) string {
	salt := make([]byte, argonSalt)
	return fmt.Sprintf(argonForm, 8, 1, 1, base64.RawStdEncoding.EncodeToString(salt),
		base64.RawStdEncoding.EncodeToString(argon(password, salt, 1, 8, 1)))
}

// CountHashes counts the passwords that are hashed, which must be one after another.
// It must come before the first.
func (n *Node) CountHashes() *atomic.Int64 {
	count, turns := new(atomic.Int64), make(chan struct{})
	n.hashes.slots = turns
	n.background.Go(func() {
		for {
			select {
			case <-turns:
				count.Add(1)
			case <-n.ctx.Done():
				return
			}
			turns <- struct{}{}
		}
	})
	return count
}

// HoldHashes keeps everybody who hashes a password waiting until release is called.
// held is how many can do so at a time.
func (n *Node) HoldHashes() (held int, release func()) {
	for range cap(n.hashes.slots) {
		n.hashes.slots <- struct{}{}
	}
	return cap(n.hashes.slots), func() {
		for range cap(n.hashes.slots) {
			<-n.hashes.slots
		}
	}
}

// Hashing is how many passwords are hashed or wait to be.
func (n *Node) Hashing() int { return n.hashes.turns.count() }

// Lobby is how many addresses have a connection without a player.
func (n *Node) Lobby() int {
	n.lobby.mu.Lock()
	defer n.lobby.mu.Unlock()
	return len(n.lobby.from)
}

// Proving is how many logins QQ is asked about, or will be.
func (n *Node) Proving() int { return n.proving.count() }

func (t *turns) count() (all int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, own := range t.of {
		all += own.crowd
	}
	return all
}
