package delivery

import (
	"crypto/rand"
	"errors"
	stdmail "net/mail"
	"strings"

	"github.com/wneessen/go-mail"

	"github.com/qqauth/qqauth/authcore"
)

// letter is a mail and what stands on its envelope.
type letter struct {
	from, to string // in angle brackets
	msg      *mail.Msg
}

// compose writes the mail for a message.
func (s *SMTP) compose(m *authcore.Message) (*letter, error) {
	if m.Way != authcore.WayEmail || m.Type() == "" {
		return nil, errType
	}
	to, err := parseReceiver(m.To)
	if err != nil {
		return nil, err
	}
	says, err := write(s.name, m)
	if err != nil {
		return nil, err
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(to)
	msg.Subject(says.subject)
	msg.SetDateWithValue(m.Time)
	msg.SetMessageIDWithValue(rand.Text() + "@" + domain(s.from))
	// RFC 3834 section 5: no notice of absence shall answer.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(mail.TypeTextPlain, says.plain)
	msg.AddAlternativeString(mail.TypeTextHTML, says.html)
	return &letter{from: envelope(s.from), to: envelope(to), msg: msg}, nil
}

// parseReceiver takes a bare address, which has no line break. One with a name, a
// comment or quotes is not what was checked when the code was asked for.
func parseReceiver(s string) (*stdmail.Address, error) {
	addr, err := stdmail.ParseAddress(s)
	if err != nil || addr.Name != "" || addr.Address != s {
		return nil, errors.New("the receiver is not a bare address")
	}
	return addr, nil
}

func envelope(addr *stdmail.Address) string {
	return (&stdmail.Address{Address: addr.Address}).String()
}

func domain(addr *stdmail.Address) string {
	return addr.Address[strings.LastIndexByte(addr.Address, '@')+1:]
}
