package caddymodule

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"
)

const (
	tokenA = "Abcdefghijklmnopqrstuvwxyz012345"
	tokenB = "Zbcdefghijklmnopqrstuvwxyz012345"
)

func TestFindCredentials(t *testing.T) {
	for _, test := range []struct {
		name   string
		url    string
		header http.Header
		want   credentials
	}{
		{name: "nothing", header: http.Header{}},
		{name: "bearer", header: http.Header{"Authorization": {"Bearer " + tokenA}}, want: credentials{token: tokenA}},
		{name: "bearer in another spelling", header: http.Header{"Authorization": {" bEARER \t " + tokenA + " "}}, want: credentials{token: tokenA}},
		{name: "two lines", header: http.Header{"Authorization": {"Bearer " + tokenA, "Basic eDp5"}}, want: credentials{twofold: true}},
		{name: "the bearer decides alone", header: http.Header{"Authorization": {"Bearer " + tokenA}, "Cookie": {"__Host-qqauth=" + tokenB}}, want: credentials{token: tokenA}},
		{name: "another scheme leaves it to the cookie", header: http.Header{"Authorization": {"Basic eDp5"}, "Cookie": {"a=1; __Host-qqauth=" + tokenB}}, want: credentials{token: tokenB, byCookie: true}},
		{name: "another bearer leaves it to the cookie", header: http.Header{"Authorization": {"Bearer " + tokenA + "x"}, "Cookie": {"__Host-qqauth=" + tokenB}}, want: credentials{token: tokenB, byCookie: true}},
		{name: "no space after the scheme", header: http.Header{"Authorization": {"Bearer" + tokenA}}},
		{name: "two cookies in one line", header: http.Header{"Cookie": {"__Host-qqauth=" + tokenA + "; __Host-qqauth=" + tokenA}}, want: credentials{twofold: true}},
		{name: "two cookies in two lines", header: http.Header{"Cookie": {"__Host-qqauth=" + tokenA, "b=2; __Host-qqauth="}}, want: credentials{twofold: true}},
		// A sibling site can set a cookie whose name begins with a Unicode space:
		// browsers see no __Host- prefix on it.
		{name: "a cookie behind a unicode space", header: http.Header{"Cookie": {"\u2000__Host-qqauth=" + tokenA}}},
		{name: "misshapen cookie", header: http.Header{"Cookie": {"__Host-qqauth=short"}}},
		{name: "the plain cookie of a secure site", header: http.Header{"Cookie": {"qqauth-443=" + tokenA}}},
		{name: "the plain cookie on loopback", url: "http://localhost:8081/", header: http.Header{"Cookie": {"qqauth-8081=" + tokenA}}, want: credentials{token: tokenA, byCookie: true}},
		{name: "another port's cookie on loopback", url: "http://localhost:8081/", header: http.Header{"Cookie": {"qqauth-8080=" + tokenA}}},
		{name: "a query is no place", url: "https://app.example.com/?access_token=" + tokenA, header: http.Header{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := test.url
			if url == "" {
				url = "https://app.example.com/"
			}
			r := httptest.NewRequest(http.MethodGet, url, nil)
			r.Header = test.header
			if r.URL.Scheme == "https" {
				r.TLS = &tls.ConnectionState{}
			}
			if got := findCredentials(r); got != test.want {
				t.Errorf("found %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestOurCookies(t *testing.T) {
	for name, want := range map[string]bool{
		"__Host-qqauth": true, " __host-QQAUTH ": true, "__Host-qqauth-flow": true,
		"qqauth-8080": true, "qqauth-flow-8080": true, "QQAUTH-1": true,
		"__Host-qqauthority": false, "qqauth": false, "qqauth-theme": false, "qqauth-": false, "session": false,
	} {
		if got := isOurCookie(name); got != want {
			t.Errorf("isOurCookie(%q) = %v", name, got)
		}
	}
}
