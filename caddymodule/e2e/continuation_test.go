package e2e

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestApp is what a vendor's app does at one server, each time with people whom
// nobody knows yet.
func TestApp(t *testing.T) {
	w := newAppWorld(t)
	for _, tt := range []struct {
		name string
		test func(*appWorld)
	}{
		{"register by SMS", (*appWorld).registerBySMS},
		{"register by e-mail", (*appWorld).registerByEmail},
		{"bind by SMS", (*appWorld).bindBySMS},
		{"bind by e-mail", (*appWorld).bindByEmail},
		{"register into a user", (*appWorld).registerIntoUser},
		{"enrol a second factor", (*appWorld).enrol},
		{"MFA by SMS", (*appWorld).mfaBySMS},
		{"MFA by e-mail", (*appWorld).mfaByEmail},
		{"MFA after binding", (*appWorld).mfaAfterBinding},
		{"one number is one factor", (*appWorld).oneFactor},

		{"state_tokens that are not good", (*appWorld).badStates},
		{"state_token of a step before", (*appWorld).spentStates},
		{"wrong codes", (*appWorld).wrongCodes},
		{"wrong receivers", (*appWorld).wrongReceivers},
		{"nothing waits", (*appWorld).nothingWaits},
		{"captchas that are not good", (*appWorld).badCaptchas},
		{"phones and addresses of others", (*appWorld).takenContacts},
		{"malformed phones and addresses", (*appWorld).malformedContacts},
		{"two hundred at once", (*appWorld).atOnce},

		{"profile", (*appWorld).ownProfile},
		{"new name", (*appWorld).newName},
		{"new phone", (*appWorld).newPhone},
		{"new e-mail address", (*appWorld).newEmail},
		{"linked accounts", (*appWorld).socials},
		{"unbinding", (*appWorld).unbinding},
		{"deletion", (*appWorld).deletion},
		{"id_tokens that are not good", (*appWorld).badIDTokens},

		{"tenant's users", (*appWorld).tenantUsers},
		{"tenant's bans", (*appWorld).tenantBans},
		{"cross-origin pages", (*appWorld).crossOrigin},
		{"description", (*appWorld).description},
		{"countries", (*appWorld).countries},
		{"bad bodies", (*appWorld).badBodies},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(w.in(t)) })
	}
}

func (w *appWorld) registerBySMS() {
	p, a := w.person(), w.app("registers")
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	w.checkStateToken(state, "USER_REGISTER", p.qq)
	// Without a state_token, the newest login that waits is meant.
	g := a.succeeds("/social/register-bind", state, p.phone, a.code("REGISTER_SMS", p.phone, ""))
	c := w.admitted(g, "qq", "sms")
	if c.ClientID != "registers" || c.Name != p.qq.Nickname {
		w.t.Errorf("claims %+v", c)
	}
	if got := w.guarded("/", g.Session).seen().Header.Get("X-Mobile"); got != p.mobile() {
		w.t.Errorf("the upstream is told %q", got)
	}
	w.checkAPI(g, p.mobile(), "")
	info, err := os.Stat(filepath.Join(w.outbox, "sms.jsonl"))
	if err != nil || info.Mode() != 0o600 {
		w.t.Errorf("the file of messages: %v, %v", info, err)
	}
	w.admitted(w.login("registers", p.qq), "qq") // a user now
}

// checkAPI looks at the personal data that an id_token carries.
func (w *appWorld) checkAPI(g grant, mobile, email string) {
	w.t.Helper()
	var claims struct {
		API string `json:"api"`
	}
	payload(w.t, g.IDToken, &claims)
	if !strings.Contains(claims.API, `"mobile":"`+mobile+`"`) || !strings.Contains(claims.API, `"email":"`+email+`"`) {
		w.t.Errorf("api is %s, want %q and %q in it", claims.API, mobile, email)
	}
}

func (w *appWorld) registerByEmail() {
	p, a := w.person(), w.app("registers").speaking("zh")
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	g := a.succeeds("/social/register-bind", state, p.email, a.code("REGISTER_EMS", p.email, state))
	w.admitted(g, "qq", "email")
	w.checkAPI(g, "", p.email)
	if info, err := os.Stat(filepath.Join(w.outbox, "email.jsonl")); err != nil || info.Mode() != fs.FileMode(0o600) {
		w.t.Errorf("the file of messages: %v, %v", info, err)
	}
}

func (w *appWorld) bindBySMS() {
	p := w.person()
	w.binds(p, p.phone, "BIND_MOBILE_SMS", "sms")
}

func (w *appWorld) bindByEmail() {
	p := w.person()
	w.binds(p, p.email, "BIND_EMAIL_EMS", "email")
}

// binds links a person's other QQ account to the user that they are.
func (w *appWorld) binds(p *person, to, kind, method string) {
	w.t.Helper()
	owner := w.register(p, to)
	id := w.userOf(p.qq).ID
	a := w.app("binds")
	state := a.waits(p.other, "SOCIAL_BIND", flowOfBoth)
	w.checkStateToken(state, "SOCIAL_BIND", p.other)
	g := a.succeeds("/social/bind", state, to, a.code(kind, to, state))
	if c := w.admitted(g, method); c.Subject != id {
		w.t.Errorf("bound to user %s, want %s", c.Subject, id)
	}
	w.dead(owner)         // a way in was added
	w.checkAPI(g, "", "") // it is not among the client's claims
	again := w.admitted(w.login("binds", p.other), "qq")
	if again.Subject != id {
		w.t.Errorf("the account is user %s, want %s", again.Subject, id)
	}
}

// registerIntoUser: whoever registers with the phone of a user is that user.
func (w *appWorld) registerIntoUser() {
	p, a := w.person(), w.app("binds")
	w.register(p, p.phone)
	id := w.userOf(p.qq).ID
	state := a.waits(p.other, "SOCIAL_BIND", flowOfBoth)
	g := a.succeeds("/social/bind", state, p.phone, a.code("BIND_MOBILE_SMS", p.phone, state))
	g2 := w.admitted(g, "sms")
	// The first account goes, and comes back by the phone.
	fresh := w.login("binds", p.other)
	for _, link := range w.linked("binds", fresh) {
		if link["socialUid"] == p.qq.OpenID {
			w.app("binds").call("POST", "/social/unbind-account", map[string]any{"id": link["id"]}, "Authorization", "Bearer "+fresh.IDToken).
				want(http.StatusOK, "")
		}
	}
	a = w.app("registers")
	state = a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	g = a.succeeds("/social/register-bind", state, p.phone, a.code("REGISTER_SMS", p.phone, state))
	if c := w.admitted(g, "sms"); c.Subject != id || g2.Subject != id {
		w.t.Errorf("registered as user %s, want %s", c.Subject, id)
	}
}

// enrol is how a known user who has nothing for a second factor gets one.
func (w *appWorld) enrol() {
	p := w.person()
	before := w.login("creates", p.qq)
	id := w.admitted(before, "qq").Subject
	conn := w.dialWS(before.Session)
	a := w.app("vault")
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)

	somebody := w.person()
	w.register(somebody, somebody.phone)
	a.finish("/social/register-bind", state, somebody.phone, a.code("REGISTER_SMS", somebody.phone, state)).
		want(http.StatusBadRequest, "IDAAS.SDK.USER.0101")
	w.guarded("/", before.Session).want(http.StatusOK, "")

	g := a.succeeds("/social/register-bind", state, p.phone, a.code("REGISTER_SMS", p.phone, state))
	if c := w.admitted(g, "qq", "sms"); c.Subject != id {
		w.t.Errorf("enrolled user %s, want %s", c.Subject, id)
	}
	w.dead(before)
	conn.closes(w.t, endsWithin)
}

// enrolled is a person with a second factor, who is logged in at vault.
func (w *appWorld) enrolled() (*person, grant) {
	w.t.Helper()
	p, a := w.person(), w.app("vault")
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	return p, a.succeeds("/social/register-bind", state, p.phone, a.code("REGISTER_SMS", p.phone, state))
}

func (w *appWorld) mfaBySMS() {
	p, _ := w.enrolled()
	a := w.app("vault")
	starred := p.phone[:3] + "****" + p.phone[7:]
	for _, written := range []string{p.phone, p.mobile(), starred, "+86-" + starred} {
		state := a.waits(p.qq, "MFA_AUTH", mfaBySMS)
		got := a.call("GET", "/mobile-by-token", nil, "X-state-token", state).want(http.StatusOK, "")
		if want := `{"mobile":"+86-` + starred + `"}`; got.text() != want {
			w.t.Errorf("mobile-by-token answered %s, want %s", got.body, want)
		}
		code := a.code("MFA_AUTH_SMS", written, state, p.mobile())
		w.admitted(a.succeeds("/mfa/sms", state, written, code), "qq", "sms")
		a.finish("/mfa/sms", state, written, code).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0014")
	}
}

func (w *appWorld) mfaByEmail() {
	p, a := w.person(), w.app("vault")
	w.register(p, p.email)
	state := a.waits(p.qq, "MFA_AUTH", mfaByEmail)
	a.call("GET", "/mobile-by-token", nil, "X-state-token", state).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0014")
	g := a.succeeds("/mfa/email", state, p.email, a.code("MFA_AUTH_EMS", p.email, state))
	w.admitted(g, "qq", "email")
}

// mfaAfterBinding proves an address to bind and a phone after that.
func (w *appWorld) mfaAfterBinding() {
	p, a := w.person(), w.app("strict")
	g := w.register(p, p.phone)
	w.update(g, p.email).want(http.StatusOK, "")
	state := a.waits(p.other, "SOCIAL_BIND", flowOfBoth)
	var next grant
	a.finish("/social/bind", state, p.email, a.code("BIND_EMAIL_EMS", p.email, state)).want(http.StatusOK, "").json(&next)
	if next.Status != "MFA_AUTH" || next.Data != mfaBySMS || next.Session != "" {
		w.t.Fatalf("binding ended in %+v", next)
	}
	w.guarded("/", g.Session).want(http.StatusOK, "")
	if links := w.userOf(p.qq).Links; len(links) != 1 {
		w.t.Errorf("linked before the second factor: %v", links)
	}
	bound := a.succeeds("/mfa/sms", next.StateToken, p.phone, a.code("MFA_AUTH_SMS", p.phone, next.StateToken))
	w.admitted(bound, "email", "sms")
	w.dead(g)
	if links := w.userOf(p.qq).Links; len(links) != 2 {
		w.t.Errorf("linked to %v", links)
	}
}

// oneFactor: a phone that was proved to bind is no second factor.
func (w *appWorld) oneFactor() {
	p, a := w.person(), w.app("strict")
	w.register(p, p.phone)
	id := w.userOf(p.qq).ID
	state := a.waits(p.other, "SOCIAL_BIND", flowOfBoth)
	var got grant
	a.finish("/social/bind", state, p.phone, a.code("BIND_MOBILE_SMS", p.phone, state)).want(http.StatusOK, "").json(&got)
	if got.Status != "ACCESS_DENIED" || got.Session != "" || got.StateToken != "" {
		w.t.Errorf("binding ended in %+v", got)
	}
	if links := w.userOf(p.qq).Links; len(links) != 1 {
		w.t.Errorf("linked to %v", links)
	}
	w.await("an audit event", func() bool {
		for line := range strings.Lines(w.logged()) {
			if strings.Contains(line, `"qqauth.audit"`) && strings.Contains(line, id) && strings.Contains(line, "ACCESS_DENIED") {
				return true
			}
		}
		return false
	})
}
