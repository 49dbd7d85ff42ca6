package pgstore

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
)

//go:embed schema/*.sql
var schemas embed.FS

const (
	// version is the version of the tables, and the last file in schema.
	version = 3
	// oldest is the oldest version of this program that works with these
	// tables. A version only adds what the one before does not miss, so that
	// nodes can be replaced one after the other.
	oldest = 1
	// changeLimit is how long one change of the tables may take.
	changeLimit = 10 * time.Minute
)

// tables are those that transactions of nodes write.
var tables = []string{
	"qqauth_keys", "qqauth_users", "qqauth_identity_mirrors", "qqauth_identities", "qqauth_unions", "qqauth_access_tokens",
	"qqauth_sessions", "qqauth_retired_tokens", "qqauth_tickets", "qqauth_pendings", "qqauth_events",
	"qqauth_handle_mirrors", "qqauth_handles", "qqauth_codes", "qqauth_captchas", "qqauth_counters", "qqauth_erased",
	"qqauth_guests",
}

// begin brings the tables up to date and opens the key ring. The lock on the row
// of qqauth_schema lets one node at a time do so.
func (s *Store) begin(ctx context.Context) error {
	lock, err := s.writes.acquire(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := lock.makeSchemaTable(); err != nil {
		return err
	}
	var have, needs int
	err = lock.fly(callLimit,
		statement{sql: "BEGIN"},
		statement{
			sql:  "SELECT version, oldest FROM qqauth_schema WHERE id = 1 FOR UPDATE",
			scan: func(rows pgx.Rows) error { return rows.Scan(&have, &needs) },
		})
	if err != nil {
		return fault("wait for another node that changes the tables", err)
	}
	if needs > version {
		return fmt.Errorf("postgresql store: its tables have version %d and need a newer qqauth: this one knows version %d", have, version)
	}
	if have < version { // which may take long; otherwise a node that vanishes must not keep others from starting
		if err := lock.fly(callLimit, statement{sql: "SET LOCAL idle_in_transaction_session_timeout = 0"}); err != nil {
			return fault("begin to change the tables", err)
		}
	}
	if err := s.migrate(ctx, have); err != nil {
		return err
	}
	flight := []statement{{sql: "COMMIT"}}
	if have < version {
		flight = append([]statement{{sql: "UPDATE qqauth_schema SET version = $1, oldest = $2 WHERE id = 1", args: []any{version, oldest}}}, flight...)
	}
	if err := s.unlock(ctx); err != nil {
		return err
	}
	var frozen bool
	if err := s.view(ctx, func(t authcore.Tx) error { return t.(*tx).read(readFrozen(&frozen)) }, modeRead); err != nil {
		return err
	}
	s.frozen.Store(frozen)
	if err := lock.fly(commitLimit, flight...); err != nil {
		return fault("note the version of the tables", err)
	}
	return nil
}

// makeSchemaTable makes the table that everything begins with. Nodes that start
// at once may get in each other's way.
func (c *conn) makeSchemaTable() error {
	var err error
	for range 5 {
		if err = c.fly(callLimit, statement{sql: "SELECT version FROM qqauth_schema WHERE id = 1 AND oldest >= 0", scan: func(pgx.Rows) error { return nil }}); err == nil {
			break
		}
		if judge(err) <= late {
			return fault("look for the tables", err)
		}
		err = c.fly(callLimit, statement{sql: "CREATE TABLE IF NOT EXISTS qqauth_schema (id INT PRIMARY KEY CHECK (id = 1), version INT NOT NULL, oldest INT NOT NULL)"})
	}
	if err == nil {
		err = c.fly(callLimit, statement{sql: "INSERT INTO qqauth_schema (id, version, oldest) VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING"})
	}
	return changeFault(err)
}

// migrate applies the versions after have. Each statement stands by itself, for
// databases that change no tables inside a transaction.
func (s *Store) migrate(ctx context.Context, have int) error {
	c, err := s.writes.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	for v := have + 1; v <= version; v++ {
		file, err := schemas.ReadFile(fmt.Sprintf("schema/%d.sql", v))
		if err != nil {
			return err
		}
		for sql := range strings.SplitSeq(string(file), ";\n") {
			if strings.TrimSpace(sql) == "" {
				continue
			}
			if err := c.fly(changeLimit, statement{sql: sql}); err != nil {
				return changeFault(err)
			}
		}
		s.log.Info("tables are made", zap.Int("version", v))
	}
	return s.warn(c)
}

// changeFault is the error for a change of tables. What PostgreSQL says then is
// about tables and privileges alone.
func changeFault(err error) error {
	var said *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &said) || judge(err) != failed:
		return fault("make the tables", err)
	}
	return fmt.Errorf("postgresql store: make the tables: %s (%s): the user of the DSN needs CREATE on the schema", said.Message, said.Code)
}

// warn tells an operator about settings under which an answered write can be lost.
func (s *Store) warn(c *conn) error {
	for _, name := range []string{"fsync", "full_page_writes"} {
		var value string
		err := c.fly(callLimit, statement{
			sql:  "SELECT coalesce(current_setting($1, TRUE), '')",
			args: []any{name},
			scan: func(rows pgx.Rows) error { return rows.Scan(&value) },
		})
		if err != nil {
			return fault("read the settings", err)
		}
		if value == "off" {
			s.log.Warn("postgresql may lose what it has confirmed when its machine fails", zap.String(name, value))
		}
	}
	return nil
}

// unlock opens the key ring, and makes one if there is none.
func (s *Store) unlock(ctx context.Context) error {
	ring, err := s.ring(ctx)
	if err != nil {
		return err
	}
	replace, err := s.vault.Unlock(ring)
	if err != nil || replace == nil {
		return err
	}
	return s.update(ctx, func(t authcore.Tx) error {
		now, err := t.Ring()
		if err != nil && !errors.Is(err, authcore.ErrNotFound) {
			return err
		}
		if !bytes.Equal(now, ring) {
			return fmt.Errorf("%w: another node has replaced the key ring meanwhile", authcore.ErrUnavailable)
		}
		t.PutRing(replace)
		t.Announce(authcore.Event{Ring: true})
		return nil
	}, modeFreeze) // a frozen store must start, too
}

// ring reads the wrapped ring, nil if there is none yet.
func (s *Store) ring(ctx context.Context) (ring []byte, err error) {
	err = s.view(ctx, func(t authcore.Tx) (err error) {
		ring, err = t.Ring()
		return err
	}, modeRead)
	if errors.Is(err, authcore.ErrNotFound) {
		return nil, nil
	}
	return ring, err
}
