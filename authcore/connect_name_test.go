package authcore_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// nicknamed is a game with an account whose nickname a test commands.
type nicknamed struct {
	*world
	account player
}

func newNicknamed(t *testing.T) *nicknamed {
	t.Helper()
	n := &nicknamed{world: newWorld(t, atGames)}
	n.account = n.newAccount()
	n.call("first")
	return n
}

// call gives the account a nickname at QQ.
func (n *nicknamed) call(nickname string) {
	n.qq.know(n.account.access, qqAccount{openID: n.account.openID, nickname: nickname})
}

// login logs the account in and wants a name, and so many calls for the profile.
func (n *nicknamed) login(t *testing.T, current authcore.SessionID, sync bool, name string, profiles int) player {
	t.Helper()
	n.qq.takeCalls()
	p, err := n.ConnectQQ(t.Context(), mainClient, phone, authcore.QQConnect{
		Current: current, Token: n.account.access, SyncName: sync,
	})
	now := playing(t, p, err)
	n.wantName(t, now, name, profiles)
	if p.Name != name {
		t.Errorf("the game is told the name %q; want %q", p.Name, name)
	}
	return now
}

func (n *nicknamed) wantName(t *testing.T, p player, name string, profiles int) {
	t.Helper()
	if u := n.userRecord(p.user); u.DisplayName != name {
		t.Errorf("the name is %q; want %q", u.DisplayName, name)
	}
	if proves, asked := n.qq.takeCalls(); proves != 1 || asked != profiles {
		t.Errorf("QQ was asked for %d proofs and %d profiles; want 1 and %d", proves, asked, profiles)
	}
}

// app logs the account in as an app does.
func (n *nicknamed) app(t *testing.T, name string, profiles int) {
	t.Helper()
	n.qq.takeCalls()
	n.wantName(t, n.again(n.account), name, profiles)
}

// TestNameIsSynced by logins that ask for it, and by all later ones whoever sends
// them; those alone cost a second call to QQ.
func TestNameIsSynced(t *testing.T) {
	n := newNicknamed(t)
	n.login(t, "", false, "first", 1) // creation needs the nickname
	n.call("second")
	n.login(t, "", false, "first", 0)
	n.app(t, "first", 0)
	n.login(t, "", true, "second", 1)
	n.call("third")
	n.login(t, "", false, "third", 1) // the link remembers
	n.call("fourth")
	n.app(t, "fourth", 1)
	n.app(t, "fourth", 1) // QQ has to be asked to know

	// QQ that does not answer, or tells no name, takes none away.
	n.qq.failProfile(authcore.ErrQQUnavailable)
	n.call("fifth")
	n.login(t, "", false, "fourth", 1)
	n.app(t, "fourth", 1)
	n.qq.failProfile(nil)
	n.call("")
	n.login(t, "", true, "fourth", 1)
	n.app(t, "fourth", 1)
	n.call("sixth")
	n.app(t, "sixth", 1)
}

// TestNameIsSyncedFromCreation on.
func TestNameIsSyncedFromCreation(t *testing.T) {
	n := newNicknamed(t)
	p := n.login(t, "", true, "first", 1)
	if u := n.userRecord(p.user); !u.Links[0].SyncName {
		t.Errorf("the link is %+v", u.Links[0])
	}
	n.call("second")
	n.app(t, "second", 1)
}

// TestNameAtLinking: an empty name is filled, a name that is there is left unless
// the game asks for QQ's.
func TestNameAtLinking(t *testing.T) {
	for _, test := range []struct {
		before   string
		sync     bool
		nickname string
		down     bool
		after    string
		profiles int
	}{
		{"", false, "QQ's", false, "QQ's", 1},
		{"", false, "", false, "", 1},
		{"", false, "QQ's", true, "", 1},
		{"own", false, "QQ's", false, "own", 0},
		{"own", true, "QQ's", false, "QQ's", 1},
		{"own", true, "", false, "own", 1},
		{"own", true, "QQ's", true, "own", 1},
		{"", true, "QQ's", false, "QQ's", 1},
	} {
		t.Run(fmt.Sprintf("%q, sync: %t, QQ says %q, down: %t", test.before, test.sync, test.nickname, test.down), func(t *testing.T) {
			n := newNicknamed(t)
			guest := n.newGuest(t)
			n.changeUser(guest.user, func(u *authcore.User) { u.DisplayName = test.before })
			n.call(test.nickname)
			if test.down {
				n.qq.failProfile(authcore.ErrQQUnavailable)
			}
			now := n.login(t, guest.sid, test.sync, test.after, test.profiles)
			if u := n.userRecord(now.user); now.user != guest.user || u.Links[0].SyncName != test.sync {
				t.Errorf("the player is %+v", u)
			}
			if !test.sync {
				return
			}
			n.qq.failProfile(nil)
			n.call("later")
			n.app(t, "later", 1)
		})
	}
}

// TestNameAtASwitch is the owner's.
func TestNameAtASwitch(t *testing.T) {
	n := newNicknamed(t)
	owner := n.login(t, "", false, "first", 1)
	guest := n.newGuest(t)
	n.changeUser(guest.user, func(u *authcore.User) { u.DisplayName = "guest" })
	n.call("second")
	if now := n.login(t, guest.sid, true, "second", 1); now.user != owner.user {
		t.Errorf("the player is %s; want %s", now.user, owner.user)
	}
	if u := n.userRecord(guest.user); u.DisplayName != "guest" || len(u.Links) != 0 {
		t.Errorf("whoever was left is %+v", u)
	}
}

// TestNameOfARefusal: a refusal costs no profile and takes no name over.
func TestNameOfARefusal(t *testing.T) {
	n := newNicknamed(t)
	n.login(t, "", true, "first", 1)
	n.call("second")
	guest := n.newGuest(t)
	n.qq.takeCalls()
	before := n.snap(t)
	p, err := n.ConnectQQ(t.Context(), mainClient, phone, authcore.QQConnect{
		Current: guest.sid, Token: n.account.access, SyncName: true, LinkFlags: authcore.LinkFlags{ErrorOnSwitch: true},
	})
	if err != nil || p.Refused != authcore.RefusedSwitch || p.Owner.Name != "first" {
		t.Errorf("connect = %+v, %v", p, err)
	}
	if diff := cmp.Diff(before, n.snap(t)); diff != "" {
		t.Errorf("the store has changed: %s", diff)
	}
	if proves, profiles := n.qq.takeCalls(); proves != 1 || profiles != 0 {
		t.Errorf("QQ was asked for %d proofs and %d profiles", proves, profiles)
	}
}

// TestSyncedNameIsAnEvent: an assertion that is cached says the new name at once.
func TestSyncedNameIsAnEvent(t *testing.T) {
	n := newNicknamed(t)
	p := n.login(t, "", true, "first", 1)
	g := n.guard()
	if _, claims := n.assertion(g, p.session); claims.Name != "first" {
		t.Fatalf("the assertion says %q", claims.Name)
	}
	n.call("second")
	n.app(t, "second", 1)
	if _, claims := n.assertion(g, p.session); claims.Name != "second" {
		t.Errorf("the assertion says %q; want %q", claims.Name, "second")
	}
}

// TestNameIsWithheld from a client that does not get names, in the summary no less.
func TestNameIsWithheld(t *testing.T) {
	w := newWorld(t, atGames, func(cfg *authcore.Config) { clientOf(cfg, mainClient).Claims = nil })
	a := w.newAccount()
	p, err := w.tryQQ(t, a, "", authcore.LinkFlags{})
	playing(t, p, err)
	if p.Name != "" || w.userRecord(p.User).DisplayName == "" {
		t.Errorf("the game is told %q", p.Name)
	}
	p, err = w.tryQQ(t, a, w.newGuest(t).sid, authcore.LinkFlags{ErrorOnSwitch: true})
	if err != nil || p.Owner == nil || p.Owner.Name != "" {
		t.Errorf("the summary is %+v, %v", p.Owner, err)
	}
}
