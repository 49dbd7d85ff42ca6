package authcore_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

func TestLoginByPassword(t *testing.T) {
	w := newWorld(t, games)
	first := w.register("Alice", "a password")
	w.clock.step(time.Second)
	p, err := w.LoginPassword(t.Context(), mainClient, phone, credentials("ａｌｉｃｅ", "a password"))
	again := w.played(p, err)
	if p.User != first.user || p.Session == first.sid || p.Created || p.Grant.IDToken != "" {
		t.Errorf("logged in as %+v; want %s", p, first.user)
	}
	if got := w.session(again.sid); !slices.Equal(got.Methods, []authcore.Method{authcore.MethodPassword}) || !got.AuthTime.Equal(w.clock.Now()) {
		t.Errorf("the session is %+v", got)
	}
	allow := func(m authcore.Method) *authcore.Guard {
		return w.guard(func(cfg *authcore.GuardConfig) { cfg.Allow = []authcore.Method{m} })
	}
	want(t, "a guard", w.admit(w.guard(), again.session), authcore.ErrDenied)
	want(t, "one that allows devices", w.admit(allow(authcore.MethodDevice), again.session), authcore.ErrDenied)
	want(t, "one that allows passwords", w.admit(allow(authcore.MethodPassword), again.session), nil)
	want(t, "the first session", w.admit(allow(authcore.MethodPassword), first.session), nil)
	w.tellsNothing(nil, "a password", "Alice", "alice", "ａｌｉｃｅ")
}

// TestWrongPasswordsOfOneAddress is contract 8: ten an hour for a name and an address.
// Then the right one is refused, too, and nothing else is.
func TestWrongPasswordsOfOneAddress(t *testing.T) {
	w := newWorld(t, games)
	alice := w.aNamed("alice", "right")
	w.aNamed("bob", "right")
	account := w.newAccount()
	w.connected(alice.sid, account)
	w.cheaply(alice.user, "alice", "right")
	for range 20 {
		want(t, "a right password, which is not counted", w.loginName(phone, "alice", "right"), nil)
	}
	w.wrongly(5, mainClient, phone, "alice")
	want(t, "a right one between", w.loginName(phone, "alice", "right"), nil)
	w.wrongly(5, receiverClient, phone, "ＡＬＩＣＥ") // the client does not matter, nor the spelling
	for _, password := range []string{"wrong", "right"} {
		err := w.loginName(phone, "alice", password)
		want(t, "one more, "+password, err, authcore.ErrLockedOut)
		if after, ok := authcore.RetryAfter(err); !ok || after < 59*time.Minute || after > 61*time.Minute {
			t.Errorf("retry after %s, %t; want an hour", after, ok)
		}
		w.tellsNothing(err, "right", "alice")
	}
	_, err := w.LoginPassword(t.Context(), receiverClient, phone, credentials("alice", "right"))
	want(t, "at another client", err, authcore.ErrLockedOut)
	want(t, "from another address", w.loginName(from(1), "alice", "right"), nil)
	want(t, "another name", w.loginName(phone, "bob", "right"), nil)
	if p := w.connected("", account); p.user != alice.user {
		t.Error("QQ logs somebody else in")
	}
	out, err := w.LoginQQ(t.Context(), mainClient, phone, account.access, account.openID)
	if err != nil || out.Status != authcore.StatusSuccess {
		t.Errorf("login by QQ: %q, %v", out.Status, err)
	}
	want(t, "at another node", func() error {
		_, err := w.secondNode().LoginPassword(t.Context(), mainClient, phone, credentials("alice", "right"))
		return err
	}(), authcore.ErrLockedOut)
	cfg := w.cfg
	cfg.Limits.Off = true
	_, err = w.service(cfg).LoginPassword(t.Context(), mainClient, phone, credentials("alice", "right"))
	want(t, "without limits", err, nil)
	audited := w.audit.audited(authcore.AuditWrongPassword)
	locked := slices.IndexFunc(audited, func(e authcore.AuditEvent) bool { return e.Status == "locked_out" })
	if locked != 10 || audited[0].Status != "wrong_password" || audited[0].Client != mainClient || audited[0].Addr != phone.Addr {
		t.Errorf("audited: %+v", audited)
	}
	w.clock.step(time.Hour + time.Minute)
	want(t, "an hour later", w.loginName(phone, "alice", "right"), nil)
}

// TestNobodysNameIsLockedAlike: what is counted does not tell who exists.
func TestNobodysNameIsLockedAlike(t *testing.T) {
	w := newWorld(t, games, func(cfg *authcore.Config) { cfg.Limits.PasswordHour = 2 })
	w.aNamed("alice", "right")
	count := w.node.CountHashes()
	for _, name := range []string{"alice", "nobody"} {
		w.wrongly(2, mainClient, phone, name)
		count.Store(0)
		w.store.takeCalls()
		err := w.loginName(phone, name, "right")
		want(t, name, err, authcore.ErrLockedOut)
		if got := w.store.takeCalls(); count.Load() != 0 || got != (calls{views: 1}) {
			t.Errorf("%s: %d hashes, %+v; want none, and one View", name, count.Load(), got)
		}
	}
}

// TestWrongPasswordsOfManyAddresses is contract 8: a hundred a day for a name at a
// client, wherever they come from.
func TestWrongPasswordsOfManyAddresses(t *testing.T) {
	w := newWorld(t, games)
	alice := w.aNamed("alice", "right")
	account := w.newAccount()
	w.connected(alice.sid, account)
	for n := range 10 {
		w.wrongly(10, mainClient, from(n), "alice")
	}
	for _, password := range []string{"wrong", "right"} {
		err := w.loginName(from(11), "alice", password)
		want(t, "from an address that has done nothing, "+password, err, authcore.ErrLockedOut)
		if after, ok := authcore.RetryAfter(err); !ok || after < 23*time.Hour || after > 25*time.Hour {
			t.Errorf("retry after %s, %t; want a day", after, ok)
		}
	}
	_, err := w.LoginPassword(t.Context(), receiverClient, from(11), credentials("alice", "right"))
	want(t, "at another client of the same application", err, nil)
	w.connected("", account)
	w.clock.step(2 * time.Hour)
	want(t, "two hours later", w.loginName(from(11), "alice", "right"), authcore.ErrLockedOut)
	w.clock.step(23 * time.Hour)
	want(t, "a day later", w.loginName(from(11), "alice", "right"), nil)
}

// TestGuessesAtOnce: whoever guesses from many addresses at once has no more guesses
// than one after another, and none after the last.
func TestGuessesAtOnce(t *testing.T) {
	w := newWorld(t, games, func(cfg *authcore.Config) { cfg.Limits.PasswordDay = 10 })
	for round := range 5 {
		name := fmt.Sprint("alice", round)
		w.aNamed(name, "right")
		var wrong, locked atomic.Int64
		together(64, func(i int) {
			switch err := w.loginName(from(1000*round+i), name, "a wrong one"); {
			case errors.Is(err, authcore.ErrDetails):
				wrong.Add(1)
			case errors.Is(err, authcore.ErrLockedOut):
				locked.Add(1)
			default:
				t.Errorf("guess: %v", err)
			}
		})
		if wrong.Load() != 10 || locked.Load() != 54 {
			t.Errorf("%d guesses were judged, %d refused; want 10 and 54", wrong.Load(), locked.Load())
		}
		want(t, "the right one afterwards", w.loginName(from(1000*round+999), name, "right"), authcore.ErrLockedOut)
	}
}

// TestGuessesAtOnceOfOneAddress: the place to wait for a hash is scarce as well, and
// whoever finds none has not guessed.
func TestGuessesAtOnceOfOneAddress(t *testing.T) {
	w := newWorld(t, games)
	w.aNamed("alice", "right")
	var wrong atomic.Int64
	together(64, func(int) {
		switch err := w.loginName(phone, "alice", "a wrong one"); {
		case errors.Is(err, authcore.ErrDetails):
			wrong.Add(1)
		case !errors.Is(err, authcore.ErrLockedOut) && !errors.Is(err, authcore.ErrLimited):
			t.Errorf("guess: %v", err)
		}
	})
	if wrong.Load() > 10 {
		t.Errorf("%d guesses were judged; want at most 10", wrong.Load())
	}
	w.wrongly(10-int(wrong.Load()), mainClient, phone, "alice")
	want(t, "the right one afterwards", w.loginName(phone, "alice", "right"), authcore.ErrLockedOut)
}

// during runs fn once, after the next View has read: between the look-up of a password
// and the decision.
func (w *world) during(fn func()) {
	var begun atomic.Bool
	w.store.afterView(func() {
		if begun.CompareAndSwap(false, true) {
			fn()
		}
	})
	w.t.Cleanup(func() { w.store.afterView(nil) })
}

// TestRightPasswordBehindTheWrongOnes: one that was looked up before the limit was
// reached, and is decided after, comes too late.
func TestRightPasswordBehindTheWrongOnes(t *testing.T) {
	w := newWorld(t, games)
	p := w.aNamed("alice", "right")
	before, _ := w.Sessions(t.Context(), p.user)
	w.during(func() { w.wrongly(10, mainClient, phone, "alice") })
	want(t, "the right one", w.loginName(phone, "alice", "right"), authcore.ErrLockedOut)
	if all, err := w.Sessions(t.Context(), p.user); err != nil || len(all) != len(before) {
		t.Errorf("%d sessions, %v; want %d", len(all), err, len(before))
	}
}

// TestPasswordThatMoves: what is decided rests on the password that is stored then.
func TestPasswordThatMoves(t *testing.T) {
	for _, test := range []struct {
		name  string
		move  func(*world, player)
		given string
		want  error
	}{
		{"changed, and the old one is given", func(w *world, p player) { w.cheaply(p.user, "alice", "new") }, "right", authcore.ErrDetails},
		{"changed, and the new one is given", func(w *world, p player) { w.cheaply(p.user, "alice", "new") }, "new", nil},
		{"taken away", func(w *world, p player) { w.changeUser(p.user, func(u *authcore.User) { u.Password = "" }) }, "right", authcore.ErrDetails},
		{"the name is given up", func(w *world, p player) { want(w.t, "rename", w.name(p, "alicia"), nil) }, "right", authcore.ErrDetails},
		{"the user is erased", func(w *world, p player) {
			want(w.t, "erase", w.DeleteAccount(w.t.Context(), mainClient, phone, p.sid), nil)
		}, "right", authcore.ErrDetails},
		{"the user is disabled", func(w *world, p player) { want(w.t, "ban", w.Disable(w.t.Context(), p.user), nil) }, "right", authcore.ErrUserDisabled},
		{"nothing", func(*world, player) {}, "right", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, games)
			p := w.aNamed("alice", "right")
			w.during(func() { test.move(w, p) })
			want(t, "login", w.loginName(phone, "alice", test.given), test.want)
		})
	}
}

// TestPasswordThatMovesAlways is refused, and no try.
func TestPasswordThatMovesAlways(t *testing.T) {
	w := newWorld(t, games, func(cfg *authcore.Config) { cfg.Limits.PasswordHour = 1 })
	p := w.aNamed("alice", "right")
	n := 0
	w.store.afterView(func() { n++; w.cheaply(p.user, "alice", fmt.Sprint("password ", n)) })
	err := w.loginName(phone, "alice", "right")
	w.store.afterView(nil)
	if err == nil || errors.Is(err, authcore.ErrDetails) || n > 5 {
		t.Errorf("login: %v after %d tries", err, n)
	}
	w.tellsNothing(err, "alice", "right")
	w.wrongly(1, mainClient, phone, "alice")
}

// TestPasswordThatArrives: nobody's password was verified for a name that is somebody's
// by the time of the decision.
func TestPasswordThatArrives(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	w.during(func() { w.cheaply(p.user, "alice", "right") })
	want(t, "login", w.loginName(phone, "alice", "right"), nil)
}

// TestRealmOfAName: a name is good where the player would be known by QQ, too.
func TestRealmOfAName(t *testing.T) {
	w := newWorld(t, games)
	p := w.aNamed("alice", "right")
	at := func(client authcore.ClientID) error {
		_, err := w.LoginPassword(t.Context(), client, phone, credentials("alice", "right"))
		return err
	}
	want(t, "at home", at(mainClient), nil)
	want(t, "where the application is the same", at(receiverClient), nil)
	want(t, "at another application", at(secondClient), authcore.ErrDetails)
	w.qq2.know("second-access", qqAccount{openID: "OPENID2"})
	_, err := w.ConnectQQ(t.Context(), secondClient, phone, authcore.QQConnect{
		Current: w.secondSession(p), Token: "second-access",
	})
	want(t, "link", err, nil)
	want(t, "at another application, linked", at(secondClient), nil)
	// The client where the player began is configured no more.
	bob := w.aNamed("bob", "right")
	w.changeUser(bob.user, func(u *authcore.User) { u.Home = "gone" })
	_, err = w.LoginPassword(t.Context(), mainClient, phone, credentials("bob", "right"))
	want(t, "from a client that is gone", err, authcore.ErrDetails)
	w.changeUser(bob.user, func(u *authcore.User) { u.Home = "" })
	_, err = w.LoginPassword(t.Context(), mainClient, phone, credentials("bob", "right"))
	want(t, "from nowhere", err, authcore.ErrDetails)
}

// secondSession is a session of a player at the second client, as a link needs it.
func (w *world) secondSession(p player) authcore.SessionID {
	_, sid := w.raw(p.user, func(s *authcore.Session) { s.Client = secondClient })
	return sid
}

// TestWrongPasswordOfADisabledUser does not tell that there is one.
func TestWrongPasswordOfADisabledUser(t *testing.T) {
	w := newWorld(t, games)
	p, current := w.aNamed("alice", "right"), w.guest("current")
	want(t, "ban", w.Disable(t.Context(), p.user), nil)
	want(t, "a wrong one", w.loginName(phone, "alice", "wrong"), authcore.ErrDetails)
	in := credentials("alice", "right")
	in.Current = current.sid
	_, err := w.LoginPassword(t.Context(), mainClient, phone, in)
	want(t, "the right one", err, authcore.ErrUserDisabled)
	want(t, "the player who was signed in", w.admit(w.guard(anyMethod), current.session), nil)
}

// TestSwitchByPassword ends the session that was left.
func TestSwitchByPassword(t *testing.T) {
	w := newWorld(t, games)
	g := w.guard(anyMethod)
	alice, current := w.aNamed("alice", "right"), w.guest("current")
	in := credentials("alice", "wrong")
	in.Current = current.sid
	_, err := w.LoginPassword(t.Context(), mainClient, phone, in)
	want(t, "a wrong one", err, authcore.ErrDetails)
	want(t, "the player who was signed in", w.admit(g, current.session), nil)
	in.Password = "right"
	p := w.played(w.LoginPassword(t.Context(), mainClient, phone, in))
	want(t, "the player who was left", w.admit(g, current.session), authcore.ErrSession)
	if got := sole(t, w.audit.audited(authcore.AuditPlayerSwitched)); got.From != current.user || got.User != alice.user {
		t.Errorf("audited as %+v", got)
	}
	in.Current = p.sid
	w.played(w.LoginPassword(t.Context(), mainClient, phone, in))
	want(t, "one's own session", w.admit(g, p.session), nil)
}

// TestPasswordWithASecondFactor: nothing happens before it, and without one there is
// no way on.
func TestPasswordWithASecondFactor(t *testing.T) {
	w := newCodeWorld(t, games)
	alice, current := w.aNamed("alice", "right"), w.guest("current")
	w.aNamed("bob", "right")
	w.give(alice.user, ownPhone)
	cfg := w.cfg
	cfg.Clients = slices.Clone(cfg.Clients)
	mfa(authcore.WayPhone)(&cfg)
	w.Service = w.service(cfg)
	g := w.guard(anyMethod)
	in := credentials("alice", "right")
	in.Current = current.sid
	p, err := w.LoginPassword(t.Context(), mainClient, phone, in)
	if err != nil || p.Status != authcore.StatusMFAAuth || p.StateToken == "" || !p.Grant.Token.IsZero() || p.User != "" || p.Session != "" {
		t.Fatalf("login = %+v, %v", p, err)
	}
	want(t, "the player who is signed in", w.admit(g, current.session), nil)
	starred, err := w.MobileOf(t.Context(), mainClient, phone, w.state(p.Outcome))
	if err != nil || starred != "+86-152****7321" {
		t.Errorf("the number is shown as %q, %v", starred, err)
	}
	done := w.finish(w.FinishMFA, p.Outcome, ownPhone, w.code("MFA_AUTH_SMS", ownPhone), authcore.StatusSuccess)
	if got := w.methods(done); got != "pwd sms" || w.idToken(done.Grant.IDToken).Subject != string(alice.user) {
		t.Errorf("the session is proved by %q", got)
	}
	want(t, "the player who was left", w.admit(g, current.session), authcore.ErrSession)
	want(t, "a guard", w.admit(w.guard(), done.Grant.Token.Reveal()), nil)

	before, _ := w.Sessions(t.Context(), w.userNamed("bob"))
	p, err = w.LoginPassword(t.Context(), mainClient, phone, credentials("bob", "right"))
	if err != nil || p.Status != authcore.StatusAccessDenied || p.StateToken != "" || !p.Grant.Token.IsZero() || p.User != "" {
		t.Errorf("without a second factor: %+v, %v", p, err)
	}
	if all, _ := w.Sessions(t.Context(), w.userNamed("bob")); len(all) != len(before) {
		t.Error("a session was made")
	}
}

// TestWrongPasswordIsCountedThoughTheStoreRunsTwice: once.
func TestWrongPasswordIsCountedThoughTheStoreRunsTwice(t *testing.T) {
	w := newWorld(t, games, func(cfg *authcore.Config) { cfg.Limits.PasswordHour = 3 })
	w.aNamed("alice", "right")
	w.store.twice.Store(true)
	w.wrongly(3, mainClient, phone, "alice")
	want(t, "the right one", w.loginName(phone, "alice", "right"), authcore.ErrLockedOut)
	w.clock.step(2 * time.Hour)
	want(t, "the right one later", w.loginName(phone, "alice", "right"), nil)
}

// TestWrongPasswordInAStoreThatIsAway lets nobody in.
func TestWrongPasswordInAStoreThatIsAway(t *testing.T) {
	w := newWorld(t, games)
	w.aNamed("alice", "right")
	w.store.undone.Store(true)
	for _, password := range []string{"wrong", "right"} {
		want(t, password, w.loginName(phone, "alice", password), authcore.ErrUnavailable)
	}
}
