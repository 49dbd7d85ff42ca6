package gamesparks

import (
	"net/netip"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	// maxUnfinished bounds in bytes what the messages of all connections and the
	// bodies of all requests take while they come in and until they are answered,
	maxUnfinished = 64 << 20
	// and maxUnfinishedOfOne what those from one place take of it: nobody sends
	// slowly enough to silence all others.
	maxUnfinishedOfOne = maxUnfinished / 2
)

// times are how long things may take.
type times struct {
	handshake time.Duration // from the first byte of ours to a game's answer
	whole     time.Duration // from a message's first byte to its last
	work      time.Duration // for the core to decide; more than its calls to QQ take
	taken     time.Duration // for a game to take an answer
	closing   time.Duration // for a game to agree to a close
	farewell  time.Duration // for all of them when the server stops
	ping      time.Duration // of silence until a ping
	silence   time.Duration // of silence until the end
	sweep     time.Duration // from one look for silence to the next
}

var usual = times{
	handshake: 5 * time.Second,
	whole:     30 * time.Second,
	work:      30 * time.Second,
	taken:     10 * time.Second,
	closing:   5 * time.Second,
	farewell:  3 * time.Second,
	ping:      60 * time.Second,
	silence:   150 * time.Second,
	sweep:     5 * time.Second,
}

// Sockets holds the WebSockets of a process, over every configuration that it
// has one after another. It is safe for concurrent use.
type Sockets struct {
	times  times
	budget budget

	mu      sync.Mutex
	all     map[*socket]struct{}
	stop    chan struct{} // ends the sweeping; nil while nothing sweeps
	current func() *Handler
	reviews uint64
	emptied chan struct{} // closed when the last one has gone; nil if nobody waits
}

// NewSockets returns an empty Sockets.
func NewSockets() *Sockets {
	ss := &Sockets{times: usual, all: make(map[*socket]struct{})}
	ss.budget.left, ss.budget.ofOne, ss.budget.taken = maxUnfinished, maxUnfinishedOfOne, make(map[netip.Addr]int)
	return ss
}

// Count is how many there are.
func (ss *Sockets) Count() int {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return len(ss.all)
}

// Review is called when a configuration was replaced: each connection goes on
// under current's Handler if that has the very gate it came in by, and is closed
// otherwise. A nil Handler means that the server stops: every connection is told
// to come back, and Review waits for a little until they have gone.
//
// current is called again, concurrently, for connections that a replaced Handler
// still lets in; it must not call back into the Sockets.
func (ss *Sockets) Review(current func() *Handler) {
	h := current()
	ss.mu.Lock()
	ss.current = current
	ss.reviews++
	review, all := ss.reviews, make([]*socket, 0, len(ss.all))
	for s := range ss.all {
		all = append(all, s)
	}
	ss.mu.Unlock()
	for _, s := range all {
		s.review(h, review)
	}
	if h == nil {
		ss.waitEmpty()
	}
}

func (ss *Sockets) waitEmpty() {
	ss.mu.Lock()
	if len(ss.all) == 0 {
		ss.mu.Unlock()
		return
	}
	if ss.emptied == nil {
		ss.emptied = make(chan struct{})
	}
	emptied := ss.emptied
	ss.mu.Unlock()
	timer := time.NewTimer(ss.times.farewell)
	defer timer.Stop()
	select {
	case <-emptied:
	case <-timer.C:
	}
}

// add takes a new connection in.
func (ss *Sockets) add(s *socket) {
	ss.mu.Lock()
	ss.all[s] = struct{}{}
	if ss.stop == nil {
		ss.stop = make(chan struct{})
		go ss.sweepUntil(ss.stop)
	}
	current, review := ss.current, ss.reviews
	ss.mu.Unlock()
	if current != nil {
		s.review(current(), review)
	}
}

func (ss *Sockets) remove(s *socket) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.all, s)
	if len(ss.all) > 0 {
		return
	}
	if ss.stop != nil {
		close(ss.stop)
		ss.stop = nil
	}
	if ss.emptied != nil {
		close(ss.emptied)
		ss.emptied = nil
	}
}

// budget is memory that many share.
type budget struct {
	mu    sync.Mutex
	left  int
	ofOne int                // what one place may have
	taken map[netip.Addr]int // by whom
}

// take reports whether there were n bytes left for a place.
func (b *budget) take(n int, site netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.left || n > b.ofOne-b.taken[site] {
		return false
	}
	b.left -= n
	b.taken[site] += n
	return true
}

func (b *budget) give(n int, site netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += n
	if b.taken[site] -= n; b.taken[site] == 0 {
		delete(b.taken, site)
	}
}

// farewell is how a connection ends: a message before the close, if there is one,
// and the close's code.
type farewell struct {
	message any
	code    websocket.StatusCode
}
