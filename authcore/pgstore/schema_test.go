package pgstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

func TestTenNodesStartAtOnce(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	target, err := ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	var vaults [10]testVault
	l := standard
	patient(&l)
	errs := together(len(vaults), func(i int) error {
		s, err := openWithin(t.Context(), Config{
			Target: target, Vault: &vaults[i], Logger: zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)),
		}, l)
		if err != nil {
			return err
		}
		return s.Close()
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("open: %v", err)
	}
	for i := range vaults {
		if vaults[i].ring == nil || !bytes.Equal(vaults[i].ring, vaults[0].ring) {
			t.Errorf("node %d has another ring than node 0", i)
		}
	}
}

// state is what changes with any table or row of a new store.
func (a *aside) state() string {
	a.t.Helper()
	return ask[string](a, `SELECT string_agg(oid || '/' || xmin, ' ' ORDER BY oid) FROM pg_class WHERE relname LIKE 'qqauth%'`) +
		ask[string](a, `SELECT (SELECT xmin FROM qqauth_schema) || '/' || (SELECT xmin FROM qqauth_store) || '/' ||
			(SELECT xmin FROM qqauth_keys) || '/' || (SELECT due FROM qqauth_sweeps)`)
}

func TestOpeningAgainMakesNothing(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	open(t, dsn).Close()
	a := beside(t, dsn)
	before := a.state()
	open(t, dsn).Close()
	if after := a.state(); after != before {
		t.Errorf("the second start changes the tables:\n%s\n%s", before, after)
	}
}

func TestNewerTables(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	open(t, dsn).Close()
	a := beside(t, dsn)
	a.run("UPDATE qqauth_schema SET version = $1, oldest = $2", version+1, version)
	if err := put(t, open(t, dsn), "u"); err != nil {
		t.Errorf("with tables that are newer and fit: %v", err)
	}
	if got := ask[int](a, "SELECT version FROM qqauth_schema"); got != version+1 {
		t.Errorf("an older node notes version %d of tables that have %d", got, version+1)
	}
	a.run("UPDATE qqauth_schema SET oldest = $1", version+1)
	if _, err := tryOpen(t, dsn); err == nil || errors.Is(err, authcore.ErrUnavailable) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("tables that need a newer program: got error %v", err)
	}
}

// role makes a role that may connect, and the DSN for it.
func (a *aside) role(dsn string) (name, itsDSN string) {
	a.t.Helper()
	name = "role_" + strings.ToLower(rand.Text())
	a.run("CREATE ROLE " + name + " LOGIN PASSWORD 'password'")
	a.t.Cleanup(func() {
		if _, err := a.Exec(context.Background(), "DROP OWNED BY "+name+"; DROP ROLE "+name); err != nil {
			a.t.Errorf("drop the role: %v", err)
		}
	})
	u, err := url.Parse(dsn)
	if err != nil {
		a.t.Fatal(err)
	}
	u.User = url.UserPassword(name, "password")
	return name, u.String()
}

func TestRoleThatMakesNoTables(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	a := beside(t, dsn)
	name, as := a.role(dsn)
	_, err := tryOpen(t, as)
	if err == nil || errors.Is(err, authcore.ErrUnavailable) || !strings.Contains(err.Error(), "needs CREATE") {
		t.Errorf("an empty database: got error %v; want one about CREATE", err)
	}
	open(t, dsn).Close()
	a.run("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + name)
	s := open(t, as)
	if err := errors.Join(put(t, s, "u"), find(t, s, "u"), s.sweepOnce(t.Context())); err != nil {
		t.Errorf("with tables that are there: %v", err)
	}
}

// A start may be killed between any two statements.
func TestStartGoesOnWhereAnotherWasKilled(t *testing.T) {
	t.Parallel()
	var statements []string
	var ends []int // of each version's
	for v := 1; v <= version; v++ {
		file, err := schemas.ReadFile(fmt.Sprintf("schema/%d.sql", v))
		if err != nil {
			t.Fatal(err)
		}
		for sql := range strings.SplitSeq(string(file), ";\n") {
			if strings.TrimSpace(sql) != "" {
				statements = append(statements, sql)
			}
		}
		ends = append(ends, len(statements))
	}
	for _, n := range []int{0, 1, 2, ends[0] / 2, ends[0] - 1, ends[0] + 1, (ends[0] + ends[1]) / 2, ends[1] - 1, ends[1] + 1, ends[2] - 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			dsn := pgtest.Database(t)
			a := beside(t, dsn)
			a.run("CREATE TABLE qqauth_schema (id INT PRIMARY KEY CHECK (id = 1), version INT NOT NULL, oldest INT NOT NULL)")
			if n > 0 {
				a.run("INSERT INTO qqauth_schema VALUES (1, 0, 0)")
			}
			for _, sql := range statements[:n] {
				a.run(sql)
			}
			s := open(t, dsn)
			if err := errors.Join(put(t, s, "u"), find(t, s, "u"), s.sweepOnce(t.Context())); err != nil {
				t.Error(err)
			}
			if got := ask[int](a, "SELECT version FROM qqauth_schema"); got != version {
				t.Errorf("the tables have version %d, want %d", got, version)
			}
		})
	}
}

func TestWrongSecret(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	open(t, dsn).Close()
	a := beside(t, dsn)
	a.run("UPDATE qqauth_keys SET ring = 'wrapped under another secret'")
	if _, err := tryOpen(t, dsn); !errors.Is(err, authcore.ErrWrongSecret) || errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("got error %v, want %v", err, authcore.ErrWrongSecret)
	}
	if got := ask[string](a, "SELECT encode(ring, 'escape') FROM qqauth_keys"); got != "wrapped under another secret" {
		t.Error("a start with a wrong secret replaces the ring")
	}
}

// setting reads a setting in a transaction.
func setting(t *testing.T, in func(func(authcore.Tx) error) error, name string) (value string) {
	t.Helper()
	err := in(func(at authcore.Tx) error {
		return at.(*tx).read(statement{sql: "SELECT current_setting('" + name + "')", scan: func(r pgx.Rows) error { return r.Scan(&value) }})
	})
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return value
}

func TestSettingsOfTheDatabaseDoNotCount(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	a := beside(t, dsn)
	name, as := a.role(dsn)
	a.run("GRANT ALL ON SCHEMA public TO " + name)
	database := ask[string](a, "SELECT current_database()")
	for _, set := range []string{
		"ALTER DATABASE " + database + " SET synchronous_commit = off",
		"ALTER ROLE " + name + " SET statement_timeout = '5s'",
		"ALTER ROLE " + name + " SET idle_in_transaction_session_timeout = 0",
		"ALTER DATABASE " + database + " SET default_transaction_isolation = serializable",
	} {
		a.run(set)
	}
	s := open(t, as)
	update := func(fn func(authcore.Tx) error) error { return s.Update(t.Context(), fn) }
	volatile := func(fn func(authcore.Tx) error) error { return s.UpdateVolatile(t.Context(), fn) }
	view := func(fn func(authcore.Tx) error) error { return s.View(t.Context(), fn) }
	for _, test := range []struct {
		what, name, want string
		in               func(func(authcore.Tx) error) error
	}{
		{"Update", "synchronous_commit", "on", update},
		{"UpdateVolatile", "synchronous_commit", "off", volatile},
		{"Update after it", "synchronous_commit", "on", update},
		{"Update", "statement_timeout", "0", update},
		{"Update", "idle_in_transaction_session_timeout", "15s", update},
		{"Update", "transaction_isolation", "serializable", update},
		{"View", "transaction_isolation", "read committed", view},
		{"View", "statement_timeout", "0", view},
		{"View", "enable_seqscan", "off", view},
	} {
		if got := setting(t, test.in, test.name); got != test.want {
			t.Errorf("%s has %s = %s, want %s", test.what, test.name, got, test.want)
		}
	}
	s.Close()
	a.run("ALTER DATABASE " + database + " SET synchronous_commit = remote_apply")
	s = open(t, as)
	if got := setting(t, update, "synchronous_commit"); got != "remote_apply" {
		t.Errorf("a stricter synchronous_commit is %s", got)
	}
}
