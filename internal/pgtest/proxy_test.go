package pgtest

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// world is a table behind a proxy, a client that goes through it and one that
// does not.
type world struct {
	*testing.T
	proxy          *Proxy
	dsn            string
	through, aside *pgx.Conn
}

func newWorld(t *testing.T) *world {
	direct := Database(t)
	w := &world{T: t}
	w.aside = w.connect(direct)
	w.run(w.aside, "CREATE TABLE rows (n int)")
	w.proxy, w.dsn = Via(t, direct)
	w.through = w.connect(w.dsn)
	return w
}

func (w *world) connect(dsn string) *pgx.Conn {
	w.Helper()
	c, err := pgx.Connect(w.Context(), dsn)
	must(w.T, err)
	w.Cleanup(func() { _ = c.Close(context.Background()) }) // it may be cut
	return c
}

func (w *world) run(c *pgx.Conn, query string, args ...any) {
	w.Helper()
	_, err := c.Exec(w.Context(), query, args...)
	must(w.T, err)
}

// rows counts what is committed.
func (w *world) rows() (n int) {
	w.Helper()
	must(w.T, w.aside.QueryRow(w.Context(), "SELECT count(*) FROM rows").Scan(&n))
	return n
}

func (w *world) begin() pgx.Tx {
	w.Helper()
	tx, err := w.through.Begin(w.Context())
	must(w.T, err)
	return tx
}

// insert begins a transaction with one row in it.
func (w *world) insert() pgx.Tx {
	w.Helper()
	tx := w.begin()
	_, err := tx.Exec(w.Context(), "INSERT INTO rows VALUES ($1)", 1)
	must(w.T, err)
	return tx
}

// settled waits until no other session of the database is in a statement or
// transaction.
func (w *world) settled() {
	w.Helper()
	await(w.T, "the end of other sessions", func() (yes bool) {
		must(w.T, w.aside.QueryRow(w.Context(), `SELECT count(*) = 0 FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`).Scan(&yes))
		return yes
	})
}

func TestProxyCounts(t *testing.T) {
	w := newWorld(t)
	before := w.proxy.RoundTrips()
	if before != 0 || w.proxy.Connections() != 1 {
		t.Fatalf("after logging in: %d round trips, %d connections", before, w.proxy.Connections())
	}
	w.run(w.through, "SELECT $1::int", 1) // prepared and executed
	w.run(w.through, "SELECT $1::int", 2)
	w.run(w.through, "SELECT 3")
	if trips, statements := w.proxy.RoundTrips(), w.proxy.Statements(); trips != 4 || statements != 3 {
		t.Errorf("%d round trips, %d statements; want 4 and 3", trips, statements)
	}
	batch := &pgx.Batch{}
	for range 3 {
		batch.Queue("SELECT $1::int", 4)
	}
	must(t, w.through.SendBatch(t.Context(), batch).Close())
	if trips, statements := w.proxy.RoundTrips(), w.proxy.Statements(); trips != 5 || statements != 6 {
		t.Errorf("with a batch %d round trips, %d statements; want 5 and 6", trips, statements)
	}
	long := strings.Repeat("x", 1<<20)
	var got string
	must(t, w.through.QueryRow(t.Context(), "SELECT repeat($1::text, 3)", long).Scan(&got))
	if got != long+long+long {
		t.Error("a long value came back changed")
	}
	if _, err := w.through.CopyFrom(t.Context(), pgx.Identifier{"rows"}, []string{"n"},
		pgx.CopyFromSlice(5000, func(i int) ([]any, error) { return []any{i}, nil })); err != nil || w.rows() != 5000 {
		t.Errorf("copied %d rows: %v", w.rows(), err)
	}
}

func TestProxyCountsCancelRequests(t *testing.T) {
	w := newWorld(t)
	ended := make(chan error, 1)
	go func() {
		_, err := w.through.Exec(t.Context(), "SELECT pg_sleep(600)")
		ended <- err
	}()
	await(t, "the long statement", func() (yes bool) {
		must(t, w.aside.QueryRow(t.Context(), "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()").Scan(&yes))
		return yes
	})
	if n := w.proxy.CancelRequests(); n != 0 {
		t.Errorf("%d cancel requests before the first", n)
	}
	must(t, w.through.PgConn().CancelRequest(t.Context()))
	if got := sqlState(<-ended); got != "57014" {
		t.Errorf("cancelled with %q", got)
	}
	if n := w.proxy.CancelRequests(); n != 1 {
		t.Errorf("%d cancel requests; want 1", n)
	}
}

func TestProxyIsForPsqlToo(t *testing.T) {
	w := newWorld(t)
	w.proxy.OnRead(once(Fault{Fail: "53100"}))
	dsn := strings.Replace(w.dsn, "sslmode=disable", "sslmode=prefer", 1) // asks for TLS
	if _, err := shared.server.psql(t.Context(), dsn, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "a fault of the proxy") {
		t.Errorf("psql says %v", err)
	}
	out, err := shared.server.psql(t.Context(), dsn, "BEGIN; SELECT 7; COMMIT")
	must(t, err)
	if out != "7" {
		t.Errorf("psql prints %q", out)
	}
}

func TestProxyRefuses(t *testing.T) {
	w := newWorld(t)
	w.proxy.Refuse(true)
	if _, err := w.through.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("a connection stayed")
	}
	if _, err := pgx.Connect(t.Context(), w.dsn); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connect: got error %v, want ECONNREFUSED", err)
	}
	w.proxy.Refuse(true)
	w.proxy.Refuse(false)
	w.run(w.connect(w.dsn), "SELECT 1")
}

func TestProxyHangs(t *testing.T) {
	w := newWorld(t)
	w.proxy.Hang(true)
	ended := make(chan error, 2)
	go func() {
		_, err := w.through.Exec(t.Context(), "INSERT INTO rows VALUES (1)")
		ended <- err
	}()
	go func() {
		c, err := pgx.Connect(t.Context(), w.dsn)
		if err == nil {
			err = c.Close(t.Context())
		}
		ended <- err
	}()
	await(t, "the second connection", func() bool { return w.proxy.Connections() == 2 })
	select {
	case err := <-ended:
		t.Fatalf("a black hole answers: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if w.rows() != 0 {
		t.Error("a black hole forwards")
	}
	w.proxy.Hang(false)
	must(t, <-ended, <-ended)
	if w.rows() != 1 {
		t.Error("what was held is lost")
	}

}

// What the server says meanwhile is held as well, be it an answer or its end.
func TestProxyHangsBothWays(t *testing.T) {
	w := newWorld(t)
	third, err := w.aside.Begin(t.Context())
	must(t, err)
	_, err = third.Exec(t.Context(), "LOCK TABLE rows")
	must(t, err)
	ended := make(chan error, 1)
	go func() {
		_, err := w.through.Exec(t.Context(), "INSERT INTO rows VALUES (1)")
		ended <- err
	}()
	await(t, "the wait for the lock", func() (yes bool) {
		must(t, third.QueryRow(t.Context(), "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND relation = 'rows'::regclass").Scan(&yes))
		return yes
	})
	w.proxy.Hang(true)
	must(t, third.Commit(t.Context()))
	await(t, "the row", func() bool { return w.rows() == 1 })
	w.run(w.aside, "SELECT pg_terminate_backend($1)", w.through.PgConn().PID())
	await(t, "the end of the session", func() (yes bool) {
		must(t, w.aside.QueryRow(t.Context(), "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1", w.through.PgConn().PID()).Scan(&yes))
		return yes
	})
	select {
	case err := <-ended:
		t.Fatalf("a black hole answers: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	w.proxy.Hang(false)
	must(t, <-ended)
	if _, err := w.through.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("a session that was ended answers")
	}
}

func TestProxyHidesTheEndOfTheServer(t *testing.T) {
	s := New(t, Config{NoSync: true})
	w := &world{T: t}
	w.proxy, w.dsn = Via(t, s.DSN("postgres"))
	w.through = w.connect(w.dsn)
	w.proxy.Hang(true)
	must(t, s.Kill())
	ended := make(chan error, 1)
	go func() {
		_, err := w.through.Exec(t.Context(), "SELECT 1")
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Fatalf("a black hole tells of the server: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	w.proxy.Hang(false)
	if err := <-ended; err == nil {
		t.Error("a killed server answers")
	}
}

func TestProxyIsSlow(t *testing.T) {
	w := newWorld(t)
	const delay = 20 * time.Millisecond
	w.proxy.Slow(delay)
	before, started := w.proxy.RoundTrips(), time.Now()
	for range 5 {
		w.run(w.through, "SELECT 1")
	}
	if n := w.proxy.RoundTrips() - before; n != 5 {
		t.Errorf("%d round trips", n)
	}
	if took := time.Since(started); took < 5*delay {
		t.Errorf("five round trips took %v", took)
	}
}

func TestVerbs(t *testing.T) {
	for query, want := range map[string]verbs{
		"COMMIT":                             {commit: true},
		" commit work;":                      {commit: true},
		"insert into t values (1); end":      {commit: true, other: true},
		"begin isolation level serializable": {begin: true},
		"START TRANSACTION; SELECT 1":        {begin: true, other: true},
		"BEGIN; SELECT 1; COMMIT":            {begin: true, commit: true, other: true},
		"SELECT commit FROM ends":            {other: true},
		"ROLLBACK":                           {other: true},
		"":                                   {},
	} {
		if got := verbsOf(query); got != want {
			t.Errorf("%q: got %+v, want %+v", query, got, want)
		}
	}
}
