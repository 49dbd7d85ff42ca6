package caddymodule

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/delivery"
	"github.com/qqauth/qqauth/authcore/opaque"
)

func init() {
	caddy.RegisterModule(SMTPSender{})
}

// SMTPSender sends messages by way of a mail server.
type SMTPSender struct {
	// Address is the server's `host:port`. Required. On port 465 TLS begins with
	// the connection, on any other the server must offer STARTTLS; only one on
	// the loopback may do without, while public_url names the loopback, too.
	Address string `json:"address,omitempty"`

	// From is the mailbox that messages come from, such as
	// `Shop <no-reply@shop.example>`. Required.
	From string `json:"from,omitempty"`

	// User is who we are to the server; it may be a placeholder. Default: the
	// server asks for none.
	User string `json:"user,omitempty"`

	// Password is the user's; a placeholder.
	Password string `json:"password,omitempty"`

	user, password opaque.Secret
}

// CaddyModule returns the Caddy module information.
func (SMTPSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "qqauth.senders.smtp", New: func() caddy.Module { return new(SMTPSender) }}
}

// Provision reads the password. It connects to nothing.
func (s *SMTPSender) Provision(caddy.Context) error {
	if s.Address == "" {
		return missing("address", "smtp <host:port> { … }")
	}
	if err := checkHostPort(s.Address); err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if s.From == "" {
		return missing("from", "from <mailbox>")
	}
	if err := checkMailbox(s.From); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	if (s.User == "") != (s.Password == "") {
		return errors.New("user and password come together: write both, or neither")
	}
	if s.User == "" {
		return nil
	}
	var err error
	if s.user, err = provisionSecret(s.User, "user"); err != nil {
		return err
	}
	s.password, err = provisionSecret(s.Password, "password")
	return err
}

// Ways is mail alone.
func (*SMTPSender) Ways() []authcore.Way { return []authcore.Way{authcore.WayEmail} }

// Open makes the sender.
func (s *SMTPSender) Open(c *Config) (authcore.Sender, error) {
	site, err := url.Parse(c.PublicURL)
	if err != nil {
		return nil, errURL
	}
	sender, err := delivery.NewSMTP(delivery.SMTPConfig{
		Addr: s.Address, From: s.From, User: s.user, Password: s.password, Name: site.Hostname(),
		AllowPlain: s.allowPlain(c),
	})
	if err != nil {
		return nil, err // not a typed nil
	}
	return sender, nil
}

// allowPlain reports whether the server may do without TLS.
func (s *SMTPSender) allowPlain(c *Config) bool {
	return onLoopback(c.PublicURL) && onLoopback("smtp://"+s.Address)
}

// accept implements choosy.
func (s *SMTPSender) accept(c *Config) error {
	if !onLoopback(c.PublicURL) && s.Password != "" && !placeholder.MatchString(s.Password) {
		return literal("smtp: password")
	}
	return nil
}

func (s *SMTPSender) parse(d *caddyfile.Dispenser, owner string, args []string) error {
	s.Address = args[0]
	if err := checkHostPort(s.Address); err != nil {
		return wrapErr(d, owner, err)
	}
	return parseBlock(d, owner, map[string]word{
		"from":     {usage: `from "<mailbox>"`, min: 1, max: 1, set: text(&s.From, checkMailbox)},
		"user":     {usage: "user <user>", min: 1, max: 1, set: text(&s.User, checkSecret)},
		"password": {usage: "password <secret>", min: 1, max: 1, set: text(&s.Password, checkSecret)},
	})
}

func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || n == 0 ||
		checkBase("https://"+net.JoinHostPort(host, port)) != nil {
		return errors.New("write host:port, such as smtp.example.com:465")
	}
	return nil
}

func checkMailbox(s string) error {
	if _, err := mail.ParseAddress(s); err != nil {
		return errors.New(`write a mailbox, such as no-reply@shop.example or "Shop <no-reply@shop.example>"`)
	}
	return nil
}

var (
	_ caddy.Provisioner = (*SMTPSender)(nil)
	_ Sender            = (*SMTPSender)(nil)
	_ choosy            = (*SMTPSender)(nil)
	_ senderWord        = (*SMTPSender)(nil)
)
