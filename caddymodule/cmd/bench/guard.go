package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
)

// guardConns is below the connections that reverse_proxy keeps idle to an
// upstream, 32, so that none is opened again and again.
const guardConns = 16

// race is a guarded site beside a bare one in the same Caddy. In a process of its
// own the bare one would do worse than it is: with next to nothing on its heap it
// collects garbage several times as often.
type race struct {
	*server
	toGuard, toBare *client
}

// newRace starts both sites over one store.
func (b *bench) newRace(s *store) (*race, error) {
	first, err := (guarded{store: s}).start(b)
	if err != nil {
		return nil, err
	}
	assertion, err := askAt(first.app, guardedRequest(nil, first.app, assertionPath, s.tokens[0]))
	if err := errors.Join(err, first.stop()); err != nil {
		return nil, err
	}
	r := &race{}
	// An assertion that has had its time: only the length counts.
	if r.server, err = (guarded{store: s, static: string(assertion)}).start(b); err != nil {
		return nil, err
	}
	r.toGuard, err = newClient(r.app, guardConns)
	if err == nil {
		r.toBare, err = newClient(r.bare, guardConns)
	}
	if err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *race) discard() {
	r.toGuard.close()
	r.toBare.close()
	r.server.discard()
}

// sides are both sites asked with the sessions that pick chooses for the i-th
// request.
func (r *race) sides(n int, pick func(i int) (token string)) (bare, guard side) {
	return r.requests(r.bare, r.toBare, n, pick), r.requests(r.app, r.toGuard, n, pick)
}

// requests are rounds of n requests at one of a server's sites.
func (s *server) requests(addr string, c *client, n int, pick func(i int) (token string)) side {
	return side{pid: s.pid(), n: n, round: func(n int) error {
		return c.drive(n, func(c *conn, i int) error {
			_, err := c.demand(guardedRequest(c.out[:0], addr, "/", pick(i)))
			return err
		})
	}}
}

// roundSize is the number of requests in a round: long enough to be timed, short
// enough for many pairs.
func (b *bench) roundSize(full int) int {
	if b.quick {
		return full / 10
	}
	return full
}

// guardRow is a request with a session in the cache.
func guardRow(b *bench) ([]result, error) {
	s, err := b.makeStore(b.badger("few"), 100)
	if err != nil {
		return nil, err
	}
	r, err := b.newRace(s)
	if err != nil {
		return nil, err
	}
	defer r.discard()
	bare, guard := r.sides(b.roundSize(5000), func(i int) string { return s.tokens[i%len(s.tokens)] })
	c, err := b.compare(bare, guard)
	if err != nil {
		return nil, err
	}
	return []result{c.asResult("guarded request, session in cache: CPU by bare `reverse_proxy` with a static header of the same length", 1.03)}, nil
}

// asResult is a comparison of CPU time with a goal that it must not exceed.
func (c comparison) asResult(what string, goal float64) result {
	cpu := c.cpu()
	return result{
		what: what, goal: fmt.Sprintf("≤ %.2f", goal),
		measured: fmt.Sprintf("%s; %s against %s a request, %s against %s requests/s",
			cpu, micros(cpuOf(c.ours)), micros(cpuOf(c.base)), count(rateOf(c.ours)), count(rateOf(c.base))),
		met: within(goal, cpu.low, cpu.high),
	}
}

const (
	// sessionsInUse are few enough for the cache, which the rest would not fit
	// in.
	sessionsInUse = 100_000
	// sitting is how many requests a user makes in a row.
	sitting = 20
)

// sessionsRow is the same over many sessions: a part of them in use, then each
// of the others once, and what memory that takes.
//
// How often a session is used matters, because it is read anew every 30 s. Drawn
// with equal chances, each of so many is used less often than that on a small
// machine, and every request pays for a reading; in sittings one in many does.
func sessionsRow(b *bench) ([]result, error) {
	s, err := b.makeStore(b.badger("many"), b.sessions)
	if err != nil {
		return nil, err
	}
	r, err := b.newRace(s)
	if err != nil {
		return nil, err
	}
	defer r.discard()
	cut := min(sessionsInUse, len(s.tokens)/3)
	used, others := s.tokens[:cut], s.tokens[cut:]
	_, fill := r.sides(len(used), func(i int) string { return used[i%len(used)] })
	if err := fill.round(fill.n); err != nil {
		return nil, err
	}
	var table []result
	name := fmt.Sprintf("guarded request, %s sessions stored, %s in use, ", count(float64(len(s.tokens))), count(float64(cut)))
	for _, pattern := range []struct {
		name string
		goal float64
		pick func(i int) string
	}{
		{name + fmt.Sprintf("in sittings of %d requests", sitting), 1.05, func(i int) string { return used[spread(i/sitting, len(used))] }},
		{name + "all equally often", 1.05, func(int) string { return used[rand.IntN(len(used))] }},
		{"guarded request, every one a cache miss", 1.5, func(i int) string { return others[i%len(others)] }},
	} {
		// Garbage is collected once in ten thousand requests, so rounds are long.
		c, err := b.compare(r.sides(b.roundSize(20_000), pattern.pick))
		if err != nil {
			return nil, err
		}
		table = append(table, c.asResult(pattern.name, pattern.goal))
	}
	memory, err := anonymous(r.pid())
	const most = 400 << 20
	return append(table, result{
		what: "anonymous resident memory after that", goal: "≤ 400 MiB",
		measured: fmt.Sprintf("%d MiB", memory>>20), met: whether(memory <= most),
	}), err
}

// spread maps i to one of n, each as often as any, neighbours far apart. n is no
// multiple of the prime.
func spread(i, n int) int {
	const prime = 7919
	return i % n * prime % n
}
