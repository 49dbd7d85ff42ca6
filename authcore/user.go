package authcore

import (
	"crypto/rand"
	"fmt"
	"time"
)

// UserID names a user for ever. It looks like the hosted service's:
// 17 digits of time (UTC), 4 and 9 upper-case hex digits, joined by hyphens.
type UserID string

// newUserID returns an id that carries now and 52 random bits; the transaction
// that creates the user reads it first, so a collision cannot join two users.
func newUserID(now time.Time) UserID {
	var b [7]byte
	rand.Read(b[:])
	stamp := now.UTC().Format("20060102150405.000")
	hex := fmt.Sprintf("%X", b)
	return UserID(stamp[:14] + stamp[15:] + "-" + hex[:4] + "-" + hex[4:13])
}

// Link says that a user logs in with a QQ identity.
type Link struct {
	Identity IdentityHash `cbor:"1,keyasint"`
	App      AppID        `cbor:"2,keyasint"`
	OpenID   string       `cbor:"3,keyasint"`
	UnionID  string       `cbor:"4,keyasint,omitempty"`
	Since    time.Time    `cbor:"5,keyasint"`
	// SyncName says that each login by the link takes QQ's nickname over as the
	// user's display name.
	SyncName bool `cbor:"6,keyasint,omitempty"`
}

// Device is a device identity that a user logs in with, which proves the device
// and not the user.
type Device struct {
	Client ClientID  `cbor:"1,keyasint"`
	OS     string    `cbor:"2,keyasint"`
	ID     string    `cbor:"3,keyasint"`
	Since  time.Time `cbor:"4,keyasint"`
}

// User is an account. Its record is personal: stores seal it.
type User struct {
	ID       UserID    `cbor:"1,keyasint"`
	Created  time.Time `cbor:"2,keyasint"`
	Disabled bool      `cbor:"3,keyasint,omitempty"`
	// DisabledBy is the client whose backend disabled the user; empty if it was an
	// administrator.
	DisabledBy ClientID `cbor:"14,keyasint,omitempty"`
	// Epoch counts the log-outs of all. A session made under an earlier one is
	// dead, whether or not its record is still there.
	Epoch uint32 `cbor:"4,keyasint,omitempty"`

	UserName string `cbor:"6,keyasint,omitempty"` // unique, chosen by the user
	// Password is what the password is verified by, in the form of argon2's own
	// tools: "$argon2id$v=19$m=19456,t=2,p=1$salt$hash". Empty means there is none.
	Password    string `cbor:"15,keyasint,omitempty"`
	DisplayName string `cbor:"7,keyasint,omitempty"`
	Mobile      string `cbor:"8,keyasint,omitempty"` // proved, "+86-" form
	Email       string `cbor:"9,keyasint,omitempty"` // proved

	// MobileVia and EmailVia are the clients through which Mobile and Email were
	// proved.
	MobileVia []ClientID `cbor:"12,keyasint,omitempty"`
	EmailVia  []ClientID `cbor:"13,keyasint,omitempty"`

	// Segments are set by administrators and imports only.
	Segments map[string]string `cbor:"10,keyasint,omitempty"`
	Links    []Link            `cbor:"11,keyasint,omitempty"`

	// Home is the client where the user began as a guest, registered a name or asked
	// for segments.
	Home ClientID `cbor:"16,keyasint,omitempty"`
	// Devices are those that log in as the user without any other proof.
	Devices []Device `cbor:"17,keyasint,omitempty"`
	// Requested are the segments that a game asked for when the user was created:
	// the word of whoever holds the game's secret. They go back to Home and to nobody
	// else.
	Requested map[string]string `cbor:"18,keyasint,omitempty"`
}

// link returns the user's link in one QQ application.
func (u *User) link(app AppID) (Link, bool) {
	for _, l := range u.Links {
		if l.App == app {
			return l, true
		}
	}
	return Link{}, false
}
