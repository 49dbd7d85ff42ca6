package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// post is what a webhook's receiver got.
type post struct {
	header http.Header
	body   []byte
}

// gateway is a server that takes messages and sends them on.
type gateway struct {
	*httptest.Server
	mu    sync.Mutex
	posts []post
	fails int // how many of the next posts it refuses
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.posts = append(g.posts, post{r.Header.Clone(), body})
		if g.fails > 0 || err != nil || r.Method != "POST" {
			g.fails--
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write(body) // as some do
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(g.Close)
	return g
}

// refuse has the next posts refused.
func (g *gateway) refuse(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fails = n
}

// take returns what has come since the last time.
func (g *gateway) take() []post {
	g.mu.Lock()
	defer g.mu.Unlock()
	posts := g.posts
	g.posts = nil
	return posts
}

var signature = regexp.MustCompile(`^t=([0-9]{10}),v1=([0-9a-f]{64})$`)

// verify does what the contract tells a receiver to do.
func (p *post) verify(t *testing.T, secret string) notice {
	t.Helper()
	parts := signature.FindStringSubmatch(p.header.Get("X-Qqauth-Signature"))
	if parts == nil {
		t.Fatalf("the signature is %q", p.header.Get("X-Qqauth-Signature"))
	}
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s", parts[1], p.body)
	if hex.EncodeToString(mac.Sum(nil)) != parts[2] {
		t.Errorf("the signature of %s is wrong", p.body)
	}
	if signed, err := strconv.ParseInt(parts[1], 10, 64); err != nil || time.Since(time.Unix(signed, 0)).Abs() > patience {
		t.Errorf("signed at %s: %v", parts[1], err)
	}
	if p.header.Get("Idempotency-Key") == "" || p.header.Get("Content-Type") != "application/json" {
		t.Errorf("header %v", p.header)
	}
	return parseNotice(t, p.body)
}

const (
	hookSecret   = "webhook-secret-for-loopback"
	mailPassword = "mail-password-for-loopback"
)

// TestDelivery sends codes through a webhook and a mail server.
func TestDelivery(t *testing.T) {
	gate, mails := newGateway(t), newMailServer(t)
	h := newHome(t)
	h.env = append(h.env, "E2E_HOOK="+hookSecret, "E2E_MAIL="+mailPassword, "SSL_CERT_FILE="+h.write("roots.pem", mails.certificate))
	senders := "sms webhook " + gate.URL + "/hook {\n secret {env.E2E_HOOK}\n }\n" +
		"email smtp " + mails.addr + " {\n from \"商店 <no-reply@shop.example>\"\n user mailer\n password {env.E2E_MAIL}\n }"
	w := prepareAppWorld(t, "$SENDERS", senders)
	w.server = h.start(appFile, w.pairs...)
	l := newLedger(t)
	l.keep("the webhook's secret", hookSecret)
	l.keep("the mail password", mailPassword)
	w.byWebhook(l, gate)
	w.byMail(l, mails)
	w.stop()
	l.search("the log", w.logged())
}

// byWebhook sends messages that are refused and taken.
func (w *appWorld) byWebhook(l *ledger, gate *gateway) {
	w.t.Helper()
	p, a := w.person(), w.app("registers")
	l.keep("phone", p.phone)
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)

	// One refusal is overcome, three are not.
	gate.refuse(1)
	a.trySend("REGISTER_SMS", p.phone, state).want(http.StatusOK, "")
	posts := gate.take()
	if len(posts) != 2 || posts[0].header.Get("Idempotency-Key") != posts[1].header.Get("Idempotency-Key") {
		w.t.Fatalf("the gateway got %+v", posts)
	}
	first, sent := posts[0].verify(w.t, hookSecret), posts[1].verify(w.t, hookSecret)
	want := notice{sent.Time, "sms", p.mobile(), "REGISTER_SMS", l.keepCode(sent.Code), "en", 300}
	if sent != want || first != sent {
		w.t.Errorf("the messages are %+v and %+v, want %+v", first, sent, want)
	}
	key := posts[0].header.Get("Idempotency-Key")
	gate.refuse(3)
	a.trySend("REGISTER_SMS", p.phone, state).want(http.StatusBadRequest, "IDAAS.SDK.CAPTCHA.0006")
	if posts := gate.take(); len(posts) != 3 || posts[0].header.Get("Idempotency-Key") == key {
		w.t.Errorf("the gateway got %+v, want one message three times", posts)
	}
	a.trySend("REGISTER_SMS", p.phone, state).want(http.StatusOK, "")
	if posts = gate.take(); len(posts) != 1 {
		w.t.Fatalf("the gateway got %+v", posts)
	}
	code := l.keepCode(posts[0].verify(w.t, hookSecret).Code)
	w.admitted(a.succeeds("/social/register-bind", state, p.phone, code), "qq", "sms")
}

// byMail sends mails in both languages, and one that is refused.
func (w *appWorld) byMail(l *ledger, mails *mailServer) {
	w.t.Helper()
	for _, language := range []string{"zh", "en"} {
		p, a := w.person(), w.app("registers").speaking(language)
		l.keep("address", p.email)
		state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
		a.trySend("REGISTER_EMS", p.email, state).want(http.StatusOK, "")
		code := l.keepCode(mails.code(w.t, p.email, language))
		w.admitted(a.succeeds("/social/register-bind", state, p.email, code), "qq", "email")
	}
	mails.refuse()
	p, a := w.person(), w.app("registers")
	l.keep("address", p.email)
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	a.trySend("REGISTER_EMS", p.email, state).want(http.StatusBadRequest, "IDAAS.SDK.CAPTCHA.0006")
}
