package idaas

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// spoil is one fault of a request and what it is answered with if nothing that
// is checked earlier is wrong.
type spoil struct {
	name string
	do   func(*draft)
	want string
}

func without(name string) func(*draft) { return func(d *draft) { d.header.Del(name) } }

func with(name, value string) func(*draft) { return func(d *draft) { d.header.Set(name, value) } }

func field(name string, value any) func(*draft) {
	return func(d *draft) { d.fields[name] = value }
}

func body(raw string) func(*draft) { return func(d *draft) { d.raw = raw } }

var (
	wrongPath  = spoil{"path", func(d *draft) { d.path += "/" }, "IDAAS.SDK.REQ.0005"}
	putMethod  = spoil{"method", func(d *draft) { d.method = "PUT" }, "IDAAS.SDK.REQ.0004"}
	noOS       = spoil{"no X-operating-sys-version", without("X-operating-sys-version"), "IDAAS.SDK.PARAM.0001"}
	noPrint    = spoil{"no X-device-fingerprint", without("X-device-fingerprint"), "IDAAS.SDK.PARAM.0001"}
	noAgent    = spoil{"no X-agent", without("X-agent"), "IDAAS.SDK.PARAM.0001"}
	noClient   = spoil{"no X-client-id", without("X-client-id"), "IDAAS.SDK.PARAM.0002"}
	badClient  = spoil{"unknown client", with("X-client-id", "nobody"), "IDAAS.SDK.PARAM.0003"}
	badBearer  = spoil{"bearer", with("Authorization", "Bearer nobody"), "invalid_token"}
	badType    = spoil{"content type", with("Content-Type", "text/plain"), "IDAAS.SDK.REQ.0003"}
	tooLarge   = spoil{"size", body("[" + strings.Repeat(" ", maxBody)), "IDAAS.SDK.REQ.0002"}
	badJSON    = spoil{"JSON", body("{"), "IDAAS.SDK.REQ.0001"}
	noSession  = spoil{"no session-token", without("session-token"), "IDAAS.SDK.PARAM.0023"}
	noToken    = noField("session_token")
	noTicket   = noField("sso_ticket")
	noBodyOS   = spoil{"no operating_sys_version", field("operating_sys_version", nil), "IDAAS.SDK.PARAM.0001"}
	noBodyIP   = spoil{"no device_ip", field("device_ip", ""), "IDAAS.SDK.PARAM.0001"}
	noBodyFP   = spoil{"no device_fingerprint", field("device_fingerprint", ""), "IDAAS.SDK.PARAM.0001"}
	badTicket  = spoil{"misshapen ticket", field("sso_ticket", "ssoTicket-short"), "IDAAS.SDK.PARAM.0032"}
	noAccess   = spoil{"no access_token", field("access_token", nil), "IDAAS.SDK.PARAM.0024"}
	noOpenID   = spoil{"no open_id", field("open_id", ""), "IDAAS.SDK.PARAM.0025"}
	twoPlaces  = spoil{"two places", with("Authorization", "Basic YTpi"), "invalid_request"}
	badGrant   = spoil{"grant type", func(d *draft) { d.query = strings.Replace(d.query, "client_cred", "x", 1) }, "unsupported_grant_type"}
	noSecret   = spoil{"no secret", func(d *draft) { d.query = strings.Replace(d.query, "s3cret", "", 1) }, "invalid_client"}
	repeated   = spoil{"repeated parameter", func(d *draft) { d.query += "&scope=all&scope=all" }, "invalid_request"}
	bigForm    = spoil{"form size", body(strings.Repeat("a", maxBody+1)), "IDAAS.SDK.REQ.0002"}
	notForm    = spoil{"form type", func(d *draft) { d.raw += "x"; d.header.Set("Content-Type", "application/json") }, "invalid_request"}
	noState    = spoil{"no X-state-token", without("X-state-token"), "IDAAS.SDK.COMMON.1007"}
	oddState   = spoil{"X-state-token that is none", with("X-state-token", "x"), "IDAAS.SDK.COMMON.1007"}
	badState   = spoil{"X-state-token", with("X-state-token", "a.b.c"), "IDAAS.SDK.PARAM.0014"}
	noIDToken  = spoil{"no id_token", without("Authorization"), "IDAAS.SDK.PARAM.0016"}
	badIDToken = spoil{"id_token", with("Authorization", "Bearer a.b.c"), "IDAAS.SDK.PARAM.0016"}
	badMobile  = spoil{"mobile", field("mobile", "one"), "IDAAS.SDK.PARAM.0026"}
	starred    = spoil{"starred mobile", field("mobile", "+86-152****7321"), "IDAAS.SDK.PARAM.0026"}
	badEmail   = spoil{"email", field("email", "zhangsan"), "IDAAS.SDK.PARAM.0026"}
	badSender  = spoil{"sender", field("sender", "one"), "IDAAS.SDK.PARAM.0026"}
	badPoint   = spoil{"point_json", field("point_json", `{"x":1}`), "IDAAS.SDK.CAPTCHA.0002"}
	badPass    = spoil{"captcha_token", field("captcha_token", puzzle32), "IDAAS.SDK.CAPTCHA.0004"}
	noCode     = spoil{"no verify_code", field("email", "zhangsan@qq.com"), "IDAAS.SDK.PARAM.0099 verify_code"}
	badUser    = spoil{"user", func(d *draft) { d.path = strings.Replace(d.path, knownUser, "%01", 1) }, "IDAAS.SDK.USER.0001"}
	tenantBody = []spoil{noBodyOS, noBodyIP, noBodyFP}
	sdkHead    = []spoil{wrongPath, putMethod, noOS, noPrint, noAgent, noClient, badClient}
	tenantHead = []spoil{wrongPath, putMethod, badBearer, badType, tooLarge, badJSON}
	jsonBody   = []spoil{badType, tooLarge, badJSON}
	stateHead  = slices.Concat(sdkHead, []spoil{noState, oddState, badState})
	signedHead = slices.Concat(sdkHead, []spoil{noIDToken, badIDToken})
	userHead   = []spoil{wrongPath, putMethod, badBearer, badUser}
)

func noField(name string) spoil {
	return spoil{"no " + name, field(name, ""), "IDAAS.SDK.PARAM.0099 " + name}
}

// order is the contract's order of checks: for each route, its faults from the
// one that is found first to the one that is found last.
var order = map[string][]spoil{
	"login_qq": slices.Concat(sdkHead, jsonBody, []spoil{noAccess, noOpenID}),
	"id_token": slices.Concat(sdkHead, []spoil{noSession}),
	"logout":   slices.Concat(sdkHead, []spoil{noSession}),

	"bind": slices.Concat(stateHead, jsonBody, []spoil{noField("mobile"), badMobile, starred, noField("verify_code")}),
	// Its draft has an e-mail address; the field that is told to be empty is the
	// first of the two.
	"register_bind": slices.Concat(stateHead, jsonBody, []spoil{
		{"no email", field("email", nil), "IDAAS.SDK.PARAM.0099 mobile"}, badEmail, noField("verify_code"),
	}),
	"mfa_sms":         slices.Concat(stateHead, jsonBody, []spoil{noField("mobile"), badMobile, noField("verify_code")}),
	"mfa_email":       slices.Concat(stateHead, jsonBody, []spoil{noField("email"), badEmail, noField("verify_code")}),
	"mobile_by_token": stateHead,

	"captcha": sdkHead,
	"captcha_verify": slices.Concat(sdkHead, jsonBody, []spoil{
		noField("point_json"), badPoint, noField("token"), noField("sender"), badSender,
	}),
	"send_sms": slices.Concat(sdkHead, []spoil{oddState, badState}, jsonBody, []spoil{
		noField("mobile"), badMobile, noField("type"), noField("captcha_token"), badPass,
	}),
	"send_email": slices.Concat(sdkHead, []spoil{oddState, badState}, jsonBody, []spoil{
		noField("email"), badEmail, noField("type"), noField("captcha_token"), badPass,
	}),
	"country_codes": sdkHead,

	"profile":        signedHead,
	"profile_update": slices.Concat(signedHead, jsonBody, []spoil{noField("name"), badMobile, starred, badEmail, noCode}),
	"social":         signedHead,
	"unbind":         slices.Concat(signedHead, jsonBody, []spoil{noField("id")}),
	"delete_account": signedHead,

	"token":         {wrongPath, putMethod, bigForm, notForm, repeated, twoPlaces, badGrant, noSecret},
	"issue_ticket":  slices.Concat(tenantHead, []spoil{noToken}, tenantBody),
	"refresh":       slices.Concat(tenantHead, []spoil{noToken}, tenantBody),
	"verify_ticket": slices.Concat(tenantHead, []spoil{noTicket}, tenantBody, []spoil{badTicket}),
	"user":          userHead,
	"disable_user":  userHead,
	"enable_user":   userHead,
	"end_sessions":  userHead,

	"openapi": {wrongPath, putMethod},
}

// cancels lists the faults that cannot stand in one request: doing the later
// one undoes the earlier.
func cancels(earlier, later spoil) bool {
	switch earlier.name {
	case noClient.name:
		return later.name == badClient.name
	case tooLarge.name:
		return later.name == badJSON.name
	case noTicket.name:
		return later.name == badTicket.name
	case "no name":
		return true // any other field is one that is given
	}
	return false
}

func TestOrderOfChecks(t *testing.T) {
	for _, rt := range routes {
		faults := order[rt.name]
		if len(faults) == 0 {
			t.Errorf("no order is given for %s", rt.name)
		}
		for i, earlier := range faults {
			t.Run(rt.name+"/"+earlier.name, func(t *testing.T) {
				f := newFake()
				if got := told(t, drafted(rt.name, earlier).answer(t, f)); got != earlier.want {
					t.Errorf("alone: %q, want %s", got, earlier.want)
				}
				for _, later := range faults[i+1:] {
					if cancels(earlier, later) {
						continue
					}
					// Earlier last: of two that write one thing, it is the one
					// that stays.
					if got := told(t, drafted(rt.name, later, earlier).answer(t, f)); got != earlier.want {
						t.Errorf("with %s: %q, want %s", later.name, got, earlier.want)
					}
				}
				if len(f.calls) != 0 {
					t.Errorf("service was called: %+v", f.calls)
				}
			})
		}
	}
}

// told is the code of a refusal and, where that is not all, the field it names.
func told(t *testing.T, resp *http.Response) string {
	t.Helper()
	text := bodyOf(t, resp)
	resp.Body = io.NopCloser(strings.NewReader(text))
	code := codeOf(t, resp)
	if code == codes[fieldEmpty].wire {
		_, text, _ = strings.Cut(text, `"error_msg":"`)
		name, _, _ := strings.Cut(text, "不能为空")
		code += " " + name
	}
	return code
}

func drafted(route string, faults ...spoil) *draft {
	d := drafts[route]()
	for _, f := range faults {
		f.do(d)
	}
	return d
}

// A header that two readers could read in two ways is refused like an empty one.
func TestMalformedHeaders(t *testing.T) {
	tests := []struct{ route, header, want string }{
		{"login_qq", "X-operating-sys-version", "IDAAS.SDK.PARAM.0001"},
		{"login_qq", "X-device-fingerprint", "IDAAS.SDK.PARAM.0001"},
		{"login_qq", "X-device-ip", "IDAAS.SDK.PARAM.0001"},
		{"login_qq", "X-agent", "IDAAS.SDK.PARAM.0001"},
		{"login_qq", "X-client-id", "IDAAS.SDK.PARAM.0002"},
		{"login_qq", "Content-Type", "IDAAS.SDK.REQ.0003"},
		{"id_token", "session-token", "IDAAS.SDK.PARAM.0023"},
		{"logout", "session-token", "IDAAS.SDK.PARAM.0023"},
		{"bind", "X-state-token", "IDAAS.SDK.COMMON.1007"},
		{"mobile_by_token", "X-state-token", "IDAAS.SDK.COMMON.1007"},
		{"send_sms", "X-state-token", "IDAAS.SDK.COMMON.1007"},
		{"profile", "Authorization", "IDAAS.SDK.PARAM.0016"},
		{"refresh", "Authorization", "invalid_token"},
		{"user", "Authorization", "invalid_token"},
		{"token", "Authorization", "invalid_request"},
	}
	for _, test := range tests {
		for name, spoil := range map[string]func(http.Header){
			"repeated": func(h http.Header) { h.Add(test.header, h.Get(test.header)) },
			"long":     func(h http.Header) { h.Set(test.header, h.Get(test.header)+strings.Repeat("x", maxField)) },
			"control":  func(h http.Header) { h.Set(test.header, h.Get(test.header)+"\x01") },
			"deleted":  func(h http.Header) { h.Set(test.header, h.Get(test.header)+"\x7f") },
		} {
			t.Run(test.route+"/"+test.header+"/"+name, func(t *testing.T) {
				d, f := drafts[test.route](), newFake()
				if d.header.Get(test.header) == "" {
					d.header.Set(test.header, "Basic YTpi")
				}
				spoil(d.header)
				if got := codeOf(t, d.answer(t, f)); got != test.want {
					t.Errorf("%q, want %s", got, test.want)
				}
				if len(f.calls) != 0 {
					t.Errorf("service was called: %+v", f.calls)
				}
			})
		}
	}
}

// Of two session-token lines neither decides, and the Bearer must not step in:
// a proxy that showed one of them to somebody would have shown another session.
func TestLogoutRefusesTwoSessionTokens(t *testing.T) {
	d, f := drafts["logout"](), newFake()
	d.header.Add("session-token", "another")
	d.header.Set("Authorization", "Bearer a.b.c")
	if got := codeOf(t, d.answer(t, f)); got != "IDAAS.SDK.PARAM.0023" || len(f.calls) != 0 {
		t.Errorf("%q and %d calls, want PARAM.0023 and none", got, len(f.calls))
	}
}

func TestBodies(t *testing.T) {
	long := `{"access_token":"a","open_id":"` + strings.Repeat("x", 40<<10) + `"}`
	// A field that each of the calls reads.
	const every = `{"access_token":?,"session_token":?,"sso_ticket":?,"mobile":?,"email":?,"token":?,"id":?}`
	tests := []struct{ name, body, want string }{
		{"nothing", " ", "IDAAS.SDK.REQ.0001"},
		{"not JSON", "access_token=a", "IDAAS.SDK.REQ.0001"},
		{"array", "[{}]", "IDAAS.SDK.REQ.0001"},
		{"null", "null", "IDAAS.SDK.REQ.0001"},
		{"string", `"a"`, "IDAAS.SDK.REQ.0001"},
		{"two objects", "{}{}", "IDAAS.SDK.REQ.0001"},
		{"cut", `{"a":"b"`, "IDAAS.SDK.REQ.0001"},
		{"duplicate", `{"a":1,"a":1}`, "IDAAS.SDK.REQ.0001"},
		{"duplicate by case", `{"session_token":"a","Session_Token":"a"}`, "IDAAS.SDK.REQ.0001"},
		{"duplicate below", `{"a":{"b":1,"b":2}}`, "IDAAS.SDK.REQ.0001"},
		{"broken text", "{\"a\":\"\xff\"}", "IDAAS.SDK.REQ.0001"},
		{"number in a field", strings.ReplaceAll(every, "?", "1"), "IDAAS.SDK.REQ.0001"},
		{"object in a field", strings.ReplaceAll(every, "?", "{}"), "IDAAS.SDK.REQ.0001"},
		{"oversized", long + strings.Repeat(" ", maxBody), "IDAAS.SDK.REQ.0002"},
	}
	for _, rt := range routes {
		if drafts[rt.name]().fields == nil {
			continue
		}
		for _, test := range tests {
			t.Run(rt.name+"/"+test.name, func(t *testing.T) {
				d, f := drafts[rt.name](), newFake()
				d.raw = test.body
				if got := codeOf(t, d.answer(t, f)); got != test.want {
					t.Errorf("%q, want %s", got, test.want)
				}
				if len(f.calls) != 0 {
					t.Errorf("service was called: %+v", f.calls)
				}
			})
		}
	}
	t.Run("as large as may be", func(t *testing.T) {
		d := drafts["login_qq"]()
		d.raw = long + strings.Repeat(" ", maxBody-len(long))
		if got := codeOf(t, d.answer(t, newFake())); got != "" {
			t.Errorf("%d bytes: %s", len(d.raw), got)
		}
	})
}

// "Empty" has three spellings in a body.
func TestEmptyFields(t *testing.T) {
	empties := map[string]func(*draft, string){
		"absent": func(d *draft, name string) { delete(d.fields, name) },
		"null":   func(d *draft, name string) { d.fields[name] = nil },
		"empty":  func(d *draft, name string) { d.fields[name] = "" },
	}
	tests := []struct{ route, field, want string }{
		{"login_qq", "access_token", "IDAAS.SDK.PARAM.0024"},
		{"login_qq", "open_id", "IDAAS.SDK.PARAM.0025"},
		{"issue_ticket", "session_token", "IDAAS.SDK.PARAM.0099"},
		{"issue_ticket", "operating_sys_version", "IDAAS.SDK.PARAM.0001"},
		{"issue_ticket", "device_ip", "IDAAS.SDK.PARAM.0001"},
		{"issue_ticket", "device_fingerprint", "IDAAS.SDK.PARAM.0001"},
		{"issue_ticket", "agent", ""},
		{"bind", "mobile", "IDAAS.SDK.PARAM.0099"},
		{"bind", "verify_code", "IDAAS.SDK.PARAM.0099"},
		{"register_bind", "verify_code", "IDAAS.SDK.PARAM.0099"},
		{"mfa_sms", "mobile", "IDAAS.SDK.PARAM.0099"},
		{"mfa_sms", "verify_code", "IDAAS.SDK.PARAM.0099"},
		{"mfa_email", "email", "IDAAS.SDK.PARAM.0099"},
		{"mfa_email", "verify_code", "IDAAS.SDK.PARAM.0099"},
		{"captcha_verify", "point_json", "IDAAS.SDK.PARAM.0099"},
		{"captcha_verify", "token", "IDAAS.SDK.PARAM.0099"},
		{"captcha_verify", "sender", "IDAAS.SDK.PARAM.0099"},
		{"send_sms", "mobile", "IDAAS.SDK.PARAM.0099"},
		{"send_sms", "type", "IDAAS.SDK.PARAM.0099"},
		{"send_sms", "captcha_token", "IDAAS.SDK.PARAM.0099"},
		{"send_email", "email", "IDAAS.SDK.PARAM.0099"},
		{"profile_update", "name", "IDAAS.SDK.PARAM.0099"},
		{"unbind", "id", "IDAAS.SDK.PARAM.0099"},
		{"refresh", "session_token", "IDAAS.SDK.PARAM.0099"},
		{"verify_ticket", "sso_ticket", "IDAAS.SDK.PARAM.0099"},
	}
	for _, test := range tests {
		for name, spoil := range empties {
			t.Run(test.route+"/"+test.field+"/"+name, func(t *testing.T) {
				d := drafts[test.route]()
				spoil(d, test.field)
				resp := d.answer(t, newFake())
				text := bodyOf(t, resp)
				if !strings.Contains(text, test.want) {
					t.Errorf("%s, want %s", text, test.want)
				}
				if test.want == "IDAAS.SDK.PARAM.0099" && !strings.Contains(text, test.field) {
					t.Errorf("%s does not name %s", text, test.field)
				}
				if test.want == "" && resp.StatusCode != http.StatusOK {
					t.Errorf("%s, want success", text)
				}
			})
		}
	}
}

func TestContentTypes(t *testing.T) {
	for value, good := range map[string]bool{
		"application/json":                  true,
		"application/json;charset=utf8":     true,
		"Application/JSON; charset=\"utf-8": true,
		"application/json ; a=b; c":         true,
		"application/jsonp":                 false,
		"application/x-json":                false,
		"text/json":                         false,
		";application/json":                 false,
		"":                                  false,
	} {
		d := drafts["login_qq"]()
		d.header.Set("Content-Type", value)
		if got := codeOf(t, d.answer(t, newFake())); (got == "") != good {
			t.Errorf("%q: %q", value, got)
		}
	}
}
