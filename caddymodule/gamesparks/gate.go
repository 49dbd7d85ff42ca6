package gamesparks

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

// Gate is where a client's games come in.
type Gate struct {
	Client             authcore.ClientID
	APIKey, Credential string
	Secret             opaque.Secret
}

// gate is a Gate with what it is compared by. Credentials, keys and secrets are
// compared as hashes, which are all of one length.
type gate struct {
	Gate
	credential, apiKey, secret [sha256.Size]byte
	id                         gateID
}

// gateID is the same for two gates exactly if all of them is the same.
type gateID [sha256.Size]byte

func newGate(g Gate) gate {
	h := sha256.New()
	for _, part := range []string{string(g.Client), g.APIKey, g.Credential, g.Secret.Reveal()} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return gate{
		Gate:       g,
		credential: sha256.Sum256([]byte(g.Credential)),
		apiKey:     sha256.Sum256([]byte(g.APIKey)),
		secret:     g.Secret.Hash(),
		id:         gateID(h.Sum(nil)),
	}
}

// gateBySecret finds the gate of a REST request.
func (h *Handler) gateBySecret(credential, secret string) *gate {
	return h.gateBy(credential, secret, func(g *gate) *[sha256.Size]byte { return &g.secret })
}

// gateByKey finds the gate of a WebSocket.
func (h *Handler) gateByKey(credential, apiKey string) *gate {
	return h.gateBy(credential, apiKey, func(g *gate) *[sha256.Size]byte { return &g.apiKey })
}

// gateBy compares with every gate, so that the time tells neither which one fits
// nor whether the credential exists.
func (h *Handler) gateBy(credential, other string, of func(*gate) *[sha256.Size]byte) *gate {
	c, o, found := sha256.Sum256([]byte(credential)), sha256.Sum256([]byte(other)), -1
	for i := range h.gates {
		g := &h.gates[i]
		fits := subtle.ConstantTimeCompare(c[:], g.credential[:]) & subtle.ConstantTimeCompare(o[:], of(g)[:])
		found = subtle.ConstantTimeSelect(fits, i, found)
	}
	if found < 0 {
		return nil
	}
	return &h.gates[found]
}

// has reports whether a gate is one of this handler's, unchanged.
func (h *Handler) has(id gateID) bool {
	for i := range h.gates {
		if h.gates[i].id == id {
			return true
		}
	}
	return false
}
