package token

import (
	"crypto"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/crypto/chacha20poly1305"
)

// Alg is a signature algorithm of id_tokens, by its JOSE name.
type Alg string

// The algorithms an operator can choose. RS256 keys have 2048 bits.
const (
	RS256 Alg = "RS256"
	ES256 Alg = "ES256"
	EdDSA Alg = "EdDSA"
)

// The algorithms that are not for choice.
const (
	algHMAC Alg = "HS256"
	algSeal Alg = "XC20P"
)

// ParseAlg reads the name of an algorithm that id_tokens may be signed with.
func ParseAlg(s string) (Alg, error) {
	switch a := Alg(s); a {
	case RS256, ES256, EdDSA:
		return a, nil
	}
	return "", fmt.Errorf("unknown algorithm %q; choose RS256, ES256 or EdDSA", s)
}

// purpose is what a key is for, and all it is for.
type purpose string

const (
	forSeal      purpose = "seal"
	forIndex     purpose = "index"
	forOpaque    purpose = "opaque"
	forState     purpose = "state"
	forBearer    purpose = "bearer"
	forIDToken   purpose = "id_token"
	forAssertion purpose = "assertion"
)

// role is a place that a ring must fill: keys of one role succeed each other.
type role struct {
	Purpose purpose `json:"purpose"`
	Alg     Alg     `json:"alg"`
}

// permanent reports whether keys of the role are never replaced, and never
// invented for a ring that has lost them: data would be lost with them.
func (r role) permanent() bool {
	return r.Purpose == forSeal || r.Purpose == forIndex || r.Purpose == forOpaque
}

// known reports whether this version has a use for the role.
func (r role) known() bool {
	switch r.Purpose {
	case forSeal:
		return r.Alg == algSeal
	case forIndex, forOpaque, forState, forBearer:
		return r.Alg == algHMAC
	case forAssertion:
		return r.Alg == ES256
	case forIDToken:
		return r.Alg == RS256 || r.Alg == ES256 || r.Alg == EdDSA
	}
	return false
}

// record is a key as it is written down.
type record struct {
	ID string `json:"id"`
	role
	Created   time.Time `json:"created"`
	Activates time.Time `json:"activates"`
	// Retires is when the successor takes over; zero until there is one.
	Retires time.Time `json:"retires,omitzero"`
	// Secret is PKCS #8 for an asymmetric key, otherwise 32 bytes.
	Secret []byte `json:"secret"`
}

// key is a record made ready for use. Which of its tools it has depends on its
// role.
type key struct {
	record

	aead    cipher.AEAD // seal
	macs    *macs       // the HMAC purposes
	verify  any         // what go-jose verifies with
	sign    func(input []byte) ([]byte, error)
	header  string // the encoded header that every JWT under this key begins with
	publish []byte // the JWK, without anything private
}

// newRecord makes a random key.
func newRecord(r role, now, activates time.Time) (record, error) {
	rec := record{role: r, Created: now.UTC(), Activates: activates.UTC()}
	var private crypto.Signer
	var err error
	switch r.Alg {
	case RS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		var id [sealIDSize]byte
		rand.Read(id[:])
		rec.ID, rec.Secret = hex.EncodeToString(id[:]), make([]byte, 32)
		rand.Read(rec.Secret)
		return rec, nil
	}
	if err == nil {
		rec.Secret, err = x509.MarshalPKCS8PrivateKey(private)
	}
	if err == nil {
		rec.ID, err = thumbprint(private.Public())
	}
	if err != nil {
		return record{}, fmt.Errorf("make %s key: %w", r.Alg, err)
	}
	return rec, nil
}

// thumbprint is the kid of a public key (RFC 7638).
func thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// newKey readies a record of a known role. Its errors wrap ErrCorrupt.
func newKey(rec record) (*key, error) {
	k := &key{record: rec}
	var err error
	switch {
	case rec.Alg == RS256 || rec.Alg == ES256 || rec.Alg == EdDSA:
		err = k.readyPair()
	case len(rec.Secret) != 32:
		err = corrupt("a key has a wrong length")
	case rec.Alg == algSeal:
		if id, _ := hex.DecodeString(rec.ID); len(id) != sealIDSize {
			return nil, corrupt("a key has a wrong id")
		}
		k.aead, err = chacha20poly1305.NewX(rec.Secret)
	default:
		k.macs, k.verify = newMACs(rec.Secret), rec.Secret
		k.sign = func(input []byte) ([]byte, error) {
			mac := hmac.New(sha256.New, rec.Secret)
			mac.Write(input)
			return mac.Sum(nil), nil
		}
	}
	if err != nil {
		return nil, err
	}
	k.header = k.encodeHeader()
	return k, nil
}

func (k *key) readyPair() error {
	parsed, err := x509.ParsePKCS8PrivateKey(k.Secret)
	if err != nil {
		return corrupt("a private key does not parse")
	}
	switch private := parsed.(type) {
	case *rsa.PrivateKey:
		if k.Alg != RS256 || private.N.BitLen() < 2048 {
			return corrupt("a private key does not fit its algorithm")
		}
		k.verify = &private.PublicKey
		k.sign = func(input []byte) ([]byte, error) {
			digest := sha256.Sum256(input)
			return rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
		}
	case *ecdsa.PrivateKey:
		if k.Alg != ES256 || private.Curve != elliptic.P256() {
			return corrupt("a private key does not fit its algorithm")
		}
		k.verify = &private.PublicKey
		k.sign = func(input []byte) ([]byte, error) { return signES256(private, input) }
	case ed25519.PrivateKey:
		if k.Alg != EdDSA {
			return corrupt("a private key does not fit its algorithm")
		}
		k.verify = private.Public()
		k.sign = func(input []byte) ([]byte, error) { return ed25519.Sign(private, input), nil }
	default:
		return corrupt("a private key is of an unknown type")
	}
	if id, err := thumbprint(k.verify); err != nil || id != k.ID {
		return corrupt("a key has a wrong id")
	}
	k.publish, err = jose.JSONWebKey{Key: k.verify, KeyID: k.ID, Algorithm: string(k.Alg), Use: "sig"}.MarshalJSON()
	return err
}

// signES256 writes r and s in 32 bytes each, RFC 7518 §3.4.
func signES256(private *ecdsa.PrivateKey, input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	if err != nil {
		return nil, err
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return sig, nil
}

// encodeHeader returns the JOSE header of the JWTs of this key's kind. Nothing
// in it depends on the token.
func (k *key) encodeHeader() string {
	var header string
	switch k.Purpose {
	case forIDToken:
		// No typ, like the vendor's.
		header = `{"kid":"` + k.ID + `","alg":"` + string(k.Alg) + `"}`
	case forAssertion:
		header = `{"typ":"` + assertionType + `","alg":"` + string(k.Alg) + `","kid":"` + k.ID + `"}`
	case forState:
		// No kid, like the vendor's.
		header = `{"alg":"` + string(k.Alg) + `","typ":"JWT"}`
	default:
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(header))
}
