package delivery

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

const (
	// tries is how often a message is posted before it counts as lost.
	tries = 3

	defaultTryTimeout = 5 * time.Second
	defaultPause      = 500 * time.Millisecond

	// maxDrained and drainTime bound what is read of an answer, whose body says
	// nothing to us: reading a short one to its end keeps its connection.
	maxDrained = 4 << 10
	drainTime  = 250 * time.Millisecond
)

// WebhookConfig says where messages are posted.
type WebhookConfig struct {
	// URL is http or https, without user and fragment. Required.
	URL string
	// Secret signs what is posted. Required.
	Secret opaque.Secret
	// Timeout bounds each try, and the wait before the first one while too many
	// messages are under way; 5 s if zero.
	Timeout time.Duration
	// Pause is the time between two tries; 500 ms if zero.
	Pause time.Duration
}

// Webhook posts messages to a server of the operator's, which sends them on. It
// asks no proxy: a code goes to that server and nowhere else.
type Webhook struct {
	url            string
	secret         opaque.Secret
	timeout, pause time.Duration
	transport      *http.Transport
	slots          slots
}

// NewWebhook returns a Webhook, or an error that says which field of c is wrong.
func NewWebhook(c WebhookConfig) (*Webhook, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		// Not quoted: a password may stand in it.
		return nil, errors.New("webhook: the URL is not an http or https one without user and fragment")
	}
	if c.Secret.IsZero() {
		return nil, errors.New("webhook: the secret is empty")
	}
	timeout := cmp.Or(c.Timeout, defaultTryTimeout)
	return &Webhook{
		url: c.URL, secret: c.Secret, timeout: timeout, pause: cmp.Or(c.Pause, defaultPause),
		transport: newTransport(nil, timeout), slots: newSlots(),
	}, nil
}

// Send posts the message until one of three tries is answered with 2xx. It
// returns after four timeouts and two pauses at the latest.
func (w *Webhook) Send(ctx context.Context, m authcore.Message) error {
	body, err := encodeNotice(&m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if err := w.slots.enter(ctx, w.timeout); err != nil {
		return fmt.Errorf("post message: %w", err)
	}
	defer w.slots.leave()
	key := rand.Text()
	for try := range tries {
		if try > 0 && !pause(ctx, w.pause) {
			break
		}
		if err = w.post(ctx, key, body); err == nil {
			return nil
		}
	}
	return fmt.Errorf("post message: %w", err)
}

// pause waits, and reports whether ctx still lasts.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// post makes one try. It uses the transport itself and not an http.Client, which
// would follow redirects, and carry the code to wherever they lead.
func (w *Webhook) post(ctx context.Context, key string, body []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, w.timeout, errTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("malformed URL")
	}
	// The transport would repeat it by itself on a connection that broke, beyond
	// the tries that are promised.
	req.GetBody = nil
	req.Header = http.Header{
		"User-Agent":         {"qqauth"},
		"Content-Type":       {"application/json"},
		"Idempotency-Key":    {key},
		"X-Qqauth-Signature": {sign(w.secret, time.Now(), body)},
	}
	resp, err := w.transport.RoundTrip(req)
	if err != nil {
		return outOfReach(ctx, err)
	}
	defer resp.Body.Close()
	enough := time.AfterFunc(drainTime, cancel)
	defer enough.Stop()
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrained)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("answered with HTTP status %d", resp.StatusCode)
	}
	return nil
}

// sign is the value of X-Qqauth-Signature. The time is signed, too, so that the
// receiver can refuse what somebody recorded.
func sign(secret opaque.Secret, now time.Time, body []byte) string {
	t := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Close drops idle connections. Messages under way go on, and later ones work.
func (w *Webhook) Close() { w.transport.CloseIdleConnections() }

var _ authcore.Sender = (*Webhook)(nil)
