package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// weather is what clients met while a server was reloaded.
type weather struct {
	requests int
	failed   int // answers of 500 and above
	refused  int // other answers than 200: a session that was lost
	resets   int // connections that broke, idle ones included
	reloads  int
}

func (w weather) String() string {
	return fmt.Sprintf("%d answers ≥ 500, %d sessions lost, %d connections reset in %s requests and %d reloads of %d connections",
		w.failed, w.refused, w.resets, count(float64(w.requests)), w.reloads, guardConns)
}

// calmerThan reports whether fewer connections broke than in another weather, or
// about as many. A reload breaks those that are between two requests; less than
// one a reload is chance.
func (w weather) calmerThan(other weather) bool {
	return w.resets*other.reloads < other.resets*w.reloads+w.reloads*other.reloads
}

// reloadRow reloads the guarded and the bare Caddy every second under load.
func reloadRow(b *bench) ([]result, error) {
	s, err := b.makeStore(b.badger("few"), 100)
	if err != nil {
		return nil, err
	}
	ours, err := (guarded{store: s}).start(b)
	if err != nil {
		return nil, err
	}
	defer ours.discard()
	bare, err := b.startBare()
	if err != nil {
		return nil, err
	}
	defer bare.discard()
	var sums [2]weather
	const turns = 4
	for range turns {
		for i, server := range []*server{bare, ours} {
			met, err := b.weatherAt(server, s.tokens, b.span/turns)
			if err != nil {
				return nil, err
			}
			sums[i].add(met)
		}
	}
	return []result{{
		what:     "reload every second under load",
		goal:     "no answer ≥ 500, no lost session, no more reset connections than without the module",
		measured: fmt.Sprintf("%s; without the module: %s", sums[1], sums[0]),
		met:      whether(sums[1].failed == 0 && sums[1].refused == 0 && sums[1].calmerThan(sums[0])),
	}}, nil
}

func (w *weather) add(other weather) {
	w.requests += other.requests
	w.failed += other.failed
	w.refused += other.refused
	w.resets += other.resets
	w.reloads += other.reloads
}

// weatherAt loads a server for a time and reloads it every second.
func (b *bench) weatherAt(s *server, tokens []string, span time.Duration) (sum weather, err error) {
	end := time.Now().Add(span)
	var workers sync.WaitGroup
	met := make([]weather, guardConns)
	for i := range met {
		workers.Go(func() { met[i] = s.weather(tokens[i%len(tokens)], end) })
	}
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for err == nil && time.Now().Before(end) {
		err = s.reload()
		sum.reloads++
		select {
		case <-b.ctx.Done():
			err = errors.Join(err, b.ctx.Err())
		case <-every.C:
		}
	}
	workers.Wait()
	for _, w := range met {
		sum.add(w)
	}
	return sum, err
}

// weather makes requests, one after the other, until a time.
func (s *server) weather(token string, end time.Time) (w weather) {
	request := guardedRequest(nil, s.app, "/", token)
	var c *conn
	for time.Now().Before(end) {
		w.requests++
		if c == nil {
			var err error
			if c, err = dial(s.app); err != nil {
				w.resets++
				continue
			}
		}
		status, _, err := c.roundTrip(request)
		switch {
		case err != nil:
			w.resets++
			_ = c.Close() // broken
			c = nil
		case status >= 500:
			w.failed++
		case status != 200:
			w.refused++
		}
	}
	if c != nil {
		_ = c.Close() // idle
	}
	return w
}

// reload makes the server take its configuration anew.
func (s *server) reload() error {
	_, err := askAt(s.admin, post(nil, s.admin, "/load",
		"Content-Type: text/caddyfile\r\nCache-Control: must-revalidate\r\n", s.config))
	return err
}
