package gamesparks

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// retryAfter is the answer's Retry-After where a fault does not say when to come
// back: the store is tried again every 5 s.
const retryAfter = 5 * time.Second

// reasons are the members of an answer's `error`: a parameter's name each, and
// what is wrong with it.
type reasons map[string]string

// fault is a refusal.
type fault struct {
	// status is HTTP's. What a request of the application's may end in is 200.
	status  int
	reasons reasons
	why     string // for the log; fixed words, never a caller's
	cause   error  // nil if the caller is at fault
	ours    bool   // an operator should know

	script  *scriptData
	summary *summary
}

func (f *fault) Error() string { return f.why }

func (f *fault) Unwrap() error { return f.cause }

// refuse is a fault of the caller.
func refuse(status int, param, value, why string) error {
	return &fault{status: status, reasons: reasons{param: value}, why: why}
}

func malformed(why string) error {
	return refuse(http.StatusBadRequest, "request", "MALFORMED", why)
}

func notAuthorized(why string) error {
	return refuse(http.StatusOK, "authentication", "NOTAUTHORIZED", why)
}

// coreFaults translates authcore's faults. An unavailable store comes first: an
// error that has met one has decided nothing else.
var coreFaults = []struct {
	err          error
	status       int
	param, value string
	ours         bool
}{
	{authcore.ErrUnavailable, http.StatusServiceUnavailable, "authentication", "UNAVAILABLE", true},
	{authcore.ErrQQToken, http.StatusOK, "accessToken", "NOTAUTHENTICATED", false},
	{authcore.ErrQQApp, http.StatusOK, "accessToken", "NOTAUTHENTICATED", false},
	{authcore.ErrQQOpenID, http.StatusOK, "accessToken", "NOTAUTHENTICATED", false},
	{authcore.ErrQQUnavailable, http.StatusOK, "accessToken", "UNAVAILABLE", true},
	{authcore.ErrQQConfig, http.StatusOK, "accessToken", "UNAVAILABLE", true},
	{authcore.ErrNoUser, http.StatusOK, "authentication", "ACCESS_DENIED", false},
	{authcore.ErrDenied, http.StatusOK, "authentication", "ACCESS_DENIED", false},
	{authcore.ErrUserDisabled, http.StatusOK, "authentication", "DISABLED", false},
	{authcore.ErrLimited, http.StatusTooManyRequests, "authentication", "LIMIT", false},
	{authcore.ErrStale, http.StatusOK, "authentication", "REAUTHENTICATE", false},
	{authcore.ErrSession, http.StatusOK, "authentication", "NOTAUTHORIZED", false},
	{authcore.ErrIDToken, http.StatusOK, "authentication", "NOTAUTHORIZED", false},
	{authcore.ErrDetails, http.StatusOK, "DETAILS", "UNRECOGNISED", false},
	{authcore.ErrLockedOut, http.StatusOK, "DETAILS", "LOCKED", false},
	{authcore.ErrTaken, http.StatusOK, "USERNAME", "TAKEN", false},
	{authcore.ErrUserName, http.StatusOK, "USERNAME", "REFUSED", false},
	{authcore.ErrNoUserName, http.StatusOK, "userName", "REQUIRED", false},
	{authcore.ErrPassword, http.StatusOK, "password", "REFUSED", false},
	{authcore.ErrName, http.StatusOK, "displayName", "REFUSED", false},
	{authcore.ErrSegments, http.StatusOK, "segments", "REFUSED", false},
	{authcore.ErrDevice, http.StatusOK, "deviceId", "REFUSED", false},
	{authcore.ErrNotLinked, http.StatusOK, "systemId", "NOT_CONNECTED", false},
	{authcore.ErrLastWay, http.StatusOK, "password", "NOT_SET", false},
}

// translate makes a fault of any error.
func translate(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	for _, t := range coreFaults {
		if errors.Is(err, t.err) {
			return &fault{status: t.status, reasons: reasons{t.param: t.value}, why: t.err.Error(), cause: err, ours: t.ours}
		}
	}
	return &fault{
		status: http.StatusInternalServerError, reasons: reasons{"request": "ERROR"},
		why: "unexpected error", cause: err, ours: true,
	}
}

// retryAfter is when to come back, if that is worth saying.
func (f *fault) retryAfter() (time.Duration, bool) {
	after, ok := authcore.RetryAfter(f)
	if !ok && (f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable) {
		return retryAfter, true
	}
	return after, ok
}

// logFault writes the one line of a refused request. What the request said is not
// in it, but for the name of a request that exists.
func (c *call) logFault(ctx context.Context, log *slog.Logger, f *fault) {
	name, level := "unknown", slog.LevelInfo
	if c.request != nil {
		name = c.request.name
	}
	attrs := []slog.Attr{
		slog.String("request", name),
		slog.Int("status", f.status),
		slog.Any("code", f.reasons),
		slog.String("why", f.why),
	}
	if c.client != "" {
		attrs = append(attrs, slog.String("client_id", string(c.client)))
	}
	if f.ours {
		// A caller who hangs up is no fault of ours, and could fill the log.
		if !errors.Is(f.cause, context.Canceled) {
			level = slog.LevelError
		}
		attrs = append(attrs, slog.String("error", f.cause.Error()))
	}
	log.LogAttrs(ctx, level, "request refused", attrs...)
}
