package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

// misbehave has the QQ outside treat requests in a way of the test's.
func (w *world) misbehave(fault func(http.ResponseWriter, *http.Request)) {
	w.qq.Behave(qqtest.Behavior{Fault: func(out http.ResponseWriter, r *http.Request) bool {
		fault(out, r)
		return true
	}})
}

// TestQQFaults is a QQ that cannot be reached, or is not itself.
func TestQQFaults(t *testing.T) {
	w := newWorld(t)
	known := w.login(demoApp, w.account(0))
	redirected := make(chan string, 1)
	for _, tt := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request)
	}{
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"502", func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(http.StatusBadGateway) }},
		{"garbage", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprint(out, "<html>sorry</html>") }},
		{"empty", func(http.ResponseWriter, *http.Request) {}},
		{"half", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprint(out, `{"client_id":"101234567","openid":"`) }},
		{"no open id", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprint(out, `{"client_id":"101234567"}`) }},
		{"too much", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprint(out, strings.Repeat(" ", 1<<20), "{}") }},
		{"redirect", func(out http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				redirected <- r.URL.String()
			}
			http.Redirect(out, r, "/elsewhere", http.StatusFound)
		}},
		{"slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := w.in(t)
			w.misbehave(tt.fault)
			defer w.qq.Behave(qqtest.Behavior{})
			began := time.Now()
			for _, number := range []int{0, 20} { // a known user and a new one
				a := w.tryLogin(demoApp, w.account(number)).want(http.StatusServiceUnavailable, "IDAAS.SDK.QQ.0005")
				if after, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || after < 1 {
					t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
				}
				if strings.Contains(a.text(), "101234567") || strings.Contains(a.text(), w.outside.URL) {
					t.Errorf("the answer tells of QQ: %s", a.body)
				}
			}
			if took := time.Since(began); took > 2*2*time.Second+endsWithin {
				t.Errorf("two logins took %v with a timeout of 2 s each", took)
			}
			w.guarded("/", known.Session).want(http.StatusOK, "")
			var health struct {
				Status string
				QQ     map[string]string
			}
			w.ask("GET", w.url("LOGIN", "/.qqauth/health"), nil).want(http.StatusOK, "").json(&health)
			if health.QQ[qqApp] != "down" {
				t.Errorf("health says of QQ %q", health.QQ[qqApp])
			}
		})
	}
	if len(redirected) > 0 {
		t.Errorf("a redirect was followed to %s", <-redirected)
	}
	w.guarded("/", w.login(demoApp, w.account(0)).Session).want(http.StatusOK, "")
}

// TestQQRefusals is a QQ that says no.
func TestQQRefusals(t *testing.T) {
	w := newWorld(t)
	expired, revoked := w.account(0), w.account(0)
	w.qq.Expire(expired.AccessToken)
	w.qq.Revoke(revoked.AccessToken)
	foreign := account{App: otherApp, OpenID: w.qq.OpenID(otherApp, 0), AccessToken: w.qq.Issue(otherApp, 0)}
	stolen := w.account(0)
	stolen.OpenID = w.qq.OpenID(qqApp, 1)
	folded := w.account(0)
	folded.OpenID = strings.ToLower(folded.OpenID)
	code := w.account(0)
	code.AccessToken = w.qq.Code(qqApp, 0, "")
	for name, tt := range map[string]struct {
		account
		code string
	}{
		"expired": {expired, "IDAAS.SDK.QQ.0001"}, "revoked": {revoked, "IDAAS.SDK.QQ.0001"}, "a code": {code, "IDAAS.SDK.QQ.0001"},
		"another application": {foreign, "IDAAS.SDK.QQ.0002"}, "another open id": {stolen, "IDAAS.SDK.QQ.0003"}, "open id in lower case": {folded, "IDAAS.SDK.QQ.0003"},
	} {
		t.Run(name, func(t *testing.T) {
			w.in(t).tryLogin(demoApp, tt.account).want(http.StatusBadRequest, tt.code)
		})
	}
}

// TestProfile is a profile that QQ withholds: it is best effort, and no login
// waits for it.
func TestProfile(t *testing.T) {
	w := newWorld(t)
	w.qq.Behave(qqtest.Behavior{Fault: func(out http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != string(qqtest.PathUserInfo) {
			return false
		}
		out.WriteHeader(http.StatusInternalServerError)
		return true
	}})
	g := w.login(demoApp, w.account(0))
	if names := w.guarded("/", g.Session).seen().Header["X-Display-Name"]; names != nil {
		t.Errorf("a user without a name is %v", names)
	}
}

// TestLoginDuringReload replaces the configuration while QQ is asked.
func TestLoginDuringReload(t *testing.T) {
	w := newWorld(t)
	asked, release := make(chan struct{}, 1), make(chan struct{})
	w.qq.Behave(qqtest.Behavior{Fault: func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == string(qqtest.PathMe) {
			asked <- struct{}{}
			<-release
		}
		return false
	}})
	a := w.account(0)
	body := w.encode(qqLogin{a.AccessToken, a.OpenID})
	type result struct {
		answer
		err error
	}
	answers := make(chan result, 1)
	go func() {
		got, err := try(t, "POST", w.url("LOGIN", "/api/v2/sdk/login/qq"), body, append(device(demoApp), "Content-Type", "application/json")...)
		answers <- result{got, err}
	}()
	<-asked
	w.qq.Behave(qqtest.Behavior{})
	w.reload(worldFile, append([]string{"$CORE", "lifetime {\n ticket 1m\n }"}, w.pairs...)...)
	close(release)
	got := <-answers
	if got.err != nil {
		t.Fatal(got.err)
	}
	var g grant
	got.want(http.StatusOK, "").json(&g)
	w.guarded("/", g.Session).want(http.StatusOK, "")
}
