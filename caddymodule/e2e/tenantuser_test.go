package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// tenantUsers is how a client's backend looks up its users, and nobody else does.
func (w *appWorld) tenantUsers() {
	p := w.person()
	g := w.register(p, p.phone)
	id := w.userOf(p.qq).ID
	ours := []string{"Authorization", "Bearer " + w.bearer("registers", "registers-secret-for-loopback")}
	theirs := []string{"Authorization", "Bearer " + w.bearer("binds", "binds-secret-for-loopback")}
	call := func(method, path string, header ...string) answer {
		w.t.Helper()
		return w.ask(method, w.url("LOGIN", "/api/v2/tenant/users/"+path), nil, header...)
	}
	want := fmt.Sprintf(`{"id":%q,"userName":"","name":%s,"mobile":%q,"email":"","disabled":false}`, id, w.encode(p.qq.Nickname), p.mobile())
	if got := call("GET", id, ours...).want(http.StatusOK, ""); got.text() != want {
		w.t.Errorf("got %s, want %s", got.body, want)
	}

	for _, path := range []string{"/disable", "/enable", "/sessions", ""} {
		method := map[string]string{"/sessions": "DELETE", "": "GET"}[path]
		if method == "" {
			method = "POST"
		}
		call(method, id+path, theirs...).want(http.StatusBadRequest, "IDAAS.SDK.USER.0001")
		call(method, "20220425140138519-BF1B-528B05551"+path, ours...).want(http.StatusBadRequest, "IDAAS.SDK.USER.0001")
		call(method, id+path).want(http.StatusBadRequest, "invalid_token")
		call(method, id+path, signedIn(g)...).want(http.StatusBadRequest, "invalid_token")
		if got := call("PUT", id+path, ours...).want(http.StatusMethodNotAllowed, "IDAAS.SDK.REQ.0004"); got.header.Get("Allow") != method {
			w.t.Errorf("%q allows %q", path, got.header.Get("Allow"))
		}
	}
	for _, path := range []string{"", id + "/", id + "/nothing", id + "/disable/", "a/b", "%2e%2e", id + "%2fdisable", id + "/sessions/x"} {
		got := call("GET", path, ours...)
		if got.status != http.StatusNotFound && got.code() != "IDAAS.SDK.USER.0001" {
			w.t.Errorf("users/%s: %d %s", path, got.status, got.body)
		}
	}
	w.guarded("/", g.Session).want(http.StatusOK, "")
}

// tenantBans is how a client's backend kicks and bans a user.
func (w *appWorld) tenantBans() {
	p := w.person()
	g := w.register(p, p.phone)
	id := w.userOf(p.qq).ID
	bearer := w.bearer("registers", "registers-secret-for-loopback")
	call := func(method, path string) answer {
		w.t.Helper()
		return w.ask(method, w.url("LOGIN", "/api/v2/tenant/users/"+path), nil, "Authorization", "Bearer "+bearer)
	}
	conn := w.dialWS(g.Session)
	call("DELETE", id+"/sessions").want(http.StatusOK, "")
	w.dead(g)
	conn.closes(w.t, closedWithin)
	w.app("registers").tryLogin(p.qq).want(http.StatusBadRequest, "IDAAS.SDK.QQ.0001") // it was a log-out of all
	p.qq.AccessToken = w.qq.Issue(qqApp, w.number(p))
	g = w.login("registers", p.qq)

	call("POST", id+"/disable").want(http.StatusOK, "")
	w.dead(g)
	w.app("registers").inBoth(http.StatusBadRequest, "IDAAS.SDK.USER.0039", func(a *app) answer { return a.tryLogin(p.qq) })
	if got := call("GET", id).want(http.StatusOK, ""); !strings.Contains(got.text(), `"disabled":true`) {
		w.t.Errorf("got %s, want a disabled user", got.body)
	}
	call("POST", id+"/enable").want(http.StatusOK, "")
	p.qq.AccessToken = w.qq.Issue(qqApp, w.number(p))
	w.admitted(w.login("registers", p.qq), "qq")

	// Whom an administrator has disabled stays so.
	w.admin("POST", "/users/"+id+"/disable", nil).want(http.StatusNoContent, "")
	call("POST", id+"/enable").want(http.StatusForbidden, "IDAAS.SDK.AUTH.0001")
	w.app("registers").tryLogin(p.qq).want(http.StatusBadRequest, "IDAAS.SDK.USER.0039")
}

// crossOrigin asks as pages in a browser do.
func (w *appWorld) crossOrigin() {
	a := w.app("registers")
	asked := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-client-id,x-state-token,x-other"}
	for origin, allowed := range map[string]bool{
		"http://pages.localhost:3000": true, w.url("APP", ""): true, w.url("OTHER", ""): true,
		"http://pages.localhost": false, "https://pages.localhost:3000": false, "http://pages.localhost:3001": false,
		"http://evil.example": false, "null": false, "http://pages.localhost:3000.evil.example": false, w.url("PLAIN", ""): false,
	} {
		want := ""
		if allowed {
			want = origin
		}
		preflight := w.ask("OPTIONS", w.url("LOGIN", "/api/v2/sdk/social/bind"), nil, append([]string{"Origin", origin}, asked...)...)
		simple := a.call("GET", "/country-codes", nil, "Origin", origin).want(http.StatusOK, "")
		fails := a.call("POST", "/social/bind", map[string]string{}, "Origin", origin).want(http.StatusBadRequest, noState)
		for what, got := range map[string]answer{"preflight": preflight, "answer": simple, "refusal": fails} {
			if is := got.header.Get("Access-Control-Allow-Origin"); is != want {
				w.t.Errorf("%s to %s allows %q, want %q", what, origin, is, want)
			}
			if got.header.Get("Access-Control-Allow-Credentials") != "" {
				w.t.Errorf("%s to %s allows credentials", what, origin)
			}
			if allowed && !slices.Contains(got.header.Values("Vary"), "Origin") {
				w.t.Errorf("%s to %s has Vary %q", what, origin, got.header.Values("Vary"))
			}
		}
		if good := preflight.status/100 == 2; good != allowed {
			w.t.Errorf("preflight from %s: %d %s", origin, preflight.status, preflight.body)
		}
		if headers := strings.ToLower(preflight.header.Get("Access-Control-Allow-Headers")); allowed &&
			(!strings.Contains(headers, "x-state-token") || !strings.Contains(headers, "content-type") || strings.Contains(headers, "x-other")) {
			w.t.Errorf("preflight from %s allows the headers %q", origin, headers)
		}
		// A backend's calls carry secrets that no page may have.
		tenant := w.ask("OPTIONS", w.url("LOGIN", "/api/v2/tenant/token"), nil, append([]string{"Origin", origin}, asked...)...)
		if is := tenant.header.Get("Access-Control-Allow-Origin"); is != "" {
			w.t.Errorf("the tenant API allows %q", is)
		}
	}
}

// description is the API's own.
func (w *appWorld) description() {
	got := w.ask("GET", w.url("LOGIN", "/api/openapi.json"), nil).want(http.StatusOK, "")
	var document struct {
		OpenAPI string
		Servers []struct{ URL string }
		Paths   map[string]map[string]any
	}
	got.json(&document)
	if !strings.HasPrefix(document.OpenAPI, "3.") || len(document.Servers) != 1 || document.Servers[0].URL != w.url("LOGIN", "") {
		w.t.Errorf("openapi %q, servers %v", document.OpenAPI, document.Servers)
	}
	if kind := got.header.Get("Content-Type"); kind != "application/json" {
		w.t.Errorf("Content-Type is %q", kind)
	}
	if len(document.Paths) < 25 {
		w.t.Errorf("%d paths are described", len(document.Paths))
	}
	// Whatever it describes is there, for the methods that it says.
	for path, methods := range document.Paths {
		for method := range methods {
			if method == "parameters" || strings.HasPrefix(path, "/qqauth/") {
				continue
			}
			path := strings.ReplaceAll(path, "{id}", "x")
			if got := w.ask(strings.ToUpper(method), w.url("LOGIN", path), nil); got.status == http.StatusNotFound ||
				got.status == http.StatusMethodNotAllowed || got.status == http.StatusTeapot {
				w.t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
			}
		}
	}
	w.ask("POST", w.url("LOGIN", "/api/openapi.json"), nil).want(http.StatusMethodNotAllowed, "IDAAS.SDK.REQ.0004")
}

func (w *appWorld) countries() {
	var got struct {
		Countries []struct {
			AreaCode, CountryCode, MobileRegex string
			DisplayMapping                     map[string]string
			AreaCodeSuffixes                   []string
		} `json:"phoneAreaCodeDefinitions"`
		Preferred string `json:"preferredAreaCode"`
	}
	w.app("registers").call("GET", "/country-codes", nil).want(http.StatusOK, "").json(&got)
	if len(got.Countries) != 2 || got.Preferred != "86" {
		w.t.Fatalf("countries %+v", got)
	}
	china, hongKong := got.Countries[0], got.Countries[1]
	if china.AreaCode != "86" || china.CountryCode != "CN" || china.MobileRegex != `^(\+86){0,1}\-?1\d{10}$` || china.DisplayMapping["en"] != "China" ||
		china.AreaCodeSuffixes == nil || hongKong.AreaCode != "852" || hongKong.CountryCode != "HK" || len(hongKong.DisplayMapping) != 3 {
		w.t.Errorf("countries %+v", got)
	}
	// Its numbers get codes, and are told from China's.
	p, a := w.person(), w.app("registers")
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	const mobile = "+852-61234567"
	g := a.succeeds("/social/register-bind", state, mobile, a.code("REGISTER_SMS", mobile, state, mobile))
	w.admitted(g, "qq", "sms")
	w.checkAPI(g, mobile, "")
}
