package gamesparks_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/caddymodule/gamesparks"
)

// online is a game that has ended its handshake as nobody.
func (w *world) online(t testing.TB) *game {
	t.Helper()
	g := w.dial(t)
	g.handshake(t, "")
	return g
}

// alive makes sure that a game is still answered.
func (g *game) alive(t testing.TB) {
	t.Helper()
	g.send(t, `{"@class":".Nothing","requestId":"alive"}`)
	if got, want := g.receive(t), `{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false,"requestId":"alive"}`; got != want {
		t.Errorf("answered %s", got)
	}
}

// What is no request is answered and does no harm.
func TestStrangeMessages(t *testing.T) {
	const malformed = `{"@class":".ErrorResponse","error":{"request":"MALFORMED"},"newPlayer":false}`
	w := newWorld(t, newFake())
	g := w.online(t)
	for _, test := range []struct{ send, want string }{
		{"x", malformed},
		{"{}", malformed},
		{`{"@class":7}`, malformed},
		{"{\"@class\":\".EndSessionRequest\",\"x\":\"\xff\"}", malformed},
		{`{"@class":".EndSessionRequest","requestId":7}`, malformed},
		{`{"@class":".EndSessionRequest","requestId":"` + strings.Repeat("r", 257) + `"}`, malformed},
		{`{"@class":".QQConnectRequest","accessToken":7,"requestId":"r"}`, `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false,"requestId":"r"}`},
		{`{"@class":"EndSessionRequest","requestId":"r"}`, `{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false,"requestId":"r"}`},
		{`{"@class":".AuthenticatedConnectRequest","requestId":"r"}`, `{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false,"requestId":"r"}`},
		{`{"@class":".EndSessionRequest","requestId":"` + strings.Repeat("é", 128) + `"}`,
			`{"@class":".EndSessionResponse","error":{"authentication":"NOTAUTHORIZED"},"newPlayer":false,"requestId":"` + strings.Repeat("é", 128) + `"}`},
	} {
		g.send(t, test.send)
		if got := g.receive(t); got != test.want {
			t.Errorf("%.80s\n got %s\nwant %s", test.send, got, test.want)
		}
	}
	g.alive(t)
}

// A message may come as text or binary, whole or in pieces with a ping between
// them; white space alone is none.
func TestFrames(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.online(t)
	g.send(t, " ")
	g.send(t, "")
	g.send(t, "\r\n\t ")
	g.write(t, frame(true, opBinary, qqBody))
	if got := g.receive(t); !strings.Contains(got, newToken) {
		t.Errorf("binary: %s", got)
	}
	g.write(t, frame(false, opText, qqBody[:10]))
	g.write(t, frame(true, opPing, "now"))
	if op, payload, err := g.read(); op != opPong || string(payload) != "now" || err != nil {
		t.Errorf("opcode %d %q, %v; want a pong", op, payload, err)
	}
	g.write(t, frame(false, opContinuation, ""))
	g.write(t, frame(true, opContinuation, qqBody[10:]))
	if got := g.receive(t); !strings.Contains(got, newToken) {
		t.Errorf("pieces: %s", got)
	}
	if n := w.count(); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// A message of exactly 256 KiB is taken, in one frame or many; one more byte ends
// the connection, and so does a frame that says it will be long.
func TestMessageSize(t *testing.T) {
	fill := func(size int) string {
		body := strings.TrimSuffix(qqBody, "}") + `,"x":"`
		return body + strings.Repeat("x", size-len(body)-2) + `"}`
	}
	const most = 256 << 10
	w := newWorld(t, newFake())
	for _, pieces := range []int{1, 64} {
		for size, fits := range map[int]bool{most - 1: true, most: true, most + 1: false, most * 2: false} {
			g := w.online(t)
			body := fill(size)
			for i, op := 0, byte(opText); i < pieces; i, op = i+1, opContinuation {
				from, to := i*size/pieces, (i+1)*size/pieces
				if _, err := g.Write(frame(i == pieces-1, op, body[from:to])); err != nil {
					break // it may be over already
				}
			}
			if fits {
				if got := g.receive(t); !strings.Contains(got, newToken) {
					t.Errorf("%d bytes in %d: %s", size, pieces, got)
				}
			} else {
				g.closes(t, 1009)
			}
		}
	}
}

// A message that was cut off is none, wherever it was cut: what came of it might
// look like a whole one.
func TestCutMessage(t *testing.T) {
	for _, padded := range []int{512, 1024} {
		w := newWorld(t, newFake())
		g := w.online(t)
		whole := frame(true, opText, qqBody+strings.Repeat(" ", 2000-len(qqBody)))
		g.write(t, whole[:8+padded])
		if err := g.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		g.isGone(t)
		if w.count() != 0 {
			t.Errorf("%d bytes of a message were taken for all of it", padded)
		}
	}
	w := newWorld(t, newFake())
	g := w.online(t)
	g.write(t, frame(false, opText, qqBody))
	if err := g.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	g.isGone(t)
	if w.count() != 0 {
		t.Error("a first piece was taken for the message")
	}
}

// A message must come to its end, wherever it stops: in its header, in its
// payload, between its pieces. Control frames do not buy time.
func TestSlowMessages(t *testing.T) {
	whole := string(frame(true, opText, strings.Repeat("x", 300)))
	for name, parts := range map[string][]string{
		"first byte":     {whole[:1]},
		"header":         {whole[:3]},
		"payload":        {whole[:200]},
		"after a ping":   {string(frame(true, opPing, "x")) + whole[:1]},
		"between pieces": {string(frame(false, opText, "{")), string(frame(true, opPing, "x"))},
		"after another":  {string(frame(true, opText, " ")) + whole[:2]},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newFake())
			gamesparks.Shorten(w.sockets, gamesparks.Times{Whole: 200 * time.Millisecond})
			g := w.online(t)
			for _, part := range parts {
				g.write(t, []byte(part))
			}
			g.patient(t)
			for {
				op, payload, err := g.read()
				if err != nil {
					t.Fatalf("%v; want a close", err)
				}
				if op == opClose {
					if len(payload) != 2 || payload[0] != 1008>>8 || payload[1] != 1008&0xFF {
						t.Errorf("close %x", payload)
					}
					return
				}
			}
		})
	}
}

// Whoever drips a message byte for byte has no more time for it than others.
func TestDrip(t *testing.T) {
	for name, begun := range map[string]int{"header": 0, "payload": 8} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newFake())
			gamesparks.Shorten(w.sockets, gamesparks.Times{Whole: 200 * time.Millisecond})
			g := w.online(t)
			drops := frame(true, opText, strings.Repeat("x", 60000))
			g.write(t, drops[:begun])
			gone := make(chan struct{})
			go func() {
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for _, b := range drops[begun:] {
					select {
					case <-tick.C:
						if _, err := g.Write([]byte{b}); err != nil {
							return
						}
					case <-gone:
						return
					}
				}
			}()
			g.closes(t, 1008)
			close(gone)
		})
	}
}

// A close does not wait for the rest of a frame that never comes.
func TestCloseInTheMidstOfAFrame(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.online(t)
	began := time.Now()
	g.write(t, frame(true, opText, strings.Repeat("x", 1<<20))[:300<<10])
	await(t, "the connection to go", func() bool { return w.sockets.Count() == 0 })
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the close took %s", took)
	}
}

// Time runs while a message comes, and not while nothing does or the core decides.
func TestPatienceWithTheIdle(t *testing.T) {
	w := newWorld(t, newFake())
	gamesparks.Shorten(w.sockets, gamesparks.Times{Whole: 150 * time.Millisecond})
	g := w.online(t)
	pause := func() {
		began := time.Now()
		await(t, "the time to pass", func() bool { return time.Since(began) > 300*time.Millisecond })
	}
	pause()
	g.write(t, frame(true, opPing, ""))
	if op, _, err := g.read(); op != opPong || err != nil {
		t.Fatalf("opcode %d, %v", op, err)
	}
	pause()
	hold := make(chan struct{})
	w.set(func(f *fake) { f.hold = hold })
	next := frame(true, opText, endBody)
	g.write(t, append(frame(true, opText, qqBody), next[:9]...))
	pause()
	close(hold)
	g.receive(t)
	g.write(t, next[9:])
	g.receive(t)
	g.alive(t)
}

// Messages are answered one at a time and in order: what comes meanwhile stays
// with its sender.
func TestFlood(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.online(t)
	hold := make(chan struct{})
	w.set(func(f *fake) { f.hold = hold })
	const n = 2000
	go func() {
		for i := range n {
			body := strings.Replace(qqBody, "1447_1", fmt.Sprint(i), 1)
			if _, err := g.Write(frame(true, opText, body)); err != nil {
				return
			}
		}
	}()
	await(t, "the first to be asked", func() bool { return w.count() == 1 })
	if left := gamesparks.Budget(w.sockets); left < 64<<20-4096 {
		t.Errorf("%d of the budget are left while one message is handled", left)
	}
	close(hold)
	for i := range n {
		if got := g.receive(t); !strings.Contains(got, fmt.Sprintf(`"requestId":"%d"`, i)) {
			t.Fatalf("answer %d is %s", i, got)
		}
	}
	if got := w.count(); got != n {
		t.Errorf("%d calls, want %d", got, n)
	}
}

// A game that takes no answer loses its connection, and holds nobody else up.
func TestAnswersMustBeTaken(t *testing.T) {
	w := newWorld(t, newFake())
	gamesparks.Shorten(w.sockets, gamesparks.Times{Taken: 300 * time.Millisecond})
	w.set(func(f *fake) { f.play.Name = strings.Repeat("N", 1<<20) })
	deaf, other := w.online(t), w.online(t)
	go func() {
		for {
			if _, err := deaf.Write(frame(true, opText, qqBody)); err != nil {
				return
			}
		}
	}()
	await(t, "the deaf one to go", func() bool { return w.sockets.Count() == 1 })
	other.alive(t)
}

// All messages that are under way share what there is, by the bytes that have
// come and not by what their frames announce.
func TestBudget(t *testing.T) {
	w := newWorld(t, newFake())
	const most = 40 << 10
	gamesparks.SetBudget(w.sockets, most)
	t.Cleanup(func() { gamesparks.SetBudget(w.sockets, 64<<20) }) // before the world looks
	huge := frame(true, opText, strings.Repeat("x", 200<<10))
	var announce []*game
	for range 20 {
		g := w.online(t)
		g.write(t, huge[:14+10])
		announce = append(announce, g)
	}
	await(t, "what was announced to arrive", func() bool { return gamesparks.Budget(w.sockets) == most-20*512 })
	greedy := w.online(t)
	go greedy.Write(huge)
	greedy.closes(t, 1013)
	await(t, "what it had to be given back", func() bool { return gamesparks.Budget(w.sockets) == most-20*512 })
	w.online(t).alive(t)
	for _, g := range announce {
		g.Close()
	}
	await(t, "everything to be given back", func() bool { return gamesparks.Budget(w.sockets) == most })
}

// The attack: many connections of one place announce and send the most that a
// message may have, but for the last byte, and no game elsewhere can say anything.
func TestBudgetOfOnePlace(t *testing.T) {
	w := newWorld(t, newFake())
	gamesparks.SetShare(w.sockets, 40<<10)
	greedy := w.online(t)
	huge := frame(true, opText, strings.Repeat("x", 200<<10))
	go greedy.Write(huge)
	greedy.closes(t, 1013)
	w.online(t).alive(t)
	await(t, "all to be given back", func() bool { return gamesparks.Budget(w.sockets) == 64<<20 })

	// A request's body is counted with the messages.
	r := w.do(t, w.request(t, "POST", "/rs/"+knownCred+"/"+knownSecret+"/QQConnectRequest", `{"x":"`+strings.Repeat("x", 100<<10)+`"}`))
	if r.status != 503 || r.header.Get("Retry-After") == "" || !strings.Contains(r.body, `{"request":"LIMIT"}`) {
		t.Errorf("a body beyond the share: %d %s", r.status, r.body)
	}
	r = w.do(t, w.request(t, "POST", "/rs/"+knownCred+"/"+knownSecret+"/QQConnectRequest", qqBody))
	if r.status != 200 {
		t.Errorf("a body within it: %d %s", r.status, r.body)
	}
}

// A panic ends a message and not the connection.
func TestPanicInMessage(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.online(t)
	w.set(func(f *fake) { f.panic = "secret words" })
	g.send(t, qqBody)
	if got, want := g.receive(t), `{"@class":".AuthenticationResponse","error":{"request":"ERROR"},"newPlayer":false,"requestId":"1447_1"}`; got != want {
		t.Errorf("answered %s", got)
	}
	w.set(func(f *fake) { f.panic = nil })
	g.alive(t)
}

// Whoever has fallen silent is pinged, and goes if nothing comes back. Pongs are
// enough to stay.
func TestSilence(t *testing.T) {
	w := newWorld(t, newFake())
	gamesparks.Shorten(w.sockets, gamesparks.Times{Ping: 100 * time.Millisecond, Silence: 500 * time.Millisecond, Sweep: 10 * time.Millisecond})
	if gamesparks.Sweeping(w.sockets) {
		t.Error("something sweeps before there is a socket")
	}
	dead, polite := w.online(t), w.online(t)
	pings := 0
	for began := time.Now(); time.Since(began) < 1500*time.Millisecond; {
		polite.patient(t)
		op, payload, err := polite.read()
		if err != nil || op != opPing {
			t.Fatalf("opcode %d, %v after %d pings", op, err, pings)
		}
		pings++
		polite.write(t, frame(true, opPong, string(payload)))
	}
	if pings < 3 || pings > 15 {
		t.Errorf("%d pings in 1.5 s of silence", pings)
	}
	dead.patient(t)
	for pings = 0; ; pings++ {
		op, _, err := dead.read()
		if err != nil {
			break
		}
		if op != opPing {
			t.Errorf("opcode %d to a silent one", op)
		}
	}
	if pings < 1 || pings > 5 {
		t.Errorf("the dead one was pinged %d times", pings)
	}
	if n := w.sockets.Count(); n != 1 {
		t.Errorf("%d sockets, want the polite one", n)
	}
	polite.alive(t)
}

// A lobby's place is held until somebody signs in, or the connection goes.
func TestLobby(t *testing.T) {
	w := newWorld(t, newFake())
	in := func(want int) {
		t.Helper()
		await(t, fmt.Sprintf("%d in the lobby", want), func() bool {
			n := 0
			w.set(func(f *fake) { n = f.lobby })
			return n == want
		})
	}
	waiting, plays, resumes := w.dial(t), w.online(t), w.dial(t)
	waiting.nonce(t)
	in(3)
	plays.send(t, deviceBody)
	plays.receive(t)
	resumes.handshake(t, knownToken)
	in(1)
	plays.send(t, deviceBody)
	plays.receive(t)
	in(1)
	waiting.Close()
	in(0)
}

// Many games at once, coming, playing and going.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, newFake())
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			g := w.online(t)
			for range 20 {
				g.send(t, deviceBody)
				if got := g.receive(t); !strings.Contains(got, newToken) {
					t.Errorf("answered %s", got)
				}
			}
			g.Close()
		})
	}
	wg.Wait()
	await(t, "all to be left", func() bool { return w.sockets.Count() == 0 })
	left := 0
	for _, a := range w.attendances() {
		if a.left {
			left++
		}
	}
	if left != 1000 {
		t.Errorf("%d of 1000 players were left", left)
	}
}
