package authcore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// unfinished are the two ways to finish a login of a QQ account that is nobody's.
var unfinished = []struct {
	rule    authcore.UnknownUser
	status  authcore.Status
	purpose authcore.Purpose
	by      func(*codeWorld) finisher
}{
	{authcore.UnknownBind, authcore.StatusSocialBind, authcore.PurposeBind, func(w *codeWorld) finisher { return w.Bind }},
	{authcore.UnknownRegister, authcore.StatusUserRegister, authcore.PurposeRegister, func(w *codeWorld) finisher { return w.Register }},
}

var bothWays = verify(authcore.WayPhone, authcore.WayEmail)

// TestBindingToTheOwner is about a way in that is added: all that was logged in
// before ends, requests in flight and unfinished logins included.
func TestBindingToTheOwner(t *testing.T) {
	for _, flow := range unfinished {
		for _, to := range []string{ownPhone, ownEmail} {
			t.Run(fmt.Sprintf("%s by %s", flow.rule, proves(to)), func(t *testing.T) {
				w := newCodeWorld(t, unknownUser(flow.rule), bothWays)
				owner := w.elsewhere(ownPhone, ownEmail)
				g := w.secondGuard()
				live, err := g.Admit(t.Context(), owner.session, "")
				if err != nil {
					t.Fatalf("admit: %v", err)
				}
				defer live.Release()
				ticket, err := w.IssueTicket(t.Context(), secondClient, phone, owner.session, "")
				if err != nil {
					t.Fatalf("issue a ticket: %v", err)
				}

				a := w.newAccount()
				out := w.login(a, flow.status)
				if !slices.Equal(out.Ways, []authcore.Way{authcore.WayPhone, authcore.WayEmail}) {
					t.Errorf("ways = %v", out.Ways)
				}
				done := w.finish(flow.by(w), out, to, w.code(typeOf(flow.purpose, to), to), authcore.StatusSuccess)

				if got := w.idToken(done.Grant.IDToken).Subject; got != string(owner.user) {
					t.Errorf("the session is user %s's; want the owner's", got)
				}
				if got := w.methods(done); got != proves(to) {
					t.Errorf("amr = %q; want %q: QQ says nothing of the owner", got, proves(to))
				}
				want(t, "the new session", w.admit(g, done.Grant.Token.Reveal()), nil)
				want(t, "the owner's session", w.admit(g, owner.session), authcore.ErrSession)
				_, err = w.RedeemTicket(t.Context(), secondClient, phone, ticket.Token.Reveal())
				want(t, "the owner's ticket", err, authcore.ErrTicket)
				await(t, "the end of the owner's request in flight", func() bool { return live.Context().Err() != nil })
				want(t, "the state_token", w.dead(out), authcore.ErrState)
				if u, err := w.UserByOpenID(t.Context(), mainApp, a.openID); err != nil || u.ID != owner.user || len(u.Links) != 2 {
					t.Errorf("the QQ account is user %s's with links %v, %v", u.ID, u.Links, err)
				}
				added := w.audit.audited(authcore.AuditWayAdded)
				if len(added) != 1 || added[0].User != owner.user || added[0].Client != mainClient || added[0].App != mainApp {
					t.Errorf("way_added audited as %+v", added)
				}
				if w.audit.count(authcore.AuditUserCreated) != 0 {
					t.Error("user_created audited")
				}
				logins := w.audit.audited(authcore.AuditLogin)
				if last := logins[len(logins)-1]; last.Status != "SUCCESS" || last.User != owner.user || last.Session == "" {
					t.Errorf("login audited as %+v", last)
				}

				again := w.login(a, authcore.StatusSuccess)
				if got := w.idToken(again.Grant.IDToken); got.Subject != string(owner.user) || w.methods(again) != "qq" {
					t.Errorf("the next login is user %s, %v", got.Subject, got.Methods)
				}
			})
		}
	}
}

func TestBindingEndsTheOwnersUnfinishedLogins(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownBind), mfa(authcore.WayEmail), bothWays)
	owner := w.elsewhere(ownPhone, ownEmail)
	first := w.login(w.newAccount(), authcore.StatusSocialBind)
	waiting := w.finish(w.Bind, first, ownPhone, w.code("BIND_MOBILE_SMS", ownPhone), authcore.StatusMFAAuth)
	w.clock.step(2 * time.Minute)

	unguarded := *w
	unguarded.Service = w.service(func() authcore.Config {
		cfg := w.cfg
		cfg.Clients = slices.Clone(cfg.Clients)
		clientOf(&cfg, mainClient).MFA = nil
		return cfg
	}())
	second := unguarded.login(w.newAccount(), authcore.StatusSocialBind)
	done := unguarded.finish(unguarded.Bind, second, ownPhone, unguarded.code("BIND_MOBILE_SMS", ownPhone), authcore.StatusSuccess)
	if got := w.idToken(done.Grant.IDToken).Subject; got != string(owner.user) {
		t.Fatalf("bound to %s", got)
	}
	want(t, "the other login that was to link an account", w.dead(waiting), authcore.ErrState)
}

func TestRegisteringMakesAUser(t *testing.T) {
	for _, to := range []string{ownPhone, ownEmail} {
		t.Run(proves(to), func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), bothWays)
			a := w.newAccount()
			out := w.login(a, authcore.StatusUserRegister)
			done := w.finish(w.Register, out, to, w.code(typeOf(authcore.PurposeRegister, to), to), authcore.StatusSuccess)
			if got := w.methods(done); got != "qq "+proves(to) {
				t.Errorf("amr = %q", got)
			}
			claims := w.idToken(done.Grant.IDToken)
			if !claims.AuthTime.Equal(w.clock.Now().Truncate(time.Second)) || claims.API.Name != "nickname 1" {
				t.Errorf("the id_token says %+v", claims)
			}
			u := w.userRecord(authcore.UserID(claims.Subject))
			if u.Mobile+u.Email != to || len(u.Links) != 1 || u.Links[0].OpenID != a.openID || u.DisplayName != "nickname 1" {
				t.Errorf("the user is %+v", u)
			}
			if owner, err := w.owner(to); err != nil || owner.ID != u.ID {
				t.Errorf("the owner is %s, %v", owner.ID, err)
			}
			if w.audit.count(authcore.AuditUserCreated) != 1 || w.audit.count(authcore.AuditWayAdded) != 0 {
				t.Error("want user_created audited, way_added not")
			}
			want(t, "the state_token", w.dead(out), authcore.ErrState)
			if again := w.login(a, authcore.StatusSuccess); w.idToken(again.Grant.IDToken).Subject != string(u.ID) {
				t.Error("the next login is another user")
			}
		})
	}
}

// TestRefusedFinishing is about right codes that lead nowhere: the code is used
// up, the login goes on waiting, and nothing else has changed.
func TestRefusedFinishing(t *testing.T) {
	for _, test := range []struct {
		name     string
		prepare  func(*codeWorld) player // makes the owner of ownPhone
		bind     error
		register error
	}{
		{"nobody's phone", func(w *codeWorld) player { return w.known() }, authcore.ErrNoUser, nil},
		{"disabled owner", func(w *codeWorld) player {
			p := w.elsewhere(ownPhone)
			w.changeUser(p.user, func(u *authcore.User) { u.Disabled = true })
			return p
		}, authcore.ErrUserDisabled, authcore.ErrUserDisabled},
		{"owner with another QQ account", func(w *codeWorld) player { return w.known(ownPhone) }, authcore.ErrTaken, authcore.ErrTaken},
	} {
		for _, flow := range unfinished {
			expected := test.bind
			if flow.rule == authcore.UnknownRegister {
				expected = test.register
			}
			if expected == nil {
				continue
			}
			t.Run(test.name+" by "+string(flow.rule), func(t *testing.T) {
				w := newCodeWorld(t, unknownUser(flow.rule))
				owner := test.prepare(w)
				before := w.userRecord(owner.user)
				a := w.newAccount()
				out := w.login(a, flow.status)
				code := w.code(typeOf(flow.purpose, ownPhone), ownPhone)
				_, err := w.try(flow.by(w), w.state(out), ownPhone, code)
				want(t, "finish", err, expected)
				_, err = w.UserByOpenID(t.Context(), mainApp, a.openID)
				want(t, "the owner of the QQ account", err, authcore.ErrNoUser)
				if after := w.userRecord(owner.user); !before.Disabled && (len(after.Links) != len(before.Links) || after.Epoch != before.Epoch) {
					t.Errorf("the user was %+v, and is %+v", before, after)
				}
				if !before.Disabled {
					want(t, "the user's session", w.admit(w.secondGuard(), owner.session), nil)
				}
				_, err = w.try(flow.by(w), w.state(out), ownPhone, code)
				want(t, "the code again", err, authcore.ErrCode)
				if w.audit.count(authcore.AuditLoginRefused) != 1 || w.audit.count(authcore.AuditCodeRefused) != 1 ||
					w.audit.count(authcore.AuditUserCreated) != 0 {
					t.Error("want login_refused and code_refused audited once each")
				}
			})
		}
	}
}

// TestQQAccountLinkedMeanwhile has two unfinished logins of one QQ account.
func TestQQAccountLinkedMeanwhile(t *testing.T) {
	for _, test := range []struct{ name, first, second string }{
		{"to register with the same phone", ownPhone, ownPhone},
		{"to register with another phone", ownPhone, otherPhone},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
			a := w.newAccount()
			late, early := w.login(a, authcore.StatusUserRegister), w.login(a, authcore.StatusUserRegister)
			done := w.finish(w.Register, early, test.first, w.code("REGISTER_SMS", test.first), authcore.StatusSuccess)
			w.clock.step(2 * time.Minute)
			code := w.code("REGISTER_SMS", test.second)
			_, err := w.try(w.Register, w.state(late), test.second, code)
			want(t, "the later one", err, authcore.ErrTaken)
			if u, err := w.UserByOpenID(t.Context(), mainApp, a.openID); err != nil || string(u.ID) != w.idToken(done.Grant.IDToken).Subject {
				t.Errorf("the QQ account is user %s's, %v", u.ID, err)
			}
			if test.first != test.second {
				_, err = w.owner(test.second)
				want(t, "the owner of the other phone", err, authcore.ErrNotFound)
			}
			want(t, "the session", w.admit(w.guard(), done.Grant.Token.Reveal()), nil)
		})
	}
}

func TestQQAccountLinkedMeanwhileIsNotBound(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownBind))
	owner, other := w.elsewhere(ownPhone), w.elsewhere(otherPhone)
	a := w.newAccount()
	late, early := w.login(a, authcore.StatusSocialBind), w.login(a, authcore.StatusSocialBind)
	w.finish(w.Bind, early, ownPhone, w.code("BIND_MOBILE_SMS", ownPhone), authcore.StatusSuccess)
	err := w.dead(late)
	if err == nil {
		_, err = w.try(w.Bind, w.state(late), otherPhone, w.code("BIND_MOBILE_SMS", otherPhone))
	}
	if !errors.Is(err, authcore.ErrState) && !errors.Is(err, authcore.ErrTaken) {
		t.Errorf("the later one = %v", err)
	}
	if u, err := w.UserByOpenID(t.Context(), mainApp, a.openID); err != nil || u.ID != owner.user {
		t.Errorf("the QQ account is user %s's, %v", u.ID, err)
	}
	want(t, "the other's session", w.admit(w.secondGuard(), other.session), nil)
}

// TestWaysToVerify: a code by a way that the client does not take is not sent,
// and would not be taken.
func TestWaysToVerify(t *testing.T) {
	for _, flow := range unfinished {
		for _, test := range []struct {
			ways    authcore.Way
			yes, no string
		}{{authcore.WayPhone, ownPhone, otherEmail}, {authcore.WayEmail, ownEmail, otherPhone}} {
			t.Run(fmt.Sprintf("%s by %s", flow.rule, test.ways), func(t *testing.T) {
				w := newCodeWorld(t, unknownUser(flow.rule), verify(test.ways))
				w.elsewhere(ownPhone, ownEmail)
				out := w.login(w.newAccount(), flow.status)
				if !slices.Equal(out.Ways, []authcore.Way{test.ways}) {
					t.Errorf("ways = %v", out.Ways)
				}
				want(t, "send", w.send(typeOf(flow.purpose, test.no), test.no), nil)
				if n := w.messages(); n != 0 {
					t.Errorf("%d messages by the other way", n)
				}
				code := w.code(typeOf(flow.purpose, test.yes), test.yes)
				_, err := w.try(flow.by(w), w.state(out), test.no, code)
				want(t, "finish by the other way", err, authcore.ErrCode)
				w.finish(flow.by(w), out, test.yes, code, authcore.StatusSuccess)
			})
		}
	}
}

// mobileOf is what a client's id_token says of its user's phone.
func (w *codeWorld) mobileOf(out authcore.Outcome) string {
	w.t.Helper()
	return w.idToken(out.Grant.IDToken).API.Mobile
}

func TestClaimsOfWhatWasProved(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), func(cfg *authcore.Config) {
		for _, id := range []authcore.ClientID{mainClient, receiverClient, secondClient} {
			clientOf(cfg, id).ClaimProved = true
		}
		clientOf(cfg, secondClient).Unknown = authcore.UnknownBind
		clientOf(cfg, secondClient).Verify = []authcore.Way{authcore.WayPhone}
	})
	p, done := w.registered(ownPhone)
	if got := w.mobileOf(done); got != ownPhone {
		t.Errorf("the client that proved it gets %q", got)
	}
	if got := w.mobileOf(w.as(receiverClient, phone).login(p, authcore.StatusSuccess)); got != "" {
		t.Errorf("a client that proved nothing gets %q", got)
	}
	w.clock.step(2 * time.Minute)
	n := player{openID: "0123456789ABCDEF0123456789ABCDEF", access: "access-token-elsewhere"}
	w.qq2.know(n.access, qqAccount{openID: n.openID})
	second := w.as(secondClient, phone)
	out := second.login(n, authcore.StatusSocialBind)
	bound := second.finish(w.Bind, out, ownPhone, second.code("BIND_MOBILE_SMS", ownPhone), authcore.StatusSuccess)
	if got := w.mobileOf(bound); got != ownPhone {
		t.Errorf("the client through which it was proved again gets %q", got)
	}
	for client, expected := range map[authcore.ClientID]string{mainClient: ownPhone, receiverClient: ""} {
		if got := w.mobileOf(w.as(client, phone).login(p, authcore.StatusSuccess)); got != expected {
			t.Errorf("%s gets %q afterwards; want %q", client, got, expected)
		}
	}
}

// TestAccessTokenOfTwoUsers is contract 3.3: log-out of all refuses every access
// token that the user had logged in with. Here another user had used it before,
// and parted with the QQ account.
func TestAccessTokenOfTwoUsers(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
	p, _ := w.registered(ownPhone)
	socials, err := w.Socials(t.Context(), mainClient, p.sid)
	if err != nil || len(socials) != 1 {
		t.Fatalf("socials = %v, %v", socials, err)
	}
	want(t, "unlink", w.Unlink(t.Context(), mainClient, phone, p.sid, socials[0].ID), nil)
	out := w.login(p, authcore.StatusUserRegister)
	done := w.finish(w.Register, out, otherPhone, w.code("REGISTER_SMS", otherPhone), authcore.StatusSuccess)
	heir := authcore.UserID(w.idToken(done.Grant.IDToken).Subject)
	if heir == p.user {
		t.Fatal("the new user is the old one")
	}
	want(t, "log-out of all", w.EndSessions(t.Context(), heir), nil)
	_, err = w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
	want(t, "login with the token of both", err, authcore.ErrQQToken)
}

// TestUnionIDFoundMeanwhile is about two accounts of one person that register at
// the same time: accounts with one unionid in joined applications are one user.
func TestUnionIDFoundMeanwhile(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), func(cfg *authcore.Config) {
		clientOf(cfg, secondClient).Unknown = authcore.UnknownRegister
		clientOf(cfg, secondClient).Verify = []authcore.Way{authcore.WayPhone}
		for i := range cfg.Apps {
			cfg.Apps[i].UnionWith = []authcore.AppID{mainApp, secondApp}
		}
	})
	a := player{openID: "0123456789ABCDEF0123456789ABCDEF", access: "access-token-of-both"}
	w.qq.know(a.access, qqAccount{openID: a.openID, unionID: "UID_1"})
	w.qq2.know(a.access, qqAccount{openID: a.openID, unionID: "UID_1"})
	second := w.as(secondClient, phone)
	late := second.login(a, authcore.StatusUserRegister)
	early := w.login(a, authcore.StatusUserRegister)
	done := w.finish(w.Register, early, ownPhone, w.code("REGISTER_SMS", ownPhone), authcore.StatusSuccess)
	out, err := second.try(w.Register, second.state(late), otherPhone, second.code("REGISTER_SMS", otherPhone))
	if err == nil && out.Status == authcore.StatusSuccess && w.idToken(out.Grant.IDToken).Subject != w.idToken(done.Grant.IDToken).Subject {
		t.Error("accounts with one unionid became two users")
	}
}

// TestPhoneThatItsOwnerDoesNotName is damage: nobody is linked to on the strength
// of one record.
func TestPhoneThatItsOwnerDoesNotName(t *testing.T) {
	for _, flow := range unfinished {
		t.Run(string(flow.rule), func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(flow.rule))
			p := w.elsewhere(ownPhone)
			w.changeUser(p.user, func(u *authcore.User) { u.Mobile = otherPhone })
			out := w.login(w.newAccount(), flow.status)
			_, err := w.try(flow.by(w), w.state(out), ownPhone, w.code(typeOf(flow.purpose, ownPhone), ownPhone))
			want(t, "finish", err, authcore.ErrDamaged)
			if u := w.userRecord(p.user); len(u.Links) != 1 {
				t.Errorf("links %v", u.Links)
			}
		})
	}
}
