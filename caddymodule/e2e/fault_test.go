package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// unavailable demands what a store that cannot answer leads to: our routes and
// guards say so, and every other site of the same Caddy works.
func (w *world) unavailable(session, state string) {
	w.t.Helper()
	for what, a := range map[string]answer{
		"login":         w.tryLogin(demoApp, w.account(0)),
		"id-token":      w.sdk("POST", "/sso/session-token/id-token", demoApp, nil, "session-token", session),
		"logout":        w.sdk("POST", "/logout", demoApp, nil, "session-token", session),
		"guard":         w.guarded("/", session),
		"cookie":        w.ask("GET", w.url("APP", "/"), nil, "Cookie", w.cookie(session)),
		"tenant token":  w.ask("POST", w.url("LOGIN", "/api/v2/tenant/token?grant_type=client_credentials&client_id=demo-app&client_secret="+demoSecret), nil),
		"refresh":       w.tenant("/session-token/refresh", "x", map[string]string{"session_token": session}),
		"keys":          w.ask("GET", w.url("LOGIN", "/api/v1/oauth2/keys"), nil),
		"jwks":          w.ask("GET", w.url("LOGIN", "/.well-known/jwks.json"), nil),
		"health":        w.ask("GET", w.url("LOGIN", "/.qqauth/health"), nil),
		"public health": w.ask("HEAD", w.url("LOGIN", "/.qqauth/health"), nil),
	} {
		after, err := strconv.Atoi(a.header.Get("Retry-After"))
		if a.status != http.StatusServiceUnavailable || err != nil || after < 1 {
			w.t.Errorf("%s: got %d %s, Retry-After %q", what, a.status, a.body, a.header.Get("Retry-After"))
		}
		if code := a.code(); !strings.Contains(what, "health") && what != "keys" && what != "jwks" && code != "IDAAS.SDK.COM.0002" {
			w.t.Errorf("%s: code %q", what, code)
		}
	}
	var health struct{ Status, Store string }
	w.ask("GET", w.url("LOGIN", "/.qqauth/health"), nil).json(&health)
	if health.Status != "unavailable" || health.Store != state {
		w.t.Errorf("health is %+v, want store %s", health, state)
	}
	if up := w.metric("qqauth_store_up"); up != 0 {
		w.t.Errorf("qqauth_store_up is %v", up)
	}
	w.ask("GET", w.url("PLAIN", "/"), nil).want(http.StatusOK, "")
	w.ask("GET", w.url("APP", "/healthz"), nil).want(http.StatusOK, "")
	w.ask("GET", w.url("APP", "/"), nil).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	if a := w.admin("GET", "/users?id=x", nil); a.status != http.StatusServiceUnavailable {
		w.t.Errorf("admin: got %d %s", a.status, a.body)
	}
}

// metric is the value of a metric without labels.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	for l := range strings.Lines(s.ask("GET", s.url("ADMIN", "/metrics"), nil).want(http.StatusOK, "").text()) {
		if text, ok := strings.CutPrefix(l, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return value
		}
	}
	s.t.Fatalf("there is no metric %s", name)
	return 0
}

// TestDamagedStore damages a store in many ways. None may stop Caddy, and none
// may be taken for a store that is new.
func TestDamagedStore(t *testing.T) {
	flip := func(content []byte) []byte {
		content[len(content)/2] ^= 0x55
		return content
	}
	for _, tt := range []struct {
		name, file string
		damage     func([]byte) []byte // nil removes the file
		long       bool
	}{
		{"no MANIFEST", "MANIFEST", nil, false},
		{"MANIFEST cut short", "MANIFEST", func(b []byte) []byte { return b[:len(b)-5] }, true},
		{"MANIFEST emptied", "MANIFEST", func([]byte) []byte { return nil }, true},
		{"a table changed", "*.sst", flip, false},
		{"a table cut short", "*.sst", func(b []byte) []byte { return b[:len(b)/2] }, true},
		{"a table gone", "*.sst", nil, true},
		{"MARK overwritten", "MARK", func(b []byte) []byte { return bytes.Repeat([]byte{'x'}, len(b)) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.long && testing.Short() {
				t.Skip("one of many")
			}
			h := newHome(t)
			w := newWorldAt(t, h)
			session := w.login(demoApp, w.account(0)).Session
			w.stop()
			files, err := filepath.Glob(filepath.Join(h.storeDir(), tt.file))
			if err != nil || len(files) == 0 {
				t.Fatalf("the store has no %s: %v", tt.file, err)
			}
			for _, file := range files {
				damageFile(t, file, tt.damage)
			}
			w.server = h.start(worldFile, w.pairs...)
			w.unavailable(session, "damaged")
			w.reload(worldFile, w.pairs...)
			w.unavailable(session, "damaged")
		})
	}
}

func damageFile(t *testing.T, file string, damage func([]byte) []byte) {
	t.Helper()
	if damage == nil {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		return
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, damage(bytes.Clone(content)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestUnreachableStore has a directory that cannot be made, until it can.
func TestUnreachableStore(t *testing.T) {
	h := newHome(t)
	target := h.path("volume")
	if err := os.Symlink(target, h.path("store")); err != nil {
		t.Fatal(err)
	}
	w := newWorldAt(t, h, "$CORE", "store badger "+h.path("store"))
	w.unavailable(strings.Repeat("A", 32), "unavailable")
	if testing.Short() {
		return
	}
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	w.await("the store is tried again", func() bool {
		return w.ask("GET", w.url("LOGIN", "/.qqauth/health"), nil).status == http.StatusOK
	})
	w.guarded("/", w.login(demoApp, w.account(0)).Session).want(http.StatusOK, "")
	if up := w.metric("qqauth_store_up"); up != 1 {
		t.Errorf("qqauth_store_up is %v", up)
	}
}

// TestLockedStore starts a second Caddy over one directory.
func TestLockedStore(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the 5 s that a lock is waited for")
	}
	first := newHome(t)
	w := newWorldAt(t, first)
	second := newHome(t)
	config := second.write("Caddyfile", second.fill(worldFile, append([]string{"$CORE", "store badger " + first.storeDir()}, w.pairs...)...))
	began := time.Now()
	out := second.fails(config)
	if took := time.Since(began); took < 5*time.Second {
		t.Errorf("gave up after %v", took)
	}
	if !strings.Contains(out, first.storeDir()) || !strings.Contains(out, "lock") && !strings.Contains(out, "process") {
		t.Errorf("the error names neither directory nor reason: %s", tail(out, 800))
	}
	w.guarded("/", w.login(demoApp, w.account(0)).Session).want(http.StatusOK, "")
}

// fails runs a configuration that must not start, and returns what it logs.
func (h *home) fails(config string) string {
	h.t.Helper()
	s := h.launch(config)
	select {
	case <-s.done:
	case <-time.After(patience):
		h.t.Fatalf("caddy goes on, and should not start: %s", tail(s.logged(), 2000))
	}
	if s.err == nil {
		h.t.Error("caddy ended without an error")
	}
	return s.logged()
}

// TestSecretKey changes the key that wraps the key ring.
func TestSecretKey(t *testing.T) {
	h := newHome(t)
	first, second := randomHex(32), randomHex(32)
	h.env = append(h.env, "E2E_FIRST="+first, "E2E_SECOND="+second)
	w := newWorldAt(t, h, "$CORE", "secret_key {env.E2E_FIRST}")
	session := w.login(demoApp, w.account(0)).Session

	// A reload must not take a wrong one either.
	wrong := append([]string{"$CORE", "secret_key {env.E2E_SECOND}"}, w.pairs...)
	if status, body := w.tryReload(worldFile, wrong...); status == http.StatusOK || !strings.Contains(body, "secret_key") {
		t.Errorf("a reload with a wrong secret_key: %d %s", status, body)
	}
	w.guarded("/", session).want(http.StatusOK, "")
	w.stop()

	out := h.fails(h.write("Caddyfile", h.fill(worldFile, wrong...)))
	if !strings.Contains(out, "secret_key") {
		t.Errorf("the error does not say what is wrong: %s", tail(out, 800))
	}
	for _, core := range []string{"secret_key {env.E2E_SECOND} {env.E2E_FIRST}", "secret_key {env.E2E_SECOND}"} {
		w.server = h.start(worldFile, append([]string{"$CORE", core}, w.pairs...)...)
		w.guarded("/", session).want(http.StatusOK, "")
		w.stop()
	}
	for _, s := range []string{first, second} {
		if strings.Contains(w.logged()+out, s) {
			t.Error("a log holds a secret_key")
		}
	}
	// Without one in the configuration, ours would be made, which is another.
	if out := h.fails(h.write("Caddyfile", h.fill(worldFile, w.pairs[2:]...))); !strings.Contains(out, "secret_key") {
		t.Errorf("the error does not say what is wrong: %s", tail(out, 800))
	}
}
