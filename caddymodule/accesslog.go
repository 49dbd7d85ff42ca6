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
	shown := a.redacted(r)
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
	why := err.Error()
	if mentionsGame(why) {
		why = hidden // a file server's error names the file, and so the path
	}
	a.log.Error("request failed", zap.Int("status", status), zap.String("error", why))
	if record.Status() == 0 {
		record.WriteHeader(status)
	}
}

// redacted is the request as a log may show it.
func (a *App) redacted(r *http.Request) *http.Request {
	shown := r.Clone(r.Context())
	shown.RequestURI, shown.Header = idaas.Redact(r)
	if path, ok := gamePath(r); ok {
		_, _, query := strings.Cut(shown.RequestURI, "?")
		if shown.RequestURI = a.hideGamePath(path); query {
			shown.RequestURI += "?" + hidden
		}
	}
	hideMentions(shown.Header)
	return shown
}

// hideMentions hides header values with a path of the GameSparks API in them: a
// Referer, what a proxy before us says that the URL was, or a redirect to
// another spelling.
func hideMentions(h http.Header) {
	for _, values := range h {
		for i, value := range values {
			if mentionsGame(value) {
				values[i] = hidden
			}
		}
	}
}

// logAccess writes an access line with the fields of Caddy's own.
func (a *App) logAccess(r *http.Request, record caddyhttp.ResponseRecorder, took time.Duration) {
	level := zapcore.InfoLevel
	if record.Status() >= http.StatusInternalServerError {
		level = zapcore.ErrorLevel
	}
	if line := a.accessLog.Check(level, "handled request"); line != nil {
		answered := record.Header().Clone()
		hideMentions(answered)
		line.Write(
			zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r}),
			zap.String("user_id", userOf(r)),
			zap.Duration("duration", took),
			zap.Int("size", record.Size()),
			zap.Int("status", record.Status()),
			zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: answered}),
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
