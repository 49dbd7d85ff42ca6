package token

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// A bearer is, in URL-safe base64: a format byte, the second it expires at, a
// nonce that makes two of them differ, the client's id, and the MAC of all this
// and of the hash of the client's secret.
const (
	bearerFormat = 1
	bearerFixed  = 1 + 8 + 16
	bearerMAC    = 32
	// maxBearer bounds what is decoded at all; it leaves room for a client id
	// of 700 bytes.
	maxBearer = 1024
)

// NewBearer makes a tenant bearer: stateless, so good on every node, until ttl
// has passed or the client's secret, of which secretHash is the SHA-256, is no
// longer configured.
func (r *Ring) NewBearer(clientID string, secretHash [32]byte, now time.Time, ttl time.Duration) string {
	body := make([]byte, bearerFixed, bearerFixed+len(clientID)+bearerMAC)
	body[0] = bearerFormat
	binary.BigEndian.PutUint64(body[1:], uint64(now.Add(ttl).Unix()))
	rand.Read(body[9:])
	body = append(body, clientID...)
	sum := r.signer(forBearer, algHMAC, now).bearerMAC(body, secretHash)
	return base64.RawURLEncoding.EncodeToString(append(body, sum[:]...))
}

// VerifyBearer returns the client that a tenant bearer was made for. secretsOf
// returns the hashes of a client's configured secrets, none for an unknown one.
// Errors wrap ErrInvalid.
func (r *Ring) VerifyBearer(raw string, secretsOf func(clientID string) [][32]byte, now time.Time) (clientID string, err error) {
	if len(raw) > maxBearer {
		return "", invalid("too long")
	}
	all, ok := decode(raw)
	if !ok || len(all) <= bearerFixed+bearerMAC || all[0] != bearerFormat {
		return "", invalid("not in the form of a bearer")
	}
	body, sum := all[:len(all)-bearerMAC], all[len(all)-bearerMAC:]
	clientID = string(body[bearerFixed:])
	if !r.madeBearer(body, sum, secretsOf(clientID), now) {
		return "", invalid("mac is wrong")
	}
	if now.Unix() >= int64(binary.BigEndian.Uint64(body[1:])) {
		return "", ErrExpired
	}
	return clientID, nil
}

// madeBearer tries every secret under every key that is still good.
func (r *Ring) madeBearer(body, sum []byte, secrets [][32]byte, now time.Time) bool {
	for _, k := range r.keys {
		if k.Purpose != forBearer || !r.verifies(k, now) {
			continue
		}
		for _, s := range secrets {
			if want := k.bearerMAC(body, s); hmac.Equal(want[:], sum) {
				return true
			}
		}
	}
	return false
}

func (k *key) bearerMAC(body []byte, secretHash [32]byte) [32]byte {
	m := k.macs.get()
	defer k.macs.put(m)
	write(m, secretHash[:])
	write(m, body)
	return m.sum()
}
