package authcore

import (
	"net/netip"
	"time"

	"github.com/qqauth/qqauth/authcore/opaque"
)

// Caller is what is known of whoever calls. Only Addr and Loopback are facts;
// the rest is what the caller says, recorded and never trusted.
type Caller struct {
	Fingerprint string // of the device; sessions and tickets are bound to it
	OS          string
	Agent       string
	DeviceIP    string
	Addr        netip.Addr // the client's address, as the server in front determined it
	Loopback    bool       // whether the TCP peer itself has a loopback address
}

// Outcome is what a login ended in.
type Outcome struct {
	Status Status
	// Grant is set for StatusSuccess.
	Grant Grant
	// StateToken and Ways are set for StatusSocialBind, StatusUserRegister and
	// StatusMFAAuth: Ways is what the login can go on by.
	StateToken string
	Ways       []Way
}

// Contact is a phone number or an e-mail address in its one form, or a phone
// number of which only the stars are known.
type Contact struct {
	Way   Way
	Value string // "+86-15201657321" or "zhangsan@qq.com"
	// Starred says that Value is as [Service.MobileOf] tells it.
	Starred bool
}

// CodeRequest asks for a code.
type CodeRequest struct {
	// Login is the login that it is for; empty means the newest that waits.
	Login PendingID
	Type  string // the vendor's word, "BIND_MOBILE_SMS"
	To    Contact
	Pass  string // the token of a solved puzzle
	Lang  string // of the message: "zh" or "en"
}

// Puzzle is a slider puzzle to be solved before a code is sent.
type Puzzle struct {
	Token string // 32 hex digits
	// Picture and Piece are PNG in base64.
	Picture, Piece string
}

// ProfileUpdate is what a signed-in user changes.
type ProfileUpdate struct {
	Name *string // nil leaves it
	// Contact replaces the phone or the e-mail address, proved by Code; nil
	// leaves them.
	Contact *Contact
	Code    string
}

// Social is a QQ account that a user logs in with.
type Social struct {
	ID     string // names it among the user's own
	User   UserID
	App    AppID
	OpenID string
	Name   string
	Since  time.Time
}

// ManagedUser is a user as a client's backend manages them.
type ManagedUser struct {
	Profile
	Disabled bool
}

// Grant is a session as its client gets it.
type Grant struct {
	Token     SessionToken
	ExpiresIn time.Duration // until the session's absolute end
	IDToken   string        // empty where none was asked for
}

// Bearer is what a client's backend calls the tenant API with.
type Bearer struct {
	Token     opaque.Secret
	ExpiresIn time.Duration
}

// IssuedTicket is a fresh sso_ticket.
type IssuedTicket struct {
	Token     TicketToken
	ExpiresIn time.Duration
}

// Profile is a user as a client may see them: what the client's claims withhold
// is empty.
type Profile struct {
	ID       UserID
	UserName string
	Name     string
	Mobile   string
	Email    string
}
