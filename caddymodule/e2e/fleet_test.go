package e2e

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/qqauth/qqauth/internal/pgtest"
)

// What clients and upstreams are told, whichever node they meet.
const (
	fleetURL      = "http://id.localhost"
	fleetAudience = "http://app.localhost"
	fleetCore     = "store postgres {env.QQAUTH_DSN}\n\t\tsecret_key {env.QQAUTH_SECRET_KEY}"
)

// knownWithin is how soon every node knows of what ended at another: the bound of
// 1 s, five times. What is open gets 500 ms more to finish.
const (
	knownWithin  = 5 * time.Second
	closedWithin = knownWithin + 5*500*time.Millisecond
)

// fleet is what the nodes of one account base have in common: the world around
// them and the secret_key. Its own world has no Caddy.
type fleet struct {
	*world
	secretKey string
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	return &fleet{world: prepareWorld(t, fleetPairs...), secretKey: randomHex(32)}
}

// fleetPairs make a Caddyfile of one node one of a fleet's.
var fleetPairs = []string{
	"public_url http://localhost:$LOGIN", "public_url " + fleetURL, "audience http://localhost:$APP", "audience " + fleetAudience, "$CORE", fleetCore,
}

// home makes the home of a node that gets to the database by a DSN. At the end of
// the test no log of it may hold a secret.
func (f *fleet) home(t *testing.T, dsn, secretKey string) *home {
	t.Helper()
	h := newHome(t)
	h.env = append(h.env, "QQAUTH_DSN="+dsn, "QQAUTH_SECRET_KEY="+secretKey)
	t.Cleanup(func() {
		logs, _ := filepath.Glob(h.path("log-*")) // the pattern is well formed
		for _, path := range logs {
			log, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
			}
			h.holdsNoSecret(filepath.Base(path), string(log), dsn, secretKey)
		}
	})
	return h
}

// holdsNoSecret looks in a text for a DSN's password and a secret_key.
func (h *home) holdsNoSecret(what, text, dsn, secretKey string) {
	h.t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		h.t.Fatal(err)
	}
	password, _ := u.User.Password()
	if password == "" {
		h.t.Fatal("the DSN has no password to look for")
	}
	if strings.Contains(text, password) || strings.Contains(text, secretKey) {
		h.t.Errorf("%s holds the password of the DSN or the secret_key", what)
	}
}

// node starts a Caddy of the fleet, at ports of its own. Pairs fill holes of
// worldFile.
func (f *fleet) node(t *testing.T, dsn string, pairs ...string) *world {
	t.Helper()
	return f.nodeOf(t, worldFile, dsn, pairs...)
}

// nodeOf is node with another Caddyfile.
func (f *fleet) nodeOf(t *testing.T, caddyfile, dsn string, pairs ...string) *world {
	t.Helper()
	w := *f.world
	w.pairs = slices.Concat(pairs, f.pairs)
	w.server = f.home(t, dsn, f.secretKey).start(caddyfile, w.pairs...)
	return &w
}

// twoNodes starts a fleet on a database of its own.
func twoNodes(t *testing.T) (a, b *world) {
	t.Helper()
	dsn := pgtest.Database(t)
	f := newFleet(t)
	return f.node(t, dsn), f.node(t, dsn)
}

// refused asks until the guard refuses a session, and returns how long after a
// moment that was.
func (w *world) refused(session string, since time.Time) time.Duration {
	w.t.Helper()
	for {
		a := w.guarded("/", session)
		took := time.Since(since)
		if a.status != http.StatusOK {
			a.want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
			return took
		}
		if took > knownWithin {
			w.t.Fatalf("let in %v after the end was answered", took)
		}
	}
}

// TestRevocationElsewhere ends sessions at one node; they end at the other, with
// what they have open there.
func TestRevocationElsewhere(t *testing.T) {
	a, b := twoNodes(t)
	stays := b.dialWS(b.login(demoApp, b.account(0)).Session)
	var took []time.Duration
	for i, tt := range []struct {
		name string
		end  func(a *world, g grant, user string)
	}{
		{"logout", func(a *world, g grant, _ string) {
			a.sdk("POST", "/logout", demoApp, nil, "session-token", g.Session).want(http.StatusOK, "")
		}},
		{"one session", func(a *world, _ grant, user string) {
			a.admin("DELETE", "/sessions/"+a.sessionsOf(user)[0], nil).want(http.StatusNoContent, "")
		}},
		{"disable", func(a *world, _ grant, user string) {
			a.admin("POST", "/users/"+user+"/disable", nil).want(http.StatusNoContent, "")
		}},
		{"all sessions", func(a *world, _ grant, user string) {
			a.admin("DELETE", "/users/"+user+"/sessions", nil).want(http.StatusNoContent, "")
		}},
		{"replay", func(a *world, g grant, _ string) { a.replay(g) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := a.in(t), b.in(t)
			for round := range 3 {
				who := a.account(10*i + round + 1)
				g := a.login(demoApp, who)
				b.guarded("/", g.Session).want(http.StatusOK, "")
				conn := b.dialWS(g.Session)
				user := a.userOf(who).ID
				tt.end(a, g, user)
				answered := time.Now()
				took = append(took, b.refused(g.Session, answered))
				conn.closes(t, closedWithin-time.Since(answered))
				a.guarded("/", g.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
			}
		})
	}
	stays.echoes(t)
	if t.Failed() {
		return
	}
	slices.Sort(took)
	t.Logf("refused at the other node after %v (median of %d), %v at most", took[len(took)/2], len(took), took[len(took)-1])
}

// TestEventsElsewhere refreshes and changes at one node what the other has cached.
func TestEventsElsewhere(t *testing.T) {
	a, b := twoNodes(t)
	who := a.account(0)
	g := a.login(demoApp, who)
	b.guarded("/", g.Session).want(http.StatusOK, "")

	var next grant
	a.tenant("/session-token/refresh", a.bearer(demoApp, demoSecret), map[string]string{"session_token": g.Session}).
		want(http.StatusOK, "").json(&next)
	answered := time.Now()
	b.guarded("/", next.Session).want(http.StatusOK, "")
	t.Logf("the old token is refused after %v", b.refused(g.Session, answered))
	b.guarded("/", next.Session).want(http.StatusOK, "")

	for _, tier := range []string{"gold", "lead"} {
		a.admin("PUT", "/users/"+a.userOf(who).ID+"/segments", map[string]string{"tier": tier}).want(http.StatusNoContent, "")
		answered := time.Now()
		for b.guarded("/", next.Session).seen().Header.Get("X-Tier") != tier {
			if time.Since(answered) > knownWithin {
				t.Fatalf("the segment is not %s after %v", tier, time.Since(answered))
			}
		}
	}
	if tier := b.verifiedAt(a, b.guarded("/", next.Session).seen().Header.Get("X-Qqauth-Ticket")).Segments["tier"]; tier != "lead" {
		t.Errorf("the assertion says %q", tier)
	}
}

// verifiedAt verifies an assertion of one node by the keys of another.
func (w *world) verifiedAt(other *world, assertion string) (c claims) {
	w.t.Helper()
	other.verified(assertion, "/.well-known/jwks.json", jose.ES256, fleetAudience, &c.Claims, &c)
	return c
}

// verified verifies a token of the fleet by the keys that a node publishes.
func (w *world) verified(token, keys string, alg jose.SignatureAlgorithm, audience string, standard *jwt.Claims, all any) {
	w.t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{alg})
	if err != nil {
		w.t.Fatalf("parse %q: %v", token, err)
	}
	if err := parsed.Claims(w.keysAt(keys), all); err != nil {
		w.t.Fatalf("verify by %s of another node: %v", keys, err)
	}
	if err := standard.ValidateWithLeeway(jwt.Expected{Issuer: fleetURL, AnyAudience: jwt.Audience{audience}, Time: time.Now()}, 0); err != nil {
		w.t.Errorf("validate: %v", err)
	}
}

// TestTokensElsewhere uses what one node has issued at the other.
func TestTokensElsewhere(t *testing.T) {
	a, b := twoNodes(t)
	g := a.login(demoApp, a.account(0))
	a.guarded("/", g.Session).want(http.StatusOK, "")
	bearer := a.bearer(demoApp, demoSecret)
	b.redeem(bearer, b.ticket(bearer, g.Session, "")).want(http.StatusOK, "")

	for round := range 50 {
		in := map[string]string{"sso_ticket": a.ticket(bearer, g.Session, "")}
		answers := everywhere(t, func(w *world) (answer, error) { return w.tryTenant("/sso-ticket/verify", bearer, in) }, a, b)
		slices.SortFunc(answers, func(x, y answer) int { return x.status - y.status })
		if t.Failed() || answers[0].status != http.StatusOK || answers[1].status != http.StatusBadRequest || answers[1].code() != "IDAAS.SDK.PARAM.0032" {
			t.Fatalf("round %d: a ticket that two nodes redeemed: %d %s and %d %s", round,
				answers[0].status, answers[0].body, answers[1].status, answers[1].body)
		}
	}

	var standard jwt.Claims
	for _, keys := range []string{"/api/v1/oauth2/keys", "/.well-known/jwks.json"} {
		b.verified(g.IDToken, keys, jose.RS256, demoApp, &standard, &standard)
	}
	b.sdk("POST", "/logout", demoApp, nil, "Authorization", "Bearer "+g.IDToken).want(http.StatusOK, "")
	answered := time.Now()
	b.guarded("/", g.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	a.refused(g.Session, answered)
}

// everywhere asks at the same time at each of the nodes, which may be named more
// than once.
func everywhere(t *testing.T, ask func(*world) (answer, error), nodes ...*world) []answer {
	t.Helper()
	answers := make([]answer, len(nodes))
	var wait sync.WaitGroup
	start := make(chan struct{})
	for i, w := range nodes {
		wait.Go(func() {
			<-start
			var err error
			if answers[i], err = ask(w); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	wait.Wait()
	return answers
}

// TestTwentySessions logs one user in at two nodes at once, more often than may
// live.
func TestTwentySessions(t *testing.T) {
	const logins, mayLive = 30, 20
	a, b := twoNodes(t)
	who := a.account(0)
	nodes := slices.Repeat([]*world{a, b}, logins/2)
	answers := everywhere(t, func(w *world) (answer, error) {
		_, got, err := w.attempt(who)
		return got, err
	}, nodes...)
	answered := time.Now()
	sessions := make([]string, logins)
	for i, got := range answers {
		var g grant
		got.want(http.StatusOK, "").json(&g)
		sessions[i] = g.Session
	}
	for _, w := range []*world{a, b} {
		if n := len(w.sessionsOf(w.userOf(who).ID)); n != mayLive {
			t.Errorf("%d sessions live, want %d", n, mayLive)
		}
		live := func() (n int) {
			for _, session := range sessions {
				if w.guarded("/", session).status == http.StatusOK {
					n++
				}
			}
			return n
		}
		n := live()
		for ; n != mayLive && time.Since(answered) < knownWithin; n = live() {
		}
		if n != mayLive {
			t.Errorf("%d sessions are let in, want %d", n, mayLive)
		}
	}
}
