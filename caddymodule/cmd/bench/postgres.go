package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/pgstore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// database is a PostgreSQL of the bench's own, on the disk of os.TempDir.
type database struct {
	*pgtest.Server
	pid int // the postmaster's
}

// postgres returns the bench's PostgreSQL, and starts it if it does not run yet;
// nil if none is installed.
func (b *bench) postgres() (*database, error) {
	if b.database != nil {
		return b.database, nil
	}
	if _, err := pgtest.Find(); err != nil {
		log.Printf("left out: %v", err)
		return nil, nil
	}
	// Everything else is as PostgreSQL comes, fsync included.
	server, err := pgtest.Start(b.ctx, pgtest.Config{Settings: map[string]string{"shared_buffers": "512MB"}})
	if err != nil {
		return nil, err
	}
	b.database = &database{Server: server}
	b.database.pid, err = b.database.number(b.ctx, "postgres", `SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)`)
	return b.database, err
}

// end ends the PostgreSQL, if there is one.
func (d *database) end() error {
	if d == nil {
		return nil
	}
	return d.Close()
}

// number is what a query for one whole number answers.
func (d *database) number(ctx context.Context, name, query string) (int, error) {
	text, err := d.SQL(ctx, name, query)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// engine is a database that does not exist yet.
func (d *database) engine(name string) engine {
	name = "postgres_" + name
	return engine{
		name: name, caddyfile: fmt.Sprintf("postgres %q", d.DSN(name)),
		atOnce: 32, // more get into each other's way while there is little in it
		open: func(ctx context.Context, vault authcore.Vault) (authcore.Store, error) {
			if _, err := d.SQL(ctx, "postgres", "CREATE DATABASE "+name); err != nil {
				return nil, err
			}
			return d.open(ctx, name, vault)
		},
	}
}

// open opens a store with as many connections as a node of Caddy has.
func (d *database) open(ctx context.Context, name string, vault authcore.Vault) (*pgstore.Store, error) {
	target, err := pgstore.ParseDSN(d.DSN(name))
	if err != nil {
		return nil, err
	}
	return pgstore.Open(ctx, pgstore.Config{Target: target, Vault: vault})
}

// postgresRow is Caddy on PostgreSQL beside Caddy on Badger, and how soon one on
// PostgreSQL hears of what another revokes.
func postgresRow(b *bench) ([]result, error) {
	d, err := b.postgres()
	if d == nil || err != nil {
		return nil, err
	}
	var table []result
	for _, measure := range []func(*bench, *database) ([]result, error){guardOnBoth, loginOnBoth, missOnBoth, revocationAcross} {
		results, err := measure(b, d)
		if err != nil {
			return nil, err
		}
		table = append(table, results...)
	}
	return table, nil
}

// guardOnBoth is a request with a session in the cache. Badger's tables in memory
// make Caddy's heap several times as large, and garbage is collected that much
// more seldom. That would be so with any other use of memory, so what is compared
// in the first place is two that collect alike.
func guardOnBoth(b *bench, d *database) ([]result, error) {
	const what = "guarded request, session in cache"
	t := contest{store: "few", sessions: 100, n: b.roundSize(5000), memory: "512MiB"}
	alike, err := b.compareGuards(d, t)
	if err != nil {
		return nil, err
	}
	cpu := alike.cpu()
	same := cpu.median <= 1.03 || cpu.low <= 1 && 1 <= cpu.high
	t.memory = ""
	plain, err := b.compareGuards(d, t)
	return []result{
		alike.onBoth(what+", garbage collected at 512 MiB", "the same, or ≤ 1.03", whether(same)),
		plain.onBoth(what+", garbage collected by Go's default", noGoal, noGoal),
	}, err
}

// missOnBoth is requests none of whose sessions was used before.
func missOnBoth(b *bench, d *database) ([]result, error) {
	t := contest{store: "sized", sessions: b.sized()}
	t.n = min(b.roundSize(20_000), t.sessions/(1+minPairs))
	t.most = t.sessions / t.n
	c, err := b.compareGuards(d, t)
	if err != nil {
		return nil, err
	}
	return []result{c.onBoth("guarded request, every one a cache miss", noGoal, noGoal)}, nil
}

// contest is how guards on Badger and on PostgreSQL are compared: by rounds of n
// requests, at most so many of them, whose sessions take turns.
type contest struct {
	store             string
	sessions, n, most int
	memory            string // as in guarded
}

func (b *bench) compareGuards(d *database, t contest) (c comparison, err error) {
	// Both before anything listens: Caddy closes connections that wait for
	// minutes.
	var stores [2]*store
	for i, e := range []engine{b.badger(t.store), d.engine(t.store)} {
		if stores[i], err = b.makeStore(e, t.sessions); err != nil {
			return c, err
		}
	}
	var sides [2]side
	for i, s := range stores {
		server, err := (guarded{store: s, memory: t.memory}).start(b)
		if err != nil {
			return c, err
		}
		defer server.discard()
		clients, err := newClient(server.app, guardConns)
		if err != nil {
			return c, err
		}
		defer clients.close()
		sides[i] = server.requests(server.app, clients, t.n, func(i int) string { return s.tokens[i%len(s.tokens)] })
		sides[i].most = t.most
	}
	sides[1].database = d
	return b.compare(sides[0], sides[1])
}

// onBoth is what a comparison of Badger with PostgreSQL says.
func (c comparison) onBoth(what, goal string, met verdict) result {
	return result{
		what: what + ": CPU of Caddy on PostgreSQL by that on Badger", goal: goal,
		measured: fmt.Sprintf("%s; %s against %s, and %s of PostgreSQL's; %s against %s a second", c.cpu(),
			micros(cpuOf(c.ours)), micros(cpuOf(c.base)), micros(databaseOf(c.ours)),
			count(rateOf(c.ours)), count(rateOf(c.base))),
		met: met,
	}
}

// loginOnBoth is logins of known users.
func loginOnBoth(b *bench, d *database) (table []result, err error) {
	for _, alg := range []string{"ES256", "RS256"} {
		c, err := b.compareLogins(d, alg)
		if err != nil {
			return nil, err
		}
		table = append(table, c.onBoth(fmt.Sprintf("login of a known user, %s, durable, %d connections, Caddy on one processor", alg, loginConns),
			noGoal, noGoal))
	}
	return table, nil
}

func (b *bench) compareLogins(d *database, alg string) (c comparison, err error) {
	var sides [2]side
	name := strings.ToLower(alg)
	for i, e := range []engine{b.badger(name), d.engine(name)} {
		s, err := b.newLoginSite(e, loginConns, guarded{alg: alg, alone: true})
		if err != nil {
			return c, err
		}
		defer s.discard()
		sides[i] = s.side(b.roundSize(1000))
	}
	sides[1].database = d
	return b.compare(sides[0], sides[1])
}

// revocationAcross is how long a session still gets in at one Caddy after its
// log-out at another was answered.
func revocationAcross(b *bench, d *database) ([]result, error) {
	s, err := b.makeStore(d.engine("few"), 100)
	if err != nil {
		return nil, err
	}
	var fleet [2]*server
	for i := range fleet {
		if fleet[i], err = (guarded{store: s}).start(b); err != nil {
			return nil, err
		}
		defer fleet[i].discard()
	}
	simulator, err := newSimulator()
	if err != nil {
		return nil, err
	}
	var took []float64
	for i := range b.roundSize(50) {
		// By chance the log-out falls anywhere between two questions of the
		// other node for news, of which it asks four a second.
		time.Sleep(rand.N(time.Second / 4))
		seconds, err := revocation(fleet[0], fleet[1], loginRequest(fleet[0].login, simulator, i))
		if err := errors.Join(err, b.ctx.Err()); err != nil {
			return nil, err
		}
		took = append(took, seconds)
	}
	slowest := quantile(took, 1)
	const most = 1.0
	return []result{{
		what: "from a log-out at one Caddy until another, which has the session in its cache, refuses it", goal: "≤ 1 s",
		measured: fmt.Sprintf("median %.0f ms, maximum %.0f ms, %d log-outs", 1000*median(took), 1000*slowest, len(took)),
		met:      whether(slowest <= most),
	}}, nil
}

// revocation logs in and out at one server and returns for how many seconds after
// that another still lets the session in.
func revocation(at, other *server, login []byte) (seconds float64, err error) {
	answer, err := askAt(at.login, login)
	if err != nil {
		return 0, err
	}
	session, err := member(answer, "session_token")
	if err != nil {
		return 0, err
	}
	c, err := dial(other.app)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	request := guardedRequest(nil, other.app, "/", session)
	if _, err := c.demand(request); err != nil {
		return 0, err
	}
	if _, err := askAt(at.login, post(nil, at.login, "/api/v2/sdk/logout", deviceHeaders+"session-token: "+session+"\r\n", "")); err != nil {
		return 0, err
	}
	for began := time.Now(); ; {
		status, body, err := c.roundTrip(request)
		waited := time.Since(began)
		switch {
		case err != nil:
			return 0, err
		case status == 401:
			return waited.Seconds(), nil
		case status != 200 || waited > patience:
			return 0, fmt.Errorf("%v after its log-out elsewhere a session is answered %d: %s", waited, status, body)
		}
	}
}
