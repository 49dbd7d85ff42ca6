package caddymodule

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// arrive is a request as Caddy hands it to the first handler; nil if net/http
// would have refused it.
func arrive(t testing.TB, target string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: app.example.com\r\n\r\n")))
	if err != nil {
		return nil
	}
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), nil)
}

func mustParsePublic(t testing.TB, patterns ...string) publicPaths {
	t.Helper()
	p, err := parsePublicPaths(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPublicPaths(t *testing.T) {
	public := mustParsePublic(t, "/public/*", "/healthz", "*.css", "/caf%C3%A9")
	for target, want := range map[string]bool{
		"/public/":                      true,
		"/public/a/b.js":                true,
		"/public/a?next=/admin/../x;y":  true,
		"/PUBLIC/a":                     true,
		"/public/a%20b":                 true,
		"/public/%E6%9D%8E":             true,
		"/public/...":                   true,
		"/public/.well-known":           true,
		"/healthz":                      true,
		"/%68ealthz":                    true,
		"/style.css":                    true,
		"/admin/style.css":              true,
		"/caf%C3%A9":                    true,
		"http://app.example.com/public": false,
		"http://evil.example/public/a":  true,

		"/":         false,
		"/public":   false,
		"/healthz/": false,
		"/admin":    false,
		// The rule must not see the query (GHSA-7rh7-c77v-6434).
		"/admin?/public/":  false,
		"/admin?x=.css":    false,
		"/admin?%2fpublic": false,
		// Nor a fragment (GHSA-pxq7-h93f-9jrg).
		"/admin#.css":          false,
		"/admin%23.css":        false,
		"/public/secret%23/x":  false,
		"/admin%3f.css":        false,
		"/public%3f/../admin":  false,
		"/admin%253f.css":      false,
		"/public/a%2523":       false,
		"/public/%2e%2e/admin": false,
		// Read before or after ".." is resolved, decoded or doubled slashes are
		// merged, these are another path (GHSA-p224-6x5r-fjpm, 87d594b).
		"/public/../admin":              false,
		"/public/..":                    false,
		"/public/.":                     false,
		"/public/./a":                   false,
		"/public/..%2fadmin":            false,
		"/public/..%2Fadmin":            false,
		"/public%2fa":                   false,
		"/public/%2E%2E/admin":          false,
		"/public/%252e%252e/admin":      false,
		"/public/%25%32%66admin":        false,
		"/public//admin":                false,
		"//public/a":                    false,
		"/public/..;/admin":             false,
		"/public/;x=../admin":           false,
		"/public/a%3bb":                 false,
		"/public/a;.css":                false,
		`/public/..\admin`:              false,
		"/public/..%5cadmin":            false,
		"/public/..%5Cadmin":            false,
		"/admin%00.css":                 false,
		"/public/a%00":                  false,
		"/public/%0d%0a":                false,
		"/public/%c0%ae%c0%ae/admin":    false,
		"/public/%ff":                   false,
		`/public%2f..%2fadmin"<>`:       false,
		"/public/a%2fb\"":               false,
		"http://app.example.com//x.css": false,
		"http://app.example.com":        false,
		"*":                             false,
	} {
		r := arrive(t, target)
		if r == nil {
			t.Errorf("%s: not a request", target)
			continue
		}
		if got := public.match(r); got != want {
			t.Errorf("%s: got %v", target, got)
		}
	}
}

// TestPublicPathsAfterRewrite: what arrived and what goes on must both be
// public.
func TestPublicPathsAfterRewrite(t *testing.T) {
	public := mustParsePublic(t, "/public/*", "/api/public/*")
	for _, tc := range []struct {
		arrived, rewritten string
		want               bool
	}{
		{"/public/a", "/public/b", true},
		{"/api/public/a", "/public/a", true},
		{"/public/a", "/admin", false},
		{"/admin", "/public/a", false},
		{"/public/../a", "/public/a", false},
		{"/public/a", "/public/../a", false},
		{"/public/a", "", false},
	} {
		r := arrive(t, tc.arrived)
		r.URL.Path, r.URL.RawPath = tc.rewritten, ""
		if got := public.match(r); got != tc.want {
			t.Errorf("%s to %s: got %v", tc.arrived, tc.rewritten, got)
		}
	}
	r := arrive(t, "/public/a")
	r.URL.RawPath = "/public%2fa"
	if public.match(r) {
		t.Error("took a raw path that hides a slash")
	}
}

// TestPublicPathsIgnoreHeaders: a client must not choose the path that the rule
// sees (GHSA-7x63-xv5r-3p2x).
func TestPublicPathsIgnoreHeaders(t *testing.T) {
	public := mustParsePublic(t, "/public/*")
	r := arrive(t, "/admin")
	for _, name := range []string{"X-Forwarded-Uri", "X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Prefix"} {
		r.Header.Set(name, "/public/a")
	}
	if public.match(r) {
		t.Error("a header made the path public")
	}
}

func TestPublicPathsFailClosed(t *testing.T) {
	if (publicPaths{}).match(arrive(t, "/")) {
		t.Error("no pattern matches")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if mustParsePublic(t, "*").match(r) {
		t.Error("matches without the original request")
	}
}

func TestParsePublicPathsRefuses(t *testing.T) {
	for _, pattern := range []string{
		"", "public", "public/*", "https://a.example/x", "{path}", "/{env.X}", "/a?b", "/a#b", "/a;b", `/a\*`, "/a//b", "/a/../b", "/./a",
		"/a%2fb", "/a%2Fb", "/a%5cb", "/a%00b", "/a%25b", "/a%zz", "/[a", "/a\x00", "/a\n", "/\xff",
	} {
		if _, err := parsePublicPaths([]string{pattern}); err == nil {
			t.Errorf("took %q", pattern)
		}
	}
	// A pattern of one guard must not change the configuration it came from.
	patterns := []string{"/A/*", "*"}
	mustParsePublic(t, patterns...)
	if patterns[0] != "/A/*" || patterns[1] != "*" {
		t.Errorf("changed to %q", patterns)
	}
}

// FuzzPublicPaths: a public path stays below the prefix, however an upstream
// reads it: decoded once more, backslashes as slashes, parameters cut off, dots
// and doubled slashes resolved.
func FuzzPublicPaths(f *testing.F) {
	for _, seed := range []string{"/public/a", "/public/..%2f..%2fadmin", "/public/..;/x", "/public/%252e%252e/x", `/public/\..\x`, "//public/a", "/public/./..", "http://x/public/a"} {
		f.Add(seed)
	}
	public := mustParsePublic(f, "/public/*")
	f.Fuzz(func(t *testing.T, target string) {
		if strings.ContainsAny(target, "\r\n") {
			return
		}
		r := arrive(t, target)
		if r == nil || !public.match(r) {
			return
		}
		read, err := url.PathUnescape(r.URL.Path)
		if err != nil {
			t.Fatalf("%q decodes to %q, which decodes no further", target, r.URL.Path)
		}
		read = strings.ReplaceAll(read, `\`, "/")
		segments := strings.Split(read, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		read = strings.ToLower(path.Clean(strings.Join(segments, "/")))
		if read != "/public" && !strings.HasPrefix(read, "/public/") {
			t.Fatalf("%q can be read as %q", target, read)
		}
	})
}
