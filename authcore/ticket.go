package authcore

import "time"

// Ticket is the record of an sso_ticket: one redemption, ever.
type Ticket struct {
	Token    TokenHash  `cbor:"1,keyasint"`
	Session  SessionID  `cbor:"2,keyasint"`
	Receiver ClientID   `cbor:"3,keyasint"`
	Device   DeviceHash `cbor:"4,keyasint"`
	Expires  time.Time  `cbor:"5,keyasint"`
}
