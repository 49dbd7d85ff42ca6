package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/qqauth/qqauth/authcore/token"
)

// Each case is a way in which JWT libraries were talked into taking a forgery.
func TestForgedHeaders(t *testing.T) {
	r := ringOf(t, token.ES256)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(r.IDTokenKeys(token.ES256, start), &set); err != nil {
		t.Fatal(err)
	}
	pub := set.Keys[0]
	jwk, err := pub.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(mint(t, r, "id_token"), ".")
	hs := func(header string, secret []byte) string {
		input := encode(header) + "." + parts[1]
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		return input + "." + encode(string(mac.Sum(nil)))
	}
	with := func(header string) string { return encode(header) + "." + parts[1] + "." + parts[2] }
	kid, joined := `"kid":"`+pub.KeyID+`"`, strings.Join(parts, ".")
	for name, raw := range map[string]string{
		"alg none":                 encode(`{`+kid+`,"alg":"none"}`) + "." + parts[1] + ".",
		"alg none, signed":         with(`{` + kid + `,"alg":"none"}`),
		"alg None":                 encode(`{`+kid+`,"alg":"None"}`) + "." + parts[1] + ".",
		"signature left out":       parts[0] + "." + parts[1] + ".",
		"HS256 by the public key":  hs(`{`+kid+`,"alg":"HS256"}`, jwk),
		"HS256 by the kid":         hs(`{`+kid+`,"alg":"HS256"}`, []byte(pub.KeyID)),
		"HS256 by nothing":         hs(`{`+kid+`,"alg":"HS256"}`, nil),
		"another alg":              with(`{` + kid + `,"alg":"RS256"}`),
		"embedded jwk":             with(`{` + kid + `,"alg":"ES256","jwk":` + string(jwk) + `}`),
		"jku":                      with(`{` + kid + `,"alg":"ES256","jku":"https://evil.example/keys"}`),
		"x5u":                      with(`{` + kid + `,"alg":"ES256","x5u":"https://evil.example/cert"}`),
		"x5c":                      with(`{` + kid + `,"alg":"ES256","x5c":["AAAA"]}`),
		"crit":                     with(`{` + kid + `,"alg":"ES256","crit":["b64"],"b64":false}`),
		"no kid":                   with(`{"alg":"ES256"}`),
		"unknown kid":              with(`{"kid":"k1","alg":"ES256"}`),
		"kid as a path":            with(`{"kid":"../../dev/null","alg":"ES256"}`),
		"kid twice":                with(`{"kid":"k1",` + kid + `,"alg":"ES256"}`),
		"typ JWT":                  with(`{` + kid + `,"alg":"ES256","typ":"JWT"}`),
		"typ of an assertion":      with(`{` + kid + `,"alg":"ES256","typ":"qqauth-ticket+jwt"}`),
		"zip":                      with(`{` + kid + `,"alg":"ES256","zip":"DEF"}`),
		"other claims":             parts[0] + "." + encode(`{"iss":"`+issuer+`"}`) + "." + parts[2],
		"JSON serialization":       `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"four parts":               joined + ".",
		"five parts":               joined + ".AAAA.AAAA",
		"two parts":                parts[0] + "." + parts[1],
		"one part":                 parts[0],
		"empty":                    "",
		"dots":                     "..",
		"padded":                   joined + "==",
		"line break":               parts[0] + "." + parts[1] + ".\n" + parts[2],
		"line break in the claims": parts[0] + "." + parts[1][:8] + "\n" + parts[1][8:] + "." + parts[2],
		"stray bits at the end":    joined[:len(joined)-1] + string(joined[len(joined)-1]+1),
		"white space around":       " " + joined,
		"zero signature":           parts[0] + "." + parts[1] + "." + encode(strings.Repeat("\x00", 64)),
		"short signature":          parts[0] + "." + parts[1] + "." + parts[2][:80],
	} {
		for kind, k := range kinds {
			if err := k.verify(r, raw, start); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s passes for %s: %v", name, kind, err)
			} else if len(parts[2]) > 0 && strings.Contains(err.Error(), parts[2][:8]) {
				t.Errorf("%s: the error quotes the token: %v", name, err)
			}
		}
	}
}

// The header is part of what a kind of token is, so a signature of ours is not
// enough: whatever else may come to be signed with these keys is no token.
func TestHeadersThatAreRefused(t *testing.T) {
	r := ringOf(t, token.ES256)
	for kind := range map[string]bool{"id_token": true, "assertion": true, "state": true} {
		parts := strings.Split(mint(t, r, kind), ".")
		header, claims := decode(t, parts[0]), decode(t, parts[1])
		if err := kinds[kind].verify(r, r.MintUnder(kind, header, claims, start), start); err != nil {
			t.Fatalf("%s: its own header is refused: %v", kind, err)
		}
		for _, bad := range []string{
			strings.Replace(header, "{", `{"crit":["exp"],`, 1),
			strings.Replace(header, "{", `{"jku":"https://evil.example/keys",`, 1),
			strings.Replace(header, "{", `{"cty":"JWT",`, 1),
			strings.Replace(header, "{", `{"typ":"at+jwt",`, 1),
			strings.Replace(header, `"typ":"`, `"typ":"application/`, 1),
			strings.Replace(header, "{", "{ ", 1),
		} {
			if bad == header {
				continue // an id_token has no typ
			}
			if err := kinds[kind].verify(r, r.MintUnder(kind, bad, claims, start), start); !errors.Is(err, token.ErrInvalid) {
				t.Errorf("%s under %s: %v", kind, bad, err)
			}
		}
	}
}

// A signature of ours under claims that are not of our making: the verifier must
// not lean on the signer.
func TestClaimsThatAreRefused(t *testing.T) {
	r := ringOf(t, token.ES256)
	good := map[string]string{
		"id_token":  decode(t, strings.Split(mint(t, r, "id_token"), ".")[1]),
		"assertion": decode(t, strings.Split(mint(t, r, "assertion"), ".")[1]),
		"state":     decode(t, strings.Split(mint(t, r, "state"), ".")[1]),
	}
	for kind, claims := range good {
		if err := kinds[kind].verify(r, r.Mint(kind, claims, start), start); err != nil {
			t.Fatalf("%s: the good claims are refused: %v", kind, err)
		}
	}
	for _, tt := range []struct{ kind, name, old, new string }{
		{"id_token", "duplicate aud", `"aud":"app"`, `"aud":"app","aud":"other"`},
		{"id_token", "duplicate exp", `"exp":`, `"exp":9999999999,"exp":`},
		{"id_token", "aud is a list", `"aud":"app"`, `"aud":["app"]`},
		{"id_token", "aud is a longer list", `"aud":"app"`, `"aud":["app","other"]`},
		{"id_token", "no aud", `"aud":"app",`, ``},
		{"id_token", "AUD", `"aud":"app"`, `"AUD":"app"`},
		{"id_token", "another iss", `"iss":"https://id.example.com"`, `"iss":"https://id.example.com/"`},
		{"id_token", "no exp", `"exp":1767330245,`, ``},
		{"id_token", "exp is a string", `"exp":1767330245`, `"exp":"1767330245"`},
		{"id_token", "exp is a fraction", `"exp":1767330245`, `"exp":1767330245.5`},
		{"id_token", "no sub", `"sub":"20220425140138519-BF1B-528B05551"`, `"sub":""`},
		{"id_token", "sub null", `"sub":"20220425140138519-BF1B-528B05551"`, `"sub":null`},
		{"id_token", "no sid", `"sid":"sid1",`, ``},
		{"id_token", "another's api", `\"id\":\"2022`, `\"id\":\"2023`},
		{"id_token", "api is an object", `"api":"{`, `"api":{},"x":"{`},
		{"assertion", "aud is a list", `"aud":"https://app.example.com"`, `"aud":["https://app.example.com"]`},
		{"assertion", "another aud", `"aud":"https://app.example.com"`, `"aud":"https://app.example.com."`},
		{"assertion", "another iss", `"iss":"https://id`, `"iss":"http://id`},
		{"assertion", "no sub", `"sub":"u1",`, ``},
		{"assertion", "no exp", `"exp":1767323345,`, ``},
		{"assertion", "duplicate sub", `"sub":"u1"`, `"sub":"u2","sub":"u1"`},
		{"state", "no exp", `"exp":1767324845,`, ``},
		{"state", "duplicate jti", `"jti":`, `"jti":"x","jti":`},
		{"state", "jti of another second", `"jti":"1767323045`, `"jti":"1767323046`},
		{"state", "the vendor's jti", stateClaims.ID, "17673230456780"},
		{"state", "sub is no JSON", `"sub":"{`, `"sub":"`},
	} {
		claims := strings.Replace(good[tt.kind], tt.old, tt.new, 1)
		if claims == good[tt.kind] {
			t.Fatalf("%s, %s: the case changes nothing", tt.kind, tt.name)
		}
		if err := kinds[tt.kind].verify(r, r.Mint(tt.kind, claims, start), start); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s, %s: %v", tt.kind, tt.name, err)
		}
	}
	if _, err := r.VerifyAssertion(mint(t, r, "assertion"), issuer, "", start); !errors.Is(err, token.ErrInvalid) {
		t.Error("an empty audience takes any")
	}
}
