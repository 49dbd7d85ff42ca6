package idaas

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

// What the service is asked is what the request said, and no more.
func TestCalls(t *testing.T) {
	sdk := authcore.Caller{
		Fingerprint: "156aysdna213sc50", OS: "windows10.1.1", Agent: "Mozilla/5.0 (iPhone)",
		DeviceIP: "192.168.1.2", Addr: clientAddr, Loopback: true,
	}
	tenant := authcore.Caller{
		Fingerprint: "156aysdna213sac", OS: "windows10.1.1", Agent: "agent:Mozilla/5.0",
		DeviceIP: "192.168.1.1", Addr: clientAddr, Loopback: true,
	}
	const login, session = "login-of-" + knownClient, "session-of-" + knownClient
	nobody, name := authcore.Caller{}, "Zhang San"
	bent := func(c authcore.Caller, bend func(*authcore.Caller)) authcore.Caller { bend(&c); return c }
	tests := []struct {
		name, route string
		spoil       func(*draft)
		want        called
	}{
		{"login", "login_qq", nil,
			called{"LoginQQ", knownClient, sdk, "8B11C37B7894C5E2347E1606DC7CCFDC", "D8924F7071DC1D29A6822C794D848D9C", nil}},
		{"header names in any case, blanks around values", "login_qq", func(d *draft) {
			d.header = http.Header{
				"X-Operating-Sys-Version": {" windows10.1.1 "}, "X-Device-Fingerprint": {"156aysdna213sc50"},
				"X-Device-Ip": {"192.168.1.2"}, "X-Agent": {"Mozilla/5.0 (iPhone)"},
				"X-Client-Id": {knownClient}, "Content-Type": {"application/json"},
			}
		}, called{"LoginQQ", knownClient, sdk, "8B11C37B7894C5E2347E1606DC7CCFDC", "D8924F7071DC1D29A6822C794D848D9C", nil}},
		{"no device ip", "login_qq", without("X-device-ip"), called{"LoginQQ", knownClient,
			bent(sdk, func(c *authcore.Caller) { c.DeviceIP = "" }), "8B11C37B7894C5E2347E1606DC7CCFDC", "D8924F7071DC1D29A6822C794D848D9C", nil}},
		{"id token", "id_token", nil, called{"IDToken", knownClient, sdk, session32, "", nil}},
		{"logout by session", "logout", nil, called{"Logout", knownClient, authcore.Caller{}, session32, "", nil}},
		{"logout by id_token", "logout", func(d *draft) {
			d.method = "POST"
			d.header.Del("session-token")
			d.header.Set("Authorization", "bearer  a.b.c")
		}, called{"Logout", knownClient, authcore.Caller{}, "", "a.b.c", nil}},
		{"logout by both", "logout", with("Authorization", "Bearer a.b.c"),
			called{"Logout", knownClient, authcore.Caller{}, session32, "a.b.c", nil}},
		{"ticket", "issue_ticket", nil, called{"IssueTicket", knownClient, tenant, session32, "", nil}},
		{"ticket for another", "issue_ticket", field("client_id", "shop"),
			called{"IssueTicket", knownClient, tenant, session32, "shop", nil}},
		{"ticket without agent", "issue_ticket", field("agent", nil), called{"IssueTicket", knownClient,
			bent(tenant, func(c *authcore.Caller) { c.Agent = "" }), session32, "", nil}},
		{"verify", "verify_ticket", nil, called{"RedeemTicket", knownClient, tenant, ticket32, "", nil}},
		{"refresh", "refresh", nil, called{"Refresh", knownClient, tenant, session32, "", nil}},
		{"bind", "bind", nil, called{"Bind", knownClient, sdk, login, "123456",
			authcore.Contact{Way: authcore.WayPhone, Value: "15201657321"}}},
		{"register and bind", "register_bind", nil, called{"Register", knownClient, sdk, login, "123456",
			authcore.Contact{Way: authcore.WayEmail, Value: "zhangsan@qq.com"}}},
		{"MFA by phone", "mfa_sms", nil, called{"FinishMFA", knownClient, sdk, login, "123456",
			authcore.Contact{Way: authcore.WayPhone, Value: "+86-152****7321", Starred: true}}},
		{"MFA by e-mail", "mfa_email", nil, called{"FinishMFA", knownClient, sdk, login, "123456",
			authcore.Contact{Way: authcore.WayEmail, Value: "zhangsan@qq.com"}}},
		{"code as it was written", "mfa_email", field("verify_code", " 12\u00e9"), called{"FinishMFA", knownClient, sdk, login, " 12\u00e9",
			authcore.Contact{Way: authcore.WayEmail, Value: "zhangsan@qq.com"}}},
		{"mobile by token", "mobile_by_token", nil, called{"MobileOf", knownClient, sdk, login, "", nil}},
		{"captcha", "captcha", nil, called{"NewPuzzle", knownClient, sdk, "", "", nil}},
		{"solve", "captcha_verify", nil, called{"SolvePuzzle", knownClient, sdk, puzzle32, "",
			solution{237, authcore.Contact{Way: authcore.WayPhone, Value: "15200000000"}}}},
		{"solve for e-mail", "captcha_verify", field("sender", "zhangsan@qq.com"), called{"SolvePuzzle", knownClient, sdk, puzzle32, "",
			solution{237, authcore.Contact{Way: authcore.WayEmail, Value: "zhangsan@qq.com"}}}},
		{"solve for stars", "captcha_verify", field("sender", "+86-152****7321"), called{"SolvePuzzle", knownClient, sdk, puzzle32, "",
			solution{237, authcore.Contact{Way: authcore.WayPhone, Value: "+86-152****7321", Starred: true}}}},
		{"send SMS", "send_sms", nil, called{"SendCode", knownClient, sdk, "", "", authcore.CodeRequest{
			Type: "BIND_MOBILE_SMS", To: authcore.Contact{Way: authcore.WayPhone, Value: "15200000000"}, Pass: puzzle32, Lang: "zh"}}},
		{"send SMS for a login", "send_sms", with("X-state-token", knownState), called{"SendCode", knownClient, sdk, "", "", authcore.CodeRequest{
			Login: login, Type: "BIND_MOBILE_SMS", To: authcore.Contact{Way: authcore.WayPhone, Value: "15200000000"}, Pass: puzzle32, Lang: "zh"}}},
		{"send SMS in English", "send_sms", with("X-L", "fr, en-GB;q=0.5"), called{"SendCode", knownClient, sdk, "", "", authcore.CodeRequest{
			Type: "BIND_MOBILE_SMS", To: authcore.Contact{Way: authcore.WayPhone, Value: "15200000000"}, Pass: puzzle32, Lang: "en"}}},
		{"send SMS of another type", "send_sms", field("type", "UPDATE_EMAIL_EMS"), called{"SendCode", knownClient, sdk, "", "", authcore.CodeRequest{
			Type: "UPDATE_EMAIL_EMS", To: authcore.Contact{Way: authcore.WayPhone, Value: "15200000000"}, Pass: puzzle32, Lang: "zh"}}},
		{"send e-mail", "send_email", with("X-state-token", ""), called{"SendCode", knownClient, sdk, "", "", authcore.CodeRequest{
			Type: "UPDATE_EMAIL_EMS", To: authcore.Contact{Way: authcore.WayEmail, Value: "zhangsan@qq.com"}, Pass: puzzle32, Lang: "zh"}}},
		{"profile", "profile", nil, called{"Profile", knownClient, nobody, session, "", nil}},
		{"new name", "profile_update", nil, called{"UpdateProfile", knownClient, sdk, session, "", authcore.ProfileUpdate{Name: &name}}},
		{"new name and e-mail", "profile_update", body(`{"name":"Zhang San","email":"zhangsan@qq.com","verify_code":"123456"}`),
			called{"UpdateProfile", knownClient, sdk, session, "", authcore.ProfileUpdate{
				Name: &name, Contact: &authcore.Contact{Way: authcore.WayEmail, Value: "zhangsan@qq.com"}, Code: "123456"}}},
		{"new phone", "profile_update", body(`{"name":"","mobile":"15201657321","email":"zhangsan@qq.com","verify_code":"123456"}`),
			called{"UpdateProfile", knownClient, sdk, session, "", authcore.ProfileUpdate{
				Contact: &authcore.Contact{Way: authcore.WayPhone, Value: "15201657321"}, Code: "123456"}}},
		{"QQ accounts", "social", nil, called{"Socials", knownClient, nobody, session, "", nil}},
		{"unbind", "unbind", nil, called{"Unlink", knownClient, sdk, session, "s1", nil}},
		{"delete account", "delete_account", nil, called{"DeleteAccount", knownClient, sdk, session, "", nil}},
		{"delete account, body unread", "delete_account", body("{"), called{"DeleteAccount", knownClient, sdk, session, "", nil}},
		{"user", "user", nil, called{"TenantUser", knownClient, nobody, knownUser, "", nil}},
		{"disable", "disable_user", body("{"), called{"TenantDisable", knownClient, nobody, knownUser, "", true}},
		{"enable", "enable_user", nil, called{"TenantDisable", knownClient, nobody, knownUser, "", false}},
		{"end sessions", "end_sessions", nil, called{"TenantEndSessions", knownClient, nobody, knownUser, "", nil}},
		{"token", "token", nil, called{"NewBearer", knownClient, authcore.Caller{}, "s3cret", "", nil}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, f := drafts[test.route](), newFake()
			if test.spoil != nil {
				test.spoil(d)
			}
			if resp := d.answer(t, f); resp.StatusCode != http.StatusOK {
				t.Fatalf("%d %s", resp.StatusCode, bodyOf(t, resp))
			}
			if diff := cmp.Diff(test.want, f.last(t), cmp.AllowUnexported(called{}, solution{}), cmpopts.EquateComparable(clientAddr)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The guard and others answer in this API's words, with a status of their own.
func TestWriteFault(t *testing.T) {
	tests := []struct {
		err    error
		give   int
		status int
		code   string
		retry  string
	}{
		{authcore.ErrSession, http.StatusUnauthorized, http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023", ""},
		{authcore.ErrDenied, 0, http.StatusForbidden, "IDAAS.SDK.AUTH.0001", ""},
		{authcore.ErrUnavailable, 0, http.StatusServiceUnavailable, "IDAAS.SDK.COM.0002", "5"},
		{ErrMethod, 0, http.StatusMethodNotAllowed, "IDAAS.SDK.REQ.0004", ""},
		{errors.New("else"), 0, http.StatusInternalServerError, "IDAAS.SDK.COM.0002", ""},
	}
	for _, test := range tests {
		w := httptest.NewRecorder()
		WriteFault(w, httptest.NewRequestWithContext(t.Context(), "GET", "/shop", nil), test.give, test.err)
		resp := w.Result()
		if got := codeOf(t, resp); got != test.code || resp.StatusCode != test.status || resp.Header.Get("Retry-After") != test.retry ||
			resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v: %d %s %v", test.err, resp.StatusCode, got, resp.Header)
		}
	}
}

func TestLogoutNeedsSomething(t *testing.T) {
	for _, authorization := range []string{"", "Basic YTpi", "Bearer", "Bearer "} {
		d := drafts["logout"]()
		d.header.Del("session-token")
		d.header.Set("Authorization", authorization)
		if got := codeOf(t, d.answer(t, newFake())); got != "IDAAS.SDK.PARAM.0023" {
			t.Errorf("Authorization %q: %q, want PARAM.0023", authorization, got)
		}
	}
}

// No misshapen ticket reaches the service; a shaped one does, whatever it is.
func TestTicketShape(t *testing.T) {
	for ticket, good := range map[string]bool{
		"ssoTicket-" + ticket32:                true,
		ticket32:                               false,
		"ssoticket-" + ticket32:                false,
		"ssoTicket-" + ticket32 + "x":          false,
		"ssoTicket-" + ticket32[1:] + "-":      false,
		"ssoTicket-ssoTicket-" + ticket32:      false,
		" ssoTicket-" + ticket32:               false,
		"ssoTicket-" + ticket32[2:] + "\u00e9": false,
	} {
		d, f := drafts["verify_ticket"](), newFake()
		d.fields["sso_ticket"] = ticket
		code := codeOf(t, d.answer(t, f))
		if good && (code != "" || len(f.calls) != 1) || !good && (code != "IDAAS.SDK.PARAM.0032" || len(f.calls) != 0) {
			t.Errorf("%q: %q and %d calls", ticket, code, len(f.calls))
		}
	}
}

func TestSecondsAreRoundedDown(t *testing.T) {
	f := newFake()
	f.ticket = authcore.IssuedTicket{Token: authcore.TicketToken{Secret: opaque.Of(ticket32)}, ExpiresIn: 300*time.Second - 1}
	if got := bodyOf(t, drafts["issue_ticket"]().answer(t, f)); !strings.Contains(got, `"expire":299,`) {
		t.Errorf("%s, want 299 seconds", got)
	}
}

func TestOutcomesNobodyKnows(t *testing.T) {
	for _, out := range []authcore.Outcome{
		{},
		{Status: "ELSE"},
		{Status: authcore.StatusSocialBind, Ways: []authcore.Way{"pigeon"}},
		{Status: authcore.StatusMFAAuth, Ways: []authcore.Way{"pigeon"}},
	} {
		f := newFake()
		f.outcome = out
		if resp := drafts["login_qq"]().answer(t, f); resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("%+v: status %d, want 500", out, resp.StatusCode)
		}
	}
}

func TestServes(t *testing.T) {
	h := newHandler(newFake(), nil)
	for path, want := range map[string]bool{
		"/api/v2/sdk":            true,
		"/api/v2/sdk/":           true,
		"/api/v2/sdk/anything":   true,
		"/api/v2/tenant":         true,
		"/api/v2/tenant/token":   true,
		"/api/v2/tenants":        false,
		"/api/v2/sdkx/login/qq":  false,
		"/api/v2/":               false,
		"//api/v2/sdk/login/qq":  false,
		"/API/v2/sdk/login/qq":   false,
		"/api/openapi.json":      true,
		"/api/openapi.json/":     false,
		"/api/openapi":           false,
		"/":                      false,
		"":                       false,
		"/x/api/v2/sdk/login/qq": false,
	} {
		if got := h.Serves(path); got != want {
			t.Errorf("Serves(%q) = %v", path, got)
		}
	}
}

// Whatever a rule in front said of /api/v2/sdk/login/qq it did not say of these.
func TestOtherSpellingsOfPaths(t *testing.T) {
	for _, path := range []string{
		"/api/v2/sdk/login/qq/", "/api/v2/sdk//login/qq", "/api/v2/sdk/login%2Fqq", "/api/v2/sdk/login/%71q",
		"/api/v2/sdk/Login/qq", "/api/v2/sdk/./login/qq", "/api/v2/sdk/x/../login/qq", "/api/v2/sdk/login/qq;a=b",
		"/api/v2/sdk", "/api/v2/tenant/",
		"/api/v2/tenant/users", "/api/v2/tenant/users/", "/api/v2/tenant/users//", "/api/v2/tenant/users//disable",
		"/api/v2/tenant/users/" + knownUser + "/", "/api/v2/tenant/users/a/b", "/api/v2/tenant/users/a/b/disable",
		"/api/v2/tenant/users/%41", "/api/v2/tenant/users/a%2Fdisable", "/api/v2/tenant/users/%2E%2E/disable",
	} {
		d, f := drafts["login_qq"](), newFake()
		d.path = path
		resp := d.answer(t, f)
		if got := codeOf(t, resp); resp.StatusCode != http.StatusNotFound || got != "IDAAS.SDK.REQ.0005" || len(f.calls) != 0 {
			t.Errorf("%s: %d %q and %d calls", path, resp.StatusCode, got, len(f.calls))
		}
	}
}

func TestMethods(t *testing.T) {
	for _, rt := range routes {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "X"} {
			d, f := drafts[rt.name](), newFake()
			allowed := strings.Contains(" "+strings.Join(rt.methods, " ")+" ", " "+method+" ")
			d.method = method
			resp := d.answer(t, f)
			if allowed && resp.StatusCode != http.StatusOK {
				t.Errorf("%s %s: status %d, want 200", method, rt.path, resp.StatusCode)
			}
			if !allowed && (resp.StatusCode != http.StatusMethodNotAllowed || len(f.calls) != 0 ||
				resp.Header.Get("Allow") != strings.Join(rt.methods, ", ")) {
				t.Errorf("%s %s: %d, Allow %q, %d calls", method, rt.path, resp.StatusCode, resp.Header.Get("Allow"), len(f.calls))
			}
		}
	}
}

// A server in front of the handler changes what it sees of a body and of HEAD.
func TestOverHTTP(t *testing.T) {
	f := newFake()
	server := httptest.NewServer(newHandler(f, nil))
	t.Cleanup(server.Close)
	send := func(d *draft, body io.Reader) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), d.method, server.URL+d.path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = d.header
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	// io.MultiReader hides the length, so the client sends chunks.
	chunked := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) }

	if got := codeOf(t, send(drafts["login_qq"](), chunked(`{"access_token":"a","open_id":"b"}`))); got != "" {
		t.Errorf("chunked: %q", got)
	}
	if got := codeOf(t, send(drafts["login_qq"](), chunked(strings.Repeat(" ", maxBody+1)))); got != "IDAAS.SDK.REQ.0002" {
		t.Errorf("chunked and too large: %q", got)
	}
	if got := codeOf(t, send(drafts["login_qq"](), strings.NewReader(strings.Repeat(" ", maxBody+1)))); got != "IDAAS.SDK.REQ.0002" {
		t.Errorf("declared and too large: %q", got)
	}
	// Nothing is read where the vendor's call has no body.
	if got := codeOf(t, send(drafts["id_token"](), strings.NewReader("{"))); got != "" {
		t.Errorf("body where none is asked for: %q", got)
	}
	d := drafts["logout"]()
	d.method = "HEAD"
	// Prefetchers send HEAD, and this GET ends a session.
	if resp := send(d, nil); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, POST" {
		t.Errorf("HEAD: %d, Allow %q", resp.StatusCode, resp.Header.Get("Allow"))
	}
	d = drafts["logout"]()
	if resp := send(d, nil); resp.StatusCode != http.StatusOK || resp.ContentLength != 0 {
		t.Errorf("logout: %d with %d bytes", resp.StatusCode, resp.ContentLength)
	}
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestBodyThatEndsEarly(t *testing.T) {
	r := drafts["login_qq"]().request(t)
	r.Body = io.NopCloser(brokenBody{})
	if got := codeOf(t, serve(t, newHandler(newFake(), nil), r)); got != "IDAAS.SDK.REQ.0001" {
		t.Errorf("%q, want REQ.0001", got)
	}
}

func TestPanics(t *testing.T) {
	f := newFake()
	f.panic = errors.New("oops")
	resp := drafts["login_qq"]().answer(t, f)
	if got := codeOf(t, resp); resp.StatusCode != http.StatusInternalServerError || got != "IDAAS.SDK.COM.0002" {
		t.Errorf("%d %q, want 500 COM.0002", resp.StatusCode, got)
	}
	f.panic = http.ErrAbortHandler
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v, want http.ErrAbortHandler", p)
		}
	}()
	drafts["login_qq"]().answer(t, f)
}

// No path of this API reads a cookie.
func TestCookiesAreNotRead(t *testing.T) {
	for _, name := range []string{"session-token", "__Host-qqauth", "Authorization"} {
		d, f := drafts["id_token"](), newFake()
		d.header.Del("session-token")
		d.header.Set("Cookie", name+"="+session32)
		if got := codeOf(t, d.answer(t, f)); got != "IDAAS.SDK.PARAM.0023" || len(f.calls) != 0 {
			t.Errorf("%s: %q and %d calls", name, got, len(f.calls))
		}
	}
}

func TestLanguages(t *testing.T) {
	for wanted, isEnglish := range map[string]bool{
		"": false, "zh": false, "zh-CN": false, "zh-TW": false, "zh-Hans-CN": false, "zh_CN": false, "ZH": false,
		"en": true, "EN": true, "en-GB": true, "en_US": true, "en;q=0.9": true,
		"en;q=0.9, zh": false, "zh;q=0.1, en": true, "zh;q=0, en": true, "fr, en": true, "fr": false, "ja": false, "de-AT": false,
		"yue": false, "cy": false, "cy, en;q=0.5": true, "ga": false, "ga, zh": false, "und-US": false, "mul": false,
		"*": false, "*, en": true, "en;q=0": false, "en-x-quaint": true, "en-GB-oed": true, "eng": true, "enx": false,
		"fr-FR;q=0.9, en-GB;q=0.8, zh-HK;q=0.7": true, "en;q=0.8, zh-HK;q=0.8": true, "xen": false,
		"***": false, "en;q=x": false, "\xff": false, ",,,": false, strings.Repeat("a-", 4000): false,
	} {
		if got := languageOf(http.Header{"X-L": {wanted}}); (got == en) != isEnglish {
			t.Errorf("X-L %q: language %d", wanted, got)
		}
	}
	if got := languageOf(http.Header{"X-L": {"fr", "en"}}); got != en {
		t.Errorf("two lines: language %d, want en", got)
	}
}
