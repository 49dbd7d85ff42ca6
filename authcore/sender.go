package authcore

import (
	"context"
	"errors"
	"time"

	"github.com/qqauth/qqauth/authcore/opaque"
)

// Way is a way of proving a phone number or an e-mail address: a code is sent to
// it and comes back.
type Way string

// The ways.
const (
	WayPhone Way = "phone"
	WayEmail Way = "email"
)

// Purpose is what a code is good for.
type Purpose string

// The purposes.
const (
	PurposeRegister Purpose = "register" // finish a login as a new user, or add a second factor
	PurposeBind     Purpose = "bind"     // link a QQ account to the owner of the phone or address
	PurposeMFA      Purpose = "mfa"      // second factor of a login
	PurposeUpdate   Purpose = "update"   // replace the phone or address of a signed-in user
)

// Message is a code on its way to whoever holds a phone or an e-mail address.
type Message struct {
	Time      time.Time
	Way       Way
	To        string // "+86-15201657321" or an address, as package contact writes them
	Purpose   Purpose
	Code      opaque.Secret // six digits
	Lang      string        // "zh" or "en"
	ExpiresIn time.Duration
}

// Type is the vendor's word for the message: REGISTER_SMS, BIND_EMAIL_EMS.
func (m *Message) Type() string {
	for _, t := range codeTypes {
		if t.way == m.Way && t.purpose == m.Purpose {
			return t.word
		}
	}
	return ""
}

// codeTypes are the types of codes that have an end here, in the vendor's words.
var codeTypes = []struct {
	word    string
	way     Way
	purpose Purpose
}{
	{"REGISTER_SMS", WayPhone, PurposeRegister},
	{"REGISTER_EMS", WayEmail, PurposeRegister},
	{"BIND_MOBILE_SMS", WayPhone, PurposeBind},
	{"BIND_EMAIL_EMS", WayEmail, PurposeBind},
	{"MFA_AUTH_SMS", WayPhone, PurposeMFA},
	{"MFA_AUTH_EMS", WayEmail, PurposeMFA},
	{"UPDATE_MOBILE_SMS", WayPhone, PurposeUpdate},
	{"UPDATE_EMAIL_EMS", WayEmail, PurposeUpdate},
}

// Sender delivers messages of one way.
type Sender interface {
	// Send returns nil when the message has been handed over to whoever delivers
	// it. It MUST return before long, at the latest soon after ctx ends, and its
	// error MUST NOT hold the code or the receiver. It is called concurrently.
	Send(context.Context, Message) error
}

// ErrSend says that a code could not be sent.
var ErrSend = errors.New("code could not be sent")
