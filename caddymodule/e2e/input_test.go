package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBadInput is what each documented fault of a request leads to.
func TestBadInput(t *testing.T) {
	w := newWorld(t)
	a := w.account(0)
	g := w.login(demoApp, a)
	demo := w.bearer(demoApp, demoSecret)

	good := device(demoApp)
	without := func(name string) []string {
		i := slices.Index(good, name)
		return slices.Delete(slices.Clone(good), i, i+2)
	}
	with := func(pairs ...string) []string { return append(slices.Clone(good), pairs...) }
	asJSON := func(pairs ...string) []string { return with(append(pairs, "Content-Type", "application/json")...) }
	tenant := func(pairs ...string) []string {
		return append(pairs, "Authorization", "Bearer "+demo, "Content-Type", "application/json")
	}
	login, idToken, logout := "/api/v2/sdk/login/qq", "/api/v2/sdk/sso/session-token/id-token", "/api/v2/sdk/logout"
	token, ticket, verify, refresh := "/api/v2/tenant/token", "/api/v2/tenant/sso/session-token/sso-ticket",
		"/api/v2/tenant/sso/sso-ticket/verify", "/api/v2/tenant/sso/session-token/refresh"
	deviceBody := `"operating_sys_version":"w","device_ip":"1.2.3.4","device_fingerprint":"` + fingerprint + `"`
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	long := strings.Repeat("x", 65537)

	for _, tt := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     string
	}{
		{"no system version", "POST", login, "{}", without("X-operating-sys-version"), 400, "IDAAS.SDK.PARAM.0001"},
		{"no fingerprint", "POST", login, "{}", without("X-device-fingerprint"), 400, "IDAAS.SDK.PARAM.0001"},
		{"no agent", "POST", login, "{}", without("X-agent"), 400, "IDAAS.SDK.PARAM.0001"},
		{"device before client", "POST", idToken, "", nil, 400, "IDAAS.SDK.PARAM.0001"},
		{"no client", "POST", login, "{}", without("X-client-id"), 400, "IDAAS.SDK.PARAM.0002"},
		{"unknown client", "POST", login, "{}", device("nobody"), 400, "IDAAS.SDK.PARAM.0003"},
		{"client before content type", "POST", login, "x", device("nobody"), 400, "IDAAS.SDK.PARAM.0003"},
		{"no content type", "POST", login, "{}", good, 415, "IDAAS.SDK.REQ.0003"},
		{"form", "POST", login, "a=b", with(form...), 415, "IDAAS.SDK.REQ.0003"},
		{"size before JSON", "POST", login, long, asJSON(), 413, "IDAAS.SDK.REQ.0002"},
		{"no body", "POST", login, "", asJSON(), 400, "IDAAS.SDK.REQ.0001"},
		{"array", "POST", login, "[]", asJSON(), 400, "IDAAS.SDK.REQ.0001"},
		{"null", "POST", login, "null", asJSON(), 400, "IDAAS.SDK.REQ.0001"},
		{"half", "POST", login, `{"access_token":"a"`, asJSON(), 400, "IDAAS.SDK.REQ.0001"},
		{"two objects", "POST", login, `{}{}`, asJSON(), 400, "IDAAS.SDK.REQ.0001"},
		{"duplicate key", "POST", login, `{"access_token":"a","access_token":"a","open_id":"b"}`, asJSON(), 400, "IDAAS.SDK.REQ.0001"},
		{"duplicate key by case", "POST", login, `{"access_token":"a","open_id":"b","Open_ID":"c"}`, asJSON(), 400, "IDAAS.SDK.REQ.0001"},
		{"duplicate unknown key", "POST", login, `{"x":1,"X":2,"access_token":"a","open_id":"b"}`, asJSON(), 400, "IDAAS.SDK.REQ.0001"},
		{"duplicate by escape", "POST", login, `{"access_token":"a","open_id":"b","open\u005fid":"c"}`, asJSON(), 400, "IDAAS.SDK.REQ.0001"},
		{"wrong type", "POST", login, `{"access_token":1,"open_id":"b"}`, asJSON(), 400, "IDAAS.SDK.REQ.0001"},
		{"no access token", "POST", login, `{}`, asJSON(), 400, "IDAAS.SDK.PARAM.0024"},
		{"null access token", "POST", login, `{"access_token":null,"open_id":null}`, asJSON(), 400, "IDAAS.SDK.PARAM.0024"},
		{"no open id", "POST", login, `{"access_token":"a","open_id":""}`, asJSON(), 400, "IDAAS.SDK.PARAM.0025"},
		{"token that QQ does not know", "POST", login, `{"access_token":"a","open_id":"b"}`, asJSON(), 400, "IDAAS.SDK.QQ.0001"},
		{"no session", "POST", idToken, "", good, 400, "IDAAS.SDK.PARAM.0023"},
		{"invented session", "POST", idToken, "", with("session-token", strings.Repeat("A", 32)), 400, "IDAAS.SDK.PARAM.0023"},
		{"two sessions", "POST", idToken, "", with("session-token", g.Session, "session-token", g.Session), 400, "IDAAS.SDK.PARAM.0023"},
		{"another client's session", "POST", idToken, "", append(device(demoShop), "session-token", g.Session), 400, "IDAAS.SDK.PARAM.0023"},
		{"id_token for a session", "POST", idToken, "", with("session-token", g.IDToken), 400, "IDAAS.SDK.PARAM.0023"},
		{"logout of nothing", "POST", logout, "", good, 400, "IDAAS.SDK.PARAM.0023"},
		{"logout with a cookie", "GET", logout, "", with("Cookie", w.cookie(g.Session)), 400, "IDAAS.SDK.PARAM.0023"},
		{"logout of an invented session", "GET", logout, "", with("session-token", "x"), 200, ""},
		{"logout of another client's session", "GET", logout, "", append(device(demoShop), "session-token", g.Session), 200, ""},

		{"tenant token by GET", "GET", token, "", nil, 405, "IDAAS.SDK.REQ.0004"},
		{"no credentials", "POST", token + "?grant_type=client_credentials", "", nil, 401, "invalid_client"},
		{"no grant type", "POST", token + "?client_id=demo-app&client_secret=" + demoSecret, "", nil, 400, "invalid_request"},
		{"other grant type", "POST", token + "?grant_type=password", "", nil, 400, "unsupported_grant_type"},
		{"wrong secret", "POST", token + "?grant_type=client_credentials&client_id=demo-app&client_secret=x", "", nil, 401, "invalid_client"},
		{"another's secret", "POST", token + "?grant_type=client_credentials&client_id=demo-app&client_secret=" + shopSecret, "", nil, 401, "invalid_client"},
		{"wrong Basic", "POST", token + "?grant_type=client_credentials", "", []string{"Authorization", "Basic ZGVtby1hcHA6eA=="}, 401, "invalid_client"},
		{"repeated parameter", "POST", token + "?grant_type=client_credentials&grant_type=client_credentials", "", nil, 400, "invalid_request"},
		{"two places", "POST", token + "?grant_type=client_credentials&client_id=demo-app&client_secret=" + demoSecret, "client_id=demo-app&client_secret=" + demoSecret, form, 400, "invalid_request"},

		{"no bearer", "POST", ticket, "{}", []string{"Content-Type", "application/json"}, 400, "invalid_token"},
		{"session for a bearer", "POST", ticket, "{}", []string{"Authorization", "Bearer " + g.Session}, 400, "invalid_token"},
		{"id_token for a bearer", "POST", ticket, "{}", []string{"Authorization", "Bearer " + g.IDToken}, 400, "invalid_token"},
		{"bearer before content type", "POST", ticket, "x", nil, 400, "invalid_token"},
		{"no session for a ticket", "POST", ticket, "{}", tenant(), 400, "IDAAS.SDK.PARAM.0099"},
		{"no device for a ticket", "POST", ticket, `{"session_token":"` + g.Session + `"}`, tenant(), 400, "IDAAS.SDK.PARAM.0001"},
		{"invented session for a ticket", "POST", ticket, `{"session_token":"x",` + deviceBody + `}`, tenant(), 400, "IDAAS.SDK.PARAM.0023"},
		{"no ticket", "POST", verify, `{` + deviceBody + `}`, tenant(), 400, "IDAAS.SDK.PARAM.0099"},
		{"invented ticket", "POST", verify, `{"sso_ticket":"ssoTicket-` + strings.Repeat("A", 32) + `",` + deviceBody + `}`, tenant(), 400, "IDAAS.SDK.PARAM.0032"},
		{"ticket without its prefix", "POST", verify, `{"sso_ticket":"` + strings.Repeat("A", 32) + `",` + deviceBody + `}`, tenant(), 400, "IDAAS.SDK.PARAM.0032"},
		{"refresh without a session", "POST", refresh, `{` + deviceBody + `}`, tenant(), 400, "IDAAS.SDK.PARAM.0099"},
		{"refresh of an invented session", "POST", refresh, `{"session_token":"x",` + deviceBody + `}`, tenant(), 400, "IDAAS.SDK.PARAM.0023"},

		{"login by GET", "GET", login, "", good, 405, "IDAAS.SDK.REQ.0004"},
		{"method before headers", "DELETE", logout, "", nil, 405, "IDAAS.SDK.REQ.0004"},
		{"id-token by GET", "GET", idToken, "", good, 405, "IDAAS.SDK.REQ.0004"},
		{"unknown path", "POST", "/api/v2/sdk/login/wechat", "{}", asJSON(), 404, "IDAAS.SDK.REQ.0005"},
		{"path before method", "PUT", "/api/v2/sdk/nothing", "", nil, 404, "IDAAS.SDK.REQ.0005"},
		{"the SDK's root", "GET", "/api/v2/sdk/", "", good, 404, "IDAAS.SDK.REQ.0005"},
		{"the SDK", "GET", "/api/v2/sdk", "", good, 404, "IDAAS.SDK.REQ.0005"},
		{"trailing slash", "POST", login + "/", "{}", asJSON(), 404, "IDAAS.SDK.REQ.0005"},
		{"encoded slash", "POST", "/api/v2/sdk/login%2fqq", "{}", asJSON(), 404, "IDAAS.SDK.REQ.0005"},
		{"upper case", "POST", "/api/v2/sdk/LOGIN/QQ", "{}", asJSON(), 404, "IDAAS.SDK.REQ.0005"},
		{"unknown tenant path", "POST", "/api/v2/tenant/users", "", nil, 404, "IDAAS.SDK.REQ.0005"},
		{"GameSparks", "POST", "/rs/a/b/QQConnectRequest", "{}", nil, 404, ""},
		{"GameSparks WebSocket", "GET", "/ws/a/b", "", nil, 404, ""},
		{"GameSparks root", "GET", "/rs", "", nil, 404, ""},
		{"other paths are passed on", "GET", "/api/v2/other", "", nil, 418, ""},
		{"a longer name is passed on", "GET", "/wsx", "", nil, 418, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.in(t).ask(tt.method, w.url("LOGIN", tt.path), []byte(tt.body), tt.header...)
			if got.status != tt.status || tt.code != "" && got.code() != tt.code {
				t.Fatalf("got %d %s, want %d %s", got.status, got.body, tt.status, tt.code)
			}
			if got.status == http.StatusTeapot {
				return
			}
			if cache := got.header.Get("Cache-Control"); cache != "no-store" {
				t.Errorf("Cache-Control is %q", cache)
			}
			if kind := got.header.Get("Content-Type"); len(got.body) > 0 && kind != "application/json" {
				t.Errorf("Content-Type is %q", kind)
			}
			if allow := got.header.Get("Allow"); (allow != "") != (got.status == http.StatusMethodNotAllowed) {
				t.Errorf("status %d has Allow %q", got.status, allow)
			}
		})
	}
	w.guarded("/", g.Session).want(http.StatusOK, "") // nothing above has ended it
}

// TestLanguage is the language of errors.
func TestLanguage(t *testing.T) {
	w := newWorld(t)
	for language, message := range map[string]string{
		"": "设备信息不完整", "zh": "设备信息不完整", "en": "Device information is incomplete", "fr": "设备信息不完整", "en-US,zh;q=0.5": "Device information is incomplete",
	} {
		got := w.ask("POST", w.url("LOGIN", "/api/v2/sdk/login/qq"), nil, "X-L", language)
		if want := `{"error_code":"IDAAS.SDK.PARAM.0001","error_msg":"` + message + `"}`; got.text() != want {
			t.Errorf("X-L %q: got %s, want %s", language, got.body, want)
		}
	}
}

// TestBodySize sends one byte more than is read, in both framings, and then
// another request over the same connection, which must not be read from the
// rest of the first.
func TestBodySize(t *testing.T) {
	w := newWorld(t)
	head := func(fields ...string) string {
		all := slices.Clone(fields)
		d := device(demoApp)
		for i := 0; i < len(d); i += 2 {
			all = append(all, d[i]+": "+d[i+1])
		}
		request := w.request("POST /api/v2/sdk/login/qq", append(all, "Content-Type: application/json")...)
		return strings.Replace(request, w.host("APP"), w.host("LOGIN"), 1)
	}
	pad := func(n int) string {
		return `{"access_token":"` + strings.Repeat("x", n-len(`{"access_token":""}`)) + `"}`
	}
	const limit = 65536
	smuggled := "GET /api/v2/sdk/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	short := fmt.Sprintf("Content-Length: %d", len(smuggled))
	for _, tt := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"at the limit", head("Content-Length: 65536") + pad(limit), 400, "IDAAS.SDK.PARAM.0025"},
		{"over it", head("Content-Length: 65537") + pad(limit+1), 413, "IDAAS.SDK.REQ.0002"},
		{"chunked at the limit", head("Transfer-Encoding: chunked") + "10000\r\n" + pad(limit) + "\r\n0\r\n\r\n", 400, "IDAAS.SDK.PARAM.0025"},
		{"chunked over it", head("Transfer-Encoding: chunked") + "10001\r\n" + pad(limit+1) + "\r\n0\r\n\r\n", 413, "IDAAS.SDK.REQ.0002"},
		{"a body that looks like a request", head(short) + smuggled, 400, "IDAAS.SDK.REQ.0001"},
		{"unread body", strings.Replace(head(short), "/login/qq", "/nothing", 1) + smuggled, 404, "IDAAS.SDK.REQ.0005"},
		{"unread body of a wrong type", strings.Replace(head(short), "application/json", "text/plain", 1) + smuggled, 415, "IDAAS.SDK.REQ.0003"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := w.in(t)
			conn, err := net.DialTimeout("tcp", w.host("LOGIN"), patience)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			next := strings.Replace(w.request("GET /.qqauth/health"), w.host("APP"), w.host("LOGIN"), 1)
			go func() { _, _ = io.WriteString(conn, tt.request+next) }() // may be cut off
			answers := bufio.NewReader(conn)
			readAnswer(t, answers).want(tt.status, tt.code)
			if _, err := answers.Peek(1); err != nil {
				return // the connection is closed, which is as good
			}
			if second := readAnswer(t, answers); second.status != http.StatusOK || !strings.Contains(second.text(), "feed_age") {
				t.Errorf("the next request was answered %d %s", second.status, second.body)
			}
		})
	}
}

// TestDocuments is what may be kept, and for how long.
func TestDocuments(t *testing.T) {
	w := newWorld(t)
	for path, cache := range map[string]string{
		"/api/v1/oauth2/keys": "max-age=300", "/.well-known/jwks.json": "max-age=300", "/.well-known/openid-configuration": "max-age=300",
		"/.qqauth/health": "no-store",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := w.ask(method, w.url("LOGIN", path), nil)
			if a.status != http.StatusOK || !strings.Contains(a.header.Get("Cache-Control"), cache) || a.header.Get("Content-Type") != "application/json" && a.header.Get("Content-Type") != "application/jwk-set+json" {
				t.Errorf("%s %s: %d, Cache-Control %q, Content-Type %q", method, path, a.status, a.header.Get("Cache-Control"), a.header.Get("Content-Type"))
			}
		}
		if a := w.ask("POST", w.url("LOGIN", path), nil); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") == "" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("POST %s: %d, Allow %q, Cache-Control %q", path, a.status, a.header.Get("Allow"), a.header.Get("Cache-Control"))
		}
	}
	all := w.keysAt("/.well-known/jwks.json")
	for _, key := range w.keysAt("/api/v1/oauth2/keys").Keys {
		if key.Algorithm != "RS256" {
			t.Errorf("the vendor's apps would not parse a key of %s", key.Algorithm)
		}
		if !key.IsPublic() || len(all.Key(key.KeyID)) != 1 {
			t.Errorf("key %s is private or not in the JWKS", key.KeyID)
		}
	}
	var meta map[string]any
	w.ask("GET", w.url("LOGIN", "/.well-known/openid-configuration"), nil).json(&meta)
	if meta["issuer"] != w.url("LOGIN", "") || meta["jwks_uri"] == nil {
		t.Errorf("metadata: %v", meta)
	}
}
