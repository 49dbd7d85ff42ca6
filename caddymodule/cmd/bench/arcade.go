package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// arcade is a Caddy that games connect to.
type arcade struct {
	*server
	host    string      // in requests
	trusted *tls.Config // nil if it is plain
}

func newArcade(s *server, own *certificate) *arcade {
	a := &arcade{server: s, host: s.login}
	if own != nil {
		_, port, _ := net.SplitHostPort(s.login)
		a.host, a.trusted = net.JoinHostPort(own.host, port), own.trusted
	}
	return a
}

const openSockets = "qqauth_websockets"

// empty reports whether no game is connected.
func (a *arcade) empty() (bool, error) {
	n, err := a.metric(openSockets)
	return n == 0, err
}

// crowd is games that are signed in.
type crowd struct {
	leave func() // may be called again

	mu    sync.Mutex
	games []socket
}

const (
	gamesAtOnce = 64
	// alive is how often SDKs send a space. A server that hears nothing for longer
	// asks.
	alive = 30 * time.Second
)

// gather connects n games, each on a device of its own.
func (a *arcade) gather(ctx context.Context, n int) (*crowd, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	c := &crowd{}
	done := make(chan struct{})
	var keeping, workers sync.WaitGroup
	keeping.Go(func() { c.keepAlive(done) })
	c.leave = sync.OnceFunc(func() {
		close(done)
		for _, game := range c.games {
			_ = game.Close() // it has nothing to lose
		}
		keeping.Wait()
	})
	var next atomic.Int64
	for range gamesAtOnce {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				if err := c.join(a, fmt.Sprintf("device-%06d", i)); err != nil {
					cancel(fmt.Errorf("game %d: %w", i, err))
				}
			}
		})
	}
	workers.Wait()
	err := context.Cause(ctx)
	cancel(nil)
	if err != nil {
		c.leave()
	}
	return c, err
}

// join connects one game and signs it in.
func (c *crowd) join(a *arcade, device string) error {
	made, err := dialGame(a.login, a.trusted)
	if err != nil {
		return err
	}
	_ = made.SetDeadline(time.Now().Add(patience)) // fails on a closed connection only
	game, err := upgrade(made, a.host, "/ws/"+gameCredential+"/"+gameKey)
	if err == nil {
		err = game.signIn(device)
	}
	_ = made.SetDeadline(time.Time{})
	if err != nil {
		_ = made.Close()
		return err
	}
	c.mu.Lock()
	c.games = append(c.games, game)
	c.mu.Unlock()
	return nil
}

// keepAlive has every game send what SDKs send while nobody plays.
func (c *crowd) keepAlive(done <-chan struct{}) {
	tick := time.NewTicker(alive)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		c.mu.Lock()
		games := c.games
		c.mu.Unlock()
		for _, game := range games {
			_ = game.send(" ") // whoever is gone is missed when they are counted
		}
	}
}
