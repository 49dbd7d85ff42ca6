package idaas

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestSecretsAndRedact(t *testing.T) {
	tests := []struct {
		name, target string
		header       http.Header
		secrets      bool
		uri          string
	}{
		{"nothing", "/shop?q=tea", nil, false, "/shop?q=tea"},
		{"cookie", "/shop", http.Header{"Cookie": {"a=" + planted}, "Authorization": {planted}}, false, "/shop"},
		{"session-token anywhere", "/shop?q=tea", http.Header{"Session-Token": {planted, planted}}, true, "/shop?q=tea"},
		// Get would see the first line alone.
		{"session-token behind an empty one", "/", http.Header{"Session-Token": {"", planted}}, true, "/"},
		{"X-state-token anywhere", "/", http.Header{"X-State-Token": {planted}}, true, "/"},
		{"tenant/token", "/api/v2/tenant/token?grant_type=client_credentials&client_id=shop&client_secret=" + planted, nil, true,
			"/api/v2/tenant/token?grant_type=client_credentials&client_id=shop&client_secret=REDACTED"},
		{"tenant/token without a query", "/api/v2/tenant/token", nil, false, "/api/v2/tenant/token"},
		{"another spelling of tenant/token", "/api/v2/tenant/token/?client_secret=" + planted, nil, true,
			"/api/v2/tenant/token/?client_secret=REDACTED"},
		{"misspelt", "/api/v2/tenant/token?clientSecret=" + planted + "&" + planted, nil, true, "/api/v2/tenant/token?REDACTED&REDACTED"},
		{"broken escape", "/api/v2/tenant/token?%zz=" + planted, nil, true, "/api/v2/tenant/token?REDACTED"},
		{"escaped name", "/x?%63ode=" + planted + "&q=tea", nil, false, "/x?%63ode=REDACTED&q=tea"},
		{"semicolons", "/x?q=tea;code=" + planted, nil, false, "/x?q=tea&code=REDACTED"},
		{"QQ's callback", "/login/qq/callback?code=" + planted + "&state=" + planted, nil, false, "/login/qq/callback?code=REDACTED&state=REDACTED"},
		{"other names", "/x?access_token=" + planted + "&session_token=" + planted, nil, false, "/x?access_token=REDACTED&session_token=REDACTED"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), "POST", test.target, nil)
			if test.header != nil {
				r.Header = test.header.Clone()
			}
			if got := Secrets(r); got != test.secrets {
				t.Errorf("Secrets = %v", got)
			}
			uri, header := Redact(r)
			if uri != test.uri {
				t.Errorf("uri = %s, want %s", uri, test.uri)
			}
			for name, lines := range header {
				if strings.Contains(strings.Join(lines, ""), planted) {
					t.Errorf("%s: %q", name, lines)
				}
			}
			for name, lines := range test.header {
				if strings.Join(r.Header[name], "") != strings.Join(lines, "") {
					t.Errorf("%s was changed in the request", name)
				}
			}
		})
	}
}

// However a query is written, whoever parses what is left of it as a URL finds
// no secret under a name that carries one, and on our own paths nothing at all
// but the two parameters that are open.
func FuzzRedact(f *testing.F) {
	f.Add("client_secret=a&client_id=b")
	f.Add("%63ode=a&&state=b;c=d")
	f.Add("code&=code&code==")
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/x", "/api/v2/tenant/token"} {
			uri, _ := Redact(&http.Request{URL: &url.URL{Path: path, RawQuery: query}, RequestURI: path + "?" + query})
			_, left, _ := strings.Cut(uri, "?")
			values, _ := url.ParseQuery(left) // the pairs that parse, whatever the others do
			for name, vs := range values {
				for _, v := range vs {
					switch {
					case secretParams[name] && v != redacted:
						t.Errorf("%s?%s leaves %s=%s", path, query, name, v)
					case path != "/x" && !openParams[name] && name != redacted && v != redacted:
						t.Errorf("%s?%s leaves %s=%s", path, query, name, v)
					}
				}
			}
		}
	})
}
