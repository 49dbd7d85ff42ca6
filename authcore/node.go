package authcore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/qqauth/qqauth/authcore/slider"
	"github.com/qqauth/qqauth/authcore/token"
)

const (
	// pulse is how often a node proves that its store answers and ends the live
	// requests of sessions that have expired, or can no longer be known to live.
	// It bounds the node's own calls to the store, too.
	pulse = 5 * time.Second
	// pollEvery is how often a node asks a shared store what other nodes
	// announced. A revocation is known everywhere within 1 s.
	pollEvery = 250 * time.Millisecond
)

// lookEvery is how often a node notes that sessions with requests in flight are in
// use: several times in the shortest time that they may go unused, 1 s.
const lookEvery = 250 * time.Millisecond

// rotateEvery is how often a node looks whether a key of the ring is due.
const rotateEvery = time.Hour

// Node is one process's hold on one store: all that outlives a configuration.
// It caches sessions, knows the requests in flight, and takes every event to
// both.
type Node struct {
	store Store
	feed  Feed // nil if no other node shares the store
	keys  *token.Keys
	now   func() time.Time
	began time.Time // by now; what is compared are ages since

	cache    *sessionCache
	filling  fillLocks
	events   eventLog
	live     *liveRequests
	refused  *addressLimit
	puzzled  *addressLimit
	unsent   *memoryCounters
	arrivals *memoryCounters
	hashes   *hashGate
	lobby    crowd               // connections without a player
	proving  turns               // logins that QQ is asked about
	puzzles  func() *slider.Pool // drawn from the first use on
	drawn    atomic.Bool
	texting  pace
	mailing  pace
	stopped  atomic.Int64 // when it was last said that no codes are sent, Unix seconds
	idles    atomic.Bool  // some session has ended, or will, if nobody uses it
	heard    atomic.Int64 // the node's age when it last heard from the store

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
		cache: newSessionCache(), live: newLiveRequests(), refused: newAddressLimit(), puzzled: newAddressLimit(), unsent: newMemoryCounters(),
		arrivals: newMemoryCounters(), hashes: newHashGate(),
		onFault: cfg.OnFault,
	}
	if n.now == nil {
		n.now = time.Now
	}
	if n.onFault == nil {
		n.onFault = func(error) {}
	}
	n.began = n.now()
	n.puzzles = sync.OnceValue(func() *slider.Pool {
		n.drawn.Store(true)
		return slider.New()
	})
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.feed, _ = cfg.Store.(Feed)
	n.background.Go(n.run)
	if n.feed != nil {
		n.background.Go(n.listen)
	}
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
	n.puzzled.close()
	n.unsent.close()
	n.arrivals.close()
	if n.drawn.Load() {
		n.puzzles().Close()
	}
	return err
}

func (n *Node) run() {
	beat, look, rotate, sweep := time.NewTicker(pulse), time.NewTicker(lookEvery), time.NewTicker(rotateEvery), time.NewTicker(sweepEvery)
	defer beat.Stop()
	defer look.Stop()
	defer rotate.Stop()
	defer sweep.Stop()
	n.rotate()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-beat.C:
			n.beat()
		case <-look.C:
			n.noteLive(n.now())
		case <-rotate.C:
			n.rotate()
		case <-sweep.C:
			n.inBackground(n.sweep) // may take long, and the heart must beat
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
	if n.feed != nil && n.silent(now) {
		n.live.endAll() // what was revoked meanwhile is not known
	}
	ctx, cancel := context.WithTimeout(n.ctx, pulse)
	defer cancel()
	if err := n.store.Ping(ctx); err == nil {
		n.answered(now)
	}
}

// listen asks a shared store what the other nodes announce. Where that is not
// heard, no answer of the store counts as hearing from it: it may answer all
// reads and still say nothing of what has been revoked.
func (n *Node) listen() {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		began := n.now()
		events, complete, err := n.feed.Poll(n.ctx)
		if err == nil {
			if !complete { // about everybody, and the keys
				events = append(events, Event{}, Event{Ring: true})
			}
			n.apply(events)
			n.hear(began)
		}
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// answered notes that the store answered a read that began at began.
func (n *Node) answered(began time.Time) {
	if n.feed == nil {
		n.hear(began)
	}
}

// hear notes that what others revoked before began is known here.
func (n *Node) hear(began time.Time) {
	at := int64(n.age(began))
	for {
		last := n.heard.Load()
		if at <= last || n.heard.CompareAndSwap(last, at) {
			return
		}
	}
}

// FeedAge is how long ago the node last heard from its store: from the other
// nodes through it, if it is shared, else that it answers.
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
		if e.Ring {
			n.inBackground(n.adopt)
			continue
		}
		n.events.append(e)
		// An event about all sessions of a user may be heard late, and is not
		// about those made since.
		if passes := n.live.concerned(e); e.Ended && e.Session != "" {
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

// adopt puts the ring in force that the store holds, perhaps another node's.
func (n *Node) adopt() {
	ctx, cancel := context.WithTimeout(n.ctx, pulse)
	defer cancel()
	ring, err := n.storedRing(ctx)
	if err == nil {
		err = n.keys.Adopt(ring)
	}
	if err != nil && n.ctx.Err() == nil {
		n.onFault(fmt.Errorf("adopt the key ring of another node: %w", err))
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

// update is the store's Update for a decision, with the events that follow from
// it. They are announced in the same transaction and applied here when it is
// durable, so it goes on when the caller hangs up.
func (n *Node) update(ctx context.Context, decide func(Tx) ([]Event, error)) error {
	var events []Event
	err := n.store.Update(context.WithoutCancel(ctx), func(tx Tx) (err error) {
		events, err = decide(tx)
		if err == nil && len(events) > 0 {
			tx.Announce(events...)
		}
		return err
	})
	if err == nil {
		n.apply(events)
	} else if errors.Is(err, ErrUnavailable) {
		n.apply(doubtful(events))
	}
	return err
}

// doubtful is what is known after an update of which the store could not say
// whether it holds: that things are to be read again.
func doubtful(events []Event) []Event {
	events = slices.Clone(events)
	for i := range events {
		events[i].Ended = false
	}
	return events
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
			tx.Announce(Event{Ring: true})
			return nil
		})
		if !errors.Is(err, errRingMoved) {
			return made, err
		}
	}
}
