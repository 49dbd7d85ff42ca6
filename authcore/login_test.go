package authcore_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

func TestKnownUserCostsOneCallAndOneUpdate(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	if proves, profiles := w.qq.takeCalls(); proves != 1 || profiles != 1 {
		t.Errorf("first login made %d proofs and %d profiles; want 1 and 1", proves, profiles)
	}
	w.store.takeCalls()
	again := w.again(p)
	if again.user != p.user {
		t.Errorf("second login is user %s; want %s", again.user, p.user)
	}
	if proves, profiles := w.qq.takeCalls(); proves != 1 || profiles != 0 {
		t.Errorf("second login made %d proofs and %d profiles; want 1 and 0", proves, profiles)
	}
	if got := w.store.takeCalls(); got != (calls{updates: 1}) {
		t.Errorf("second login asked the store %+v; want one update", got)
	}
}

func TestUnknownUser(t *testing.T) {
	for _, test := range []struct {
		rule   authcore.UnknownUser
		status authcore.Status
		err    error
		state  bool
		exists bool
	}{
		{authcore.UnknownCreate, authcore.StatusSuccess, nil, false, true},
		{authcore.UnknownRegister, authcore.StatusUserRegister, nil, true, false},
		{authcore.UnknownBind, authcore.StatusSocialBind, nil, true, false},
		{authcore.UnknownDeny, authcore.StatusAccessDenied, nil, false, false},
		{authcore.UnknownRefuse, "", authcore.ErrNoUser, false, false},
	} {
		t.Run(string(test.rule), func(t *testing.T) {
			w := newWorld(t, unknownUser(test.rule))
			a := w.newAccount()
			out, err := w.LoginQQ(t.Context(), mainClient, phone, a.access, a.openID)
			want(t, "login", err, test.err)
			if out.Status != test.status {
				t.Errorf("status = %q; want %q", out.Status, test.status)
			}
			if hasState := out.StateToken != ""; hasState != test.state || hasState != (len(out.Ways) == 1) {
				t.Errorf("state token present: %t, ways %v; want %t", hasState, out.Ways, test.state)
			}
			if hasSession := !out.Grant.Token.IsZero(); hasSession != (test.status == authcore.StatusSuccess) {
				t.Errorf("session present: %t", hasSession)
			}
			_, err = w.UserByOpenID(t.Context(), mainApp, a.openID)
			if exists := err == nil; exists != test.exists {
				t.Errorf("user exists: %t (%v); want %t", exists, err, test.exists)
			}
		})
	}
}

func TestUnknownClientIsRefusedBeforeQQ(t *testing.T) {
	w := newWorld(t)
	_, err := w.LoginQQ(t.Context(), "nobody", phone, "token", "")
	want(t, "login", err, authcore.ErrUnknownClient)
	if proves, _ := w.qq.takeCalls(); proves != 0 {
		t.Errorf("QQ was asked %d times", proves)
	}
}

func TestFullStoreShedsLoginsBeforeQQ(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.qq.takeCalls()
	w.store.refuseWrites(authcore.ErrUnavailable)
	_, err := w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
	want(t, "login", err, authcore.ErrUnavailable)
	if proves, _ := w.qq.takeCalls(); proves != 0 {
		t.Errorf("QQ was asked %d times", proves)
	}
	want(t, "log-out on a full store", w.Logout(t.Context(), mainClient, p.session, ""), nil)
	want(t, "admission after the log-out", w.admit(w.guard(), p.session), authcore.ErrSession)
}

func TestNickname(t *testing.T) {
	for _, test := range []struct {
		name string
		mute error
		want string
	}{
		{"from the profile", nil, "nickname 1"},
		{"failing profile does not block", authcore.ErrQQUnavailable, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.qq.failProfile(test.mute)
			p := w.newPlayer()
			u, err := w.UserByID(t.Context(), p.user)
			if err != nil || u.DisplayName != test.want {
				t.Errorf("user is %q, %v; want %q", u.DisplayName, err, test.want)
			}
		})
	}
}

func TestIdentityIsApplicationAndOpenID(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.qq2.know("token of the other application", qqAccount{openID: p.openID})
	other := w.loginAt(secondClient, player{access: "token of the other application", openID: p.openID})
	if other.user == p.user {
		t.Error("one open id in two applications is one user")
	}
	for app, id := range map[authcore.AppID]authcore.UserID{mainApp: p.user, secondApp: other.user} {
		if u, err := w.UserByOpenID(t.Context(), app, p.openID); err != nil || u.ID != id {
			t.Errorf("user of application %s = %s, %v; want %s", app, u.ID, err, id)
		}
	}
}

func TestUserIDIsShapedLikeTheVendors(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	if !regexp.MustCompile(`^20260504030201987-[0-9A-F]{4}-[0-9A-F]{9}$`).MatchString(string(p.user)) {
		t.Errorf("user id = %s", p.user)
	}
}

func TestRefusalsByQQ(t *testing.T) {
	for _, fault := range []error{
		authcore.ErrQQToken, authcore.ErrQQApp, authcore.ErrQQOpenID, authcore.ErrQQConfig, authcore.ErrQQUnavailable,
	} {
		t.Run(fault.Error(), func(t *testing.T) {
			w := newWorld(t)
			a := w.newAccount()
			w.qq.fail(fmt.Errorf("%w: detail", fault))
			_, err := w.LoginQQ(t.Context(), mainClient, phone, a.access, a.openID)
			want(t, "login", err, fault)
			if got := w.store.takeCalls(); got != (calls{}) {
				t.Errorf("a login that QQ refused asked the store %+v", got)
			}
			if w.audit.count(authcore.AuditLoginRefused) != 1 {
				t.Error("the refusal is not audited")
			}
		})
	}
}

func TestClaimedOpenIDMustBeTheTokens(t *testing.T) {
	w := newWorld(t)
	a, b := w.newAccount(), w.newAccount()
	_, err := w.LoginQQ(t.Context(), mainClient, phone, a.access, b.openID)
	want(t, "login", err, authcore.ErrQQOpenID)
}

func TestRefusedLoginsAreLimited(t *testing.T) {
	v6 := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	for _, test := range []struct {
		name             string
		attacker, victim netip.Addr // two addresses
		shared           bool       // and whether they are counted as one
	}{
		{"one IPv4 address", v6("203.0.113.9"), v6("203.0.113.9"), true},
		{"two IPv4 addresses", v6("203.0.113.9"), v6("203.0.113.10"), false},
		{"IPv4 in IPv6", v6("203.0.113.9"), v6("::ffff:203.0.113.9"), true},
		{"one IPv6 /64", v6("2001:db8::1"), v6("2001:db8::ffff:1"), true},
		{"two IPv6 /64", v6("2001:db8::1"), v6("2001:db8:0:1::1"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.newPlayer()
			caller := phone
			caller.Addr = test.attacker
			for i := range 60 {
				if _, err := w.LoginQQ(t.Context(), mainClient, caller, "no token", ""); !errors.Is(err, authcore.ErrQQToken) {
					t.Fatalf("refused login %d = %v; want ErrQQToken", i+1, err)
				}
			}
			caller.Addr = test.victim
			_, err := w.LoginQQ(t.Context(), mainClient, caller, "no token", "")
			expected := authcore.ErrQQToken
			if test.shared {
				expected = authcore.ErrLimited
				if after, ok := authcore.RetryAfter(err); !ok || after != time.Second {
					t.Errorf("retry after %s, %t; want one second", after, ok)
				}
			}
			want(t, "refused login 61", err, expected)
			caller.Addr = test.attacker
			if _, err := w.LoginQQ(t.Context(), mainClient, caller, p.access, p.openID); err != nil {
				t.Errorf("a proved login from a limited address = %v", err)
			}
			w.clock.step(time.Second)
			_, err = w.LoginQQ(t.Context(), mainClient, caller, "no token", "")
			want(t, "refused login a second later", err, authcore.ErrQQToken)
		})
	}
}

func TestReloadForgetsNoRefusedLogin(t *testing.T) {
	w := newWorld(t)
	for range 60 {
		_, err := w.LoginQQ(t.Context(), mainClient, phone, "no token", "")
		want(t, "refused login", err, authcore.ErrQQToken)
	}
	_, err := w.service(w.config()).LoginQQ(t.Context(), mainClient, phone, "no token", "")
	want(t, "refused login 61, after a reload", err, authcore.ErrLimited)
}

func TestLimitsCanBeLifted(t *testing.T) {
	w := newWorld(t, func(cfg *authcore.Config) { cfg.Limits.Off = true })
	for range 61 {
		_, err := w.LoginQQ(t.Context(), mainClient, phone, "no token", "")
		want(t, "refused login", err, authcore.ErrQQToken)
	}
}

func TestUnavailableQQDoesNotCountAgainstTheAddress(t *testing.T) {
	w := newWorld(t)
	w.qq.fail(authcore.ErrQQUnavailable)
	for range 61 {
		_, err := w.LoginQQ(t.Context(), mainClient, phone, "token", "")
		want(t, "login", err, authcore.ErrQQUnavailable)
	}
	w.qq.fail(nil)
	_, err := w.LoginQQ(t.Context(), mainClient, phone, "no token", "")
	want(t, "login", err, authcore.ErrQQToken)
}

func TestSimulatorAnswersLoopbackOnly(t *testing.T) {
	w := newWorld(t, func(cfg *authcore.Config) { cfg.Apps[0].LoopbackOnly = true })
	a := w.newAccount()
	far := phone
	far.Loopback = false
	_, err := w.LoginQQ(t.Context(), mainClient, far, a.access, a.openID)
	want(t, "login from afar", err, authcore.ErrDenied)
	if _, err := w.LoginQQ(t.Context(), mainClient, phone, a.access, a.openID); err != nil {
		t.Errorf("login from loopback = %v", err)
	}
}

// TestSpentAccessTokens is contract 3.3: whoever steals a QQ access token that
// was used here must not get in with it after its user has logged out of all.
func TestSpentAccessTokens(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(context.Context, *world, authcore.UserID) error
	}{
		{"log-out of all", func(ctx context.Context, w *world, id authcore.UserID) error { return w.EndSessions(ctx, id) }},
		{"disable", func(ctx context.Context, w *world, id authcore.UserID) error {
			if err := w.Disable(ctx, id); err != nil {
				return err
			}
			return w.Enable(ctx, id)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.newPlayer()
			want(t, test.name, test.end(t.Context(), w, p.user), nil)
			_, err := w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
			want(t, "login with the spent token", err, authcore.ErrQQToken)
			_, err = w.LoginQQ(t.Context(), foreignClient, phone, p.access, "")
			want(t, "login with the spent token at another client", err, authcore.ErrQQToken)
			w.qq.know("a fresh token", qqAccount{openID: p.openID})
			fresh := p
			fresh.access = "a fresh token"
			if again := w.again(fresh); again.user != p.user {
				t.Errorf("the fresh token is user %s; want %s", again.user, p.user)
			}
			_, err = w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
			want(t, "login with the spent token after a good login", err, authcore.ErrQQToken)
		})
	}
}

func TestDisabledComesBeforeSpent(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	want(t, "disable", w.Disable(t.Context(), p.user), nil)
	w.qq.know("a fresh token", qqAccount{openID: p.openID})
	for _, access := range []string{p.access, "a fresh token"} {
		_, err := w.LoginQQ(t.Context(), mainClient, phone, access, p.openID)
		want(t, "login while disabled", err, authcore.ErrUserDisabled)
	}
	want(t, "enable", w.Enable(t.Context(), p.user), nil)
	_, err := w.LoginQQ(t.Context(), mainClient, phone, "a fresh token", p.openID)
	want(t, "login with a token that was never used here", err, nil)
}

func TestAudit(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.again(p)
	for name, times := range map[string]int{authcore.AuditUserCreated: 1, authcore.AuditLogin: 2, authcore.AuditLoginRefused: 0} {
		if got := w.audit.count(name); got != times {
			t.Errorf("%s audited %d times; want %d", name, got, times)
		}
	}
}
