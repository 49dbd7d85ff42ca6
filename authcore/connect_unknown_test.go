package authcore_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// gameWithRule is a game whose client has a rule for QQ accounts of nobody, and
// that has a guest already.
func gameWithRule(t *testing.T, rule authcore.UnknownUser, change ...func(*authcore.Config)) (w *codeWorld, guest player) {
	t.Helper()
	w = newCodeWorld(t, append([]func(*authcore.Config){atGames, unknownUser(rule)}, change...)...)
	w.lax(func() { guest = w.newGuest(t) })
	return w, guest
}

// TestRulesForUnknownAccountsAtGames: where a player would be created the rule
// decides, and until it has let one in nobody is left.
func TestRulesForUnknownAccountsAtGames(t *testing.T) {
	for _, test := range []struct {
		rule   authcore.UnknownUser
		status authcore.Status
		err    error
		waits  bool
	}{
		{authcore.UnknownDeny, authcore.StatusAccessDenied, nil, false},
		{authcore.UnknownRefuse, "", authcore.ErrNoUser, false},
		{authcore.UnknownRegister, authcore.StatusUserRegister, nil, true},
		{authcore.UnknownBind, authcore.StatusSocialBind, nil, true},
	} {
		for _, signedIn := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, signed in: %t", test.rule, signedIn), func(t *testing.T) {
				w, guest := gameWithRule(t, test.rule)
				var current authcore.SessionID
				flags := authcore.LinkFlags{ErrorOnSwitch: true}
				if signedIn {
					current, flags.DoNotLink = guest.sid, true
				}
				a := w.newAccount()
				before := w.snap(t)
				p, err := w.tryQQ(t, a, current, flags)
				want(t, "connect", err, test.err)
				if p.Status != test.status || p.Refused != "" || (p.StateToken != "") != test.waits || (len(p.Ways) > 0) != test.waits ||
					!p.Grant.Token.IsZero() || p.User != "" || p.Session != "" || p.Created {
					t.Errorf("the answer is %+v", p)
				}
				after := w.snap(t)
				if n := len(after.Pendings[w.identityOf(a)]); (n == 1) != test.waits {
					t.Errorf("%d logins wait", n)
				}
				after.Pendings = before.Pendings
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("the store has changed: %s", diff)
				}
				w.wantAlive(t, "the guest's session", guest, true)

				// The game's own refusal comes first.
				flags.DoNotCreate = true
				p, err = w.tryQQ(t, a, current, flags)
				if err != nil || p.Refused != authcore.RefusedCreation {
					t.Errorf("refused %q, %v; want %q", p.Refused, err, authcore.RefusedCreation)
				}
				if !signedIn {
					return
				}
				// The rule is about players who would be created, and no others.
				if now := w.play(t, a, guest.sid, authcore.LinkFlags{}); now.user != guest.user {
					t.Errorf("the account went to %s; want the guest %s", now.user, guest.user)
				}
			})
		}
	}
}

func (w *world) identityOf(p player) authcore.IdentityHash {
	return w.keys.Ring().Index("identity", string(mainApp), p.openID)
}

// TestUnknownAccountIsFinished by register-bind or bind: what the game asked for
// survives the wait, and the session that is left ends no earlier than the new one
// is there.
func TestUnknownAccountIsFinished(t *testing.T) {
	requested := map[string]string{"tier": "gold"}
	for _, flow := range unfinished {
		for _, signedIn := range []bool{false, true} {
			for _, bound := range []bool{false, true} { // to somebody who has the phone
				if !bound && flow.rule == authcore.UnknownBind {
					continue
				}
				t.Run(fmt.Sprintf("%s, signed in: %t, known: %t", flow.rule, signedIn, bound), func(t *testing.T) {
					w, guest := gameWithRule(t, flow.rule)
					var owner player
					if bound {
						owner = w.elsewhere(ownPhone)
					}
					in := authcore.QQConnect{SyncName: true, Segments: maps.Clone(requested), LinkFlags: authcore.LinkFlags{DoNotLink: true}}
					if signedIn {
						in.Current = guest.sid
					}
					a := w.newAccount()
					w.qq.know(a.access, qqAccount{openID: a.openID, nickname: "nickname"})
					in.Token = a.access
					p, err := w.ConnectQQ(t.Context(), mainClient, phone, in)
					if err != nil || p.Status != flow.status {
						t.Fatalf("connect = %q, %v; want %q", p.Status, err, flow.status)
					}
					in.Segments["tier"] = "changed by the caller"
					code := w.code(typeOf(flow.purpose, ownPhone), ownPhone)
					_, err = w.try(flow.by(w), w.state(p.Outcome), ownPhone, wrong(code))
					want(t, "a wrong code", err, authcore.ErrCode)
					w.wantAlive(t, "the guest's session before", guest, true)
					done := w.finish(flow.by(w), p.Outcome, ownPhone, code, authcore.StatusSuccess)
					claims := w.idToken(done.Grant.IDToken)
					u := w.userRecord(authcore.UserID(claims.Subject))

					w.wantAlive(t, "the guest's session", guest, !signedIn)
					if n := w.audit.count(authcore.AuditPlayerSwitched); n != map[bool]int{true: 1}[signedIn] {
						t.Errorf("player_switched audited %d times", n)
					}
					i := len(u.Links) - 1
					if u.ID == guest.user || u.Links[i].OpenID != a.openID || !u.Links[i].SyncName {
						t.Errorf("the player is %+v", u)
					}
					if bound {
						if u.ID != owner.user || len(u.Requested) != 0 {
							t.Errorf("bound to %s with %v; want %s", u.ID, u.Requested, owner.user)
						}
						return
					}
					if diff := cmp.Diff(requested, u.Requested); diff != "" || len(u.Segments) != 0 {
						t.Errorf("requested: %s, segments %v", diff, u.Segments)
					}
					if u.DisplayName != "nickname" {
						t.Errorf("the name is %q; want QQ's", u.DisplayName)
					}
				})
			}
		}
	}
}

// TestBindingTakesTheNameOver: SyncName says that QQ's nickname is taken over now,
// which for a login that waits is when it ends.
func TestBindingTakesTheNameOver(t *testing.T) {
	w, _ := gameWithRule(t, authcore.UnknownBind)
	owner := w.elsewhere(ownPhone)
	w.changeUser(owner.user, func(u *authcore.User) { u.DisplayName = "before" })
	a := w.newAccount()
	w.qq.know(a.access, qqAccount{openID: a.openID, nickname: "after"})
	p, err := w.ConnectQQ(t.Context(), mainClient, phone, authcore.QQConnect{Token: a.access, SyncName: true})
	if err != nil || p.Status != authcore.StatusSocialBind {
		t.Fatalf("connect = %q, %v", p.Status, err)
	}
	w.finish(w.Bind, p.Outcome, ownPhone, w.code("BIND_MOBILE_SMS", ownPhone), authcore.StatusSuccess)
	if u := w.userRecord(owner.user); u.DisplayName != "after" {
		t.Errorf("the name is %q; want %q", u.DisplayName, "after")
	}
}

// TestFinishingAfterTheGuestHasGone: whoever has logged out meanwhile has nothing to
// leave.
func TestFinishingAfterTheGuestHasGone(t *testing.T) {
	w, guest := gameWithRule(t, authcore.UnknownRegister)
	a := w.newAccount()
	p, err := w.tryQQ(t, a, guest.sid, authcore.LinkFlags{DoNotLink: true})
	if err != nil || p.Status != authcore.StatusUserRegister {
		t.Fatalf("connect = %q, %v", p.Status, err)
	}
	code := w.code("REGISTER_SMS", ownPhone)
	want(t, "log-out", w.EndSession(t.Context(), guest.sid), nil)
	w.finish(w.Register, p.Outcome, ownPhone, code, authcore.StatusSuccess)
	if n := w.audit.count(authcore.AuditPlayerSwitched); n != 0 {
		t.Errorf("player_switched audited %d times", n)
	}
}

// TestFinishingByTheCurrentPlayersPhone binds to the very player who is signed in.
func TestFinishingByTheCurrentPlayersPhone(t *testing.T) {
	w, guest := gameWithRule(t, authcore.UnknownBind)
	other := player{user: guest.user}
	other.session, other.sid = w.raw(guest.user, func(*authcore.Session) {})
	w.give(guest.user, ownPhone)
	a := w.newAccount()
	p, err := w.tryQQ(t, a, guest.sid, authcore.LinkFlags{DoNotLink: true})
	if err != nil || p.Status != authcore.StatusSocialBind {
		t.Fatalf("connect = %q, %v", p.Status, err)
	}
	w.clock.step(time.Minute)
	done := w.finish(w.Bind, p.Outcome, ownPhone, w.code("BIND_MOBILE_SMS", ownPhone), authcore.StatusSuccess)
	if got := w.idToken(done.Grant.IDToken).Subject; got != string(guest.user) {
		t.Errorf("bound to %s; want %s", got, guest.user)
	}
	w.wantAlive(t, "the session that the login came with", guest, true)
	w.wantAlive(t, "the player's other session", other, false)
	if n := w.audit.count(authcore.AuditPlayerSwitched); n != 0 {
		t.Errorf("player_switched audited %d times: nobody became another", n)
	}
}
