package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Caddy makes its admin routes before it knows whether a configuration is good,
// and some apps fail only when they start. Neither may touch the configuration
// that goes on.
func TestFailedReload(t *testing.T) {
	h := newHome(t)
	first, second := randomHex(32), randomHex(32)
	h.env = append(h.env, "E2E_FIRST="+first, "E2E_SECOND="+second)
	const core = "secret_key {env.E2E_FIRST}"
	w := newWorldAt(t, h, "$CORE", core)
	who := w.account(0)
	g := w.login(demoApp, who)
	user := w.userOf(who).ID

	taken := "http://" + strings.TrimPrefix(w.upstream.URL, "http://") + " {\n\trespond taken\n\tbind 127.0.0.1\n}\n"
	for name, broken := range map[string]struct{ file, core string }{
		"a guard of nobody":      {strings.Replace(worldFile, "client demo-app\n\t\tpublic", "client nobody\n\t\tpublic", 1), core},
		"another algorithm":      {worldFile + taken, core + "\n\t\tid_token_alg ES256"},
		"another secret_key":     {worldFile + taken, "secret_key {env.E2E_SECOND} {env.E2E_FIRST}"},
		"another store":          {worldFile + taken, core + "\n\t\tstore badger " + h.path("elsewhere")},
		"a shorter lifetime too": {worldFile + taken, core + "\n\t\tlifetime {\n\t\t\tsession 1h\n\t\t}"},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			pairs := append([]string{"$CORE", broken.core}, w.pairs[2:]...)
			if status, body := w.tryReload(broken.file, pairs...); status == http.StatusOK {
				t.Fatalf("the reload was to fail: %s", body)
			}
			// Caddy's servers listen before the last of them fails, and take with
			// them whoever had connected.
			w.await("connections", func() bool {
				_, atApp := try(t, "GET", w.url("APP", "/"), nil)
				_, atLogin := try(t, "GET", w.url("LOGIN", "/.qqauth/health"), nil)
				return atApp == nil && atLogin == nil
			})
			w.guarded("/", g.Session).want(http.StatusOK, "")
			w.admin("POST", "/users/"+user+"/enable", nil).want(http.StatusNoContent, "")
			if up := w.metric("qqauth_store_up"); up != 1 {
				t.Errorf("qqauth_store_up is %v", up)
			}
			var claims struct{}
			header := payload(t, w.login(demoApp, w.account(1)).IDToken, &claims)
			var kids []string
			for _, key := range w.keysAt("/api/v1/oauth2/keys").Keys {
				kids = append(kids, key.KeyID)
			}
			if !slices.Contains(kids, header.KeyID) {
				t.Errorf("an id_token is signed with %s; published are %v", header.KeyID, kids)
			}
		})
	}
	w.stop()
	w.server = h.start(worldFile, w.pairs...)
	w.guarded("/", g.Session).want(http.StatusOK, "")
}
