package authcore

import (
	"context"
	"sync/atomic"
	"time"
)

// firstPace is what a sending is taken to last before there was one.
const firstPace = 200 * time.Millisecond

// pace remembers how the last sending went, so that what is not sent can look the
// same.
type pace struct {
	took   atomic.Int64 // 0 before the first
	failed atomic.Bool
}

func (p *pace) note(took time.Duration, err error) {
	p.took.Store(int64(max(took, 1)))
	p.failed.Store(err != nil)
}

// feign lets as much time pass as a sending takes, and where that must not be told
// apart fails as the last one did.
func (p *pace) feign(ctx context.Context, alike bool) error {
	took := time.Duration(p.took.Load())
	if took == 0 {
		took = firstPace
	}
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	if alike && p.failed.Load() {
		return ErrSend
	}
	return nil
}

// pace is the pace of one way.
func (n *Node) pace(way Way) *pace {
	if way == WayEmail {
		return &n.mailing
	}
	return &n.texting
}
