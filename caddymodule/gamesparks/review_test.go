package gamesparks_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/caddymodule/gamesparks"
)

// next is the handler of another configuration of the same process.
func (w *world) next(f *fake, change func([]gamesparks.Gate) []gamesparks.Gate) func() *gamesparks.Handler {
	cfg := config(f, w.sockets, slog.New(slog.DiscardHandler))
	if change != nil {
		cfg.Gates = change(cfg.Gates)
	}
	h := gamesparks.New(cfg)
	return func() *gamesparks.Handler { return h }
}

// A connection outlives a configuration whose gate is in the next one, too: what
// it asks then, the next one answers, and its player is still there.
func TestReviewKeeps(t *testing.T) {
	w := newWorld(t, newFake())
	g, nobody, early := w.playing(t, "token-1", "sid-1", "user-1"), w.online(t), w.dial(t)
	nonce := early.nonce(t)
	before, second := w.count(), newFake()
	w.sockets.Review(w.next(second, func(gates []gamesparks.Gate) []gamesparks.Gate { return gates[1:2] }))
	g.send(t, endBody)
	if got := g.receive(t); got != `{"@class":".EndSessionResponse","sessionDuration":0}` {
		t.Errorf("answered %s", got)
	}
	if in := second.last(t).In; in != authcore.SessionID("sid-1") {
		t.Errorf("ended %v", in)
	}
	nobody.alive(t)
	early.send(t, connectBody(nonce, knownSecret, knownToken))
	if got := early.receive(t); !strings.Contains(got, newToken) {
		t.Errorf("handshake ends in %s", got)
	}
	if w.count() != before {
		t.Error("the replaced configuration was asked")
	}
	second.set(func(f *fake) {
		if len(f.attended) != 1 {
			t.Errorf("%d attended by the next configuration", len(f.attended))
		}
	})
}

// A connection whose gate is gone, or is another in any part, is closed.
func TestReviewCloses(t *testing.T) {
	for name, change := range map[string]func([]gamesparks.Gate) []gamesparks.Gate{
		"gone":       func(g []gamesparks.Gate) []gamesparks.Gate { return g[:1] },
		"client":     func(g []gamesparks.Gate) []gamesparks.Gate { g[1].Client = "somebody"; return g },
		"key":        func(g []gamesparks.Gate) []gamesparks.Gate { g[1].APIKey += "x"; return g },
		"credential": func(g []gamesparks.Gate) []gamesparks.Gate { g[1].Credential += "x"; return g },
		"secret":     func(g []gamesparks.Gate) []gamesparks.Gate { g[1].Secret = opaque.Of("another"); return g },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newFake())
			plays, nobody, early := w.playing(t, "token-1", "sid-1", "user-1"), w.online(t), w.dial(t)
			early.nonce(t)
			w.sockets.Review(w.next(newFake(), change))
			for _, g := range []*game{plays, nobody, early} {
				g.closes(t, 1001)
			}
			// A configuration that is still served lets nobody in whom the newest
			// would close.
			w.dial(t).isClosedAfterNonce(t)
		})
	}
}

func (g *game) isClosedAfterNonce(t testing.TB) {
	t.Helper()
	g.patient(t)
	op, payload, err := g.read()
	if err == nil && op == opText {
		op, payload, err = g.read() // the nonce was faster
	}
	if err != nil || op != opClose || len(payload) != 2 || int(payload[0])<<8|int(payload[1]) != 1001 {
		t.Errorf("opcode %d %q, %v; want a close", op, payload, err)
	}
}

// When the server stops, games are sent to where it will be again.
func TestReviewOfAStop(t *testing.T) {
	for public, want := range map[string]string{
		"https://id.example.com": "wss://id.example.com/ws/device/a123456FLeia",
		"http://127.0.0.1:8080/": "ws://127.0.0.1:8080/ws/device/a123456FLeia",
	} {
		w := newWorld(t, newFake(), func(c *gamesparks.Config) { c.PublicURL = public })
		plays, nobody := w.playing(t, "token-1", "sid-1", "user-1"), w.online(t)
		stopped := make(chan struct{})
		go func() {
			w.sockets.Review(func() *gamesparks.Handler { return nil })
			close(stopped)
		}()
		for _, g := range []*game{plays, nobody} {
			if got := g.receive(t); got != `{"@class":".AuthenticatedConnectResponse","connectUrl":"`+want+`"}` {
				t.Errorf("told %s", got)
			}
			g.closes(t, 1001)
		}
		<-stopped
		if n := w.sockets.Count(); n != 0 {
			t.Errorf("%d sockets after the stop", n)
		}
	}
}

// A stop waits for games that do not answer, but not for long.
func TestStopDoesNotWaitForTheDead(t *testing.T) {
	w := newWorld(t, newFake())
	gamesparks.Shorten(w.sockets, gamesparks.Times{Farewell: 200 * time.Millisecond, Closing: 4 * time.Second})
	w.online(t)
	began := time.Now()
	w.sockets.Review(func() *gamesparks.Handler { return nil })
	if took := time.Since(began); took < 150*time.Millisecond || took > 3*time.Second {
		t.Errorf("the stop took %s", took)
	}
	await(t, "the dead one to go", func() bool { return w.sockets.Count() == 0 })
	if lines := w.log.lines(); len(lines) != 0 {
		t.Errorf("a stop is logged as a refusal: %q", lines)
	}
}

// A message that is being handled is answered before its connection goes, and a
// configuration that came in between takes it back.
func TestReviewWhileAsking(t *testing.T) {
	w := newWorld(t, newFake())
	g, kept := w.online(t), w.online(t)
	hold := make(chan struct{})
	w.set(func(f *fake) { f.hold = hold })
	g.send(t, qqBody)
	kept.send(t, qqBody)
	await(t, "both to be asked", func() bool { return w.count() == 2 })
	w.sockets.Review(w.next(newFake(), func([]gamesparks.Gate) []gamesparks.Gate { return nil }))
	w.sockets.Review(w.next(newFake(), nil))
	close(hold)
	for _, g := range []*game{g, kept} {
		if got := g.receive(t); !strings.Contains(got, newToken) {
			t.Errorf("answered %s", got)
		}
		g.alive(t)
	}
	w.set(func(f *fake) { f.hold = nil })
	again := make(chan struct{})
	third := newFake()
	third.hold = again
	w.sockets.Review(w.next(third, nil))
	g.send(t, qqBody)
	await(t, "the third to ask", func() bool { return third.count() == 1 })
	w.sockets.Review(w.next(newFake(), func([]gamesparks.Gate) []gamesparks.Gate { return nil }))
	close(again)
	if got := g.receive(t); !strings.Contains(got, newToken) {
		t.Errorf("answered %s", got)
	}
	g.closes(t, 1001)
	kept.closes(t, 1001)
}

// What an older configuration thinks of a connection comes too late if a newer one
// has already seen it.
func TestReviewsInOrder(t *testing.T) {
	w := newWorld(t, newFake())
	none := w.next(newFake(), func([]gamesparks.Gate) []gamesparks.Gate { return nil })
	asked, late := make(chan bool, 1), make(chan struct{})
	first := true
	w.sockets.Review(func() *gamesparks.Handler {
		if !first {
			asked <- true
			<-late
		}
		first = false
		return none()
	})
	g := w.dial(t)
	<-asked
	w.sockets.Review(w.next(newFake(), nil))
	close(late)
	g.handshake(t, "")
	g.alive(t)
}

// Configurations change while games come and go.
func TestReviewInTheMidst(t *testing.T) {
	w := newWorld(t, newFake())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 50 {
			w.sockets.Review(w.next(w.fake, func(g []gamesparks.Gate) []gamesparks.Gate {
				g[0].APIKey = fmt.Sprint("b", i) // another client's
				return g
			}))
		}
	}()
	for range 50 {
		g := w.playing(t, "token-1", "sid-1", "user-1")
		g.alive(t)
		g.Close()
	}
	<-done
}
