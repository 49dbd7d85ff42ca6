package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// outcomesFile has a client for each thing that can become of a QQ account that
// belongs to no user.
const outcomesFile = `{
	qqauth {
		public_url http://localhost:$LOGIN
		qq 101234567 {
			endpoint $QQ
		}
		client creates {
			unknown_user create
		}
		client registers {
			unknown_user register
			verify phone email
		}
		client binds {
			unknown_user bind
		}
		client denies {
			unknown_user deny
		}
		client refuses {
			unknown_user refuse
		}
		attempts {
			qq_refused 5
		}
	}
}
http://localhost:$LOGIN {
	qqauth_login
}
http://localhost:$APP {
	qqauth_guard {
		client creates registers
	}
	reverse_proxy $UPSTREAM
}
`

// TestUnknownUser logs in an account that belongs to nobody, at each client, and
// then as one that belongs to a user.
func TestUnknownUser(t *testing.T) {
	w := prepareWorld(t)
	w.server = newHome(t).start(outcomesFile, w.pairs...)
	a := w.account(0)

	for clientID, want := range map[string]struct{ status, data string }{
		"registers": {"USER_REGISTER", `{"socialBindOrRegisterFlow":["VERIFY_PHONE","VERIFY_EMAIL"]}`},
		"binds":     {"SOCIAL_BIND", `{"socialBindOrRegisterFlow":["VERIFY_PHONE"]}`},
	} {
		var got map[string]string
		w.tryLogin(clientID, a).want(http.StatusOK, "").json(&got)
		if got["status"] != want.status || got["data"] != want.data || len(got) != 3 {
			t.Errorf("%s: got %v, want %v", clientID, got, want)
		}
		w.checkStateToken(got["state_token"], want.status, a)
	}
	for language, text := range map[string]string{"zh": "拒绝访问", "en": "Access denied"} {
		header := append(device("denies")[2:], "X-operating-sys-version", "w", "Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			if header[i] == "X-L" {
				header[i+1] = language
			}
		}
		got := w.ask("POST", w.url("LOGIN", "/api/v2/sdk/login/qq"), w.encode(qqLogin{a.AccessToken, a.OpenID}), header...).want(http.StatusOK, "")
		if want := `{"status":"ACCESS_DENIED","data":"` + text + `"}`; got.text() != want {
			t.Errorf("got %s, want %s", got.body, want)
		}
	}
	w.tryLogin("refuses", a).want(http.StatusBadRequest, "IDAAS.SDK.USER.0001")

	user := w.guarded("/", w.login("creates", a).Session)
	if user.status != http.StatusOK {
		t.Fatalf("got %d %s", user.status, user.body)
	}
	for _, clientID := range []string{"registers", "binds", "denies", "refuses"} {
		w.login(clientID, a) // a user now
	}
}

var stateID = regexp.MustCompile(`^\d{13}[A-Za-z0-9_-]{22}$`)

// checkStateToken compares a state_token with the vendor's.
func (w *world) checkStateToken(token, status string, a account) {
	w.t.Helper()
	var claims struct {
		Subject string `json:"sub"`
		Expires int64  `json:"exp"`
		Issued  int64  `json:"iat"`
		ID      string `json:"jti"`
	}
	header := payload(w.t, token, &claims)
	if header.Algorithm != string(jose.HS256) || header.ExtraHeaders[jose.HeaderType] != "JWT" {
		w.t.Errorf("header %+v", header)
	}
	if claims.Expires-claims.Issued != 1800 || !stateID.MatchString(claims.ID) || !strings.HasPrefix(claims.ID, strconv.FormatInt(claims.Issued, 10)) {
		w.t.Errorf("claims %+v", claims)
	}
	if want := `{"socialUid":"` + a.OpenID + `","status":"` + status + `"}`; claims.Subject != want {
		w.t.Errorf("sub is %s, want %s", claims.Subject, want)
	}
	// It is no session, nor anything else.
	w.guarded("/", token).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	w.sdk("POST", "/sso/session-token/id-token", "registers", nil, "session-token", token).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0023")
}

// TestIDToken compares an id_token with the vendor's.
func TestIDToken(t *testing.T) {
	w := newWorld(t)
	a := w.account(0)
	g := w.login(demoApp, a)
	var claims struct {
		Issuer    string   `json:"iss"`
		Audience  string   `json:"aud"`
		Subject   string   `json:"sub"`
		Expires   int64    `json:"exp"`
		Issued    int64    `json:"iat"`
		NotBefore int64    `json:"nbf"`
		ID        string   `json:"jti"`
		Session   string   `json:"sid"`
		AuthTime  int64    `json:"auth_time"`
		Methods   []string `json:"amr"`
		API       string   `json:"api"`
	}
	header := payload(t, g.IDToken, &claims)
	if _, typed := header.ExtraHeaders[jose.HeaderType]; typed || header.Algorithm != "RS256" || header.KeyID == "" {
		t.Errorf("header %+v", header)
	}
	if claims.Issuer != w.url("LOGIN", "") || claims.Audience != demoApp || claims.ID == "" || claims.Session == "" || claims.AuthTime == 0 ||
		claims.Expires-claims.Issued != 7200 || claims.Issued-claims.NotBefore != 120 || len(claims.Methods) != 1 || claims.Methods[0] != "qq" {
		t.Errorf("claims %+v", claims)
	}
	if !regexp.MustCompile(`^\d{17}-[0-9A-F]{4}-[0-9A-F]{9}$`).MatchString(claims.Subject) {
		t.Errorf("sub is %q", claims.Subject)
	}
	name, _ := json.Marshal(a.Nickname) // strings always encode
	if want := `{"name":` + string(name) + `,"mobile":"","id":"` + claims.Subject + `","userName":"","email":""}`; claims.API != want {
		t.Errorf("api is %s, want %s", claims.API, want)
	}
	// No kind of token is good in another's place.
	w.guarded("/", g.IDToken).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	assertion := w.guarded("/", g.Session).seen().Header.Get("X-Qqauth-Ticket")
	w.sdk("POST", "/logout", demoApp, nil, "Authorization", "Bearer "+assertion).want(http.StatusOK, "")
	w.guarded("/", g.Session).want(http.StatusOK, "")
}

// TestClients keeps clients apart.
func TestClients(t *testing.T) {
	w := newWorld(t)
	a := w.account(0)
	g := w.login(demoApp, a)
	demo, shop := w.bearer(demoApp, demoSecret), w.bearer(demoShop, shopSecret)
	ofSession := map[string]string{"session_token": g.Session}
	toShop := func(session string) map[string]string {
		return map[string]string{"session_token": session, "client_id": demoShop}
	}

	// A session is good for its own client alone.
	w.tenant("/session-token/sso-ticket", shop, ofSession).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0023")
	w.tenant("/session-token/refresh", shop, ofSession).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0023")
	w.sdk("POST", "/sso/session-token/id-token", demoShop, nil, "session-token", g.Session).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0023")
	w.sdk("POST", "/logout", demoShop, nil, "Authorization", "Bearer "+g.IDToken).want(http.StatusOK, "")
	w.guarded("/", g.Session).want(http.StatusOK, "")

	// The same QQ account is the same user at both.
	atShop := w.login(demoShop, a)
	var other struct{ ID string }
	w.redeem(shop, w.ticket(shop, atShop.Session, "")).want(http.StatusOK, "").json(&other)
	if mine := w.userOf(a).ID; other.ID != mine {
		t.Errorf("the account is %s here and %s there", mine, other.ID)
	}

	// Tickets go where tickets_for says, to the receiver alone, and a wrong try
	// uses them up.
	back := w.tenant("/session-token/sso-ticket", shop, map[string]string{"session_token": atShop.Session, "client_id": demoApp})
	if back.status == http.StatusOK {
		t.Errorf("a ticket for a client that tickets_for does not name: %s", back.body)
	}
	nobody := w.tenant("/session-token/sso-ticket", demo, map[string]string{"session_token": g.Session, "client_id": "nobody"})
	if nobody.status != back.status || nobody.code() != back.code() {
		t.Errorf("an unknown receiver is answered %d %s, a known one %d %s", nobody.status, nobody.body, back.status, back.body)
	}
	for _, tt := range []struct {
		name, bearer string
		in           map[string]string
	}{
		{"another's bearer", demo, nil},
		{"another device", shop, map[string]string{"device_fingerprint": "another device"}},
	} {
		ticket := w.ticket(demo, g.Session, demoShop)
		in := map[string]string{"sso_ticket": ticket}
		for key, value := range tt.in {
			in[key] = value
		}
		w.tenant("/sso-ticket/verify", tt.bearer, in).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0032")
		w.redeem(shop, ticket).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0032")
	}
	elsewhere := toShop(g.Session)
	elsewhere["device_fingerprint"] = "another device"
	w.tenant("/session-token/sso-ticket", demo, elsewhere).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0023")

	// A ticket dies with its session.
	ticket := w.ticket(demo, g.Session, demoShop)
	w.sdk("POST", "/logout", demoApp, nil, "session-token", g.Session).want(http.StatusOK, "")
	w.redeem(shop, ticket).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0032")
	w.redeem(shop, w.ticket(shop, atShop.Session, "")).want(http.StatusOK, "") // the other session lives
}

// TestAttempts guesses tokens until no more may be guessed; a login that QQ
// proves is never refused for it.
func TestAttempts(t *testing.T) {
	w := prepareWorld(t)
	w.server = newHome(t).start(outcomesFile, w.pairs...)
	a := w.account(0)
	bad := account{App: qqApp, OpenID: a.OpenID, AccessToken: strings.Repeat("A", 32)}
	for range 5 {
		w.tryLogin("creates", bad).want(http.StatusBadRequest, "IDAAS.SDK.QQ.0001")
	}
	limited := w.tryLogin("creates", bad).want(http.StatusTooManyRequests, "IDAAS.SDK.LIMIT.0001")
	if after, err := strconv.Atoi(limited.header.Get("Retry-After")); err != nil || after < 1 || after > 60 {
		t.Errorf("Retry-After is %q", limited.header.Get("Retry-After"))
	}
	// Whom an address claims to be changes nothing.
	forged := w.sdk("POST", "/login/qq", "creates", qqLogin{bad.AccessToken, bad.OpenID}, "X-Forwarded-For", "192.0.2.1", "X-device-ip", "192.0.2.1")
	forged.want(http.StatusTooManyRequests, "IDAAS.SDK.LIMIT.0001")
	w.login("creates", a)
}

// TestAuthenticator uses the provider of Caddy's authentication handler, which
// says who somebody is and touches nothing.
func TestAuthenticator(t *testing.T) {
	h := newHome(t)
	w := prepareWorld(t)
	config := h.write("caddy.json", h.fill(`{
		"apps": {
			"qqauth": {
				"public_url": "http://localhost:$LOGIN",
				"store": {"store": "badger"},
				"qq": [{"app_id": "101234567", "endpoint": "$QQ"}],
				"clients": [{"client_id": "demo-app"}]
			},
			"http": {"servers": {
				"login": {"listen": [":$LOGIN"], "routes": [{"handle": [{"handler": "qqauth_login"}]}]},
				"app": {"listen": [":$APP"], "routes": [{"handle": [
					{"handler": "authentication", "providers": {"qqauth": {}}},
					{"handler": "headers", "response": {"set": {
						"X-Who": ["{http.auth.user.id}|{http.auth.user.name}|{http.auth.user.client_id}|{http.auth.user.session_id}"]
					}}},
					{"handler": "reverse_proxy", "upstreams": [{"dial": "$UPSTREAM"}]}
				]}]}
			}}
		}
	}`, w.pairs...))
	adapted, err := h.run("validate", "--config", config)
	if err != nil {
		t.Fatalf("caddy validate: %v\n%s", err, adapted)
	}
	w.server = h.launch(config)
	w.await("caddy serves", func() bool { return strings.Contains(w.logged(), `"serving initial configuration"`) })
	a := w.account(3)
	g := w.login(demoApp, a)
	got := w.guarded("/", g.Session)
	if s := got.seen(); s.has("X-Qqauth-Ticket") || s.Header.Get("Authorization") != "Bearer "+g.Session {
		t.Errorf("the provider changed the request: %v", s.Header)
	}
	who := strings.Split(got.header.Get("X-Who"), "|")
	if len(who) != 4 || len(who[0]) != 32 || who[1] != a.Nickname || who[2] != demoApp || who[3] == "" {
		t.Errorf("placeholders are %q", who)
	}
	for _, header := range [][]string{nil, {"Authorization", "Bearer " + strings.Repeat("A", 32)}} {
		if a := w.ask("GET", w.url("APP", "/"), nil, header...); a.status != http.StatusUnauthorized {
			t.Errorf("%v: got %d", header, a.status)
		}
	}
	w.sdk("POST", "/logout", demoApp, nil, "session-token", g.Session).want(http.StatusOK, "")
	if a := w.guarded("/", g.Session); a.status != http.StatusUnauthorized {
		t.Errorf("after the logout: got %d", a.status)
	}
}
