package authcore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

// pulse is how often a node proves that its store answers and ends the live
// requests of sessions that have expired.
const pulse = 5 * time.Second

// rotateEvery is how often a node looks whether a key of the ring is due.
const rotateEvery = time.Hour

// Node is one process's hold on one store: all that outlives a configuration.
// It caches sessions, knows the requests in flight, and takes every event to
// both.
type Node struct {
	store Store
	keys  *token.Keys
	now   func() time.Time
	began time.Time // by now; what is compared are ages since

	cache   *sessionCache
	filling fillLocks
	events  eventLog
	live    *liveRequests
	refused *addressLimit
	heard   atomic.Int64 // the node's age when the store was last known to answer

	ctx        context.Context // ends with the node
	stop       context.CancelFunc
	closing    sync.RWMutex // held by Close while it ends ctx
	background sync.WaitGroup
	onFault    func(error)
	calls      atomic.Int64  // begun and not ended
	numbers    atomic.Uint64 // given to configurations and guards
}

// NodeConfig makes a Node.
type NodeConfig struct {
	Store Store // the node closes it
	Keys  *token.Keys
	// Now tells the time; time.Now if nil.
	Now func() time.Time
	// OnFault is told of faults that no caller sees, such as a key that could
	// not be rotated. It must not block. May be nil.
	OnFault func(error)
}

// NewNode starts a node on an open store whose ring the keys have unlocked.
func NewNode(cfg NodeConfig) *Node {
	n := &Node{
		store: cfg.Store, keys: cfg.Keys, now: cfg.Now,
		cache: newSessionCache(), live: newLiveRequests(), refused: newAddressLimit(),
		onFault: cfg.OnFault,
	}
	if n.now == nil {
		n.now = time.Now
	}
	if n.onFault == nil {
		n.onFault = func(error) {}
	}
	n.began = n.now()
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.background.Go(n.run)
	return n
}

// Begin notes a call that needs the store; the caller ends it by what Begin
// returns.
func (n *Node) Begin() (end func()) {
	n.calls.Add(1)
	return func() { n.calls.Add(-1) }
}

// Drain waits until every call that was begun has ended, at most for the given
// time. It is for a node that gets no new calls.
func (n *Node) Drain(within time.Duration) {
	poll, giveUp := time.NewTicker(5*time.Millisecond), time.NewTimer(within)
	defer poll.Stop()
	defer giveUp.Stop()
	for n.calls.Load() > 0 {
		select {
		case <-poll.C:
		case <-giveUp.C:
			return
		}
	}
}

// Close ends the node's own work, cancels what its guards let through and closes
// the store.
func (n *Node) Close() error {
	n.closing.Lock()
	n.stop()
	n.closing.Unlock()
	n.background.Wait()
	n.live.endAll()
	err := n.store.Close()
	n.cache.InvalidateAll()
	n.cache.StopAllGoroutines()
	n.refused.close()
	return err
}

func (n *Node) run() {
	beat, rotate := time.NewTicker(pulse), time.NewTicker(rotateEvery)
	defer beat.Stop()
	defer rotate.Stop()
	n.rotate()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-beat.C:
			n.beat()
		case <-rotate.C:
			n.rotate()
		}
	}
}

// inBackground runs f beside the caller's work, unless the node is closing.
func (n *Node) inBackground(f func()) {
	n.closing.RLock()
	defer n.closing.RUnlock()
	if n.ctx.Err() == nil {
		n.background.Go(f)
	}
}

func (n *Node) beat() {
	now := n.now()
	n.live.expire(now)
	ctx, cancel := context.WithTimeout(n.ctx, pulse)
	defer cancel()
	if err := n.store.Ping(ctx); err == nil {
		n.hear(now)
	}
}

// hear notes that a read that began at began was answered.
func (n *Node) hear(began time.Time) {
	at := int64(n.age(began))
	for {
		last := n.heard.Load()
		if at <= last || n.heard.CompareAndSwap(last, at) {
			return
		}
	}
}

// FeedAge is how long ago the store is known to have answered.
func (n *Node) FeedAge() time.Duration {
	return n.age(n.now()) - time.Duration(n.heard.Load())
}

// LiveRequests is the number of guarded requests in flight.
func (n *Node) LiveRequests() int { return n.live.count() }

// CachedSessions is the number of sessions in the cache.
func (n *Node) CachedSessions() int { return n.cache.EstimatedSize() }

// Store is the node's store, for health and metrics.
func (n *Node) Store() Store { return n.store }

// apply takes events that the store holds to the cache and to the requests in
// flight. When it returns, no request that begins gets in on what was.
func (n *Node) apply(events []Event) {
	for _, e := range events {
		n.events.append(e)
		if passes := n.live.concerned(e); e.Ended {
			end(passes)
		} else {
			n.judgeAgain(passes)
		}
	}
}

// rotate writes and adopts a new ring if a key is due.
func (n *Node) rotate() {
	ctx, cancel := context.WithTimeout(n.ctx, pulse)
	defer cancel()
	ring, err := n.replaceRing(ctx, n.keys.Rotate)
	if err == nil {
		err = n.keys.Adopt(ring)
	}
	if err != nil && n.ctx.Err() == nil {
		n.onFault(fmt.Errorf("rotate keys: %w", err))
	}
}

// Rekey takes the secret_key and the algorithm of a new configuration. A ring
// that the new secret does not open is ErrWrongSecret, and nothing changes.
func (n *Node) Rekey(ctx context.Context, cfg token.Config) error {
	ring, err := n.replaceRing(ctx, func(wrapped []byte) ([]byte, error) { return token.Prepare(cfg, wrapped) })
	if err == nil {
		err = n.keys.Reconfigure(cfg, ring)
	}
	if err != nil {
		return fmt.Errorf("take over the key ring: %w", err)
	}
	return nil
}

// CheckKeys tells whether Rekey would succeed, and changes nothing.
func (n *Node) CheckKeys(ctx context.Context, cfg token.Config) error {
	ring, err := n.storedRing(ctx)
	if err == nil {
		_, err = token.Prepare(cfg, ring)
	}
	return err
}

// storedRing reads the wrapped key ring.
func (n *Node) storedRing(ctx context.Context) (ring []byte, err error) {
	err = n.store.View(ctx, func(tx Tx) (err error) {
		ring, err = tx.Ring()
		return err
	})
	return ring, err
}

// errRingMoved says that another wrote the ring in the meantime.
var errRingMoved = errors.New("ring has moved")

// update is the store's Update for a decision whose events must not be lost: it
// goes on when the caller hangs up.
func (n *Node) update(ctx context.Context, fn func(Tx) error) error {
	return n.store.Update(context.WithoutCancel(ctx), fn)
}

// replaceRing writes what next makes of the stored ring, nil if that one stays,
// and returns the ring that the store holds then. Making a key takes long, so
// next runs outside any transaction.
func (n *Node) replaceRing(ctx context.Context, next func(wrapped []byte) ([]byte, error)) ([]byte, error) {
	for {
		stored, err := n.storedRing(ctx)
		if err != nil {
			return nil, err
		}
		made, err := next(stored)
		if err != nil || made == nil {
			return stored, err
		}
		err = n.store.Update(ctx, func(tx Tx) error {
			now, err := tx.Ring()
			if err != nil {
				return err
			}
			if !bytes.Equal(now, stored) {
				return errRingMoved
			}
			tx.PutRing(made)
			return nil
		})
		if !errors.Is(err, errRingMoved) {
			return made, err
		}
	}
}
