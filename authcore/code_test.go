package authcore_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

func TestMessage(t *testing.T) {
	for _, test := range []struct{ kind, to, written string }{
		{"REGISTER_SMS", ownPhone, "15201657321"}, {"REGISTER_EMS", ownEmail, ownEmail},
	} {
		t.Run(test.kind, func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), bothWays)
			w.login(w.newAccount(), authcore.StatusUserRegister)
			want(t, "send", w.send(test.kind, test.written), nil)
			sent := append(w.texts.take(), w.mails.take()...)
			if len(sent) != 1 {
				t.Fatalf("%d messages", len(sent))
			}
			m := sent[0]
			if m.To != test.to || m.Type() != test.kind || m.Lang != "zh" || m.ExpiresIn != 5*time.Minute || !m.Time.Equal(w.clock.Now()) {
				t.Errorf("the message is %+v", m)
			}
			if !regexp.MustCompile(`^[0-9]{6}$`).MatchString(m.Code.Reveal()) {
				t.Errorf("the code has the form of %q", m.Code.Reveal())
			}
		})
	}
}

// TestNothingWaits: what nobody waits for is answered as if it were sent.
func TestNothingWaits(t *testing.T) {
	for _, test := range []struct {
		name string
		ask  func(*codeWorld) error
	}{
		{"no login", func(w *codeWorld) error { return w.as(mainClient, tablet).send("REGISTER_SMS", ownPhone) }},
		{"no session", func(w *codeWorld) error { return w.as(mainClient, tablet).send("UPDATE_MOBILE_SMS", ownPhone) }},
		{"another client", func(w *codeWorld) error { return w.as(foreignClient, phone).send("REGISTER_SMS", ownPhone) }},
		{"another type", func(w *codeWorld) error { return w.send("BIND_MOBILE_SMS", ownPhone) }},
		{"the type of MFA", func(w *codeWorld) error { return w.send("MFA_AUTH_SMS", ownPhone) }},
		{"no type", func(w *codeWorld) error { return w.send("", ownPhone) }},
		{"a type without end here", func(w *codeWorld) error { return w.send("LOGIN_SMS", ownPhone) }},
		{"a type in another case", func(w *codeWorld) error { return w.send("register_sms", ownPhone) }},
		{"the type of another way", func(w *codeWorld) error { return w.send("REGISTER_SMS", ownEmail) }},
		{"an expired login", func(w *codeWorld) error {
			w.clock.step(30 * time.Minute)
			return w.send("REGISTER_SMS", ownPhone)
		}},
		{"another login is named", func(w *codeWorld) error {
			return w.SendCode(w.t.Context(), mainClient, phone, authcore.CodeRequest{
				Login: "1777863721987AAAAAAAAAAAAAAAAAAAAAA", Type: "REGISTER_SMS", To: w.contact(ownPhone), Pass: w.pass(ownPhone),
			})
		}},
		{"a login of another device is named", func(w *codeWorld) error {
			w.t.Helper()
			other := w.as(mainClient, tablet)
			waiting := other.state(other.login(w.newAccount(), authcore.StatusUserRegister))
			return w.SendCode(w.t.Context(), mainClient, phone, authcore.CodeRequest{
				Login: waiting, Type: "REGISTER_SMS", To: w.contact(ownPhone), Pass: w.pass(ownPhone),
			})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), bothWays)
			w.login(w.newAccount(), authcore.StatusUserRegister)
			want(t, "send", test.ask(w), nil)
			if n := w.messages(); n != 0 {
				t.Errorf("%d messages", n)
			}
			if n := w.audit.count(authcore.AuditCodeSent) + w.audit.count(authcore.AuditCodeNotSent); n != 0 {
				t.Errorf("audited %d times as sent", n)
			}
		})
	}
}

// TestCodeIsOfOneLogin: a code that was sent for one login finishes no other.
func TestCodeIsOfOneLogin(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), bothWays)
	older := w.login(w.newAccount(), authcore.StatusUserRegister)
	newer := w.login(w.newAccount(), authcore.StatusUserRegister)
	foreign := w.as(mainClient, tablet)
	elsewhere := foreign.login(w.newAccount(), authcore.StatusUserRegister)

	code := w.code("REGISTER_SMS", ownPhone) // for the newest that waits
	_, err := w.try(w.Register, w.state(older), ownPhone, code)
	want(t, "the older login of the same device", err, authcore.ErrCode)
	_, err = foreign.try(w.Register, foreign.state(elsewhere), ownPhone, code)
	want(t, "a login on another device", err, authcore.ErrCode)
	for _, to := range []string{otherPhone, ownEmail} {
		_, err = w.try(w.Register, w.state(newer), to, code)
		want(t, "register "+to, err, authcore.ErrCode)
	}
	w.finish(w.Register, newer, ownPhone, code, authcore.StatusSuccess)
}

func TestNamedLoginGetsTheCode(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
	older := w.login(w.newAccount(), authcore.StatusUserRegister)
	w.login(w.newAccount(), authcore.StatusUserRegister)
	err := w.SendCode(t.Context(), mainClient, phone, authcore.CodeRequest{
		Login: w.state(older), Type: "REGISTER_SMS", To: w.contact(ownPhone), Pass: w.pass(ownPhone),
	})
	want(t, "send", err, nil)
	sent := w.texts.take()
	if len(sent) != 1 {
		t.Fatalf("%d messages", len(sent))
	}
	w.finish(w.Register, older, ownPhone, sent[0].Code.Reveal(), authcore.StatusSuccess)
}

// TestLoginThatWaitsForTheType is found behind newer ones that do not.
func TestLoginThatWaitsForTheType(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), mfa(authcore.WayPhone))
	p := w.known(ownPhone)
	older := w.login(p, authcore.StatusMFAAuth)
	w.login(w.newAccount(), authcore.StatusUserRegister)
	w.finish(w.FinishMFA, older, ownPhone, w.code("MFA_AUTH_SMS", ownPhone), authcore.StatusSuccess)
}

// TestCodeOfOneTypeIsNoneOfAnother: a login changes its type by its second code.
func TestCodeOfOneTypeIsNoneOfAnother(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), verify(authcore.WayEmail), mfa(authcore.WayPhone))
	out := w.login(w.newAccount(), authcore.StatusUserRegister)
	code := w.code("REGISTER_EMS", ownEmail)
	next := w.finish(w.Register, out, ownEmail, code, authcore.StatusUserRegister)
	_, err := w.try(w.Register, w.state(next), ownPhone, code)
	want(t, "the code of the first step in the second", err, authcore.ErrCode)
}

func TestLifeOfACode(t *testing.T) {
	for _, test := range []struct {
		age  time.Duration
		want error
	}{{5*time.Minute - 1, nil}, {5 * time.Minute, authcore.ErrCode}} {
		t.Run(test.age.String(), func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
			out := w.login(w.newAccount(), authcore.StatusUserRegister)
			login, code := w.state(out), w.code("REGISTER_SMS", ownPhone)
			w.clock.step(test.age)
			_, err := w.try(w.Register, login, ownPhone, code)
			want(t, "register", err, test.want)
		})
	}
}

func TestNewCodeVoidsTheLast(t *testing.T) {
	for _, to := range []string{ownPhone, otherPhone} {
		t.Run(to, func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
			out := w.login(w.newAccount(), authcore.StatusUserRegister)
			first := w.code("REGISTER_SMS", ownPhone)
			w.clock.step(2 * time.Minute)
			second := w.code("REGISTER_SMS", to)
			for second == first { // by chance
				w.clock.step(2 * time.Minute)
				second = w.code("REGISTER_SMS", to)
			}
			_, err := w.try(w.Register, w.state(out), ownPhone, first)
			want(t, "the first", err, authcore.ErrCode)
			w.finish(w.Register, out, to, second, authcore.StatusSuccess)
		})
	}
}

// TestTriesOfACode are five, whether or not the code was sent: nobody learns that
// by trying.
func TestTriesOfACode(t *testing.T) {
	for _, sent := range []bool{true, false} {
		t.Run(fmt.Sprintf("sent: %t", sent), func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
			out := w.login(w.newAccount(), authcore.StatusUserRegister)
			login, code := w.state(out), "123456"
			if sent {
				code = w.code("REGISTER_SMS", ownPhone)
			}
			for i := range 5 {
				_, err := w.try(w.Register, login, ownPhone, wrong(code))
				want(t, fmt.Sprintf("wrong code %d", i+1), err, authcore.ErrCode)
			}
			for _, digits := range []string{code, wrong(code)} {
				_, err := w.try(w.Register, login, ownPhone, digits)
				want(t, "after five", err, authcore.ErrLimited)
				if after, ok := authcore.RetryAfter(err); !ok || after != 5*time.Minute {
					t.Errorf("retry after %s, %t; want five minutes", after, ok)
				}
			}
			if n := w.audit.count(authcore.AuditCodeRefused); n != 7 {
				t.Errorf("code_refused audited %d times; want 7", n)
			}
			w.clock.step(5 * time.Minute)
			_, err := w.try(w.Register, login, ownPhone, code)
			want(t, "the same after that time", err, authcore.ErrCode)
			w.finish(w.Register, out, ownPhone, w.code("REGISTER_SMS", ownPhone), authcore.StatusSuccess)
		})
	}
}

// TestWrongCodesOfAUser are counted over all logins that QQ has proved to be his.
func TestWrongCodesOfAUser(t *testing.T) {
	w := newCodeWorld(t, bothFactors)
	p := w.known(ownPhone, ownEmail)
	for i := range 20 {
		if i%4 == 0 {
			w.clock.step(time.Hour)
		}
		out := w.login(p, authcore.StatusMFAAuth)
		to := []string{ownPhone, ownEmail, otherPhone, otherEmail}[i%4]
		_, err := w.try(w.FinishMFA, w.state(out), to, "123456")
		want(t, fmt.Sprintf("wrong code %d", i+1), err, authcore.ErrCode)
	}
	w.clock.step(time.Hour)
	out := w.login(p, authcore.StatusMFAAuth)
	want(t, "a code after twenty wrong ones", w.send("MFA_AUTH_SMS", ownPhone), authcore.ErrLimited)
	_, err := w.try(w.FinishMFA, w.state(out), ownPhone, "123456")
	want(t, "a try after twenty wrong ones", err, authcore.ErrLimited)
	after, ok := authcore.RetryAfter(err)
	if day := 24 * time.Hour; !ok || after > day-5*time.Hour+day/60 || after < day-5*time.Hour {
		t.Errorf("retry after %s, %t", after, ok)
	}
	w.clock.step(after)
	out = w.login(p, authcore.StatusMFAAuth)
	w.finish(w.FinishMFA, out, ownPhone, w.code("MFA_AUTH_SMS", ownPhone), authcore.StatusSuccess)
}

// TestStrangersCannotBlockAUser: wrong codes count against a user only where his
// QQ identity was proved. Who knows no more than a phone has no part in that, and
// neither has who holds it, for the phone may have a new owner.
func TestStrangersCannotBlockAUser(t *testing.T) {
	for _, test := range []struct {
		name  string
		guess func(w *codeWorld) error
	}{
		{"by binding", func(w *codeWorld) error {
			out := w.login(w.newAccount(), authcore.StatusSocialBind)
			_, err := w.try(w.Bind, w.state(out), ownPhone, "123456")
			return err
		}},
		{"by the second factor after binding", func(w *codeWorld) error {
			out := w.login(w.newAccount(), authcore.StatusSocialBind)
			next := w.finish(w.Bind, out, ownPhone, w.code("BIND_MOBILE_SMS", ownPhone), authcore.StatusMFAAuth)
			_, err := w.try(w.FinishMFA, w.state(next), ownEmail, "123456")
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownBind), bothFactors, func(cfg *authcore.Config) {
				cfg.Limits.UserCodes = 3
				clientOf(cfg, secondClient).MFA = []authcore.Way{authcore.WayEmail}
			})
			p := w.elsewhere(ownPhone, ownEmail)
			for range 3 {
				want(t, "a stranger's guess", test.guess(w), authcore.ErrCode)
				w.clock.step(2 * time.Minute)
			}
			second := w.as(secondClient, phone)
			out := second.login(p, authcore.StatusMFAAuth)
			_, err := second.try(w.FinishMFA, second.state(out), ownEmail, second.code("MFA_AUTH_EMS", ownEmail))
			want(t, "the user's own code", err, nil)
		})
	}
}

// TestWrongCodesOfOneDoNotBlockAnother user.
func TestWrongCodesOfOneDoNotBlockAnother(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayPhone), func(cfg *authcore.Config) { cfg.Limits.UserCodes = 1 })
	p, other := w.known(ownPhone), w.known(otherPhone)
	out := w.login(p, authcore.StatusMFAAuth)
	_, err := w.try(w.FinishMFA, w.state(out), ownPhone, "123456")
	want(t, "wrong code", err, authcore.ErrCode)
	out = w.login(other, authcore.StatusMFAAuth)
	w.finish(w.FinishMFA, out, otherPhone, w.code("MFA_AUTH_SMS", otherPhone), authcore.StatusSuccess)
}

func TestCodesWithoutLimits(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayPhone), func(cfg *authcore.Config) { cfg.Limits.Off = true })
	p := w.known(ownPhone)
	out := w.login(p, authcore.StatusMFAAuth)
	for range 11 {
		w.code("MFA_AUTH_SMS", ownPhone)
	}
	code := w.code("MFA_AUTH_SMS", ownPhone)
	for range 21 {
		_, err := w.try(w.FinishMFA, w.state(out), ownPhone, wrong(code))
		want(t, "wrong code", err, authcore.ErrCode)
	}
	w.finish(w.FinishMFA, out, ownPhone, code, authcore.StatusSuccess)
}
