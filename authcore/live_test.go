package authcore_test

import (
	"context"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// grace is what requests in flight get to finish: contract 6.4.
const grace = 500 * time.Millisecond

// awaitEnd waits until a request in flight is cancelled.
func awaitEnd(t *testing.T, p *authcore.Pass) {
	t.Helper()
	select {
	case <-p.Context().Done():
	case <-time.After(5 * grace):
		t.Fatal("the request in flight goes on")
	}
}

// TestRequestsInFlightGetTheirGraceAndEnd is contract 6.4.
func TestRequestsInFlightGetTheirGraceAndEnd(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*world, player) error
		all  bool // also the user's other session
	}{
		{"log-out", func(w *world, p player) error { return w.Logout(w.t.Context(), mainClient, p.session, "") }, false},
		{"end of one session", func(w *world, p player) error { return w.EndSession(w.t.Context(), p.sid) }, false},
		{"end of all sessions", func(w *world, p player) error { return w.EndSessions(w.t.Context(), p.user) }, true},
		{"disabling", func(w *world, p player) error { return w.Disable(w.t.Context(), p.user) }, true},
		{"replay", func(w *world, p player) error {
			w.refreshed(p.session)
			w.clock.step(31 * time.Second)
			_, _ = w.Refresh(w.t.Context(), mainClient, phone, p.session)
			return nil
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			g := w.guard()
			p := w.newPlayer()
			other, stranger := w.again(p), w.newPlayer()
			child, _ := w.raw(p.user, func(s *authcore.Session) { s.Parent = p.sid })
			var passes []*authcore.Pass
			for _, session := range []string{p.session, child, other.session, stranger.session} {
				pass, err := g.Admit(t.Context(), session, "")
				if err != nil {
					t.Fatalf("admit: %v", err)
				}
				defer pass.Release()
				passes = append(passes, pass)
			}
			ended := make(chan time.Time, 1)
			context.AfterFunc(passes[0].Context(), func() { ended <- time.Now() })
			began := time.Now()
			want(t, test.name, test.end(w, p), nil)
			if err := passes[0].Context().Err(); err != nil && time.Since(began) < grace {
				t.Error("the request in flight got no grace")
			}
			awaitEnd(t, passes[0])
			if got := (<-ended).Sub(began); got < grace {
				t.Errorf("the request in flight got %s; want at least %s", got, grace)
			}
			awaitEnd(t, passes[1])
			if test.all {
				awaitEnd(t, passes[2])
			} else if passes[2].Context().Err() != nil {
				t.Error("the user's other session ended too")
			}
			if passes[3].Context().Err() != nil {
				t.Error("another user's request ended too")
			}
		})
	}
}

func TestSessionExpiryEndsRequestsInFlight(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	w.clock.step(time.Hour)
	later := w.again(p)
	var passes []*authcore.Pass
	for _, session := range []string{p.session, later.session} {
		pass, err := g.Admit(t.Context(), session, "")
		if err != nil {
			t.Fatalf("admit: %v", err)
		}
		defer pass.Release()
		passes = append(passes, pass)
	}
	w.clock.step(167*time.Hour - 1)
	w.node.Beat()
	if passes[0].Context().Err() != nil {
		t.Error("the request ended before its session")
	}
	w.clock.step(1)
	w.node.Beat()
	if passes[0].Context().Err() == nil {
		t.Error("the request outlives its session")
	}
	if passes[1].Context().Err() != nil {
		t.Error("the request of another session ended too")
	}
}

func TestPassEndsWithItsRequest(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	ctx, cancel := context.WithCancel(t.Context())
	pass, err := w.guard().Admit(ctx, p.session, "")
	if err != nil {
		t.Fatalf("admit: %v", err)
	}
	if n := w.node.LiveRequests(); n != 1 {
		t.Errorf("%d requests in flight; want 1", n)
	}
	cancel()
	if pass.Context().Err() == nil {
		t.Error("the pass outlives its request")
	}
	pass.Release()
	if n := w.node.LiveRequests(); n != 0 {
		t.Errorf("%d requests in flight after release; want 0", n)
	}
}

func TestReleaseInAnyOrder(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	var passes []*authcore.Pass
	for range 5 {
		pass, err := g.Admit(t.Context(), p.session, "")
		if err != nil {
			t.Fatalf("admit: %v", err)
		}
		passes = append(passes, pass)
	}
	for left, i := range []int{2, 4, 0, 3, 1} {
		passes[i].Release()
		if n := w.node.LiveRequests(); n != 4-left {
			t.Errorf("%d requests in flight; want %d", n, 4-left)
		}
	}
}

func TestCloseCancelsRequestsInFlight(t *testing.T) {
	w := newWorld(t)
	pass, err := w.guard().Admit(t.Context(), w.newPlayer().session, "")
	if err != nil {
		t.Fatalf("admit: %v", err)
	}
	defer pass.Release()
	want(t, "close", w.node.Close(), nil)
	if pass.Context().Err() == nil {
		t.Error("the request in flight outlives the node")
	}
}
