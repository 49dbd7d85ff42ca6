package token

import (
	"crypto/rand"
	"encoding/hex"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// Sealed bytes are a format byte, the id of the key, a nonce and the ciphertext
// with its tag. All before the nonce is authenticated along with the context.
const (
	sealFormat     = 1
	sealIDSize     = 8
	sealHeaderSize = 1 + sealIDSize
	sealOverhead   = sealHeaderSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

// Seal encrypts and authenticates plain for one place, which context names:
// sealed bytes that were moved to another place do not open. They are 49 bytes
// longer than plain.
func (r *Ring) Seal(plain, context []byte) []byte {
	out := make([]byte, sealHeaderSize+chacha20poly1305.NonceSizeX, len(plain)+sealOverhead)
	out[0] = sealFormat
	hex.Decode(out[1:sealHeaderSize], []byte(r.seal.ID))
	nonce := out[sealHeaderSize:]
	rand.Read(nonce)
	return r.seal.aead.Seal(out, nonce, plain, sealContext(out, context))
}

// Open undoes Seal, under whichever key of the ring it was done. Its errors wrap
// ErrCorrupt.
func (r *Ring) Open(sealed, context []byte) ([]byte, error) {
	if len(sealed) < sealOverhead || sealed[0] != sealFormat {
		return nil, corrupt("not in the form of sealed bytes")
	}
	id := hex.EncodeToString(sealed[1:sealHeaderSize])
	i := slices.IndexFunc(r.keys, func(k *key) bool { return k.Purpose == forSeal && k.ID == id })
	if i < 0 {
		return nil, corrupt("sealed under a key that is not in the ring")
	}
	nonce, box := sealed[sealHeaderSize:sealHeaderSize+chacha20poly1305.NonceSizeX], sealed[sealHeaderSize+chacha20poly1305.NonceSizeX:]
	plain, err := r.keys[i].aead.Open(nil, nonce, box, sealContext(sealed, context))
	if err != nil {
		return nil, corrupt("sealed bytes do not open")
	}
	return plain, nil
}

// sealContext is what is authenticated and not encrypted.
func sealContext(sealed, context []byte) []byte {
	return slices.Concat(sealed[:sealHeaderSize], context)
}
