package authcore_test

import (
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

func TestStateTokensThatAreNotGood(t *testing.T) {
	for _, test := range []struct {
		name string
		see  func(w *codeWorld, good authcore.Outcome) (who *codeWorld, stateToken string)
		want error
	}{
		{"the good one", func(w *codeWorld, good authcore.Outcome) (*codeWorld, string) { return w, good.StateToken }, nil},
		{"none", func(w *codeWorld, _ authcore.Outcome) (*codeWorld, string) { return w, "" }, authcore.ErrNoState},
		{"no JWT", func(w *codeWorld, _ authcore.Outcome) (*codeWorld, string) { return w, "state.token" }, authcore.ErrNoState},
		{"a session token", func(w *codeWorld, _ authcore.Outcome) (*codeWorld, string) { return w, w.known().session }, authcore.ErrNoState},
		{"another client", func(w *codeWorld, good authcore.Outcome) (*codeWorld, string) {
			return w.as(foreignClient, phone), good.StateToken
		}, authcore.ErrState},
		{"a client that is not configured", func(w *codeWorld, good authcore.Outcome) (*codeWorld, string) {
			return w.as("nobody", phone), good.StateToken
		}, authcore.ErrState},
		{"another device", func(w *codeWorld, good authcore.Outcome) (*codeWorld, string) {
			return w.as(mainClient, tablet), good.StateToken
		}, authcore.ErrState},
		{"no device", func(w *codeWorld, good authcore.Outcome) (*codeWorld, string) {
			return w.as(mainClient, authcore.Caller{Loopback: true}), good.StateToken
		}, authcore.ErrState},
		{"forged", func(w *codeWorld, good authcore.Outcome) (*codeWorld, string) {
			return w, good.StateToken[:len(good.StateToken)-4] + "AAAA"
		}, authcore.ErrState},
		{"of another server", func(w *codeWorld, good authcore.Outcome) (*codeWorld, string) {
			other := newCodeWorld(w.t, unknownUser(authcore.UnknownRegister))
			return w, other.login(other.newAccount(), authcore.StatusUserRegister).StateToken
		}, authcore.ErrState},
		{"expired", func(w *codeWorld, good authcore.Outcome) (*codeWorld, string) {
			w.clock.step(30 * time.Minute)
			return w, good.StateToken
		}, authcore.ErrState},
		{"used", func(w *codeWorld, good authcore.Outcome) (*codeWorld, string) {
			w.finish(w.Register, good, ownPhone, w.code("REGISTER_SMS", ownPhone), authcore.StatusSuccess)
			return w, good.StateToken
		}, authcore.ErrState},
		{"the fourth one voids it", func(w *codeWorld, good authcore.Outcome) (*codeWorld, string) {
			a := player{openID: "0123456789ABCDEF0123456789ABCDEF", access: "access-token-of-four"}
			w.qq.know(a.access, qqAccount{openID: a.openID})
			first := w.login(a, authcore.StatusUserRegister)
			for range 3 {
				w.login(a, authcore.StatusUserRegister)
			}
			return w, first.StateToken
		}, authcore.ErrState},
		{"an id_token", func(w *codeWorld, _ authcore.Outcome) (*codeWorld, string) {
			return w, w.freshIDToken(w.known())
		}, authcore.ErrState},
		{"an assertion", func(w *codeWorld, _ authcore.Outcome) (*codeWorld, string) {
			raw, _ := w.assertion(w.guard(), w.known().session)
			return w, raw
		}, authcore.ErrState},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
			good := w.login(w.newAccount(), authcore.StatusUserRegister)
			who, raw := test.see(w, good)
			_, err := w.CheckState(t.Context(), who.client, who.caller, raw)
			want(t, "check", err, test.want)
			_, err = w.CheckState(t.Context(), who.client, who.caller, raw, authcore.StatusUserRegister)
			want(t, "check for its status", err, test.want)
		})
	}
}

// TestStateTokenIsOfOneStatus: none finishes what it was not made for.
func TestStateTokenIsOfOneStatus(t *testing.T) {
	for _, test := range []struct {
		status authcore.Status
		setup  func(testing.TB) (*codeWorld, authcore.Outcome)
	}{
		{authcore.StatusUserRegister, func(t testing.TB) (*codeWorld, authcore.Outcome) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
			return w, w.login(w.newAccount(), authcore.StatusUserRegister)
		}},
		{authcore.StatusSocialBind, func(t testing.TB) (*codeWorld, authcore.Outcome) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownBind))
			return w, w.login(w.newAccount(), authcore.StatusSocialBind)
		}},
		{authcore.StatusMFAAuth, func(t testing.TB) (*codeWorld, authcore.Outcome) {
			w := newCodeWorld(t, mfa(authcore.WayPhone))
			return w, w.login(w.known(ownPhone), authcore.StatusMFAAuth)
		}},
	} {
		t.Run(string(test.status), func(t *testing.T) {
			w, out := test.setup(t)
			login := w.state(out, test.status)
			for status, by := range map[authcore.Status]finisher{
				authcore.StatusUserRegister: w.Register, authcore.StatusSocialBind: w.Bind, authcore.StatusMFAAuth: w.FinishMFA,
			} {
				if status == test.status {
					continue
				}
				_, err := w.CheckState(t.Context(), mainClient, phone, out.StateToken, status)
				want(t, "check for "+string(status), err, authcore.ErrState)
				_, err = w.try(by, login, ownPhone, "123456")
				want(t, "finish "+string(status), err, authcore.ErrState)
			}
			for name, who := range map[string]*codeWorld{
				"another client": w.as(foreignClient, phone), "another device": w.as(mainClient, tablet),
			} {
				for _, by := range []finisher{w.Register, w.Bind, w.FinishMFA} {
					_, err := who.try(by, login, ownPhone, "123456")
					want(t, "finish by "+name, err, authcore.ErrState)
				}
			}
			w.clock.step(30 * time.Minute)
			for _, by := range []finisher{w.Register, w.Bind, w.FinishMFA} {
				_, err := w.try(by, login, ownPhone, "123456")
				want(t, "finish too late", err, authcore.ErrState)
			}
		})
	}
}

func TestLoginWithoutADeviceIsBoundToTheFirst(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
	game := authcore.Caller{Addr: phone.Addr, Loopback: true}
	a := w.newAccount()
	out := w.as(mainClient, game).login(a, authcore.StatusUserRegister)
	login := w.state(out)
	if again := w.state(out); again != login {
		t.Errorf("the same device reads %s and %s", login, again)
	}
	want(t, "another device afterwards", w.as(mainClient, tablet).dead(out), authcore.ErrState)
	want(t, "no device afterwards", w.as(mainClient, game).dead(out), authcore.ErrState)
	code := w.code("REGISTER_SMS", ownPhone)
	_, err := w.as(mainClient, tablet).try(w.Register, login, ownPhone, code)
	want(t, "finish on another device", err, authcore.ErrState)
	done := w.finish(w.Register, out, ownPhone, code, authcore.StatusSuccess)
	_, err = w.IssueTicket(t.Context(), mainClient, tablet, done.Grant.Token.Reveal(), "")
	want(t, "the session on another device", err, authcore.ErrSession)
}

// TestFirstDeviceIsOne: of two devices that hold one state_token at once, one
// gets the login.
func TestFirstDeviceIsOne(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
	out := w.as(mainClient, authcore.Caller{Loopback: true}).login(w.newAccount(), authcore.StatusUserRegister)
	w.store.afterView(func() {
		w.store.afterView(nil)
		want(t, "the device that comes between", w.as(mainClient, tablet).dead(out), nil)
	})
	want(t, "the one that had read before", w.dead(out), authcore.ErrState)
	want(t, "the device that was first", w.as(mainClient, tablet).dead(out), nil)
}

// TestEndsTakeStateTokens is contract 6.4: whatever ends a user's sessions ends the
// logins that wait for more, also one that is to link another QQ account.
func TestEndsTakeStateTokens(t *testing.T) {
	for name, end := range map[string]func(*codeWorld, player) error{
		"log-out":        func(w *codeWorld, p player) error { return w.Logout(w.t.Context(), secondClient, p.session, "") },
		"end by id":      func(w *codeWorld, p player) error { return w.EndSession(w.t.Context(), p.sid) },
		"log-out of all": func(w *codeWorld, p player) error { return w.EndSessions(w.t.Context(), p.user) },
		"disabling":      func(w *codeWorld, p player) error { return w.Disable(w.t.Context(), p.user) },
		"disabling and enabling": func(w *codeWorld, p player) error {
			if err := w.Disable(w.t.Context(), p.user); err != nil {
				return err
			}
			return w.Enable(w.t.Context(), p.user)
		},
		"erasing": func(w *codeWorld, p player) error {
			return w.DeleteAccount(w.t.Context(), secondClient, phone, p.sid)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownBind), bothWays, func(cfg *authcore.Config) {
				clientOf(cfg, mainClient).MFA = []authcore.Way{authcore.WayEmail}
				clientOf(cfg, secondClient).MFA = []authcore.Way{authcore.WayPhone}
			})
			p := w.elsewhere(ownPhone, ownEmail)
			second := w.as(secondClient, phone)
			own := second.login(p, authcore.StatusMFAAuth)
			ownLogin := second.state(own)
			a := w.newAccount()
			waiting := w.login(a, authcore.StatusSocialBind)
			linking := w.finish(w.Bind, waiting, ownPhone, w.code("BIND_MOBILE_SMS", ownPhone), authcore.StatusMFAAuth)
			linkingLogin := w.state(linking)
			code := w.code("MFA_AUTH_EMS", ownEmail)
			stranger := w.login(w.newAccount(), authcore.StatusSocialBind)

			want(t, name, end(w, p), nil)
			want(t, "the user's own login", second.dead(own), authcore.ErrState)
			want(t, "the one that is to link an account", w.dead(linking), authcore.ErrState)
			want(t, "a stranger's", w.dead(stranger), nil)
			for _, id := range []authcore.PendingID{ownLogin, linkingLogin} {
				_, err := w.pending(string(id))
				want(t, "its record", err, authcore.ErrNotFound)
			}
			_, err := w.try(w.FinishMFA, linkingLogin, ownEmail, code)
			want(t, "finish by a good code", err, authcore.ErrState)
			_, err = w.UserByOpenID(t.Context(), mainApp, a.openID)
			want(t, "the owner of the QQ account", err, authcore.ErrNoUser)
		})
	}
}
