package idaas

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// Config is what a Handler needs.
type Config struct {
	Service Service
	// Caller tells the address that a request is counted under, and whether
	// its TCP peer is a loopback address.
	Caller func(*http.Request) (addr netip.Addr, loopback bool)
	// AllowedOrigin reports whether the pages of an origin may call the paths
	// under /api/v2/sdk/ and read the answers; nil allows none. It is called
	// concurrently.
	AllowedOrigin func(origin string) bool
	// PublicURL is where clients reach this API, as its description says.
	PublicURL string
	// Log gets one line for each request that is refused; nil keeps none.
	Log *slog.Logger
}

// Handler answers every path that it serves, and answers every fault itself.
// It is safe for concurrent use.
type Handler struct {
	service     Service
	caller      func(*http.Request) (netip.Addr, bool)
	allowed     func(origin string) bool
	description []byte
	log         *slog.Logger
}

// New returns a Handler. cfg.Service and cfg.Caller are required.
func New(cfg Config) *Handler {
	h := &Handler{
		service: cfg.Service, caller: cfg.Caller, allowed: cfg.AllowedOrigin,
		description: descriptionAt(cfg.PublicURL), log: cfg.Log,
	}
	if h.allowed == nil {
		h.allowed = func(string) bool { return false }
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

// call is one request on its way through the steps of its route.
type call struct {
	*Handler
	w     http.ResponseWriter
	r     *http.Request
	route string
	// client is the one that calls. It is set only once it is known to be
	// configured: until then it is a caller's word, and not fit for a log.
	client authcore.ClientID
	who    authcore.Caller

	login   authcore.PendingID // that the X-state-token is for
	session authcore.SessionID // of the user whose id_token this is
	user    authcore.UserID    // that the path names; a caller's word
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Handler: h, w: w, r: r, route: "unknown"}
	harden(w.Header())
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			c.fail(crash(p))
		}
	}()
	if err := c.run(); err != nil {
		c.fail(err)
	}
}

func (c *call) run() error {
	readable := c.share()
	rt, err := c.find()
	if err != nil {
		return err
	}
	if readable && c.preflights() {
		c.preflight(rt)
		return nil
	}
	if err := c.method(rt); err != nil {
		return err
	}
	for _, step := range rt.steps {
		if err := step(c); err != nil {
			return err
		}
	}
	return nil
}

// harden sets what every answer has: it is nobody's to keep, nor to take for
// anything but JSON.
func harden(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// ok answers a call that was carried out.
func (c *call) ok(v any) error { return answer(c.w, http.StatusOK, v) }

// done answers a call that was carried out and has nothing to say.
func (c *call) done(err error) error {
	if err == nil {
		c.w.WriteHeader(http.StatusOK)
	}
	return err
}

// answer writes v as the whole answer. Keys come in the order of v's fields.
func answer(w http.ResponseWriter, status int, v any) error {
	body, err := encode(v)
	if err == nil {
		write(w, status, body)
	}
	return err
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone cannot be told so
}

// encode is JSON as the vendor writes it: < > & stand for themselves.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// seconds is a lifetime on the wire. It is rounded down: a token must not be
// promised a second that it does not have.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }

var _ http.Handler = (*Handler)(nil)
