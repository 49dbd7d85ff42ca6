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

// Way is a way of proving a phone or an e-mail address that a client offers to
// users who bind or register.
type Way string

// The ways.
const (
	WayPhone Way = "phone"
	WayEmail Way = "email"
)

// Outcome is what a login ended in.
type Outcome struct {
	Status Status
	// Grant is set for StatusSuccess.
	Grant Grant
	// StateToken and Ways are set for StatusSocialBind and StatusUserRegister.
	StateToken string
	Ways       []Way
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
