package e2e

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

// The applications of the QQ that stands outside Caddy; the other one is not
// configured there.
const (
	qqApp    = "101234567"
	otherApp = "101999999"
)

// worldFile is the Caddyfile of most tests: the login site, the guard before an
// upstream, and the same upstream without a guard, which proves what a client
// can send.
const worldFile = `{
	$GLOBAL
	qqauth {
		public_url http://localhost:$LOGIN
		qq 101234567 {
			endpoint $QQ
			timeout 2s
		}
		client demo-app {
			name Demo
			secret demo-secret-for-loopback-only
			tickets_for demo-shop
		}
		client demo-shop {
			secret shop-secret-for-loopback-only
		}
		admin_api
		$CORE
	}
}
http://localhost:$LOGIN {
	$SITE
	qqauth_login
	respond "passed on" 418
}
http://localhost:$APP {
	$SITE
	qqauth_guard {
		audience http://localhost:$APP
		client demo-app
		public /assets/* /healthz
		header X-User-Id {user.id}
		header X-Display-Name {user.display_name}
		header X-Tier {segment.tier}
	}
	reverse_proxy $UPSTREAM {
		$PROXY
	}
}
http://localhost:$PLAIN {
	$SITE
	reverse_proxy $UPSTREAM {
		$PROXY
	}
}
`

// world is a Caddy between a QQ and an upstream.
type world struct {
	*server
	qq       *qqtest.Server
	outside  *httptest.Server // serves qq
	upstream *upstream
	pairs    []string
}

// world's holes in worldFile, by name; what is left out is empty.
var holes = []string{"$GLOBAL", "$CORE", "$SITE", "$PROXY"}

func newWorld(t *testing.T, pairs ...string) *world {
	t.Helper()
	return newWorldAt(t, newHome(t), pairs...)
}

func newWorldAt(t *testing.T, h *home, pairs ...string) *world {
	t.Helper()
	w := prepareWorld(t, pairs...)
	w.server = h.start(worldFile, w.pairs...)
	return w
}

// prepareWorld is a world without its Caddy.
func prepareWorld(t *testing.T, pairs ...string) *world {
	t.Helper()
	qq, err := qqtest.New(qqtest.Config{
		Apps:      []qqtest.App{{ID: qqApp}, {ID: otherApp}},
		Nicknames: []string{"林小雨", "{env.HOME}", "{http.request.uuid}%0d", "Jonny"},
	})
	if err != nil {
		t.Fatal(err)
	}
	outside := httptest.NewServer(qq)
	t.Cleanup(outside.Close)
	u := newUpstream(t)
	pairs = append(pairs, "$QQ", outside.URL, "$UPSTREAM", u.address())
	for _, hole := range holes {
		pairs = append(pairs, hole, "")
	}
	return &world{qq: qq, outside: outside, upstream: u, pairs: pairs}
}

func (w *world) in(t *testing.T) *world {
	sub := *w
	sub.server = w.server.in(t)
	return &sub
}

// account is an account with a fresh access token.
func (w *world) account(n int) account {
	return account{w.qq.Nickname(n), qqApp, w.qq.OpenID(qqApp, n), w.qq.Issue(qqApp, n)}
}

// cookie is the session cookie of the guarded site.
func (h *home) cookie(session string) string { return "qqauth-" + h.ports["APP"] + "=" + session }

// request writes an HTTP/1.1 request as it is, for the guarded site.
func (h *home) request(line string, fields ...string) string {
	return line + " HTTP/1.1\r\nHost: " + h.host("APP") + "\r\n" + strings.Join(append(fields, "", ""), "\r\n")
}
