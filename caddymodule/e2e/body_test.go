package e2e

import (
	"net/http"
	"slices"
	"strings"
)

// badBodies sends what no app sends to each path that goes on with a login or
// belongs to a signed-in user. Nothing of it uses up what it came with.
func (w *appWorld) badBodies() {
	p, q := w.person(), w.person()
	signed := w.register(q, q.phone)
	registers, binds, vault := w.app("registers"), w.app("binds"), w.app("vault")
	registering := registers.waits(p.qq, "USER_REGISTER", flowOfBoth)
	binding := binds.waits(p.other, "SOCIAL_BIND", flowOfBoth)
	confirming := vault.waits(q.qq, "MFA_AUTH", mfaBySMS)
	code := registers.code("REGISTER_SMS", p.phone, registering)
	session := []string{"Authorization", "Bearer " + signed.IDToken}

	for _, tt := range []struct {
		app    *app
		path   string
		header []string
		fields []string
	}{
		{registers, "/social/register-bind", []string{"X-state-token", registering}, []string{"mobile", "email", "verify_code"}},
		{binds, "/social/bind", []string{"X-state-token", binding}, []string{"mobile", "email", "verify_code"}},
		{vault, "/mfa/sms", []string{"X-state-token", confirming}, []string{"mobile", "verify_code"}},
		{vault, "/mfa/email", []string{"X-state-token", confirming}, []string{"email", "verify_code"}},
		{registers, "/captcha/verify", nil, []string{"point_json", "token", "sender"}},
		{registers, "/sms/send", []string{"X-state-token", registering}, []string{"mobile", "type", "captcha_token"}},
		{registers, "/sms/send", nil, []string{"mobile", "type", "captcha_token"}},
		{registers, "/email/send", []string{"X-state-token", registering}, []string{"email", "type", "captcha_token"}},
		{registers, "/profile/update", session, []string{"name", "mobile", "email", "verify_code"}},
		{registers, "/social/unbind-account", session, []string{"id"}},
	} {
		w.badBody(tt.app, tt.path, tt.header, tt.fields)
	}
	for path, header := range map[string][]string{
		"/captcha": nil, "/country-codes": nil, "/profile": session, "/social": session,
		"/mobile-by-token": {"X-state-token", confirming},
	} {
		a := registers
		if path == "/mobile-by-token" {
			a = vault
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			got := a.call(method, path, map[string]string{}, header...).want(http.StatusMethodNotAllowed, "IDAAS.SDK.REQ.0004")
			if got.header.Get("Allow") != "GET" {
				w.t.Errorf("%s allows %q", path, got.header.Get("Allow"))
			}
		}
	}
	registers.call("GET", "/account/delete", nil, session...).want(http.StatusMethodNotAllowed, "IDAAS.SDK.REQ.0004")
	w.admitted(registers.succeeds("/social/register-bind", registering, p.phone, code), "qq", "sms")
	w.admitted(vault.succeeds("/mfa/sms", confirming, q.phone, vault.code("MFA_AUTH_SMS", q.phone, confirming)), "qq", "sms")
	w.guarded("/", signed.Session).want(http.StatusOK, "")
}

// badBody sends every kind of bad body to a path.
func (w *appWorld) badBody(a *app, path string, header, fields []string) {
	w.t.Helper()
	const asJSON = "application/json"
	first := fields[0]
	strung := func(value string) string { // an object with all fields
		var members []string
		for _, field := range fields {
			members = append(members, `"`+field+`":`+value)
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	for _, tt := range []struct {
		name, method, kind, body string
		status                   int
		code                     string
	}{
		{"half", "POST", asJSON, `{"` + first + `":"x"`, 400, "IDAAS.SDK.REQ.0001"},
		{"no body", "POST", asJSON, "", 400, "IDAAS.SDK.REQ.0001"},
		{"text", "POST", asJSON, "x", 400, "IDAAS.SDK.REQ.0001"},
		{"array", "POST", asJSON, "[]", 400, "IDAAS.SDK.REQ.0001"},
		{"null", "POST", asJSON, "null", 400, "IDAAS.SDK.REQ.0001"},
		{"two objects", "POST", asJSON, "{}{}", 400, "IDAAS.SDK.REQ.0001"},
		{"no UTF-8", "POST", asJSON, "{\"" + first + "\":\"\xff\xfe\"}", 400, "IDAAS.SDK.REQ.0001"},
		{"half a surrogate pair", "POST", asJSON, `{"` + first + `":"\ud800"}`, 400, ""},
		{"duplicate key", "POST", asJSON, `{"` + first + `":"x","` + first + `":"x"}`, 400, "IDAAS.SDK.REQ.0001"},
		{"duplicate by case", "POST", asJSON, `{"` + first + `":"x","` + strings.ToUpper(first) + `":"x"}`, 400, "IDAAS.SDK.REQ.0001"},
		{"duplicate unknown", "POST", asJSON, `{"x":1,"X":2}`, 400, "IDAAS.SDK.REQ.0001"},
		{"numbers", "POST", asJSON, strung("1"), 400, "IDAAS.SDK.REQ.0001"},
		{"booleans", "POST", asJSON, strung("true"), 400, "IDAAS.SDK.REQ.0001"},
		{"arrays", "POST", asJSON, strung(`["x"]`), 400, "IDAAS.SDK.REQ.0001"},
		{"objects", "POST", asJSON, strung("{}"), 400, "IDAAS.SDK.REQ.0001"},
		{"nulls", "POST", asJSON, strung("null"), 400, "IDAAS.SDK.PARAM.0099"},
		{"empty strings", "POST", asJSON, strung(`""`), 400, "IDAAS.SDK.PARAM.0099"},
		{"nothing", "POST", asJSON, "{}", 400, "IDAAS.SDK.PARAM.0099"},
		{"deep", "POST", asJSON, `{"x":` + strings.Repeat("[", 30_000), 400, "IDAAS.SDK.REQ.0001"},
		{"huge", "POST", asJSON, `{"` + first + `":"` + strings.Repeat("x", 65_536) + `"}`, 413, "IDAAS.SDK.REQ.0002"},
		{"form", "POST", "application/x-www-form-urlencoded", first + "=x", 415, "IDAAS.SDK.REQ.0003"},
		{"no content type", "POST", "", "{}", 415, "IDAAS.SDK.REQ.0003"},
		{"GET", "GET", asJSON, "{}", 405, "IDAAS.SDK.REQ.0004"},
		{"PUT", "PUT", asJSON, "{}", 405, "IDAAS.SDK.REQ.0004"},
		{"DELETE", "DELETE", "", "", 405, "IDAAS.SDK.REQ.0004"},
	} {
		all := append(a.headers(), header...)
		if tt.kind != "" {
			all = append(all, "Content-Type", tt.kind)
		}
		got := w.ask(tt.method, w.url("LOGIN", "/api/v2/sdk"+path), []byte(tt.body), all...)
		if got.status != tt.status || tt.code != "" && got.code() != tt.code {
			w.t.Errorf("%s, %s: got %d %s, want %d %s", path, tt.name, got.status, got.body, tt.status, tt.code)
		}
		if allow := got.header.Get("Allow"); (allow != "") != (got.status == http.StatusMethodNotAllowed) {
			w.t.Errorf("%s, %s: status %d has Allow %q", path, tt.name, got.status, allow)
		}
	}
	// What comes first when several things are wrong.
	incomplete := a.headers()
	at := slices.Index(incomplete, "X-agent")
	incomplete = slices.Delete(incomplete, at, at+2)
	w.ask("POST", w.url("LOGIN", "/api/v2/sdk"+path), []byte("x"), incomplete...).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0001")
	a.as("").call("POST", path, nil).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0002")
	a.as("nobody").call("POST", path, nil, "X-state-token", "x").want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0003")
}
