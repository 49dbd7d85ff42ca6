package authcore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// change changes the details of a signed-in player of the main client.
func (w *world) change(p player, change func(*authcore.Details)) error {
	w.t.Helper()
	var in authcore.Details
	change(&in)
	return w.ChangeDetails(w.t.Context(), mainClient, phone, p.sid, in)
}

func newName(s string) func(*authcore.Details) {
	return func(d *authcore.Details) { d.Name = &s }
}

func newUserName(s string) func(*authcore.Details) {
	return func(d *authcore.Details) { d.UserName = &s }
}

func newPassword(old, s string) func(*authcore.Details) {
	return func(d *authcore.Details) { d.OldPassword, d.NewPassword = old, &s }
}

func all(changes ...func(*authcore.Details)) func(*authcore.Details) {
	return func(d *authcore.Details) {
		for _, change := range changes {
			change(d)
		}
	}
}

// TestWaysNeedAFreshLogin is contract 3.3: ten minutes.
func TestWaysNeedAFreshLogin(t *testing.T) {
	w := newWorld(t, games)
	count := w.node.CountHashes()
	p := w.aNamed("alice", "right")
	w.clock.step(10 * time.Minute)
	want(t, "a name after ten minutes", w.change(p, newUserName("alicia")), nil)
	w.clock.step(1)
	before := w.contents()
	count.Store(0)
	for name, change := range map[string]func(*authcore.Details){
		"a name": newUserName("another"), "the same name": newUserName("alicia"), "a password": newPassword("right", "new"),
		"a password with a wrong one": newPassword("wrong", "new"), "all": all(newName("A"), newUserName("another"), newPassword("right", "new")),
	} {
		want(t, name, w.change(p, change), authcore.ErrStale)
	}
	if count.Load() != 0 || w.contents() != before {
		t.Errorf("%d hashes of what was refused, changed: %t", count.Load(), w.contents() != before)
	}
	want(t, "a display name", w.change(p, newName("Ａlice")), nil)
	if got := w.userRecord(p.user).DisplayName; got != "Ａlice" {
		t.Errorf("the display name is %q", got)
	}
}

// TestDeviceIsNotFreshForMoreThanAGuest: whoever finds an old device must not take the
// account that has grown out of it.
func TestDeviceIsNotFreshForMoreThanAGuest(t *testing.T) {
	for name, grow := range map[string]func(*codeWorld, player){
		"QQ":         func(w *codeWorld, p player) { w.connected(p.sid, w.newAccount()) },
		"a phone":    func(w *codeWorld, p player) { w.give(p.user, ownPhone) },
		"a password": func(w *codeWorld, p player) { w.cheaply(p.user, "alice", "right") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newCodeWorld(t, games)
			grow(w, w.guest("one"))
			p := w.guest("one")
			before := w.contents()
			to := w.contact(otherPhone)
			for what, err := range map[string]error{
				"a name":      w.change(p, newUserName("another")),
				"a password":  w.change(p, all(newUserName("another"), newPassword("right", "new"))),
				"erasure":     w.DeleteAccount(t.Context(), mainClient, phone, p.sid),
				"a new phone": w.UpdateProfile(t.Context(), mainClient, phone, p.sid, authcore.ProfileUpdate{Contact: &to, Code: "000000"}),
			} {
				want(t, what, err, authcore.ErrStale)
			}
			if name == "QQ" {
				w.cheaply(p.user, "alice", "right") // so that it is not the last way in
				before = w.contents()
				want(t, "taking QQ away", w.Disconnect(t.Context(), mainClient, phone, p.sid), authcore.ErrStale)
			}
			if w.contents() != before {
				t.Error("what was refused has changed something")
			}
			want(t, "a display name", w.change(p, newName("A")), nil)
		})
	}
}

// TestNamesAreLimitedAsArrivals: each that is given up is so for ever.
func TestNamesAreLimitedAsArrivals(t *testing.T) {
	w := newWorld(t, games, func(cfg *authcore.Config) { cfg.Limits.Arrivals = 3 })
	p := w.guest("one")
	want(t, "a name", w.name(p, "alice"), nil)
	want(t, "another", w.name(p, "alicia"), nil)
	err := w.name(p, "alicja")
	want(t, "one too many", err, authcore.ErrLimited)
	if _, ok := authcore.RetryAfter(err); !ok {
		t.Error("without a time to come back")
	}
	want(t, "a display name", w.change(p, newName("A")), nil)
}

// TestDisplayName is no way in: nothing ends, and it is seen at once.
func TestDisplayName(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	other := w.guest("one")
	g := w.guard(anyMethod)
	says := func(name string) {
		t.Helper()
		for _, session := range []string{p.session, other.session} {
			if _, claims := w.assertion(g, session); claims.Name != name {
				t.Errorf("the assertion says %q; want %q", claims.Name, name)
			}
		}
	}
	says("")
	live, leave := w.attend(other)
	defer leave()
	want(t, "a name that guards hear of", w.change(p, newName("A")), nil)
	says("A")
	w.clock.step(24 * time.Hour)
	for name, bad := range map[string]string{"nothing": "", "65": strings.Repeat("名", 65), "a control": "a\nb", "no UTF-8": "\xff"} {
		want(t, name, w.change(p, newName(bad)), authcore.ErrName)
	}
	want(t, "a name", w.change(p, newName(strings.Repeat("名", 64))), nil)
	says(strings.Repeat("名", 64))
	want(t, "nothing at all", w.change(p, func(*authcore.Details) {}), nil)
	if live.told() != 0 || w.audit.count(authcore.AuditWayAdded) != 0 {
		t.Error("a display name is taken for a way in")
	}
}

// TestPasswordIsChangedWithTheOldOne, and wrong ones are counted together with those of
// logins.
func TestPasswordIsChangedWithTheOldOne(t *testing.T) {
	w := newWorld(t, games)
	p := w.aNamed("alice", "right")
	before := w.contents()
	for range 3 {
		for _, old := range []string{"wrong", "", "RIGHT"} {
			want(t, "with "+old, w.change(p, all(newPassword(old, "new"), newName("B"), newUserName("another"))), authcore.ErrDetails)
		}
	}
	w.wrongly(1, mainClient, phone, "alice")
	want(t, "the right one after ten", w.change(p, newPassword("right", "new")), authcore.ErrLockedOut)
	want(t, "a login after ten", w.loginName(phone, "alice", "right"), authcore.ErrLockedOut)
	if w.contents() != before {
		t.Error("what was refused has changed something")
	}
	for _, e := range w.audit.audited(authcore.AuditWrongPassword)[:9] {
		if e.Status != "wrong_password" || e.User != p.user || e.Session != p.sid || e.Addr != phone.Addr {
			t.Errorf("audited as %+v", e)
		}
	}
	want(t, "from another address", w.ChangeDetails(t.Context(), mainClient, from(1), p.sid, func() authcore.Details {
		var d authcore.Details
		newPassword("right", "new password")(&d)
		return d
	}()), nil)
	want(t, "login by the new one", w.loginName(from(1), "alice", "new password"), nil)
	want(t, "login by the old one", w.loginName(from(1), "alice", "right"), authcore.ErrDetails)
	if got := w.userRecord(p.user).Password; !storedForm.MatchString(got) {
		t.Errorf("stored as %q", got)
	}
	w.tellsNothing(nil, "new password", "right", "alice")
}

// TestLockedChangeIsAudited: one password too many is audited at a login, and as
// much at a change.
func TestLockedChangeIsAudited(t *testing.T) {
	w := newWorld(t, games, func(cfg *authcore.Config) { cfg.Limits.PasswordHour = 1 })
	p := w.aNamed("alice", "right")
	want(t, "a wrong one", w.change(p, newPassword("wrong", "new")), authcore.ErrDetails)
	want(t, "one too many", w.change(p, newPassword("right", "new")), authcore.ErrLockedOut)
	audited := w.audit.audited(authcore.AuditWrongPassword)
	if len(audited) != 2 || audited[1].Status != "locked_out" || audited[1].User != p.user {
		t.Errorf("audited: %+v", audited)
	}
}

// TestPasswordThatMovesDuringAChange: the old one that counts is the one that is stored
// by then.
func TestPasswordThatMovesDuringAChange(t *testing.T) {
	for old, expected := range map[string]error{"right": authcore.ErrDetails, "moved": nil} {
		w := newWorld(t, games)
		p := w.aNamed("alice", "right")
		views := 0
		w.store.afterView(func() {
			if views++; views == 2 { // the first only looks whether hashing is worth while
				w.cheaply(p.user, "alice", "moved")
			}
		})
		want(t, "with "+old, w.change(p, newPassword(old, "new")), expected)
		w.store.afterView(nil)
		want(t, "the password that is not set", w.loginName(phone, "alice", "right"), authcore.ErrDetails)
	}
	// One that is set for the first time is not set over one that came between.
	w := newWorld(t, games)
	p := w.newPlayer()
	want(t, "name", w.change(p, newUserName("alice")), nil)
	views := 0
	w.store.afterView(func() {
		if views++; views == 2 {
			w.cheaply(p.user, "alice", "moved")
		}
	})
	want(t, "without the old one", w.change(p, newPassword("", "new")), authcore.ErrDetails)
	w.store.afterView(nil)
	want(t, "the one that came between", w.loginName(phone, "alice", "moved"), nil)
}

// TestRename gives the name up and ends the user's other sessions.
func TestRename(t *testing.T) {
	w := newWorld(t, games)
	p := w.aNamed("alice", "right")
	other := w.played(w.LoginPassword(t.Context(), mainClient, phone, credentials("alice", "right")))
	stranger := w.guest("stranger")
	g := w.guard(anyMethod)
	for _, session := range []string{p.session, other.session} {
		want(t, "a session before", w.admit(g, session), nil)
	}
	own, _ := w.attend(p)
	others, _ := w.attend(other)
	want(t, "rename", w.change(p, newUserName("alicia")), nil)
	want(t, "the own session", w.admit(g, p.session), nil)
	want(t, "the other session", w.admit(g, other.session), authcore.ErrSession)
	want(t, "a stranger's", w.admit(g, stranger.session), nil)
	await(t, "the other connection to end", func() bool { return others.terminated.Load() == 1 })
	if own.told() != 0 {
		t.Error("the own connection has ended")
	}
	want(t, "login by the old name", w.loginName(phone, "alice", "right"), authcore.ErrDetails)
	want(t, "login by the new one", w.loginName(phone, "alicia", "right"), nil)
	want(t, "the old name for another", w.change(stranger, newUserName("Alice")), authcore.ErrTaken)
	if added := sole(t, w.audit.audited(authcore.AuditWayAdded)); added.User != p.user || added.Session != p.sid || added.Client != mainClient {
		t.Errorf("audited as %+v", added)
	}
	want(t, "the session after what was refused", w.admit(g, stranger.session), nil)
}

// TestUpgradeOfAGuest: a player with a name and a password is no longer logged in by a
// device.
func TestUpgradeOfAGuest(t *testing.T) {
	for name, steps := range map[string][]func(*authcore.Details){
		"at once":   {all(newUserName("alice"), newPassword("", "a password"))},
		"in steps":  {newUserName("alice"), newPassword("", "a password")},
		"with more": {newName("A"), all(newName("B"), newUserName("alice"), newPassword("an old one that is none", "a password"))},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, games)
			p := w.guest("one")
			for i, step := range steps {
				if got := w.guest("one"); got.user != p.user {
					t.Fatalf("before step %d the device is %s's", i, got.user)
				}
				want(t, "step", w.change(p, step), nil)
			}
			g := w.guard(anyMethod)
			want(t, "the own session", w.admit(g, p.session), nil)
			if all, err := w.Sessions(t.Context(), p.user); err != nil || len(all) != 1 {
				t.Errorf("%d sessions, %v; want the own alone", len(all), err)
			}
			if u := w.userRecord(p.user); len(u.Devices) != 0 || u.Home != mainClient || u.UserName != "alice" {
				t.Errorf("the user is %+v", u)
			}
			again := w.mustPlay(w.LoginDevice(t.Context(), mainClient, phone, aDevice("one")))
			if !again.Created || again.User == p.user {
				t.Errorf("the device logs in %+v; want somebody new", again)
			}
			want(t, "login", w.loginName(phone, "alice", "a password"), nil)
			if w.audit.count(authcore.AuditWayRemoved) != 1 || w.audit.count(authcore.AuditWayAdded) == 0 {
				t.Error("the change of ways is not audited")
			}
		})
	}
}

// TestDeviceOfSomebodyElseIsNotDropped: only what finds the user goes.
func TestDeviceOfSomebodyElseIsNotDropped(t *testing.T) {
	w := newWorld(t, games)
	p, other := w.guest("one"), w.guest("other")
	stranger := w.userRecord(other.user).Devices[0]
	w.changeUser(p.user, func(u *authcore.User) { u.Devices = append(slices.Clone(u.Devices), stranger) })
	want(t, "upgrade", w.change(p, all(newUserName("alice"), newPassword("", "a password"))), nil)
	if got := w.guest("other"); got.user != other.user {
		t.Errorf("the other's device is %s's", got.user)
	}
}

// TestPasswordWithoutAName would let nobody in.
func TestPasswordWithoutAName(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	before := w.contents()
	want(t, "a password alone", w.change(p, newPassword("", "a password")), authcore.ErrNoUserName)
	want(t, "with a display name", w.change(p, all(newName("A"), newPassword("", "a password"))), authcore.ErrNoUserName)
	if w.contents() != before {
		t.Error("what was refused has changed something")
	}
	w.guest("one")
}

// TestTakenNameChangesNothing of what was asked together with it.
func TestTakenNameChangesNothing(t *testing.T) {
	w := newWorld(t, games)
	w.aNamed("alice", "right")
	bob, guest := w.aNamed("bobby", "right"), w.guest("one")
	other := w.guest("one")
	live, _ := w.attend(other)
	before := w.contents()
	want(t, "a taken name", w.change(bob, all(newName("B"), newUserName("ALICE"), newPassword("right", "new"))), authcore.ErrTaken)
	want(t, "a guest's", w.change(guest, all(newName("B"), newUserName("alice"), newPassword("", "new"))), authcore.ErrTaken)
	for name, bad := range map[string]struct {
		change func(*authcore.Details)
		want   error
	}{
		"a bad name":         {all(newUserName("x"), newPassword("", "new")), authcore.ErrUserName},
		"a bad password":     {all(newUserName("bobo"), newPassword("", "")), authcore.ErrPassword},
		"a bad display name": {all(newUserName("bobo"), newName("\x00")), authcore.ErrName},
	} {
		want(t, name, w.change(guest, bad.change), bad.want)
	}
	if w.contents() != before {
		t.Error("what was refused has changed something")
	}
	want(t, "the old password", w.loginName(phone, "bobby", "right"), nil)
	want(t, "the other session", w.admit(w.guard(anyMethod), other.session), nil)
	if live.told() != 0 || w.audit.count(authcore.AuditWayAdded)+w.audit.count(authcore.AuditWayRemoved) != 0 {
		t.Error("what was refused is audited, or has ended something")
	}
}

// TestDetailsAreTheSessionsOwn: of a client, and alive.
func TestDetailsAreTheSessionsOwn(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	ways := authcore.Details{}
	all(newUserName("alice"), newPassword("", "new"))(&ways)
	for _, in := range []authcore.Details{{Name: ways.UserName}, {UserName: ways.UserName}, ways} {
		want(t, "by another client", w.ChangeDetails(t.Context(), receiverClient, phone, p.sid, in), authcore.ErrIDToken)
		want(t, "by an unknown one", w.ChangeDetails(t.Context(), "nobody", phone, p.sid, in), authcore.ErrUnknownClient)
		want(t, "of no session", w.ChangeDetails(t.Context(), mainClient, phone, "none", in), authcore.ErrIDToken)
	}
	want(t, "log-out", w.EndSession(t.Context(), p.sid), nil)
	want(t, "of one that has ended", w.ChangeDetails(t.Context(), mainClient, phone, p.sid, ways), authcore.ErrIDToken)
	if u := w.userRecord(p.user); u.UserName != "" || u.DisplayName != "" {
		t.Errorf("the user is %+v", u)
	}
}

// TestDetailsInAStoreThatRunsTwice decides by what it read last.
func TestDetailsInAStoreThatRunsTwice(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	w.store.twice.Store(true)
	want(t, "upgrade", w.change(p, all(newUserName("alice"), newPassword("", "a password"))), nil)
	p = w.played(w.LoginPassword(t.Context(), mainClient, phone, credentials("alice", "a password")))
	want(t, "rename", w.change(p, newUserName("alicia")), nil)
	w.store.twice.Store(false)
	want(t, "login", w.loginName(phone, "alicia", "a password"), nil)
	w.store.undone.Store(true)
	if err := w.change(p, newUserName("another")); !errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("a store that forgets: %v", err)
	}
	w.store.undone.Store(false)
	want(t, "login afterwards", w.loginName(phone, "alicia", "a password"), nil)
}
