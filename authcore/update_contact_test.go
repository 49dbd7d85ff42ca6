package authcore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

func TestUpdateOfAContact(t *testing.T) {
	for name, test := range map[string]struct{ kind, first, second string }{
		"phone":  {"UPDATE_MOBILE_SMS", ownPhone, otherPhone},
		"e-mail": {"UPDATE_EMAIL_EMS", ownEmail, otherEmail},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCodeWorld(t)
			p := w.newPlayer()
			other := w.again(p)
			elsewhere := w.loginAt(foreignClient, p)
			child, _ := w.raw(p.user, func(s *authcore.Session) { s.Parent = other.sid })
			p = w.again(p) // the newest: that is whom a code is sent for
			g := w.guard(func(cfg *authcore.GuardConfig) { cfg.Clients = append(cfg.Clients, foreignClient) })
			for _, session := range []string{p.session, other.session, elsewhere.session, child} {
				want(t, "admission", w.admit(g, session), nil)
			}
			live, err := g.Admit(t.Context(), other.session, "")
			want(t, "a request in flight", err, nil)
			defer live.Release()

			w.proved(p, test.kind, test.first)
			want(t, "the own session", w.admit(g, p.session), nil)
			for _, session := range []string{other.session, elsewhere.session, child} {
				want(t, "another session", w.admit(g, session), authcore.ErrSession)
			}
			awaitEnd(t, live)
			if n := w.audit.count(authcore.AuditWayAdded); n != 1 {
				t.Errorf("%d ways in audited; want 1", n)
			}
			u := w.userRecord(p.user)
			if u.Mobile+u.Email != test.first || len(u.MobileVia)+len(u.EmailVia) != 1 || append(u.MobileVia, u.EmailVia...)[0] != mainClient {
				t.Errorf("the user is %+v", u)
			}

			w.proved(p, test.kind, test.second)
			if u := w.userRecord(p.user); u.Mobile+u.Email != test.second {
				t.Errorf("the user is %+v", u)
			}
			stranger := w.newPlayer()
			w.proved(stranger, test.kind, test.first) // the old one is free
			code := w.code(test.kind, test.second)
			want(t, "a phone of another", w.update(stranger, test.second, code), authcore.ErrTaken)
			want(t, "the code for it, again", w.update(stranger, test.second, code), authcore.ErrCode)
			if u := w.userRecord(stranger.user); u.Mobile+u.Email != test.first {
				t.Errorf("the stranger is %+v", u)
			}
			if u := w.userRecord(p.user); u.Mobile+u.Email != test.second {
				t.Errorf("the user is %+v", u)
			}
		})
	}
}

// What is no longer the user's no longer finds the user.
func TestOldContactFindsNobody(t *testing.T) {
	w := newCodeWorld(t)
	p := w.newPlayer()
	w.proved(p, "UPDATE_MOBILE_SMS", ownPhone)
	w.proved(p, "UPDATE_MOBILE_SMS", otherPhone)
	_, err := w.binds("BIND_MOBILE_SMS", ownPhone)
	want(t, "by the old phone", err, authcore.ErrNoUser)
	w.clock.step(2 * time.Minute)
	// The user has a QQ account, so this one cannot be theirs, too.
	_, err = w.binds("BIND_MOBILE_SMS", otherPhone)
	want(t, "by the new phone", err, authcore.ErrTaken)
}

func TestUpdateRefused(t *testing.T) {
	w := newCodeWorld(t)
	p := w.newPlayer()
	g := w.guard()
	p = w.again(p)
	old := w.again(p)
	p = w.again(p)
	code := w.code("UPDATE_MOBILE_SMS", ownPhone)
	name := "new name"
	contact := w.contact(ownPhone)
	want(t, "a wrong code", w.UpdateProfile(t.Context(), mainClient, phone, p.sid,
		authcore.ProfileUpdate{Name: &name, Contact: &contact, Code: wrong(code)}), authcore.ErrCode)
	if n := w.audit.count(authcore.AuditCodeRefused); n != 1 {
		t.Errorf("%d wrong codes audited; want 1", n)
	}
	want(t, "the code for another phone", w.update(p, otherPhone, code), authcore.ErrCode)
	elsewhere := w.as(mainClient, authcore.Caller{Fingerprint: "another device", Addr: phone.Addr})
	want(t, "the code of another device", elsewhere.update(p, ownPhone, code), authcore.ErrCode)
	want(t, "another client's session", w.as(foreignClient, phone).update(p, ownPhone, code), authcore.ErrIDToken)
	if u := w.userRecord(p.user); u.Mobile != "" || u.DisplayName != "nickname 1" {
		t.Errorf("the user is %+v", u)
	}
	want(t, "the other session", w.admit(g, old.session), nil)

	// Ten minutes after the login it is too old, and the code is left as it is.
	w.clock.step(4 * time.Minute)
	want(t, "the right code", w.update(p, ownPhone, code), nil)
	w.clock.step(5 * time.Minute)
	code = w.code("UPDATE_EMAIL_EMS", ownEmail)
	w.clock.step(time.Minute + 1)
	want(t, "after ten minutes", w.update(p, ownEmail, code), authcore.ErrStale)
	w.clock.step(-1)
	want(t, "within ten minutes", w.update(p, ownEmail, code), nil)
}

// A refresh is no login.
func TestRefreshDoesNotMakeALoginFresh(t *testing.T) {
	w := newCodeWorld(t)
	p := w.newPlayer()
	w.clock.step(10*time.Minute + 1)
	_, err := w.Refresh(t.Context(), mainClient, phone, p.session)
	want(t, "refresh", err, nil)
	want(t, "update", w.update(p, ownPhone, w.code("UPDATE_MOBILE_SMS", ownPhone)), authcore.ErrStale)
}

// A session that was taken over from another keeps that alive on which it rests.
func TestUpdateSparesWhatTheSessionRestsOn(t *testing.T) {
	w := newCodeWorld(t)
	p := w.newPlayer()
	middle, middleID := w.raw(p.user, func(s *authcore.Session) { s.Parent = p.sid })
	own := p
	own.session, own.sid = w.raw(p.user, func(s *authcore.Session) { s.Parent = middleID })
	w.proved(own, "UPDATE_MOBILE_SMS", ownPhone)
	g := w.guard()
	want(t, "the own session", w.admit(g, own.session), nil)
	want(t, "the one it was taken over from", w.admit(g, middle), nil)
	want(t, "the one that this was taken over from", w.admit(g, p.session), nil)
}

// A phone that was proved through two clients stays proved through both.
func TestContactProvedTwice(t *testing.T) {
	w := newCodeWorld(t)
	p := w.newPlayer()
	w.proved(p, "UPDATE_MOBILE_SMS", ownPhone)
	there := w.as(foreignClient, phone)
	there.proved(w.loginAt(foreignClient, p), "UPDATE_MOBILE_SMS", ownPhone)
	got := w.userRecord(p.user).MobileVia
	if diff := cmp.Diff([]authcore.ClientID{mainClient, foreignClient}, got); diff != "" {
		t.Errorf("proved through: %s", diff)
	}
}

// Of all who prove a phone at once, one gets it.
func TestOnePhoneOneOwner(t *testing.T) {
	w := newCodeWorld(t, func(cfg *authcore.Config) { cfg.Limits.Off = true })
	users := make([]authcore.UserID, 10)
	updates := make([]func() error, len(users))
	for i := range users {
		caller := phone
		caller.Fingerprint = fmt.Sprint("device ", i)
		own := w.as(mainClient, caller)
		p := w.newAccount()
		claims := w.idToken(own.login(p, authcore.StatusSuccess).Grant.IDToken)
		users[i], p.sid = authcore.UserID(claims.Subject), authcore.SessionID(claims.Session)
		code := own.code("UPDATE_MOBILE_SMS", ownPhone)
		updates[i] = func() error { return own.update(p, ownPhone, code) }
	}
	errs := make([]error, len(users))
	together(len(users), func(i int) { errs[i] = updates[i]() })
	owner := w.holder(authcore.WayPhone, ownPhone)
	for i, id := range users {
		expected, mobile := authcore.ErrTaken, ""
		if id == owner {
			expected, mobile = nil, ownPhone
		}
		want(t, "update", errs[i], expected)
		if got := w.userRecord(id).Mobile; got != mobile {
			t.Errorf("user %d has %q; want %q", i, got, mobile)
		}
	}
	if owner == "" {
		t.Error("the phone is nobody's")
	}
}

// Before phones were found by, two users could come in with one. What one of them
// does must not take it from the other, whom it finds.
func TestPhoneOfTwoUsers(t *testing.T) {
	for name, act := range map[string]func(*codeWorld, player){
		"another one": func(w *codeWorld, p player) { w.proved(p, "UPDATE_MOBILE_SMS", otherPhone) },
		"erasing": func(w *codeWorld, p player) {
			want(w.t, "erase", w.DeleteAccount(w.t.Context(), mainClient, phone, p.sid), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCodeWorld(t)
			owner := w.newPlayer()
			w.proved(owner, "UPDATE_MOBILE_SMS", ownPhone)
			other := w.newPlayer()
			w.changeUser(other.user, func(u *authcore.User) { u.Mobile = ownPhone })
			act(w, other)
			if got := w.holder(authcore.WayPhone, ownPhone); got != owner.user {
				t.Errorf("the phone is %q's; want %s", got, owner.user)
			}
		})
	}
}

// TestWrongUpdateCodesOfAUser count against the user who is signed in, unless a code
// alone has proved who that is.
func TestWrongUpdateCodesOfAUser(t *testing.T) {
	for name, test := range map[string]struct {
		methods []authcore.Method
		want    error
	}{
		"by QQ":         {[]authcore.Method{authcore.MethodQQ}, authcore.ErrLimited},
		"by a password": {[]authcore.Method{authcore.MethodPassword}, authcore.ErrLimited},
		"by a code":     {[]authcore.Method{authcore.MethodSMS}, authcore.ErrCode},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCodeWorld(t, func(cfg *authcore.Config) { cfg.Limits.UserCodes, cfg.Limits.CodeTries = 3, 100 })
			p := w.newPlayer()
			_, p.sid = w.raw(p.user, func(s *authcore.Session) { s.Methods = test.methods })
			for range 3 {
				want(t, "a wrong code", w.update(p, ownPhone, "123456"), authcore.ErrCode)
			}
			want(t, "the fourth", w.update(p, ownPhone, "123456"), test.want)
		})
	}
}
