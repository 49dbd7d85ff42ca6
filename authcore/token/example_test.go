package token_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/qqauth/qqauth/authcore/token"
)

// An upstream needs nothing but the JWK set, public_url and its own audience to
// know who is asking.
func ExampleRing_AllKeys() {
	// At the guard:
	keys := token.NewKeys(token.Config{Current: token.NewKEK(), Alg: token.ES256})
	if _, err := keys.Unlock(nil); err != nil {
		fmt.Println(err)
		return
	}
	now := time.Now()
	header, err := keys.Ring().SignAssertion(token.AssertionClaims{
		Issuer:   "https://id.example.com",
		Audience: "https://app.example.com",
		Subject:  "20220425140138519-BF1B-528B05551",
		Client:   "app",
		Session:  "a-session",
		AuthTime: now,
		Methods:  []string{"qq"},
		Name:     "小明",
		Segments: map[string]string{"tier": "gold"},
		Expires:  now.Add(5 * time.Minute),
	}, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	jwks := keys.Ring().AllKeys(now) // https://id.example.com/.well-known/jwks.json

	// At the upstream, with X-Qqauth-Ticket and the JWK set:
	user, err := whoIsIt(header, jwks)
	fmt.Println(user.Name, user.Segments["tier"], err)
	// Output: 小明 gold <nil>
}

type upstreamUser struct {
	ID       string            `json:"sub"`
	Name     string            `json:"name"`
	Methods  []string          `json:"amr"`
	Segments map[string]string `json:"segments"`
}

func whoIsIt(header string, jwks []byte) (upstreamUser, error) {
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(jwks, &keys); err != nil {
		return upstreamUser{}, err
	}
	assertion, err := jwt.ParseSigned(header, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return upstreamUser{}, err
	}
	if assertion.Headers[0].ExtraHeaders[jose.HeaderType] != "qqauth-ticket+jwt" {
		return upstreamUser{}, errors.New("another kind of token")
	}
	var standard jwt.Claims
	var user upstreamUser
	if err := assertion.Claims(keys, &standard, &user); err != nil {
		return upstreamUser{}, err
	}
	return user, standard.Validate(jwt.Expected{
		Issuer:      "https://id.example.com",
		AnyAudience: jwt.Audience{"https://app.example.com"},
		Time:        time.Now(),
	})
}
