package caddymodule

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/qqauth/qqauth/caddymodule/idaas"
)

// accessLogModule names the logger http.log.access.qqauth; it is no module that
// anybody can configure.
type accessLogModule struct{}

func (accessLogModule) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.log.access.qqauth", New: func() caddy.Module { return new(accessLogModule) }}
}

// loggedVar marks a request whose access line is ours already: a site may hold
// both the login and a guard.
const loggedVar = "qqauth_logged"

// serveLogged serves a request whose URL or headers hold a secret. Caddy logs a
// request as it arrived, before any handler runs, and hides nothing but Cookie
// and Authorization: Caddy's lines are kept back and ours is written. So a fault
// of the next handler is answered here, and does not reach handle_errors or
// Caddy's error log.
func (a *App) serveLogged(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if caddyhttp.GetVar(r.Context(), loggedVar) == true {
		return next.ServeHTTP(w, r)
	}
	caddyhttp.SetVar(r.Context(), loggedVar, true)
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	began := time.Now()
	record := caddyhttp.NewResponseRecorder(w, nil, nil)
	shown := redacted(r)
	if server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server.Logs != nil {
		defer func() { a.logAccess(shown, record, time.Since(began)) }()
	}
	if err := next.ServeHTTP(record, r); err != nil {
		a.answerFault(record, err)
	}
	return nil
}

// answerFault answers for a handler that failed, with its status alone.
func (a *App) answerFault(record caddyhttp.ResponseRecorder, err error) {
	status := http.StatusInternalServerError
	if fault, ok := errors.AsType[caddyhttp.HandlerError](err); ok && fault.StatusCode != 0 {
		status = fault.StatusCode
	}
	a.log.Error("request failed", zap.Int("status", status), zap.Error(err))
	if record.Status() == 0 {
		record.WriteHeader(status)
	}
}

// redacted is the request as a log may show it.
func redacted(r *http.Request) *http.Request {
	shown := r.Clone(r.Context())
	shown.RequestURI, shown.Header = idaas.Redact(r)
	if under(r.URL.Path, "/rs") || under(r.URL.Path, "/ws") {
		shown.RequestURI = hideSecretSegment(shown.RequestURI)
	}
	return shown
}

// hideSecretSegment hides what stands behind the credential in the paths of the
// GameSparks API: /rs/{credential}/{secret}/… and /ws/{credential}/{apiKey}. The
// secret itself may hold a slash, so only the last segment of many is shown.
func hideSecretSegment(uri string) string {
	path, query, hasQuery := strings.Cut(uri, "?")
	segments := strings.Split(path, "/")
	for i := 3; i < len(segments) && (i == 3 || i < len(segments)-1); i++ {
		segments[i] = "REDACTED"
	}
	path = strings.Join(segments, "/")
	if hasQuery && query != "" {
		path += "?REDACTED"
	}
	return path
}

// logAccess writes an access line with the fields of Caddy's own.
func (a *App) logAccess(r *http.Request, record caddyhttp.ResponseRecorder, took time.Duration) {
	level := zapcore.InfoLevel
	if record.Status() >= http.StatusInternalServerError {
		level = zapcore.ErrorLevel
	}
	if line := a.accessLog.Check(level, "handled request"); line != nil {
		line.Write(
			zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r}),
			zap.String("user_id", userOf(r)),
			zap.Duration("duration", took),
			zap.Int("size", record.Size()),
			zap.Int("status", record.Status()),
			zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: record.Header()}),
		)
	}
}

// userOf is the user that a guard has found, or empty.
func userOf(r *http.Request) string {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return ""
	}
	id, _ := repl.GetString("http.auth.user.id")
	return id
}
