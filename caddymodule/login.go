package caddymodule

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/idaas"
	"github.com/qqauth/qqauth/caddymodule/oidc"
)

func init() {
	caddy.RegisterModule(new(Login))
}

const (
	healthPath      = "/.qqauth/health"
	simulatorPrefix = "/qq-simulator"
)

// Login is the handler `qqauth_login`: it answers the login endpoints and passes
// every other path on.
type Login struct {
	app   *App
	log   *slog.Logger
	keys  *oidc.Handler
	waits *idaas.Handler // while the store is not open

	mu    sync.Mutex
	ready *running
	idaas *idaas.Handler // over ready
}

// CaddyModule returns the Caddy module information.
func (*Login) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.qqauth_login", New: func() caddy.Module { return new(Login) }}
}

// Provision finds the app.
func (l *Login) Provision(ctx caddy.Context) error {
	app, err := ctx.App("qqauth")
	if err != nil {
		return fmt.Errorf("qqauth_login needs the global option qqauth { … }: %w", err)
	}
	l.app, l.log = app.(*App), slogOver(ctx.Logger())
	l.waits = l.newIDaaS(storeless{l.app})
	l.keys = oidc.New(oidc.Config{
		Issuer: l.app.PublicURL, IDTokenAlg: l.app.IDTokenAlg,
		IDTokenKeys: l.document((*authcore.Service).IDTokenKeys), AllKeys: l.document((*authcore.Service).AllKeys),
	})
	return nil
}

// ServeHTTP answers what is ours.
func (l *Login) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !carriesSecret(r) {
		return l.serve(w, r, next)
	}
	return l.app.serveLogged(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return l.serve(w, r, next)
	}))
}

// carriesSecret reports whether a request to the login site holds a secret that
// an access log would show: these paths do, and they are nobody else's here.
func carriesSecret(r *http.Request) bool {
	return idaas.Secrets(r) || under(r.URL.Path, simulatorPrefix) || carriesGameSecret(r)
}

func (l *Login) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	handler := l.route(r)
	if handler == nil {
		return next.ServeHTTP(w, r)
	}
	// 0-RTT data can be replayed by whoever recorded it, and comes from an
	// address that nobody has proved (RFC 8470).
	if r.TLS != nil && !r.TLS.HandshakeComplete {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusTooEarly)
		return nil
	}
	handler.ServeHTTP(w, r)
	return nil
}

// route returns the handler of a path that is ours, or nil.
func (l *Login) route(r *http.Request) http.Handler {
	path := r.URL.Path
	switch {
	case l.app.hasGames() && l.app.games.Serves(path):
		return l.app.games
	case l.waits.Serves(path) || under(path, "/rs") || under(path, "/ws"):
		return l.api()
	case l.keys.Serves(path):
		return l.keys
	case path == healthPath:
		return http.HandlerFunc(l.health)
	case l.app.simulator != nil && under(path, simulatorPrefix):
		return http.HandlerFunc(l.serveSimulator)
	}
	if _, game := gamePath(r); game && l.app.hasGames() {
		// //rs/… or /RS/…, of a game that is set up wrongly: whoever stands behind must
		// not learn its secret.
		return l.app.games
	}
	return nil
}

// under reports whether a path is a folder or lies in it.
func under(path, folder string) bool {
	rest, ok := strings.CutPrefix(path, folder)
	return ok && (rest == "" || rest[0] == '/')
}

// api returns the IDaaS API over the store, or one that answers 503.
func (l *Login) api() http.Handler {
	now, err := l.app.current()
	if err != nil {
		return l.waits
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ready != now {
		l.ready, l.idaas = now, l.newIDaaS(now.service)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer now.node.Begin()()
		l.idaas.ServeHTTP(w, r)
	})
}

func (l *Login) newIDaaS(service idaas.Service) *idaas.Handler {
	return idaas.New(idaas.Config{
		Service: service, Caller: caller, Log: l.log,
		AllowedOrigin: l.app.allowedOrigin, PublicURL: l.app.PublicURL,
	})
}

// caller tells the client's address as Caddy determined it, and whether the TCP
// peer itself is this machine.
func caller(r *http.Request) (addr netip.Addr, loopback bool) {
	clientIP, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	addr, _ = netip.ParseAddr(clientIP)
	return addr, fromLoopback(r)
}

func fromLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	peer, err := netip.ParseAddr(host)
	return err == nil && peer.Unmap().IsLoopback()
}

// serveSimulator answers as QQ would, to this machine alone.
func (l *Login) serveSimulator(w http.ResponseWriter, r *http.Request) {
	if !fromLoopback(r) {
		idaas.WriteFault(w, r, http.StatusForbidden, authcore.ErrDenied)
		return
	}
	if r.URL.Path == simulatorPrefix {
		http.Redirect(w, r, simulatorPrefix+"/", http.StatusMovedPermanently)
		return
	}
	http.StripPrefix(simulatorPrefix, l.app.simulator).ServeHTTP(w, r)
}

// document returns a key document's source.
func (l *Login) document(of func(*authcore.Service) []byte) func() ([]byte, error) {
	return func() ([]byte, error) {
		now, err := l.app.current()
		if err != nil {
			return nil, err
		}
		return of(now.service), nil
	}
}

var (
	_ caddy.Provisioner           = (*Login)(nil)
	_ caddyhttp.MiddlewareHandler = (*Login)(nil)
)
