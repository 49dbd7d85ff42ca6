package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

const (
	// maxDialogueBytes caps what a server says to us, certificates included.
	maxDialogueBytes = 256 << 10

	// farewell is how long a server that has taken the message may keep us with
	// its goodbye.
	farewell = time.Second
)

var (
	errNoTLS     = errors.New("server offers no STARTTLS")
	errNoAuth    = errors.New("server offers no way of authentication that we can use")
	errTooChatty = errors.New("server says too much")
)

// submit makes a connection and has the whole dialogue on it.
func (s *SMTP) submit(ctx context.Context, l *letter) error {
	raw, err := s.dial(ctx, "tcp", net.JoinHostPort(s.host, s.port))
	if err != nil {
		return trouble(ctx, "connect", err)
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	var conn net.Conn = &cappedConn{Conn: raw, left: maxDialogueBytes}
	if s.implicit {
		conn = tls.Client(conn, s.tls)
	}
	client, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return trouble(ctx, "greet", err)
	}
	if err := s.introduce(ctx, client); err != nil {
		return err
	}
	if err := handOver(ctx, client, l); err != nil {
		return err
	}
	// It is delivered, whatever comes now.
	_ = raw.SetDeadline(time.Now().Add(farewell))
	_ = client.Quit()
	return nil
}

// introduce gets as far as the server being ready to take messages.
func (s *SMTP) introduce(ctx context.Context, client *smtp.Client) error {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "localhost"
	}
	if err := client.Hello(name); err != nil {
		return trouble(ctx, "greet", err)
	}
	if !s.implicit {
		if offered, _ := client.Extension("STARTTLS"); offered {
			if err := client.StartTLS(s.tls); err != nil {
				return trouble(ctx, "start TLS", err)
			}
		} else if !s.allowPlain {
			return errNoTLS
		}
	}
	if s.user.IsZero() {
		return nil
	}
	auth, err := s.auth(client)
	if err != nil {
		return err
	}
	if err := client.Auth(auth); err != nil {
		return trouble(ctx, "authenticate", err)
	}
	return nil
}

// auth picks the best way of authentication that the server offers. Those that
// show it the password need TLS; without it we have come no further than the
// loopback.
func (s *SMTP) auth(client *smtp.Client) (smtp.Auth, error) {
	_, list := client.Extension("AUTH")
	offered := strings.Fields(strings.ToUpper(list))
	user, password := s.user.Reveal(), s.password.Reveal()
	for _, way := range []struct {
		name string
		make func() smtp.Auth
	}{
		{"SCRAM-SHA-256", func() smtp.Auth { return smtp.ScramSHA256Auth(user, password) }},
		{"SCRAM-SHA-1", func() smtp.Auth { return smtp.ScramSHA1Auth(user, password) }},
		{"PLAIN", func() smtp.Auth { return smtp.PlainAuth("", user, password, s.host, s.allowPlain) }},
		{"LOGIN", func() smtp.Auth { return smtp.LoginAuth(user, password, s.host, s.allowPlain) }},
		{"CRAM-MD5", func() smtp.Auth { return smtp.CRAMMD5Auth(user, password) }},
	} {
		if slices.Contains(offered, way.name) {
			return way.make(), nil
		}
	}
	return nil, errNoAuth
}

// handOver gives a letter to a server that is ready for it.
func handOver(ctx context.Context, client *smtp.Client, l *letter) error {
	if err := client.Mail(l.from); err != nil {
		return trouble(ctx, "name the sender", err)
	}
	if err := client.Rcpt(l.to); err != nil {
		return trouble(ctx, "name the receiver", err)
	}
	body, err := client.Data()
	if err != nil {
		return trouble(ctx, "begin the message", err)
	}
	if _, err := l.msg.WriteTo(body); err != nil {
		return trouble(ctx, "write the message", err)
	}
	if err := body.Close(); err != nil {
		return trouble(ctx, "end the message", err)
	}
	return nil
}

// trouble says what a step of the dialogue has failed of. Of an answer only the
// number is told: servers repeat the receiver.
func trouble(ctx context.Context, step string, err error) error {
	if errors.Is(err, errTooChatty) {
		return fmt.Errorf("%s: %w", step, errTooChatty)
	}
	if answer, ok := errors.AsType[*textproto.Error](err); ok && ctx.Err() == nil {
		return fmt.Errorf("%s: refused with %d", step, answer.Code)
	}
	return fmt.Errorf("%s: %w", step, outOfReach(ctx, err))
}

// cappedConn is a connection on which the other side can say only so much: an
// answer of SMTP may have any number of lines, which are kept in memory.
type cappedConn struct {
	net.Conn
	left int64
}

func (c *cappedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooChatty
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
