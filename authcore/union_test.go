package authcore_test

import (
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// joined joins the accounts of both applications by their unionid.
func joined(cfg *authcore.Config) {
	for i := range cfg.Apps {
		cfg.Apps[i].UnionWith = []authcore.AppID{mainApp, secondApp}
	}
}

// union logs one person in at both applications: first at the main one.
func (w *world) union(first, second string) (main, other player) {
	w.t.Helper()
	main = w.newAccount()
	w.qq.know(main.access, qqAccount{openID: main.openID, unionID: first})
	main = w.again(main)
	return main, w.second(second)
}

// second logs a new account in at the second application.
func (w *world) second(unionID string) player {
	w.t.Helper()
	p := w.newAccount()
	w.qq2.know(p.access, qqAccount{openID: p.openID, unionID: unionID})
	return w.loginAt(secondClient, p)
}

func TestUnionID(t *testing.T) {
	for _, test := range []struct {
		name          string
		configure     func(*authcore.Config)
		first, second string
		one           bool
	}{
		{"joins where configured", joined, "UID_1", "UID_1", true},
		{"joins nobody by default", func(*authcore.Config) {}, "UID_1", "UID_1", false},
		{"different ones are two users", joined, "UID_1", "UID_2", false},
		{"empty ones never match", joined, "", "", false},
		{"joins only from a listed application", func(cfg *authcore.Config) {
			cfg.Apps[1].UnionWith = []authcore.AppID{secondApp, "101000003"}
		}, "UID_1", "UID_1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, test.configure)
			a, b := w.union(test.first, test.second)
			if one := a.user == b.user; one != test.one {
				t.Errorf("one user: %t; want %t", one, test.one)
			}
			if got := w.audit.count(authcore.AuditUserJoined) == 1; got != test.one {
				t.Errorf("the join is audited: %t", got)
			}
			// A join adds a way in, and that ends the user's other sessions.
			var ended error
			if test.one {
				ended = authcore.ErrSession
			}
			want(t, "admission of the first session", w.admit(w.guard(), a.session), ended)
		})
	}
}

func TestUnionIDIsStored(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	for _, granted := range []string{"UID_GRANTED_LATER", "UID_CHANGED", ""} {
		w.qq.know(p.access, qqAccount{openID: p.openID, unionID: granted})
		w.again(p)
		if granted == "" {
			granted = "UID_CHANGED" // that QQ withholds it now does not undo it
		}
		if u, err := w.UserByID(t.Context(), p.user); err != nil || u.Links[0].UnionID != granted {
			t.Errorf("links are %+v, %v; want unionid %s", u.Links, err, granted)
		}
	}
}

func TestTwoExistingUsersAreNeverMerged(t *testing.T) {
	w := newWorld(t)
	a, b := w.union("", "")
	w.qq.know(a.access, qqAccount{openID: a.openID, unionID: "UID_1"})
	w.qq2.know(b.access, qqAccount{openID: b.openID, unionID: "UID_1"})
	cfg := w.config()
	joined(&cfg)
	w.Service = w.service(cfg)
	if again := w.again(a); again.user != a.user {
		t.Errorf("the first account is user %s; want %s", again.user, a.user)
	}
	if again := w.loginAt(secondClient, b); again.user != b.user {
		t.Errorf("the second account is user %s; want %s", again.user, b.user)
	}
}

func TestUserWithAnotherAccountInTheApplicationIsNotJoined(t *testing.T) {
	w := newWorld(t, joined)
	a, b := w.union("UID_1", "UID_1")
	if a.user != b.user {
		t.Fatal("the accounts were not joined")
	}
	if c := w.second("UID_1"); c.user == a.user {
		t.Error("a user has two QQ accounts in one application")
	}
}

// TestEmptyUnionIDMatchesNoRecordEither: nothing writes a list for the empty
// unionid, and if one is there all the same it joins nobody.
func TestEmptyUnionIDMatchesNoRecordEither(t *testing.T) {
	w := newWorld(t, joined)
	a, _ := w.union("", "")
	w.write(func(tx authcore.Tx) {
		tx.PutUnion(w.keys.Ring().Index("unionid", ""), []authcore.UnionMember{{App: mainApp, User: a.user}})
	})
	if c := w.second(""); c.user == a.user {
		t.Error("two accounts without a unionid are one user")
	}
}

// TestVouching is about a list of users under a unionid that is older than the
// links: whoever got the QQ account since must not get its former user.
func TestVouching(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*authcore.User)
	}{
		{"an unlinked member does not vouch", func(u *authcore.User) { u.Links[0].App = "101000009" }},
		{"a member with another unionid does not vouch", func(u *authcore.User) { u.Links[0].UnionID = "UID_2" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, joined)
			a, _ := w.union("UID_1", "UID_OTHER")
			w.changeUser(a.user, test.change)
			if c := w.second("UID_1"); c.user == a.user {
				t.Error("joined to a user that nothing vouches for")
			}
		})
	}
}

func TestDisabledUserIsNotJoined(t *testing.T) {
	w := newWorld(t, joined)
	a, _ := w.union("UID_1", "UID_OTHER")
	want(t, "disable", w.Disable(t.Context(), a.user), nil)
	p := w.newAccount()
	w.qq2.know(p.access, qqAccount{openID: p.openID, unionID: "UID_1"})
	_, err := w.LoginQQ(t.Context(), secondClient, phone, p.access, p.openID)
	want(t, "login by another account of a disabled user", err, authcore.ErrUserDisabled)
	_, err = w.UserByOpenID(t.Context(), secondApp, p.openID)
	want(t, "look-up of the account", err, authcore.ErrNoUser)
}
