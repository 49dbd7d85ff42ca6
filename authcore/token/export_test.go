package token

import (
	"encoding/base64"
	"encoding/json"
	"time"
)

// Mint signs claims that we would not write, with the key that signs tokens of
// a kind: "id_token", "assertion" or "state".
func (r *Ring) Mint(kind, claims string, now time.Time) string {
	return mustMint(r.current(kind, now), claims)
}

// MintUnder is Mint under a header that we would not write either.
func (r *Ring) MintUnder(kind, header, claims string, now time.Time) string {
	k := *r.current(kind, now)
	k.header = base64.RawURLEncoding.EncodeToString([]byte(header))
	return mustMint(&k, claims)
}

func (r *Ring) current(kind string, now time.Time) *key {
	alg := map[string]Alg{"id_token": r.alg, "assertion": ES256, "state": algHMAC}[kind]
	return r.signer(purpose(kind), alg, now)
}

func mustMint(k *key, claims string) string {
	raw, err := mint(k, json.RawMessage(claims))
	if err != nil {
		panic(err)
	}
	return raw
}

// Edit changes the keys inside a wrapped ring.
func Edit(c Config, wrapped []byte, edit func(keys []map[string]any) []map[string]any) []byte {
	records, _, err := unwrap(c, wrapped)
	if err != nil {
		panic(err)
	}
	var keys []map[string]any
	remarshal(records, &keys)
	records = nil
	remarshal(edit(keys), &records)
	out, err := wrap(c.Current, records)
	if err != nil {
		panic(err)
	}
	return out
}

func remarshal(from, to any) {
	b, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		panic(err)
	}
}
