package token

import (
	"errors"
	"fmt"
)

var (
	// ErrWrongSecret says that a ring was wrapped under a secret_key that is
	// none of the configured ones.
	ErrWrongSecret = errors.New("the store was made under another secret_key")
	// ErrCorrupt says that a wrapped ring or sealed bytes are damaged, or are
	// not where they were written.
	ErrCorrupt = errors.New("sealed data is damaged")

	// ErrInvalid says that a token is not good. What wraps it says why, for a
	// log, and holds no part of the token.
	ErrInvalid = errors.New("invalid token")
	// ErrExpired says that a token was good once. It wraps ErrInvalid.
	ErrExpired = fmt.Errorf("%w: expired", ErrInvalid)
	// ErrNotJWT says that what should be a state_token is no JWT at all. It
	// wraps ErrInvalid.
	ErrNotJWT = fmt.Errorf("%w: not a jwt", ErrInvalid)
)

func invalid(reason string) error { return fmt.Errorf("%w: %s", ErrInvalid, reason) }

func corrupt(reason string) error { return fmt.Errorf("%w: %s", ErrCorrupt, reason) }
