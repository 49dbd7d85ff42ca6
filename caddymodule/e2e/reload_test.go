package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestReload replaces the configuration under load.
func TestReload(t *testing.T) {
	if testing.Short() {
		t.Skip("reloads ten times under load")
	}
	const connections, sockets, reloads = 6, 4, 10
	// Connections to the upstream that Caddy leaves idle end soon, so that what
	// is left of an old configuration is ours.
	w := newWorld(t, "$PROXY", "stream_close_delay 5m\n transport http {\n keepalive 1s\n }")
	var sessions []string
	for n := range connections {
		sessions = append(sessions, w.login(demoApp, w.account(n)).Session)
	}
	w.reload(worldFile, w.pairs...)
	before, locksBefore := w.goroutines(), w.locks()

	var conns []wsConn
	for n := range sockets {
		conns = append(conns, w.dialWS(sessions[n]))
	}
	var guarded, plain, logins tally
	stop := w.load(sessions, &guarded, &plain, &logins)
	for n := range reloads {
		passed := guarded.answers.Load()
		w.reload(worldFile, append([]string{"$CORE", fmt.Sprintf("lifetime {\n ticket %dm\n }", n+1)}, w.pairs...)...)
		w.await("answers after the reload", func() bool { return guarded.answers.Load() >= passed+4*connections })
	}
	stop()
	t.Logf("guarded: %d answers, %d connections lost; without a guard: %d, %d; logins: %d, %d", guarded.answers.Load(), guarded.lost.Load(),
		plain.answers.Load(), plain.lost.Load(), logins.answers.Load(), logins.lost.Load())
	if logins.answers.Load() == 0 {
		t.Error("nobody logged in")
	}
	if guarded.lost.Load() > 2*plain.lost.Load()+connections {
		t.Error("a reload costs more connections with a guard than without")
	}

	for _, conn := range conns {
		conn.echoes(t)
		_ = conn.CloseNow()
	}
	for _, session := range sessions {
		w.guarded("/", session).want(http.StatusOK, "")
	}
	if after := w.locks(); !slices.Equal(locksBefore, after) {
		t.Errorf("the store was opened again: its lock is %v, and was %v", after, locksBefore)
	}
	w.checkGoroutines(before)
}

// tally counts what clients got.
type tally struct{ answers, lost atomic.Int64 }

// load asks with and without a guard and logs in, from many connections, until it
// is stopped. No answer may be a fault, but a connection may be lost:
// Caddy closes those of an old configuration.
func (w *world) load(sessions []string, guarded, plain, logins *tally) (stop func()) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	forever := func(to *tally, ask func(n int) (answer, error)) {
		wait.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				a, err := ask(n)
				switch {
				case err != nil:
					to.lost.Add(1)
				case a.status != http.StatusOK:
					w.t.Errorf("under reload: %d %s", a.status, a.body)
				default:
					to.answers.Add(1)
				}
			}
		})
	}
	for _, session := range sessions {
		forever(guarded, func(i int) (answer, error) { return w.mixed(i, "APP", "Authorization", "Bearer "+session) })
		forever(plain, func(i int) (answer, error) { return w.mixed(i, "PLAIN") })
	}
	who := w.account(1000)
	body := w.encode(qqLogin{who.AccessToken, who.OpenID})
	forever(logins, func(int) (answer, error) {
		return try(w.t, "POST", w.url("LOGIN", "/api/v2/sdk/login/qq"), body, append(device(demoApp), "Content-Type", "application/json")...)
	})
	return func() {
		close(done)
		wait.Wait()
	}
}

// mixed asks; every tenth time in a way that a client may not repeat by itself
// when a connection is lost.
func (w *world) mixed(i int, port string, header ...string) (answer, error) {
	if i%10 == 0 {
		return try(w.t, "POST", w.url(port, "/"), []byte("body"), header...)
	}
	return try(w.t, "GET", w.url(port, "/"), nil, header...)
}

// checkGoroutines waits for those of old configurations to end.
func (w *world) checkGoroutines(before int) {
	w.t.Helper()
	deadline := time.Now().Add(patience / 2)
	after := w.goroutines()
	for ; after > before+5 && time.Now().Before(deadline); after = w.goroutines() {
		time.Sleep(100 * time.Millisecond) // between two looks at the condition
	}
	if after > before+5 {
		w.t.Errorf("%d goroutines before, %d after:\n%s", before, after, w.profile())
	}
}

// goroutines is how many Caddy runs, without those of idle connections and of
// caches that are only waiting to be collected.
func (w *world) goroutines() (n int) {
	w.t.Helper()
	client.CloseIdleConnections()
	w.outside.CloseClientConnections()
	w.upstream.CloseClientConnections()
	w.ask("GET", w.url("ADMIN", "/debug/pprof/heap?gc=1&debug=1"), nil)
	text := w.profile()
	if _, err := fmt.Sscanf(text, "goroutine profile: total %d", &n); err != nil {
		w.t.Fatalf("%v: %s", err, text[:min(len(text), 80)])
	}
	return n
}

// profile lists the goroutines of Caddy.
func (s *server) profile() string {
	s.t.Helper()
	a, err := try(s.t, "GET", s.url("ADMIN", "/debug/pprof/goroutine?debug=1"), nil)
	if err != nil {
		s.t.Log(err)
	}
	return a.text()
}

// locks are the descriptors under which Caddy holds the store's lock, where the
// system tells.
func (s *server) locks() (held []string) {
	dir := fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.t.Logf("open files are not known here: %v", err)
	}
	for _, entry := range entries {
		target, err := os.Readlink(filepath.Join(dir, entry.Name()))
		if err == nil && target == filepath.Join(s.storeDir(), "LOCK") {
			held = append(held, entry.Name())
		}
	}
	return held
}
