package authcore

import (
	"crypto/sha256"
	"time"

	"github.com/qqauth/qqauth/authcore/opaque"
)

// ClientID names an application that logs its users in.
type ClientID string

// SessionID is a session's public id, from which its token cannot be had. It
// stays the same when the session is refreshed.
type SessionID string

// SessionToken is the secret that a session is used with.
type SessionToken struct{ opaque.Secret }

// TicketToken is the secret that a ticket is redeemed with, without its
// "ssoTicket-" prefix.
type TicketToken struct{ opaque.Secret }

// TokenHash is the SHA-256 of a token; stores know tokens by it alone.
type TokenHash [32]byte

// The kinds of MAC that stand for personal data in keys and records. Each is
// made under its own label, so one cannot stand in for another.
type (
	// IdentityHash stands for a QQ identity.
	IdentityHash [32]byte
	// UnionHash stands for a unionid.
	UnionHash [32]byte
	// DeviceHash stands for a device fingerprint; zero means none was named.
	DeviceHash [32]byte
	// AccessHash stands for a QQ access token.
	AccessHash [32]byte
)

// Method is a way in which a session was proved: a value of `amr`.
type Method string

// The methods, in the contract's words.
const (
	MethodQQ       Method = "qq"
	MethodSMS      Method = "sms"
	MethodEmail    Method = "email"
	MethodPassword Method = "pwd"
	MethodDevice   Method = "device"
)

// Session is what a login makes.
type Session struct {
	ID       SessionID  `cbor:"1,keyasint"`
	Token    TokenHash  `cbor:"2,keyasint"`
	User     UserID     `cbor:"3,keyasint"`
	Client   ClientID   `cbor:"4,keyasint"`
	Device   DeviceHash `cbor:"5,keyasint"`
	Methods  []Method   `cbor:"6,keyasint"`
	AuthTime time.Time  `cbor:"7,keyasint"`
	// Issued is when the current token was issued, by login or refresh.
	Issued  time.Time `cbor:"8,keyasint"`
	Expires time.Time `cbor:"9,keyasint"` // absolute, refreshes included
	Epoch   uint32    `cbor:"10,keyasint,omitempty"`
	// Parent is the session from which this one was taken over at another host.
	Parent SessionID `cbor:"11,keyasint,omitempty"`
	// Previous is the token before the last refresh, zero if there was none,
	// and Used says that the current one has been used since.
	Previous TokenHash `cbor:"12,keyasint,omitempty"`
	Used     bool      `cbor:"13,keyasint,omitempty"`

	// Idle is how long the session may go unused, 0 for ever, and LastUse when it
	// was used, to a tenth of that.
	Idle    time.Duration `cbor:"18,keyasint,omitempty"`
	LastUse time.Time     `cbor:"19,keyasint,omitzero"`

	OS    string `cbor:"14,keyasint,omitempty"` // at most 128 bytes, like Agent
	Agent string `cbor:"15,keyasint,omitempty"`
	IP    string `cbor:"16,keyasint,omitempty"`
	// DeviceIP is what the device says its address is.
	DeviceIP string `cbor:"17,keyasint,omitempty"`
}

// alive reports whether the session may be used at now by its user.
func (s *Session) alive(u *User, now time.Time) bool {
	return s.User == u.ID && !u.Disabled && s.Epoch == u.Epoch && now.Before(s.Expires) && !s.unused(now)
}

// SessionRef is a session's line in its user's list.
type SessionRef struct {
	ID      SessionID `cbor:"1,keyasint"`
	Token   TokenHash `cbor:"2,keyasint"`
	Client  ClientID  `cbor:"3,keyasint"`
	Issued  time.Time `cbor:"4,keyasint"`
	Expires time.Time `cbor:"5,keyasint"`
	Parent  SessionID `cbor:"6,keyasint,omitempty"`
}

// Retired is what remains of a session token after another took its place. After
// a refresh it opens nothing, and tells a lost answer from a stolen token.
type Retired struct {
	Session SessionID `cbor:"1,keyasint"`
	At      time.Time `cbor:"2,keyasint"`
	Expires time.Time `cbor:"3,keyasint"`
	// GoodUntil is set where a game resumed the session: until then the token is
	// as good as the new one, and afterwards it is nothing, not even stolen.
	GoodUntil time.Time `cbor:"4,keyasint,omitzero"`
}

// hashToken is what stores know a token by.
func hashToken(s string) TokenHash { return sha256.Sum256([]byte(s)) }
