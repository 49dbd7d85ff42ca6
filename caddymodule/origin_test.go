package caddymodule

import "testing"

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
