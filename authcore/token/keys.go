package token

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how a ring is kept.
type Config struct {
	// Current wraps the ring.
	Current KEK
	// Previous still open it: it is wrapped anew under Current at once.
	Previous []KEK
	// Alg signs id_tokens; RS256 if it is empty.
	Alg Alg
	// Now is the clock that rotation goes by; time.Now if it is nil.
	Now func() time.Time
	// Keep is how long a key verifies, and stays published, after its last
	// signature: the longest lifetime of anything that is signed (id_token,
	// assertion, state_token), plus the clocks' differences. At least an hour,
	// as a tenant bearer lives for half of one.
	Keep time.Duration
}

const minKeep = time.Hour

func (c Config) withDefaults() (Config, error) {
	if c.Alg == "" {
		c.Alg = RS256
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Keep = max(c.Keep, minKeep)
	if c.Current.IsZero() || slices.ContainsFunc(c.Previous, func(k KEK) bool { return k.IsZero() }) {
		return c, errors.New("a secret_key is empty")
	}
	_, err := ParseAlg(string(c.Alg))
	return c, err
}

// roles is what a ring must fill to be used under c.
func (c Config) roles() []role {
	return []role{
		{forSeal, algSeal},
		{forIndex, algHMAC},
		{forOpaque, algHMAC},
		{forState, algHMAC},
		{forBearer, algHMAC},
		{forAssertion, ES256},
		{forIDToken, c.Alg},
	}
}

// Keys holds the ring in force. It is safe for concurrent use.
type Keys struct {
	mu     sync.Mutex // orders changes of config and ring
	config Config
	ring   atomic.Pointer[Ring]
}

// NewKeys returns Keys without a ring. Unlock gives them one; before it, only
// Unlock, Adopt and Reconfigure may be called.
func NewKeys(c Config) *Keys { return &Keys{config: c} }

// Ring is the ring in force, for one operation: a token should be minted or
// verified wholly under one ring.
func (k *Keys) Ring() *Ring { return k.ring.Load() }

// Seal is [Ring.Seal] under the ring in force.
func (k *Keys) Seal(plain, context []byte) []byte { return k.Ring().Seal(plain, context) }

// Open is [Ring.Open] under the ring in force.
func (k *Keys) Open(sealed, context []byte) ([]byte, error) { return k.Ring().Open(sealed, context) }

// Unlock puts a store's wrapped ring in force; nil, and only nil, makes a new
// one. It returns the wrapped ring that the store must hold before anything
// made under it is used, or nil if that is the one it holds. Errors are those of
// [Prepare].
func (k *Keys) Unlock(wrapped []byte) (replace []byte, err error) {
	c := k.current()
	replace, err = Prepare(c, wrapped)
	if err != nil {
		return nil, err
	}
	if replace != nil {
		wrapped = replace
	}
	return replace, k.Reconfigure(c, wrapped)
}

// Rotate is [Prepare] under the configuration in force.
func (k *Keys) Rotate(wrapped []byte) (replace []byte, err error) {
	return Prepare(k.current(), wrapped)
}

// Adopt puts in force a ring that the store has committed, by this node or
// another. After an error the former ring stays.
func (k *Keys) Adopt(wrapped []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.adopt(k.config, wrapped)
}

// Reconfigure puts a configuration and a committed ring in force. A reload asks
// [Prepare] with the new configuration first, commits what it returns, and then
// calls Reconfigure. After an error nothing has changed.
func (k *Keys) Reconfigure(c Config, wrapped []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.adopt(c, wrapped)
}

func (k *Keys) adopt(c Config, wrapped []byte) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	records, _, err := unwrap(c, wrapped)
	if err != nil {
		return err
	}
	ring, err := newRing(c, records)
	if err != nil {
		return err
	}
	k.config = c
	k.ring.Store(ring)
	return nil
}

func (k *Keys) current() Config {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.config
}
