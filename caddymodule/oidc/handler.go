package oidc

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// The paths.
const (
	keysPath     = "/api/v1/oauth2/keys"
	jwksPath     = "/.well-known/jwks.json"
	metadataPath = "/.well-known/openid-configuration"
)

const (
	// maxAge is how long others may keep a document: well below the time that a
	// key is published before anything is signed with it.
	maxAge = "max-age=300"
	// retryAfter is how many seconds to wait while the keys cannot be had: the
	// store that holds them is tried again every 5 s.
	retryAfter = "5"
)

// Config is what a Handler needs.
type Config struct {
	// Issuer is the `iss` of every token, and the base of the URLs in the
	// metadata.
	Issuer string
	// IDTokenKeys returns the JSON Web Key Set of the id_token keys, and only
	// these: the vendor's apps parse each of its elements as an RSA key.
	IDTokenKeys func() ([]byte, error)
	// AllKeys returns the set of all verification keys.
	AllKeys func() ([]byte, error)
	// IDTokenAlg is what id_tokens are signed with.
	IDTokenAlg string
}

// Handler answers the paths that it serves. It is safe for concurrent use.
type Handler struct {
	documents map[string]func() ([]byte, error)
}

// New returns a Handler. Every field of cfg is required.
func New(cfg Config) *Handler {
	// A struct of strings always encodes; an error would be answered as one.
	metadata, err := json.Marshal(metadataOf(cfg.Issuer, cfg.IDTokenAlg))
	return &Handler{documents: map[string]func() ([]byte, error){
		keysPath:     cfg.IDTokenKeys,
		jwksPath:     cfg.AllKeys,
		metadataPath: func() ([]byte, error) { return metadata, err },
	}}
}

// Serves reports whether the path is one of this package's.
func (h *Handler) Serves(path string) bool { return h.documents[path] != nil }

// ServeHTTP answers one request. While keys cannot be had it answers 503: an
// empty set would tell verifiers to throw away the good keys that they hold.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	document := h.documents[r.URL.Path]
	if document == nil {
		refuse(w, http.StatusNotFound, "not_found")
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "method_not_allowed")
		return
	}
	body, err := document()
	if err != nil {
		w.Header().Set("Retry-After", retryAfter)
		refuse(w, http.StatusServiceUnavailable, "temporarily_unavailable")
		return
	}
	answer(w, http.StatusOK, maxAge, body)
}

func refuse(w http.ResponseWriter, status int, word string) {
	answer(w, status, "no-store", []byte(`{"error":"`+word+`"}`))
}

func answer(w http.ResponseWriter, status int, cache string, body []byte) {
	h := w.Header()
	h.Set("Cache-Control", cache)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A client that is gone cannot be told so.
	_, _ = w.Write(body)
}

var _ http.Handler = (*Handler)(nil)
