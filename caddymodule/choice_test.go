package caddymodule

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"client", "claims", "qq", "secret", "session", "401"}
	for in, want := range map[string]string{
		"clinet": "client", "Client": "client", "clients": "client", "sekret": "secret", "sesion": "session", "403": "401",
		"": "", "x": "", "qx": "", "se": "", "attempt": "", "secretary": "",
	} {
		if got, ok := nearest(in, words); got != want || ok != (want != "") {
			t.Errorf("nearest(%q) = %q, %v", in, got, ok)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"abc", "abd", 1}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"public_ulr", "public_url", 1},
	} {
		if got := editDistance(tc.a, tc.b); got != tc.want {
			t.Errorf("%q %q: got %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
