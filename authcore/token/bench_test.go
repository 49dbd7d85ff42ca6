package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"github.com/qqauth/qqauth/authcore/token"
)

func BenchmarkSignAssertion(b *testing.B) {
	r := ringOf(b, token.EdDSA)
	b.ReportAllocs()
	for b.Loop() {
		r.SignAssertion(assertionClaims, start)
	}
}

// BenchmarkRawES256 is what SignAssertion is measured against.
func BenchmarkRawES256(b *testing.B) {
	k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	digest := sha256.Sum256(make([]byte, 500))
	b.ReportAllocs()
	for b.Loop() {
		ecdsa.SignASN1(rand.Reader, k, digest[:])
	}
}

func BenchmarkSignIDToken(b *testing.B) {
	for _, alg := range []token.Alg{token.RS256, token.ES256, token.EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			r := ringOf(b, alg)
			b.ReportAllocs()
			for b.Loop() {
				r.SignIDToken(alg, idClaims, start)
			}
		})
	}
}

// BenchmarkRawRS256 is what SignIDToken is measured against.
func BenchmarkRawRS256(b *testing.B) {
	k, _ := rsa.GenerateKey(rand.Reader, 2048)
	digest := sha256.Sum256(make([]byte, 500))
	b.ReportAllocs()
	for b.Loop() {
		rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])
	}
}

func BenchmarkVerify(b *testing.B) {
	r := ringOf(b, token.ES256)
	for kind, k := range kinds {
		raw := mint(b, r, kind)
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k.verify(r, raw, start)
			}
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	r, plain, place := ringOf(b, token.EdDSA), make([]byte, 300), make([]byte, 40)
	b.ReportAllocs()
	for b.Loop() {
		r.Seal(plain, place)
	}
}

func BenchmarkOpen(b *testing.B) {
	r, place := ringOf(b, token.EdDSA), make([]byte, 40)
	sealed := r.Seal(make([]byte, 300), place)
	b.ReportAllocs()
	for b.Loop() {
		r.Open(sealed, place)
	}
}

func BenchmarkIndex(b *testing.B) {
	r := ringOf(b, token.EdDSA)
	b.ReportAllocs()
	for b.Loop() {
		r.Index("identity", "101234567", "9F7C1A0B2D3E4F5061728394A5B6C7D8")
	}
}

func BenchmarkValid(b *testing.B) {
	r := ringOf(b, token.EdDSA)
	s := r.NewOpaque("session").Reveal()
	b.ReportAllocs()
	for b.Loop() {
		r.ValidOpaque("session", s)
	}
}
