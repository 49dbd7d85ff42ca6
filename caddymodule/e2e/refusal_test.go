package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

const (
	noState    = "IDAAS.SDK.COMMON.1007"
	badState   = "IDAAS.SDK.PARAM.0014"
	badIDToken = "IDAAS.SDK.PARAM.0016"
	noPuzzle   = "IDAAS.SDK.CAPTCHA.0002"
	badPass    = "IDAAS.SDK.CAPTCHA.0004"
	wrongCode  = "IDAAS.SDK.CAPTCHA.0007"
	limited    = "IDAAS.SDK.LIMIT.0001"
)

// vendorTexts are the messages that the vendor documents.
var vendorTexts = map[string]string{
	noState: "state_token parameter error", badState: "Invalid state token", badIDToken: "IdToken is invalid or expired",
	noPuzzle: "Graphic verification code verification failed", wrongCode: "Incorrect verification code",
}

var han = regexp.MustCompile(`\p{Han}`)

// inBoth makes a call that is refused, in Chinese and in English.
func (a *app) inBoth(status int, code string, call func(*app) answer) {
	a.t.Helper()
	for _, language := range []string{"zh", "en"} {
		got := call(a.speaking(language)).want(status, code)
		var body map[string]string
		got.json(&body)
		if text := body["error_msg"]; text == "" || len(body) != 2 || han.MatchString(text) != (language == "zh") {
			a.t.Errorf("%s in %s: %s", code, language, got.body)
		} else if want := vendorTexts[code]; language == "en" && want != "" && text != want {
			a.t.Errorf("%s: %q, want the vendor's %q", code, text, want)
		}
	}
}

// continuations are the paths that a login goes on by, and the two that take an
// X-state-token if there is one.
var continuations = []string{"/social/bind", "/social/register-bind", "/mfa/sms", "/mfa/email", "/mobile-by-token"}

// goOn makes a call with a state_token, with a body that is fine, if there is one.
func (a *app) goOn(path, to, code string, header ...string) answer {
	a.t.Helper()
	if path == "/mobile-by-token" {
		return a.call("GET", path, nil, header...)
	}
	return a.call("POST", path, map[string]string{"mobile": to, "email": to, "verify_code": code}, header...)
}

func (w *appWorld) badStates() {
	p, a := w.person(), w.app("registers")
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	code := a.code("REGISTER_SMS", p.phone, state)
	session := w.login("creates", w.person().qq)
	parts := strings.Split(state, ".")
	other := strings.Split(a.waits(w.person().qq, "USER_REGISTER", flowOfBoth), ".")

	a.inBoth(http.StatusBadRequest, noState, func(a *app) answer { return a.goOn("/social/register-bind", p.phone, code) })
	a.inBoth(http.StatusBadRequest, badState, func(a *app) answer {
		return a.on("another device").goOn("/social/register-bind", p.phone, code, "X-state-token", state)
	})
	for _, path := range continuations {
		for _, header := range [][]string{nil, {"X-state-token", ""}, {"X-state-token", "x"}, {"X-state-token", state, "X-state-token", state}, {"X-state-token", session.Session}} {
			a.goOn(path, p.phone, code, header...).want(http.StatusBadRequest, noState)
		}
		for name, token := range map[string]string{
			"another signature": parts[0] + "." + parts[1] + "." + other[2], "other claims": parts[0] + "." + other[1] + "." + parts[2],
			"no signature": "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + ".", "an id_token": session.IDToken,
		} {
			// What has no signature need not be read as a JWT.
			got := a.goOn(path, p.phone, code, "X-state-token", token)
			if got.status != http.StatusBadRequest || got.code() != badState && (got.code() != noState || name != "no signature") {
				w.t.Errorf("%s with %s: %d %s", path, name, got.status, got.body)
			}
		}
		if path != "/social/register-bind" {
			a.goOn(path, p.phone, code, "X-state-token", state).want(http.StatusBadRequest, badState)
		}
		a.on("another device").goOn(path, p.phone, code, "X-state-token", state).want(http.StatusBadRequest, badState)
		a.as("vault").goOn(path, p.phone, code, "X-state-token", state).want(http.StatusBadRequest, badState)
		a.as("binds").goOn(path, p.phone, code, "X-state-token", state).want(http.StatusBadRequest, badState)
	}
	for _, a := range []*app{a.on("another device"), a.as("vault")} {
		a.trySend("REGISTER_SMS", p.phone, state).want(http.StatusBadRequest, badState)
	}
	a.trySend("REGISTER_SMS", p.phone, "x").want(http.StatusBadRequest, noState)
	// None of it has used up anything.
	w.admitted(a.succeeds("/social/register-bind", state, p.phone, code), "qq", "sms")
}

// spentStates: a state_token is good for one completion, and three wait.
func (w *appWorld) spentStates() {
	p, a := w.person(), w.app("registers")
	var states []string
	for range 4 {
		states = append(states, a.waits(p.qq, "USER_REGISTER", flowOfBoth))
	}
	a.finish("/social/register-bind", states[0], p.phone, "000000").want(http.StatusBadRequest, badState)
	code := a.code("REGISTER_SMS", p.phone, states[3])
	// One login's code is no other's.
	a.finish("/social/register-bind", states[2], p.phone, code).want(http.StatusBadRequest, wrongCode)
	g := a.succeeds("/social/register-bind", states[3], p.phone, code)
	a.inBoth(http.StatusBadRequest, badState, func(a *app) answer {
		return a.finish("/social/register-bind", states[3], p.phone, code)
	})
	// The account is a user's now: those that wait cannot make another of it.
	code = a.code("REGISTER_SMS", p.phone, states[2])
	a.finish("/social/register-bind", states[2], p.phone, code).want(http.StatusBadRequest, "IDAAS.SDK.USER.0101")
	w.admitted(g, "qq", "sms")
}

// notThe is a code that differs from another.
func notThe(code string) string {
	return code[:5] + string('0'+(code[5]-'0'+1)%10)
}

func (w *appWorld) wrongCodes() {
	p, a := w.person(), w.app("registers")
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	mailed, texted := a.code("REGISTER_EMS", p.email, state), a.code("REGISTER_SMS", p.phone, state)
	a.inBoth(http.StatusBadRequest, wrongCode, func(a *app) answer {
		return a.finish("/social/register-bind", state, p.phone, notThe(texted))
	})
	if mailed != texted {
		a.finish("/social/register-bind", state, p.phone, mailed).want(http.StatusBadRequest, wrongCode)
	}
	a.finish("/social/register-bind", state, w.person().phone, texted).want(http.StatusBadRequest, wrongCode)
	a.finish("/social/register-bind", state, p.phone, texted+"0").want(http.StatusBadRequest, wrongCode)
	w.admitted(a.succeeds("/social/register-bind", state, p.email, mailed), "qq", "email")

	// A code of another type, for the same number, client and device.
	q, g := w.enrolled()
	vault := w.app("vault")
	state = vault.waits(q.qq, "MFA_AUTH", mfaBySMS)
	update, mfa := vault.code("UPDATE_MOBILE_SMS", q.phone, ""), vault.code("MFA_AUTH_SMS", q.phone, state)
	if update != mfa {
		vault.finish("/mfa/sms", state, q.phone, update).want(http.StatusBadRequest, wrongCode)
		vault.call("POST", "/profile/update", map[string]string{"mobile": q.phone, "verify_code": mfa}, "Authorization", "Bearer "+g.IDToken).
			want(http.StatusBadRequest, wrongCode)
	}
	w.admitted(vault.succeeds("/mfa/sms", state, q.phone, mfa), "qq", "sms")
}

// wrongReceivers: the second factor goes to what is stored, and nowhere else.
func (w *appWorld) wrongReceivers() {
	p, _ := w.enrolled()
	a, other := w.app("vault"), w.person()
	state := a.waits(p.qq, "MFA_AUTH", mfaBySMS)
	for _, to := range []string{other.phone, "139****" + other.phone[7:]} {
		a.sendsNothing("MFA_AUTH_SMS", to, state)
		a.sendsNothing("MFA_AUTH_SMS", to, "")
	}
	a.sendsNothing("MFA_AUTH_EMS", other.email, state)
	code := a.code("MFA_AUTH_SMS", p.phone, state)
	a.finish("/mfa/sms", state, other.phone, code).want(http.StatusBadRequest, wrongCode)
	a.finish("/mfa/email", state, other.email, code).want(http.StatusBadRequest, wrongCode)
	w.admitted(a.succeeds("/mfa/sms", state, p.phone, code), "qq", "sms")
}

// nothingWaits: who asks for a code is told nothing.
func (w *appWorld) nothingWaits() {
	p, a := w.person(), w.app("registers").on("a device of its own")
	for _, kind := range []string{"REGISTER_SMS", "BIND_MOBILE_SMS", "MFA_AUTH_SMS", "UPDATE_MOBILE_SMS", "LOGIN_SMS", "FORGET_PWD_SMS", "REGISTER_EMS", "x"} {
		a.sendsNothing(kind, p.phone, "")
	}
	for _, kind := range []string{"REGISTER_EMS", "BIND_EMAIL_EMS", "MFA_AUTH_EMS", "UPDATE_EMAIL_EMS", "REGISTER_SMS"} {
		a.sendsNothing(kind, p.email, "")
	}
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	for _, kind := range []string{"BIND_MOBILE_SMS", "MFA_AUTH_SMS", "UPDATE_MOBILE_SMS", "REGISTER_EMS"} {
		a.sendsNothing(kind, p.phone, state)
	}
	a.on("yet another").sendsNothing("REGISTER_SMS", p.phone, "")
	a.as("creates").sendsNothing("REGISTER_SMS", p.phone, "")
}

func (w *appWorld) badCaptchas() {
	p, a := w.person(), w.app("registers")
	a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	asks := func(a *app, pass, to string) answer { return a.sendWith(pass, "REGISTER_SMS", to, "") }

	// A wrong answer uses the puzzle up.
	shown := a.puzzle()
	a.slide(shown, `{"x":1.0,"y":5.0}`, p.phone).want(http.StatusBadRequest, noPuzzle)
	a.slide(shown, a.look(shown), p.phone).want(http.StatusBadRequest, noPuzzle)
	// So does another device or client, and what is no answer does not.
	for _, stranger := range []*app{a.on("another device"), a.as("vault")} {
		shown = a.puzzle()
		stranger.slide(shown, a.look(shown), p.phone).want(http.StatusBadRequest, noPuzzle)
	}
	a.inBoth(http.StatusBadRequest, noPuzzle, func(a *app) answer { return a.slide(shown, "x", p.phone) })
	for _, point := range []string{`{"x":100.0}`, `{"x":100.0,"y":5.0,"z":1}`, `{"x":100.0,"y":6.0}`, `{"x":1e999,"y":5.0}`, `{"x":"100","y":5.0}`, `[]`, `{"x":100.0,"y":5.0,"X":100.0}`} {
		a.slide(shown, point, p.phone).want(http.StatusBadRequest, noPuzzle)
	}

	// A pass is good once, and for whom it was made.
	unsolved := a.puzzle()
	asks(a, unsolved.Token+"---"+a.look(unsolved), p.phone).want(http.StatusBadRequest, badPass)
	for _, pass := range []string{"x", "---", unsolved.Token, strings.Repeat("0", 32) + `---{"x":1.0,"y":5.0}`} {
		asks(a, pass, p.phone).want(http.StatusBadRequest, badPass)
	}
	before := len(a.notices("sms"))
	a.inBoth(http.StatusBadRequest, badPass, func(b *app) answer { return asks(b, a.pass(p.email), p.phone) })
	asks(a, a.pass(w.person().phone), p.phone).want(http.StatusBadRequest, badPass)
	asks(a.on("another device"), a.pass(p.phone), p.phone).want(http.StatusBadRequest, badPass)
	asks(a.as("vault"), a.pass(p.phone), p.phone).want(http.StatusBadRequest, badPass)
	if after := len(a.notices("sms")); after != before {
		w.t.Fatalf("%d messages were sent", after-before)
	}
	pass := a.pass(p.mobile())
	asks(a, pass, p.phone).want(http.StatusOK, "") // one number, however it is written
	asks(a, pass, p.phone).want(http.StatusBadRequest, badPass)
	if after := len(a.notices("sms")); after != before+1 {
		w.t.Errorf("%d messages were sent, want 1", after-before)
	}
	w.checkPuzzle(a.call("GET", "/captcha", nil))
}

// puzzleKeys are all that the vendor's have.
var puzzleKeys = []string{
	"captchaId", "projectCode", "captchaOriginalPath", "captchaFontType", "captchaFontSize", "secretKey", "originalImageBase64", "point",
	"jigsawImageBase64", "wordList", "pointList", "pointJson", "token", "result", "captchaVerification",
}

func (w *appWorld) checkPuzzle(got answer) {
	w.t.Helper()
	var members map[string]any
	got.want(http.StatusOK, "").json(&members)
	for _, key := range puzzleKeys {
		value, ok := members[key]
		if !ok {
			w.t.Errorf("a puzzle has no %s", key)
		}
		switch key {
		case "originalImageBase64", "jigsawImageBase64", "token":
			if s, _ := value.(string); s == "" {
				w.t.Errorf("%s is %v", key, value)
			}
		case "result":
			if value != false {
				w.t.Errorf("%s is %v", key, value)
			}
		default:
			if value != nil && key != "secretKey" {
				w.t.Errorf("%s is %v", key, value)
			}
		}
	}
	if len(members) != len(puzzleKeys) {
		w.t.Errorf("a puzzle has %d members, want %d", len(members), len(puzzleKeys))
	}
}

// takenContacts: what belongs to somebody is nobody else's, and what is nobody's
// cannot be bound.
func (w *appWorld) takenContacts() {
	owner, p := w.person(), w.person()
	w.register(owner, owner.phone)
	a := w.app("registers")
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	a.inBoth(http.StatusBadRequest, "IDAAS.SDK.USER.0101", func(b *app) answer {
		return b.finish("/social/register-bind", state, owner.phone, a.code("REGISTER_SMS", owner.phone, state))
	})

	binds := w.app("binds")
	state = binds.waits(p.other, "SOCIAL_BIND", flowOfBoth)
	binds.inBoth(http.StatusBadRequest, "IDAAS.SDK.USER.0001", func(b *app) answer {
		return b.finish("/social/bind", state, p.phone, binds.code("BIND_MOBILE_SMS", p.phone, state))
	})
	user := w.userOf(owner.qq).ID
	w.admin("POST", "/users/"+user+"/disable", nil).want(http.StatusNoContent, "")
	binds.finish("/social/bind", state, owner.phone, binds.code("BIND_MOBILE_SMS", owner.phone, state)).
		want(http.StatusBadRequest, "IDAAS.SDK.USER.0039")
	w.admin("POST", "/users/"+user+"/enable", nil).want(http.StatusNoContent, "")
	// The login that waited goes on.
	g := binds.succeeds("/social/bind", state, owner.phone, binds.code("BIND_MOBILE_SMS", owner.phone, state))
	if c := w.admitted(g, "sms"); c.Subject != user {
		w.t.Errorf("bound to %s, want %s", c.Subject, user)
	}
}

func (w *appWorld) malformedContacts() {
	p, a := w.person(), w.app("registers")
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	const malformed = "IDAAS.SDK.PARAM.0026"
	a.inBoth(http.StatusBadRequest, malformed, func(a *app) answer { return a.finish("/social/register-bind", state, "1520", "123456") })
	for _, mobile := range []string{"1520160132", "152016013211", "+1-2025550123", "+86-1520160132x", "tel:15201601321", "152****1321", "a@b.c"} {
		a.call("POST", "/social/register-bind", map[string]string{"mobile": mobile, "verify_code": "123456"}, "X-state-token", state).
			want(http.StatusBadRequest, malformed)
	}
	for _, email := range []string{"a", "a@", "@b.c", "a@b@c", "A <a@b.com>", "a@b.com\r\nBcc: c@d.com", "a@b.com, c@d.com", strings.Repeat("x", 300) + "@b.com"} {
		a.call("POST", "/social/register-bind", map[string]string{"email": email, "verify_code": "123456"}, "X-state-token", state).
			want(http.StatusBadRequest, malformed)
		a.call("POST", "/email/send", map[string]string{"email": email, "type": "REGISTER_EMS", "captcha_token": "x"}).
			want(http.StatusBadRequest, malformed)
	}
	a.inBoth(http.StatusBadRequest, "IDAAS.SDK.PARAM.0099", func(a *app) answer {
		return a.call("POST", "/social/register-bind", map[string]string{}, "X-state-token", state)
	})
}

// atOnce finishes one login two hundred times at once.
func (w *appWorld) atOnce() {
	const times = 200
	p, a := w.person(), w.app("registers")
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	code := a.code("REGISTER_SMS", p.phone, state)
	created := func() int { return strings.Count(w.logged(), `"user_created"`) }
	before := created()
	body := w.encode(map[string]string{"mobile": p.phone, "verify_code": code})
	header := append(a.headers(), "Content-Type", "application/json", "X-state-token", state)
	answers := everywhere(w.t, func(w *world) (answer, error) {
		return try(w.t, "POST", w.url("LOGIN", "/api/v2/sdk/social/register-bind"), body, header...)
	}, slices.Repeat([]*world{w.world}, times)...)
	statuses := map[string]int{}
	var g grant
	for _, got := range answers {
		statuses[fmt.Sprintf("%d %s", got.status, got.code())]++
		if got.status == http.StatusOK {
			got.json(&g)
		}
	}
	if statuses["200 "] != 1 || statuses["400 "+badState] != times-1 {
		w.t.Fatalf("answers: %v", statuses)
	}
	w.admitted(g, "qq", "sms")
	if sessions := w.sessionsOf(w.userOf(p.qq).ID); len(sessions) != 1 {
		w.t.Errorf("the user has sessions %v", sessions)
	}
	if n := created() - before; n != 1 {
		w.t.Errorf("%d users were made", n)
	}
}
