package qq

import (
	"context"
	"errors"
	"sync/atomic"
)

const (
	// maxInFlight is how many calls one application makes at a time: a slow QQ
	// must not collect our sockets and memory.
	maxInFlight = 64
	// maxWaiting is how many more may wait. Whoever comes after them would
	// time out anyway, and is told so at once.
	maxWaiting = 1024
)

// errCrowded says that maxWaiting calls wait already.
var errCrowded = errors.New("qq: too many calls wait")

// gate admits calls.
type gate struct {
	slots   chan struct{}
	waiting *atomic.Int64
}

func newGate() gate {
	return gate{slots: make(chan struct{}, maxInFlight), waiting: new(atomic.Int64)}
}

// enter takes a slot, waiting for one until ctx ends. Whoever it admits must
// leave.
func (g gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > maxWaiting {
		return errCrowded
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g gate) leave() { <-g.slots }
