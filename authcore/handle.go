package authcore

import (
	"strings"

	"github.com/qqauth/qqauth/authcore/contact"
	"github.com/qqauth/qqauth/authcore/token"
)

// The kinds of MAC that stand for what codes, limits and users are found by.
type (
	// HandleHash stands for a proved phone number or e-mail address, a user name or
	// a device identity.
	HandleHash [32]byte
	// CodeHash stands for the login or user that a code was made for, with its
	// client, device and type.
	CodeHash [32]byte
	// CounterHash stands for what a limit counts.
	CounterHash [32]byte
	// ErasedHash stands for a user, or a QQ identity of one, that was erased, and for
	// a user name that was given up. That of an identity is its IdentityHash, that of
	// a name its HandleHash.
	ErasedHash [32]byte
)

// handle stands for a contact where it must not be readable.
func (s *Service) handle(c Contact) HandleHash {
	ring := s.node.keys.Ring()
	if !c.Starred {
		return handleOf(ring, c.Way, c.Value)
	}
	// A starred number may be written with its country or without.
	national := c.Value
	if _, rest, ok := strings.Cut(c.Value, "-"); ok {
		national = rest
	}
	return HandleHash(ring.Index("starred", string(c.Way), national))
}

// handleOf stands for a phone number or an e-mail address; users are found by it.
func handleOf(ring *token.Ring, way Way, value string) HandleHash {
	return HandleHash(ring.Index("handle", string(way), value))
}

// ParseContact brings what somebody wrote into its one form, or answers
// ErrContact. A phone number may be starred.
func (s *Service) ParseContact(way Way, written string) (Contact, error) {
	return ParseContact(s.countries, way, written)
}

// ParseContact is [Service.ParseContact] without a store.
func ParseContact(countries *contact.Countries, way Way, written string) (Contact, error) {
	c := Contact{Way: way}
	var err error
	if way == WayEmail {
		c.Value, err = contact.ParseEmail(written)
	} else if c.Starred = contact.IsStarred(strings.TrimSpace(written)); c.Starred {
		c.Value = strings.TrimSpace(written)
	} else {
		c.Value, err = countries.ParseMobile(written)
	}
	if err != nil {
		return Contact{}, ErrContact
	}
	return c, nil
}

// Countries lists the countries whose phones may get codes, the preferred one
// first.
func (s *Service) Countries() []contact.Country { return s.countries.List() }
