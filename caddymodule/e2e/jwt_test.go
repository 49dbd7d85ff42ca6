package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// claims are those of an assertion.
type claims struct {
	jwt.Claims
	ClientID string            `json:"client_id"`
	Session  string            `json:"sid"`
	AuthTime int64             `json:"auth_time"`
	Methods  []string          `json:"amr"`
	Name     string            `json:"name"`
	Segments map[string]string `json:"segments"`
}

// keysAt fetches a key document.
func (h *home) keysAt(path string) (keys jose.JSONWebKeySet) {
	h.t.Helper()
	h.ask("GET", h.url("LOGIN", path), nil).want(200, "").json(&keys)
	return keys
}

// verifyAssertion is all that an upstream does: the JWKS, issuer, audience, typ
// and expiry.
func (h *home) verifyAssertion(assertion, audience string) (c claims) {
	h.t.Helper()
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		h.t.Fatalf("parse %q: %v", assertion, err)
	}
	if typ := token.Headers[0].ExtraHeaders[jose.HeaderType]; typ != "qqauth-ticket+jwt" {
		h.t.Errorf("typ is %v, want qqauth-ticket+jwt", typ)
	}
	if err := token.Claims(h.keysAt("/.well-known/jwks.json"), &c); err != nil {
		h.t.Fatalf("verify the signature: %v", err)
	}
	expected := jwt.Expected{Issuer: h.url("LOGIN", ""), AnyAudience: jwt.Audience{audience}, Time: time.Now()}
	if err := c.ValidateWithLeeway(expected, 0); err != nil {
		h.t.Errorf("validate: %v", err)
	}
	if c.Expiry == nil || c.IssuedAt == nil || c.ID == "" || c.Subject == "" {
		h.t.Errorf("claims are incomplete: %+v", c)
	}
	return c
}

// payload decodes a JWT's claims without verifying it.
func payload(t *testing.T, token string, v any) jose.Header {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA, jose.HS256})
	if err != nil {
		t.Fatalf("parse %q: %v", token, err)
	}
	if err := json.Unmarshal(parsed.UnsafePayloadWithoutVerification(), v); err != nil {
		t.Fatal(err)
	}
	return parsed.Signatures[0].Header
}
