//go:build unix

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/qqauth/qqauth/internal/pgtest"
)

// stoppedFor is how long a node stands still: so long that what was announced
// meanwhile can no longer be heard.
const stoppedFor = 20 * time.Second

// TestStoppedNode stops a node as a suspended machine is stopped. What ended
// meanwhile ends there as soon as it goes on.
func TestStoppedNode(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until an announcement is out of hearing")
	}
	a, b := twoNodes(t)
	who := b.account(0)
	g := b.login(demoApp, who)
	conn, stays := b.dialWS(g.Session), b.dialWS(b.login(demoApp, b.account(1)).Session)
	b.guarded("/", g.Session).want(http.StatusOK, "")
	if err := b.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Caddy would not end while it is stopped.
	defer func() { _ = b.cmd.Process.Signal(syscall.SIGCONT) }()
	a.admin("DELETE", "/users/"+a.userOf(who).ID+"/sessions", nil).want(http.StatusNoContent, "")
	time.Sleep(stoppedFor) // nothing happens that could be awaited
	if err := b.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	goesOn := time.Now()
	t.Logf("refused %v after the node went on", b.refused(g.Session, goesOn))
	conn.closes(t, closedWithin-time.Since(goesOn))
	stays.echoes(t)
}

// TestFailover kills the primary of a database under load and promotes its
// synchronous standby. What was acknowledged holds, and what was not is answered
// with 503; sessions that nodes have in their cache go on.
func TestFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two PostgreSQL servers that sync")
	}
	primary := pgtest.New(t, pgtest.Config{})
	standby, err := primary.Standby(t.Context(), "second", pgtest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standby.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := primary.SetSynchronous("second"); err != nil {
		t.Fatal(err)
	}
	dsn := primary.DSN("postgres", "target_session_attrs=read-write")
	dsn = strings.Replace(dsn, primary.Addr(), primary.Addr()+","+standby.Addr(), 1)
	f := newFleet(t)
	a, b := f.node(t, dsn), f.node(t, dsn)

	l := &chronicle{t: t, live: map[string]bool{}}
	pinned := a.login(demoApp, a.account(0)).Session
	for _, w := range []*world{a, b} {
		w.guarded("/", pinned).want(http.StatusOK, "")
	}
	stop := l.load(pinned, a, b)
	a.await("load", func() bool { return l.ended.Load() > 200 })
	killed := time.Now()
	l.gap.Store(true)
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	t.Logf("dead after %v", time.Since(killed))
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	t.Logf("promoted after %v", time.Since(killed))
	for i, w := range []*world{a, b} {
		w.await("logins work again", func() bool {
			session, got, err := w.attempt(w.account(1))
			if err != nil {
				t.Fatal(err)
			}
			if session == "" {
				got.come()
			}
			return session != ""
		})
		t.Logf("node %d logs in %v after the kill", i, time.Since(killed))
	}
	l.gap.Store(false)
	before := l.ended.Load()
	a.await("load", func() bool { return l.ended.Load() > before+200 })
	stop()
	l.check(a, b)
}

// chronicle is what was acknowledged.
type chronicle struct {
	t       *testing.T
	ended   atomic.Int64
	gap     atomic.Bool // the database may be away
	mu      sync.Mutex
	live    map[string]bool // by session; false where its end was acknowledged
	slowest time.Duration   // of the answers that the store is away
	waited  time.Duration   // of the pinned session
	away    int
}

// load uses the nodes in all ways from several goroutines.
func (l *chronicle) load(pinned string, nodes ...*world) (stop func()) {
	const workers = 3
	done := make(chan struct{})
	var wait sync.WaitGroup
	forever := func(do func(n int)) {
		wait.Go(func() {
			for n := 0; !l.t.Failed(); n++ {
				select {
				case <-done:
					return
				default:
					do(n)
				}
			}
		})
	}
	for i, w := range nodes {
		bearer := w.bearer(demoApp, demoSecret)
		for worker := range workers {
			forever(func(n int) { l.turn(w, 1000*(workers*i+worker+1)+n/3, n%3, bearer) })
		}
		forever(func(int) { l.keepsIn(w, pinned) })
	}
	return func() {
		close(done)
		wait.Wait()
	}
}

// turn logs in, looks, and leaves, refreshes or ends the session.
func (l *chronicle) turn(w *world, number, what int, bearer string) {
	login, ok := l.ask(func() (answer, error) {
		_, got, err := w.attempt(w.account(number))
		return got, err
	})
	var g grant
	if !ok || !l.decode(login, &g) {
		return
	}
	l.note(g.Session, true)
	l.ask(func() (answer, error) { return w.tryGuarded(g.Session) })
	switch what {
	case 1:
		l.forget(g.Session) // unless it is answered, nobody knows
		_, ok = l.ask(func() (answer, error) {
			return try(l.t, "POST", w.url("LOGIN", "/api/v2/sdk/logout"), nil, append(device(demoApp), "session-token", g.Session)...)
		})
		if ok {
			l.note(g.Session, false)
		}
	case 2:
		l.forget(g.Session)
		refreshed, ok := l.ask(func() (answer, error) {
			return w.tryTenant("/session-token/refresh", bearer, map[string]string{"session_token": g.Session})
		})
		var next grant
		if ok && l.decode(refreshed, &next) {
			l.note(g.Session, false)
			l.note(next.Session, true)
		}
	}
}

func (h *home) tryGuarded(session string) (answer, error) {
	return try(h.t, "GET", h.url("APP", "/"), nil, "Authorization", "Bearer "+session)
}

// ask demands 200, or while the database may be away to be told to come back.
func (l *chronicle) ask(request func() (answer, error)) (got answer, ok bool) {
	away := l.gap.Load()
	began := time.Now()
	got, err := request()
	took := time.Since(began)
	switch {
	case err != nil:
		l.t.Error(err)
	case got.status == http.StatusOK:
		return got, true
	case !away && !l.gap.Load():
		l.t.Errorf("got %d %s while the database was there", got.status, got.body)
	default:
		got.come()
		l.mu.Lock()
		l.slowest, l.away = max(l.slowest, took), l.away+1
		l.mu.Unlock()
	}
	return got, false
}

func (l *chronicle) decode(a answer, g *grant) bool {
	err := json.Unmarshal(a.body, g)
	if err != nil || g.Session == "" {
		l.t.Errorf("got %s: %v", a.body, err)
	}
	return err == nil && g.Session != ""
}

// keepsIn demands that a session in the cache is let in whatever happens.
func (l *chronicle) keepsIn(w *world, session string) {
	began := time.Now()
	got, err := w.tryGuarded(session)
	if err != nil || got.status != http.StatusOK {
		l.t.Errorf("a cached session got %d %s, %v", got.status, got.body, err)
	}
	l.mu.Lock()
	l.waited = max(l.waited, time.Since(began))
	l.mu.Unlock()
	time.Sleep(10 * time.Millisecond) // leaves the processors to the others
}

func (l *chronicle) note(session string, live bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live[session] = live
	if !live {
		l.ended.Add(1)
	}
}

func (l *chronicle) forget(session string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.live, session)
}

// check demands of both nodes what was acknowledged.
func (l *chronicle) check(nodes ...*world) {
	l.t.Helper()
	began := time.Now()
	lost, revived := 0, 0
	for session, live := range l.live {
		for _, w := range nodes {
			a := w.guarded("/", session)
			for !live && a.status == http.StatusOK && time.Since(began) < knownWithin {
				a = w.guarded("/", session)
			}
			switch {
			case live && a.status != http.StatusOK:
				lost++
			case !live && a.status != http.StatusUnauthorized:
				revived++
			}
		}
	}
	if lost+revived > 0 {
		l.t.Errorf("of %d sessions %d logins and %d ends were acknowledged and are lost", len(l.live), lost, revived)
	}
	if l.slowest > promptly || l.waited > atOnce {
		l.t.Errorf("in the gap an answer took %v, that of a cached session %v", l.slowest, l.waited)
	}
	l.t.Logf("%d sessions, %d ends; %d answers that the store is away, the slowest after %v; a cached session waited %v",
		len(l.live), l.ended.Load(), l.away, l.slowest, l.waited)
}
