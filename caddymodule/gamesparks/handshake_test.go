package gamesparks_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/gamesparks"
)

// The handshake byte by byte: what comes, in which keys and order.
func TestHandshake(t *testing.T) {
	w := newWorld(t, newFake())
	first, second := w.dial(t), w.dial(t)
	nonces := []string{first.nonce(t), second.nonce(t)}
	if nonces[0] == nonces[1] {
		t.Error("a nonce came twice")
	}
	for _, n := range nonces {
		if b, err := base64.RawURLEncoding.DecodeString(n); err != nil || len(b) != 16 {
			t.Errorf("nonce %s has %d bytes, %v", n, len(b), err)
		}
	}
	first.send(t, connectBody(nonces[0], knownSecret, ""))
	got := first.receive(t)
	id, ok := strings.CutPrefix(got, `{"@class":".AuthenticatedConnectResponse","sessionId":"`)
	id, end := strings.CutSuffix(id, `"}`)
	if b, err := base64.RawURLEncoding.DecodeString(id); !ok || !end || err != nil || len(b) != 16 {
		t.Errorf("handshake ends in %s", got)
	}
	w.set(func(f *fake) { f.play = success(newToken, "sid-known", knownUser, "Nick") })
	second.send(t, connectBody(nonces[1], knownSecret, knownToken))
	got = second.receive(t)
	if !strings.HasPrefix(got, `{"@class":".AuthenticatedConnectResponse","authToken":"`+newToken+`","sessionId":"`) ||
		!strings.HasSuffix(got, `","userId":"`+string(knownUser)+`"}`) {
		t.Errorf("handshake ends in %s", got)
	}
	want := called{"Resume", knownClient, authcore.Caller{Addr: clientAddr, Loopback: true, OS: "Android", Agent: "Android"}, knownToken}
	if got := w.last(t); got != want {
		t.Errorf("asked %+v, want %+v", got, want)
	}
	second.send(t, endBody)
	if got, want := second.receive(t), `{"@class":".EndSessionResponse","sessionDuration":0}`; got != want {
		t.Errorf("resumed player is answered %s", got)
	}
}

// An authToken that is nobody's is none, and so is what SDKs send for none.
func TestHandshakeWithoutPlayer(t *testing.T) {
	w := newWorld(t, newFake())
	for _, token := range []string{"", "0", "c54f5b4e00000000000000000000dead"} {
		g := w.dial(t)
		if c := g.handshake(t, token); c.AuthToken != "" || c.UserID != "" {
			t.Errorf("%q became %+v", token, c)
		}
		g.send(t, endBody)
		if got := g.receive(t); got != `{"@class":".EndSessionResponse","error":{"authentication":"NOTAUTHORIZED"},"newPlayer":false}` {
			t.Errorf("%q plays, or was told something: %s", token, got)
		}
	}
	if n := len(w.attendances()); n != 0 {
		t.Errorf("%d were attended", n)
	}
	if n := w.count(); n != 1 {
		t.Errorf("%d calls; only the last is a token", n)
	}
}

// Whatever a login can end in, an authToken at the connect can, too. The game is
// connected all the same, as nobody.
func TestHandshakeOfAPlayerWhoMustDoMore(t *testing.T) {
	const begins = `{"@class":".AuthenticatedConnectResponse","sessionId":"`
	for name, test := range map[string]struct {
		core func(*fake)
		want string
	}{
		"MFA": {func(f *fake) { f.play = waiting(authcore.StatusMFAAuth, authcore.WayPhone) },
			`{"@class":".AuthenticationResponse","error":{"authentication":"MFA_REQUIRED"},"newPlayer":false,"scriptData":{"state_token":"` + stateToken + `"}}`},
		"denied":   {func(f *fake) { f.play = waiting(authcore.StatusAccessDenied) }, `{"@class":".AuthenticationResponse","error":{"authentication":"ACCESS_DENIED"},"newPlayer":false}`},
		"disabled": {func(f *fake) { f.err = authcore.ErrUserDisabled }, `{"@class":".AuthenticationResponse","error":{"authentication":"DISABLED"},"newPlayer":false}`},
		"limit":    {func(f *fake) { f.err = authcore.ErrLimited }, `{"@class":".AuthenticationResponse","error":{"authentication":"LIMIT"},"newPlayer":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newFake())
			g := w.dial(t)
			w.set(test.core)
			g.send(t, connectBody(g.nonce(t), knownSecret, knownToken))
			if got := g.receive(t); !strings.HasPrefix(got, begins) || strings.Contains(got, "authToken") || strings.Contains(got, "userId") {
				t.Errorf("connected with %s", got)
			}
			if got := g.receive(t); got != test.want {
				t.Errorf("then %s\nwant %s", got, test.want)
			}
			w.set(func(f *fake) { f.err, f.play = nil, newFake().play })
			g.send(t, deviceBody)
			if got := g.receive(t); !strings.Contains(got, newToken) {
				t.Errorf("a login afterwards: %s", got)
			}
		})
	}
}

// What ends a handshake: its last words, and the close's code.
func TestHandshakeRefused(t *testing.T) {
	proper := func(nonce string) string { return connectBody(nonce, knownSecret, knownToken) }
	for name, test := range map[string]struct {
		core func(*fake)
		send func(nonce string) string
		want string
		code int
	}{
		"another secret": {nil, func(n string) string { return connectBody(n, "OtherSecret", "") },
			`{"@class":".AuthenticatedConnectResponse","error":{"credentials":"REFUSED"},"newPlayer":false}`, 1008},
		"another nonce": {nil, func(n string) string { return connectBody(n+"x", knownSecret, knownToken) },
			`{"@class":".AuthenticatedConnectResponse","error":{"credentials":"REFUSED"},"newPlayer":false}`, 1008},
		"no proof": {nil, func(string) string { return `{"@class":".AuthenticatedConnectRequest","requestId":"r"}` },
			`{"@class":".AuthenticatedConnectResponse","error":{"credentials":"REFUSED"},"newPlayer":false,"requestId":"r"}`, 1008},
		"a request": {nil, func(string) string { return qqBody },
			`{"@class":".AuthenticationResponse","error":{"authentication":"NOTAUTHORIZED"},"newPlayer":false,"requestId":"1447_1"}`, 1008},
		"an unknown request": {nil, func(string) string { return `{"@class":".LogEventRequest"}` },
			`{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false}`, 1008},
		"no JSON": {nil, func(string) string { return "hello" },
			`{"@class":".ErrorResponse","error":{"request":"MALFORMED"},"newPlayer":false}`, 1008},
		"no class": {nil, func(n string) string { return `{"hmac":"` + proof(n, knownSecret) + `"}` },
			`{"@class":".ErrorResponse","error":{"request":"MALFORMED"},"newPlayer":false}`, 1008},
		"a number for a proof": {nil, func(string) string { return `{"@class":".AuthenticatedConnectRequest","hmac":7}` },
			`{"@class":".AuthenticatedConnectResponse","error":{"request":"MALFORMED"},"newPlayer":false}`, 1008},
		"store is away": {func(f *fake) { f.err = authcore.ErrUnavailable }, proper,
			`{"@class":".AuthenticatedConnectResponse","error":{"authentication":"UNAVAILABLE"},"newPlayer":false}`, 1013},
		"store is closed": {func(f *fake) { f.closed = authcore.ErrUnavailable }, proper,
			`{"@class":".AuthenticatedConnectResponse","error":{"authentication":"UNAVAILABLE"},"newPlayer":false}`, 1013},
		"cannot attend": {func(f *fake) { f.attends = authcore.ErrUnavailable }, proper,
			`{"@class":".AuthenticatedConnectResponse","error":{"authentication":"UNAVAILABLE"},"newPlayer":false}`, 1013},
		"unexpected": {func(f *fake) { f.err = errors.New("disk on fire") }, proper,
			`{"@class":".AuthenticatedConnectResponse","error":{"request":"ERROR"},"newPlayer":false}`, 1013},
		"panic": {func(f *fake) { f.panic = "secret words" }, proper,
			`{"@class":".AuthenticatedConnectResponse","error":{"request":"ERROR"},"newPlayer":false}`, 1013},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newFake())
			g := w.dial(t)
			nonce := g.nonce(t)
			if test.core != nil {
				w.set(test.core)
			}
			g.send(t, test.send(nonce))
			if got := g.receive(t); got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
			g.closes(t, test.code)
			if n := len(w.log.lines()); n != 1 {
				t.Errorf("%d lines, want one", n)
			}
		})
	}
}

// 4 KiB are enough before anything is proved; one more byte ends it.
func TestHandshakeSize(t *testing.T) {
	for size, fits := range map[int]bool{4096: true, 4097: false} {
		w := newWorld(t, newFake())
		g := w.dial(t)
		body := strings.TrimSuffix(connectBody(g.nonce(t), knownSecret, ""), "}") + `,"x":"`
		g.send(t, body+strings.Repeat("x", size-len(body)-2)+`"}`)
		if fits {
			if got := g.receive(t); !strings.Contains(got, "sessionId") {
				t.Errorf("%d bytes: %s", size, got)
			}
		} else {
			g.closes(t, 1009)
		}
	}
}

// A game that says nothing, or drips, or keeps the line warm, has no longer for
// its proof.
func TestHandshakeTime(t *testing.T) {
	for name, say := range map[string]func(*testing.T, *game){
		"nothing":     func(*testing.T, *game) {},
		"half a byte": func(t *testing.T, g *game) { g.write(t, []byte{0x81}) },
		"half a frame": func(t *testing.T, g *game) {
			b := frame(true, opText, strings.Repeat("x", 200))
			g.write(t, b[:100])
		},
		"spaces": func(t *testing.T, g *game) { g.send(t, " ") },
		"a ping": func(t *testing.T, g *game) {
			g.write(t, frame(true, opPing, "x"))
			if op, payload, err := g.read(); op != opPong || string(payload) != "x" || err != nil {
				t.Errorf("opcode %d %q, %v", op, payload, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newFake())
			gamesparks.Shorten(w.sockets, gamesparks.Times{Handshake: 100 * time.Millisecond})
			g := w.dial(t)
			g.nonce(t)
			say(t, g)
			g.closes(t, 1008)
		})
	}
}

// The time is over when the proof is there: a slow core is no fault of the game's,
// and the connection lives on afterwards.
func TestHandshakeTimeIsTheGamesOwn(t *testing.T) {
	w := newWorld(t, newFake())
	gamesparks.Shorten(w.sockets, gamesparks.Times{Handshake: 300 * time.Millisecond})
	g := w.dial(t)
	w.set(func(f *fake) {
		began := time.Now()
		f.after = func() {
			await(t, "the time to be over", func() bool { return time.Since(began) > 400*time.Millisecond })
		}
	})
	if c := g.handshake(t, knownToken); c.AuthToken != newToken {
		t.Errorf("handshake ends in %+v", c)
	}
	g.send(t, " ")
	g.send(t, endBody)
	g.receive(t)
}

// A game may send its proof before it has read our answer to the upgrade; a proof
// of nothing is refused like any other, and nothing of it is lost.
func TestEarlyBytes(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.dial(t, frame(true, opText, `{"@class":".AuthenticatedConnectRequest","hmac":"x"}`)...)
	g.nonce(t)
	if got := g.receive(t); !strings.Contains(got, `{"credentials":"REFUSED"}`) {
		t.Errorf("answered %s", got)
	}
	g.closes(t, 1008)
}

func TestUpgrade(t *testing.T) {
	const good = "/ws/" + knownCred + "/" + knownKey
	header := func(name string, values ...string) func(http.Header) {
		return func(h http.Header) {
			h.Del(name)
			for _, v := range values {
				h.Add(name, v)
			}
		}
	}
	away := func(f *fake) { f.closed = authcore.ErrUnavailable }
	for _, test := range []struct {
		name, method, path string
		change             func(http.Header)
		core               func(*fake)
		status             int
		reasons            string
	}{
		{"short path", "POST", "/ws/device", nil, away, 404, `{"request":"UNKNOWN"}`},
		{"long path", "POST", good + "/", nil, away, 404, `{"request":"UNKNOWN"}`},
		{"method", "POST", "/ws/x/x", nil, away, 405, `{"request":"METHOD_NOT_ALLOWED"}`},
		{"credential", "GET", "/ws/x/" + knownKey, header("Upgrade"), away, 403, `{"credentials":"REFUSED"}`},
		{"key", "GET", "/ws/device/x", header("Upgrade"), away, 403, `{"credentials":"REFUSED"}`},
		{"key of another credential", "GET", "/ws/server/b999", nil, away, 403, `{"credentials":"REFUSED"}`},
		{"the secret for the key", "GET", "/ws/device/" + knownSecret, nil, away, 403, `{"credentials":"REFUSED"}`},
		{"no upgrade", "GET", good, header("Upgrade"), away, 426, `{"request":"UPGRADE_REQUIRED"}`},
		{"another upgrade", "GET", good, header("Upgrade", "h2c"), away, 426, `{"request":"UPGRADE_REQUIRED"}`},
		{"no connection", "GET", good, header("Connection", "keep-alive"), away, 426, `{"request":"UPGRADE_REQUIRED"}`},
		{"version", "GET", good, header("Sec-WebSocket-Version", "8"), away, 426, `{"request":"UPGRADE_REQUIRED"}`},
		{"no websocket key", "GET", good, header("Sec-WebSocket-Key"), away, 400, `{"request":"MALFORMED"}`},
		{"short websocket key", "GET", good, header("Sec-WebSocket-Key", "AAAA"), away, 400, `{"request":"MALFORMED"}`},
		{"two websocket keys", "GET", good, header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="), away, 400, `{"request":"MALFORMED"}`},
		{"store", "GET", good, nil, away, 503, `{"authentication":"UNAVAILABLE"}`},
		{"lobby", "GET", good, nil, func(f *fake) { f.lobbyErr = fmt.Errorf("enter: %w", authcore.ErrLimited) }, 429, `{"authentication":"LIMIT"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			test.core(f)
			w := newWorld(t, f)
			r := w.request(t, test.method, test.path, "")
			for name, value := range map[string]string{
				"Upgrade": "WebSocket", "Connection": "upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
			} {
				r.Header.Set(name, value)
			}
			if test.change != nil {
				test.change(r.Header)
			}
			resp := w.do(t, r)
			want := `{"@class":".ErrorResponse","error":` + test.reasons + `,"newPlayer":false}`
			if resp.status != test.status || resp.body != want {
				t.Errorf("status %d, want %d\n got %s\nwant %s", resp.status, test.status, resp.body, want)
			}
			for name, want := range map[string]bool{
				"Allow": test.status == 405, "Retry-After": test.status == 429 || test.status == 503,
				"Sec-WebSocket-Version": test.name == "version", "Upgrade": test.status == 426 && test.name != "version",
			} {
				if got := resp.header.Get(name); (got != "") != want {
					t.Errorf("%s: %q", name, got)
				}
			}
			if n := len(w.log.lines()); n != 1 {
				t.Errorf("%d lines, want one", n)
			}
		})
	}
}
