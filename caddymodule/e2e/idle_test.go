package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/qqauth/qqauth/internal/pgtest"
)

// A session of these tests ends when it has gone unused for idleFor: at most
// idleLate later, and five times that on a busy machine.
const (
	idleFor   = 3 * time.Second
	idleLate  = idleFor / 5
	idleBlock = "lifetime {\n idle 3s\n }"
)

// TestIdle uses one session every second and another not at all. To look is to
// use: so each is looked at when it has to be decided, and time has to pass.
func TestIdle(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as a session may go unused, twice")
	}
	t.Parallel() // most of it is waiting
	w := newWorld(t, "$CORE", idleBlock)
	w.idles(w, func(g grant) {
		demo := w.bearer(demoApp, demoSecret)
		w.tenant("/session-token/refresh", demo, map[string]string{"session_token": g.Session}).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0023")
		w.sdk("POST", "/sso/session-token/id-token", demoApp, nil, "session-token", g.Session).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0023")
		w.sdk("GET", "/profile", demoApp, nil, "Authorization", "Bearer "+g.IDToken).want(http.StatusBadRequest, badIDToken)
	})
}

// TestIdleElsewhere uses a session at one node; it lives at the other, which has
// not seen it used.
func TestIdleElsewhere(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as a session may go unused, twice")
	}
	t.Parallel() // most of it is waiting
	dsn := pgtest.Database(t)
	f := newFleet(t)
	core := []string{"$CORE", fleetCore + "\n\t\t" + idleBlock}
	a, b := f.node(t, dsn, core...), f.node(t, dsn, core...)
	a.idles(b, func(grant) {})
}

// idles uses sessions at one node and looks for them at another, which may be
// the same; ended is told of one that has ended.
func (w *world) idles(other *world, ended func(grant)) {
	w.t.Helper()
	for range 3 {
		if w.idlesOnce(other, ended) {
			return
		}
	}
	w.t.Fatal("the machine is too slow to tell")
}

// idlesOnce reports whether the machine was quick enough to tell.
func (w *world) idlesOnce(other *world, ended func(grant)) (told bool) {
	used, unused, stream := w.login(demoApp, w.account(0)), w.login(demoApp, w.account(1)), w.login(demoApp, w.account(2))
	first := time.Now()
	open := w.dialWS(stream.Session)
	for _, g := range []grant{used, unused} {
		w.guarded("/", g.Session).want(http.StatusOK, "")
		other.guarded("/", g.Session).want(http.StatusOK, "") // in the cache from now on
	}
	lastUse := time.Now()
	for last := first; time.Since(first) < 2*idleFor+idleFor/2; {
		time.Sleep(time.Second)
		sent := time.Now()
		got := w.guarded("/", used.Session)
		if gap := time.Since(last); got.status != http.StatusOK && gap < idleFor {
			w.t.Fatalf("%v after the first use and %v after the last: %d %s", time.Since(first), gap, got.status, got.body)
		} else if gap >= idleFor {
			w.t.Logf("the machine stood still for %v", gap)
			return false
		}
		last = sent
	}
	other.guarded("/", used.Session).want(http.StatusOK, "")
	w.t.Run("what is open is in use", func(t *testing.T) {
		open.echoes(t)
		other.in(t).guarded("/", stream.Session).want(http.StatusOK, "")
	})
	if since := time.Since(lastUse); since < idleFor+5*idleLate {
		time.Sleep(idleFor + 5*idleLate - since)
	}
	for _, node := range []*world{w, other} {
		node.guarded("/", unused.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	}
	ended(unused)
	w.guarded("/", used.Session).want(http.StatusOK, "")

	// One that goes unused a little shorter than it may lives.
	for range 5 {
		began := time.Now()
		g := w.login(demoApp, w.account(3))
		time.Sleep(idleFor - idleFor/6)
		got := other.guarded("/", g.Session)
		if time.Since(began) < idleFor {
			got.want(http.StatusOK, "")
			return true
		}
	}
	w.t.Log("the machine is too slow to tell")
	return false
}
