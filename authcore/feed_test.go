package authcore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/token"
)

// sharedStore is a node's hold on a store that another node writes to as well.
type sharedStore struct {
	*faultStore
	mu     sync.Mutex
	heard  []authcore.Event
	missed bool  // some events were not heard
	deaf   error // what Poll answers
	polled int
	unsure bool // Updates hold, and nobody is told so
	told   []authcore.Event
}

func (s *sharedStore) Poll(context.Context) ([]authcore.Event, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf != nil {
		return nil, false, s.deaf
	}
	events, missed := s.heard, s.missed
	s.heard, s.missed, s.polled = nil, false, s.polled+1
	return events, !missed, nil
}

// change is for what Poll answers. It returns when that has been taken to the
// node: two more Polls have been answered.
func (s *sharedStore) change(t *testing.T, change func()) {
	t.Helper()
	s.mu.Lock()
	change()
	deaf, until := s.deaf != nil, s.polled+2
	s.mu.Unlock()
	await(t, "the next Poll", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return deaf || s.polled >= until
	})
}

func (s *sharedStore) Update(ctx context.Context, fn func(authcore.Tx) error) error {
	var told []authcore.Event
	err := s.faultStore.Update(ctx, func(tx authcore.Tx) error {
		told = nil
		return fn(listeningTx{tx, &told})
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, told...)
	if s.unsure {
		return authcore.ErrUnavailable
	}
	return nil
}

// takeTold returns what was announced since it was last asked.
func (s *sharedStore) takeTold() []authcore.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told
	s.told = nil
	return told
}

type listeningTx struct {
	authcore.Tx
	told *[]authcore.Event
}

func (t listeningTx) Announce(events ...authcore.Event) {
	*t.told = append(*t.told, events...)
	t.Tx.Announce(events...)
}

// secondNode is another node on the store of a world, as a process of its own.
type secondNode struct {
	*authcore.Service
	store *sharedStore
	node  *authcore.Node
	keys  *token.Keys
	guard *authcore.Guard
}

func (w *world) secondNode() *secondNode {
	w.t.Helper()
	s := &secondNode{store: &sharedStore{faultStore: &faultStore{Store: w.store.Store}}, keys: token.NewKeys(w.keyConfig())}
	if err := s.store.View(w.t.Context(), func(tx authcore.Tx) error {
		ring, err := tx.Ring()
		if err == nil {
			_, err = s.keys.Unlock(ring)
		}
		return err
	}); err != nil {
		w.t.Fatalf("unlock: %v", err)
	}
	s.node = authcore.NewNode(authcore.NodeConfig{Store: s.store, Keys: s.keys, Now: w.clock.Now})
	w.t.Cleanup(func() { s.node.Close() })
	await(w.t, "the second node's first look at the ring", func() bool { return s.store.views.Load() > 1 })
	s.store.takeCalls()
	var err error
	if s.Service, err = authcore.NewService(s.node, w.cfg); err != nil {
		w.t.Fatalf("make a service: %v", err)
	}
	if s.guard, err = s.NewGuard(authcore.GuardConfig{Audience: audience, Clients: []authcore.ClientID{mainClient}}); err != nil {
		w.t.Fatalf("make a guard: %v", err)
	}
	return s
}

func TestEventsOfAnotherNode(t *testing.T) {
	w := newWorld(t)
	b := w.secondNode()
	for _, test := range []struct {
		name   string
		change func(player) error // at the first node
		hear   func(player) []authcore.Event
		missed bool
	}{
		{name: "the end of a session", change: func(p player) error { return w.EndSession(t.Context(), p.sid) },
			hear: func(p player) []authcore.Event { return []authcore.Event{{User: p.user, Session: p.sid, Ended: true}} }},
		{name: "the end of all", change: func(p player) error { return w.EndSessions(t.Context(), p.user) },
			hear: func(p player) []authcore.Event { return []authcore.Event{{User: p.user, Ended: true}} }},
		{name: "something unheard", change: func(p player) error { return w.EndSession(t.Context(), p.sid) },
			hear: func(player) []authcore.Event { return nil }, missed: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, other := w.newPlayer(), w.newPlayer()
			live, err := b.guard.Admit(t.Context(), p.session, "")
			want(t, "admission", err, nil)
			defer live.Release()
			beside, err := b.guard.Admit(t.Context(), other.session, "")
			want(t, "the other's admission", err, nil)
			defer beside.Release()
			want(t, "change", test.change(p), nil)
			want(t, "cached, and nothing heard", w.admit(b.guard, p.session), nil)
			b.store.change(t, func() { b.store.heard, b.store.missed = test.hear(p), test.missed })
			want(t, "heard", w.admit(b.guard, p.session), authcore.ErrSession)
			await(t, "the live request to end", func() bool { return live.Context().Err() != nil })
			want(t, "the other's", w.admit(b.guard, other.session), nil)
			want(t, "the other's live request", beside.Context().Err(), nil)
		})
	}
}

// A store that answers every read may still say nothing of what was revoked.
func TestAnswersAreNotHearing(t *testing.T) {
	w := newWorld(t)
	b := w.secondNode()
	p := w.newPlayer()
	b.store.change(t, func() {})
	b.store.change(t, func() { b.store.deaf = authcore.ErrUnavailable })
	w.clock.step(31 * time.Second)
	want(t, "read anew", w.admit(b.guard, p.session), nil)
	_, err := b.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
	want(t, "login", err, nil)
	b.node.Beat()
	if age := b.node.FeedAge(); age < 31*time.Second {
		t.Errorf("the feed's age is %v, as if something had been heard", age)
	}
	b.store.fail(authcore.ErrUnavailable)
	want(t, "nothing read and nothing heard", w.admit(b.guard, p.session), authcore.ErrUnavailable)
}

// What other nodes must hear stands in the transaction that makes it true.
func TestAnnouncements(t *testing.T) {
	w := newWorld(t)
	b := w.secondNode()
	p := w.newPlayer()
	full := w.newPlayer()
	oldest := full.sid
	for range 19 {
		w.clock.step(time.Second)
		full = w.again(full)
	}
	w.clock.step(time.Second)
	bare, bareID := w.raw(p.user, func(*authcore.Session) {})
	device, err := b.NewGuard(authcore.GuardConfig{Audience: "d", Clients: []authcore.ClientID{mainClient}, RequireDevice: true})
	want(t, "guard", err, nil)
	for _, test := range []struct {
		name string
		call func() error
		told authcore.Event
	}{
		{"refresh", func() error {
			g, err := b.Refresh(t.Context(), mainClient, phone, p.session)
			if err == nil {
				p.session = g.Token.Reveal()
			}
			return err
		}, authcore.Event{User: p.user, Session: p.sid}},
		{"first device", func() error {
			pass, err := device.Admit(t.Context(), bare, "phone")
			if err == nil {
				pass.Release()
			}
			return err
		}, authcore.Event{User: p.user, Session: bareID}},
		{"segments", func() error { return b.SetSegments(t.Context(), p.user, nil) }, authcore.Event{User: p.user}},
		{"log-out", func() error { return b.Logout(t.Context(), mainClient, p.session, "") },
			authcore.Event{User: p.user, Session: p.sid, Ended: true}},
		{"disabling", func() error { return b.Disable(t.Context(), p.user) }, authcore.Event{User: p.user, Ended: true}},
		{"one session too many", func() error {
			_, err := b.LoginQQ(t.Context(), mainClient, phone, full.access, full.openID)
			return err
		}, authcore.Event{User: full.user, Session: oldest, Ended: true}},
	} {
		b.store.takeTold()
		want(t, test.name, test.call(), nil)
		told := b.store.takeTold()
		if len(told) == 0 || told[len(told)-1] != test.told {
			t.Errorf("%s: announced %+v, want %+v in the end", test.name, told, test.told)
		}
	}
}

// A write of which nobody knows whether it holds is no answer, and no reason to go
// on with what was cached.
func TestUnsureWritesAreReadAgain(t *testing.T) {
	w := newWorld(t)
	b := w.secondNode()
	p := w.newPlayer()
	want(t, "admission", w.admit(b.guard, p.session), nil)
	b.store.mu.Lock()
	b.store.unsure = true
	b.store.mu.Unlock()
	want(t, "log-out", b.Logout(t.Context(), mainClient, p.session, ""), authcore.ErrUnavailable)
	want(t, "after it", w.admit(b.guard, p.session), authcore.ErrSession)
}

func TestRingOfAnotherNode(t *testing.T) {
	w := newWorld(t)
	b := w.secondNode()
	cfg := w.keyConfig()
	cfg.Alg = token.EdDSA
	want(t, "rekey", w.node.Rekey(t.Context(), cfg), nil)
	w.cfg.Alg = token.EdDSA
	w.Service = w.service(w.cfg)
	p := w.newPlayer()
	g, err := w.IDToken(t.Context(), mainClient, phone, p.session)
	want(t, "id_token", err, nil)
	verified := func() bool {
		_, err := b.keys.Ring().VerifyIDToken(g.IDToken, issuer, w.clock.Now())
		return err == nil
	}
	if verified() {
		t.Fatal("the other node knows the new key before it was told")
	}
	b.store.change(t, func() { b.store.heard = []authcore.Event{{Ring: true}} })
	await(t, "the other node to adopt the ring", verified)
}

// A node that hears nothing cannot know whom to cut off: after 30 s, everybody.
func TestLiveRequestsOfADeafNode(t *testing.T) {
	w := newWorld(t)
	b := w.secondNode()
	p := w.newPlayer()
	live, err := b.guard.Admit(t.Context(), p.session, "")
	want(t, "admission", err, nil)
	defer live.Release()
	b.store.change(t, func() { b.store.deaf = authcore.ErrUnavailable })
	w.clock.step(29 * time.Second)
	b.node.Beat()
	want(t, "the live request after 29 s", live.Context().Err(), nil)
	w.clock.step(2 * time.Second)
	b.node.Beat()
	want(t, "the live request after 31 s", live.Context().Err(), context.Canceled)
}

// An event about all sessions of a user that is heard late is not about those
// made since.
func TestLateEventSparesNewSessions(t *testing.T) {
	w := newWorld(t)
	b := w.secondNode()
	p := w.newPlayer()
	old, err := b.guard.Admit(t.Context(), p.session, "")
	want(t, "admission", err, nil)
	defer old.Release()
	want(t, "log-out of all", w.EndSessions(t.Context(), p.user), nil)
	again, _ := w.raw(p.user, func(s *authcore.Session) { s.Epoch = 1 })
	since, err := b.guard.Admit(t.Context(), again, "")
	want(t, "admission since", err, nil)
	defer since.Release()
	b.store.change(t, func() { b.store.heard = []authcore.Event{{User: p.user, Ended: true}} })
	await(t, "the old request to end", func() bool { return old.Context().Err() != nil })
	want(t, "the new one", since.Context().Err(), nil)
}
