package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/idaas"
)

func init() {
	caddy.RegisterModule(new(Guard))
}

// Guard is the handler `qqauth_guard`: it lets requests with a session through,
// with a signed assertion in the session token's place.
type Guard struct {
	GuardConfig

	app     *App
	log     *slog.Logger
	rules   guardRules
	clean   *cleaner
	origins *http.CrossOriginProtection
	ready   atomic.Pointer[guardReady]
}

// guardReady is the guard over an open store.
type guardReady struct {
	on    *running
	guard *authcore.Guard
}

// CaddyModule returns the Caddy module information.
func (*Guard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.qqauth_guard", New: func() caddy.Module { return new(Guard) }}
}

// Provision finds the app and makes the rules ready.
func (g *Guard) Provision(ctx caddy.Context) error {
	app, err := ctx.App("qqauth")
	if err != nil {
		return fmt.Errorf("qqauth_guard needs the global option qqauth { … }: %w", err)
	}
	g.app, g.log = app.(*App), slogOver(ctx.Logger())
	if g.rules, err = g.check(&g.app.Config); err != nil {
		return err
	}
	if err := g.refusePlainServer(ctx); err != nil {
		return err
	}
	if err := g.app.addAudience(g.Audience); err != nil {
		return err
	}
	g.origins = http.NewCrossOriginProtection()
	for _, origin := range g.rules.crossOrigin {
		if err := g.origins.AddTrustedOrigin(origin); err != nil {
			return fmt.Errorf("cross_origin: %w", err)
		}
	}
	g.clean = newCleaner(&g.rules)
	return nil
}

// refusePlainServer refuses a guarded site whose sessions would cross the network
// in clear.
func (g *Guard) refusePlainServer(ctx caddy.Context) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if ok && len(server.TLSConnPolicies) == 0 && !onLoopback(g.app.PublicURL) {
		return dangerous("a guarded site over plain http", "the site's address with https://")
	}
	return nil
}

// ServeHTTP guards one request.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !idaas.Secrets(r) {
		return g.serve(w, r, next)
	}
	return g.app.serveLogged(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return g.serve(w, r, next)
	}))
}

func (g *Guard) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	public := g.rules.public.match(r)
	found := findCredentials(r)
	g.clean.request(r)
	w = g.clean.response(w)
	if public {
		guardPublic.Inc()
		return next.ServeHTTP(w, withoutTrailers(r, r.Context()))
	}
	pass, err := g.admit(r, found)
	if err != nil {
		g.refuse(w, r, err)
		return nil
	}
	defer pass.Release()
	guardAdmitted.Inc()
	setPlaceholders(r, pass.Who())
	g.identify(r.Header, pass)
	return next.ServeHTTP(w, withoutTrailers(r, pass.Context()))
}

// withoutTrailers returns a copy of a request that has no trailers and never
// gets any: the server fills those of the original in, at the body's end.
func withoutTrailers(r *http.Request, ctx context.Context) *http.Request {
	r = r.WithContext(ctx)
	r.Trailer = nil
	return r
}

// errNoSession says that a request names no session, or more than one.
var errNoSession = fmt.Errorf("%w: the request names none, or more than one", authcore.ErrSession)

// admit exchanges the request's session.
func (g *Guard) admit(r *http.Request, found credentials) (*authcore.Pass, error) {
	guard, err := g.open(r, found)
	if err != nil {
		return nil, err
	}
	return guard.Admit(r.Context(), found.token, g.fingerprint(r))
}

// identity tells whose session a request names, if it would get in.
func (g *Guard) identity(r *http.Request) (authcore.Who, error) {
	found := findCredentials(r)
	guard, err := g.open(r, found)
	if err != nil {
		return authcore.Who{}, err
	}
	return guard.Identify(r.Context(), found.token, g.fingerprint(r))
}

// open returns the guard over an open store for a request whose credentials may
// be looked at.
func (g *Guard) open(r *http.Request, found credentials) (*authcore.Guard, error) {
	if found.token == "" || found.twofold {
		return nil, errNoSession
	}
	if found.byCookie {
		if err := g.checkOrigin(r); err != nil {
			return nil, err
		}
	}
	now, err := g.app.current()
	if err != nil {
		return nil, err
	}
	ready := g.ready.Load()
	if ready == nil || ready.on != now {
		if ready, err = g.begin(now); err != nil {
			return nil, err
		}
	}
	return ready.guard, nil
}

// fingerprint is the device's, where the guard asks for it.
func (g *Guard) fingerprint(r *http.Request) string {
	lines := r.Header["X-Device-Fingerprint"]
	if !g.RequireDevice || len(lines) != 1 {
		return ""
	}
	return lines[0]
}

// begin makes the guard over an open store.
func (g *Guard) begin(now *running) (*guardReady, error) {
	guard, err := now.service.NewGuard(authcore.GuardConfig{
		Audience: g.rules.audience, Clients: g.rules.clients, Allow: g.rules.allow,
		Segments: g.RequireSegments, RequireMFA: g.RequireMFA, RequireDevice: g.RequireDevice,
	})
	if err != nil {
		return nil, err
	}
	made := &guardReady{on: now, guard: guard}
	if old := g.ready.Load(); !g.ready.CompareAndSwap(old, made) {
		// Another request was here first: with one guard, a session has one
		// assertion.
		return g.ready.Load(), nil
	}
	return made, nil
}

// checkOrigin refuses what another site makes a browser send with our cookie: a
// request that is not safe, or a WebSocket, which is a safe one by its method.
func (g *Guard) checkOrigin(r *http.Request) error {
	asked := r
	if r.Header.Get("Upgrade") != "" {
		unsafe := *r
		unsafe.Method = http.MethodPost
		asked = &unsafe
	}
	if err := g.origins.Check(asked); err != nil {
		return fmt.Errorf("%w: sent by another origin with the cookie", authcore.ErrDenied)
	}
	return nil
}

// refuse answers for a request that does not get in.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, counter, level := http.StatusInternalServerError, guardUnavailable, slog.LevelError
	switch {
	case errors.Is(err, authcore.ErrSession):
		status, counter, level = http.StatusUnauthorized, guardUnauthenticated, slog.LevelDebug
		w.Header().Set("WWW-Authenticate", "Bearer")
	case errors.Is(err, authcore.ErrDenied):
		status, counter, level = http.StatusForbidden, guardForbidden, slog.LevelInfo
	case errors.Is(err, authcore.ErrUnavailable):
		status = http.StatusServiceUnavailable
	case r.Context().Err() != nil:
		// Whoever hung up gets no answer, and must not fill the log.
		status, level = http.StatusServiceUnavailable, slog.LevelDebug
	}
	counter.Inc()
	g.log.Log(r.Context(), level, "request refused", slog.Int("status", status), slog.String("why", err.Error()))
	idaas.WriteFault(w, r, status, err)
}

// identify tells the upstream who it is.
func (g *Guard) identify(h http.Header, pass *authcore.Pass) {
	if g.rules.ticketHeader != "" {
		h[g.rules.ticketHeader] = []string{pass.Assertion}
	}
	for _, rule := range g.rules.headers {
		value, ok := rule.value.render(func(field string) (string, bool) { return userField(pass, field) })
		if ok {
			h[rule.name] = []string{value}
		}
	}
}

// userField is the value of a header template's field.
func userField(pass *authcore.Pass, field string) (string, bool) {
	switch field {
	case "user.id":
		return string(pass.Who().User), true
	case "user.name":
		return pass.UserName(), true
	case "user.display_name":
		return pass.Who().Name, true
	case "user.mobile":
		return pass.Mobile(), true
	case "user.email":
		return pass.Email(), true
	case "client.id":
		return string(pass.Who().Client), true
	case "session.id":
		return string(pass.Who().Session), true
	}
	if name, ok := strings.CutPrefix(field, segmentPrefix); ok {
		return pass.Segment(name)
	}
	return "", false
}

// setPlaceholders gives Caddy the user of an admitted request, in place of any
// other that a handler before us has found. A value is looked up and never
// expanded again.
func setPlaceholders(r *http.Request, who authcore.Who) {
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	repl.Set("http.auth.user.id", string(who.User))
	repl.Set("http.auth.user.name", who.Name)
	repl.Set("http.auth.user.client_id", string(who.Client))
	repl.Set("http.auth.user.session_id", string(who.Session))
}

var (
	_ caddy.Provisioner           = (*Guard)(nil)
	_ caddyhttp.MiddlewareHandler = (*Guard)(nil)
)
