package e2e

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/qqauth/qqauth/internal/pgtest"
)

// appFleet starts two nodes of an app's server, which send to one place.
func appFleet(t *testing.T) (a, b *appWorld) {
	t.Helper()
	dsn := pgtest.Database(t)
	f := newFleet(t)
	outbox, people := t.TempDir(), new(atomic.Int64)
	pairs := []string{"$SENDERS", strings.ReplaceAll(fileSenders, "$OUTBOX", outbox), "$ATTEMPTS", "attempts {\n target_sends 2 5 10\n }"}
	start := func() *appWorld { return &appWorld{f.nodeOf(t, appFile, dsn, pairs...), outbox, people} }
	return start(), start()
}

// TestAppFleet is what an app does at two nodes in turn.
func TestAppFleet(t *testing.T) {
	a, b := appFleet(t)
	t.Run("every step elsewhere", func(t *testing.T) { a.in(t).stepsElsewhere(b.in(t)) })
	t.Run("limits hold together", func(t *testing.T) { a.in(t).limitsTogether(b.in(t)) })
	t.Run("one of many", func(t *testing.T) { a.in(t).oneOfMany(b.in(t)) })
}

// stepsElsewhere goes from node to node with every step of a login.
func (a *appWorld) stepsElsewhere(b *appWorld) {
	atA, atB := a.app("registers"), b.app("registers")

	p := a.person()
	state := atA.waits(p.qq, "USER_REGISTER", flowOfBoth)
	shown := atA.puzzle()
	var pass map[string]string
	got := atB.slide(shown, atB.look(shown), p.phone)
	for tries := 3; got.status != http.StatusOK && tries > 1; tries-- { // looking misses now and then
		shown = atA.puzzle()
		got = atB.slide(shown, atB.look(shown), p.phone)
	}
	got.want(http.StatusOK, "").json(&pass)
	atA.sendWith(pass["captcha_token"], "REGISTER_SMS", p.phone, state).want(http.StatusOK, "")
	atB.sendWith(pass["captcha_token"], "REGISTER_SMS", p.phone, state).want(http.StatusBadRequest, badPass)
	code := atA.notices("sms")[0].Code
	g := atB.succeeds("/social/register-bind", state, p.phone, code)
	atA.finish("/social/register-bind", state, p.phone, code).want(http.StatusBadRequest, badState)
	a.guarded("/", g.Session).want(http.StatusOK, "")
	c := b.verifiedAt(a.world, b.guarded("/", g.Session).seen().Header.Get("X-Qqauth-Ticket"))
	if !slices.Equal(c.Methods, []string{"qq", "sms"}) {
		a.t.Errorf("amr is %v", c.Methods)
	}

	// A way in that is added at one node ends what is open at the other.
	conn := a.dialWS(g.Session)
	binding := b.app("binds").waits(p.other, "SOCIAL_BIND", flowOfBoth)
	b.app("binds").finish("/social/bind", binding, p.phone, "123456").want(http.StatusBadRequest, wrongCode)
	atA.call("POST", "/profile/update", map[string]string{"email": p.email, "verify_code": atB.code("UPDATE_EMAIL_EMS", p.email, "")}, signedIn(g)...).
		want(http.StatusOK, "")
	bound := b.app("binds").succeeds("/social/bind", binding, p.email, a.app("binds").code("BIND_EMAIL_EMS", p.email, binding))
	conn.closes(a.t, closedWithin)
	if c := b.verifiedAt(a.world, a.guarded("/", bound.Session).seen().Header.Get("X-Qqauth-Ticket")); !slices.Equal(c.Methods, []string{"email"}) {
		a.t.Errorf("amr is %v", c.Methods)
	}
}

// limitsTogether reaches limits at both nodes.
func (a *appWorld) limitsTogether(b *appWorld) {
	atA, atB := a.app("registers"), b.app("registers")
	p := a.person()
	state := atA.waits(p.qq, "USER_REGISTER", flowOfBoth)
	atB.code("REGISTER_SMS", p.phone, state)
	code := atA.code("REGISTER_SMS", p.phone, state)
	atB.trySend("REGISTER_SMS", p.phone, state).isLimited(minuteLimit)
	atA.trySend("REGISTER_SMS", p.phone, state).isLimited(minuteLimit)
	for n := range 5 {
		[]*app{atA, atB}[n%2].finish("/social/register-bind", state, p.phone, notThe(code)).want(http.StatusBadRequest, wrongCode)
	}
	for _, app := range []*app{atA, atB} {
		app.finish("/social/register-bind", state, p.phone, code).isLimited(codeLife)
	}

	// Of many who guess at once, five are heard.
	q := a.person()
	state = atA.waits(q.qq, "USER_REGISTER", flowOfBoth)
	got := a.bothAtOnce(b, state, q.email, notThe(atB.code("REGISTER_EMS", q.email, state)))
	if got[wrongCode] != 5 || got[limited] != bothTimes-5 || len(got) != 2 {
		a.t.Errorf("answers: %v", got)
	}
}

// oneOfMany finishes one login at both nodes at once.
func (a *appWorld) oneOfMany(b *appWorld) {
	p := a.person()
	state := a.app("registers").waits(p.qq, "USER_REGISTER", flowOfBoth)
	got := a.bothAtOnce(b, state, p.phone, b.app("registers").code("REGISTER_SMS", p.phone, state))
	if got[""] != 1 || got[badState] != bothTimes-1 {
		a.t.Errorf("answers: %v", got)
	}
}

// bothTimes is how often bothAtOnce asks.
const bothTimes = 20

// bothAtOnce registers with a code at both nodes, and counts the answers' codes.
func (a *appWorld) bothAtOnce(b *appWorld, state, to, code string) map[string]int {
	a.t.Helper()
	body := a.encode(map[string]string{fieldOf(to): to, "verify_code": code})
	header := append(a.app("registers").headers(), "Content-Type", "application/json", "X-state-token", state)
	answers := everywhere(a.t, func(w *world) (answer, error) {
		return try(a.t, "POST", w.url("LOGIN", "/api/v2/sdk/social/register-bind"), body, header...)
	}, slices.Repeat([]*world{a.world, b.world}, bothTimes/2)...)
	codes := map[string]int{}
	for _, got := range answers {
		codes[got.code()]++
	}
	return codes
}
