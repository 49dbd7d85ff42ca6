package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/qqauth/qqauth/authcore"
)

// Lifetime is how long what is issued is good, in whole seconds. No default of
// what a session gives is longer than the session.
type Lifetime struct {
	// Session is absolute, refreshes included. Default: `168h`.
	Session caddy.Duration `json:"session,omitempty"`
	// Idle ends a session that goes unused for this long: at least `1s`, at most
	// Session. Default: 0, which ends none.
	Idle caddy.Duration `json:"idle,omitempty"`
	// IDToken defaults to `2h`.
	IDToken caddy.Duration `json:"id_token,omitempty"`
	// Ticket defaults to `5m`.
	Ticket caddy.Duration `json:"ticket,omitempty"`
	// Assertion defaults to `5m`.
	Assertion caddy.Duration `json:"assertion,omitempty"`
	// StateToken is how long a login may stay unfinished. Default: `30m`.
	StateToken caddy.Duration `json:"state_token,omitempty"`
	// Code is how long a code sent by SMS or e-mail is good: `1s` to `10m`.
	// Default: `5m`.
	Code caddy.Duration `json:"code,omitempty"`
}

// Attempts are the limits on what may be tried and sent. A limit of 0 is its
// default.
type Attempts struct {
	// Off lifts all limits, for load tests on the loopback.
	Off bool `json:"off,omitempty"`
	// QQRefused is how many logins a minute QQ may refuse to one address before
	// further ones are turned away. Default: 60.
	QQRefused int `json:"qq_refused,omitempty"`
	// StateTokens is how many unfinished logins one QQ account may have; one
	// more voids the oldest. Default: 3.
	StateTokens int `json:"state_tokens,omitempty"`
	// Captchas is how many puzzles a minute one address gets. Default: 120.
	Captchas int `json:"captchas,omitempty"`
	// CodeTries is how often one code may be guessed wrong: at most 100.
	// Default: 5.
	CodeTries int `json:"code_tries,omitempty"`
	// UserCodes is how many wrong codes a day one user has, over all of them.
	// Default: 20.
	UserCodes int `json:"user_codes,omitempty"`
	// TargetSends is how many codes are sent to one phone or e-mail address.
	TargetSends TargetSends `json:"target_sends,omitzero"`
	// AddressSends is how many codes an hour are sent for one network address.
	// Default: 100.
	AddressSends int `json:"address_sends,omitempty"`
	// ClientSends is how many codes an hour are sent for one client. Default:
	// 1000.
	ClientSends int `json:"client_sends,omitempty"`
	// TotalSends is how many codes a day are sent in all. Default: 10000.
	TotalSends int `json:"total_sends,omitempty"`
	// Passwords is how many wrong passwords there may be for one user name.
	Passwords Passwords `json:"passwords,omitzero"`
	// Guests is how many guests and registrations one network address has an
	// hour. Default: 300.
	Guests int `json:"guests,omitempty"`
	// WebSockets is how many connections of one network address may be open
	// without a player. Default: 20.
	WebSockets int `json:"websockets,omitempty"`
}

// TargetSends is how many codes one phone or e-mail address is sent. None is
// above the one of the longer time.
type TargetSends struct {
	// Minute defaults to 1.
	Minute int `json:"minute,omitempty"`
	// Hour defaults to 5.
	Hour int `json:"hour,omitempty"`
	// Day defaults to 10.
	Day int `json:"day,omitempty"`
}

// Passwords is how many wrong passwords there may be for one user name, whether
// or not anybody has it. The hour's is not above the day's.
type Passwords struct {
	// Hour counts those from one network address. Default: 10.
	Hour int `json:"hour,omitempty"`
	// Day counts those at one client. Default: 100.
	Day int `json:"day,omitempty"`
}

func (l *Lifetime) setDefaults() {
	l.Session = cmp.Or(l.Session, caddy.Duration(168*time.Hour))
	l.IDToken = cmp.Or(l.IDToken, min(caddy.Duration(2*time.Hour), l.Session))
	l.Ticket = cmp.Or(l.Ticket, min(caddy.Duration(5*time.Minute), l.Session))
	l.Assertion = cmp.Or(l.Assertion, min(caddy.Duration(5*time.Minute), l.Session))
	l.StateToken = cmp.Or(l.StateToken, caddy.Duration(30*time.Minute))
	l.Code = cmp.Or(l.Code, caddy.Duration(5*time.Minute))
}

// maxCode is the longest that NIST SP 800-63B-4 §3.1.3.2 leaves to a code that
// travels by another channel.
const maxCode = 10 * time.Minute

func (l *Lifetime) check() error {
	const day = 24 * time.Hour
	for _, bound := range []struct {
		word  string
		value caddy.Duration
		max   time.Duration
	}{
		{"session", l.Session, 365 * day},
		{"idle", l.Idle, time.Duration(l.Session)},
		{"id_token", l.IDToken, min(7*day, time.Duration(l.Session))},
		{"ticket", l.Ticket, min(time.Hour, time.Duration(l.Session))},
		{"assertion", l.Assertion, min(time.Hour, time.Duration(l.Session))},
		{"state_token", l.StateToken, day},
		{"code", l.Code, maxCode},
	} {
		d := time.Duration(bound.value)
		if d == 0 && bound.word == "idle" {
			continue
		}
		if d < time.Second || d%time.Second != 0 {
			return fmt.Errorf("%s: write whole seconds, at least 1s", bound.word)
		}
		if d > bound.max {
			return fmt.Errorf("%s: write at most %s", bound.word, bound.max)
		}
	}
	return nil
}

func (a *Attempts) setDefaults() {
	a.QQRefused = cmp.Or(a.QQRefused, 60)
	a.StateTokens = cmp.Or(a.StateTokens, 3)
	a.Captchas = cmp.Or(a.Captchas, 120)
	a.CodeTries = cmp.Or(a.CodeTries, 5)
	a.UserCodes = cmp.Or(a.UserCodes, 20)
	a.TargetSends.Minute = cmp.Or(a.TargetSends.Minute, 1)
	a.TargetSends.Hour = cmp.Or(a.TargetSends.Hour, 5)
	a.TargetSends.Day = cmp.Or(a.TargetSends.Day, 10)
	a.AddressSends = cmp.Or(a.AddressSends, 100)
	a.ClientSends = cmp.Or(a.ClientSends, 1000)
	a.TotalSends = cmp.Or(a.TotalSends, 10000)
	a.Passwords.Hour = cmp.Or(a.Passwords.Hour, 10)
	a.Passwords.Day = cmp.Or(a.Passwords.Day, 100)
	a.Guests = cmp.Or(a.Guests, 300)
	a.WebSockets = cmp.Or(a.WebSockets, 20)
}

// maxCodeTries is where NIST SP 800-63B-4 §3.2.2 ends the guessing of a secret.
const maxCodeTries = 100

func (a *Attempts) check() error {
	target := a.TargetSends
	for _, limit := range []int{
		a.QQRefused, a.StateTokens, a.Captchas, a.CodeTries, a.UserCodes,
		target.Minute, target.Hour, target.Day, a.AddressSends, a.ClientSends, a.TotalSends,
		a.Passwords.Hour, a.Passwords.Day, a.Guests, a.WebSockets,
	} {
		if limit < 1 {
			return errors.New("a limit is a number above 0")
		}
	}
	if a.CodeTries > maxCodeTries {
		return fmt.Errorf("code_tries: write at most %d", maxCodeTries)
	}
	if target.Minute > target.Hour || target.Hour > target.Day {
		return fmt.Errorf("target_sends: %d %d %d lets more through in a shorter time than in a longer one: write <minute> <hour> <day>, such as 1 5 10",
			target.Minute, target.Hour, target.Day)
	}
	if a.Passwords.Hour > a.Passwords.Day {
		return fmt.Errorf("passwords: %d %d lets more through in an hour than in a day: write <hour> <day>, such as 10 100",
			a.Passwords.Hour, a.Passwords.Day)
	}
	return nil
}

// limits are these limits in the core's words.
func (a *Attempts) limits() authcore.Limits {
	return authcore.Limits{
		Off: a.Off, QQRefused: a.QQRefused, Pendings: a.StateTokens,
		Captchas: a.Captchas, CodeTries: a.CodeTries, UserCodes: a.UserCodes,
		TargetMinute: a.TargetSends.Minute, TargetHour: a.TargetSends.Hour, TargetDay: a.TargetSends.Day,
		AddressHour: a.AddressSends, ClientHour: a.ClientSends, TotalDay: a.TotalSends,
		PasswordHour: a.Passwords.Hour, PasswordDay: a.Passwords.Day, Arrivals: a.Guests, Sockets: a.WebSockets,
	}
}
