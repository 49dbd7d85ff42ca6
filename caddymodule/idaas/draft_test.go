package idaas

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

const (
	knownOrigin = "https://app.example.com"
	publicURL   = "https://login.example.net"
)

var clientAddr = netip.MustParseAddr("203.0.113.9")

func newHandler(s Service, log *slog.Logger) *Handler {
	return New(Config{
		Service:       s,
		Caller:        func(*http.Request) (netip.Addr, bool) { return clientAddr, true },
		AllowedOrigin: func(origin string) bool { return origin == knownOrigin },
		PublicURL:     publicURL,
		Log:           log,
	})
}

// draft is a request that is still to be spoilt.
type draft struct {
	method, path, query string
	header              http.Header
	fields              map[string]any // the JSON body, if the call has one
	raw                 string         // the body instead of fields, if not empty
}

func (d *draft) request(t testing.TB) *http.Request {
	t.Helper()
	body := []byte(d.raw)
	if d.raw == "" && d.fields != nil {
		var err error
		if body, err = json.Marshal(d.fields); err != nil {
			t.Fatal(err)
		}
	}
	target := d.path
	if d.query != "" {
		target += "?" + d.query
	}
	r := httptest.NewRequestWithContext(t.Context(), d.method, target, bytes.NewReader(body))
	r.Header = d.header
	return r
}

// drafts makes one good request for each route.
var drafts = map[string]func() *draft{
	"login_qq": func() *draft {
		d := sdkDraft("POST", "/api/v2/sdk/login/qq")
		d.header.Set("Content-Type", "application/json")
		d.fields = map[string]any{"access_token": "8B11C37B7894C5E2347E1606DC7CCFDC", "open_id": "D8924F7071DC1D29A6822C794D848D9C"}
		return d
	},
	"id_token": func() *draft {
		d := sdkDraft("POST", "/api/v2/sdk/sso/session-token/id-token")
		d.header.Set("session-token", session32)
		return d
	},
	"logout": func() *draft {
		d := sdkDraft("GET", "/api/v2/sdk/logout")
		d.header.Set("session-token", session32)
		return d
	},
	"token": func() *draft {
		return &draft{
			method: "POST", path: "/api/v2/tenant/token",
			query:  "grant_type=client_credentials&client_id=" + knownClient + "&client_secret=s3cret",
			header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		}
	},
	"issue_ticket": func() *draft {
		return tenantDraft("/api/v2/tenant/sso/session-token/sso-ticket", "session_token", session32)
	},
	"verify_ticket": func() *draft {
		return tenantDraft("/api/v2/tenant/sso/sso-ticket/verify", "sso_ticket", "ssoTicket-"+ticket32)
	},
	"refresh": func() *draft {
		return tenantDraft("/api/v2/tenant/sso/session-token/refresh", "session_token", session32)
	},

	"bind":          func() *draft { return proofDraft("/social/bind", "mobile", "15201657321") },
	"register_bind": func() *draft { return proofDraft("/social/register-bind", "email", "zhangsan@qq.com") },
	"mfa_sms":       func() *draft { return proofDraft("/mfa/sms", "mobile", "+86-152****7321") },
	"mfa_email":     func() *draft { return proofDraft("/mfa/email", "email", "zhangsan@qq.com") },
	"mobile_by_token": func() *draft {
		d := sdkDraft("GET", "/api/v2/sdk/mobile-by-token")
		d.header.Set("X-state-token", knownState)
		return d
	},
	"captcha": func() *draft { return sdkDraft("GET", "/api/v2/sdk/captcha") },
	"captcha_verify": func() *draft {
		return jsonDraft("/captcha/verify", map[string]any{"point_json": point, "token": puzzle32, "sender": "15200000000"})
	},
	"send_sms": func() *draft {
		return jsonDraft("/sms/send", map[string]any{
			"mobile": "15200000000", "type": "BIND_MOBILE_SMS", "captcha_token": puzzle32 + "---" + point,
		})
	},
	"send_email": func() *draft {
		return jsonDraft("/email/send", map[string]any{
			"email": "zhangsan@qq.com", "type": "UPDATE_EMAIL_EMS", "captcha_token": puzzle32 + "---" + point,
		})
	},
	"country_codes": func() *draft { return sdkDraft("GET", "/api/v2/sdk/country-codes") },
	"profile":       func() *draft { return signed(sdkDraft("GET", "/api/v2/sdk/profile")) },
	"profile_update": func() *draft {
		return signed(jsonDraft("/profile/update", map[string]any{"name": "Zhang San"}))
	},
	"social":         func() *draft { return signed(sdkDraft("GET", "/api/v2/sdk/social")) },
	"unbind":         func() *draft { return signed(jsonDraft("/social/unbind-account", map[string]any{"id": "s1"})) },
	"delete_account": func() *draft { return signed(sdkDraft("POST", "/api/v2/sdk/account/delete")) },

	"user":         func() *draft { return userDraft("GET", "") },
	"disable_user": func() *draft { return userDraft("POST", "/disable") },
	"enable_user":  func() *draft { return userDraft("POST", "/enable") },
	"end_sessions": func() *draft { return userDraft("DELETE", "/sessions") },

	"openapi": func() *draft { return &draft{method: "GET", path: "/api/openapi.json", header: http.Header{}} },
}

func jsonDraft(path string, fields map[string]any) *draft {
	d := sdkDraft("POST", "/api/v2/sdk"+path)
	d.header.Set("Content-Type", "application/json")
	d.fields = fields
	return d
}

// proofDraft proves a phone or an e-mail address for the login that waits.
func proofDraft(path, name, value string) *draft {
	d := jsonDraft(path, map[string]any{name: value, "verify_code": "123456"})
	d.header.Set("X-state-token", knownState)
	return d
}

func signed(d *draft) *draft {
	d.header.Set("Authorization", "Bearer "+knownID)
	return d
}

func userDraft(method, path string) *draft {
	return &draft{
		method: method, path: "/api/v2/tenant/users/" + knownUser + path,
		header: http.Header{"Authorization": {"Bearer " + knownBearer}},
	}
}

func sdkDraft(method, path string) *draft {
	d := &draft{method: method, path: path, header: http.Header{}}
	d.header.Set("X-operating-sys-version", "windows10.1.1")
	d.header.Set("X-device-fingerprint", "156aysdna213sc50")
	d.header.Set("X-device-ip", "192.168.1.2")
	d.header.Set("X-agent", "Mozilla/5.0 (iPhone)")
	d.header.Set("X-client-id", knownClient)
	return d
}

func tenantDraft(path, name, token string) *draft {
	return &draft{
		method: "POST", path: path,
		header: http.Header{"Authorization": {"Bearer " + knownBearer}, "Content-Type": {"application/json"}},
		fields: map[string]any{
			name:                    token,
			"operating_sys_version": "windows10.1.1",
			"device_ip":             "192.168.1.1",
			"device_fingerprint":    "156aysdna213sac",
			"agent":                 "agent:Mozilla/5.0",
		},
	}
}

// serve answers a request and checks what holds for every answer.
func serve(t testing.TB, h *Handler, r *http.Request) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q, want no-store", got)
	}
	if got := resp.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options = %q, want nosniff", got)
	}
	if got := w.Body.Len(); got > 0 && resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type = %q, want exactly application/json", resp.Header.Get("Content-Type"))
	}
	isDescribed(t, r, resp, w.Body.Bytes())
	return resp
}

func bodyOf(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// codeOf is what an answer calls its fault, in either kind of body; "" for none.
func codeOf(t testing.TB, resp *http.Response) string {
	t.Helper()
	var body struct {
		Code  string `json:"error_code"`
		Error string `json:"error"`
	}
	if b := bodyOf(t, resp); b != "" {
		if err := json.Unmarshal([]byte(b), &body); err != nil {
			t.Fatalf("answer %q: %v", b, err)
		}
	}
	return body.Code + body.Error
}

// answer is serve for a draft, with a service that answers s.
func (d *draft) answer(t testing.TB, s Service) *http.Response {
	t.Helper()
	return serve(t, newHandler(s, nil), d.request(t))
}

// logLines is a logger and what was logged through it, a JSON line each.
func logLines() (*slog.Logger, func() []string) {
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	return log, func() []string {
		return slices.Collect(strings.Lines(b.String()))
	}
}

func routeNames() []string { return slices.Sorted(maps.Keys(drafts)) }
