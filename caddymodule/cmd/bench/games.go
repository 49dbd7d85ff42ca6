package main

import (
	"errors"
	"fmt"
	"log"
	"time"
)

const (
	idleGames = 10_000
	// fewestGames are still more than what moves by itself.
	fewestGames = 400
	gameRounds  = 3
	// otherFiles is more than a process ever has open besides its games.
	otherFiles = 500
)

// gamesRow is what memory a game takes that is signed in and says nothing, plain
// and over TLS.
func gamesRow(b *bench) ([]result, error) {
	n, err := b.crowdSize()
	if err != nil {
		return nil, err
	}
	own, err := b.newCertificate()
	if err != nil {
		return nil, err
	}
	var table []result
	for _, way := range []struct {
		name, store string
		tls         *certificate
		goal        float64 // KiB
	}{
		{"", "games", nil, 40},
		{" over TLS", "games-tls", own, 60},
	} {
		all, err := b.visits(way.store, way.tls, n)
		if err != nil {
			return nil, err
		}
		r := all.asResult(way.goal)
		r.what = fmt.Sprintf("idle GameSparks WebSocket%s, one of %s signed in", way.name, count(float64(n)))
		table = append(table, r)
	}
	return table, nil
}

// crowdSize is how many games there are at a time.
func (b *bench) crowdSize() (int, error) {
	files, err := openFiles()
	if err != nil {
		return 0, err
	}
	want := b.roundSize(idleGames)
	n := min(want, files-otherFiles)
	if n < fewestGames {
		return 0, fmt.Errorf("the limit on open files is %d, too few for games", files)
	}
	if n < want {
		log.Printf("%d games instead of %d: the limit on open files is %d", n, want, files)
	}
	return n, nil
}

// visit is a crowd that has come, stayed and gone.
type visit struct {
	signIn time.Duration // of all of them
	// each is what each of them took while they were there, against what was left
	// when they had gone: their users, sessions and cache entries were there then
	// as well.
	each memory
	// more is the same against what there was before they came.
	more memory
}

type visits []visit

// visits has a Caddy visited by n games at a time.
func (b *bench) visits(name string, own *certificate, n int) (all visits, err error) {
	s, err := b.makeStore(b.badger(name), 1)
	if err != nil {
		return nil, err
	}
	server, err := (guarded{store: s, alg: "ES256", games: true, tls: own}).start(b)
	if err != nil {
		return nil, err
	}
	defer server.discard()
	a := newArcade(server, own)
	rounds := gameRounds
	if b.quick {
		rounds = 1
	}
	var before memory
	for round := range 1 + rounds {
		v, after, err := b.visit(a, n, before)
		if err != nil {
			return nil, err
		}
		// The first crowd brings its users, and buffers and the heap grow to size.
		if before = after; round > 0 {
			log.Printf("%d games signed in within %s; each takes %s; %s more than before they came",
				n, v.signIn.Round(time.Millisecond), v.each, v.more)
			all = append(all, v)
		}
	}
	return all, nil
}

// visit is one visit, and what is left after it.
func (b *bench) visit(a *arcade, n int, before memory) (v visit, after memory, err error) {
	began := time.Now()
	c, err := a.gather(b.ctx, n)
	if err != nil {
		return v, after, err
	}
	defer c.leave()
	v.signIn = time.Since(began)
	with, err := b.settled(a.server)
	if err != nil {
		return v, after, err
	}
	here, err := a.metric(openSockets)
	if err != nil {
		return v, after, err
	}
	if here != float64(n) {
		return v, after, fmt.Errorf("%.0f of %d games are still there", here, n)
	}
	c.leave()
	if err := b.await(a.empty); err != nil {
		return v, after, err
	}
	after, err = b.settled(a.server)
	v.each, v.more = with.minus(after, n), with.minus(before, n)
	return v, after, err
}

// await waits until something holds.
func (b *bench) await(holds func() (bool, error)) error {
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if ok, err := holds(); ok || err != nil || b.ctx.Err() != nil {
			return errors.Join(err, b.ctx.Err())
		}
	}
	return fmt.Errorf("what should be so within %s is not", patience)
}

// of lists what each visit was.
func (vs visits) of(what func(visit) float64) (all []float64) {
	for _, v := range vs {
		all = append(all, what(v))
	}
	return all
}

// asResult is the memory that a visit's games took, with a goal in KiB that it
// must not exceed.
func (vs visits) asResult(goal float64) result {
	each := vs.of(func(v visit) float64 { return kib(v.each.anonymous) })
	low, high := quantile(each, 0), quantile(each, 1)
	return result{
		goal: fmt.Sprintf("≤ %.0f KiB of anonymous memory", goal),
		measured: fmt.Sprintf("%.1f KiB, median of %d (%.1f–%.1f), of it %.1f KiB live heap and %.1f KiB stacks; "+
			"%.1f KiB with what is kept after they have gone; all signed in within %.1f s",
			median(each), len(each), low, high,
			median(vs.of(func(v visit) float64 { return kib(v.each.heap) })),
			median(vs.of(func(v visit) float64 { return kib(v.each.stacks) })),
			median(vs.of(func(v visit) float64 { return kib(v.more.anonymous) })),
			median(vs.of(func(v visit) float64 { return v.signIn.Seconds() }))),
		met: within(goal, low, high),
	}
}
