package idaas

import (
	"net/http"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// asks turns a draft into what a browser asks before it.
func asks(origin string, headers ...string) func(*draft) {
	return func(d *draft) {
		d.header = http.Header{"Origin": {origin}, "Access-Control-Request-Method": {d.method}}
		for _, line := range headers {
			d.header.Add("Access-Control-Request-Headers", line)
		}
		d.method, d.fields, d.raw = "OPTIONS", nil, ""
	}
}

func corsHeaders(h http.Header) (names []string) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") || name == "Vary" {
			names = append(names, name)
		}
	}
	return names
}

func TestPreflight(t *testing.T) {
	for _, rt := range routes {
		d, f := drafts[rt.name](), newFake()
		asks(knownOrigin, "x-client-id,x-l", "content-type, cookie, x-other,X-CLIENT-ID")(d)
		resp := d.answer(t, f)
		if !strings.HasPrefix(rt.path, sdkPrefix+"/") {
			if resp.StatusCode != http.StatusMethodNotAllowed || len(corsHeaders(resp.Header)) > 0 {
				t.Errorf("%s: %d %v", rt.path, resp.StatusCode, resp.Header)
			}
			continue
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin":      knownOrigin,
			"Access-Control-Allow-Methods":     strings.Join(rt.methods, ", "),
			"Access-Control-Allow-Headers":     "X-client-id, X-L, Content-Type",
			"Access-Control-Max-Age":           "600",
			"Access-Control-Allow-Credentials": "",
			"Vary":                             "Origin",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s = %q, want %q", rt.path, name, got, want)
			}
		}
		if resp.StatusCode != http.StatusNoContent || bodyOf(t, resp) != "" || len(f.calls)+len(f.checks) != 0 {
			t.Errorf("%s: %d and %d calls", rt.path, resp.StatusCode, len(f.calls))
		}
	}
}

// What a browser may ask for is all that this API reads.
func TestPreflightOfEveryHeader(t *testing.T) {
	for _, rt := range routes {
		if !strings.HasPrefix(rt.path, sdkPrefix+"/") {
			continue
		}
		sent := drafts[rt.name]().header
		sent.Set("X-L", "en")
		for name := range sent {
			d := drafts[rt.name]()
			asks(knownOrigin, strings.ToLower(name))(d)
			if got := d.answer(t, newFake()).Header.Get("Access-Control-Allow-Headers"); !strings.EqualFold(got, name) {
				t.Errorf("%s: %s allows %q", rt.path, name, got)
			}
		}
	}
}

func TestNoPreflight(t *testing.T) {
	tests := []struct {
		name    string
		spoil   func(*draft)
		status  int
		allowed bool // whether the answer can be read at all
	}{
		{"another origin", asks("https://evil.example.com"), http.StatusMethodNotAllowed, false},
		{"no origin", asks(""), http.StatusMethodNotAllowed, false},
		{"null", asks("null"), http.StatusMethodNotAllowed, false},
		{"two origins", func(d *draft) { asks(knownOrigin)(d); d.header.Add("Origin", knownOrigin) }, http.StatusMethodNotAllowed, false},
		{"no method asked for", func(d *draft) {
			asks(knownOrigin)(d)
			d.header.Del("Access-Control-Request-Method")
		}, http.StatusMethodNotAllowed, true},
		{"unknown path", func(d *draft) { asks(knownOrigin)(d); d.path += "/x" }, http.StatusNotFound, true},
		{"other spelling", func(d *draft) { asks(knownOrigin)(d); d.path = "/api/v2/sdk/login/%71q" }, http.StatusNotFound, true},
	}
	for _, test := range tests {
		d := drafts["login_qq"]()
		test.spoil(d)
		resp := d.answer(t, newFake())
		if resp.StatusCode != test.status {
			t.Errorf("%s: %d", test.name, resp.StatusCode)
		}
		if got := corsHeaders(resp.Header); !test.allowed && len(got) > 0 || test.allowed && len(got) != 3 {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// A page must be able to read why it was refused, too.
func TestAnswersToOrigins(t *testing.T) {
	faults := map[string]error{
		"": nil, "IDAAS.SDK.LIMIT.0001": authcore.ErrLimited, "IDAAS.SDK.COM.0002": authcore.ErrUnavailable,
	}
	for code, err := range faults {
		for origin, allowed := range map[string]bool{knownOrigin: true, "https://evil.example.com": false, "": false} {
			d, f := drafts["login_qq"](), newFake()
			f.err = err
			d.header.Set("Origin", origin)
			resp := d.answer(t, f)
			if got := codeOf(t, resp); got != code {
				t.Errorf("%q, want %q", got, code)
			}
			h := resp.Header
			if !allowed {
				if got := corsHeaders(h); len(got) > 0 {
					t.Errorf("%q gets %v", origin, got)
				}
				continue
			}
			if h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Expose-Headers") != "Retry-After" ||
				h.Get("Vary") != "Origin" || len(corsHeaders(h)) != 3 {
				t.Errorf("%q gets %v", origin, h)
			}
		}
	}
	for _, route := range []string{"token", "refresh", "user", "openapi"} {
		d := drafts[route]()
		d.header.Set("Origin", knownOrigin)
		if got := corsHeaders(d.answer(t, newFake()).Header); len(got) > 0 {
			t.Errorf("%s: %v", route, got)
		}
	}
}

func TestNoOriginIsAllowedByDefault(t *testing.T) {
	h := New(Config{Service: newFake(), Caller: newHandler(nil, nil).caller})
	d := drafts["login_qq"]()
	asks(knownOrigin)(d)
	if resp := serve(t, h, d.request(t)); resp.StatusCode != http.StatusMethodNotAllowed || len(corsHeaders(resp.Header)) > 0 {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}
