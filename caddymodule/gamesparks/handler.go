package gamesparks

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/qqauth/qqauth/authcore"
)

// Config is what a Handler needs.
type Config struct {
	// Open answers the core for one request or one message, and what to call when
	// that is answered; an error wraps ErrUnavailable while the store is not open.
	Open  func() (service Service, done func(), err error)
	Gates []Gate
	// Caller tells the address that a request is counted under, and whether
	// its TCP peer is a loopback address.
	Caller func(*http.Request) (addr netip.Addr, loopback bool)
	// PublicURL is where games reach this API.
	PublicURL string
	// Sockets holds the connections of the process.
	Sockets *Sockets
	// Log gets one line for each request that is refused; nil keeps none.
	Log *slog.Logger
}

// Handler answers the paths that it serves. It is safe for concurrent use.
type Handler struct {
	open      func() (Service, func(), error)
	gates     []gate
	caller    func(*http.Request) (netip.Addr, bool)
	publicURL string
	sockets   *Sockets
	log       *slog.Logger
}

// New returns a Handler. Every field of cfg but Gates and Log is required.
func New(cfg Config) *Handler {
	h := &Handler{
		open: cfg.Open, caller: cfg.Caller, publicURL: cfg.PublicURL, sockets: cfg.Sockets, log: cfg.Log,
	}
	for _, g := range cfg.Gates {
		h.gates = append(h.gates, newGate(g))
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

const (
	restPrefix   = "/rs"
	socketPrefix = "/ws"
)

// Serves reports whether a path belongs to this API, known or not: none of them
// may be passed on to a backend.
func (h *Handler) Serves(path string) bool {
	return within(path, restPrefix) || within(path, socketPrefix)
}

func within(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// ServeHTTP answers one request. A WebSocket goes on after it has returned.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	harden(w.Header())
	e := &exchange{Handler: h, w: w, r: r}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			e.fail(crash(p))
		}
	}()
	serve := e.rest
	if within(r.URL.Path, socketPrefix) {
		serve = e.upgrade
	}
	if err := serve(); err != nil {
		e.fail(err)
	}
}

// segments are the parts of a path below prefix, if there are n of them and none
// is empty.
func segments(r *http.Request, prefix string, n int) ([]string, error) {
	unknown := refuse(http.StatusNotFound, "request", "UNKNOWN", "no such path")
	// Each is unescaped by itself: clients escape more of a secret than they need to.
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix+"/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != n {
		return nil, unknown
	}
	for i := range parts {
		var err error
		if parts[i], err = url.PathUnescape(parts[i]); err != nil || parts[i] == "" {
			return nil, unknown
		}
	}
	return parts, nil
}

// whoCalls is what is known of a caller before they say anything.
func (h *Handler) whoCalls(r *http.Request) authcore.Caller {
	var c authcore.Caller
	c.Addr, c.Loopback = h.caller(r)
	return c
}

// harden sets what every answer has: it is nobody's to keep, nor to take for
// anything but JSON, and no browser may tell others the URL, which holds a secret.
func harden(h http.Header) {
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
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

var _ http.Handler = (*Handler)(nil)
