package gamesparks

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// maxMessage bounds a request in bytes, so that nobody fills the memory; it is
// the vendor's limit.
const maxMessage = 256 << 10

// exchange is one HTTP request and its answer.
type exchange struct {
	*Handler
	w    http.ResponseWriter
	r    *http.Request
	call call // as far as it is known
}

// rest carries a REST request out. Which of several faults is answered is the
// order of its steps: nobody learns which requests exist without the secret.
func (e *exchange) rest() error {
	parts, err := segments(e.r, restPrefix, 3)
	if err != nil {
		return err
	}
	if err := e.method(http.MethodPost); err != nil {
		return err
	}
	gate := e.gateBySecret(parts[0], parts[1])
	if gate == nil {
		return refuse(http.StatusForbidden, "credentials", "REFUSED", "wrong credential or secret")
	}
	e.call.client, e.call.caller = gate.Client, e.whoCalls(e.r)
	if e.call.request = requests[parts[2]]; e.call.request == nil {
		return refuse(http.StatusNotFound, "request", "UNKNOWN", "no such request")
	}
	body, err := e.body()
	if err != nil {
		return err
	}
	defer body.free()
	if err := e.call.read(body.bytes); err != nil {
		return err
	}
	if c := e.call.envelope.Class; c != nil && *c != "."+parts[2] {
		return malformed("@class is another request's")
	}
	service, done, err := e.open()
	if err != nil {
		return err
	}
	defer done()
	e.call.service = service
	if err := e.whoPlays(); err != nil {
		return err
	}
	answer, err := e.call.run(e.r.Context())
	if err != nil {
		return err
	}
	return e.answer(http.StatusOK, answer)
}

func (e *exchange) method(want string) error {
	if e.r.Method == want {
		return nil
	}
	e.w.Header().Set("Allow", want)
	return refuse(http.StatusMethodNotAllowed, "request", "METHOD_NOT_ALLOWED", "wrong method")
}

// body returns the whole body, whatever its content type: clients of old send
// what they like, and no cookie is read here that another site could ride on.
func (e *exchange) body() (*message, error) {
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "request", "TOO_LARGE", "body is too large")
	if e.r.ContentLength > maxMessage {
		return nil, tooLarge
	}
	// Where a deadline cannot be set, the server's own holds.
	_ = http.NewResponseController(e.w).SetReadDeadline(time.Now().Add(e.sockets.times.whole))
	// One more byte than is taken: the reader closes the connection at it.
	body, err := e.sockets.readAll(http.MaxBytesReader(e.w, e.r.Body, maxMessage+1), maxMessage, e.call.caller.Addr)
	switch {
	case errors.Is(err, errTooLong):
		return nil, tooLarge
	case errors.Is(err, errNoMemory):
		return nil, refuse(http.StatusServiceUnavailable, "request", "LIMIT", err.Error())
	case err != nil:
		return nil, malformed("body ends early")
	}
	return body, nil
}

// whoPlays finds the current player by the body's own authToken. One that is dead
// or nobody's means that nobody is signed in.
func (e *exchange) whoPlays() error {
	c := &e.call
	if token := c.envelope.AuthToken; !isNoToken(token) {
		session, user, err := c.service.Playing(e.r.Context(), c.client, token)
		if err != nil && !errors.Is(err, authcore.ErrSession) {
			return err
		}
		if err == nil {
			c.session, c.user = session, user
		}
	}
	return nil
}

// fail answers and logs the fault that a request ends in.
func (e *exchange) fail(err error) {
	f := translate(err)
	e.call.logFault(e.r.Context(), e.log, f)
	if after, ok := f.retryAfter(); ok {
		e.w.Header().Set("Retry-After", strconv.FormatInt(int64(after.Seconds()), 10))
	}
	_ = e.answer(f.status, e.call.refusal(f)) // a refusal always encodes
}

// answer writes v as the whole answer.
func (e *exchange) answer(status int, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	e.w.Header().Set("Content-Type", "application/json")
	e.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	e.w.WriteHeader(status)
	_, _ = e.w.Write(body) // a client that is gone cannot be told so
	return nil
}
