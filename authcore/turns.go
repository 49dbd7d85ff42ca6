package authcore

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// turns lets so many of each address go on at a time, on this node. The others wait
// for their turn, and no address waits for another.
type turns struct {
	mu sync.Mutex
	of map[netip.Addr]*turn
}

// turn is what those of one address share.
type turn struct {
	slots chan struct{}
	crowd int // who goes on or waits
}

// enter waits for a turn, at most for so long. Whoever gets one must leave, once. ok
// is false if it does not come, or if too many wait already.
func (t *turns) enter(ctx context.Context, addr netip.Addr, most, mostWaiting int, within time.Duration) (leave func(), ok bool) {
	own := t.join(addr, most, mostWaiting)
	if own == nil {
		return nil, false
	}
	if !own.wait(ctx, within) {
		t.part(addr, own)
		return nil, false
	}
	return func() {
		<-own.slots
		t.part(addr, own)
	}, true
}

// wait reports whether there was room in time.
func (t *turn) wait(ctx context.Context, within time.Duration) bool {
	select {
	case t.slots <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case t.slots <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (t *turns) join(addr netip.Addr, most, mostWaiting int) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.of[addr]
	if own == nil {
		own = &turn{slots: make(chan struct{}, most)}
		if t.of == nil {
			t.of = make(map[netip.Addr]*turn)
		}
		t.of[addr] = own
	}
	if own.crowd >= most+mostWaiting {
		return nil
	}
	own.crowd++
	return own
}

func (t *turns) part(addr netip.Addr, own *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.crowd--; own.crowd == 0 {
		delete(t.of, addr)
	}
}
