package qq

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

// Exchange implements [authcore.CodeExchanger]. It costs one call.
func (c *Client) Exchange(ctx context.Context, code string) (accessToken opaque.Secret, err error) {
	if c.key.IsZero() {
		return opaque.Secret{}, fault(callToken, "not sent: the application has no key", authcore.ErrQQToken)
	}
	if !presentable(code, maxTokenBytes) {
		return opaque.Secret{}, fault(callToken, "not sent: malformed code", authcore.ErrQQToken)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errTimeout)
	defer cancel()
	defer c.observed(callToken, time.Now(), &err)
	// No redirect_uri: a mobile application has none, and may leave it out
	// (QQ Connect, "使用Authorization_Code获取Access_Token", step 2).
	req := newRequest(c.token, "grant_type=authorization_code"+
		"&client_id="+url.QueryEscape(string(c.app))+
		"&client_secret="+url.QueryEscape(c.key.Reveal())+
		"&code="+url.QueryEscape(code)+
		"&fmt=json")
	// net/http sends a GET again when a connection that was used before breaks.
	// What it cannot read again it does not send again; an empty body that it
	// does not know to be empty goes out over HTTP/1 as none at all.
	req.Body = io.NopCloser(strings.NewReader(""))
	body, err := c.send(ctx, callToken, c.once, req)
	if err != nil {
		return opaque.Secret{}, err
	}
	return parseToken(body)
}

// onceTransport makes the calls that may not be repeated: each over a connection
// of its own, since one that was kept may have died unnoticed, and a code lost on
// it would cost the user another login. It speaks HTTP/1, where the request looks
// like everybody else's.
func onceTransport() *http.Transport {
	t := newTransport()
	t.DisableKeepAlives = true
	t.ForceAttemptHTTP2 = false // with a dialer or TLS settings of one's own this leaves HTTP/1
	return t
}

var _ authcore.CodeExchanger = (*Client)(nil)
