package authcore_test

import (
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// signatures is how many assertions n requests of one session at once cost.
func (w *world) signatures(g *authcore.Guard, session string, n int) int {
	w.t.Helper()
	var mu sync.Mutex
	signed := make(map[string]bool)
	together(n, func(int) {
		p, err := g.Admit(w.t.Context(), session, "")
		if err != nil {
			w.t.Errorf("admit: %v", err)
			return
		}
		defer p.Release()
		mu.Lock()
		defer mu.Unlock()
		signed[p.Assertion] = true
	})
	return len(signed)
}

// TestOneSignaturePerHalfLife: a popular session must not cost a signature for
// every request that comes while one is being made.
func TestOneSignaturePerHalfLife(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	for half := range 5 {
		if n := w.signatures(g, p.session, 1000); n != 1 {
			t.Errorf("half-life %d cost %d signatures; want 1", half, n)
		}
		w.clock.step(150 * time.Second)
	}
}

func TestRenewalBeginsWithAStoreRead(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	first, _ := w.assertion(g, p.session)
	w.clock.step(150*time.Second - 20*time.Second)
	want(t, "admission", w.admit(g, p.session), nil) // reads, as its last reading is old
	w.clock.step(20*time.Second - 1)
	w.store.takeCalls()
	if again, _ := w.assertion(g, p.session); again != first {
		t.Error("renewed before half of its life")
	}
	if got := w.store.takeCalls(); got != (calls{}) {
		t.Errorf("before half of its life the store was asked %+v", got)
	}
	w.clock.step(1)
	if again, _ := w.assertion(g, p.session); again == first {
		t.Error("not renewed at half of its life")
	}
	if got := w.store.takeCalls(); got != (calls{views: 1}) {
		t.Errorf("renewal asked the store %+v; want one view", got)
	}
}

func TestAssertionNeverOutlivesItsSession(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	end := w.session(p.sid).Expires
	w.clock.step(168*time.Hour - 4*time.Minute)
	for w.clock.Now().Before(end.Add(-time.Second)) {
		if _, claims := w.assertion(g, p.session); claims.Expires.After(end) {
			t.Errorf("the assertion ends %s, after its session at %s", claims.Expires, end)
		}
		w.clock.step(10 * time.Second)
	}
	w.clock.step(end.Sub(w.clock.Now()))
	want(t, "admission at the session's end", w.admit(g, p.session), authcore.ErrSession)
}

func TestEachGuardHasItsOwnAssertion(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	h := w.guard(func(cfg *authcore.GuardConfig) { cfg.Audience = "https://other.example.com" })
	mine, _ := w.assertion(g, p.session)
	pass, err := h.Admit(t.Context(), p.session, "")
	if err != nil {
		t.Fatalf("admit: %v", err)
	}
	pass.Release()
	if _, err := w.keys.Ring().VerifyAssertion(pass.Assertion, issuer, "https://other.example.com", w.clock.Now()); err != nil {
		t.Errorf("verify the other guard's assertion: %v", err)
	}
	if _, err := w.keys.Ring().VerifyAssertion(pass.Assertion, issuer, audience, w.clock.Now()); err == nil {
		t.Error("one guard's assertion is good for the other's audience")
	}
	if again, _ := w.assertion(g, p.session); again != mine {
		t.Error("one guard's assertion pushed out the other's")
	}
}

// TestReloadRenewsAssertions: what a new configuration says of assertions holds
// from its first request on, though the session is in the cache.
func TestReloadRenewsAssertions(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.assertion(w.guard(), p.session)
	cfg := w.config()
	cfg.Lifetimes.Assertion = time.Minute
	w.Service = w.service(cfg)
	w.store.takeCalls()
	if _, claims := w.assertion(w.guard(), p.session); claims.Expires.Sub(claims.Issued) != time.Minute {
		t.Errorf("after the reload an assertion lives %s; want 1m", claims.Expires.Sub(claims.Issued))
	}
	if got := w.store.takeCalls(); got != (calls{}) {
		t.Errorf("the reload cost the session %+v", got)
	}
}
