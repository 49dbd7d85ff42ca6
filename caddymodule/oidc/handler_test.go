package oidc

import (
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	idTokenKeys = `{"keys":[{"kty":"RSA"}]}`
	allKeys     = `{"keys":[{"kty":"RSA"},{"kty":"EC"}]}`
)

func newHandler(err error) *Handler {
	set := func(keys string) func() ([]byte, error) {
		return func() ([]byte, error) { return []byte(keys), err }
	}
	return New(Config{
		Issuer:      "https://id.example.com",
		IDTokenKeys: set(idTokenKeys),
		AllKeys:     set(allKeys),
		IDTokenAlg:  "RS256",
	})
}

// fetch is what a client of a real server gets.
func fetch(t *testing.T, h *Handler, method, path string) (*http.Response, string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("%s %s: Content-Type %q", method, path, got)
	}
	if got := resp.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("%s %s: X-Content-Type-Options %q", method, path, got)
	}
	return resp, string(body)
}

// metadataGolden is what the metadata must be, or becomes under -update.
func metadataGolden(t *testing.T, got string) string {
	t.Helper()
	const path = "testdata/metadata.json"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(want)
}

func TestDocuments(t *testing.T) {
	h := newHandler(nil)
	_, metadata := fetch(t, h, http.MethodGet, "/.well-known/openid-configuration")
	for path, want := range map[string]string{
		"/api/v1/oauth2/keys":               idTokenKeys,
		"/.well-known/jwks.json":            allKeys,
		"/.well-known/openid-configuration": metadataGolden(t, metadata),
	} {
		if !h.Serves(path) {
			t.Errorf("%s is not served", path)
		}
		resp, body := fetch(t, h, http.MethodGet, path)
		if diff := cmp.Diff(want, body); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
		if got := resp.Header.Get("Cache-Control"); resp.StatusCode != http.StatusOK || got != "max-age=300" {
			t.Errorf("%s: %d, Cache-Control %q", path, resp.StatusCode, got)
		}
		resp, body = fetch(t, h, http.MethodHead, path)
		if resp.StatusCode != http.StatusOK || body != "" || resp.ContentLength != int64(len(want)) {
			t.Errorf("HEAD %s: %d, body %q, length %d", path, resp.StatusCode, body, resp.ContentLength)
		}
	}
}

// Without keys there is no answer to keep: neither an old one nor an empty set.
func TestKeysCannotBeHad(t *testing.T) {
	h := newHandler(errors.New("store at /secret/place is gone"))
	for _, path := range []string{"/api/v1/oauth2/keys", "/.well-known/jwks.json"} {
		resp, body := fetch(t, h, http.MethodGet, path)
		if resp.StatusCode != http.StatusServiceUnavailable || body != `{"error":"temporarily_unavailable"}` {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
		if cache, after := resp.Header.Get("Cache-Control"), resp.Header.Get("Retry-After"); cache != "no-store" || after != "5" {
			t.Errorf("%s: Cache-Control %q, Retry-After %q", path, cache, after)
		}
	}
	if resp, _ := fetch(t, h, http.MethodGet, "/.well-known/openid-configuration"); resp.StatusCode != http.StatusOK {
		t.Errorf("metadata: %d, want 200: it needs no key", resp.StatusCode)
	}
}

func TestRefused(t *testing.T) {
	h := newHandler(nil)
	tests := []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodPost, "/api/v1/oauth2/keys", http.StatusMethodNotAllowed, "GET, HEAD"},
		{http.MethodDelete, "/.well-known/jwks.json", http.StatusMethodNotAllowed, "GET, HEAD"},
		{http.MethodOptions, "/.well-known/openid-configuration", http.StatusMethodNotAllowed, "GET, HEAD"},
		{http.MethodGet, "/api/v1/oauth2/keys/", http.StatusNotFound, ""},
		{http.MethodGet, "/.well-known/", http.StatusNotFound, ""},
	}
	for _, test := range tests {
		resp, _ := fetch(t, h, test.method, test.path)
		if resp.StatusCode != test.status || resp.Header.Get("Allow") != test.allow || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %d %v", test.method, test.path, resp.StatusCode, resp.Header)
		}
		if test.status == http.StatusNotFound && h.Serves(test.path) {
			t.Errorf("%s is served", test.path)
		}
	}
}
