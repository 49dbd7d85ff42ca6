package pgstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/qqauth/qqauth/authcore"
)

const (
	// commitLimit is how long a COMMIT may take: it may wait for a standby.
	commitLimit = 15 * time.Second
	// callLimit is how long anything else that is asked of the database may
	// take, a connection included.
	callLimit = 3 * time.Second
)

// limits bound how long a store waits, and how late what it hears may be.
type limits struct {
	commit, call, retry      time.Duration
	announce, window, maxGap time.Duration
}

// standard are the limits of every store but those of tests.
var standard = limits{
	commit: commitLimit, call: callLimit, retry: retryFor,
	announce: announceWithin, window: window, maxGap: maxGap,
}

// session is what every connection is set to. A scan of a whole table would make
// every transaction conflict with every other; a timeout that fires in a COMMIT
// cancels it; and an acknowledged write is one that survives, whatever the
// database's own defaults say.
var session = []string{
	"SET enable_seqscan = off",
	"SET statement_timeout = 0",
	"SET idle_in_transaction_session_timeout = 15000",
	"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
	`SELECT set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
		THEN 'on' ELSE current_setting('synchronous_commit') END, FALSE)`,
}

// pool is connections for one purpose, which others cannot use up.
type pool struct {
	*pgxpool.Pool
	limit time.Duration // to get a connection
	open  bool          // the store is: what is refused from now on may pass
}

// newPool makes a pool of up to size connections. It connects to nothing yet.
func newPool(t Target, size int32, limit time.Duration) (pool, error) {
	cfg := t.poolConfig()
	cfg.MaxConns = size
	// A connection that has died shows at its first use; what it was used for
	// then goes over another.
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		keepSocket(&c.Config)
		return nil
	}
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		var b pgx.Batch
		for _, sql := range session {
			b.Queue(sql)
		}
		return c.SendBatch(ctx, &b).Close()
	}
	p, err := pgxpool.NewWithConfig(context.Background(), cfg)
	return pool{Pool: p, limit: limit}, err
}

var errNoCancel = errors.New("requests to cancel are not sent")

// connecting marks the contexts in which connections are made.
type connecting struct{}

// keepSocket makes a connection out of c hand its socket on, and never send a
// request to cancel: for that pgx dials once more, in a context of its own.
func keepSocket(c *pgconn.Config) {
	dial := c.DialFunc
	var socket net.Conn // of the host tried last, which is the one that is taken
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if ctx.Value(connecting{}) == nil {
			return nil, errNoCancel
		}
		conn, err := dial(ctx, network, addr)
		socket = conn
		return conn, err
	}
	c.AfterConnect = func(_ context.Context, pg *pgconn.PgConn) error {
		pg.CustomData()[socketKey] = socket
		return nil
	}
}

const socketKey = "qqauth socket"

// conn is a connection while somebody uses it.
type conn struct {
	*pgxpool.Conn
	socket net.Conn
}

// acquire takes a connection, or makes one.
func (p pool) acquire(ctx context.Context) (*conn, error) {
	limited, cancel := context.WithTimeout(context.WithValue(ctx, connecting{}, true), p.limit)
	defer cancel()
	c, err := p.Acquire(limited)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		if err = connectFault(err, p.limit); p.open && !errors.Is(err, authcore.ErrUnavailable) {
			err = fmt.Errorf("%w: %w", authcore.ErrUnavailable, err)
		}
		return nil, err
	}
	return &conn{c, c.Conn().PgConn().CustomData()[socketKey].(net.Conn)}, nil
}

// drop ends the connection without another word to the server, which will notice
// in its own time.
func (c *conn) drop() { _ = c.socket.Close() }

// inTransaction reports whether a connection that lives was left in a transaction,
// if only in one that has failed.
func (c *conn) inTransaction() bool {
	pg := c.Conn.Conn().PgConn()
	return !pg.IsClosed() && pg.TxStatus() != 'I'
}

// statement is one SQL statement of a flight. scan takes its rows; nil means that
// it has none.
type statement struct {
	sql  string
	args []any
	scan func(pgx.Rows) error
}

var errLate = errors.New("no answer in time")

// fly sends statements in one round trip and takes what comes back. Past the
// limit the connection is dropped; no caller can end it earlier, because nobody
// would know what the server then does.
func (c *conn) fly(limit time.Duration, flight ...statement) error {
	var b pgx.Batch
	for _, s := range flight {
		b.Queue(s.sql, s.args...)
	}
	deadline := time.AfterFunc(limit, c.drop)
	defer deadline.Stop()
	results := c.SendBatch(context.Background(), &b)
	var failed error
	for _, s := range flight {
		if failed = take(results, s); failed != nil {
			break
		}
	}
	err := errors.Join(failed, results.Close())
	if err != nil && !deadline.Stop() {
		return errLate
	}
	return err
}

func take(results pgx.BatchResults, s statement) error {
	if s.scan == nil {
		_, err := results.Exec()
		return err
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := s.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// connectFault says why there is no connection. A wrong password, and a database
// that does not exist, are the operator's to mend; anything else may pass.
func connectFault(err error, limit time.Duration) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch class(refused) {
		case "28", "3D", "3F", "42":
			return fmt.Errorf("postgresql refuses the connection: %s (%s)", refused.Message, refused.Code)
		}
		return fmt.Errorf("%w: postgresql refuses the connection: %s (%s)", authcore.ErrUnavailable, refused.Message, refused.Code)
	}
	// Not the driver's own words, which tell the whole way there.
	var network *net.OpError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name):
		err = name
	case errors.As(err, &network):
		err = network
	case errors.As(err, &certificate):
		err = certificate
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("none is free, or made, within %v", limit)
	default:
		err = errors.New("no server there takes writes")
	}
	return fmt.Errorf("%w: connect to postgresql: %w", authcore.ErrUnavailable, err)
}
