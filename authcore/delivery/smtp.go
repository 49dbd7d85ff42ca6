package delivery

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

const (
	defaultMailTimeout = 10 * time.Second

	// implicitTLSPort is where TLS begins with the connection (RFC 8314 section
	// 7.3); on any other it is asked for with STARTTLS.
	implicitTLSPort = "465"
)

// SMTPConfig says which mail server takes the messages, and for whom.
type SMTPConfig struct {
	// Addr is the server's host:port. TLS is implicit on port 465; on any other a
	// server that offers no STARTTLS is refused. Required.
	Addr string
	// AllowPlain does without TLS where the server offers none. It is for
	// development, and only for a server on the loopback.
	AllowPlain bool
	// User and Password are for AUTH; none are for a server that asks for none.
	User, Password opaque.Secret
	// From is the mailbox that messages come from, maybe with a name, as in
	// `Shop <no-reply@shop.example>`. Required.
	From string
	// Name is what messages call the site; the domain of From if empty.
	Name string
	// RootCAs are who may vouch for the server; nil for the system's.
	RootCAs *x509.CertPool
	// Timeout bounds one Send; 10 s if zero.
	Timeout time.Duration
}

// SMTP sends messages by mail, each over a connection of its own.
type SMTP struct {
	host, port string
	allowPlain bool
	user       opaque.Secret
	password   opaque.Secret
	from       *mail.Address
	name       string
	implicit   bool
	tls        *tls.Config
	timeout    time.Duration
	slots      slots
	dial       func(ctx context.Context, network, addr string) (net.Conn, error)
}

// NewSMTP returns an SMTP, or an error that says which field of c is wrong. It
// connects to nothing.
func NewSMTP(c SMTPConfig) (*SMTP, error) {
	host, port, err := net.SplitHostPort(c.Addr)
	if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || n == 0 || host == "" {
		return nil, errors.New("smtp: the address is not host:port")
	}
	if c.AllowPlain && !isLoopback(host) {
		return nil, errors.New("smtp: only a server on the loopback can do without TLS")
	}
	if c.User.IsZero() != c.Password.IsZero() {
		return nil, errors.New("smtp: user and password come together")
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, errors.New("smtp: from is not a mailbox such as no-reply@example.com")
	}
	return &SMTP{
		host: host, port: port, allowPlain: c.AllowPlain, user: c.User, password: c.Password,
		from: from, name: cmp.Or(c.Name, domain(from)), implicit: port == implicitTLSPort,
		tls:     &tls.Config{ServerName: host, RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12},
		timeout: cmp.Or(c.Timeout, defaultMailTimeout), slots: newSlots(),
		dial: new(net.Dialer).DialContext,
	}, nil
}

// Send hands the message over to the mail server, which may still find that
// nobody can be reached at the address.
func (s *SMTP) Send(ctx context.Context, m authcore.Message) error {
	letter, err := s.compose(&m)
	if err != nil {
		return fmt.Errorf("compose mail: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, errTimeout)
	defer cancel()
	if err := s.slots.enter(ctx, s.timeout); err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	defer s.slots.leave()
	if err := s.submit(ctx, letter); err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	return nil
}

// isLoopback reports whether a host name can be this machine alone.
func isLoopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.Is4() && addr.IsLoopback() || addr == netip.IPv6Loopback())
}

var _ authcore.Sender = (*SMTP)(nil)
