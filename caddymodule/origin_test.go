package caddymodule

import (
	"strings"
	"sync"
	"testing"
)

func TestParseOrigin(t *testing.T) {
	for in, want := range map[string]string{
		"https://app.example.com":       "https://app.example.com",
		"HTTPS://App.Example.COM":       "https://app.example.com",
		"https://app.example.com:443":   "https://app.example.com",
		"http://app.example.com:80":     "http://app.example.com",
		"https://app.example.com:80":    "https://app.example.com:80",
		"http://app.example.com:0443":   "http://app.example.com:443",
		"https://app.example.com:":      "https://app.example.com",
		"http://[::1]:8080":             "http://[::1]:8080",
		"http://[0:0:0:0:0:0:0:1]":      "http://[::1]",
		"http://192.168.1.1":            "http://192.168.1.1",
		"https://xn--fiqs8s.example":    "https://xn--fiqs8s.example",
		"https://app.example.com/":      "",
		"https://app.example.com/x":     "",
		"https://app.example.com?":      "",
		"https://app.example.com#":      "",
		"https://u:p@app.example.com":   "",
		"https://app.example.com:0":     "",
		"https://app.example.com:x":     "",
		"https://app.example.com:70000": "",
		"https://*.example.com":         "",
		"https://app..example.com":      "",
		"https://app.example.com.":      "",
		"https://中国.example":            "",
		"https://-a.example":            "",
		"https://[::1%25lo]":            "",
		"https://":                      "",
		"https:app.example.com":         "",
		"//app.example.com":             "",
		"app.example.com":               "",
		"ftp://app.example.com":         "",
		"javascript:alert(1)":           "",
		"null":                          "",
		"*":                             "",
		"":                              "",
		" https://app.example.com":      "",
		"https://app.example.com\\x":    "",
		"https://app.example.com\r\nx":  "",
	} {
		if got, err := parseOrigin(in); got != want || (err == nil) != (want != "") {
			t.Errorf("parseOrigin(%q) = %q, %v", in, got, err)
		}
	}
}

func TestParsePublicURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://id.example.com/":     "https://id.example.com",
		"https://ID.example.com:443/": "https://id.example.com",
		"http://localhost:9080":       "http://localhost:9080",
		"https://id.example.com//":    "",
		"https://id.example.com/sso/": "",
	} {
		if got, err := parsePublicURL(in); got != want || (err == nil) != (want != "") {
			t.Errorf("parsePublicURL(%q) = %q, %v", in, got, err)
		}
	}
}

func TestParseRedirectURI(t *testing.T) {
	for in, want := range map[string]string{
		"https://app.example.com/callback":        "https://app.example.com",
		"https://app.example.com":                 "https://app.example.com",
		"HTTPS://App.Example.COM:443/cb?a=/b?c":   "https://app.example.com",
		"https://app.example.com?next=a":          "https://app.example.com",
		"http://localhost:8080/%E4%B8%AD?a=%20":   "http://localhost:8080",
		"https://app.example.com/cb#":             "",
		"https://app.example.com/cb?a#b":          "",
		"https://u:p@app.example.com/cb":          "",
		"https://u@app.example.com/cb?a":          "",
		"https://app.example.com\\@evil.example/": "",
		"https://app.example.com/cb?a\\b":         "",
		"https://app.example.com/cb?a b":          "",
		"https://app.example.com/中":               "",
		"https://app.example.com/{env.PATH}":      "",
		"https://app.example.com/cb?a\r\nb":       "",
		"https://*.example.com/cb":                "",
		"https:///cb":                             "",
		"https:app.example.com/cb":                "",
		"//app.example.com/cb":                    "",
		"/cb":                                     "",
		"?https://app.example.com":                "",
		"myapp://callback":                        "",
		"javascript:alert(1)":                     "",
		"":                                        "",
	} {
		if got, err := parseRedirectURI(in); got != want || (err == nil) != (want != "") {
			t.Errorf("parseRedirectURI(%q) = %q, %v", in, got, err)
		} else if err != nil && in != "" && strings.Contains(err.Error(), in) {
			t.Errorf("the error repeats %q", in)
		}
	}
}

// TestAllowedOrigin: a site's guard is provisioned after the app, and sites in any
// order, so what counts is what is known when a request comes.
func TestAllowedOrigin(t *testing.T) {
	bareEnv(t)
	app := &App{Config: Config{
		PublicURL: "http://id.localhost:9080",
		Simulator: defaultSimulator,
		Clients: []Client{
			{ID: "shop", RedirectURIs: []string{"HTTP://Shop.localhost:80/callback", "http://shop.localhost:8080/?from=qq"}},
			{ID: "forum", RedirectURIs: []string{"http://forum.localhost"}},
		},
	}}
	if err := provision(t, app); err != nil {
		t.Fatal(err)
	}
	if app.allowedOrigin("http://a.localhost:9080") {
		t.Error("allowed before its guard is there")
	}
	for _, audience := range []string{"HTTP://A.localhost:9080", "orders", "http://c.localhost:9080/"} {
		if err := app.addAudience(audience); err != nil {
			t.Fatal(err)
		}
	}
	for origin, want := range map[string]bool{
		"http://shop.localhost":          true,
		"http://shop.localhost:8080":     true,
		"http://forum.localhost":         true,
		"http://a.localhost:9080":        true,
		"http://c.localhost:9080":        false, // a slash makes it no origin
		"http://id.localhost:9080":       false, // no guard leaves its audience out
		"orders":                         false,
		"https://shop.localhost":         false,
		"http://shop.localhost:80":       false, // no browser writes it so
		"http://shop.localhost/callback": false,
		"http://evil.shop.localhost":     false,
		"http://SHOP.localhost":          false,
		"null":                           false,
		"*":                              false,
		"":                               false,
	} {
		if got := app.allowedOrigin(origin); got != want {
			t.Errorf("allowedOrigin(%q) = %v", origin, got)
		}
	}
}

func TestAllowedOriginOfDefaultAudience(t *testing.T) {
	app := &App{Config: *shopConfig(nil)}
	if app.allowedOrigin("https://id.example.com") {
		t.Error("allowed without a guard")
	}
	if err := app.addAudience(""); err != nil || !app.allowedOrigin("https://id.example.com") {
		t.Errorf("a guard without an audience: %v", err)
	}
}

// TestAllowedOriginWhileProvisioning is for the race detector.
func TestAllowedOriginWhileProvisioning(t *testing.T) {
	app := &App{Config: *shopConfig(nil)}
	var wg sync.WaitGroup
	for _, origin := range []string{"https://a.example", "https://b.example"} {
		wg.Go(func() {
			if err := app.addAudience(origin); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { app.allowedOrigin(origin) })
	}
	wg.Wait()
	if !app.allowedOrigin("https://a.example") || !app.allowedOrigin("https://b.example") {
		t.Error("an origin is lost")
	}
}
