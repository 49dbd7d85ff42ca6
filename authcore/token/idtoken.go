package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// IDClaims is what an id_token says. Times are kept to the second.
type IDClaims struct {
	Issuer   string // public_url
	Audience string // the client's id
	Subject  string // the user's id
	Session  string // the session's public id
	AuthTime time.Time
	Methods  []string // amr
	API      API
	Expires  time.Time

	// ID and Issued are set by VerifyIDToken; SignIDToken makes its own.
	ID     string
	Issued time.Time
}

// API is the JSON inside the claim api, in the vendor's order. What a client
// does not get of it is empty; ID is the subject.
type API struct {
	Name     string `json:"name"`
	Mobile   string `json:"mobile"`
	ID       string `json:"id"`
	UserName string `json:"userName"`
	Email    string `json:"email"`
}

// notBeforeLead is how far nbf lies before iat: the vendor's apps rely on it
// where a phone's clock is slow.
const notBeforeLead = 120 * time.Second

// idToken is the JSON of an id_token, in the vendor's order.
type idToken struct {
	Issuer    string   `json:"iss"`
	Audience  string   `json:"aud"`
	Expires   int64    `json:"exp"`
	ID        string   `json:"jti"`
	Issued    int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Subject   string   `json:"sub"`
	Session   string   `json:"sid"`
	AuthTime  int64    `json:"auth_time"`
	Methods   []string `json:"amr"`
	API       string   `json:"api"`
}

// SignIDToken mints an id_token that is issued at now. It fails only if the ring
// has no key for alg, or if c.API is not the subject's.
func (r *Ring) SignIDToken(alg Alg, c IDClaims, now time.Time) (string, error) {
	k := r.signer(forIDToken, alg, now)
	if k == nil {
		return "", fmt.Errorf("sign id_token: the ring has no %s key", alg)
	}
	if c.API.ID != c.Subject {
		return "", errors.New("sign id_token: claim api is not the subject's")
	}
	api, err := marshal(c.API)
	if err != nil {
		return "", fmt.Errorf("sign id_token: %w", err)
	}
	return mint(k, idToken{
		Issuer:    c.Issuer,
		Audience:  c.Audience,
		Expires:   c.Expires.Unix(),
		ID:        newID(),
		Issued:    now.Unix(),
		NotBefore: now.Add(-notBeforeLead).Unix(),
		Subject:   c.Subject,
		Session:   c.Session,
		AuthTime:  c.AuthTime.Unix(),
		Methods:   list(c.Methods),
		API:       string(api),
	})
}

// VerifyIDToken reads an id_token that this issuer signed and that is good at
// now. The audience is the caller's to compare. Errors wrap ErrInvalid; with
// ErrExpired, which is found last, the claims are returned all the same, for who
// only wants to end what they name.
func (r *Ring) VerifyIDToken(raw, issuer string, now time.Time) (IDClaims, error) {
	var t idToken
	if err := r.verify(raw, forIDToken, now, &t); err != nil {
		return IDClaims{}, err
	}
	var api API
	switch {
	case t.Issuer != issuer:
		return IDClaims{}, invalid("another issuer")
	case t.Audience == "" || t.Subject == "" || t.Session == "" || t.ID == "":
		return IDClaims{}, invalid("a claim is missing")
	case json.Unmarshal([]byte(t.API), &api) != nil || api.ID != t.Subject:
		return IDClaims{}, invalid("claim api is not the subject's")
	}
	if err := started(now, t.Issued, t.NotBefore); err != nil {
		return IDClaims{}, err
	}
	return IDClaims{
		Issuer:   t.Issuer,
		Audience: t.Audience,
		Subject:  t.Subject,
		Session:  t.Session,
		AuthTime: seconds(t.AuthTime),
		Methods:  t.Methods,
		API:      api,
		Expires:  seconds(t.Expires),
		ID:       t.ID,
		Issued:   seconds(t.Issued),
	}, ended(now, t.Expires)
}
