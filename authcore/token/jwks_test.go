package token_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/qqauth/qqauth/authcore/token"
)

// A private key in the JWKS lets anybody log in as anybody. So the members are
// held against a list of public ones, and not searched for known private ones.
func TestJWKSIsPublic(t *testing.T) {
	public := []string{"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"}
	for _, alg := range []token.Alg{token.RS256, token.ES256, token.EdDSA} {
		r := ringOf(t, alg)
		for name, doc := range map[string][]byte{"id_token": r.IDTokenKeys(alg, start), "all": r.AllKeys(start)} {
			var set struct {
				Keys []map[string]string `json:"keys"`
			}
			if err := json.Unmarshal(doc, &set); err != nil {
				t.Fatal(err)
			}
			if want := map[string]int{"id_token": 1, "all": 2}[name]; len(set.Keys) != want {
				t.Errorf("%s, %s: %d keys", alg, name, len(set.Keys))
			}
			for _, k := range set.Keys {
				for member := range k {
					if !slices.Contains(public, member) {
						t.Errorf("%s, %s: member %s", alg, name, member)
					}
				}
				if k["kid"] == "" || k["use"] != "sig" || k["alg"] == "" {
					t.Errorf("%s, %s: %v", alg, name, k)
				}
			}
			if set.Keys[0]["alg"] != string(alg) {
				t.Errorf("%s, %s: the first key is for %s", alg, name, set.Keys[0]["alg"])
			}
			var parsed jose.JSONWebKeySet
			if err := json.Unmarshal(doc, &parsed); err != nil {
				t.Errorf("%s, %s: go-jose: %v", alg, name, err)
			}
			for _, k := range parsed.Keys {
				if !k.Valid() || !k.IsPublic() {
					t.Errorf("%s, %s: key %s is not a public key", alg, name, k.KeyID)
				}
			}
		}
	}
}

// The vendor's apps parse every key of /api/v1/oauth2/keys as an RSA key.
func TestIDTokenKeysHoldOneAlgorithm(t *testing.T) {
	c, _ := config(token.ES256)
	keys, wrapped := unlocked(t, c)
	old, err := keys.Ring().SignIDToken(token.ES256, idClaims, start)
	if err != nil {
		t.Fatal(err)
	}
	c.Alg = token.RS256
	wrapped, err = token.Prepare(c, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Reconfigure(c, wrapped); err != nil {
		t.Fatal(err)
	}
	algs := func(doc []byte) (algs []string) {
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(doc, &set); err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Keys {
			algs = append(algs, k.Algorithm)
		}
		return algs
	}
	if got := algs(keys.Ring().IDTokenKeys(token.RS256, start)); !slices.Equal(got, []string{"RS256"}) {
		t.Errorf("id_token keys: %v", got)
	}
	if got := algs(keys.Ring().AllKeys(start)); !slices.Equal(got, []string{"RS256", "ES256", "ES256"}) {
		t.Errorf("all keys: %v", got)
	}
	if _, err := keys.Ring().VerifyIDToken(old, issuer, start.Add(time.Hour)); err != nil {
		t.Errorf("a token of the former algorithm: %v", err)
	}
}
