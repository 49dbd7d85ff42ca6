package opaque

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

	// length is that of the vendor's tokens; random of its characters hold 154
	// bits, and an invented checksum is right once in 5.7e10 times.
	length   = 32
	random   = 26
	checksum = length - random
)

// New makes a token of one kind: 26 random characters and the checksum of kind
// and these under key.
func New(key *[32]byte, kind string) Secret {
	s := Random(random)
	sum := check(key, kind, s)
	return Of(s + string(sum[:]))
}

// Valid reports whether s has the shape of a token and the checksum of one that
// was made under key for kind. It says nothing about whether anybody issued it,
// and takes the same time for every s of the right shape.
func Valid(key *[32]byte, kind, s string) bool {
	if !Shaped(s) {
		return false
	}
	sum := check(key, kind, s[:random])
	return subtle.ConstantTimeCompare(sum[:], []byte(s[random:])) == 1
}

// Shaped reports whether s is exactly 32 of [A-Za-z0-9].
func Shaped(s string) bool {
	if len(s) != length {
		return false
	}
	for i := range length {
		if !inAlphabet[s[i]] {
			return false
		}
	}
	return true
}

var inAlphabet = func() (in [256]bool) {
	for i := range len(alphabet) {
		in[alphabet[i]] = true
	}
	return in
}()

// Random returns n random characters of [A-Za-z0-9], 5.95 bits each.
func Random(n int) string {
	out := make([]byte, 0, n)
	var pool [32]byte
	for len(out) < n {
		rand.Read(pool[:])
		for _, b := range pool {
			// Six bits make 64 values. Those beyond the alphabet are thrown
			// away: folding them back would make some characters likelier.
			if b &= 63; int(b) < len(alphabet) && len(out) < n {
				out = append(out, alphabet[b])
			}
		}
	}
	return string(out)
}

// check is the checksum of s: HMAC-SHA256(key, kind || 0x00 || s), its first 64
// bits in base 62, least digit first. No kind holds a zero byte, so kind and s
// cannot flow into each other.
func check(key *[32]byte, kind, s string) (sum [checksum]byte) {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(kind))
	mac.Write([]byte{0})
	mac.Write([]byte(s))
	n := binary.BigEndian.Uint64(mac.Sum(nil))
	for i := range sum {
		sum[i] = alphabet[n%uint64(len(alphabet))]
		n /= uint64(len(alphabet))
	}
	return sum
}
