package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

const (
	// sweepEvery is how often expired rows are removed, by whichever node comes
	// first.
	sweepEvery = time.Minute
	// sweepRows is how many go at once, so that no one waits for it.
	sweepRows = 500
)

// sweeps are the tables with rows that end. The core decides by the records when
// something has expired, by a clock that may be an hour off; what has been so for
// two is of use to nobody. Announcements are looked at for seconds, but for those of
// which somebody is in doubt.
var sweeps = []struct{ table, key, column, after string }{
	{"qqauth_sessions", "id", "expires", "2 hours"},
	{"qqauth_retired_tokens", "token", "expires", "2 hours"},
	{"qqauth_tickets", "token", "expires", "2 hours"},
	{"qqauth_pendings", "id", "expires", "2 hours"},
	{"qqauth_codes", "code", "expires", "2 hours"},
	{"qqauth_captchas", "token", "expires", "2 hours"},
	{"qqauth_counters", "counter", "expires", "2 hours"},
	{"qqauth_access_tokens", "access", "expires", "2 hours"},
	{"qqauth_events", "id", "at", "2 hours"},
}

// sweep removes what has expired until ctx ends.
func (s *Store) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.away.Load() {
				continue
			}
			if err := s.sweepOnce(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("expired rows stay for now", zap.Error(err))
			}
		}
	}
}

// sweepOnce sweeps if it is due and no other node does.
func (s *Store) sweepOnce(ctx context.Context) error {
	mine, err := s.count(ctx, "UPDATE qqauth_sweeps SET due = now() + INTERVAL '1 minute' WHERE id = 1 AND (due <= now() OR due > now() + INTERVAL '2 minutes') RETURNING id")
	if err != nil || mine == 0 {
		return err
	}
	for _, t := range sweeps {
		for n := sweepRows; n == sweepRows && ctx.Err() == nil; {
			n, err = s.count(ctx, fmt.Sprintf(`DELETE FROM %[1]s WHERE %[2]s IN
				(SELECT %[2]s FROM %[1]s WHERE %[3]s < now() - INTERVAL '%[4]s' ORDER BY %[3]s LIMIT %[5]d) RETURNING 1`,
				t.table, t.key, t.column, t.after, sweepRows))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// count runs a statement by itself and counts the rows it returns.
func (s *Store) count(ctx context.Context, sql string) (n int, err error) {
	c, err := s.feeds.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Release()
	err = c.fly(s.limits.call, statement{sql: sql, scan: func(pgx.Rows) error { n++; return nil }})
	if err != nil {
		return 0, fault("sweep", err)
	}
	return n, nil
}
