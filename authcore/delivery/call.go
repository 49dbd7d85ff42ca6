package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// maxInFlight is how many messages one sender delivers at a time: a slow
	// provider must not collect our sockets and memory.
	maxInFlight = 64
	// maxHeaderBytes caps the header of an answer.
	maxHeaderBytes = 16 << 10
)

var (
	errTimeout = errors.New("no answer in time")
	errCrowded = errors.New("too many messages wait")
)

// slots admit messages to a sender.
type slots chan struct{}

func newSlots() slots { return make(slots, maxInFlight) }

// enter takes a slot, waiting for one until patience or ctx ends. Whoever it
// admits must leave.
func (s slots) enter(ctx context.Context, patience time.Duration) error {
	select {
	case s <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case s <- struct{}{}:
		return nil
	case <-timer.C:
		return errCrowded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s slots) leave() { <-s }

// newTransport makes connections of its own, by way of a proxy if one is given.
func newTransport(proxy func(*http.Request) (*url.URL, error), timeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    timeout,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxInFlight,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// outOfReach says why no answer came, in words of our own: an error of the
// network may quote a URL, or what the other side sent, our code included.
func outOfReach(ctx context.Context, err error) error {
	if context.Cause(ctx) == errTimeout {
		return errTimeout
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New("certificate is not trusted")
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return errors.New("no TLS spoken")
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New("host name does not resolve")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return errors.New("cannot connect")
	}
	return errors.New("connection broke")
}
