package gamesparks_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/caddymodule/gamesparks"
)

const publicURL = "https://id.example.com"

var clientAddr = netip.MustParseAddr("203.0.113.9")

// world is a server on loopback with a handler over a fake.
type world struct {
	*fake
	*gamesparks.Handler
	sockets *gamesparks.Sockets
	log     *logs
	server  *httptest.Server
}

// gates are those of the tests' handlers.
func gates() []gamesparks.Gate {
	return []gamesparks.Gate{
		{Client: "other", APIKey: "b999", Credential: knownCred, Secret: opaque.Of("OtherSecret")},
		{Client: knownClient, APIKey: knownKey, Credential: knownCred, Secret: opaque.Of(knownSecret)},
		{Client: "third", APIKey: knownKey, Credential: "server", Secret: opaque.Of(knownSecret)},
	}
}

// config is one with all that a handler needs, for a fake.
func config(f *fake, sockets *gamesparks.Sockets, log *slog.Logger) gamesparks.Config {
	return gamesparks.Config{
		Open: f.Open, Gates: gates(), PublicURL: publicURL, Sockets: sockets, Log: log,
		Caller: func(*http.Request) (netip.Addr, bool) { return clientAddr, true },
	}
}

// newWorld starts a server; when the test ends every socket must go, and give
// back all that it held.
func newWorld(t testing.TB, f *fake, change ...func(*gamesparks.Config)) *world {
	t.Helper()
	w := &world{fake: f, sockets: gamesparks.NewSockets(), log: new(logs)}
	gamesparks.Shorten(w.sockets, gamesparks.Times{Closing: 200 * time.Millisecond})
	cfg := config(f, w.sockets, slog.New(slog.NewJSONHandler(w.log, nil)))
	for _, c := range change {
		c(&cfg)
	}
	w.Handler = gamesparks.New(cfg)
	w.server = httptest.NewServer(w.Handler)
	budget := gamesparks.Budget(w.sockets)
	t.Cleanup(func() {
		w.server.Close()
		w.sockets.Review(func() *gamesparks.Handler { return nil })
		await(t, "all sockets to go", func() bool { return w.sockets.Count() == 0 })
		if gamesparks.Sweeping(w.sockets) {
			t.Error("something sweeps where no socket is")
		}
		if got := gamesparks.Budget(w.sockets); got != budget {
			t.Errorf("%d of the budget are left, want %d", got, budget)
		}
		await(t, "the lobby to be empty and the core to be let go", func() (idle bool) {
			f.set(func(f *fake) { idle = f.lobby == 0 && f.open == 0 })
			return idle
		})
		f.set(func(f *fake) {
			for _, a := range f.attended {
				if !a.left {
					t.Errorf("%s was not left", a.token)
				}
			}
		})
	})
	return w
}

// await waits until something holds that other goroutines bring about.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// response is an HTTP response.
type response struct {
	status int
	header http.Header
	body   string
}

// do sends a request and checks what every answer must have.
func (w *world) do(t testing.TB, r *http.Request) response {
	t.Helper()
	resp, err := w.server.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "application/json",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if r.Method != http.MethodHead && !json.Valid(body) {
		t.Errorf("answer is no JSON: %s", body)
	}
	return response{resp.StatusCode, resp.Header, string(body)}
}

func (w *world) request(t testing.TB, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// post makes a request of the known client.
func (w *world) post(t testing.TB, name, body string) response {
	t.Helper()
	return w.do(t, w.request(t, http.MethodPost, "/rs/"+knownCred+"/"+knownSecret+"/"+name, body))
}

var className = regexp.MustCompile(`"@class":"\.(\w+)"`)

// nameOf is the name of the request that a body is.
func nameOf(t testing.TB, body string) string {
	t.Helper()
	m := className.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no @class in %s", body)
	}
	return m[1]
}

// logs keeps log lines.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// lines are those so far.
func (l *logs) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.FieldsFunc(l.b.String(), func(r rune) bool { return r == '\n' })
}
