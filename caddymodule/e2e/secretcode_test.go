package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// keepCode notes a code.
func (l *ledger) keepCode(code string) string {
	l.codes[code] = true
	return code
}

// codeUser has codes sent, and notes all that is secret about them.
type codeUser struct {
	*world
	ledger     *ledger
	gate       *gateway
	hookSecret string
	person     *person
	gateApp    *app
}

// useCodes registers, proves a second factor and changes what is proved, rightly
// and wrongly.
func (w *world) useCodes(l *ledger, gate *gateway, hookSecret string) {
	w.t.Helper()
	p := &person{qq: w.account(60), phone: l.keep("phone", "15201657321"), email: l.keep("address", "zhangsan.of.e2e@example.com")}
	l.keep("address without its domain", "zhangsan.of.e2e")
	l.keep("QQ access token", p.qq.AccessToken)
	u := &codeUser{w, l, gate, hookSecret, p, &app{w.home, "gate", fingerprint, "en", w.dir}}
	g := u.registers()
	u.confirms()
	u.changes(g)
	u.fails()
}

// texted has a code sent by the webhook.
func (u *codeUser) texted(a *app, kind, to, state string) string {
	u.t.Helper()
	pass := u.ledger.keep("captcha_token", a.pass(to))
	u.ledger.keep("captcha_token without its point", pass[:strings.Index(pass, "---")])
	a.sendWith(pass, kind, to, state).want(http.StatusOK, "")
	posts := u.gate.take()
	if len(posts) != 1 {
		u.t.Fatalf("the gateway got %d posts", len(posts))
	}
	u.ledger.keep("signature", posts[0].header.Get("X-Qqauth-Signature"))
	return u.ledger.keepCode(posts[0].verify(u.t, u.hookSecret).Code)
}

// keepGrant notes what a login gave.
func (u *codeUser) keepGrant(g grant) grant {
	u.t.Helper()
	u.ledger.keep("session token", g.Session)
	u.ledger.keep("id_token", g.IDToken)
	return g
}

func (u *codeUser) registers() grant {
	u.t.Helper()
	a, p := u.gateApp, u.person
	state := u.ledger.keep("state_token", a.waits(p.qq, "USER_REGISTER", flowOfBoth))
	code := u.texted(a, "REGISTER_SMS", p.phone, state)
	a.finish("/social/register-bind", state, p.phone, u.ledger.keepCode(notThe(code))).want(http.StatusBadRequest, wrongCode)
	a.on("another device").finish("/social/register-bind", state, p.phone, code).want(http.StatusBadRequest, badState)
	a.finish("/social/bind", state, p.phone, code).want(http.StatusBadRequest, badState)
	g := u.keepGrant(a.succeeds("/social/register-bind", state, p.phone, code))
	a.finish("/social/register-bind", state, p.phone, code).want(http.StatusBadRequest, badState)
	return g
}

func (u *codeUser) confirms() {
	u.t.Helper()
	a, p := u.gateApp.as("vault"), u.person
	state := u.ledger.keep("state_token", a.waits(p.qq, "MFA_AUTH", mfaBySMS))
	a.call("GET", "/mobile-by-token", nil, "X-state-token", state).want(http.StatusOK, "")
	code := u.texted(a, "MFA_AUTH_SMS", p.phone, state)
	a.finish("/mfa/sms", state, u.ledger.keep("another phone", "15201657322"), code).want(http.StatusBadRequest, wrongCode)
	g := u.keepGrant(a.succeeds("/mfa/sms", state, p.phone, code))
	u.guarded("/", g.Session).want(http.StatusOK, "")
}

func (u *codeUser) changes(g grant) {
	u.t.Helper()
	a, p := u.gateApp, u.person
	code := u.ledger.keepCode(a.code("UPDATE_EMAIL_EMS", p.email, ""))
	a.call("POST", "/profile/update", map[string]string{"email": p.email, "verify_code": code}, signedIn(g)...).want(http.StatusOK, "")
	for _, path := range []string{"/profile", "/social"} {
		a.call("GET", path, nil, signedIn(g)...).want(http.StatusOK, "")
	}
}

// fails has a gateway that repeats what it was told, and then none, and sends
// bodies that are no good.
func (u *codeUser) fails() {
	u.t.Helper()
	a, p := u.gateApp, &person{qq: u.account(61), phone: u.ledger.keep("phone", "15201657323")}
	u.ledger.keep("QQ access token", p.qq.AccessToken)
	state := u.ledger.keep("state_token", a.waits(p.qq, "USER_REGISTER", flowOfBoth))
	u.gate.refuse(3)
	a.trySend("REGISTER_SMS", p.phone, state).want(http.StatusBadRequest, "IDAAS.SDK.CAPTCHA.0006")
	for _, post := range u.gate.take() {
		u.ledger.keepCode(post.verify(u.t, u.hookSecret).Code)
	}
	header := append(a.headers(), "Content-Type", "application/json", "X-state-token", state)
	for _, body := range []string{
		`{"mobile":"15201657323","verify_code":"12345`, `{"mobile":"15201657323","Mobile":"15201657323"}`, `{"mobile":15201657323}`,
	} {
		u.ask("POST", u.url("LOGIN", "/api/v2/sdk/social/register-bind"), []byte(body), header...).want(http.StatusBadRequest, "IDAAS.SDK.REQ.0001")
	}
	u.gate.Close()
	a.trySend("REGISTER_SMS", p.phone, state).want(http.StatusBadRequest, "IDAAS.SDK.CAPTCHA.0006")
}

var starred = regexp.MustCompile(`^(\+86-[0-9]{3}\*{4}[0-9]{4}|.\*\*\*@example\.com)$`)

// checkAudit demands that phones and addresses are told of with stars.
func (w *world) checkAudit(log string) {
	w.t.Helper()
	var contacts []string
	for line := range strings.Lines(log) {
		var entry struct{ Logger, Contact string }
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Contact == "" {
			continue
		}
		if entry.Logger != "qqauth.audit" || !starred.MatchString(entry.Contact) {
			w.t.Errorf("%s tells of %s", entry.Logger, entry.Contact)
		}
		contacts = append(contacts, entry.Contact)
	}
	for _, want := range []string{"+86-152****7321", "+86-152****7323", "z***@example.com"} {
		if !slices.Contains(contacts, want) {
			w.t.Errorf("no audit event tells of %s, but of %v", want, contacts)
		}
	}
}

// TestLedgerFindsCodes: a search that finds nothing would pass any log.
func TestLedgerFindsCodes(t *testing.T) {
	found := codePattern("123456")
	for text, want := range map[string]bool{
		`{"code":"123456"}`: true, "123456": true, "code 123456, sent": true, `"ts":1763746123.123456`: false, "id 1234567": false, "a123456": false,
	} {
		if found.MatchString(text) != want {
			t.Errorf("%q is found: %v", text, !want)
		}
	}
}
