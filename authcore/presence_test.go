package authcore_test

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// awaitTold waits until a connection is told, once, that its session is terminated.
func (a *attention) awaitTold(t testing.TB, what string) {
	t.Helper()
	await(t, what+" to be told", func() bool { return a.told() > 0 })
	if a.terminated.Load() != 1 || a.gone.Load() != 0 {
		t.Errorf("%s: terminated %d times, gone %d times", what, a.terminated.Load(), a.gone.Load())
	}
}

// TestConnectionIsToldOfTheEnd of its session, whatever ends it, once, and of no
// other's.
func TestConnectionIsToldOfTheEnd(t *testing.T) {
	password := "right"
	for name, test := range map[string]struct {
		end func(*world, player) error
		all bool // the user's other session, too
	}{
		"log-out":    {func(w *world, p player) error { return w.Logout(w.t.Context(), mainClient, p.session, "") }, false},
		"end of one": {func(w *world, p player) error { return w.EndSession(w.t.Context(), p.sid) }, false},
		"end of all": {func(w *world, p player) error { return w.EndSessions(w.t.Context(), p.user) }, true},
		"end of play": {func(w *world, p player) error {
			_, err := w.EndPlay(w.t.Context(), mainClient, phone, p.sid)
			return err
		}, false},
		"disabling":               {func(w *world, p player) error { return w.Disable(w.t.Context(), p.user) }, true},
		"disabling by the client": {func(w *world, p player) error { return w.TenantDisable(w.t.Context(), mainClient, p.user, true) }, true},
		"erasure":                 {func(w *world, p player) error { return w.DeleteAccount(w.t.Context(), mainClient, phone, p.sid) }, true},
		"a switch by QQ":          {func(w *world, p player) error { w.connected(p.sid, w.newPlayer()); return nil }, false},
		"a switch by a device": {func(w *world, p player) error {
			in := aDevice("another")
			in.Current = p.sid
			_, err := w.LoginDevice(w.t.Context(), mainClient, phone, in)
			return err
		}, false},
		"a change of the password elsewhere": {func(w *world, p player) error {
			w.cheaply(p.user, "alice", password)
			third := w.played(w.LoginPassword(w.t.Context(), mainClient, phone, credentials("alice", password)))
			return w.change(third, newUserName("alicia"))
		}, true},
		"a replay": {func(w *world, p player) error {
			w.refreshed(p.session)
			w.clock.step(31 * time.Second)
			_, _ = w.Refresh(w.t.Context(), mainClient, phone, p.session)
			return nil
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, games)
			p := w.guest("one")
			other, stranger := w.guest("one"), w.guest("stranger")
			own, _ := w.attend(p)
			twice, _ := w.attend(p)
			others, _ := w.attend(other)
			strangers, _ := w.attend(stranger)
			began := time.Now()
			want(t, name, test.end(w, p), nil)
			own.awaitTold(t, "the own")
			if took := time.Since(began); took < grace || took > 5*grace {
				t.Errorf("told after %s; the grace is %s", took, grace)
			}
			twice.awaitTold(t, "a second of the same session")
			if test.all {
				others.awaitTold(t, "the other session")
			} else if others.told() != 0 {
				t.Error("the other session's is told")
			}
			if strangers.told() != 0 {
				t.Error("a stranger's is told")
			}
			_, err := w.Attend(t.Context(), mainClient, secretOf(p.session), own.take)
			want(t, "attending afterwards", err, authcore.ErrSession)
			want(t, "close", w.node.Close(), nil)
			if own.told() != 1 || strangers.gone.Load() != 1 || strangers.terminated.Load() != 0 {
				t.Errorf("after the node has closed: own %d, stranger's %d", own.told(), strangers.told())
			}
		})
	}
}

// TestLinkingKeepsTheOwnConnection, and ends those of the player's other sessions.
func TestLinkingKeepsTheOwnConnection(t *testing.T) {
	w := newWorld(t, games)
	p, other := w.guest("one"), w.guest("one")
	own, _ := w.attend(p)
	others, _ := w.attend(other)
	linked := w.connected(p.sid, w.newAccount())
	others.awaitTold(t, "the other session")
	if own.told() != 0 || linked.user != p.user {
		t.Errorf("the own is told %d times", own.told())
	}
	want(t, "the session that linked", w.admit(w.guard(anyMethod), p.session), nil)
}

// TestConnectionThatHasLeftIsNotTold of what comes afterwards, nor of what was on its
// way.
func TestConnectionThatHasLeftIsNotTold(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	before, leaveBefore := w.attend(p)
	meanwhile, leaveMeanwhile := w.attend(p)
	stays, _ := w.attend(p)
	leaveBefore()
	leaveBefore() // as often as it likes
	want(t, "the end", w.EndSession(t.Context(), p.sid), nil)
	leaveMeanwhile()
	stays.awaitTold(t, "the one that stays")
	want(t, "close", w.node.Close(), nil)
	if before.told() != 0 || meanwhile.told() != 0 || stays.told() != 1 {
		t.Errorf("told: %d, %d, %d; want the last alone, once", before.told(), meanwhile.told(), stays.told())
	}
}

// TestConnectionIsToldOnce, whatever happens together.
func TestConnectionIsToldOnce(t *testing.T) {
	w := newWorld(t, games)
	var all []*attention
	for n := range 20 {
		p := w.guest(fmt.Sprint(n))
		for range 5 {
			a, _ := w.attend(p)
			all = append(all, a)
		}
		together(3, func(i int) {
			switch i {
			case 0:
				_ = w.EndSession(t.Context(), p.sid)
			case 1:
				_ = w.Disable(t.Context(), p.user)
			case 2:
				_ = w.EndSessions(t.Context(), p.user)
			}
		})
	}
	w.clock.step(200 * time.Hour)
	together(2, func(int) { w.node.Beat() })
	for _, a := range all {
		a.awaitTold(t, "one")
	}
	want(t, "close", w.node.Close(), nil)
	for _, a := range all {
		if a.told() != 1 {
			t.Errorf("told %d times", a.told())
		}
	}
}

func TestConnectionOutlivesNoSession(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	w.clock.step(time.Hour)
	later := w.guest("one")
	first, _ := w.attend(p)
	second, _ := w.attend(later)
	w.clock.step(167*time.Hour - 1)
	w.node.Beat()
	if first.told() != 0 {
		t.Error("told before the end")
	}
	w.clock.step(1)
	w.node.Beat()
	if first.terminated.Load() != 1 || second.told() != 0 {
		t.Errorf("told %d and %d times; want the first alone", first.terminated.Load(), second.told())
	}
}

// TestConnectionKeepsItsIdleSession in use, and ends with one that goes unused.
func TestConnectionKeepsItsIdleSession(t *testing.T) {
	const idle = 10 * time.Minute
	w := newWorld(t, games, idling(idle))
	p, unused := w.guest("one"), w.guest("unused")
	a, leave := w.attend(p)
	for range 6 {
		w.clock.step(idle / 2)
		w.beatUntilUsed(p)
	}
	if a.told() != 0 {
		t.Error("told of an end that is none")
	}
	_, err := w.Attend(t.Context(), mainClient, secretOf(unused.session), func(bool) {})
	want(t, "attending by one that went unused", err, authcore.ErrSession)
	leave()
	w.clock.step(idle + idle/5)
	_, err = w.Attend(t.Context(), mainClient, secretOf(p.session), func(bool) {})
	want(t, "attending after the connection", err, authcore.ErrSession)
}

// TestEventThatChangesNothing leaves the connection alone; so do a refresh and a resume.
func TestEventThatChangesNothing(t *testing.T) {
	w := newWorld(t, games)
	p, marker := w.guest("one"), w.guest("marker")
	a, _ := w.attend(p)
	m, _ := w.attend(marker)
	want(t, "segments", w.SetSegments(t.Context(), p.user, map[string]string{"a": "b"}), nil)
	want(t, "a name", w.change(p, newName("A")), nil)
	p.session = w.refreshed(w.resumed(p.session))
	w.node.Apply(authcore.Event{User: p.user, Ended: true}, authcore.Event{}, authcore.Event{User: p.user, Session: p.sid})
	want(t, "the marker's end", w.EndSession(t.Context(), marker.sid), nil)
	m.awaitTold(t, "the marker")
	if a.told() != 0 {
		t.Errorf("told %d times of nothing", a.told())
	}
	want(t, "the end", w.EndSession(t.Context(), p.sid), nil)
	a.awaitTold(t, "the end, under another token by now")
}

// TestConnectionOfANodeThatCloses is told that it is over, and not that its session is.
func TestConnectionOfANodeThatCloses(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	a, leave := w.attend(p)
	want(t, "close", w.node.Close(), nil)
	if a.gone.Load() != 1 || a.terminated.Load() != 0 {
		t.Errorf("gone %d, terminated %d; want gone once", a.gone.Load(), a.terminated.Load())
	}
	leave()
	_, err := w.Attend(t.Context(), mainClient, secretOf(p.session), a.take)
	want(t, "attending afterwards", err, authcore.ErrUnavailable)
	if a.told() != 1 {
		t.Errorf("told %d times", a.told())
	}
}

// TestConnectionOfASilentStore: of a session about which nothing can be known any more,
// it is not said that it is terminated.
func TestConnectionOfASilentStore(t *testing.T) {
	w := newWorld(t, games)
	b := w.secondNode()
	p := w.guest("one")
	a := new(attention)
	leave, err := b.Attend(t.Context(), mainClient, secretOf(p.session), a.take)
	want(t, "attend", err, nil)
	defer leave()
	b.store.change(t, func() { b.store.deaf = authcore.ErrUnavailable })
	w.clock.step(29 * time.Second)
	b.node.Beat()
	if a.told() != 0 {
		t.Fatal("told too early")
	}
	w.clock.step(2 * time.Second)
	b.node.Beat()
	if a.gone.Load() != 1 || a.terminated.Load() != 0 {
		t.Errorf("gone %d, terminated %d; want gone once", a.gone.Load(), a.terminated.Load())
	}
}

// TestConnectionThatCannotBeJudged after an event is over, and not terminated.
func TestConnectionThatCannotBeJudged(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	a, _ := w.attend(p)
	w.store.fail(authcore.ErrUnavailable)
	w.node.Apply(authcore.Event{User: p.user})
	await(t, "the connection to be told", func() bool { return a.told() > 0 })
	if a.gone.Load() != 1 || a.terminated.Load() != 0 {
		t.Errorf("gone %d, terminated %d; want gone once", a.gone.Load(), a.terminated.Load())
	}
}

// TestEndAtAnotherNode reaches a connection through the feed.
func TestEndAtAnotherNode(t *testing.T) {
	w := newWorld(t, games)
	b := w.secondNode()
	p := w.guest("one")
	a := new(attention)
	leave, err := b.Attend(t.Context(), mainClient, secretOf(p.session), a.take)
	want(t, "attend", err, nil)
	defer leave()
	want(t, "the end", w.EndSession(t.Context(), p.sid), nil)
	b.store.change(t, func() { b.store.heard = []authcore.Event{{User: p.user, Session: p.sid, Ended: true}} })
	a.awaitTold(t, "the other node's")
}

func TestWhoMayAttend(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	never := func(bool) { t.Error("told") }
	for name, test := range map[string]struct {
		client  authcore.ClientID
		session string
		want    error
	}{
		"another client":      {receiverClient, p.session, authcore.ErrSession},
		"an unknown one":      {"nobody", p.session, authcore.ErrSession},
		"an invented session": {mainClient, "12345678901234567890123456789012", authcore.ErrSession},
		"none":                {mainClient, "", authcore.ErrSession},
		"nobody's":            {mainClient, w.keys.Ring().NewOpaque(authcore.KindSession).Reveal(), authcore.ErrSession},
	} {
		_, err := w.Attend(t.Context(), test.client, secretOf(test.session), never)
		want(t, name, err, test.want)
	}
	w.node.Evict()
	w.store.fail(authcore.ErrUnavailable)
	_, err := w.Attend(t.Context(), mainClient, secretOf(p.session), never)
	want(t, "a store that is away", err, authcore.ErrUnavailable)
	w.store.fail(nil)
	_, leave := w.attend(p)
	if n := w.node.LiveRequests(); n != 0 {
		t.Errorf("a connection is counted as %d requests", n)
	}
	leave()
	fresh := w.refreshed(p.session)
	_, err = w.Attend(t.Context(), mainClient, secretOf(p.session), never)
	want(t, "a refreshed token", err, authcore.ErrSession)
	w.attend(player{session: fresh})
}

// TestAttendingWhileTheSessionEnds: either there is no connection, or it is told.
func TestAttendingWhileTheSessionEnds(t *testing.T) {
	w := newWorld(t, games)
	var told []*attention
	for n := range 150 {
		p := w.guest(fmt.Sprint(n))
		var over atomic.Bool
		all := make([][]*attention, 3) // that have not left
		together(len(all)+1, func(i int) {
			if i == len(all) {
				if n%3 == 0 {
					want(t, "end of all", w.EndSessions(t.Context(), p.user), nil)
				} else {
					want(t, "end", w.EndSession(t.Context(), p.sid), nil)
				}
				over.Store(true)
				return
			}
			var leaves []func()
			for {
				late, a := over.Load(), new(attention)
				leave, err := w.Attend(t.Context(), mainClient, secretOf(p.session), a.take)
				if err != nil {
					want(t, "attend", err, authcore.ErrSession)
					return
				}
				if late {
					t.Error("let in after the end")
					return
				}
				all[i], leaves = append(all[i], a), append(leaves, leave)
				if len(leaves) > 20 { // only the last few may come at the moment of the end
					leaves[0]()
					all[i], leaves = all[i][1:], leaves[1:]
				}
			}
		})
		for i := range all {
			told = append(told, all[i]...)
		}
	}
	for _, a := range told {
		a.awaitTold(t, "a connection that came just before the end")
	}
}

// TestAttendingWhileTheSessionIsRead: what was read before the end is not relied on.
func TestAttendingWhileTheSessionIsRead(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	w.node.Evict()
	w.during(func() { want(t, "the end", w.EndSession(t.Context(), p.sid), nil) })
	_, err := w.Attend(t.Context(), mainClient, secretOf(p.session), func(bool) { t.Error("told") })
	want(t, "attend", err, authcore.ErrSession)
}

// TestAttendingWhileTheNodeCloses: either there is no connection, or it is told.
func TestAttendingWhileTheNodeCloses(t *testing.T) {
	for range 5 {
		w := newWorld(t, games)
		p := w.guest("one")
		want(t, "a warm cache", w.admit(w.guard(anyMethod), p.session), nil)
		all := make([][]*attention, 3)
		together(len(all)+1, func(i int) {
			if i == len(all) {
				want(t, "close", w.node.Close(), nil)
				return
			}
			for {
				a := new(attention)
				_, err := w.Attend(t.Context(), mainClient, secretOf(p.session), a.take)
				if err != nil {
					want(t, "attend", err, authcore.ErrUnavailable)
					return
				}
				all[i] = append(all[i], a)
			}
		})
		untold := 0
		for _, a := range slices.Concat(all...) {
			if a.gone.Load() != 1 || a.terminated.Load() != 0 {
				untold++
			}
		}
		if untold > 0 {
			t.Errorf("%d connections were not told that the node is gone", untold)
		}
	}
}

// TestOnline is what a game is told of the player it would switch to.
func TestOnline(t *testing.T) {
	w := newWorld(t, games)
	owner, guest, stranger := w.newPlayer(), w.guest("one"), w.guest("stranger")
	online := func() bool {
		t.Helper()
		p, err := w.ConnectQQ(t.Context(), mainClient, phone, authcore.QQConnect{
			Current: guest.sid, Token: owner.access, LinkFlags: authcore.LinkFlags{ErrorOnSwitch: true},
		})
		if err != nil || p.Owner == nil || p.Owner.User != owner.user {
			t.Fatalf("connect = %+v, %v", p, err)
		}
		return p.Owner.Online
	}
	_, leaveStranger := w.attend(stranger)
	_, leaveGuest := w.attend(guest)
	pass, err := w.guard().Admit(t.Context(), owner.session, "")
	want(t, "a request", err, nil)
	if online() {
		t.Error("online by a request, or by somebody else's connection")
	}
	pass.Release()
	_, leaveFirst := w.attend(owner)
	_, leaveSecond := w.attend(owner)
	for range 2 {
		if !online() {
			t.Error("not online")
		}
		leaveFirst()
	}
	leaveSecond()
	if online() {
		t.Error("online after the last connection")
	}
	leaveStranger()
	leaveGuest()
}

// TestLobby is contract 8: twenty connections of an address that have no player yet.
func TestLobby(t *testing.T) {
	w := newWorld(t, games)
	var leave []func()
	for range 20 {
		l, err := w.EnterLobby(phone)
		want(t, "enter", err, nil)
		leave = append(leave, l)
	}
	full := func(what string) {
		t.Helper()
		_, err := w.EnterLobby(phone)
		want(t, what, err, authcore.ErrLimited)
		if after, ok := authcore.RetryAfter(err); !ok || after > time.Minute {
			t.Errorf("retry after %s, %t", after, ok)
		}
	}
	full("the 21st")
	other, err := w.EnterLobby(from(1))
	want(t, "another address", err, nil)
	leave[3]()
	leave[3]() // gives one place back
	l, err := w.EnterLobby(phone)
	want(t, "in the place of one", err, nil)
	full("again the 21st")
	w.clock.step(time.Hour)
	full("an hour later") // it is about what is open
	cfg := w.cfg
	cfg.Limits.Off = true
	free, err := w.service(cfg).EnterLobby(phone)
	want(t, "without limits", err, nil)
	for _, l := range append(leave, l, other, free) {
		l()
	}
	if n := w.node.Lobby(); n != 0 {
		t.Errorf("%d addresses are remembered of whom nobody is there", n)
	}
}

// TestLobbyOfANetwork: whoever has an IPv6 address has the /64 around it.
func TestLobbyOfANetwork(t *testing.T) {
	w := newWorld(t, games)
	home := phone
	home.Addr = netip.MustParseAddr("2001:db8::1")
	for range 20 {
		home.Addr = home.Addr.Next()
		_, err := w.EnterLobby(home)
		want(t, "enter", err, nil)
	}
	_, err := w.EnterLobby(home)
	want(t, "the 21st", err, authcore.ErrLimited)
	home.Addr = netip.MustParseAddr("2001:db8:0:1::1")
	_, err = w.EnterLobby(home)
	want(t, "the neighbour", err, nil)
	mapped := phone
	mapped.Addr = netip.AddrFrom16(phone.Addr.As16())
	for range 10 {
		_, err = w.EnterLobby(phone)
		want(t, "IPv4", err, nil)
		_, err = w.EnterLobby(mapped)
		want(t, "the same, mapped", err, nil)
	}
	_, err = w.EnterLobby(mapped)
	want(t, "the 21st of both", err, authcore.ErrLimited)
}

// TestLobbyAtOnce never holds more than it may, and is empty in the end.
func TestLobbyAtOnce(t *testing.T) {
	w := newWorld(t, games)
	var within, most atomic.Int64
	together(64, func(int) {
		for range 200 {
			leave, err := w.EnterLobby(phone)
			if err != nil {
				want(t, "enter", err, authcore.ErrLimited)
				continue
			}
			now := within.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			within.Add(-1)
			leave()
		}
	})
	if most.Load() > 20 || w.node.Lobby() != 0 {
		t.Errorf("%d at once, %d addresses left; want at most 20, and none", most.Load(), w.node.Lobby())
	}
}
