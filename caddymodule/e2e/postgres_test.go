package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/internal/pgtest"
)

// TestStartTogether starts two nodes at the same time on an empty database. They
// make one account base of it.
func TestStartTogether(t *testing.T) {
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			dsn := pgtest.Database(t)
			f := newFleet(t)
			var nodes []*world
			for range 2 {
				w := *f.world
				h := f.home(t, dsn, f.secretKey)
				w.server = h.launch(h.write("Caddyfile", h.fill(worldFile, f.pairs...)))
				nodes = append(nodes, &w)
			}
			for _, w := range nodes {
				w.awaitServing()
			}
			a, b := nodes[0], nodes[1]
			b.guarded("/", a.login(demoApp, f.account(0)).Session).want(http.StatusOK, "")
			a.guarded("/", b.login(demoApp, f.account(0)).Session).want(http.StatusOK, "")
			if atA, atB := a.keyIDs(), b.keyIDs(); !slices.Equal(atA, atB) {
				t.Errorf("one node publishes the keys %v, the other %v", atA, atB)
			}

			other := randomHex(32)
			h := f.home(t, dsn, other)
			if out := h.fails(h.write("Caddyfile", h.fill(worldFile, f.pairs...))); !strings.Contains(out, "secret_key") {
				t.Errorf("with another secret_key the error does not say what is wrong: %s", tail(out, 800))
			}
			a.login(demoApp, f.account(1))
		})
	}
}

// keyIDs are those of all keys that a node publishes.
func (w *world) keyIDs() (ids []string) {
	w.t.Helper()
	for _, key := range w.keysAt("/.well-known/jwks.json").Keys {
		ids = append(ids, key.KeyID)
	}
	slices.Sort(ids)
	return ids
}

// TestStartWithoutDatabase starts before the database does. Caddy serves, and
// takes the database as soon as it comes.
func TestStartWithoutDatabase(t *testing.T) {
	dsn := pgtest.Database(t)
	f := newFleet(t)
	for name, fault := range map[string]func(p *pgtest.Proxy, on bool){
		"refuses": (*pgtest.Proxy).Refuse, "hangs": (*pgtest.Proxy).Hang,
	} {
		t.Run(name, func(t *testing.T) {
			if name == "hangs" && testing.Short() {
				t.Skip("takes the time that connecting may take")
			}
			proxy, through := pgtest.Via(t, dsn)
			fault(proxy, true)
			w := f.node(t, through)
			w.unavailable(strings.Repeat("A", 32), "unavailable")
			fault(proxy, false)
			came := time.Now()
			w.await("the database is tried again", func() bool {
				return w.ask("GET", w.url("LOGIN", "/.qqauth/health"), nil).status == http.StatusOK
			})
			t.Logf("healthy %v after the database came", time.Since(came))
			w.guarded("/", w.login(demoApp, w.account(0)).Session).want(http.StatusOK, "")
			if up := w.metric("qqauth_store_up"); up != 1 {
				t.Errorf("qqauth_store_up is %v", up)
			}
		})
	}
}

// TestWrongPassword: a database that refuses us is a fault of configuration.
func TestWrongPassword(t *testing.T) {
	u, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), "wrong-"+randomHex(8))
	f := newFleet(t)
	h := f.home(t, u.String(), f.secretKey) // which looks for it in the log
	out := h.fails(h.write("Caddyfile", h.fill(worldFile, f.pairs...)))
	if !strings.Contains(out, "postgresql refuses the connection") {
		t.Errorf("the error does not say what is wrong: %s", tail(out, 800))
	}
}

// TestPlaceholdersStay looks at what Caddy shows of its configuration.
func TestPlaceholdersStay(t *testing.T) {
	dsn := pgtest.Database(t)
	f := newFleet(t)
	w := f.node(t, dsn)
	adapted, err := w.run("adapt", "--config", w.path("Caddyfile"))
	if err != nil {
		t.Fatalf("caddy adapt: %v\n%s", err, adapted)
	}
	saved, err := os.ReadFile(w.path("config", "caddy", "autosave.json"))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"caddy adapt": adapted, "autosave": string(saved),
		"/config/": w.ask("GET", w.url("ADMIN", "/config/"), nil).want(http.StatusOK, "").text(),
	} {
		w.holdsNoSecret(what, text, dsn, f.secretKey)
		for _, placeholder := range []string{"{env.QQAUTH_DSN}", "{env.QQAUTH_SECRET_KEY}"} {
			if !strings.Contains(text, placeholder) {
				t.Errorf("%s does not show %s", what, placeholder)
			}
		}
	}
}

// TestReloadOnPostgres replaces the configuration under load. Sessions, sockets
// and connections to the database stay.
func TestReloadOnPostgres(t *testing.T) {
	const sockets, reloads = 3, 3
	proxy, dsn := pgtest.Via(t, pgtest.Database(t)+"&pool_max_conns=4")
	f := newFleet(t)
	w := f.node(t, dsn, "$PROXY", "stream_close_delay 5m")
	var sessions []string
	var conns []wsConn
	for n := range sockets {
		sessions = append(sessions, w.login(demoApp, w.account(n)).Session)
		conns = append(conns, w.dialWS(sessions[n]))
	}
	var guarded, plain, logins tally
	stop := w.load(sessions, &guarded, &plain, &logins)
	for n := range reloads {
		passed, in := guarded.answers.Load(), logins.answers.Load()
		w.reload(worldFile, append([]string{"$CORE", fmt.Sprintf("%s\n\t\tlifetime {\n ticket %dm\n }", fleetCore, n+1)}, w.pairs...)...)
		w.await("answers after the reload", func() bool {
			return guarded.answers.Load() >= passed+100*sockets && logins.answers.Load() >= in+20
		})
	}
	stop()
	for i, conn := range conns {
		conn.echoes(t)
		w.guarded("/", sessions[i]).want(http.StatusOK, "")
	}
	// Four for reads, four for writes, two to listen.
	if n := proxy.Connections(); n > 10 {
		t.Errorf("the store was opened again: it made %d connections", n)
	}
}

// TestKillOnPostgres kills a node among logins. What it answered holds at the
// other.
func TestKillOnPostgres(t *testing.T) {
	a, b := twoNodes(t)
	known := &acknowledged{sessions: map[int][]string{}}
	stop := a.logInForever(0, known)
	logins := 400 + rand.N(600) // a random moment is what this is about
	if testing.Short() {
		logins /= 4
	}
	a.await("logins", func() bool { return known.total() >= logins })
	a.kill()
	stop()
	t.Logf("killed after %d of %d logins", logins, known.total())
	b.checkAcknowledged(known, map[int]string{})
}
