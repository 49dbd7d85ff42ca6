package authcore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// overtaking is a store whose next Update runs its function, forgets what it wrote,
// lets somebody else be first and runs it again: what a database does to those who
// are in each other's way.
type overtaking struct {
	authcore.Store
	other func()
}

func (s *overtaking) Update(ctx context.Context, fn func(authcore.Tx) error) error {
	if other := s.other; other != nil {
		s.other = nil
		err := s.Store.Update(ctx, func(tx authcore.Tx) error {
			if err := fn(tx); err != nil {
				return err
			}
			return errForgotten
		})
		if !errors.Is(err, errForgotten) {
			s.other = other // a run that wrote nothing is no decision: QQ's nickname is missing
			return err
		}
		other()
	}
	return s.Store.Update(ctx, fn)
}

// TestDecisionRestsOnItsLastRun: nothing of what a login was decided to be by a run
// that did not count is left in one that does.
func TestDecisionRestsOnItsLastRun(t *testing.T) {
	type scene struct {
		*world
		account, guest, owner player
	}
	disable := func(s *scene) { want(s.t, "disable", s.Disable(s.t.Context(), s.owner.user), nil) }
	known := func(s *scene) { s.owner = s.play(s.t, s.account, "", authcore.LinkFlags{}) }
	leave := func(s *scene) { want(s.t, "end the session", s.EndSession(s.t.Context(), s.guest.sid), nil) }
	part := func(s *scene) {
		s.cheapPassword(s.owner.user)
		want(s.t, "disconnect", s.Disconnect(s.t.Context(), mainClient, phone, s.owner.sid), nil)
	}
	const toOwner, toGuest, toNew = "owner", "guest", "new player"
	for _, test := range []struct {
		name      string
		before    func(*scene)
		flags     authcore.LinkFlags
		meanwhile func(*scene)

		player  string
		refused authcore.Refusal
		err     error
		left    bool // player_switched
		added   bool // way_added
	}{
		{name: "link, then create", meanwhile: leave, player: toNew},
		{name: "link, then switch", meanwhile: known, player: toOwner, left: true},
		{name: "link, then refused", flags: authcore.LinkFlags{ErrorOnSwitch: true}, meanwhile: known, refused: authcore.RefusedSwitch},
		{name: "link, then login", meanwhile: func(s *scene) { known(s); leave(s) }, player: toOwner},
		{name: "link, then a disabled owner", meanwhile: func(s *scene) { known(s); disable(s) }, err: authcore.ErrUserDisabled},
		{name: "link, then another account", meanwhile: func(s *scene) {
			link := authcore.Link{Identity: authcore.IdentityHash{1}, App: mainApp, OpenID: "another"}
			s.changeUser(s.guest.user, func(u *authcore.User) { u.Links = append(u.Links, link) })
			s.write(func(tx authcore.Tx) { tx.PutLink(link, s.guest.user) })
		}, refused: authcore.RefusedLinked},
		{name: "create, then switch", flags: authcore.LinkFlags{DoNotLink: true}, meanwhile: known, player: toOwner, left: true},
		{name: "create, then create and nobody left", flags: authcore.LinkFlags{DoNotLink: true}, meanwhile: leave, player: toNew},
		{name: "switch, then link", before: known, meanwhile: part, player: toGuest, added: true},
		{name: "switch, then create", before: known, flags: authcore.LinkFlags{DoNotLink: true}, meanwhile: part, player: toNew, left: true},
		{name: "switch, then login", before: known, meanwhile: leave, player: toOwner},
		{name: "switch, then refused", before: known, flags: authcore.LinkFlags{DoNotLink: true, DoNotCreate: true}, meanwhile: part, refused: authcore.RefusedCreation},
		{name: "refused, then link", before: known, flags: authcore.LinkFlags{ErrorOnSwitch: true}, meanwhile: part, player: toGuest, added: true},
		{name: "refused, then login", before: known, flags: authcore.LinkFlags{ErrorOnSwitch: true}, meanwhile: leave, player: toOwner},
		{name: "refused, then switch", flags: authcore.LinkFlags{DoNotLink: true, DoNotCreate: true}, meanwhile: known, player: toOwner, left: true},
		{name: "join, then link", before: func(s *scene) {
			s.owner = s.second("UID")
			s.qq.know(s.account.access, qqAccount{openID: s.account.openID, unionID: "UID"})
		}, meanwhile: func(s *scene) {
			s.changeUser(s.owner.user, func(u *authcore.User) { u.Links[0].UnionID = "" })
		}, player: toGuest, added: true},
		{name: "link, then join", before: func(s *scene) {
			s.qq.know(s.account.access, qqAccount{openID: s.account.openID, unionID: "UID"})
		}, meanwhile: func(s *scene) { s.owner = s.second("UID") }, player: toOwner, left: true, added: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := new(overtaking)
			s := &scene{world: newWorldOn(t, func(w *world) (_ authcore.Store, err error) {
				store.Store, err = onBadger(w)
				return store, err
			}, atGames, joined)}
			s.account, s.guest = s.newAccount(), s.newGuest(t)
			s.changeUser(s.guest.user, func(u *authcore.User) { u.DisplayName = "guest" })
			if test.before != nil {
				test.before(s)
			}
			var before snapshot
			switched, added := 0, 0
			count := func() (int, int) {
				return s.audit.count(authcore.AuditPlayerSwitched), s.audit.count(authcore.AuditWayAdded)
			}
			store.other = func() {
				test.meanwhile(s)
				before = s.snap(t)
				switched, added = count()
			}
			p, err := s.tryQQ(t, s.account, s.guest.sid, test.flags)
			if store.other != nil {
				t.Fatal("nobody has overtaken")
			}
			want(t, "connect", err, test.err)
			if p.Refused != test.refused {
				t.Errorf("refused %q; want %q", p.Refused, test.refused)
			}
			after := s.snap(t)
			nowSwitched, nowAdded := count()
			if got := nowSwitched - switched; got != map[bool]int{true: 1}[test.left] {
				t.Errorf("player_switched audited %d times", got)
			}
			if got := nowAdded - added; got != map[bool]int{true: 1}[test.added] {
				t.Errorf("way_added audited %d times", got)
			}
			for id, u := range after.Users {
				if len(u.Links) > 1 && id != s.owner.user || len(u.Links) > 2 {
					t.Errorf("user %s has links %+v", id, u.Links)
				}
			}
			if test.player == "" {
				if p.Status != "" || !p.Grant.Token.IsZero() || p.User != "" {
					t.Errorf("the answer is %+v", p)
				}
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("the store has changed: %s", diff)
				}
				return
			}
			now := playing(t, p, err)
			wanted := map[string]authcore.UserID{toOwner: s.owner.user, toGuest: s.guest.user, toNew: now.user}[test.player]
			_, there := before.Users[now.user]
			if now.user != wanted || p.Created != (test.player == toNew) || there == p.Created {
				t.Errorf("the player is %s, created: %t, there before: %t; want the %s", now.user, p.Created, there, test.player)
			}
			if after.Links[s.identityOf(s.account)] != wanted {
				t.Errorf("the account is %s's; want %s's", after.Links[s.identityOf(s.account)], wanted)
			}
			// A link leaves it as it is; every other way to play on has left it.
			s.wantAlive(t, "the guest's session", s.guest, test.player == toGuest)
			s.wantPlaying(t, "the new session", now.session, now.sid, wanted)
		})
	}
}
