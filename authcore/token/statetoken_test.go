package token_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

func TestStateID(t *testing.T) {
	shape := regexp.MustCompile(`^1767323045678[A-Za-z0-9]{22}$`)
	a, b := token.NewStateID(start), token.NewStateID(start)
	if !shape.MatchString(a) || a == b {
		t.Errorf("%s, %s", a, b)
	}
}

func TestState(t *testing.T) {
	r := ringOf(t, token.EdDSA)
	for _, tt := range []struct {
		claims token.StateClaims
		sub    string
	}{
		{token.StateClaims{Status: "SOCIAL_BIND", SocialUID: "B1A2"}, `{"socialUid":"B1A2","status":"SOCIAL_BIND"}`},
		{token.StateClaims{Status: "MFA_AUTH", UserID: "u1"}, `{"userId":"u1","status":"MFA_AUTH"}`},
	} {
		tt.claims.ID, tt.claims.Expires = token.NewStateID(start), start.Add(30*time.Minute)
		raw, err := r.SignState(tt.claims, start)
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, strings.Split(raw, ".")[1]); !strings.Contains(got, strings.ReplaceAll(tt.sub, `"`, `\"`)) {
			t.Errorf("claims are %s", got)
		}
		want := tt.claims
		want.Expires, want.Issued = want.Expires.Truncate(time.Second), start.Truncate(time.Second)
		if got, err := r.VerifyState(raw, start); err != nil || got != want {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

// The contract answers what is no JWT with another code than a bad one.
func TestNotJWT(t *testing.T) {
	r := ringOf(t, token.ES256)
	const vendors = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJqdGkiOiIxNjQ2NzAzOTA0NTEwMCJ9."
	for raw, want := range map[string]bool{
		"":                                      true,
		"undefined":                             true,
		"a.b.c":                                 true,
		"..":                                    true,
		encode(`{}`) + "." + encode(`[]`) + ".": true,
		encode(`null`) + "." + encode(`{}`) + ".": true,
		encode(`{"alg":"HS256"}`) + ".e30":        true,
		vendors + "!":                             true,
		vendors + "AAAA.AAAA":                     true,
		r.NewOpaque("session").Reveal():           true,
		mint(t, r, "bearer"):                      true,
		vendors:                                   false,
		vendors + strings.Repeat("A", 43):         false,
		mint(t, r, "id_token"):                    false,
		mint(t, r, "assertion"):                   false,
		mint(t, ringOf(t, token.ES256), "state"):  false,
		strings.Repeat("A", 64<<10):               false, // not looked into
	} {
		_, err := r.VerifyState(raw, start)
		if !errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrNotJWT) != want {
			t.Errorf("%.40q: %v", raw, err)
		}
	}
	if _, err := r.VerifyState(mint(t, r, "state"), start.Add(time.Hour)); errors.Is(err, token.ErrNotJWT) {
		t.Error("an expired one is no JWT")
	}
}
