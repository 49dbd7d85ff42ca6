package authcore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

var bothFactors = mfa(authcore.WayPhone, authcore.WayEmail)

func TestSecondFactorOfAKnownUser(t *testing.T) {
	for _, test := range []struct {
		name     string
		contacts []string
		demanded []authcore.Way
		ways     []authcore.Way
		by       string
	}{
		{"phone", []string{ownPhone}, []authcore.Way{authcore.WayPhone, authcore.WayEmail}, []authcore.Way{authcore.WayPhone}, ownPhone},
		{"e-mail", []string{ownEmail}, []authcore.Way{authcore.WayPhone, authcore.WayEmail}, []authcore.Way{authcore.WayEmail}, ownEmail},
		{"both, by phone", []string{ownPhone, ownEmail}, []authcore.Way{authcore.WayPhone, authcore.WayEmail}, []authcore.Way{authcore.WayPhone, authcore.WayEmail}, ownPhone},
		{"both, by e-mail", []string{ownPhone, ownEmail}, []authcore.Way{authcore.WayPhone, authcore.WayEmail}, []authcore.Way{authcore.WayPhone, authcore.WayEmail}, ownEmail},
		{"both, of which one counts", []string{ownPhone, ownEmail}, []authcore.Way{authcore.WayEmail}, []authcore.Way{authcore.WayEmail}, ownEmail},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newCodeWorld(t, mfa(test.demanded...))
			p := w.known(test.contacts...)
			out := w.login(p, authcore.StatusMFAAuth)
			if !slices.Equal(out.Ways, test.ways) || !out.Grant.Token.IsZero() || out.Grant.IDToken != "" {
				t.Errorf("the outcome is %+v", out)
			}
			if all, err := w.Sessions(t.Context(), p.user); err != nil || len(all) != 1 {
				t.Errorf("%d sessions, %v; want only the one before", len(all), err)
			}
			starred, err := w.MobileOf(t.Context(), mainClient, phone, w.state(out))
			if slices.Contains(test.ways, authcore.WayPhone) {
				want(t, "the starred number", err, nil)
				if starred != "+86-152****7321" {
					t.Errorf("the number is shown as %q", starred)
				}
			} else {
				want(t, "the starred number", err, authcore.ErrState)
			}
			code := w.code(typeOf(authcore.PurposeMFA, test.by), test.by)
			done := w.finish(w.FinishMFA, out, test.by, code, authcore.StatusSuccess)
			if claims := w.idToken(done.Grant.IDToken); claims.Subject != string(p.user) || w.methods(done) != "qq "+proves(test.by) {
				t.Errorf("the session is %s's, %v", claims.Subject, claims.Methods)
			}
			want(t, "the state_token", w.dead(out), authcore.ErrState)
			want(t, "the session before", w.admit(w.guard(), p.session), nil)
			if w.audit.count(authcore.AuditWayAdded) != 0 {
				t.Error("way_added audited")
			}
		})
	}
}

// TestFactorThatDoesNotCount: a phone is no second factor where mfa names the
// e-mail address alone.
func TestFactorThatDoesNotCount(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayEmail))
	p := w.known(ownPhone)
	out := w.login(p, authcore.StatusUserRegister)
	if !slices.Equal(out.Ways, []authcore.Way{authcore.WayEmail}) {
		t.Errorf("ways = %v", out.Ways)
	}
	want(t, "send", w.send("REGISTER_SMS", otherPhone), nil)
	if n := w.messages(); n != 0 {
		t.Errorf("%d messages by a way that does not count", n)
	}
}

// TestEnrolment is about a known user with nothing to use as a second factor.
func TestEnrolment(t *testing.T) {
	for _, to := range []string{ownPhone, ownEmail} {
		t.Run(proves(to), func(t *testing.T) {
			w := newCodeWorld(t, bothFactors)
			p := w.known()
			w.known(otherPhone, otherEmail)
			g := w.guard()
			live, err := g.Admit(t.Context(), p.session, "")
			if err != nil {
				t.Fatalf("admit: %v", err)
			}
			defer live.Release()
			out := w.login(p, authcore.StatusUserRegister)
			if claims, err := w.keys.Ring().VerifyState(out.StateToken, w.clock.Now()); err != nil || claims.UserID != string(p.user) {
				t.Errorf("the state_token is user %q's, %v", claims.UserID, err)
			}
			taken := map[string]string{ownPhone: otherPhone, ownEmail: otherEmail}[to]
			_, err = w.try(w.Register, w.state(out), taken, w.code(typeOf(authcore.PurposeRegister, taken), taken))
			want(t, "add what is another user's", err, authcore.ErrTaken)
			want(t, "the session before", w.admit(g, p.session), nil)

			done := w.finish(w.Register, out, to, w.code(typeOf(authcore.PurposeRegister, to), to), authcore.StatusSuccess)
			if claims := w.idToken(done.Grant.IDToken); claims.Subject != string(p.user) || w.methods(done) != "qq "+proves(to) {
				t.Errorf("the session is %s's, %v", claims.Subject, claims.Methods)
			}
			if owner, err := w.owner(to); err != nil || owner.ID != p.user || owner.Mobile+owner.Email != to || len(owner.Links) != 1 {
				t.Errorf("the owner is %+v, %v", owner, err)
			}
			want(t, "the session before", w.admit(g, p.session), authcore.ErrSession)
			want(t, "the new session", w.admit(g, done.Grant.Token.Reveal()), nil)
			await(t, "the end of the request in flight", func() bool { return live.Context().Err() != nil })
			if added := w.audit.audited(authcore.AuditWayAdded); len(added) != 1 || added[0].User != p.user {
				t.Errorf("way_added audited as %+v", added)
			}
			if w.audit.count(authcore.AuditUserCreated) != 0 {
				t.Error("user_created audited")
			}
		})
	}
}

// TestEnrolmentGivesNoSecondOfAKind: what a user has is not replaced on the word of
// QQ alone.
func TestEnrolmentGivesNoSecondOfAKind(t *testing.T) {
	w := newCodeWorld(t, bothFactors)
	p := w.known()
	out := w.login(p, authcore.StatusUserRegister)
	login, code := w.state(out), w.code("REGISTER_SMS", otherPhone)
	w.give(p.user, ownPhone)
	_, err := w.try(w.Register, login, otherPhone, code)
	want(t, "add another", err, authcore.ErrCode)
	if u := w.userRecord(p.user); u.Mobile != ownPhone {
		t.Errorf("the phone is %s", u.Mobile)
	}
}

func TestCreatedUserNeedsASecondFactor(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownCreate), bothFactors)
	a := w.newAccount()
	out := w.login(a, authcore.StatusUserRegister)
	u, err := w.UserByOpenID(t.Context(), mainApp, a.openID)
	if err != nil || w.audit.count(authcore.AuditUserCreated) != 1 {
		t.Fatalf("the new user is %+v, %v", u, err)
	}
	if all, err := w.Sessions(t.Context(), u.ID); err != nil || len(all) != 0 {
		t.Errorf("%d sessions, %v; want none", len(all), err)
	}
	done := w.finish(w.Register, out, ownEmail, w.code("REGISTER_EMS", ownEmail), authcore.StatusSuccess)
	if got := w.idToken(done.Grant.IDToken).Subject; got != string(u.ID) || w.audit.count(authcore.AuditUserCreated) != 1 {
		t.Errorf("the session is %s's; want %s", got, u.ID)
	}
	w.login(a, authcore.StatusMFAAuth)
}

// TestRegisteringByAKindThatDoesNotCount goes on to one that does.
func TestRegisteringByAKindThatDoesNotCount(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), verify(authcore.WayEmail), mfa(authcore.WayPhone))
	a := w.newAccount()
	out := w.login(a, authcore.StatusUserRegister)
	next := w.finish(w.Register, out, ownEmail, w.code("REGISTER_EMS", ownEmail), authcore.StatusUserRegister)
	if !slices.Equal(next.Ways, []authcore.Way{authcore.WayPhone}) || !next.Grant.Token.IsZero() {
		t.Errorf("the outcome is %+v", next)
	}
	want(t, "the first state_token", w.dead(out), authcore.ErrState)
	u, err := w.UserByOpenID(t.Context(), mainApp, a.openID)
	if err != nil || u.Email != ownEmail {
		t.Fatalf("the user is %+v, %v", u, err)
	}
	done := w.finish(w.Register, next, ownPhone, w.code("REGISTER_SMS", ownPhone), authcore.StatusSuccess)
	if got := w.methods(done); got != "qq email sms" || w.idToken(done.Grant.IDToken).Subject != string(u.ID) {
		t.Errorf("amr = %q", got)
	}
	if w.audit.count(authcore.AuditUserCreated) != 1 {
		t.Error("user_created not audited once")
	}
}

// TestCodeOfRegisteringCounts as the second factor if mfa names its kind.
func TestCodeOfRegisteringCounts(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), mfa(authcore.WayPhone))
	_, done := w.registered(ownPhone)
	if got := w.methods(done); got != "qq sms" {
		t.Errorf("amr = %q", got)
	}
	strict := w.guard(func(cfg *authcore.GuardConfig) { cfg.RequireMFA = true })
	want(t, "a guard that wants a second factor", w.admit(strict, done.Grant.Token.Reveal()), nil)
}

// TestBindingNeedsAnotherFactor links only after a code by the other way.
func TestBindingNeedsAnotherFactor(t *testing.T) {
	for _, flow := range unfinished {
		t.Run(string(flow.rule), func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(flow.rule), bothWays, bothFactors)
			owner := w.elsewhere(ownPhone, ownEmail)
			g := w.secondGuard()
			a := w.newAccount()
			out := w.login(a, flow.status)
			next := w.finish(flow.by(w), out, ownPhone, w.code(typeOf(flow.purpose, ownPhone), ownPhone), authcore.StatusMFAAuth)
			if !slices.Equal(next.Ways, []authcore.Way{authcore.WayEmail}) || !next.Grant.Token.IsZero() {
				t.Errorf("the outcome is %+v", next)
			}
			_, err := w.UserByOpenID(t.Context(), mainApp, a.openID)
			want(t, "the owner of the QQ account before the second code", err, authcore.ErrNoUser)
			want(t, "the owner's session before the second code", w.admit(g, owner.session), nil)
			if w.audit.count(authcore.AuditWayAdded) != 0 {
				t.Error("way_added audited before the second code")
			}
			want(t, "the first state_token", w.dead(out), authcore.ErrState)
			w.clock.step(2 * time.Minute)
			want(t, "send to the phone again", w.send("MFA_AUTH_SMS", ownPhone), nil)
			if n := w.messages(); n != 0 {
				t.Errorf("%d messages to the phone that was the first factor", n)
			}
			code := w.code("MFA_AUTH_EMS", ownEmail)
			_, err = w.try(w.FinishMFA, w.state(next), ownPhone, code)
			want(t, "finish by the phone again", err, authcore.ErrCode)
			done := w.finish(w.FinishMFA, next, ownEmail, code, authcore.StatusSuccess)
			if got := w.methods(done); got != "sms email" || w.idToken(done.Grant.IDToken).Subject != string(owner.user) {
				t.Errorf("amr = %q", got)
			}
			if u, err := w.UserByOpenID(t.Context(), mainApp, a.openID); err != nil || u.ID != owner.user {
				t.Errorf("the QQ account is %s's, %v", u.ID, err)
			}
			want(t, "the owner's session", w.admit(g, owner.session), authcore.ErrSession)
			if w.audit.count(authcore.AuditWayAdded) != 1 {
				t.Error("way_added not audited once")
			}
			strict := w.guard(func(cfg *authcore.GuardConfig) { cfg.RequireMFA = true })
			want(t, "a guard that wants a second factor", w.admit(strict, done.Grant.Token.Reveal()), nil)
		})
	}
}

// TestBindingByTheOnlyFactor is contract 3.1: the same number twice is one factor.
func TestBindingByTheOnlyFactor(t *testing.T) {
	for _, flow := range unfinished {
		for name, demanded := range map[string][]authcore.Way{
			"both would do": {authcore.WayPhone, authcore.WayEmail}, "that one would do": {authcore.WayPhone}, "the other would do": {authcore.WayEmail},
		} {
			t.Run(string(flow.rule)+", "+name, func(t *testing.T) {
				w := newCodeWorld(t, unknownUser(flow.rule), mfa(demanded...))
				owner := w.elsewhere(ownPhone)
				a := w.newAccount()
				out := w.login(a, flow.status)
				done := w.finish(flow.by(w), out, ownPhone, w.code(typeOf(flow.purpose, ownPhone), ownPhone), authcore.StatusAccessDenied)
				if !done.Grant.Token.IsZero() || done.Grant.IDToken != "" || done.StateToken != "" || done.Ways != nil {
					t.Errorf("the outcome is %+v", done)
				}
				_, err := w.UserByOpenID(t.Context(), mainApp, a.openID)
				want(t, "the owner of the QQ account", err, authcore.ErrNoUser)
				if u := w.userRecord(owner.user); len(u.Links) != 1 {
					t.Errorf("links %v", u.Links)
				}
				want(t, "the owner's session", w.admit(w.secondGuard(), owner.session), nil)
				want(t, "the state_token", w.dead(out), authcore.ErrState)
				logins := w.audit.audited(authcore.AuditLogin)
				if last := logins[len(logins)-1]; last.Status != "ACCESS_DENIED" || last.User != owner.user || last.Session != "" {
					t.Errorf("login audited as %+v", last)
				}
				if w.audit.count(authcore.AuditWayAdded) != 0 {
					t.Error("way_added audited")
				}
			})
		}
	}
}

// TestLinkIsJudgedAgainAfterTheSecondFactor: half an hour may lie between.
func TestLinkIsJudgedAgainAfterTheSecondFactor(t *testing.T) {
	for _, test := range []struct {
		name      string
		meanwhile func(w *codeWorld, a, owner player)
	}{
		{"the QQ account is another's", func(w *codeWorld, a, _ player) { w.codeless().again(a) }},
		{"the owner has another QQ account", func(w *codeWorld, _, owner player) {
			link := authcore.Link{Identity: authcore.IdentityHash{1}, App: mainApp, OpenID: "another"}
			w.changeUser(owner.user, func(u *authcore.User) { u.Links = append(u.Links, link) })
			w.write(func(tx authcore.Tx) { tx.PutLink(link, owner.user) })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownBind), bothFactors)
			owner := w.elsewhere(ownPhone, ownEmail)
			a := w.newAccount()
			out := w.login(a, authcore.StatusSocialBind)
			next := w.finish(w.Bind, out, ownPhone, w.code("BIND_MOBILE_SMS", ownPhone), authcore.StatusMFAAuth)
			code := w.code("MFA_AUTH_EMS", ownEmail)
			test.meanwhile(w, a, owner)
			before := len(w.userRecord(owner.user).Links)
			_, err := w.try(w.FinishMFA, w.state(next), ownEmail, code)
			want(t, "finish", err, authcore.ErrTaken)
			if after := len(w.userRecord(owner.user).Links); after != before {
				t.Errorf("the owner had %d links and has %d", before, after)
			}
			want(t, "the owner's session", w.admit(w.secondGuard(), owner.session), nil)
		})
	}
}

// TestRefreshWithoutTheFactor: a client that demands one lets no session live on
// without it.
func TestRefreshWithoutTheFactor(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayPhone))
	p := w.known(ownPhone)
	_, err := w.Refresh(t.Context(), mainClient, phone, p.session)
	want(t, "refresh of a session proved by QQ alone", err, authcore.ErrSession)
	out := w.login(p, authcore.StatusMFAAuth)
	done := w.finish(w.FinishMFA, out, ownPhone, w.code("MFA_AUTH_SMS", ownPhone), authcore.StatusSuccess)
	if _, err = w.Refresh(t.Context(), mainClient, phone, done.Grant.Token.Reveal()); err != nil {
		t.Errorf("refresh with the second factor = %v", err)
	}
	for _, test := range []struct {
		methods []authcore.Method
		good    bool
	}{
		{[]authcore.Method{authcore.MethodSMS}, false},
		{[]authcore.Method{authcore.MethodQQ, authcore.MethodEmail}, false},
		{[]authcore.Method{authcore.MethodEmail, authcore.MethodSMS}, true},
		{nil, false},
	} {
		session, _ := w.raw(p.user, func(s *authcore.Session) { s.Methods = test.methods })
		_, err := w.Refresh(t.Context(), mainClient, authcore.Caller{}, session)
		if good := err == nil; good != test.good || !good && !errors.Is(err, authcore.ErrSession) {
			t.Errorf("refresh of %v = %v", test.methods, err)
		}
	}
}

func TestGuardWantsASecondFactor(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownBind))
	strict := w.guard(func(cfg *authcore.GuardConfig) { cfg.RequireMFA = true })
	w.elsewhere(ownPhone)
	a := w.newAccount()
	out := w.login(a, authcore.StatusSocialBind)
	bound := w.finish(w.Bind, out, ownPhone, w.code("BIND_MOBILE_SMS", ownPhone), authcore.StatusSuccess)
	want(t, "a session by a code alone", w.admit(strict, bound.Grant.Token.Reveal()), authcore.ErrDenied)
	want(t, "the same at a guard without the rule", w.admit(w.guard(), bound.Grant.Token.Reveal()), nil)
	again := w.login(a, authcore.StatusSuccess)
	want(t, "a session by QQ alone", w.admit(strict, again.Grant.Token.Reveal()), authcore.ErrDenied)
}

// TestWrongNumberAtMFA: the target is what is stored, and whoever names another
// one is guessing.
func TestWrongNumberAtMFA(t *testing.T) {
	for _, number := range []string{otherPhone, "15201657322", "152****7322", "+86-152****7322"} {
		t.Run(number, func(t *testing.T) {
			w := newCodeWorld(t, mfa(authcore.WayPhone), func(cfg *authcore.Config) { cfg.Limits.UserCodes = 4 })
			p := w.known(ownPhone)
			w.known(otherPhone)
			out := w.login(p, authcore.StatusMFAAuth)
			login := w.state(out)
			code := w.code("MFA_AUTH_SMS", ownPhone)
			for i := range 2 {
				w.clock.step(2 * time.Minute)
				want(t, "send", w.send("MFA_AUTH_SMS", number), nil)
				if n := w.messages(); n != 0 {
					t.Fatalf("%d messages for wrong number %d", n, i+1)
				}
			}
			for range 2 {
				_, err := w.try(w.FinishMFA, login, number, code)
				want(t, "the right code for a wrong number", err, authcore.ErrCode)
			}
			_, err := w.try(w.FinishMFA, login, ownPhone, code)
			want(t, "the right code after four wrong numbers", err, authcore.ErrLimited)
		})
	}
}

// TestNumberCannotBeFoundOutAtMFA: a limit that is answered for wrong numbers only
// tells which one is right, and four starred digits are few.
func TestNumberCannotBeFoundOutAtMFA(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayPhone), func(cfg *authcore.Config) { cfg.Limits.UserCodes = 4 })
	p := w.known(ownPhone)
	out := w.login(p, authcore.StatusMFAAuth)
	for range 4 {
		_, err := w.try(w.FinishMFA, w.state(out), otherPhone, "123456")
		want(t, "a wrong number", err, authcore.ErrCode)
	}
	w.clock.step(2 * time.Minute)
	forWrong := w.send("MFA_AUTH_SMS", otherPhone)
	forRight := w.send("MFA_AUTH_SMS", ownPhone)
	if errors.Is(forWrong, authcore.ErrLimited) != errors.Is(forRight, authcore.ErrLimited) {
		t.Errorf("send to a wrong number = %v, to the right one = %v", forWrong, forRight)
	}
}

// TestLimitsDoNotTellTheNumber: what was sent to the right number, or to the one
// that is guessed, within a login of the attacker's own limits both alike.
func TestLimitsDoNotTellTheNumber(t *testing.T) {
	register := func(w *codeWorld, to string) {
		other := w.as(secondClient, phone)
		w.qq2.know("access", qqAccount{openID: "FEDCBA9876543210FEDCBA9876543210"})
		other.login(player{access: "access", openID: "FEDCBA9876543210FEDCBA9876543210"}, authcore.StatusUserRegister)
		want(t, "send by another login", other.send("REGISTER_SMS", to), nil)
	}
	for name, test := range map[string]struct {
		before       func(*codeWorld)
		wrong, right error
	}{
		"after a code to the right one": {
			func(w *codeWorld) { want(t, "send", w.send("MFA_AUTH_SMS", ownPhone), nil) }, authcore.ErrLimited, authcore.ErrLimited,
		},
		"after one by another login": {func(w *codeWorld) { register(w, ownPhone) }, authcore.ErrLimited, authcore.ErrLimited},
		// Were it the right one, it would be refused as well.
		"after one to the wrong one by another login": {func(w *codeWorld) { register(w, otherPhone) }, authcore.ErrLimited, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCodeWorld(t, mfa(authcore.WayPhone), func(cfg *authcore.Config) {
				clientOf(cfg, secondClient).Unknown = authcore.UnknownRegister
				clientOf(cfg, secondClient).Verify = []authcore.Way{authcore.WayPhone}
			})
			w.login(w.known(ownPhone), authcore.StatusMFAAuth)
			test.before(w)
			want(t, "the wrong number", w.send("MFA_AUTH_SMS", otherPhone), test.wrong)
			want(t, "the right number", w.send("MFA_AUTH_SMS", ownPhone), test.right)
		})
	}
}

// TestFailingSenderDoesNotTellTheNumber: while nothing can be sent, a wrong number
// fails as the right one does; what nothing waits for is answered as ever.
func TestFailingSenderDoesNotTellTheNumber(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayPhone))
	w.login(w.known(ownPhone), authcore.StatusMFAAuth)
	w.texts.fail(errGateway)
	want(t, "the right number", w.send("MFA_AUTH_SMS", ownPhone), authcore.ErrSend)
	w.clock.step(2 * time.Minute)
	want(t, "a wrong number", w.send("MFA_AUTH_SMS", otherPhone), authcore.ErrSend)
	want(t, "what nothing waits for", w.send("REGISTER_SMS", "+86-15201657323"), nil)
}

func TestStarredSpelling(t *testing.T) {
	for _, starred := range []string{"+86-152****7321", "152****7321"} {
		t.Run(starred, func(t *testing.T) {
			w := newCodeWorld(t, mfa(authcore.WayPhone))
			p := w.known(ownPhone)
			out := w.login(p, authcore.StatusMFAAuth)
			code := w.code("MFA_AUTH_SMS", starred)
			w.finish(w.FinishMFA, out, starred, code, authcore.StatusSuccess)
		})
	}
	t.Run("is no number to register", func(t *testing.T) {
		w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
		out := w.login(w.newAccount(), authcore.StatusUserRegister)
		want(t, "send", w.send("REGISTER_SMS", "152****7321"), nil)
		if n := w.messages(); n != 0 {
			t.Errorf("%d messages to a starred number", n)
		}
		code := w.code("REGISTER_SMS", ownPhone)
		_, err := w.try(w.Register, w.state(out), "152****7321", code)
		want(t, "register", err, authcore.ErrCode)
	})
	t.Run("is no number to bind", func(t *testing.T) {
		w := newCodeWorld(t, unknownUser(authcore.UnknownBind))
		w.elsewhere(ownPhone)
		out := w.login(w.newAccount(), authcore.StatusSocialBind)
		want(t, "send", w.send("BIND_MOBILE_SMS", "152****7321"), nil)
		if n := w.messages(); n != 0 {
			t.Errorf("%d messages to a starred number", n)
		}
		_, err := w.try(w.Bind, w.state(out), "152****7321", w.code("BIND_MOBILE_SMS", ownPhone))
		want(t, "bind", err, authcore.ErrCode)
	})
}

// TestAuditNamesNobody: no token, code, phone or e-mail address is audited.
func TestAuditNamesNobody(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), mfa(authcore.WayEmail), bothWays)
	a := w.newAccount()
	out := w.login(a, authcore.StatusUserRegister)
	first := w.code("REGISTER_SMS", ownPhone)
	next := w.finish(w.Register, out, ownPhone, first, authcore.StatusUserRegister)
	second := w.code("REGISTER_EMS", ownEmail)
	w.finish(w.Register, next, ownEmail, second, authcore.StatusSuccess)
	sent := w.audit.audited(authcore.AuditCodeSent)
	if len(sent) != 2 || sent[0].Contact != "+86-152****7321" || sent[0].Status != "REGISTER_SMS" || sent[1].Contact != "z***@qq.com" {
		t.Errorf("code_sent audited as %+v", sent)
	}
	for _, e := range w.audit.events {
		for _, secret := range []string{"15201657321", ownEmail, first, second, out.StateToken} {
			if strings.Contains(e.Status+" "+e.Contact, secret) {
				t.Errorf("%+v names %q", e, secret)
			}
		}
	}
}
