package authcore_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/token"
)

// idling ends sessions that go unused for so long.
func idling(idle time.Duration) func(*authcore.Config) {
	return func(cfg *authcore.Config) { cfg.Lifetimes.Idle = idle }
}

// used lets a session in at a guard, and waits until its use is written if that is
// due.
func (w *world) used(g *authcore.Guard, p player) {
	w.t.Helper()
	now, before := w.clock.Now(), w.session(p.sid)
	want(w.t, "a session in use", w.admit(g, p.session), nil)
	if before.Idle == 0 || now.Before(before.LastUse.Add(before.Idle/10)) {
		return
	}
	await(w.t, "the use to be written", func() bool {
		want(w.t, "a session in use", w.admit(g, p.session), nil)
		return w.session(p.sid).LastUse.Equal(now)
	})
}

// TestIdleNodes uses sessions on two nodes that share a store, now on one and now on
// the other, from the cache and from the store, with pauses in which they must not
// end; and then lets them go unused.
func TestIdleNodes(t *testing.T) {
	for _, idle := range []time.Duration{time.Minute, 30 * time.Minute} {
		t.Run(idle.String(), func(t *testing.T) {
			w := newWorld(t, idling(idle))
			b := w.secondNode()
			guards := []*authcore.Guard{w.guard(), b.guard}
			random := rand.New(rand.NewPCG(1, uint64(idle)))
			for range 15 {
				p := w.newPlayer()
				for range 15 {
					pauses := []time.Duration{idle - 1, idle / 10, idle/10 - 1, time.Duration(random.Int64N(int64(idle)))}
					w.clock.step(pauses[random.IntN(len(pauses))])
					switch random.IntN(6) {
					case 0:
						w.node.Evict()
					case 1:
						b.node.Evict()
					}
					w.used(guards[random.IntN(2)], p)
					if t.Failed() {
						return
					}
				}
				w.clock.step(idle + idle/5)
				for _, g := range guards {
					want(t, "a session that went unused", w.admit(g, p.session), authcore.ErrSession)
				}
			}
		})
	}
}

// A session that went unused is over for every call.
func TestIdleSessionIsOver(t *testing.T) {
	const idle = 30 * time.Minute
	w := newWorld(t, idling(idle))
	p := w.newPlayer()
	g, signed := w.guard(), w.freshIDToken(p)
	w.used(g, p)
	w.clock.step(idle - 1)
	if list, err := w.Sessions(t.Context(), p.user); len(list) != 1 || err != nil {
		t.Errorf("sessions before the end: %+v, %v", list, err)
	}
	w.clock.step(idle/5 + 1)
	want(t, "guard", w.admit(g, p.session), authcore.ErrSession)
	_, err := g.Identify(t.Context(), p.session, "")
	want(t, "identify", err, authcore.ErrSession)
	_, err = w.IDToken(t.Context(), mainClient, phone, p.session)
	want(t, "id_token", err, authcore.ErrSession)
	_, err = w.IssueTicket(t.Context(), mainClient, phone, p.session, "")
	want(t, "ticket", err, authcore.ErrSession)
	_, err = w.Refresh(t.Context(), mainClient, phone, p.session)
	want(t, "refresh", err, authcore.ErrSession)
	_, err = w.CheckIDToken(t.Context(), mainClient, signed)
	want(t, "the user's own call", err, authcore.ErrIDToken)
	_, err = w.Profile(t.Context(), mainClient, p.sid)
	want(t, "profile", err, authcore.ErrIDToken)
	if list, err := w.Sessions(t.Context(), p.user); len(list) != 0 || err != nil {
		t.Errorf("sessions after the end: %+v, %v", list, err)
	}
}

// TestUsesAreWrittenSeldom uses a session from the cache a hundred times in the time
// that it may go unused: that is at most ten writes. The reading anew of the cache,
// every 25 s, may find a use that is just being written, and look once more.
func TestUsesAreWrittenSeldom(t *testing.T) {
	const idle = time.Minute
	w := newWorld(t, idling(idle))
	p := w.newPlayer()
	g := w.guard()
	w.used(g, p)
	w.store.takeCalls()
	written := make(map[time.Time]bool)
	for range 100 {
		w.clock.step(idle / 100)
		w.used(g, p)
		w.used(g, p)
		written[w.session(p.sid).LastUse] = true
	}
	const read = 3
	if n := w.store.takeCalls().updates; len(written) < 9 || len(written) > 11 || n > 10+read {
		t.Errorf("%d uses written in %d updates", len(written), n)
	}
	w.clock.step(idle)
	want(t, "the session", w.admit(g, p.session), nil)
}

// Many requests at the same moment note one use.
func TestUsesAtOnceAreWrittenOnce(t *testing.T) {
	const idle = time.Minute
	w := newWorld(t, idling(idle))
	p := w.newPlayer()
	g := w.guard()
	w.used(g, p)
	w.store.takeCalls()
	w.clock.step(idle / 5)
	together(100, func(int) { want(t, "the session", w.admit(g, p.session), nil) })
	w.used(g, p)
	if n := w.store.takeCalls().updates; n != 1 {
		t.Errorf("%d writes", n)
	}
}

func TestWithoutIdleNothingIsWritten(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g, signed := w.guard(), w.freshIDToken(p)
	w.store.takeCalls()
	for range 16 {
		w.clock.step(7 * time.Minute)
		want(t, "the session", w.admit(g, p.session), nil)
		want(t, "the session, from the cache", w.admit(g, p.session), nil)
		_, err := w.CheckIDToken(t.Context(), mainClient, signed)
		want(t, "the user's own call", err, nil)
		w.freshIDToken(p)
		w.node.Beat()
	}
	if n := w.store.takeCalls().updates; n != 0 {
		t.Errorf("%d writes", n)
	}
	w.clock.step(160 * time.Hour)
	want(t, "the session after six days", w.admit(g, p.session), nil)
	if s := w.session(p.sid); s.Idle != 0 || !s.LastUse.IsZero() {
		t.Errorf("the session is %+v", s)
	}
}

// What a session may do was settled when it was made.
func TestIdleIsSettledAtTheLogin(t *testing.T) {
	w := newWorld(t)
	forever := w.newPlayer()
	cfg := w.cfg
	cfg.Lifetimes.Idle = 30 * time.Minute
	w.Service = w.service(cfg)
	short := w.newPlayer()
	w.Service = w.service(w.cfg)
	w.clock.step(time.Hour)
	want(t, "a session from before", w.admit(w.guard(), forever.session), nil)
	want(t, "a session from between", w.admit(w.guard(), short.session), authcore.ErrSession)
}

// TestWhatCountsAsUse: whatever the session is needed for.
func TestWhatCountsAsUse(t *testing.T) {
	const idle = 30 * time.Minute
	name := "n"
	for _, test := range []struct {
		name string
		use  func(*world, *player) error
		want error // of the session, later
	}{
		{"nothing", func(*world, *player) error { return nil }, authcore.ErrSession},
		{"a guard", func(w *world, p *player) error { return w.admit(w.guard(), p.session) }, nil},
		{"a guard with an empty cache", func(w *world, p *player) error {
			w.node.Evict()
			return w.admit(w.guard(), p.session)
		}, nil},
		{"an id_token", func(w *world, p *player) error {
			_, err := w.IDToken(w.t.Context(), mainClient, phone, p.session)
			return err
		}, nil},
		{"a ticket", func(w *world, p *player) error {
			_, err := w.IssueTicket(w.t.Context(), mainClient, phone, p.session, "")
			return err
		}, nil},
		{"a refresh", func(w *world, p *player) error {
			p.session = w.refreshed(p.session)
			return nil
		}, nil},
		{"the user's own data", func(w *world, p *player) error {
			_, err := w.CheckIDToken(w.t.Context(), mainClient, w.signed(*p))
			return err
		}, nil},
		{"a change of the user's own data", func(w *world, p *player) error {
			return w.UpdateProfile(w.t.Context(), mainClient, phone, p.sid, authcore.ProfileUpdate{Name: &name})
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, idling(idle))
			p := w.newPlayer()
			w.clock.step(idle - time.Minute)
			at := w.clock.Now()
			want(t, test.name, test.use(w, &p), nil)
			if test.want == nil {
				await(t, "the use to be written", func() bool { return w.session(p.sid).LastUse.Equal(at) })
			}
			w.clock.step(idle - time.Minute)
			want(t, "the session", w.admit(w.guard(), p.session), test.want)
		})
	}
}

// signed is an id_token of a player's session, had without using it.
func (w *world) signed(p player) string {
	w.t.Helper()
	raw, err := w.keys.Ring().SignIDToken(w.cfg.Alg, token.IDClaims{
		Issuer: issuer, Audience: string(mainClient), Subject: string(p.user), Session: string(p.sid),
		API: token.API{ID: string(p.user)}, Expires: w.clock.Now().Add(time.Hour),
	}, w.clock.Now())
	if err != nil {
		w.t.Fatalf("sign an id_token: %v", err)
	}
	return raw
}

// A WebSocket is one request, and in use as long as it lives.
func TestLiveRequestKeepsItsSession(t *testing.T) {
	const idle = 30 * time.Minute
	w := newWorld(t, idling(idle))
	p := w.newPlayer()
	g := w.guard()
	live, err := g.Admit(t.Context(), p.session, "")
	want(t, "admission", err, nil)
	for range 12 {
		w.clock.step(idle / 3)
		w.beatUntilUsed(p)
	}
	want(t, "the request", live.Context().Err(), nil)
	want(t, "the session", w.admit(g, p.session), nil)
	live.Release()
	w.clock.step(idle + idle/5)
	w.node.Beat()
	want(t, "the session after the request", w.admit(g, p.session), authcore.ErrSession)
}

// beatUntilUsed has the node beat until a session is written as used now.
func (w *world) beatUntilUsed(p player) {
	w.t.Helper()
	await(w.t, "the use to be written", func() bool {
		w.node.Beat()
		return w.session(p.sid).LastUse.Equal(w.clock.Now())
	})
}

// The token of a session that has a live request may be refreshed meanwhile.
func TestLiveRequestKeepsItsRefreshedSession(t *testing.T) {
	const idle = 30 * time.Minute
	w := newWorld(t, idling(idle))
	p := w.newPlayer()
	g := w.guard()
	live, err := g.Admit(t.Context(), p.session, "")
	want(t, "admission", err, nil)
	defer live.Release()
	p.session = w.refreshed(p.session)
	for range 6 {
		w.clock.step(idle / 3)
		w.beatUntilUsed(p)
	}
	want(t, "the request", live.Context().Err(), nil)
	want(t, "the session", w.admit(g, p.session), nil)
}

// TestUsedSessionInAFrozenStore: a session of which nothing can be written lives on
// until it has to end, and beyond if the store is opened in time.
func TestUsedSessionInAFrozenStore(t *testing.T) {
	const idle = 30 * time.Minute
	w := newWorld(t, idling(idle))
	p := w.newPlayer()
	g := w.guard()
	want(t, "admission", w.admit(g, p.session), nil)
	w.freeze(true)
	for range 4 {
		w.clock.step(idle / 4)
		want(t, "the session while nothing is written", w.admit(g, p.session), nil)
	}
	w.clock.step(idle/10 - time.Second)
	want(t, "the session when it has to end", w.admit(g, p.session), nil)
	w.freeze(false)
	w.used(g, p)
	w.clock.step(idle)
	want(t, "the session when the store is open again", w.admit(g, p.session), nil)
}

// Guards go on while a store is frozen, whatever they have in the cache.
func TestFrozenStoreLetsSessionsIn(t *testing.T) {
	const idle = 30 * time.Minute
	for name, before := range map[string]func(*world, *authcore.Guard, player){
		"not in the cache":            func(w *world, _ *authcore.Guard, _ player) { w.node.Evict() },
		"written since it was cached": func(w *world, g *authcore.Guard, p player) { w.clock.step(idle / 5); w.used(g, p) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, idling(idle))
			p := w.newPlayer()
			g := w.guard()
			want(t, "admission", w.admit(g, p.session), nil)
			before(w, g, p)
			w.freeze(true)
			w.clock.step(idle / 5)
			want(t, "the session", w.admit(g, p.session), nil)
			_, err := w.IDToken(t.Context(), mainClient, phone, p.session)
			want(t, "an id_token", err, nil)
			_, err = w.CheckIDToken(t.Context(), mainClient, w.signed(p))
			want(t, "the user's own data", err, nil)
		})
	}
}

// What went unused takes no place among the sessions that a user may have.
func TestIdleSessionsTakeNoPlace(t *testing.T) {
	const idle = 30 * time.Minute
	w := newWorld(t, idling(idle))
	first := w.newPlayer()
	g := w.guard()
	for range 19 {
		w.clock.step(time.Second)
		w.again(first)
	}
	for range 3 {
		w.clock.step(idle / 2)
		w.used(g, first)
	}
	w.again(first)
	want(t, "the first session, which is in use", w.admit(g, first.session), nil)
}

// TestLateUseIsWrittenAtOnce: a session that has all but ended is written as used
// before its request goes on, or another node would refuse the next one.
func TestLateUseIsWrittenAtOnce(t *testing.T) {
	const idle = 30 * time.Minute
	w := newWorld(t, idling(idle))
	p := w.newPlayer()
	g := w.guard()
	want(t, "admission", w.admit(g, p.session), nil)
	w.clock.step(idle + idle/20)
	want(t, "admission in the end", w.admit(g, p.session), nil)
	if last := w.session(p.sid).LastUse; !last.Equal(w.clock.Now()) {
		t.Errorf("the last use is written as %s; want %s", last, w.clock.Now())
	}
}
