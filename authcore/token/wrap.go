package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// A wrapped ring is a version byte, the check id of the KEK, a nonce, the
// ciphertext with its tag, and the first 8 bytes of the SHA-256 of all before.
// The sum proves nothing, the tag does; it lets a damaged check id be told from
// another secret_key, which an operator must do different things about.
const (
	wrapVersion    = 1
	wrapHeaderSize = 1 + 8
	wrapSumSize    = 8
	wrapOverhead   = wrapHeaderSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead + wrapSumSize
)

// ringFile is what is wrapped.
type ringFile struct {
	Keys []record `json:"keys"`
}

// wrap encrypts records under k.
func wrap(k KEK, records []record) ([]byte, error) {
	plain, err := json.Marshal(ringFile{records})
	if err != nil {
		return nil, fmt.Errorf("write key ring: %w", err)
	}
	aead, err := chacha20poly1305.NewX(k.bytes())
	if err != nil {
		return nil, fmt.Errorf("wrap key ring: %w", err)
	}
	id := k.checkID()
	out := append([]byte{wrapVersion}, id[:]...)
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	out = aead.Seal(append(out, nonce...), nonce, plain, out[:wrapHeaderSize])
	sum := sha256.Sum256(out)
	return append(out, sum[:wrapSumSize]...), nil
}

// unwrap undoes wrap with the KEK of c that it was done with; stale says that
// this is not the current one.
func unwrap(c Config, wrapped []byte) (records []record, stale bool, err error) {
	if len(wrapped) < wrapOverhead {
		return nil, false, corrupt("the key ring is too short")
	}
	body, sum := wrapped[:len(wrapped)-wrapSumSize], sha256.Sum256(wrapped[:len(wrapped)-wrapSumSize])
	if string(sum[:wrapSumSize]) != string(wrapped[len(body):]) {
		return nil, false, corrupt("the key ring has a wrong checksum")
	}
	if body[0] != wrapVersion {
		return nil, false, fmt.Errorf("key ring has version %d: it was written by a newer qqauth", body[0])
	}
	keks := append([]KEK{c.Current}, c.Previous...)
	i := slices.IndexFunc(keks, func(k KEK) bool { return k.checkID() == [8]byte(body[1:wrapHeaderSize]) })
	if i < 0 {
		return nil, false, ErrWrongSecret
	}
	aead, err := chacha20poly1305.NewX(keks[i].bytes())
	if err != nil {
		return nil, false, fmt.Errorf("unwrap key ring: %w", err)
	}
	nonce, box := body[wrapHeaderSize:wrapHeaderSize+chacha20poly1305.NonceSizeX], body[wrapHeaderSize+chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, box, body[:wrapHeaderSize])
	if err != nil {
		return nil, false, corrupt("the key ring does not open")
	}
	var file ringFile
	if err := json.Unmarshal(plain, &file); err != nil {
		return nil, false, corrupt("the key ring does not parse")
	}
	return file.Keys, i > 0, nil
}
