package token

import (
	"bytes"
	"encoding/base64"
	stdjson "encoding/json"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/qqauth/qqauth/authcore/opaque"
)

const (
	// maxToken bounds what is parsed at all: whoever sends more wants to cost
	// us memory. The longest token of ours is an assertion with many segments.
	maxToken = 16 << 10
	// leeway is how far the clock of the node that issued may be ahead.
	leeway = 60 * time.Second
	// idLength is that of a jti: 131 random bits.
	idLength = 22
)

func newID() string { return opaque.Random(idLength) }

// mint signs claims in compact form. The header is the key's and never changes,
// so it is encoded once per key: that, and not signing through maps, is why
// go-jose only verifies here. See BenchmarkSignAssertion.
func mint(k *key, claims any) (string, error) {
	body, err := marshal(claims)
	if err != nil {
		return "", err
	}
	b64 := base64.RawURLEncoding
	out := make([]byte, 0, len(k.header)+b64.EncodedLen(len(body))+b64.EncodedLen(256)+2)
	out = append(out, k.header...)
	out = append(out, '.')
	out = b64.AppendEncode(out, body)
	sig, err := k.sign(out)
	if err != nil {
		return "", err
	}
	out = append(out, '.')
	return string(b64.AppendEncode(out, sig)), nil
}

// marshal writes JSON in UTF-8 with nothing escaped that need not be: without
// it, names come out with \u003c and the like, which is not the vendor's way.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := stdjson.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// verify checks that raw was minted by a key of one purpose that is still good,
// and reads its claims.
//
// The header is not interpreted: it must be, to the letter, the one that we
// write for one of these keys. So alg none, a foreign alg or typ, jwk, jku, x5u,
// x5c, crit, an unknown kid and every other kind of token are all the same case.
func (r *Ring) verify(raw string, p purpose, now time.Time, claims any) error {
	if len(raw) > maxToken {
		return invalid("too long")
	}
	header, rest, _ := strings.Cut(raw, ".")
	body, sig, _ := strings.Cut(rest, ".")
	if _, ok := decode(body); !ok {
		return invalid("not in compact form")
	}
	if _, ok := decode(sig); !ok {
		return invalid("not in compact form")
	}
	err := invalid("header is not one of ours")
	for _, k := range r.keys {
		if k.Purpose != p || k.header != header || !r.verifies(k, now) {
			continue
		}
		var payload []byte
		if payload, err = verifyWith(k, raw); err == nil {
			// go-jose's JSON, as it refuses duplicate names.
			if json.Unmarshal(payload, claims) != nil {
				return invalid("claims do not parse")
			}
			return nil
		}
	}
	return err
}

func verifyWith(k *key, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.Alg)})
	if err != nil {
		return nil, invalid("not in compact form")
	}
	payload, err := jws.Verify(k.verify)
	if err != nil {
		return nil, invalid("signature is wrong")
	}
	return payload, nil
}

// decode reads URL-safe base64 in its one proper spelling: no padding, no line
// breaks, no stray bits at the end, all of which decoders let pass.
func decode(s string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil && base64.RawURLEncoding.EncodedLen(len(b)) == len(s)
}

// started refuses what begins, in seconds since 1970, later than another node's
// clock can explain.
func started(now time.Time, starts ...int64) error {
	for _, s := range starts {
		if s > now.Add(leeway).Unix() {
			return invalid("issued in the future")
		}
	}
	return nil
}

// ended refuses what has expired, in seconds since 1970.
func ended(now time.Time, expires int64) error {
	if now.Unix() >= expires {
		return ErrExpired
	}
	return nil
}

// list makes an array of what may be nil.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func seconds(s int64) time.Time { return time.Unix(s, 0).UTC() }
