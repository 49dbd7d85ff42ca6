package authcore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// unionStage is an account that is new here, of somebody who is known through the
// second application.
func (w *world) unionStage() (account, owner player) {
	owner = w.second("UID")
	account = w.newAccount()
	w.qq.know(account.access, qqAccount{openID: account.openID, unionID: "UID", nickname: "nickname"})
	return account, owner
}

// TestOwnerByUnionID: an account that is new, of somebody whom a joined application
// knows, is a known one, and the linking decision is about its owner.
func TestOwnerByUnionID(t *testing.T) {
	for _, test := range []struct {
		name    string
		current string // none, guest, other (has another QQ account) or owner
		flags   authcore.LinkFlags
		refused authcore.Refusal
		summary bool
	}{
		{name: "login", current: "none"},
		{name: "login, whatever is asked", current: "none", flags: authcore.LinkFlags{DoNotLink: true, ErrorOnSwitch: true, DoNotCreate: true}},
		{name: "switch", current: "guest"},
		{name: "switch although it may not create", current: "guest", flags: authcore.LinkFlags{DoNotLink: true, DoNotCreate: true}},
		{name: "refused switch", current: "guest", flags: authcore.LinkFlags{ErrorOnSwitch: true}, refused: authcore.RefusedSwitch, summary: true},
		{name: "another account", current: "other", refused: authcore.RefusedLinked},
		{name: "another account, told whose", current: "other", flags: authcore.LinkFlags{ErrorOnSwitch: true}, refused: authcore.RefusedLinked, summary: true},
		{name: "another account, switch", current: "other", flags: authcore.LinkFlags{SwitchIfPossible: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, atGames, joined)
			a, owner := w.unionStage()
			g := w.guard(func(cfg *authcore.GuardConfig) { cfg.Clients = append(cfg.Clients, secondClient) })
			var current player
			switch test.current {
			case "guest":
				current = w.newGuest(t)
			case "other":
				current = w.play(t, w.newAccount(), "", authcore.LinkFlags{})
			}
			before := w.snap(t)
			p, err := w.tryQQ(t, a, current.sid, test.flags)
			if test.refused != "" {
				if err != nil || p.Refused != test.refused || (p.Owner != nil) != test.summary {
					t.Fatalf("refused %q with %+v, %v; want %q", p.Refused, p.Owner, err, test.refused)
				}
				if test.summary && (p.Owner.User != owner.user || p.Owner.OpenID != a.openID) {
					t.Errorf("the owner is %+v; want %s", p.Owner, owner.user)
				}
				if diff := cmp.Diff(before, w.snap(t)); diff != "" {
					t.Errorf("a refusal changed the store: %s", diff)
				}
				want(t, "the owner's session", w.admit(g, owner.session), nil)
				return
			}
			if now := playing(t, p, err); now.user != owner.user || p.Created {
				t.Errorf("the player is %s, created: %t; want %s", now.user, p.Created, owner.user)
			}
			if u := w.userRecord(owner.user); len(u.Links) != 2 || u.Links[1].OpenID != a.openID || u.Links[1].UnionID != "UID" {
				t.Errorf("the links are %+v", u.Links)
			}
			if len(w.snap(t).Users) != len(before.Users) {
				t.Error("a user was made, or is gone")
			}
			// A join is a way in, and ends what was logged in before.
			want(t, "the owner's session", w.admit(g, owner.session), authcore.ErrSession)
			if current.session != "" {
				w.wantAlive(t, "the session that was left", current, false)
			}
			if n := w.audit.count(authcore.AuditUserJoined); n != 1 {
				t.Errorf("user_joined audited %d times", n)
			}
		})
	}
}

// TestJoinToTheCurrentPlayer: the player who is signed in is the account's owner by
// its unionid.
func TestJoinToTheCurrentPlayer(t *testing.T) {
	w := newWorld(t, atGames, joined)
	device := w.newDevice()
	other, guest := w.onPhone(t, device), w.onPhone(t, device)
	// The same player, with an account of the second application.
	b := w.newAccount()
	w.qq2.know(b.access, qqAccount{openID: b.openID, unionID: "UID"})
	link := authcore.Link{
		Identity: w.keys.Ring().Index("identity", string(secondApp), b.openID),
		App:      secondApp, OpenID: b.openID, UnionID: "UID", Since: w.clock.Now(),
	}
	w.changeUser(guest.user, func(u *authcore.User) { u.Links = append(u.Links, link) })
	w.write(func(tx authcore.Tx) {
		tx.PutLink(link, guest.user)
		tx.PutUnion(w.keys.Ring().Index("unionid", "UID"), []authcore.UnionMember{{App: secondApp, User: guest.user}})
	})
	a := w.newAccount()
	w.qq.know(a.access, qqAccount{openID: a.openID, unionID: "UID"})
	now := w.play(t, a, guest.sid, authcore.LinkFlags{ErrorOnSwitch: true, DoNotCreate: true, DoNotLink: true})
	if u := w.userRecord(guest.user); now.user != guest.user || len(u.Links) != 2 {
		t.Errorf("the player is %s with %+v", now.user, u.Links)
	}
	w.wantAlive(t, "the session that the join came with", guest, true)
	w.wantAlive(t, "the player's other session", other, false)
	if n := w.audit.count(authcore.AuditPlayerSwitched); n != 0 {
		t.Errorf("player_switched audited %d times", n)
	}
}

// TestUnionMateIsNotJoined where the owner has another account in the application:
// the account is nobody's, and goes to whom the game says.
func TestUnionMateIsNotJoined(t *testing.T) {
	w := newWorld(t, atGames, joined)
	a, owner := w.unionStage()
	w.play(t, a, "", authcore.LinkFlags{})
	c := w.newAccount()
	w.qq.know(c.access, qqAccount{openID: c.openID, unionID: "UID"})
	guest := w.newGuest(t)
	if now := w.play(t, c, guest.sid, authcore.LinkFlags{}); now.user != guest.user || now.user == owner.user {
		t.Errorf("the account went to %s; want %s", now.user, guest.user)
	}
}
