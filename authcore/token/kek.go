package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/qqauth/qqauth/authcore/opaque"
)

// KEK is the key-encryption key, the operator's secret_key: 32 bytes that wrap
// the ring and do nothing else. It prints as "[redacted]"; Reveal returns it in
// hex. The zero KEK wraps nothing.
type KEK struct{ opaque.Secret }

const kekSize = 32

// NewKEK makes a random KEK.
func NewKEK() KEK {
	var b [kekSize]byte
	rand.Read(b[:])
	return kekOf(b[:])
}

func kekOf(b []byte) KEK { return KEK{opaque.Of(hex.EncodeToString(b))} }

// ParseKEK reads a KEK from 32 bytes in hex or in base64, standard or URL-safe,
// padded or not. White space around it is ignored, as files end in a newline.
// Its errors never quote s.
func ParseKEK(s string) (KEK, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return KEK{}, errors.New("secret_key is empty; make one with: openssl rand -hex 32")
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		b, err = decodeBase64(s)
	}
	if err != nil {
		return KEK{}, errors.New("secret_key is neither hex nor base64; make one with: openssl rand -hex 32")
	}
	if len(b) != kekSize {
		return KEK{}, fmt.Errorf("secret_key holds %d bytes instead of 32; make one with: openssl rand -hex 32", len(b))
	}
	return kekOf(b), nil
}

func decodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		// encoding/base64 would skip them: two lines are two secrets.
		return nil, errors.New("line break")
	}
	enc := base64.StdEncoding
	if strings.ContainsAny(s, "-_") {
		enc = base64.URLEncoding
	}
	if !strings.HasSuffix(s, "=") {
		enc = enc.WithPadding(base64.NoPadding)
	}
	return enc.Strict().DecodeString(s)
}

// bytes is the key itself.
func (k KEK) bytes() []byte {
	b, err := hex.DecodeString(k.Reveal())
	if err != nil || len(b) != kekSize {
		panic("token: KEK was not made by NewKEK or ParseKEK")
	}
	return b
}

// checkID names the KEK in what it wrapped, in clear, so that another secret_key
// can be told from damage. It is a MAC and tells nothing about the key.
func (k KEK) checkID() [8]byte {
	mac := hmac.New(sha256.New, k.bytes())
	mac.Write([]byte("qqauth secret_key check 1"))
	return [8]byte(mac.Sum(nil))
}
