package delivery

import (
	"context"
	"net"
)

// What tests outside of the package need from inside of it.

// MaxInFlight is how many messages a sender delivers at a time.
const MaxInFlight = maxInFlight

// DialWith makes connections by dial.
func (s *SMTP) DialWith(dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	s.dial = dial
}

// OwnedByUs is what decides whether a file may be written to.
var OwnedByUs = ownedByUs

// Claim takes an open file for the one at path.
var Claim = claim
