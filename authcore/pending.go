package authcore

import "time"

// Status is what a login ends in, in the contract's words.
type Status string

// The statuses.
const (
	StatusSuccess      Status = "SUCCESS"
	StatusSocialBind   Status = "SOCIAL_BIND"
	StatusUserRegister Status = "USER_REGISTER"
	StatusAccessDenied Status = "ACCESS_DENIED"
	StatusMFAAuth      Status = "MFA_AUTH"
)

// PendingID is the key of a login that is not finished: the jti of its
// state_token.
type PendingID string

// Pending is a login of which something is proved, mostly by QQ, and that waits for
// more. Everything
// that counts is here; the claims of its state_token are for show.
type Pending struct {
	ID       PendingID    `cbor:"1,keyasint"`
	Status   Status       `cbor:"2,keyasint"`
	Identity IdentityHash `cbor:"3,keyasint"`
	App      AppID        `cbor:"4,keyasint"`
	OpenID   string       `cbor:"5,keyasint"`
	UnionID  string       `cbor:"6,keyasint,omitempty"`
	Nickname string       `cbor:"7,keyasint,omitempty"`
	Access   AccessHash   `cbor:"13,keyasint"` // of the access token it came with
	// User is set for StatusMFAAuth, and for StatusUserRegister where a known user
	// is to add a second factor. Epoch is the user's.
	User  UserID `cbor:"8,keyasint,omitempty"`
	Epoch uint32 `cbor:"14,keyasint,omitempty"`
	// Methods is what has been proved so far, and Link says that the identity is
	// to be linked to User in the end.
	Methods []Method `cbor:"15,keyasint,omitempty"`
	Link    bool     `cbor:"16,keyasint,omitempty"`
	// Leave is the session that ends when the login becomes another user's.
	Leave SessionID `cbor:"17,keyasint,omitempty"`
	// Requested and SyncName are for the user and the link that are made in the end.
	Requested map[string]string `cbor:"18,keyasint,omitempty"`
	SyncName  bool              `cbor:"19,keyasint,omitempty"`
	Client    ClientID          `cbor:"9,keyasint"`
	Device    DeviceHash        `cbor:"10,keyasint"`
	Created   time.Time         `cbor:"11,keyasint"`
	Expires   time.Time         `cbor:"12,keyasint"`
}

// PendingRef is a pending login's line in its identity's list.
type PendingRef struct {
	ID      PendingID `cbor:"1,keyasint"`
	Expires time.Time `cbor:"2,keyasint"`
}
