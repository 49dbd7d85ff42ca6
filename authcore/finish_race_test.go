package authcore_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// crowd is how many finish one login at once.
const crowd = 1000

// TestLoginIsFinishedOnce is about a client that sends everything twice, and about
// whoever has overheard it.
func TestLoginIsFinishedOnce(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(testing.TB) (w *codeWorld, login authcore.PendingID, by finisher, code string, a player)
		links   int
		created int
	}{
		{"register", func(t testing.TB) (*codeWorld, authcore.PendingID, finisher, string, player) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
			a := w.newAccount()
			out := w.login(a, authcore.StatusUserRegister)
			return w, w.state(out), w.Register, w.code("REGISTER_SMS", ownPhone), a
		}, 1, 1},
		{"bind", func(t testing.TB) (*codeWorld, authcore.PendingID, finisher, string, player) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownBind))
			w.elsewhere(ownPhone)
			a := w.newAccount()
			out := w.login(a, authcore.StatusSocialBind)
			return w, w.state(out), w.Bind, w.code("BIND_MOBILE_SMS", ownPhone), a
		}, 2, 0},
		{"mfa", func(t testing.TB) (*codeWorld, authcore.PendingID, finisher, string, player) {
			w := newCodeWorld(t, mfa(authcore.WayPhone))
			a := w.known(ownPhone)
			want(t, "log-out", w.EndSession(w.t.Context(), a.sid), nil)
			out := w.login(a, authcore.StatusMFAAuth)
			return w, w.state(out), w.FinishMFA, w.code("MFA_AUTH_SMS", ownPhone), a
		}, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, login, by, code, a := test.prepare(t)
			to := w.contact(ownPhone)
			var mu sync.Mutex
			var sessions []string
			together(crowd, func(int) {
				out, err := by(t.Context(), mainClient, phone, login, to, code)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && out.Status == authcore.StatusSuccess:
					sessions = append(sessions, out.Grant.Token.Reveal())
				case !errors.Is(err, authcore.ErrState) && !errors.Is(err, authcore.ErrCode):
					t.Errorf("finish = %q, %v", out.Status, err)
				}
			})
			if len(sessions) != 1 {
				t.Fatalf("%d of %d succeeded; want one", len(sessions), crowd)
			}
			want(t, "the session", w.admit(w.guard(), sessions[0]), nil)
			u, err := w.UserByOpenID(t.Context(), mainApp, a.openID)
			if err != nil || len(u.Links) != test.links {
				t.Errorf("the user has links %v, %v; want %d", u.Links, err, test.links)
			}
			if owner, err := w.owner(ownPhone); err != nil || owner.ID != u.ID {
				t.Errorf("the phone is user %s's, %v", owner.ID, err)
			}
			if all, err := w.Sessions(t.Context(), u.ID); err != nil || len(all) != 1 {
				t.Errorf("the user has %d sessions, %v; want one", len(all), err)
			}
			if got := w.audit.count(authcore.AuditUserCreated); got != test.created {
				t.Errorf("user_created audited %d times; want %d", got, test.created)
			}
		})
	}
}

// TestOnePhoneRegisteredTwiceAtOnce: the one who comes second is bound to the
// user of the first, or refused where that user has a QQ account already.
func TestOnePhoneRegisteredTwiceAtOnce(t *testing.T) {
	for _, client := range []authcore.ClientID{mainClient, secondClient} {
		t.Run(string(client), func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), func(cfg *authcore.Config) {
				clientOf(cfg, secondClient).Unknown = authcore.UnknownRegister
				clientOf(cfg, secondClient).Verify = []authcore.Way{authcore.WayPhone}
			})
			views := []*codeWorld{w, w.as(client, tablet)}
			logins, codes := make([]authcore.PendingID, 2), make([]string, 2)
			for i, v := range views {
				a := w.newAccount()
				w.qq2.know(a.access, qqAccount{openID: a.openID})
				logins[i] = v.state(v.login(a, authcore.StatusUserRegister))
				codes[i] = v.code("REGISTER_SMS", ownPhone)
				w.clock.step(2 * time.Minute)
			}
			outs, errs := make([]authcore.Outcome, 2), make([]error, 2)
			to := w.contact(ownPhone)
			together(2, func(i int) {
				outs[i], errs[i] = w.Register(t.Context(), views[i].client, views[i].caller, logins[i], to, codes[i])
			})
			owner, err := w.owner(ownPhone)
			if err != nil {
				t.Fatalf("read the owner: %v", err)
			}
			refused := 0
			for i := range outs {
				if errors.Is(errs[i], authcore.ErrTaken) {
					refused++
				} else if errs[i] != nil || w.idToken(outs[i].Grant.IDToken).Subject != string(owner.ID) {
					t.Errorf("login %d = %q, %v", i, outs[i].Status, errs[i])
				}
			}
			wantRefused, wantLinks := 1, 1
			if client == secondClient {
				wantRefused, wantLinks = 0, 2
			}
			if refused != wantRefused || len(owner.Links) != wantLinks || w.audit.count(authcore.AuditUserCreated) != 1 {
				t.Errorf("%d refused, links %v", refused, owner.Links)
			}
		})
	}
}

// TestDecisionsMayRunTwice is the contract of a Store: whatever a function of a
// transaction has decided, it may be run again.
func TestDecisionsMayRunTwice(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), mfa(authcore.WayEmail), bothWays)
	w.store.twice.Store(true)
	a := w.newAccount()
	out := w.login(a, authcore.StatusUserRegister)
	code := w.code("REGISTER_SMS", ownPhone)
	_, err := w.try(w.Register, w.state(out), ownPhone, wrong(code))
	want(t, "a wrong code", err, authcore.ErrCode)
	out = w.finish(w.Register, out, ownPhone, code, authcore.StatusUserRegister)
	done := w.finish(w.Register, out, ownEmail, w.code("REGISTER_EMS", ownEmail), authcore.StatusSuccess)
	if got := w.methods(done); got != "qq sms email" {
		t.Errorf("amr = %q", got)
	}
	w.clock.step(2 * time.Minute)
	out = w.login(a, authcore.StatusMFAAuth)
	done = w.finish(w.FinishMFA, out, ownEmail, w.code("MFA_AUTH_EMS", ownEmail), authcore.StatusSuccess)
	u := w.userRecord(authcore.UserID(w.idToken(done.Grant.IDToken).Subject))
	if u.Mobile != ownPhone || u.Email != ownEmail || len(u.Links) != 1 || !slices.Equal(u.MobileVia, []authcore.ClientID{mainClient}) {
		t.Errorf("the user is %+v", u)
	}
	if all, err := w.Sessions(t.Context(), u.ID); err != nil || len(all) != 2 {
		t.Errorf("%d sessions, %v; want two", len(all), err)
	}
	if got := w.audit.count(authcore.AuditUserCreated); got != 1 {
		t.Errorf("user_created audited %d times", got)
	}
}
