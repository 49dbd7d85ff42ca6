package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/pgstore"
	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

// sized is how many sessions are stored when a store's size is looked at.
func (b *bench) sized() int {
	const enough, quick = 200_000, 5_000
	if b.quick {
		return quick
	}
	return min(b.sessions, enough)
}

// noGoal stands where there is nothing to meet.
const noGoal = "–"

// sizing is a database with sessions, used by the store alone, without Caddy.
type sizing struct {
	*bench
	stored *store
	name   string // of the database in the bench's PostgreSQL
}

// sizingRow is what the size of a database follows from.
func sizingRow(b *bench) ([]result, error) {
	d, err := b.postgres()
	if d == nil || err != nil {
		return nil, err
	}
	short := *b
	short.span /= 4 // there are many
	e := d.engine("sized")
	z := &sizing{bench: &short, name: e.name}
	if z.stored, err = b.makeStore(e, b.sized()); err != nil {
		return nil, err
	}
	var table []result
	for _, measure := range []func() ([]result, error){z.room, z.guards, z.polls, z.logins} {
		results, err := measure()
		if err != nil {
			return nil, err
		}
		table = append(table, results...)
	}
	return table, nil
}

// room is what sessions and their users take on the disk.
func (z *sizing) room() ([]result, error) {
	// Readings are of a database that PostgreSQL has come to know.
	if _, err := z.database.SQL(z.ctx, z.name, "VACUUM ANALYZE"); err != nil {
		return nil, err
	}
	perSession := func(tables string) (float64, error) {
		n, err := z.database.number(z.ctx, z.name, "SELECT sum(pg_total_relation_size(t::regclass)) FROM unnest('{"+tables+"}'::text[]) t")
		return float64(n) / float64(len(z.stored.tokens)), err
	}
	session, err := perSession("qqauth_sessions")
	if err != nil {
		return nil, err
	}
	user, err := perSession("qqauth_users,qqauth_identities,qqauth_identity_mirrors")
	if err != nil {
		return nil, err
	}
	access, err := perSession("qqauth_access_tokens")
	const gib = 1 << 30
	return []result{line("PostgreSQL: bytes on the disk, indexes included, of as many users as sessions",
		fmt.Sprintf("%.0f a session, %.0f a user with a link, %.0f a QQ access token: %s sessions per GiB, %s with a user and a token each (%s stored)",
			session, user, access, count(gib/session), count(gib/(session+user+access)), count(float64(len(z.stored.tokens))))),
	}, err
}

// line is a result without a goal.
func line(what, measured string) result {
	return result{what: what, goal: noGoal, measured: measured, met: noGoal}
}

// open opens the store once more.
func (z *sizing) open() (*pgstore.Store, error) {
	return z.database.open(z.ctx, z.name, z.stored.keys())
}

// operation is what one of several clients does as the i-th of all.
type operation func(ctx context.Context, client, i int) error

// crowd is rounds of n operations, by so many clients at once.
func (z *sizing) crowd(clients, n int, do operation) side {
	var next atomic.Int64 // the number of the next operation, over all rounds
	return side{pid: os.Getpid(), n: n, database: z.database, round: func(n int) error {
		ctx, cancel := context.WithCancelCause(z.ctx)
		defer cancel(nil)
		end := next.Load() + int64(n)
		var workers sync.WaitGroup
		for client := range clients {
			workers.Go(func() {
				for ctx.Err() == nil {
					i := next.Add(1) - 1
					if i >= end {
						return
					}
					if err := do(ctx, client, int(i)); err != nil {
						cancel(err)
					}
				}
			})
		}
		workers.Wait()
		next.Store(end)
		return context.Cause(ctx)
	}}
}

// speed tells how fast rounds were, and how fast one core of the database's
// would be that did nothing else.
func speed(samples []sample) string {
	return fmt.Sprintf("%s a second; %s of PostgreSQL's CPU each, so %s a second and core, and %s of the store's",
		count(rateOf(samples)), micros(databaseOf(samples)), count(1/databaseOf(samples)), micros(cpuOf(samples)))
}

// guards are a guard's readings: of a session that it does not know, and of
// whether one has changed, which is asked every 25 to 30 s of each that is in use.
func (z *sizing) guards() (table []result, err error) {
	s, err := z.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	const clients = 16
	n := z.roundSize(5000)
	users := make([]authcore.UserID, len(z.stored.tokens))
	hashes := make([]authcore.TokenHash, len(z.stored.tokens))
	for i, token := range z.stored.tokens {
		hashes[i] = sha256.Sum256([]byte(token))
	}
	read := func(ctx context.Context, _, i int) error {
		at := spread(i, len(hashes))
		return s.View(ctx, func(tx authcore.Tx) error {
			_, user, err := tx.Session(hashes[at])
			users[at] = user.ID
			return err
		})
	}
	// Those that are asked for stamps have to be known before.
	known := n
	if err := z.crowd(clients, known, read).round(known); err != nil {
		return nil, err
	}
	stamp := func(ctx context.Context, _, i int) error {
		at := spread(i%known, len(hashes))
		return s.View(ctx, func(tx authcore.Tx) error {
			_, err := tx.(authcore.Stamped).Stamp(hashes[at], users[at])
			return err
		})
	}
	for _, reading := range []struct {
		what string
		do   operation
	}{
		{"PostgreSQL: a guard's reading of a session, 16 clients", read},
		{"PostgreSQL: a guard's asking whether a session has changed, 16 clients", stamp},
	} {
		samples, err := z.repeat(z.crowd(clients, n, reading.do))
		if err != nil {
			return nil, err
		}
		table = append(table, line(reading.what, speed(samples)))
	}
	return table, nil
}

// polls are the questions of nodes for news, of which each asks four a second.
func (z *sizing) polls() (table []result, err error) {
	var nodes [8]*pgstore.Store
	for i := range nodes {
		if nodes[i], err = z.open(); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, nodes[i].Close()) }()
	}
	for _, events := range []int{0, 100, 1000} {
		// As many as others announced within the last 10 s, which is as far as a
		// Poll looks back. Stamped ahead, they stay as long as they are looked at.
		if _, err := z.database.SQL(z.ctx, z.name, fmt.Sprintf(`DELETE FROM qqauth_events; INSERT INTO qqauth_events (id, at, user_id, session_id, ended, ring)
			SELECT decode(md5(i::text), 'hex'), clock_timestamp() + INTERVAL '1 hour', '20220425140138519-BF1B-528B05551',
				md5(i::text), TRUE, FALSE FROM generate_series(1, %d) i`, events)); err != nil {
			return nil, err
		}
		if _, err := z.database.SQL(z.ctx, z.name, "VACUUM ANALYZE qqauth_events"); err != nil {
			return nil, err
		}
		samples, err := z.repeat(z.crowd(len(nodes), z.roundSize(1000), func(ctx context.Context, client, _ int) error {
			_, _, err := nodes[client].Poll(ctx)
			return err
		}))
		if err != nil {
			return nil, err
		}
		table = append(table, line(fmt.Sprintf("PostgreSQL: a node's question for news, %s events in the last 10 s, %d nodes", count(float64(events)), len(nodes)), speed(samples)))
	}
	_, err = z.database.SQL(z.ctx, z.name, "DELETE FROM qqauth_events")
	return table, err
}

// logins are durable and go through the core.
func (z *sizing) logins() (table []result, err error) {
	keys := z.stored.keys()
	s, err := z.database.open(z.ctx, z.name, keys)
	if err != nil {
		return nil, err
	}
	node := authcore.NewNode(authcore.NodeConfig{Store: s, Keys: keys})
	defer func() { err = errors.Join(err, node.Close()) }()
	service, err := newService(node)
	if err != nil {
		return nil, err
	}
	simulator, err := newSimulator()
	if err != nil {
		return nil, err
	}
	known, again, unknown := z.kindsOfLogin(service, simulator)
	for _, l := range []struct {
		who     string
		clients int
		do      operation
	}{
		{"a known user", 1, known}, {"a known user", 16, known}, {"a known user", 64, known},
		{"a known user with a new QQ access token", 64, again}, {"a new user", 16, unknown}, {"a new user", 64, unknown},
	} {
		measured, err := z.tries(s, z.crowd(l.clients, z.roundSize(2000), l.do))
		if err != nil {
			return nil, err
		}
		table = append(table, line(fmt.Sprintf("PostgreSQL: login of %s, durable, %d clients on one node", l.who, l.clients), measured))
	}
	memory, err := z.memory()
	if err != nil {
		return nil, err
	}
	written, err := z.writeAheadLog(z.crowd(16, z.roundSize(5000), known))
	return append(table, memory, written), err
}

// kindsOfLogin are those of a user who comes with the QQ access token that he has
// come with before, with another one, and for the first time.
func (z *sizing) kindsOfLogin(service *authcore.Service, simulator *qqtest.Server) (known, again, unknown operation) {
	login := func(ctx context.Context, account int, access string) error {
		_, err := service.LoginQQ(ctx, clientID, caller, access, simulator.OpenID(qqApp, account))
		return err
	}
	known = func(ctx context.Context, _, i int) error {
		account := spread(i, len(z.stored.tokens))
		return login(ctx, account, simulator.Token(qqApp, account))
	}
	again = func(ctx context.Context, _, i int) error {
		return login(ctx, spread(i, len(z.stored.tokens)), rand.Text())
	}
	var registered atomic.Int64
	unknown = func(ctx context.Context, _, _ int) error {
		account := len(z.stored.tokens) + int(registered.Add(1))
		return login(ctx, account, simulator.Token(qqApp, account))
	}
	return known, again, unknown
}

// tries is the speed of rounds of logins, and how often they are tried again.
func (z *sizing) tries(s *pgstore.Store, logins side) (string, error) {
	before := s.Stats().Refusals
	samples, err := z.repeat(logins)
	if err != nil {
		return "", err
	}
	all := logins.n * (len(samples) + 1)
	return fmt.Sprintf("%s; %.3f tries a login refused because of others", speed(samples),
		float64(s.Stats().Refusals-before)/float64(all)), nil
}

// writeAheadLog is how much a round of logins adds to it: right after a
// checkpoint, when each page is written whole at its first change, and without
// that.
func (z *sizing) writeAheadLog(logins side) (result, error) {
	var grown [2]float64
	for i, whole := range []string{"on", "off"} {
		for _, command := range []string{"ALTER SYSTEM SET full_page_writes = " + whole, "SELECT pg_reload_conf()", "CHECKPOINT"} {
			if _, err := z.database.SQL(z.ctx, z.name, command); err != nil {
				return result{}, err
			}
		}
		from, err := z.database.number(z.ctx, z.name, "SELECT pg_current_wal_insert_lsn() - '0/0'")
		if err != nil {
			return result{}, err
		}
		if err := logins.round(logins.n); err != nil {
			return result{}, err
		}
		to, err := z.database.number(z.ctx, z.name, "SELECT pg_current_wal_insert_lsn() - '0/0'")
		if err != nil {
			return result{}, err
		}
		grown[i] = float64(to-from) / float64(logins.n)
	}
	_, err := z.database.SQL(z.ctx, z.name, "ALTER SYSTEM RESET full_page_writes")
	return line("PostgreSQL: bytes of write-ahead log a login of a known user",
		fmt.Sprintf("%s without whole pages, %s over the first %s logins after a checkpoint", count(grown[1]), count(grown[0]), count(float64(logins.n)))), err
}

// memory is what a connection that has been used takes of memory that it shares
// with no other.
func (z *sizing) memory() (result, error) {
	text, err := z.database.SQL(z.ctx, z.name, `SELECT pid FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`)
	if err != nil {
		return result{}, err
	}
	var kib []float64
	for pid := range strings.FieldsSeq(text) {
		n, err := strconv.Atoi(pid)
		if err != nil {
			return result{}, err
		}
		memory, err := anonymous(n)
		if err != nil {
			return result{}, err
		}
		kib = append(kib, float64(memory>>10))
	}
	if len(kib) == 0 {
		return result{}, errors.New("no connection after all logins")
	}
	return line("PostgreSQL: anonymous memory of a connection after that",
		fmt.Sprintf("median %.0f KiB, maximum %.0f KiB, %d connections", median(kib), quantile(kib, 1), len(kib))), nil
}
