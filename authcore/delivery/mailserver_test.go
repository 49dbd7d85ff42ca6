package delivery_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/qqauth/qqauth/authcore/delivery"
	"github.com/qqauth/qqauth/authcore/opaque"
)

// mailHost is the name in the certificate that net/http/httptest brings.
const mailHost = "example.com"

// mailServer is a real mail server.
type mailServer struct {
	addr  string
	ways  []string // of authentication; none lets in anybody
	roots *x509.CertPool

	mu    sync.Mutex
	mails []received
}

// received is a mail and how it came.
type received struct {
	auth, from, to, text string
	tls                  bool
}

// serveMail starts a server, with TLS from the first byte, by STARTTLS, or not
// at all.
func serveMail(t *testing.T, kind string, ways ...string) *mailServer {
	t.Helper()
	certified := httptest.NewTLSServer(nil)
	defer certified.Close()
	s := &mailServer{ways: ways, roots: x509.NewCertPool()}
	s.roots.AddCert(certified.Certificate())
	config := &tls.Config{Certificates: certified.TLS.Certificates}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	server := smtp.NewServer(s)
	server.Domain, server.ErrorLog = mailHost, log.New(t.Output(), "", 0)
	switch kind {
	case "implicit":
		listener = tls.NewListener(listener, config)
	case "starttls":
		server.TLSConfig = config
	case "plain":
		server.AllowInsecureAuth = true
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		err := server.Shutdown(context.Background()) // waits for connections that were left open
		listener.Close()                             // which Shutdown does only if Serve has begun
		if err := errors.Join(err, <-served); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sender sends by way of the server, whatever host and port addr names; change
// makes the difference that a test is about.
func (s *mailServer) sender(t *testing.T, addr string, change func(*delivery.SMTPConfig)) *delivery.SMTP {
	t.Helper()
	c := delivery.SMTPConfig{Addr: addr, From: "商店 <no-reply@shop.example>", Name: "id.shop.example", RootCAs: s.roots}
	if s.ways != nil {
		c.User, c.Password = opaque.Of("mailer"), opaque.Of(secret)
	}
	if change != nil {
		change(&c)
	}
	sender, err := delivery.NewSMTP(c)
	if err != nil {
		t.Fatal(err)
	}
	dialTo(sender, s.addr)
	return sender
}

func dialTo(sender *delivery.SMTP, addr string) {
	sender.DialWith(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	})
}

func (s *mailServer) got() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mails
}

func (s *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	session := &mailSession{server: s}
	_, session.mail.tls = c.TLSConnectionState()
	return session, nil
}

type mailSession struct {
	server *mailServer
	mail   received
}

func (s *mailSession) AuthMechanisms() []string { return s.server.ways }

func (s *mailSession) Auth(way string) (sasl.Server, error) {
	if !slices.Contains(s.server.ways, way) {
		return nil, smtp.ErrAuthUnknownMechanism
	}
	check := func(_, user, password string) error {
		if user != "mailer" || password != secret {
			return fmt.Errorf("%w: %s is wrong", smtp.ErrAuthFailed, password)
		}
		s.mail.auth = way
		return nil
	}
	if way == "LOGIN" {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(check), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.ways != nil && s.mail.auth == "" {
		return smtp.ErrAuthRequired
	}
	s.mail.from = from
	return nil
}

// Rcpt refuses in the way of real servers, which say whom they refuse.
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<" + to + ">: no such user here, " + address}
	}
	s.mail.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.text = string(text)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if strings.Contains(s.mail.to, "full") {
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: s.mail.to + " is over quota, " + address}
	}
	s.server.mails = append(s.server.mails, s.mail)
	return nil
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

// loginServer is AUTH LOGIN, which asks for the user and then the password.
type loginServer struct {
	check func(identity, user, password string) error
	said  []string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response != nil {
		l.said = append(l.said, string(response))
	}
	switch len(l.said) {
	case 0:
		return []byte("Username:"), false, nil
	case 1:
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check("", l.said[0], l.said[1])
}

// talk starts a server that has the dialogue of script on every connection. The
// test ends when all of these have.
func talk(t *testing.T, script func(r *bufio.Reader, w io.Writer)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				script(bufio.NewReader(conn), conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		all.Wait()
	})
	return listener.Addr().String()
}
