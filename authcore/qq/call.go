package qq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/qqauth/qqauth/authcore"
)

// maxAnswerBytes caps an answer, so that whoever sits in QQ's place cannot fill
// our memory. A real one has a hundred bytes, a profile a thousand.
const maxAnswerBytes = 64 << 10

// errTimeout is the cause of a context that our own timeout ended; only inside.
var errTimeout = errors.New("qq: timeout")

// get asks for a URL with a query and returns the body of the answer.
func (c *Client) get(ctx context.Context, call callName, to url.URL, query string) ([]byte, error) {
	return c.send(ctx, call, c.transport, newRequest(to, query))
}

func newRequest(to url.URL, query string) *http.Request {
	to.RawQuery = query
	return &http.Request{
		Method: http.MethodGet,
		URL:    &to,
		Host:   to.Host,
		Header: http.Header{"User-Agent": {"qqauth"}},
	}
}

// send makes one admitted call and returns the body of its answer.
//
// It uses the transport itself and not an http.Client: there is then no
// redirect to follow, no cookie, and no *url.Error, which would print the query
// with the access token in it.
func (c *Client) send(ctx context.Context, call callName, over http.RoundTripper, req *http.Request) ([]byte, error) {
	if err := c.gate.enter(ctx); err != nil {
		return nil, outOfReach(ctx, call, err)
	}
	defer c.gate.leave()
	resp, err := over.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, outOfReach(ctx, call, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fault(call, fmt.Sprintf("HTTP status %d", resp.StatusCode), authcore.ErrQQUnavailable)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err != nil {
		return nil, outOfReach(ctx, call, err)
	}
	if len(body) > maxAnswerBytes {
		return nil, fault(call, "answer over 64 KiB", authcore.ErrQQUnavailable)
	}
	return body, nil
}

// outOfReach describes why no answer came, in words of our own: the text of a
// transport's error may quote what the other side sent, our token included.
func outOfReach(ctx context.Context, call callName, err error) error {
	if ctx.Err() != nil {
		if context.Cause(ctx) == errTimeout {
			return fault(call, "no answer in time", authcore.ErrQQUnavailable)
		}
		return fmt.Errorf("qq %s: %w: %w", call, authcore.ErrQQUnavailable, ctx.Err())
	}
	reason := "connection broke"
	if errors.Is(err, errCrowded) {
		reason = "too many logins wait"
	} else if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		reason = "certificate is not trusted"
	} else if _, ok := errors.AsType[*net.DNSError](err); ok {
		reason = "host name does not resolve"
	} else if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		reason = "cannot connect"
	}
	return fault(call, reason, authcore.ErrQQUnavailable)
}
