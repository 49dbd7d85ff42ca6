package gamesparks

import (
	"context"
	"time"
)

// maxPings is how many pings wait for their pong at a time. Each is a goroutine,
// and ten thousand games may fall silent at once.
const maxPings = 256

// pingTime is how long a ping waits. The pong counts whenever it comes: it is a
// byte like any other.
const pingTime = time.Second

// sweepUntil looks for silent connections until stop is closed. One goroutine for
// all of them is less than a timer for each.
func (ss *Sockets) sweepUntil(stop <-chan struct{}) {
	tick := time.NewTicker(ss.times.sweep)
	defer tick.Stop()
	pings := make(chan struct{}, maxPings)
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for _, s := range ss.silent() {
			select {
			case <-stop:
				return
			case pings <- struct{}{}:
			}
			go func() {
				defer func() { <-pings }()
				ctx, cancel := context.WithTimeout(context.Background(), pingTime)
				defer cancel()
				_ = s.conn.Ping(ctx) // what comes back, if anything, is noticed elsewhere
			}()
		}
	}
}

// silent ends the connections that have been silent for too long and returns
// those that should be pinged.
func (ss *Sockets) silent() (ping []*socket) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	now := time.Now()
	for s := range ss.all {
		switch silence := s.wire.silence(now); {
		case silence >= ss.times.silence:
			// Whoever reads from it cleans up. Under TLS, closing waits for the peer.
			go s.wire.Close()
		case silence >= ss.times.ping && now.Sub(s.pinged) >= ss.times.ping:
			s.pinged = now
			ping = append(ping, s)
		}
	}
	return ping
}
