package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// TestErrorLog sends secrets to the wrong places while the upstream is down.
// Caddy's error log shows the headers and the URI of a request that failed, and
// knows nothing of log_skip.
func TestErrorLog(t *testing.T) {
	w := newWorld(t, "$SITE", "log")
	g := w.login(demoApp, w.account(0))
	// The upstream's own path, though GameSparks has one of that name.
	w.guarded("/ws/of-the-upstream", g.Session)
	w.upstream.Close()
	secret := randomHex(24)
	w.guarded("/", g.Session, "session-token", g.Session).want(http.StatusBadGateway, "")
	w.guarded("/?client_secret="+secret, g.Session).want(http.StatusBadGateway, "")
	w.ask("GET", w.url("LOGIN", "//api/v2/tenant/token?client_secret="+secret), nil).want(http.StatusTeapot, "")
	w.stop()
	log := w.logged()
	if !strings.Contains(log, "/ws/of-the-upstream") {
		t.Error("a path of the upstream's is redacted")
	}
	for what, s := range map[string]string{"session token": g.Session, "client secret": secret} {
		if strings.Contains(log, s) {
			t.Errorf("a log holds the %s", what)
		}
	}
	if n := strings.Count(log, `"logger":"http.log.access.qqauth"`); n != 3 {
		t.Errorf("%d lines of ours; want 3", n)
	}
}
