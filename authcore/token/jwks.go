package token

import (
	"bytes"
	"time"
)

// IDTokenKeys is the JWK set (RFC 7517) of the keys that id_tokens of one
// algorithm are signed with, the current one first. It holds no other, since the
// vendor's apps parse every key of it as one of that kind.
func (r *Ring) IDTokenKeys(alg Alg, now time.Time) []byte {
	return r.jwks(now, role{forIDToken, alg})
}

// AllKeys is the JWK set of every key that id_tokens or assertions verify with.
func (r *Ring) AllKeys(now time.Time) []byte {
	return r.jwks(now,
		role{forIDToken, r.alg},
		role{forAssertion, ES256},
		role{forIDToken, RS256},
		role{forIDToken, ES256},
		role{forIDToken, EdDSA},
	)
}

// jwks lists the roles in their order, each once, the key that signs before the
// others of its role: there are clients that take the first that fits.
func (r *Ring) jwks(now time.Time, roles ...role) []byte {
	seen := map[string]bool{}
	var list [][]byte
	add := func(k *key) {
		if k != nil && !seen[k.ID] && r.verifies(k, now) {
			seen[k.ID] = true
			list = append(list, k.publish)
		}
	}
	for _, want := range roles {
		add(r.signer(want.Purpose, want.Alg, now))
		for _, k := range r.keys {
			if k.role == want {
				add(k)
			}
		}
	}
	out := append([]byte(`{"keys":[`), bytes.Join(list, []byte(","))...)
	return append(out, "]}"...)
}
