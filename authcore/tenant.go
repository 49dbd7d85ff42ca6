package authcore

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"github.com/qqauth/qqauth/authcore/opaque"
)

// bearerLifetime is the vendor's: 1800 s.
const bearerLifetime = 30 * time.Minute

// NewBearer authenticates a client by its secret and returns a bearer for the
// tenant API that every node accepts.
func (s *Service) NewBearer(id ClientID, secret string) (Bearer, error) {
	sum := sha256.Sum256([]byte(secret))
	c := s.clients[id]
	if c == nil {
		return Bearer{}, ErrUnknownClient
	}
	good := 0
	for i := range c.secrets {
		good |= subtle.ConstantTimeCompare(sum[:], c.secrets[i][:])
	}
	if good != 1 || secret == "" {
		return Bearer{}, ErrClientSecret
	}
	raw := s.node.keys.Ring().NewBearer(string(id), sum, s.node.now(), bearerLifetime)
	return Bearer{Token: opaque.Of(raw), ExpiresIn: bearerLifetime}, nil
}

// CheckBearer returns the client that a bearer was made for. A bearer ends with
// the secret that it was had with.
func (s *Service) CheckBearer(bearer string) (ClientID, error) {
	id, err := s.node.keys.Ring().VerifyBearer(bearer, func(id string) [][32]byte {
		if c := s.clients[ClientID(id)]; c != nil {
			return c.secrets
		}
		return nil
	}, s.node.now())
	if err != nil {
		return "", ErrBearer
	}
	return ClientID(id), nil
}
