package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// defaultAttempts are the contract's, but for what a test asks for more often
// than a person does, and wrong codes of a user, of which there are few.
const defaultAttempts = "attempts {\n captchas 10000\n user_codes 6\n }"

// isLimited demands the answer of a limit that has room again within some time.
func (a answer) isLimited(within time.Duration) {
	a.t.Helper()
	a.want(http.StatusTooManyRequests, limited)
	if after, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || after < 1 || time.Duration(after)*time.Second > within {
		a.t.Errorf("Retry-After is %q, want at most %v", a.header.Get("Retry-After"), within)
	}
}

// A minute's limit is counted in seconds, and has room again when the second is
// out of it.
const (
	minuteLimit = time.Minute + 2*time.Second
	codeLife    = 5 * time.Minute
	dayLimit    = 24*time.Hour + 24*time.Minute
)

// TestLimits reaches the limits of codes, kills the server and reaches them
// again: they are counted in the store.
func TestLimits(t *testing.T) {
	h := newHome(t)
	w := prepareAppWorld(t, "$ATTEMPTS", defaultAttempts)
	w.server = h.start(appFile, w.pairs...)
	known, session := w.enrolled()
	began := time.Now()
	soon, often, forUser := w.sendTooSoon(), w.guessTooOften(), w.guessTooOftenFor(known)
	soon(w)
	often(w)
	forUser(w)
	w.kill()
	w.server = h.start(appFile, w.pairs...)
	if time.Since(began) < time.Minute { // else there may be room again
		soon(w)
	}
	often(w)
	forUser(w)
	w.admitted(session, "qq", "sms")
}

// sendTooSoon has a message sent; again asks for the next one. It is the same for
// a receiver whom nothing is sent to, but that a node forgets.
func (w *appWorld) sendTooSoon() (again func(*appWorld)) {
	w.t.Helper()
	a, p, nobody := w.app("registers"), w.person(), w.person()
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	a.code("REGISTER_SMS", p.phone, state)
	stranger := a.on("a device of its own")
	stranger.sendsNothing("REGISTER_SMS", nobody.phone, "")
	stranger.trySend("REGISTER_SMS", nobody.phone, "").isLimited(minuteLimit)
	sent := len(a.notices("sms"))
	return func(w *appWorld) {
		w.t.Helper()
		a := w.app("registers")
		a.inBoth(http.StatusTooManyRequests, limited, func(a *app) answer { return a.trySend("REGISTER_SMS", p.phone, state) })
		a.trySend("REGISTER_SMS", p.mobile(), "").isLimited(minuteLimit)
		if n := len(a.notices("sms")); n != sent {
			w.t.Errorf("%d messages were sent beyond the limit", n-sent)
		}
	}
}

// guessTooOften guesses five times at a code, and at one that nobody was sent;
// again guesses a sixth time, and then not even the right one is heard.
func (w *appWorld) guessTooOften() (again func(*appWorld)) {
	w.t.Helper()
	a, b, p := w.app("registers"), w.app("binds"), w.person()
	state, unsent := a.waits(p.qq, "USER_REGISTER", flowOfBoth), b.waits(p.other, "SOCIAL_BIND", flowOfBoth)
	right := a.code("REGISTER_EMS", p.email, state)
	for range 5 {
		a.finish("/social/register-bind", state, p.email, notThe(right)).want(http.StatusBadRequest, wrongCode)
		b.finish("/social/bind", unsent, p.phone, "123456").want(http.StatusBadRequest, wrongCode)
	}
	return func(w *appWorld) {
		w.t.Helper()
		a := w.app("registers")
		a.inBoth(http.StatusTooManyRequests, limited, func(a *app) answer {
			return a.finish("/social/register-bind", state, p.email, right)
		})
		a.finish("/social/register-bind", state, p.email, notThe(right)).isLimited(codeLife)
		w.app("binds").finish("/social/bind", unsent, p.phone, "123456").isLimited(codeLife)
	}
}

// guessTooOftenFor sends the wrong codes that a user has, each to a login of its
// own; again sends another one.
func (w *appWorld) guessTooOftenFor(p *person) (again func(*appWorld)) {
	w.t.Helper()
	a := w.app("vault")
	for range 6 {
		a.finish("/mfa/sms", a.waits(p.qq, "MFA_AUTH", mfaBySMS), p.phone, "123456").want(http.StatusBadRequest, wrongCode)
	}
	last := a.waits(p.qq, "MFA_AUTH", mfaBySMS)
	return func(w *appWorld) {
		w.t.Helper()
		w.app("vault").finish("/mfa/sms", last, p.phone, "123456").isLimited(dayLimit)
	}
}

// captchasPerMinute is how many puzzles one address gets in TestCaptchaLimit.
const captchasPerMinute = 10

// TestCaptchaLimit asks for more puzzles than one address may have, where nothing
// is configured to send codes.
func TestCaptchaLimit(t *testing.T) {
	w := prepareWorld(t)
	w.server = newHome(t).start(strings.Replace(outcomesFile, "qq_refused 5", "captchas 10", 1), w.pairs...)
	a := &app{w.home, "registers", fingerprint, "en", t.TempDir()}
	began := time.Now()
	state := a.waits(w.account(0), "USER_REGISTER", flowOfBoth)
	a.inBoth(http.StatusBadRequest, "IDAAS.SDK.CAPTCHA.0006", func(a *app) answer {
		return a.sendWith(a.puzzle().Token+`---{"x":1.0,"y":5.0}`, "REGISTER_SMS", "15201601321", state)
	})
	tokens, got := map[string]bool{}, a.call("GET", "/captcha", nil)
	for ; got.status == http.StatusOK; got = a.call("GET", "/captcha", nil) {
		var p puzzle
		got.json(&p)
		if tokens[p.Token] {
			t.Fatal("two puzzles have one token")
		}
		tokens[p.Token] = true
	}
	asked := 2 + len(tokens)
	room := captchasPerMinute + 1 + int(time.Since(began)*captchasPerMinute/time.Minute) // while they are asked for
	if asked < captchasPerMinute || asked > room {
		t.Errorf("%d puzzles within %v, want %d to %d", asked, time.Since(began), captchasPerMinute, room)
	}
	a.inBoth(http.StatusTooManyRequests, limited, func(a *app) answer { return a.call("GET", "/captcha", nil) })
	a.as("binds").on("another device").call("GET", "/captcha", nil).isLimited(time.Minute)
}
