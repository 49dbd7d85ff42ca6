package delivery_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/delivery"
	"github.com/qqauth/qqauth/authcore/opaque"
)

// receiver is a webhook's server that keeps what it was sent.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	opened   atomic.Int64 // connections
}

// newReceiver answers the nth request, from 1, by answer.
func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.requests, r.bodies = append(r.requests, req), append(r.bodies, string(body))
		n := len(r.requests)
		r.mu.Unlock()
		answer(n, w, req)
	}))
	r.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			r.opened.Add(1)
		}
	}
	r.Start()
	t.Cleanup(r.Close)
	return r
}

// got is what came so far.
func (r *receiver) got() ([]*http.Request, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests, r.bodies
}

// newWebhook posts to url, without a noticeable pause between tries.
func newWebhook(t *testing.T, url string, timeout time.Duration) *delivery.Webhook {
	t.Helper()
	w, err := delivery.NewWebhook(delivery.WebhookConfig{
		URL: url, Secret: opaque.Of(secret), Timeout: timeout, Pause: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func answerStatus(status int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func TestWebhookPosts(t *testing.T) {
	server := newReceiver(t, answerStatus(http.StatusNoContent))
	w := newWebhook(t, server.URL+"/send?query-token=1", 0)
	began := time.Now().Unix()
	if err := w.Send(t.Context(), sms(authcore.PurposeRegister)); err != nil {
		t.Fatal(err)
	}
	if err := w.Send(t.Context(), email(authcore.PurposeUpdate, "en")); err != nil {
		t.Fatal(err)
	}
	requests, bodies := server.got()
	if len(requests) != 2 || server.opened.Load() != 1 {
		t.Fatalf("%d requests on %d connections", len(requests), server.opened.Load())
	}
	for i, want := range []string{
		`{"time":"2026-03-01T12:30:15Z","channel":"sms","to":"+86-15201657321","type":"REGISTER_SMS","code":"402817","lang":"zh","expires_in":300}`,
		`{"time":"2026-03-01T12:30:15Z","channel":"email","to":"zhangsan@mail.example","type":"UPDATE_EMAIL_EMS","code":"402817","lang":"en","expires_in":300}`,
	} {
		if bodies[i] != want {
			t.Errorf("got  %s\nwant %s", bodies[i], want)
		}
	}
	first := requests[0]
	if first.Method != "POST" || first.RequestURI != "/send?query-token=1" || first.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s %s, %v", first.Method, first.RequestURI, first.Header)
	}
	if a, b := first.Header.Get("Idempotency-Key"), requests[1].Header.Get("Idempotency-Key"); a == b || len(a) < 22 {
		t.Errorf("two messages have the keys %s and %s", a, b)
	}
	checkSignature(t, first.Header.Get("X-Qqauth-Signature"), bodies[0], began)
}

// checkSignature does what a receiver would do.
func checkSignature(t *testing.T, header, body string, began int64) {
	t.Helper()
	stamp, sum, ok := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, stamp+"."+body)
	if !ok || sum != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("the signature is wrong: %s", header)
	}
	if at, err := strconv.ParseInt(stamp, 10, 64); err != nil || at < began || at > time.Now().Unix() {
		t.Errorf("signed at %s", stamp)
	}
}

func TestWebhookTriesThrice(t *testing.T) {
	server := newReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		switch n {
		case 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	})
	if err := newWebhook(t, server.URL, 0).Send(t.Context(), sms(authcore.PurposeBind)); err != nil {
		t.Fatal(err)
	}
	requests, bodies := server.got()
	if len(requests) != 3 {
		t.Fatalf("got %d requests", len(requests))
	}
	for i, r := range requests {
		if r.Header.Get("Idempotency-Key") != requests[0].Header.Get("Idempotency-Key") || bodies[i] != bodies[0] {
			t.Errorf("try %d is another message", i+1)
		}
	}
}

func TestWebhookRefusals(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	for _, tc := range []struct {
		name   string
		answer func(int, http.ResponseWriter, *http.Request)
		want   string
	}{
		{"an error", answerStatus(http.StatusBadGateway), "post message: answered with HTTP status 502"},
		{"a refusal", answerStatus(http.StatusForbidden), "post message: answered with HTTP status 403"},
		{"a redirect", func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}, "post message: answered with HTTP status 307"},
		{"a redirect to a page", func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusSeeOther)
		}, "post message: answered with HTTP status 303"},
		{"a broken connection", func(int, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "post message: connection broke"},
		{"an error, then broken connections", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n > 1 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusBadGateway)
		}, "post message: connection broke"},
		{"a header without end", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("a", 32<<10))
		}, "post message: connection broke"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := newReceiver(t, tc.answer)
			err := newWebhook(t, server.URL+"/?query-token=1", 0).Send(t.Context(), sms(authcore.PurposeBind))
			wantFault(t, err, tc.want)
			if requests, _ := server.got(); len(requests) != 3 {
				t.Errorf("got %d requests", len(requests))
			}
		})
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("followed %d redirects", n)
	}
}

// TestWebhookTooLate: what is said after the deadline is not heard.
func TestWebhookTooLate(t *testing.T) {
	server := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		w.WriteHeader(http.StatusOK)
	})
	err := newWebhook(t, server.URL, 20*time.Millisecond).Send(t.Context(), sms(authcore.PurposeBind))
	wantFault(t, err, "post message: no answer in time")
	if requests, _ := server.got(); len(requests) != 3 {
		t.Errorf("got %d requests", len(requests))
	}
}

// TestWebhookEndlessAnswer: the status has come, so the message is delivered,
// and the rest is not waited for.
func TestWebhookEndlessAnswer(t *testing.T) {
	for name, chunk := range map[string]string{"flood": strings.Repeat("a", 64<<10), "trickle": "", "drops": "a"} {
		t.Run(name, func(t *testing.T) {
			var written int
			hungUp := make(chan struct{})
			server := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) {
				defer close(hungUp)
				w.WriteHeader(http.StatusOK)
				for r.Context().Err() == nil {
					n, err := io.WriteString(w, chunk)
					if written += n; err != nil {
						return
					}
					http.NewResponseController(w).Flush()
					if chunk == "" {
						<-r.Context().Done()
					}
				}
			})
			if err := newWebhook(t, server.URL, time.Minute).Send(t.Context(), sms(authcore.PurposeBind)); err != nil {
				t.Error(err)
			}
			<-hungUp
			if written > 32<<20 { // what the sockets hold, generously
				t.Errorf("%d MiB were read", written>>20)
			}
		})
	}
}

func TestWebhookEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	err := newWebhook(t, server.URL, time.Minute).Send(ctx, sms(authcore.PurposeBind))
	wantFault(t, err, "post message: context canceled")
	if requests, _ := server.got(); len(requests) != 1 {
		t.Errorf("got %d requests", len(requests))
	}
}

// TestWebhookInFlight: a server that answers nobody gets no more than its share
// of our sockets, and the rest wait.
func TestWebhookInFlight(t *testing.T) {
	const extra = 3
	var now, most atomic.Int64
	arrived, release := make(chan struct{}), make(chan struct{})
	server := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		for n, seen := now.Add(1), most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		arrived <- struct{}{}
		<-release
		now.Add(-1)
	})
	w := newWebhook(t, server.URL, time.Minute)
	var all sync.WaitGroup
	for range delivery.MaxInFlight + extra {
		all.Go(func() {
			if err := w.Send(t.Context(), sms(authcore.PurposeBind)); err != nil {
				t.Error(err)
			}
		})
	}
	for range delivery.MaxInFlight {
		<-arrived
	}
	for range extra {
		release <- struct{}{}
		<-arrived
	}
	close(release)
	all.Wait()
	if n := most.Load(); n > delivery.MaxInFlight {
		t.Errorf("%d at a time", n)
	}
}

// TestWebhookCrowded: who waits for others in vain is told so.
func TestWebhookCrowded(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	server := newReceiver(t, func(int, http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	w := newWebhook(t, server.URL, time.Minute)
	var all sync.WaitGroup
	for range delivery.MaxInFlight {
		all.Go(func() {
			if err := w.Send(t.Context(), sms(authcore.PurposeBind)); err != nil {
				t.Error(err)
			}
		})
		<-arrived
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	wantFault(t, w.Send(ctx, sms(authcore.PurposeBind)), "post message: context deadline exceeded")
	close(release)
	all.Wait()
}

func TestWebhookOutOfReach(t *testing.T) {
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(t.Output(), "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, tc := range []struct{ url, want string }{
		{untrusted.URL + "/?query-token=1", "certificate is not trusted"},
		{closed.URL + "/?query-token=1", "cannot connect"},
		{strings.Replace(plain.URL, "http:", "https:", 1), "no TLS spoken"},
	} {
		wantFault(t, newWebhook(t, tc.url, 0).Send(t.Context(), sms(authcore.PurposeBind)), "post message: "+tc.want)
	}
}

func TestNewWebhookRefuses(t *testing.T) {
	for _, c := range []delivery.WebhookConfig{
		{URL: "", Secret: opaque.Of(secret)},
		{URL: "ftp://a.example/" + secret, Secret: opaque.Of(secret)},
		{URL: "https://u:" + secret + "@a.example/", Secret: opaque.Of(secret)},
		{URL: "https://a.example/#" + secret, Secret: opaque.Of(secret)},
		{URL: "https:///" + secret, Secret: opaque.Of(secret)},
		{URL: "https://a.example/%zz" + secret, Secret: opaque.Of(secret)},
		{URL: "https://a.example/"},
	} {
		_, err := delivery.NewWebhook(c)
		wantFault(t, err, "webhook: the ")
	}
}
