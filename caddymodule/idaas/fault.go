package idaas

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// retryAfter is the answer's Retry-After where a fault does not say when to come
// back: the store is tried again every 5 s.
const retryAfter = 5 * time.Second

// fault is a refusal.
type fault struct {
	code  code
	field string // which the text names, if it names one
	why   string // for the log; fixed words, never a caller's
	cause error  // nil if the caller is at fault
}

func (f *fault) Error() string { return codes[f.code].wire + ": " + f.why }

func (f *fault) Unwrap() error { return f.cause }

// refuse is a fault of the caller.
func refuse(c code, why string) error { return &fault{code: c, why: why} }

// empty is the fault of a required field that has no code of its own.
func empty(field string) error {
	return &fault{code: fieldEmpty, field: field, why: field + " is empty"}
}

// crash is the fault of a panic. What was panicked with may hold anything, so of
// it only the runtime's own words are kept.
func crash(p any) error {
	what := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	return fmt.Errorf("panic: %s\n%s", what, debug.Stack())
}

// coreFaults translates authcore's faults. An unavailable store comes first: an
// error that has met one has decided nothing else.
var coreFaults = []struct {
	err  error
	code code
}{
	{authcore.ErrUnavailable, systemUnavailable},
	{authcore.ErrQQToken, qqToken},
	{authcore.ErrQQApp, qqApp},
	{authcore.ErrQQOpenID, qqOpenID},
	{authcore.ErrQQConfig, qqConfig},
	{authcore.ErrQQUnavailable, qqUnavailable},
	{authcore.ErrUnknownClient, clientUnknown},
	{authcore.ErrBearer, bearerInvalid},
	{authcore.ErrNoUser, userUnknown},
	{authcore.ErrUserDisabled, userDisabled},
	{authcore.ErrSession, sessionInvalid},
	{authcore.ErrTicket, ticketInvalid},
	{authcore.ErrIDToken, idTokenInvalid},
	{authcore.ErrNoState, stateMissing},
	{authcore.ErrState, stateInvalid},
	{authcore.ErrContact, contactMalformed},
	{authcore.ErrCode, codeWrong},
	{authcore.ErrCaptcha, captchaFailed},
	{authcore.ErrPassExpired, passExpired},
	{authcore.ErrPass, passInvalid},
	{authcore.ErrSend, sendFailed},
	{authcore.ErrTaken, taken},
	{authcore.ErrLastWay, lastWay},
	{authcore.ErrStale, loginStale},
	{authcore.ErrName, nameRefused},
	{authcore.ErrDenied, notAllowed},
	{authcore.ErrLimited, tooManyAttempts},
}

// translate makes a fault of any error.
func translate(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	for _, t := range coreFaults {
		if errors.Is(err, t.err) {
			return &fault{code: t.code, why: t.err.Error(), cause: err}
		}
	}
	return &fault{code: systemFault, why: "unexpected error", cause: err}
}

// fail answers and logs the fault that a call ends in.
func (c *call) fail(err error) {
	f := translate(err)
	c.logFault(f)
	if basic, _ := basicOf(c.r.Header); f.code == clientInvalid && basic != "" {
		// RFC 6749 section 5.2: the challenge is for who used this scheme.
		c.w.Header().Set("WWW-Authenticate", `Basic realm="qqauth"`)
	}
	f.write(c.w, c.r, codes[f.code].status)
}

// write answers with the fault, in the language of the request.
func (f *fault) write(w http.ResponseWriter, r *http.Request, status int) {
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		after, ok := authcore.RetryAfter(f)
		if !ok {
			after = retryAfter
		}
		w.Header().Set("Retry-After", strconv.FormatInt(seconds(after), 10))
	}
	row := codes[f.code]
	var body any = struct {
		Code    string `json:"error_code"`
		Message string `json:"error_msg"`
	}{row.wire, strings.ReplaceAll(row.texts.in(languageOf(r.Header)), "{0}", f.field)}
	if row.oauth {
		body = struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}{row.wire, row.texts.in(en)}
	}
	_ = answer(w, status, body) // strings always encode
}

// logFault writes the one line of a refused request. What the request said is
// not in it, but for a client_id that is configured.
func (c *call) logFault(f *fault) {
	row := codes[f.code]
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("route", c.route),
		slog.Int("status", row.status),
		slog.String("code", row.wire),
		slog.String("why", f.why),
	}
	if c.client != "" {
		attrs = append(attrs, slog.String("client_id", string(c.client)))
	}
	if row.status >= http.StatusInternalServerError {
		// A caller who hangs up is no fault of ours, and could fill the log.
		if !errors.Is(f.cause, context.Canceled) {
			level = slog.LevelError
		}
		attrs = append(attrs, slog.String("error", f.cause.Error()))
	}
	c.log.LogAttrs(c.r.Context(), level, "request refused", attrs...)
}
