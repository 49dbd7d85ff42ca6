package authcore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

const (
	// guestUnused is how long a guest may go unused: contract 8.
	guestUnused = 30 * 24 * time.Hour
	// guestDue is how long after a login that is. The session may be in use to its end.
	guestDue = 168*time.Hour + guestUnused
)

// sweep looks for guests who are due.
func (w *world) sweep() {
	w.t.Helper()
	want(w.t, "sweep", w.node.SweepGuests(w.t.Context()), nil)
}

// exists reports whether there is a user.
func (w *world) exists(id authcore.UserID) bool {
	w.t.Helper()
	_, err := w.UserByID(w.t.Context(), id)
	if err != nil && !errors.Is(err, authcore.ErrNoUser) {
		w.t.Fatalf("read user %s: %v", id, err)
	}
	return err == nil
}

// notes are the guests that are still to be looked after.
func (w *world) notes() (ids []authcore.UserID) {
	w.t.Helper()
	w.see(func(tx authcore.Tx) error {
		guests, err := tx.Guests(w.clock.Now().Add(100*365*24*time.Hour), 10000)
		for _, g := range guests {
			ids = append(ids, g.User)
		}
		return err
	})
	return ids
}

// TestUnusedGuestIsSwept thirty days after the last session, and not before.
func TestUnusedGuestIsSwept(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	w.clock.step(guestDue - time.Second)
	w.sweep()
	if !w.exists(p.user) {
		t.Fatal("swept too early")
	}
	if w.guest("one").user != p.user { // a use, from which it counts anew
		t.Fatal("the device is somebody else's")
	}
	w.clock.step(guestDue - time.Second)
	w.sweep()
	if !w.exists(p.user) {
		t.Fatal("swept in spite of the second login")
	}
	w.clock.step(2 * time.Second)
	w.sweep()
	if w.exists(p.user) {
		t.Error("not swept")
	}
}

// TestNothingIsLeftOfASweptGuest: the device is as good as new, and nothing else tells
// that there was somebody.
func TestNothingIsLeftOfASweptGuest(t *testing.T) {
	w := newWorld(t, games)
	in := aDevice("one")
	in.Name, in.Segments = "Jonny", map[string]string{"tier": "gold"}
	p := w.played(w.LoginDevice(t.Context(), mainClient, phone, in))
	w.guest("one") // a second session
	w.raw(p.user, func(s *authcore.Session) { s.Parent = p.sid })
	w.clock.step(guestDue + time.Second)
	b := w.secondNode()
	b.store.takeTold()
	want(t, "sweep", b.node.SweepGuests(t.Context()), nil)
	if told := b.store.takeTold(); !slices.Contains(told, authcore.Event{User: p.user, Ended: true}) {
		t.Errorf("announced: %+v", told)
	}
	users, sessions, erased := w.dump()
	if len(users)+len(sessions)+len(erased) != 0 || len(w.notes()) != 0 {
		t.Errorf("left: %+v, %+v, %+v, %v", users, sessions, erased, w.notes())
	}
	w.see(func(tx authcore.Tx) error {
		_, err := tx.UserByHandle(w.DeviceHandle(authcore.Device{Client: mainClient, OS: in.OS, ID: in.ID}))
		want(t, "the device", err, authcore.ErrNotFound)
		return nil
	})
	again := w.mustPlay(w.LoginDevice(t.Context(), mainClient, phone, aDevice("one")))
	if !again.Created || again.User == p.user || again.Name != "" {
		t.Errorf("the device logs in %+v; want somebody new", again)
	}
	want(t, "the session of before", w.admit(w.guard(anyMethod), p.session), authcore.ErrSession)
}

// TestSessionPutsTheSweepOff: nobody is swept who is signed in, however that came
// about, or was so in the thirty days before.
func TestSessionPutsTheSweepOff(t *testing.T) {
	w := newWorld(t, games)
	p, gone := w.guest("one"), w.guest("gone")
	session, _ := w.raw(p.user, func(s *authcore.Session) { s.Expires = s.Issued.Add(2 * guestDue) })
	_, other := w.raw(gone.user, func(s *authcore.Session) { s.Expires = s.Issued.Add(2 * guestDue) })
	want(t, "log-out", w.EndSession(t.Context(), other), nil)
	w.clock.step(guestDue + time.Second)
	w.sweep()
	if !w.exists(p.user) || w.exists(gone.user) {
		t.Fatalf("signed in: %t, logged out: %t; want the first alone", w.exists(p.user), w.exists(gone.user))
	}
	if got := w.notes(); !slices.Equal(got, []authcore.UserID{p.user}) {
		t.Errorf("to be looked after: %v", got)
	}
	want(t, "the session", w.admit(w.guard(), session), nil)
	w.clock.step(guestDue + guestUnused - 2*time.Second)
	w.sweep()
	if !w.exists(p.user) {
		t.Error("swept within thirty days of the session")
	}
	w.clock.step(2 * time.Second)
	w.sweep()
	if w.exists(p.user) {
		t.Error("not swept in the end")
	}
}

// TestGuestIsKeptForThirtyDaysAfterAUse, which may be the last moment of a session.
func TestGuestIsKeptForThirtyDaysAfterAUse(t *testing.T) {
	for _, life := range []time.Duration{time.Hour, 7 * 24 * time.Hour, 29 * 24 * time.Hour, 2 * guestUnused} {
		w := newWorld(t, games, func(cfg *authcore.Config) { cfg.Lifetimes.Session = life })
		p := w.guest("one")
		w.clock.step(life - time.Second)
		want(t, "the session, in use", w.admit(w.guard(anyMethod), p.session), nil)
		_, _, err := w.Playing(t.Context(), mainClient, p.session)
		want(t, "the game, in use", err, nil)
		w.clock.step(guestUnused)
		w.sweep()
		if !w.exists(p.user) {
			t.Errorf("with sessions of %s, swept within thirty days of a use", life)
		}
		w.clock.step(2 * time.Second)
		w.sweep()
		if w.exists(p.user) {
			t.Errorf("with sessions of %s, not swept in the end", life)
		}
	}
}

// TestWhoIsMoreThanAGuestIsNotSwept, and is not looked after any more.
func TestWhoIsMoreThanAGuestIsNotSwept(t *testing.T) {
	name, password := "alice", "a password"
	for _, test := range []struct {
		name   string
		become func(*codeWorld, player) error
		kept   bool
	}{
		{"nothing", func(*codeWorld, player) error { return nil }, false},
		{"linked", func(w *codeWorld, p player) error { w.connected(p.sid, w.newAccount()); return nil }, true},
		{"named, with a password", func(w *codeWorld, p player) error {
			return w.ChangeDetails(w.t.Context(), mainClient, phone, p.sid, authcore.Details{UserName: &name, NewPassword: &password})
		}, true},
		{"named, without one", func(w *codeWorld, p player) error {
			return w.ChangeDetails(w.t.Context(), mainClient, phone, p.sid, authcore.Details{UserName: &name})
		}, false},
		{"called something", func(w *codeWorld, p player) error {
			return w.ChangeDetails(w.t.Context(), mainClient, phone, p.sid, authcore.Details{Name: &name})
		}, false},
		{"with a phone", func(w *codeWorld, p player) error {
			to := w.contact(ownPhone)
			return w.UpdateProfile(w.t.Context(), mainClient, phone, p.sid, authcore.ProfileUpdate{
				Contact: &to, Code: w.ownCode(p, ownPhone),
			})
		}, true},
		{"with an address", func(w *codeWorld, p player) error { w.give(p.user, ownEmail); return nil }, true},
		{"disabled", func(w *codeWorld, p player) error { return w.Disable(w.t.Context(), p.user) }, true},
		{"with segments", func(w *codeWorld, p player) error {
			return w.SetSegments(w.t.Context(), p.user, map[string]string{"a": "b"})
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newCodeWorld(t, games)
			p := w.guest("one")
			want(t, test.name, test.become(w, p), nil)
			w.clock.step(guestDue + time.Second)
			w.sweep()
			if got := w.exists(p.user); got != test.kept {
				t.Errorf("kept: %t; want %t", got, test.kept)
			}
			banned := test.name == "disabled" // and perhaps let in again
			if got := w.notes(); (len(got) != 0) != banned {
				t.Errorf("still looked after: %v", got)
			}
			if banned {
				want(t, "enable", w.Enable(t.Context(), p.user), nil)
				w.clock.step(guestUnused + time.Second)
				if w.sweep(); w.exists(p.user) {
					t.Error("not swept after the ban")
				}
			}
		})
	}
}

// ownCode has a code sent to a signed-in user for a phone of their own.
func (w *codeWorld) ownCode(p player, to string) string {
	w.t.Helper()
	w.texts.take()
	if err := w.send("UPDATE_MOBILE_SMS", to); err != nil {
		w.t.Fatalf("send: %v", err)
	}
	sent := w.texts.take()
	return sole(w.t, sent).Code.Reveal()
}

// TestNameOfASweptGuestIsNobodys: a name without a password keeps nobody, and is not
// given to another for that.
func TestNameOfASweptGuestIsNobodys(t *testing.T) {
	w := newWorld(t, games)
	name := "alice"
	p := w.guest("one")
	want(t, "name", w.ChangeDetails(t.Context(), mainClient, phone, p.sid, authcore.Details{UserName: &name}), nil)
	w.clock.step(guestDue + time.Second)
	w.sweep()
	if w.exists(p.user) {
		t.Fatal("not swept")
	}
	_, err := w.RegisterPlayer(t.Context(), mainClient, phone, authcore.Registration{PasswordLogin: credentials("ALICE", "pw")})
	want(t, "the name for another", err, authcore.ErrTaken)
}

// TestManyGuests are swept in one go, those that stay among them left alone.
func TestManyGuests(t *testing.T) {
	w := newWorld(t, games)
	const many = 400
	w.write(func(tx authcore.Tx) {
		for n := range many {
			id := authcore.UserID(fmt.Sprintf("20220425140138519-BF1B-%09X", n))
			u := authcore.User{ID: id, Created: w.clock.Now()}
			if n%4 == 0 {
				u.Mobile = ownPhone
			}
			tx.PutUser(u)
			tx.PutGuest(authcore.Guest{User: id, Due: w.clock.Now()})
		}
	})
	live := w.guest("with a session")
	w.write(func(tx authcore.Tx) { tx.PutGuest(authcore.Guest{User: live.user, Due: w.clock.Now()}) })
	w.clock.step(time.Second)
	together(2, func(int) { w.sweep() }) // as two nodes do
	users, _, _ := w.dump()
	if got := w.notes(); len(users) != many/4+1 || !w.exists(live.user) || !slices.Equal(got, []authcore.UserID{live.user}) {
		t.Errorf("%d users, %v looked after; want %d", len(users), got, many/4+1)
	}
}

// TestGuestComesBackDuringTheSweep: either somebody is swept or they go on, with all
// that the login told them.
func TestGuestComesBackDuringTheSweep(t *testing.T) {
	w := newWorld(t, games)
	g := w.guard(anyMethod)
	kept := 0
	for n := range 40 {
		first := w.guest(fmt.Sprint(n))
		w.clock.step(guestDue + time.Second)
		var p authcore.Play
		together(2, func(i int) {
			if i == 0 {
				w.sweep()
				return
			}
			var err error
			p, err = w.LoginDevice(t.Context(), mainClient, phone, aDevice(fmt.Sprint(n)))
			want(t, "login", err, nil)
		})
		if p.User == first.user {
			kept++
		}
		if !w.exists(p.User) || p.Created == (p.User == first.user) || w.exists(first.user) != (p.User == first.user) {
			t.Errorf("the login is %+v; the guest of before exists: %t", p, w.exists(first.user))
		}
		want(t, "the session", w.admit(g, p.Grant.Token.Reveal()), nil)
	}
	t.Logf("%d of 40 came before the sweep", kept)
}

func TestSweepOfAStoreThatIsAway(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	w.clock.step(guestDue + time.Second)
	w.store.undone.Store(true)
	want(t, "a store that forgets", w.node.SweepGuests(t.Context()), authcore.ErrUnavailable)
	w.store.undone.Store(false)
	w.store.fail(authcore.ErrUnavailable)
	want(t, "a store that is away", w.node.SweepGuests(t.Context()), authcore.ErrUnavailable)
	w.store.fail(nil)
	if !w.exists(p.user) {
		t.Fatal("swept by a store that said no")
	}
	w.sweep()
	if w.exists(p.user) {
		t.Error("not swept in the end")
	}
}

// spoiltStore has a user whose record cannot be read.
type spoiltStore struct {
	*faultStore
	spoilt atomic.Pointer[authcore.UserID]
}

type spoiltTx struct {
	authcore.Tx
	spoilt authcore.UserID
}

func (s *spoiltStore) Update(ctx context.Context, fn func(authcore.Tx) error) error {
	return s.faultStore.Update(ctx, func(tx authcore.Tx) error { return fn(spoiltTx{tx, *s.spoilt.Load()}) })
}

func (tx spoiltTx) User(id authcore.UserID) (authcore.User, error) {
	if id == tx.spoilt {
		return authcore.User{}, authcore.ErrDamaged
	}
	return tx.Tx.User(id)
}

// TestGuestThatCannotBeRead keeps nobody else from being swept.
func TestGuestThatCannotBeRead(t *testing.T) {
	w := newWorld(t, games)
	guests := make([]player, 150)
	for n := range guests {
		guests[n] = w.guest(fmt.Sprint(n))
	}
	store := &spoiltStore{faultStore: w.store}
	store.spoilt.Store(&guests[1].user)
	w.store.takeCalls()
	node := authcore.NewNode(authcore.NodeConfig{Store: store, Keys: w.keys, Now: w.clock.Now})
	t.Cleanup(func() { _ = node.Close() })
	await(t, "the node's first look at the ring", func() bool { return w.store.views.Load() > 0 })
	w.clock.step(guestDue + time.Second)
	for range 2 {
		want(t, "with one that cannot be read", node.SweepGuests(t.Context()), authcore.ErrDamaged)
		users, _, _ := w.dump()
		if got := sole(t, users).ID; got != guests[1].user {
			t.Errorf("%s is left; want %s", got, guests[1].user)
		}
	}
	w.sweep()
	if users, _, _ := w.dump(); len(users) != 0 {
		t.Errorf("%d guests are left", len(users))
	}
}

// TestSweepReadsLittle where nobody is due.
func TestSweepReadsLittle(t *testing.T) {
	w := newWorld(t, games)
	w.guest("one")
	w.store.takeCalls()
	w.sweep()
	if got := w.store.takeCalls(); got != (calls{views: 1}) {
		t.Errorf("the store was asked %+v; want one View", got)
	}
}

// TestPlayersAreTheirGamesOwn: the backend of the client where somebody began manages
// them, signed in or not, and no other does.
func TestPlayersAreTheirGamesOwn(t *testing.T) {
	w := newWorld(t, games)
	players := map[string]player{"guest": w.guest("one"), "registered": w.register("alice", "a password")}
	for name, p := range players {
		want(t, name+": log-out", w.EndSession(t.Context(), p.sid), nil)
		for client, expected := range map[authcore.ClientID]error{
			mainClient: nil, receiverClient: authcore.ErrNoUser, foreignClient: authcore.ErrNoUser, secondClient: authcore.ErrNoUser,
		} {
			_, err := w.TenantUser(t.Context(), client, p.user)
			want(t, name+": look-up by "+string(client), err, expected)
			want(t, name+": log-out by "+string(client), w.TenantEndSessions(t.Context(), client, p.user), expected)
			if expected != nil {
				want(t, name+": disabling by "+string(client), w.TenantDisable(t.Context(), client, p.user, true), expected)
			}
		}
	}
	alice := players["registered"]
	p := w.played(w.LoginPassword(t.Context(), receiverClient, phone, credentials("alice", "a password")))
	_, err := w.TenantUser(t.Context(), receiverClient, alice.user)
	want(t, "look-up where the player is signed in", err, nil)
	want(t, "disabling by the own", w.TenantDisable(t.Context(), mainClient, alice.user, true), nil)
	want(t, "the session at another client", w.admit(w.guard(anyMethod), p.session), authcore.ErrSession)
	_, err = w.LoginPassword(t.Context(), mainClient, phone, credentials("alice", "a password"))
	want(t, "login of a disabled player", err, authcore.ErrUserDisabled)
}
