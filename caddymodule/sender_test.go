package caddymodule

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

// TestAdaptSenderErrors has one case for each way to get a sender wrong.
func TestAdaptSenderErrors(t *testing.T) {
	app := func(lines string) string { return "{\n\tqqauth {\n\t\t" + lines + "\n\t}\n}\n" }
	in := func(owner string) func(string) string {
		return func(line string) string { return app(owner + " {\n\t\t\t" + line + "\n\t\t}") }
	}
	webhook, tencent, smtp := in("sms webhook https://a.example/x"), in("sms tencent"), in("email smtp mail.example:465")
	for _, tc := range []struct{ name, input, want, line string }{
		{"sms missing", app("sms"), "write sms webhook <url> { secret <secret> } or sms tencent { … } or sms file <path>", "3"},
		{"sms unknown", app("sms webhok https://a.example"), "sms: unknown word \"webhok\": did you mean webhook?", "3"},
		{"sms smtp", app("sms smtp a.example:25"), "sms: unknown word \"smtp\": write one of webhook, tencent, file", "3"},
		{"sms twice", app("sms file /a\n\t\tsms file /b"), "sms stands twice", "4"},
		{"sms file missing", app("sms file"), "sms file: wrong number of arguments: write sms file <path>", "3"},
		{"sms file surplus", app("sms file /a /b"), "wrong number of arguments after sms", "3"},
		{"sms file block", app("sms file /a {\n\t\t}"), "sms takes no block", "3"},
		{"sms webhook missing", app("sms webhook"), "write sms webhook <url> { secret <secret> }", "3"},
		{"sms webhook url", app("sms webhook a.example/x"), "sms webhook: write an absolute URL", "3"},
		{"sms webhook user", app("sms webhook https://u:p@a.example/x"), "sms webhook: write an absolute URL without query, fragment and user", "3"},
		{"sms webhook unknown", webhook("secrets {env.A}"), "sms webhook: unknown word \"secrets\": did you mean secret?", "4"},
		{"sms webhook secret missing", webhook("secret"), "write secret <secret>", "4"},
		{"sms webhook secret surplus", webhook("secret {env.A} {env.B}"), "write secret <secret>", "4"},
		{"sms webhook secret mixed", webhook("secret x{env.A}"), "write one placeholder", "4"},
		{"sms tencent argument", app("sms tencent {env.A}"), "sms tencent: wrong number of arguments: write sms tencent { … }", "3"},
		{"sms tencent unknown", tencent("secretid {env.A}"), "did you mean secret_id?", "4"},
		{"sms tencent secret_id", tencent("secret_id {http.request.host}"), "write one placeholder", "4"},
		{"sms tencent secret_key", tencent("secret_key {env.A}x"), "write one placeholder", "4"},
		{"sms tencent app missing", tencent("app"), "write app <sdk_app_id>", "4"},
		{"sms tencent sign long", tencent("sign " + strings.Repeat("x", 65)), "write at most 64 characters", "4"},
		{"sms tencent template missing", tencent("template"), "write template <id> or template <TYPE> <id>", "4"},
		{"sms tencent template type", tencent("template FAX 1"), "write one of REGISTER_SMS, BIND_MOBILE_SMS, MFA_AUTH_SMS, UPDATE_MOBILE_SMS", "4"},
		{"sms tencent template twice", tencent("template 1\n\t\t\ttemplate 2"), "one for all stands twice", "5"},
		{"sms tencent template type twice", tencent("template MFA_AUTH_SMS 1\n\t\t\ttemplate MFA_AUTH_SMS 2"), "MFA_AUTH_SMS stands twice", "5"},
		{"sms tencent endpoint", tencent("endpoint https://a.example/x"), "write an origin without a path", "4"},
		{"email missing", app("email"), "write email smtp <host:port> { … } or email webhook <url> { secret <secret> } or email file <path>", "3"},
		{"email tencent", app("email tencent {\n\t\t}"), "email: unknown word \"tencent\": write one of smtp, webhook, file", "3"},
		{"email smtp address", app("email smtp mail.example"), "email smtp: write host:port", "3"},
		{"email smtp port", app("email smtp mail.example:0"), "email smtp: write host:port", "3"},
		{"email smtp url", app("email smtp smtp://mail.example:25"), "email smtp: write host:port", "3"},
		{"email smtp from", smtp("from shop.example"), `from: write a mailbox, such as no-reply@shop.example or "Shop`, "4"},
		{"email smtp from unquoted", smtp("from Shop <no-reply@shop.example>"), `write from "<mailbox>"`, "4"},
		{"email smtp password", smtp("password {env.A}{env.B}"), "write one placeholder", "4"},
		{"email smtp unknown", smtp("pasword {env.A}"), "did you mean password?", "4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(tc.input), nil)
			if err == nil {
				t.Fatalf("no error for\n%s", tc.input)
			}
			if !strings.Contains(err.Error(), tc.want) || !strings.HasSuffix(err.Error(), ", at Caddyfile:"+tc.line) {
				t.Errorf("got  %s\nwant %s, at Caddyfile:%s", err, tc.want, tc.line)
			}
		})
	}
}

func TestSenderSecretStaysOutOfErrors(t *testing.T) {
	const secret = "b3JkaW5hcnk0c2VjcmV0"
	for name, lines := range map[string]string{
		"webhook own line":   "sms webhook https://a.example {\nsecret\n" + secret + "\n}",
		"webhook surplus":    "sms webhook https://a.example {\nsecret {env.A} " + secret + "\n}",
		"webhook no block":   "sms webhook https://a.example " + secret,
		"webhook url":        "sms webhook https://u:" + secret + "@a.example",
		"webhook query":      "email webhook https://a.example/?token=" + secret,
		"webhook mixed":      "email webhook https://a.example {\nsecret " + secret + "{env.A}\n}",
		"sender":             "sms " + secret,
		"tencent argument":   "sms tencent " + secret,
		"tencent own line":   "sms tencent {\nsecret_key\n" + secret + "\n}",
		"tencent template":   "sms tencent {\ntemplate " + secret + " 1\n}",
		"smtp in address":    "email smtp mailer:" + secret + "@mail.example:465",
		"smtp own line":      "email smtp mail.example:465 {\npassword\n" + secret + "\n}",
		"smtp password from": "email smtp mail.example:465 {\nfrom " + secret + "\n}",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("{\nqqauth {\n"+lines+"\n}\n}\n"), nil)
			if err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// senderApp is shopConfig with the senders in JSON; an empty one is none.
func senderApp(t *testing.T, sms, email string, change func(*Config)) *App {
	t.Helper()
	t.Setenv("QQAUTH_TEST_SHOP", strings.Repeat("x", minClientSecret))
	t.Setenv("QQAUTH_TEST_FORUM", strings.Repeat("y", minClientSecret))
	t.Setenv("QQAUTH_TEST_LONG", longSecret)
	t.Setenv("QQAUTH_TEST_SHORT", shortSecret)
	return &App{Config: *shopConfig(func(c *Config) {
		if sms != "" {
			c.SMSRaw = json.RawMessage(sms)
		}
		if email != "" {
			c.EmailRaw = json.RawMessage(email)
		}
		if change != nil {
			change(c)
		}
	})}
}

const (
	longSecret  = "hunter2-hunter2-hunter2-hunter2"
	shortSecret = "hunter2-hunter2-hunter2"
)

func local(c *Config) { c.PublicURL = "http://localhost:8080" }

// TestSenderDanger: each is refused in the world at large, and taken on the
// loopback.
func TestSenderDanger(t *testing.T) {
	tencent := func(id, key, endpoint string) string {
		return fmt.Sprintf(`{"sender":"tencent","secret_id":%q,"secret_key":%q,"app":"1","sign":"x","template":"1","endpoint":%q}`, id, key, endpoint)
	}
	const long, short = "{env.QQAUTH_TEST_LONG}", "{env.QQAUTH_TEST_SHORT}"
	const loopbackOnly = "is allowed only while public_url is a loopback name"
	for _, tc := range []struct{ sms, email, what, want string }{
		{`{"sender":"file","path":"/tmp/codes"}`, "", "sms: file: it shows every code", loopbackOnly},
		{"", `{"sender":"file","path":"/tmp/codes"}`, "email: file: it shows every code", loopbackOnly},
		{`{"sender":"webhook","url":"https://a.example","secret":"` + longSecret + `"}`, "", "sms: webhook: secret: a literal secret", loopbackOnly},
		{`{"sender":"webhook","url":"https://a.example","secret":"` + short + `"}`, "", "sms: webhook: secret: under 24 characters", "openssl rand"},
		{"", `{"sender":"webhook","url":"http://a.example","secret":"` + long + `"}`, "email: webhook: plain http", loopbackOnly},
		{"", `{"sender":"webhook","url":"HTTP://127.0.0.1","secret":"` + long + `"}`, "email: webhook: plain http", loopbackOnly},
		{tencent(longSecret, long, ""), "", "sms: tencent: secret_id: a literal secret", loopbackOnly},
		{tencent(long, longSecret, ""), "", "sms: tencent: secret_key: a literal secret", loopbackOnly},
		{tencent(long, long, "http://a.example"), "", "sms: tencent: endpoint: plain http", loopbackOnly},
		{"", `{"sender":"smtp","address":"a.example:587","from":"a@b.example","user":"u","password":"` + longSecret + `"}`,
			"email: smtp: password: a literal secret", loopbackOnly},
	} {
		t.Run(tc.what, func(t *testing.T) {
			err := provision(t, senderApp(t, tc.sms, tc.email, nil))
			if err == nil || !strings.Contains(err.Error(), tc.what) || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got  %v\nwant %s … %s", err, tc.what, tc.want)
			}
			if err := provision(t, senderApp(t, tc.sms, tc.email, local)); err != nil {
				t.Errorf("on the loopback: %v", err)
			}
		})
	}
	for _, tc := range []struct{ sms, email string }{
		{`{"sender":"webhook","url":"https://a.example/x","secret":"` + long + `"}`, `{"sender":"webhook","url":"https://a.example/x","secret":"` + long + `"}`},
		{tencent(long, short, ""), `{"sender":"smtp","address":"localhost:25","from":"a@b.example"}`},
		{"", `{"sender":"smtp","address":"[2001:db8::1]:465","from":"A <a@b.example>","user":"{env.QQAUTH_TEST_SHORT}","password":"` + short + `"}`},
	} {
		if err := provision(t, senderApp(t, tc.sms, tc.email, nil)); err != nil {
			t.Error(err)
		}
	}
}

func TestSenderProvisionRefuses(t *testing.T) {
	for _, tc := range []struct{ sms, email, want string }{
		{`{"sender":"smtp","address":"a.example:25","from":"a@b.example"}`, "", "sms: this sender cannot deliver there"},
		{"", `{"sender":"tencent","secret_id":"{env.QQAUTH_TEST_LONG}","secret_key":"{env.QQAUTH_TEST_LONG}","app":"1","sign":"x","template":"1"}`, "email: this sender cannot deliver there"},
		{`{"sender":"file"}`, "", "path is missing: write file <path>"},
		{`{"sender":"webhook","secret":"{env.QQAUTH_TEST_LONG}"}`, "", "url is missing: write webhook <url>"},
		{`{"sender":"webhook","url":"https://u:hunter2@a.example","secret":"{env.QQAUTH_TEST_LONG}"}`, "", "url: write an absolute URL"},
		{`{"sender":"webhook","url":"https://a.example"}`, "", "secret is missing: write secret {env.NAME} or {file.PATH}"},
		{`{"sender":"webhook","url":"https://a.example","secret":"{env.QQAUTH_TEST_UNSET}"}`, "", "secret: {env.QQAUTH_TEST_UNSET} holds nothing"},
		{`{"sender":"webhook","url":"https://a.example","secret":"hunter2{env.A}"}`, "", "secret: write one placeholder"},
		{`{"sender":"webhook","url":"https://a.example","secrets":"hunter2"}`, "", "unknown field"},
		{`{"sender":"fax"}`, "", "unknown module: qqauth.senders.fax"},
		{`{"sender":"tencent","secret_id":"{env.QQAUTH_TEST_LONG}"}`, "", "secret_key is missing"},
		{`{"sender":"tencent","secret_id":"{env.QQAUTH_TEST_UNSET}","secret_key":"hunter2","app":"1","sign":"x","template":"1"}`, "", "secret_id: {env.QQAUTH_TEST_UNSET} holds nothing"},
		{`{"sender":"tencent","secret_id":"a","secret_key":"hunter2","app":"1","sign":"x","templates":{"REGISTER_SMS":"1"}}`, "", "template for BIND_MOBILE_SMS is missing: write template <id>, or template BIND_MOBILE_SMS <id>"},
		{`{"sender":"tencent","secret_id":"{env.QQAUTH_TEST_LONG}","secret_key":"{env.QQAUTH_TEST_LONG}","app":"1","sign":"x","template":"1","templates":{"FAX":"1"}}`, "", "sms: tencent: a template is for none of REGISTER_SMS"},
		{"", `{"sender":"smtp","from":"a@b.example"}`, "address is missing: write smtp <host:port>"},
		{"", `{"sender":"smtp","address":"a.example:587"}`, "from is missing: write from <mailbox>"},
		{"", `{"sender":"smtp","address":"a.example:587","from":"a@b.example","user":"u"}`, "user and password come together"},
		{"", `{"sender":"smtp","address":"a.example:587","from":"a@b.example","password":"hunter2"}`, "user and password come together"},
		{"", `{"sender":"smtp","address":"a.example:587","from":"a@b.example","user":"u","password":"{env.QQAUTH_TEST_UNSET}"}`, "password: {env.QQAUTH_TEST_UNSET} holds nothing"},
	} {
		err := provision(t, senderApp(t, tc.sms, tc.email, nil))
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s%s: got %v, want %s", tc.sms, tc.email, err, tc.want)
		}
	}
}

// TestSendersDeliver: what was provisioned delivers, with the secret that the
// placeholder led to, and shows it to nobody.
func TestSendersDeliver(t *testing.T) {
	var signature, body string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		read, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		signature, body = r.Header.Get("X-Qqauth-Signature"), string(read)
	}))
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "codes")
	app := senderApp(t,
		`{"sender":"webhook","url":"`+server.URL+`","secret":"{env.QQAUTH_TEST_LONG}"}`, `{"sender":"file","path":"`+path+`"}`, local)
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := app.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	defer app.Cleanup()
	senders := app.coreConfig().Senders
	m := authcore.Message{
		Time: time.Now(), Way: authcore.WayPhone, To: "+86-15201657321", Purpose: authcore.PurposeBind,
		Code: opaque.Of("402817"), Lang: "zh", ExpiresIn: time.Minute,
	}
	if err := senders[authcore.WayPhone].Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	stamp, _, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",")
	mac := hmac.New(sha256.New, []byte(longSecret))
	io.WriteString(mac, stamp+"."+body)
	if signature != "t="+stamp+",v1="+hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("signed %q as %s", body, signature)
	}
	m.Way, m.To = authcore.WayEmail, "a@b.example"
	if err := senders[authcore.WayEmail].Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if line, err := os.ReadFile(path); err != nil || !strings.Contains(string(line), `"type":"BIND_EMAIL_EMS","code":"402817"`) {
		t.Errorf("got %s, %v", line, err)
	}
}

func TestSendersHideSecrets(t *testing.T) {
	app := senderApp(t,
		`{"sender":"tencent","secret_id":"{env.QQAUTH_TEST_SHORT}","secret_key":"{env.QQAUTH_TEST_LONG}","app":"1","sign":"x","template":"1"}`,
		`{"sender":"smtp","address":"a.example:465","from":"a@b.example","user":"u","password":"{env.QQAUTH_TEST_LONG}"}`, nil)
	if err := provision(t, app); err != nil {
		t.Fatal(err)
	}
	tencent, smtp, webhook := &TencentSender{}, &SMTPSender{}, &WebhookSender{}
	for module, raw := range map[caddy.Provisioner]string{
		tencent: `{"secret_id":"{env.QQAUTH_TEST_SHORT}","secret_key":"{env.QQAUTH_TEST_LONG}","app":"1","sign":"x","template":"1"}`,
		smtp:    `{"address":"a.example:465","from":"a@b.example","user":"{env.QQAUTH_TEST_SHORT}","password":"{env.QQAUTH_TEST_LONG}"}`,
		webhook: `{"url":"https://a.example","secret":"{env.QQAUTH_TEST_LONG}"}`,
	} {
		if err := json.Unmarshal([]byte(raw), module); err != nil {
			t.Fatal(err)
		}
		if err := module.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		sender, err := module.(Sender).Open(&app.Config)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := json.Marshal(module)
		if err != nil || string(shown) != raw {
			t.Errorf("the module is no longer what was written: %s, %v", shown, err)
		}
		for _, text := range []string{
			fmt.Sprintf("%+v", module), fmt.Sprintf("%#v", module), fmt.Sprintf("%+v", sender), fmt.Sprintf("%+v", app), fmt.Sprintf("%+v", app.senders),
		} {
			if strings.Contains(text, "hunter2") {
				t.Errorf("shows the secret: %s", text)
			}
		}
	}
}

// TestSMTPWithoutTLS: only between two on the loopback.
func TestSMTPWithoutTLS(t *testing.T) {
	for _, tc := range []struct {
		publicURL, address string
		want               bool
	}{
		{"http://localhost:8080", "localhost:1025", true},
		{"http://localhost:8080", "127.0.0.1:1025", true},
		{"http://localhost:8080", "[::1]:1025", true},
		{"http://localhost:8080", "mail.example.com:587", false},
		{"http://localhost:8080", "localhost.example.com:587", false},
		{"https://id.example.com", "localhost:1025", false},
		{"https://id.example.com", "mail.example.com:25", false},
	} {
		s := SMTPSender{Address: tc.address}
		if got := s.allowPlain(&Config{PublicURL: tc.publicURL}); got != tc.want {
			t.Errorf("%s from %s: got %v", tc.address, tc.publicURL, got)
		}
	}
}

// TestSMTPSenderDelivers: a server without TLS on the loopback gets the message,
// in the name of the site, if that is on the loopback, too.
func TestSMTPSenderDelivers(t *testing.T) {
	mails := make(mailbox, 2)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(mails)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	send := func(change func(*Config)) error {
		app := senderApp(t, "", `{"sender":"smtp","address":"`+listener.Addr().String()+`","from":"a@b.example"}`, change)
		if err := provision(t, app); err != nil {
			t.Fatal(err)
		}
		return app.senders[authcore.WayEmail].Send(t.Context(), authcore.Message{
			Time: time.Now(), Way: authcore.WayEmail, To: "c@d.example", Purpose: authcore.PurposeBind,
			Code: opaque.Of("402817"), Lang: "en", ExpiresIn: time.Minute,
		})
	}
	if err := send(nil); err == nil || !strings.Contains(err.Error(), "server offers no STARTTLS") {
		t.Errorf("for the world at large: %v", err)
	}
	if err := send(local); err != nil {
		t.Fatal(err)
	}
	if text := <-mails; !strings.Contains(text, "402817") || !strings.Contains(text, "Subject: localhost:") || len(mails) > 0 {
		t.Errorf("got %s, and %d more", text, len(mails))
	}
}

// mailbox is a mail server's backend that takes everything.
type mailbox chan string

func (m mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return m, nil }
func (m mailbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (m mailbox) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (m mailbox) Reset()                                      {}
func (m mailbox) Logout() error                               { return nil }

func (m mailbox) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	m <- string(text)
	return err
}
