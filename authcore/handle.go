package authcore

import "time"

// The kinds of MAC that stand for what codes, limits and users are found by.
type (
	// HandleHash stands for a proved phone number or e-mail address.
	HandleHash [32]byte
	// CodeHash stands for the login or user that a code was made for, with its
	// client, device and type.
	CodeHash [32]byte
	// CounterHash stands for what a limit counts.
	CounterHash [32]byte
	// ErasedHash stands for a user, or a QQ identity of one, that was erased. That
	// of an identity is its IdentityHash.
	ErasedHash [32]byte
)

// Code is a verification code that was sent, or what is left of one: how often
// it has been guessed.
type Code struct {
	Hash CodeHash `cbor:"1,keyasint"`
	// Answer stands for the digits and whom they were sent to; zero is never right.
	Answer  [32]byte  `cbor:"2,keyasint"`
	Tries   int       `cbor:"3,keyasint,omitempty"`
	Expires time.Time `cbor:"4,keyasint"`
}

// Captcha is a puzzle that was shown, and after its solution the permission to
// send one code.
type Captcha struct {
	Token  TokenHash  `cbor:"1,keyasint"`
	Client ClientID   `cbor:"2,keyasint"`
	Device DeviceHash `cbor:"3,keyasint"`
	X      int        `cbor:"4,keyasint"` // the solution
	// Solved says that the puzzle is solved; Sender then stands for whom a code
	// may be sent to.
	Solved  bool       `cbor:"5,keyasint,omitempty"`
	Sender  HandleHash `cbor:"6,keyasint,omitempty"`
	Expires time.Time  `cbor:"7,keyasint"`
}

// Counter counts what a limit is about.
type Counter struct {
	Key CounterHash `cbor:"1,keyasint"`
	// Slots are in the order of time.
	Slots   []Slot    `cbor:"2,keyasint"`
	Expires time.Time `cbor:"3,keyasint"`
}

// Slot is how much a Counter counted in one stretch of time.
type Slot struct {
	At int64  `cbor:"1,keyasint"` // the number of the stretch
	N  uint32 `cbor:"2,keyasint"`
}

// Erased is what is kept of somebody who was erased, so that an older copy of the
// store cannot bring them back.
type Erased struct {
	Hash ErasedHash `cbor:"1,keyasint"`
	At   time.Time  `cbor:"2,keyasint"`
}
