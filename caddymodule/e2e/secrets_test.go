package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

// secretsFile has every kind of secret as a placeholder, access logs on every
// site, and logs all that Caddy can log. No header of its guard holds a phone:
// reverse_proxy itself logs, as debug, what it sends to an upstream.
const secretsFile = `{
	debug
	qqauth {
		public_url http://localhost:$LOGIN
		secret_key {env.E2E_SECRET_KEY} {file.$DIR/previous_key}
		qq 101234567 {
			endpoint $QQ
			app_key {env.E2E_APP_KEY}
		}
		qq simulator 100000000
		client demo-app {
			secret {env.E2E_DEMO_SECRET}
			qq 101234567
			tickets_for demo-shop
		}
		client demo-shop {
			secret {file.$DIR/shop_secret}
			qq 100000000
		}
		client gate {
			secret {env.E2E_GATE_SECRET}
			qq 101234567
			unknown_user register
			verify phone email
		}
		client vault {
			qq 101234567
			mfa phone email
		}
		sms webhook $HOOK/hook {
			secret {env.E2E_HOOK_SECRET}
		}
		email file $DIR/email.jsonl
		attempts off
		admin_api
	}
	servers {
		metrics
	}
}
http://localhost:$LOGIN {
	log
	qqauth_login
	respond "passed on" 418
}
http://localhost:$APP {
	log
	qqauth_guard {
		audience http://localhost:$APP
		client demo-app gate vault
		public /healthz
		header X-User-Id {user.id}
	}
	reverse_proxy $UPSTREAM
}
http://localhost:$PLAIN {
	log
	reverse_proxy $UPSTREAM
}
`

// ledger notes secrets, so that all that was written can be searched for them.
type ledger struct {
	t     *testing.T
	kept  map[string]string // what it is, by secret
	codes map[string]bool   // too short to be searched for as they are
}

func newLedger(t *testing.T) *ledger { return &ledger{t, map[string]string{}, map[string]bool{}} }

func (l *ledger) keep(what, secret string) string {
	l.t.Helper()
	if len(secret) < 8 {
		l.t.Fatalf("%s is %q: too short to search for", what, secret)
	}
	l.kept[secret] = what
	return secret
}

// search reports every secret in a text, in the encodings that a log may use.
func (l *ledger) search(where, text string) {
	l.t.Helper()
	for secret, what := range l.kept {
		for _, form := range []string{
			secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)),
		} {
			if at := strings.Index(text, form); at >= 0 {
				l.t.Errorf("%s holds %s: …%s…", where, what, text[max(0, at-200):min(len(text), at+len(form)+80)])
				break
			}
		}
	}
	for code := range l.codes {
		if found := codePattern(code).FindString(text); found != "" {
			l.t.Errorf("%s holds the code %s: %q", where, code, found[:min(len(found), 400)])
		}
	}
}

// codePattern finds a line in which a code stands by itself, not as a part of
// another number or word.
func codePattern(code string) *regexp.Regexp {
	return regexp.MustCompile(`.*(?:^|[^0-9A-Za-z.])` + code + `(?:[^0-9A-Za-z]|$).*`)
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// TestSecrets uses every secret rightly and wrongly, and then searches all that
// Caddy has written or tells for each of them.
func TestSecrets(t *testing.T) {
	h := newHome(t)
	l := newLedger(t)
	secret := map[string]string{}
	for _, name := range []string{"SECRET_KEY", "APP_KEY", "DEMO_SECRET", "GATE_SECRET", "HOOK_SECRET"} {
		secret[name] = l.keep(name, randomHex(32))
		h.env = append(h.env, "E2E_"+name+"="+secret[name])
	}
	secret["SHOP"] = l.keep("shop_secret", randomHex(24))
	h.write("shop_secret", secret["SHOP"]+"\n")
	h.write("previous_key", l.keep("previous secret_key", randomHex(32)))

	w := prepareWorld(t)
	gate := newGateway(t)
	w.pairs = append(w.pairs, "$DIR", h.dir, "$HOOK", gate.URL)
	w.server = h.start(secretsFile, w.pairs...)
	w.useSecrets(l, secret)
	w.useCodes(l, gate, secret["HOOK_SECRET"])
	w.misuseSecrets(l, secret)
	w.misuseQQ(l)
	w.reload(secretsFile, w.pairs...)

	for _, path := range []string{"/metrics", "/config/"} {
		l.search(path, w.ask("GET", w.url("ADMIN", path), nil).want(http.StatusOK, "").text())
	}
	adapted, err := w.run("adapt", "--pretty", "--config", w.path("Caddyfile"))
	if err != nil {
		t.Errorf("caddy adapt: %v", err)
	}
	l.search("caddy adapt", adapted)
	autosave, err := os.ReadFile(w.path("config", "caddy", "autosave.json"))
	if err != nil {
		t.Fatal(err)
	}
	l.search("autosave.json", string(autosave))
	w.stop()
	log := w.logged()
	l.search("the log", log)
	w.checkAccessLog(log)
	w.checkAudit(log)
	l.searchFiles(w.storeDir())
}

// useSecrets makes every call that succeeds.
func (w *world) useSecrets(l *ledger, secret map[string]string) {
	w.t.Helper()
	a := w.account(0)
	l.keep("QQ access token", a.AccessToken)
	g := w.login(demoApp, a)
	l.keep("session token", g.Session)
	l.keep("id_token", g.IDToken)

	var pending grant
	unknown := w.account(50)
	l.keep("QQ access token", unknown.AccessToken)
	w.tryLogin("gate", unknown).want(http.StatusOK, "").json(&pending)
	l.keep("state_token", pending.StateToken)

	demo := l.keep("bearer", w.bearer(demoApp, secret["DEMO_SECRET"]))
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {demoShop}, "client_secret": {secret["SHOP"]}}
	var shop, basic struct {
		Token string `json:"access_token"`
	}
	w.ask("POST", w.url("LOGIN", "/api/v2/tenant/token"), []byte(form.Encode()), "Content-Type", "application/x-www-form-urlencoded").
		want(http.StatusOK, "").json(&shop)
	l.keep("bearer", shop.Token)
	pair := base64.StdEncoding.EncodeToString([]byte(demoShop + ":" + secret["SHOP"]))
	l.keep("Basic credentials", pair)
	w.ask("POST", w.url("LOGIN", "/api/v2/tenant/token?grant_type=client_credentials"), nil, "Authorization", "Basic "+pair).
		want(http.StatusOK, "").json(&basic)
	l.keep("bearer", basic.Token)

	for range 2 {
		ticket := l.keep("sso_ticket", w.ticket(demo, g.Session, demoShop))
		l.keep("sso_ticket without its prefix", strings.TrimPrefix(ticket, "ssoTicket-"))
		w.redeem(shop.Token, ticket).want(http.StatusOK, "")
		w.redeem(shop.Token, ticket).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0032")
	}
	var fresh, next grant
	w.sdk("POST", "/sso/session-token/id-token", demoApp, nil, "session-token", g.Session).want(http.StatusOK, "").json(&fresh)
	l.keep("id_token", fresh.IDToken)
	w.tenant("/session-token/refresh", demo, map[string]string{"session_token": g.Session}).want(http.StatusOK, "").json(&next)
	l.keep("session token", next.Session)
	w.guarded("/", next.Session).want(http.StatusOK, "")
	w.ask("GET", w.url("APP", "/"), nil, "Cookie", w.cookie(next.Session)).want(http.StatusOK, "")
	w.ask("GET", w.url("APP", "/healthz"), nil, "Cookie", w.cookie(next.Session), "Authorization", "Bearer "+next.Session).want(http.StatusOK, "")
	w.sdk("GET", "/logout", demoApp, nil, "session-token", next.Session).want(http.StatusOK, "")
	w.guarded("/", next.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	w.ask("GET", w.url("LOGIN", "/.qqauth/health"), nil).want(http.StatusOK, "")
	user := w.userOf(a)
	w.sessionsOf(user.ID)
	w.admin("POST", "/users/"+user.ID+"/disable", nil).want(http.StatusNoContent, "")
	w.tryLogin(demoApp, a).want(http.StatusBadRequest, "IDAAS.SDK.USER.0039")
}

// misuseSecrets puts secrets, good and invented, where they are refused or do
// not belong.
func (w *world) misuseSecrets(l *ledger, secret map[string]string) {
	w.t.Helper()
	a := w.account(1)
	l.keep("QQ access token", a.AccessToken)
	g := w.login(demoApp, a)
	session := l.keep("session token", g.Session)
	wrong := l.keep("wrong client secret", randomHex(24))
	invented := l.keep("invented session token", randomHex(16))
	state := l.keep("invented state_token", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."+randomHex(20)+"."+randomHex(20))
	login, token := w.url("LOGIN", ""), w.url("LOGIN", "/api/v2/tenant/token")
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	credentials := "grant_type=client_credentials&client_id=demo-app&client_secret="

	for _, r := range []struct {
		method, url string
		body        string
		header      []string
	}{
		{"POST", token + "?" + credentials + wrong, "", nil},
		{"POST", token + "?client_secrte=" + secret["DEMO_SECRET"], "", nil},
		{"POST", token + "?" + secret["DEMO_SECRET"], "", nil},
		{"POST", token + "?" + credentials + secret["DEMO_SECRET"] + "&client_secret=" + wrong, "", nil},
		{"POST", token + "?client%5fsecret=" + secret["DEMO_SECRET"] + ";x=%zz", "", nil},
		{"GET", token + "?" + credentials + secret["DEMO_SECRET"], "", nil},
		{"POST", token, credentials + wrong, form},
		{"POST", token, credentials + wrong, nil},
		{"POST", token, "", []string{"Authorization", "Basic " + l.keep("Basic credentials", base64.StdEncoding.EncodeToString([]byte("demo-app:"+wrong)))}},
		{"POST", token, "", []string{"Authorization", "Bearer " + wrong}},
		{"POST", login + "/api/v2/tenant/nothing?" + credentials + wrong, "", nil},
		{"POST", login + "/api/v2/tenant%2ftoken?" + credentials + wrong, "", nil},
		{"GET", login + "/elsewhere?client_secret=" + wrong, "", []string{"session-token", session}},
		{"GET", login + "/elsewhere", "", []string{"X-state-token", state}},
		{"GET", login + "/rs/credential/" + l.keep("GameSparks secret", randomHex(24)) + "/QQConnectRequest", "", nil},
		{"GET", login + "/ws/credential/" + l.keep("GameSparks key", randomHex(24)), "", nil},
		{"GET", login + "/rs", "", []string{"session-token", session}},
		{"POST", login + "/api/v2/sdk/sso/session-token/id-token?session_token=" + session, "", []string{"session-token", invented}},
		{"POST", login + "/api/v2/sdk/login/qq?access_token=" + a.AccessToken + "&open_id=x", `{"access_token":1}`, nil},
		{"POST", login + "/api/v2/sdk/login/qq", `{"access_token":"` + a.AccessToken + `"`, nil},
		{"POST", login + "/api/v2/sdk/login/qq", `{"access_token":"` + a.AccessToken + `","Access_Token":"` + invented + `"}`, nil},
		{"POST", login + "/api/v2/sdk/social/bind", "{}", []string{"X-state-token", state}},
		{"POST", login + "/api/v2/sdk/logout", "", []string{"session-token", invented, "session-token", session}},
		{"GET", login + "/api/v2/sdk/logout", "", []string{"Authorization", "Bearer " + g.IDToken + "x"}},
		{"POST", login + "/api/v2/tenant/sso/sso-ticket/verify", `{"sso_ticket":"ssoTicket-` + invented + `"}`, []string{"Authorization", "Bearer " + wrong}},
		{"GET", login + "/qq-simulator/oauth2.0/me?access_token=" + invented + "&fmt=json", "", nil},
		{"GET", login + "/.qqauth/health", "", []string{"session-token", session}},
		{"GET", login + "/.well-known/jwks.json", "", []string{"session-token", session}},
		{"GET", w.url("APP", "/"), "", []string{"Authorization", "Bearer " + invented}},
		{"GET", w.url("APP", "/misplaced"), "", []string{"session-token", session}},
		{"GET", w.url("APP", "/misplaced"), "", []string{"X-state-token", state}},
		{"GET", w.url("APP", "/"), "", []string{"Cookie", w.cookie(session) + "; " + w.cookie(session)}},
	} {
		header := append(device(demoApp), "Content-Type", "application/json")
		if r.header != nil && r.header[0] == "Content-Type" {
			header = device(demoApp)
		}
		w.ask(r.method, r.url, []byte(r.body), append(header, r.header...)...)
	}
}

// misuseQQ logs in with tokens that QQ refuses, and through the simulator, whose
// URLs carry tokens.
func (w *world) misuseQQ(l *ledger) {
	w.t.Helper()
	for _, fail := range []func(string){w.qq.Expire, w.qq.Revoke} {
		a := w.account(2)
		fail(l.keep("refused QQ access token", a.AccessToken))
		w.tryLogin(demoApp, a).want(http.StatusBadRequest, "IDAAS.SDK.QQ.0001")
	}
	stolen := w.account(3)
	l.keep("QQ access token", stolen.AccessToken)
	stolen.OpenID = w.qq.OpenID(qqApp, 4)
	w.tryLogin(demoApp, stolen).want(http.StatusBadRequest, "IDAAS.SDK.QQ.0003")
	w.qq.Behave(qqtest.Behavior{Fault: func(out http.ResponseWriter, r *http.Request) bool {
		// An outside system that repeats what it was asked.
		out.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(out, r.URL)
		return true
	}})
	lost := w.account(5)
	l.keep("QQ access token", lost.AccessToken)
	w.tryLogin(demoApp, lost).want(http.StatusServiceUnavailable, "IDAAS.SDK.QQ.0005")
	w.qq.Behave(qqtest.Behavior{Fault: func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }})
	w.tryLogin(demoApp, lost).want(http.StatusServiceUnavailable, "IDAAS.SDK.QQ.0005")
	w.qq.Behave(qqtest.Behavior{})

	for _, a := range w.accounts() {
		l.keep("token of the simulator", a.AccessToken)
		query := url.Values{"access_token": {a.AccessToken}, "fmt": {"json"}, "oauth_consumer_key": {a.App}, "openid": {a.OpenID}}.Encode()
		for _, path := range []string{"/oauth2.0/me", "/user/get_user_info", "/", "/nothing", ""} {
			w.ask("GET", w.url("LOGIN", "/qq-simulator"+path+"?"+query), nil)
		}
	}
	a := w.accounts()[0]
	g := w.login(demoShop, a)
	l.keep("session token", g.Session)
	l.keep("id_token", g.IDToken)
}

// checkAccessLog demands that a request that carries a secret is logged once, by
// us, and others by Caddy.
func (w *world) checkAccessLog(log string) {
	w.t.Helper()
	loggers := map[string]map[string]int{} // by URI without its query, then logger
	for text := range strings.Lines(log) {
		var entry struct {
			Logger, Msg string
			Request     struct {
				URI     string
				Headers http.Header
			}
			Status int
		}
		if json.Unmarshal([]byte(text), &entry) != nil || !strings.HasPrefix(entry.Logger, "http.log.access") {
			continue
		}
		path, _, _ := strings.Cut(entry.Request.URI, "?")
		if loggers[path] == nil {
			loggers[path] = map[string]int{}
		}
		loggers[path][entry.Logger]++
		if entry.Status == 0 {
			w.t.Errorf("an access line has no status: %s", text)
		}
		if entry.Logger != "http.log.access.qqauth" && (len(entry.Request.Headers["Session-Token"]) > 0 || len(entry.Request.Headers["X-State-Token"]) > 0) {
			w.t.Errorf("Caddy's own line tells of a request that we redact: %s", text)
		}
	}
	for path, wantOurs := range map[string]bool{
		"/api/v2/tenant/token": true, "/api/v2/sdk/logout": true, "/elsewhere": true, "/rs": true, "/misplaced": true,
		"/qq-simulator/oauth2.0/me": true, "/api/v2/tenant/sso/sso-ticket/verify": false, "/": false,
		"/api/v2/sdk/social/register-bind": true, "/api/v2/sdk/mfa/sms": true, "/api/v2/sdk/mobile-by-token": true,
		"/api/v2/sdk/sms/send": true, "/api/v2/sdk/captcha/verify": false, "/api/v2/sdk/profile/update": false,
	} {
		ours := loggers[path]["http.log.access.qqauth"] > 0
		if ours != wantOurs || len(loggers[path]) == 0 {
			w.t.Errorf("%s was logged by %v, by us: want %v", path, loggers[path], wantOurs)
		}
	}
}

// searchFiles searches the store, which must be worth little to who copies it.
func (l *ledger) searchFiles(dir string) {
	l.t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files++
		l.search(path, string(content))
		return err
	})
	if err != nil || files == 0 {
		l.t.Errorf("read %d files: %v", files, err)
	}
}
