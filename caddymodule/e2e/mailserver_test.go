package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer is a real one, with STARTTLS where the system lets a test name whom
// a program trusts.
type mailServer struct {
	addr, certificate string
	secured           bool

	mu      sync.Mutex
	mails   []received
	refuses bool
}

// received is a mail and how it came.
type received struct {
	from, to, text string
	tls            bool
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // it is one
	s := &mailServer{addr: "localhost:" + port, secured: runtime.GOOS != "darwin" && runtime.GOOS != "windows"}
	server := smtp.NewServer(s)
	server.Domain, server.ErrorLog, server.AllowInsecureAuth = "localhost", log.New(t.Output(), "", 0), !s.secured
	certificate := s.certify(t)
	if s.secured {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
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

// certify makes the server's certificate, which vouches for itself.
func (s *mailServer) certify(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	s.certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// refuse has every mail refused from now on, in the way of real servers, which
// say whom and what they refuse.
func (s *mailServer) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = true
}

// code reads the one mail that has come, and takes the code from it.
func (s *mailServer) code(t *testing.T, to, language string) string {
	t.Helper()
	s.mu.Lock()
	mails := s.mails
	s.mails = nil
	s.mu.Unlock()
	if len(mails) != 1 || mails[0].from != "no-reply@shop.example" || mails[0].to != to || mails[0].tls != s.secured {
		t.Fatalf("mails came: %+v", mails)
	}
	message, err := mail.ReadMessage(strings.NewReader(mails[0].text))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil || han.MatchString(subject) != (language == "zh") || strings.ContainsAny(subject, "0123456789") {
		t.Errorf("subject %q: %v", subject, err)
	}
	from, err := mail.ParseAddress(message.Header.Get("From"))
	if err != nil || from.Name != "商店" || from.Address != "no-reply@shop.example" {
		t.Errorf("from %v: %v", from, err)
	}
	code := regexp.MustCompile(`(?:^|[^0-9])([0-9]{6})(?:[^0-9]|$)`)
	var digits string
	for _, part := range readParts(t, message) {
		found := code.FindStringSubmatch(part)
		if found == nil || digits != "" && found[1] != digits {
			t.Fatalf("no code, or another one, in %q", part)
		}
		digits = found[1]
	}
	return digits
}

// readParts decodes the alternatives of a mail: text and page.
func readParts(t *testing.T, message *mail.Message) (parts []string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("the mail is %q: %v", kind, err)
	}
	for reader := multipart.NewReader(message.Body, params["boundary"]); ; {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if encoding := part.Header.Get("Content-Transfer-Encoding"); encoding != "quoted-printable" {
			t.Fatalf("a part is encoded as %q", encoding)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, string(text))
	}
	if len(parts) != 2 {
		t.Fatalf("the mail has %d parts, want 2", len(parts))
	}
	return parts
}

func (s *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	session := &mailSession{server: s}
	_, session.mail.tls = c.TLSConnectionState()
	return session, nil
}

type mailSession struct {
	server *mailServer
	mail   received
	known  bool
}

func (*mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.known = user == "mailer" && password == mailPassword; !s.known {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	s.mail.from = from
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
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
	if s.server.refuses {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: s.mail.to + " gets no mail like " + s.mail.text[:min(len(text), 200)]}
	}
	s.server.mails = append(s.server.mails, s.mail)
	return nil
}

func (*mailSession) Reset()        {}
func (*mailSession) Logout() error { return nil }
