package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Lifetime is how long what is issued is good, in whole seconds. No default is
// longer than the session.
type Lifetime struct {
	// Session is absolute, refreshes included. Default: `168h`.
	Session caddy.Duration `json:"session,omitempty"`
	// IDToken defaults to `2h`.
	IDToken caddy.Duration `json:"id_token,omitempty"`
	// Ticket defaults to `5m`.
	Ticket caddy.Duration `json:"ticket,omitempty"`
	// Assertion defaults to `5m`.
	Assertion caddy.Duration `json:"assertion,omitempty"`
	// StateToken is how long a login may stay unfinished. Default: `30m`.
	StateToken caddy.Duration `json:"state_token,omitempty"`
}

// Attempts are the limits on what may be tried. A limit of 0 is its default.
type Attempts struct {
	// Off lifts all limits, for load tests on the loopback.
	Off bool `json:"off,omitempty"`
	// QQRefused is how many logins a minute QQ may refuse to one address before
	// further ones are turned away. Default: 60.
	QQRefused int `json:"qq_refused,omitempty"`
	// StateTokens is how many unfinished logins one QQ account may have; one
	// more voids the oldest. Default: 3.
	StateTokens int `json:"state_tokens,omitempty"`
}

func (l *Lifetime) setDefaults() {
	l.Session = cmp.Or(l.Session, caddy.Duration(168*time.Hour))
	l.IDToken = cmp.Or(l.IDToken, min(caddy.Duration(2*time.Hour), l.Session))
	l.Ticket = cmp.Or(l.Ticket, min(caddy.Duration(5*time.Minute), l.Session))
	l.Assertion = cmp.Or(l.Assertion, min(caddy.Duration(5*time.Minute), l.Session))
	l.StateToken = cmp.Or(l.StateToken, caddy.Duration(30*time.Minute))
}

func (l *Lifetime) check() error {
	const day = 24 * time.Hour
	for _, bound := range []struct {
		word  string
		value caddy.Duration
		max   time.Duration
	}{
		{"session", l.Session, 365 * day},
		{"id_token", l.IDToken, min(7*day, time.Duration(l.Session))},
		{"ticket", l.Ticket, min(time.Hour, time.Duration(l.Session))},
		{"assertion", l.Assertion, min(time.Hour, time.Duration(l.Session))},
		{"state_token", l.StateToken, day},
	} {
		d := time.Duration(bound.value)
		if d < time.Second || d%time.Second != 0 {
			return fmt.Errorf("%s: write whole seconds, at least 1s", bound.word)
		}
		if d > bound.max {
			return fmt.Errorf("%s: write at most %s", bound.word, bound.max)
		}
	}
	return nil
}

func (a *Attempts) check() error {
	if a.QQRefused < 0 || a.StateTokens < 0 {
		return errors.New("a limit is a number above 0")
	}
	return nil
}
