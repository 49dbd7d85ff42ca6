package authcore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// TestFillThatBeganBeforeARevocationIsDropped holds a request between its read
// of the store and its use of what it read.
func TestFillThatBeganBeforeARevocationIsDropped(t *testing.T) {
	for name, end := range map[string]func(*world, player) error{
		"log-out":   func(w *world, p player) error { return w.Logout(w.t.Context(), mainClient, p.session, "") },
		"disabling": func(w *world, p player) error { return w.Disable(w.t.Context(), p.user) },
		"refresh":   func(w *world, p player) error { w.refreshed(p.session); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.newPlayer()
			g := w.guard()
			read, goOn := make(chan struct{}), make(chan struct{})
			w.store.afterView(func() {
				w.store.afterView(nil)
				close(read)
				<-goOn
			})
			admitted := make(chan error)
			go func() { admitted <- w.admit(g, p.session) }()
			<-read
			want(t, name, end(w, p), nil)
			close(goOn)
			want(t, "admission that had read before", <-admitted, authcore.ErrSession)
			want(t, "the next admission", w.admit(g, p.session), authcore.ErrSession)
		})
	}
}

// TestSegmentsSetDuringAFillAreSeen is the same race with what may be read again.
func TestSegmentsSetDuringAFillAreSeen(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	read, goOn := make(chan struct{}), make(chan struct{})
	w.store.afterView(func() {
		w.store.afterView(nil)
		close(read)
		<-goOn
	})
	g := w.guard(func(cfg *authcore.GuardConfig) { cfg.Segments = map[string]string{"tier": "gold"} })
	admitted := make(chan error)
	go func() { admitted <- w.admit(g, p.session) }()
	<-read
	want(t, "set segments", w.SetSegments(t.Context(), p.user, map[string]string{"tier": "gold"}), nil)
	close(goOn)
	if err := <-admitted; err != nil && !errors.Is(err, authcore.ErrDenied) {
		t.Errorf("admission that had read before = %v", err)
	}
	want(t, "the next admission", w.admit(g, p.session), nil)
}

// TestEvictionHidesNoRevocation: what the cache forgot must not come back, nor
// may a request that holds it miss the end.
func TestEvictionHidesNoRevocation(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	pass, err := g.Admit(t.Context(), p.session, "")
	if err != nil {
		t.Fatalf("admit: %v", err)
	}
	defer pass.Release()
	w.node.Evict()
	want(t, "log-out", w.Logout(t.Context(), mainClient, p.session, ""), nil)
	want(t, "admission", w.admit(g, p.session), authcore.ErrSession)
	awaitEnd(t, pass)
}

func TestRevocationsAndAdmissionsTogether(t *testing.T) {
	w := newWorld(t)
	g := w.guard()
	together(50, func(i int) {
		a := player{openID: fmt.Sprintf("OPENID%d", i), access: fmt.Sprintf("access token of %d", i)}
		w.qq.know(a.access, qqAccount{openID: a.openID})
		out, err := w.LoginQQ(t.Context(), mainClient, phone, a.access, a.openID)
		if err != nil {
			t.Errorf("login: %v", err)
			return
		}
		session := out.Grant.Token.Reveal()
		want(t, "admission", w.admit(g, session), nil)
		if i%3 == 0 {
			w.node.Evict()
		}
		want(t, "log-out", w.Logout(t.Context(), mainClient, session, ""), nil)
		want(t, "admission after the log-out", w.admit(g, session), authcore.ErrSession)
	})
}

func TestStoreFailure(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault error
		after time.Duration // since the store's last word
		want  error
	}{
		{"a cached session goes on", authcore.ErrUnavailable, 24 * time.Second, nil},
		{"a cached session whose reading is old goes on", authcore.ErrUnavailable, 30 * time.Second, nil},
		{"for 30 s", authcore.ErrUnavailable, 30*time.Second + 1, authcore.ErrUnavailable},
		{"damage is not outlived", authcore.ErrDamaged, 30 * time.Second, authcore.ErrDamaged},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			g := w.guard()
			absent, p := w.newPlayer(), w.newPlayer()
			first, _ := w.assertion(g, p.session)
			w.store.fail(test.fault)
			want(t, "admission of a session that is not cached", w.admit(g, absent.session), authcore.ErrUnavailable)
			w.clock.step(test.after)
			pass, err := g.Admit(t.Context(), p.session, "")
			want(t, "admission of a cached session", err, test.want)
			if err == nil {
				pass.Release()
				if pass.Assertion != first {
					t.Error("an assertion was signed without the store")
				}
			}
			if age := w.node.FeedAge(); age != test.after {
				t.Errorf("the store was heard from %s ago; want %s", age, test.after)
			}
			w.store.fail(nil)
			want(t, "admission when the store is back", w.admit(g, p.session), nil)
			if age := w.node.FeedAge(); test.after >= 30*time.Second && age != 0 {
				t.Errorf("the store was heard from %s ago; want just now", age)
			}
		})
	}
}

// TestEventIsNotOutlived: an event decides, whatever the cache holds.
func TestEventIsNotOutlived(t *testing.T) {
	w := newWorld(t)
	g := w.guard()
	p := w.newPlayer()
	want(t, "admission", w.admit(g, p.session), nil)
	w.store.fail(authcore.ErrUnavailable)
	w.node.Apply(authcore.Event{User: p.user})
	want(t, "admission after an event that cannot be looked into", w.admit(g, p.session), authcore.ErrUnavailable)
}

func TestHalfLifeDuringAStoreFailure(t *testing.T) {
	w := newWorld(t)
	g := w.guard()
	p := w.newPlayer()
	first, _ := w.assertion(g, p.session)
	w.clock.step(140 * time.Second)
	want(t, "admission", w.admit(g, p.session), nil)
	w.store.fail(authcore.ErrUnavailable)
	w.clock.step(15 * time.Second)
	if again, _ := w.assertion(g, p.session); again != first {
		t.Error("an assertion was signed without the store")
	}
}

// TestReloadDuringAStoreFailure: a new configuration finds no assertion of its
// own, and must not end what may go on.
func TestReloadDuringAStoreFailure(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.assertion(w.guard(), p.session)
	w.store.fail(authcore.ErrUnavailable)
	w.clock.step(20 * time.Second)
	w.Service = w.service(w.config())
	g := w.guard()
	first, _ := w.assertion(g, p.session)
	if again, _ := w.assertion(g, p.session); again != first {
		t.Error("every request costs a signature")
	}
	w.clock.step(10*time.Second + 1)
	want(t, "admission after 30 s", w.admit(g, p.session), authcore.ErrUnavailable)
}

func TestHeartbeatKeepsTheStoreTrusted(t *testing.T) {
	w := newWorld(t)
	w.store.fail(authcore.ErrUnavailable) // so that the node's own heartbeat cannot interfere
	w.clock.step(time.Minute)
	w.node.Beat()
	if age := w.node.FeedAge(); age != time.Minute {
		t.Errorf("after a heartbeat that failed the store was heard from %s ago; want 1m", age)
	}
	w.store.fail(nil)
	w.node.Beat()
	if age := w.node.FeedAge(); age != 0 {
		t.Errorf("after a heartbeat the store was heard from %s ago; want just now", age)
	}
}

// TestEntriesAreReadAgainWithin30Seconds is contract 6.5: whatever the feed
// says, a change that no event told of is seen.
func TestEntriesAreReadAgainWithin30Seconds(t *testing.T) {
	silent := func(w *world, p player) { // a change that no event tells of
		w.changeUser(p.user, func(u *authcore.User) { u.Disabled = true })
	}
	t.Run("in the background", func(t *testing.T) {
		w := newWorld(t)
		g := w.guard()
		p := w.newPlayer()
		want(t, "admission", w.admit(g, p.session), nil)
		silent(w, p)
		w.clock.step(25 * time.Second)
		want(t, "the admission that starts the reading", w.admit(g, p.session), nil)
		await(t, "the background reading", func() bool { return w.admit(g, p.session) != nil })
		want(t, "admission after it", w.admit(g, p.session), authcore.ErrSession)
	})
	t.Run("before use", func(t *testing.T) {
		w := newWorld(t)
		g := w.guard()
		p := w.newPlayer()
		want(t, "admission", w.admit(g, p.session), nil)
		silent(w, p)
		w.clock.step(30 * time.Second)
		want(t, "admission of an entry of 30 s", w.admit(g, p.session), authcore.ErrSession)
	})
}

func TestEventLogOverflowCostsARead(t *testing.T) {
	w := newWorld(t)
	g := w.guard()
	p, gone := w.newPlayer(), w.newPlayer()
	first, _ := w.assertion(g, p.session)
	want(t, "admission", w.admit(g, gone.session), nil)
	want(t, "log-out", w.Logout(t.Context(), mainClient, gone.session, ""), nil)
	for i := range authcore.EventLogSize {
		w.node.Apply(authcore.Event{User: authcore.UserID(fmt.Sprint("stranger ", i))})
	}
	w.store.takeCalls()
	for range 3 {
		if again, _ := w.assertion(g, p.session); again != first {
			t.Error("it cost a signature")
		}
	}
	if got := w.store.takeCalls(); got != (calls{views: 1}) {
		t.Errorf("an overflow asked the store %+v; want one view", got)
	}
	want(t, "admission of the session whose end was pushed out", w.admit(g, gone.session), authcore.ErrSession)
}

func TestStrangersEventsCostNothing(t *testing.T) {
	w := newWorld(t)
	g := w.guard()
	p := w.newPlayer()
	w.assertion(g, p.session)
	w.store.takeCalls()
	for i := range authcore.EventLogSize - 1 {
		w.node.Apply(authcore.Event{User: authcore.UserID(fmt.Sprint("stranger ", i))})
	}
	want(t, "admission", w.admit(g, p.session), nil)
	if got := w.store.takeCalls(); got != (calls{}) {
		t.Errorf("events of strangers asked the store %+v", got)
	}
}

func TestExpiryOfACachedSession(t *testing.T) {
	w := newWorld(t)
	g := w.guard()
	p := w.newPlayer()
	session, _ := w.raw(p.user, func(s *authcore.Session) { s.Expires = s.Issued.Add(10 * time.Second) })
	want(t, "admission", w.admit(g, session), nil)
	w.clock.step(10*time.Second - 1)
	want(t, "admission just before the end", w.admit(g, session), nil)
	w.clock.step(1)
	w.store.takeCalls()
	want(t, "admission at the end", w.admit(g, session), authcore.ErrSession)
	if got := w.store.takeCalls(); got != (calls{}) {
		t.Errorf("a session that has expired asked the store %+v", got)
	}
}
