package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// macs makes HMAC-SHA256 values under one key and reuses their state, which
// costs more to set up than a short message costs to hash.
type macs struct{ pool sync.Pool }

// mac is one HMAC in the making.
type mac struct {
	hash hash.Hash
	buf  []byte
}

func newMACs(secret []byte) *macs {
	return &macs{sync.Pool{New: func() any { return &mac{hash: hmac.New(sha256.New, secret)} }}}
}

func (m *macs) get() *mac { return m.pool.Get().(*mac) }

func (m *macs) put(x *mac) {
	// What was hashed is personal or secret: it does not outlive its use.
	clear(x.buf[:cap(x.buf)])
	x.buf = x.buf[:0]
	m.pool.Put(x)
}

// write adds s behind its length, so that where one string ends and the next
// begins cannot be mistaken.
func write[T string | []byte](x *mac, s T) {
	x.buf = binary.BigEndian.AppendUint32(x.buf, uint32(len(s)))
	x.buf = append(x.buf, s...)
}

// sum is the MAC of all that was written.
func (x *mac) sum() [32]byte {
	x.hash.Reset()
	x.hash.Write(x.buf)
	x.buf = x.hash.Sum(x.buf[:0])
	return [32]byte(x.buf)
}
