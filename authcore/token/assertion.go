package token

import (
	"cmp"
	"time"
)

// assertionType is the typ of an assertion; no other token has it.
const assertionType = "qqauth-ticket+jwt"

// AssertionClaims is what the guard tells an upstream. Times are kept to the
// second.
type AssertionClaims struct {
	Issuer   string // public_url
	Audience string // the guard's
	Subject  string // the user's id
	Client   string // the session's client id
	Session  string // the session's public id
	AuthTime time.Time
	Methods  []string // amr
	Name     string   // the user's display name
	Segments map[string]string
	Expires  time.Time

	// ID and Issued are set by VerifyAssertion; SignAssertion makes its own.
	ID     string
	Issued time.Time
}

// assertion is the JSON of an assertion.
type assertion struct {
	Issuer   string            `json:"iss"`
	Audience string            `json:"aud"`
	Subject  string            `json:"sub"`
	Client   string            `json:"client_id"`
	Session  string            `json:"sid"`
	ID       string            `json:"jti"`
	Issued   int64             `json:"iat"`
	Expires  int64             `json:"exp"`
	AuthTime int64             `json:"auth_time"`
	Methods  []string          `json:"amr"`
	Name     string            `json:"name"`
	Segments map[string]string `json:"segments"`
}

// SignAssertion mints an assertion that is issued at now.
func (r *Ring) SignAssertion(c AssertionClaims, now time.Time) (string, error) {
	segments := c.Segments
	if segments == nil {
		segments = map[string]string{} // {} for whoever reads it, not null
	}
	return mint(r.signer(forAssertion, ES256, now), assertion{
		Issuer:   c.Issuer,
		Audience: c.Audience,
		Subject:  c.Subject,
		Client:   c.Client,
		Session:  c.Session,
		ID:       newID(),
		Issued:   now.Unix(),
		Expires:  c.Expires.Unix(),
		AuthTime: c.AuthTime.Unix(),
		Methods:  list(c.Methods),
		Name:     c.Name,
		Segments: segments,
	})
}

// VerifyAssertion reads an assertion that this issuer signed for exactly this
// audience and that is good at now. Errors wrap ErrInvalid.
func (r *Ring) VerifyAssertion(raw, issuer, audience string, now time.Time) (AssertionClaims, error) {
	var t assertion
	if err := r.verify(raw, forAssertion, now, &t); err != nil {
		return AssertionClaims{}, err
	}
	switch {
	case t.Issuer != issuer:
		return AssertionClaims{}, invalid("another issuer")
	case t.Audience == "" || t.Audience != audience:
		return AssertionClaims{}, invalid("another audience")
	case t.Subject == "" || t.Session == "" || t.ID == "":
		return AssertionClaims{}, invalid("a claim is missing")
	}
	if err := cmp.Or(started(now, t.Issued), ended(now, t.Expires)); err != nil {
		return AssertionClaims{}, err
	}
	return AssertionClaims{
		Issuer:   t.Issuer,
		Audience: t.Audience,
		Subject:  t.Subject,
		Client:   t.Client,
		Session:  t.Session,
		AuthTime: seconds(t.AuthTime),
		Methods:  t.Methods,
		Name:     t.Name,
		Segments: t.Segments,
		Expires:  seconds(t.Expires),
		ID:       t.ID,
		Issued:   seconds(t.Issued),
	}, nil
}
