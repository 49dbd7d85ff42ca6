package delivery_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/delivery"
	"github.com/qqauth/qqauth/authcore/opaque"
)

func TestSMTPWays(t *testing.T) {
	for _, tc := range []struct {
		kind, addr string
		ways       []string
		change     func(*delivery.SMTPConfig)
		auth       string
	}{
		{"implicit", mailHost + ":465", []string{"LOGIN", "PLAIN"}, nil, "PLAIN"},
		{"implicit", mailHost + ":465", nil, nil, ""},
		{"starttls", mailHost + ":587", []string{"PLAIN"}, nil, "PLAIN"},
		{"starttls", mailHost + ":587", []string{"LOGIN"}, nil, "LOGIN"},
		{"starttls", mailHost + ":2525", nil, nil, ""},
		{"plain", "localhost:1025", []string{"PLAIN"}, func(c *delivery.SMTPConfig) { c.AllowPlain = true }, "PLAIN"},
		{"plain", "127.0.0.1:1025", []string{"LOGIN"}, func(c *delivery.SMTPConfig) { c.AllowPlain = true }, "LOGIN"},
		{"plain", "[::1]:1025", nil, func(c *delivery.SMTPConfig) { c.AllowPlain = true }, ""},
	} {
		t.Run(fmt.Sprintf("%s %s %s", tc.kind, tc.addr, tc.auth), func(t *testing.T) {
			server := serveMail(t, tc.kind, tc.ways...)
			if err := server.sender(t, tc.addr, tc.change).Send(t.Context(), email(authcore.PurposeMFA, "en")); err != nil {
				t.Fatal(err)
			}
			mails := server.got()
			if len(mails) != 1 {
				t.Fatalf("got %d mails", len(mails))
			}
			m := mails[0]
			if m.auth != tc.auth || m.tls != (tc.kind != "plain") || m.from != "no-reply@shop.example" || m.to != address {
				t.Errorf("got %s from %s to %s, TLS %v", m.auth, m.from, m.to, m.tls)
			}
		})
	}
}

func TestSMTPTakesTLSThatIsOffered(t *testing.T) {
	server := serveMail(t, "starttls")
	sender := server.sender(t, "localhost:25", func(c *delivery.SMTPConfig) { c.AllowPlain = true })
	wantFault(t, sender.Send(t.Context(), email(authcore.PurposeMFA, "en")), "send mail: start TLS: certificate is not trusted")
}

func TestMailSays(t *testing.T) {
	server := serveMail(t, "starttls")
	sender := server.sender(t, mailHost+":587", nil)
	for _, tc := range []struct {
		purpose       authcore.Purpose
		lang          string
		good          time.Duration
		subject       string
		action, valid string
		warning       string
	}{
		{authcore.PurposeRegister, "zh", 5 * time.Minute, "id.shop.example：登录或注册的验证码", "登录或注册", "5 分钟", "不要把验证码告诉任何人"},
		{authcore.PurposeBind, "", time.Minute, "id.shop.example：绑定 QQ 账号的验证码", "绑定 QQ 账号", "1 分钟", "不要把验证码告诉任何人"},
		{authcore.PurposeMFA, "fr", 90 * time.Second, "id.shop.example：登录的二次验证的验证码", "登录的二次验证", "90 秒", "请忽略本邮件"},
		{authcore.PurposeUpdate, "zh", time.Hour, "id.shop.example：更换账号的邮箱的验证码", "更换账号的邮箱", "60 分钟", "请忽略本邮件"},
		{authcore.PurposeRegister, "en", 5 * time.Minute, "id.shop.example: your code to sign in or register", "sign in or register", "5 minutes", "tell nobody"},
		{authcore.PurposeBind, "en", time.Minute, "id.shop.example: your code to link a QQ account to yours", "link a QQ account", "1 minute,", "ignore this message"},
		{authcore.PurposeMFA, "en", 90 * time.Second, "id.shop.example: your code to confirm your sign-in as its second step", "second step", "90 seconds", "ignore this message"},
		{authcore.PurposeUpdate, "en", 5 * time.Minute, "id.shop.example: your code to change the e-mail address of your account", "change the e-mail address", "5 minutes", "tell nobody"},
	} {
		t.Run(string(tc.purpose)+" "+tc.lang, func(t *testing.T) {
			before := len(server.got())
			m := email(tc.purpose, tc.lang)
			m.ExpiresIn = tc.good
			if err := sender.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			header, parts := readMail(t, server.got()[before].text)
			if got := decodeHeader(t, header.Get("Subject")); got != tc.subject {
				t.Errorf("got subject %q", got)
			}
			for kind, part := range parts {
				for _, want := range []string{code, tc.action, tc.valid, tc.warning, "id.shop.example"} {
					if !strings.Contains(part, want) {
						t.Errorf("%s does not say %s:\n%s", kind, want, part)
					}
				}
			}
			if parts["text/plain"] == "" || parts["text/html"] == "" {
				t.Errorf("got %d parts", len(parts))
			}
		})
	}
}

func TestMailHeaders(t *testing.T) {
	server := serveMail(t, "implicit")
	sender := server.sender(t, mailHost+":465", func(c *delivery.SMTPConfig) { c.Name = "<b>店\r\nX-Evil: 1" })
	for range 2 {
		if err := sender.Send(t.Context(), email(authcore.PurposeBind, "zh")); err != nil {
			t.Fatal(err)
		}
	}
	mails := server.got()
	first, parts := readMail(t, mails[0].text)
	second, _ := readMail(t, mails[1].text)
	from, err := first.AddressList("From")
	if err != nil || len(from) != 1 || *from[0] != (mail.Address{Name: "商店", Address: "no-reply@shop.example"}) {
		t.Errorf("From: %v, %v", from, err)
	}
	to, err := first.AddressList("To")
	if err != nil || len(to) != 1 || *to[0] != (mail.Address{Address: address}) {
		t.Errorf("To: %v, %v", to, err)
	}
	date, err := first.Date()
	if err != nil || !date.Equal(sms("").Time.Truncate(time.Second)) {
		t.Errorf("Date: %v, %v", date, err)
	}
	if first.Get("Auto-Submitted") != "auto-generated" || first.Get("X-Evil") != "" || first.Get("User-Agent") != "" {
		t.Errorf("got %v", first)
	}
	if id := first.Get("Message-Id"); !strings.HasSuffix(id, "@shop.example>") || id == second.Get("Message-Id") {
		t.Errorf("Message-ID: %s, then %s", id, second.Get("Message-Id"))
	}
	if !strings.Contains(parts["text/html"], "&lt;b&gt;店") {
		t.Errorf("the page is not escaped: %s", parts["text/html"])
	}
}

// readMail returns a mail's header and its parts by their types.
func readMail(t *testing.T, text string) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s: %v", kind, err)
	}
	parts := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		if err == io.EOF {
			return m.Header, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil || params["charset"] != "UTF-8" || part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Errorf("%v: %v", part.Header, err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		parts[kind] = string(body)
	}
}

func decodeHeader(t *testing.T, s string) string {
	t.Helper()
	out, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSMTPRefusals(t *testing.T) {
	for _, tc := range []struct {
		name, kind, addr string
		ways             []string
		change           func(*delivery.SMTPConfig)
		to, want         string
	}{
		{"wrong password", "implicit", mailHost + ":465", []string{"PLAIN"},
			func(c *delivery.SMTPConfig) { c.Password = opaque.Of(secret + "!") }, address, "authenticate: refused with "},
		{"no user", "starttls", mailHost + ":587", []string{"PLAIN"},
			func(c *delivery.SMTPConfig) { c.User, c.Password = opaque.Secret{}, opaque.Secret{} }, address, "name the sender: refused with 502"},
		{"no way of authentication", "starttls", mailHost + ":587", []string{"XOAUTH2"}, nil, address, "server offers no way of authentication that we can use"},
		{"unknown receiver", "starttls", mailHost + ":587", nil, nil, "nobody." + address, "name the receiver: refused with 550"},
		{"full mailbox", "starttls", mailHost + ":587", nil, nil, "full." + address, "end the message: refused with 452"},
		{"no STARTTLS", "plain", mailHost + ":587", []string{"PLAIN"}, nil, address, "server offers no STARTTLS"},
		{"no STARTTLS on the loopback", "plain", "localhost:25", nil, nil, address, "server offers no STARTTLS"},
		{"another CA", "implicit", mailHost + ":465", nil, func(c *delivery.SMTPConfig) { c.RootCAs = nil }, address, "certificate is not trusted"},
		{"another CA at STARTTLS", "starttls", mailHost + ":587", nil, func(c *delivery.SMTPConfig) { c.RootCAs = nil }, address, "start TLS: certificate is not trusted"},
		{"another host", "implicit", "mail.example.org:465", nil, nil, address, "certificate is not trusted"},
		{"no TLS", "plain", mailHost + ":465", nil, nil, address, "no TLS spoken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := serveMail(t, tc.kind, tc.ways...)
			m := email(authcore.PurposeRegister, "en")
			m.To = tc.to
			wantFault(t, server.sender(t, tc.addr, tc.change).Send(t.Context(), m), tc.want)
			if n := len(server.got()); n != 0 {
				t.Errorf("%d mails went out", n)
			}
		})
	}
}

// TestMailReceivers: an address with a line break or a comma would bring headers
// and receivers of somebody else's choice.
func TestMailReceivers(t *testing.T) {
	server := serveMail(t, "starttls")
	sender := server.sender(t, mailHost+":587", nil)
	sender.DialWith(func(context.Context, string, string) (net.Conn, error) {
		t.Error("connected")
		return nil, io.EOF
	})
	for _, to := range []string{
		"", "zhangsan", address + "\r\nBcc: x@evil.example", "\r\n" + address, address + "\n", address + ",x@evil.example",
		"X <" + address + ">", "<" + address + ">", address + " (x)", " " + address, "\"a\r\nb\"@mail.example", "\"\x00\"@mail.example",
		address + "> NOTIFY=NEVER",
	} {
		m := email(authcore.PurposeBind, "zh")
		m.To = to
		wantFault(t, sender.Send(t.Context(), m), "compose mail: the receiver is not a bare address")
	}
	wantFault(t, sender.Send(t.Context(), sms(authcore.PurposeBind)), "compose mail: no such type of message")
	wantFault(t, sender.Send(t.Context(), email("guess", "zh")), "compose mail: no such type of message")
}

// TestSMTPHangs: a server that falls silent at any step does not keep us.
func TestSMTPHangs(t *testing.T) {
	for name, lines := range map[string][]string{
		"no greeting":   nil,
		"after EHLO":    {"220 hi"},
		"at STARTTLS":   {"220 hi", "250-hi\r\n250 STARTTLS"},
		"at the shake":  {"220 hi", "250-hi\r\n250 STARTTLS", "220 go"},
		"at MAIL":       {"220 hi", "250 hi"},
		"at the end":    {"220 hi", "250 hi", "250 ok", "250 ok", "354 go"},
		"within a line": {"220 hi", "250-hi\r\n250-"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := talk(t, func(r *bufio.Reader, w io.Writer) {
				for i, line := range lines {
					if i > 0 {
						r.ReadString('\n')
					}
					io.WriteString(w, line+"\r\n")
				}
				io.Copy(io.Discard, r)
			})
			newSender := func(timeout time.Duration) *delivery.SMTP {
				sender, err := delivery.NewSMTP(delivery.SMTPConfig{
					Addr: "localhost:25", AllowPlain: true, From: "no-reply@shop.example", Timeout: timeout,
				})
				if err != nil {
					t.Fatal(err)
				}
				dialTo(sender, addr)
				return sender
			}
			wantFault(t, newSender(30*time.Millisecond).Send(t.Context(), email(authcore.PurposeBind, "zh")), "no answer in time")
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			wantFault(t, newSender(time.Minute).Send(ctx, email(authcore.PurposeBind, "zh")), "context deadline exceeded")
		})
	}
}

// TestSMTPNoGoodbye: what has been taken is delivered, however the server ends.
func TestSMTPNoGoodbye(t *testing.T) {
	for name, goodbye := range map[string]string{"hangs up": "", "refuses": "500 what?\r\n"} {
		t.Run(name, func(t *testing.T) {
			addr := talk(t, func(r *bufio.Reader, w io.Writer) {
				for _, line := range []string{"220 hi", "250 hi", "250 ok", "250 ok", "354 go"} {
					io.WriteString(w, line+"\r\n")
					r.ReadString('\n')
				}
				for line := ""; line != ".\r\n"; {
					var err error
					if line, err = r.ReadString('\n'); err != nil {
						return
					}
				}
				io.WriteString(w, "250 taken\r\n")
				r.ReadString('\n')
				io.WriteString(w, goodbye)
			})
			sender, err := delivery.NewSMTP(delivery.SMTPConfig{Addr: "localhost:25", AllowPlain: true, From: "no-reply@shop.example"})
			if err != nil {
				t.Fatal(err)
			}
			dialTo(sender, addr)
			if err := sender.Send(t.Context(), email(authcore.PurposeBind, "zh")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSMTPChatter: an answer has as many lines as the server likes, and all of
// them would be kept.
func TestSMTPChatter(t *testing.T) {
	addr := talk(t, func(_ *bufio.Reader, w io.Writer) {
		for {
			if _, err := io.WriteString(w, "220-"+strings.Repeat("hello ", 100)+"\r\n"); err != nil {
				return
			}
		}
	})
	sender, err := delivery.NewSMTP(delivery.SMTPConfig{Addr: "localhost:25", AllowPlain: true, From: "no-reply@shop.example", Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	dialTo(sender, addr)
	wantFault(t, sender.Send(t.Context(), email(authcore.PurposeBind, "zh")), "greet: server says too much")
}

func TestNewSMTPRefuses(t *testing.T) {
	good := delivery.SMTPConfig{Addr: "mail.example.com:587", From: "no-reply@shop.example"}
	if _, err := delivery.NewSMTP(good); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		want   string
		change func(*delivery.SMTPConfig)
	}{
		{"the address is not host:port", func(c *delivery.SMTPConfig) { c.Addr = "mail.example.com" }},
		{"the address is not host:port", func(c *delivery.SMTPConfig) { c.Addr = ":25" }},
		{"the address is not host:port", func(c *delivery.SMTPConfig) { c.Addr = "mail.example.com:smtp" }},
		{"only a server on the loopback", func(c *delivery.SMTPConfig) { c.AllowPlain = true }},
		{"user and password come together", func(c *delivery.SMTPConfig) { c.User = opaque.Of("mailer") }},
		{"user and password come together", func(c *delivery.SMTPConfig) { c.Password = opaque.Of(secret) }},
		{"from is not a mailbox", func(c *delivery.SMTPConfig) { c.From = "" }},
		{"from is not a mailbox", func(c *delivery.SMTPConfig) { c.From = "shop.example" }},
		{"from is not a mailbox", func(c *delivery.SMTPConfig) { c.From = "a@b.example, c@d.example" }},
	} {
		c := good
		tc.change(&c)
		_, err := delivery.NewSMTP(c)
		wantFault(t, err, "smtp: "+tc.want)
	}
}
