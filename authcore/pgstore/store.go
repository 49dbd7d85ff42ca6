package pgstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
)

// retryFor is how long a transaction that the database keeps refusing because of
// others is tried again.
const retryFor = 5 * time.Second

// Config says where a store is. Target and Vault are required.
type Config struct {
	// Target is the database.
	Target Target
	// Vault opens the key ring and seals what is personal. It must be good for
	// one store only.
	Vault authcore.Vault
	// Logger takes what an operator should know; nil discards it.
	Logger *zap.Logger
}

// Store is an [authcore.Store] in a database. It is safe for concurrent use, and
// any number of them, in any number of processes, may share the database.
type Store struct {
	vault  authcore.Vault
	log    *zap.Logger
	limits limits

	// Each has connections of its own: logins cannot use up the guards', nor
	// the reverse, and neither keeps a node from hearing.
	reads, writes, feeds pool
	contended            chan struct{} // holds the right to try again

	gate sync.RWMutex // held shared by every call, exclusively to close
	stop context.CancelFunc
	work sync.WaitGroup
	shut sync.Once

	feed   feed
	away   atomic.Bool // the database did not answer the last Poll
	frozen atomic.Bool // as of the start, the last Poll or an Update

	refusals atomic.Uint64
}

// Stats is what a store tells about itself.
type Stats struct {
	Refusals uint64 // transactions since Open that the database made run again
}

// Stats tells how the store does.
func (s *Store) Stats() Stats { return Stats{Refusals: s.refusals.Load()} }

// Open opens the store and, if it is new, makes its tables and its key ring. Its
// error wraps the vault's ErrWrongSecret if the secret is wrong, and
// ErrUnavailable if it may be tried again; any other is a fault of configuration.
func Open(ctx context.Context, cfg Config) (*Store, error) { return openWithin(ctx, cfg, standard) }

func openWithin(ctx context.Context, cfg Config, l limits) (*Store, error) {
	if cfg.Vault == nil {
		return nil, errors.New("postgresql store: no vault given")
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	s := &Store{vault: cfg.Vault, log: cfg.Logger, limits: l, contended: make(chan struct{}, 1)}
	size := max(cfg.Target.poolConfig().MaxConns, 4) // opening takes three at once
	for _, p := range []struct {
		pool *pool
		size int32
	}{{&s.reads, size}, {&s.writes, size}, {&s.feeds, 3}} {
		var err error
		if *p.pool, err = newPool(cfg.Target, p.size, l.call); err != nil {
			s.closePools()
			return nil, fmt.Errorf("postgresql store: %w", err)
		}
	}
	if err := s.begin(ctx); err != nil {
		s.closePools()
		return nil, err
	}
	s.feed.sent = time.Now()
	s.reads.open, s.writes.open, s.feeds.open = true, true, true
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.work.Go(func() { s.sweep(background) })
	s.work.Go(func() { s.settle(background) })
	return s, nil
}

// View implements [authcore.Store]. A function that reads once costs one round
// trip and no transaction; one that reads again is run again in one.
func (s *Store) View(ctx context.Context, fn func(authcore.Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.RUnlock()
	err := s.view(ctx, fn, modeRead)
	if errors.Is(err, errReadsMore) {
		err = s.view(ctx, fn, modeSnapshot)
	}
	return err
}

// view runs fn, once more if the connection turns out to be dead, and while the
// database refuses it because of others.
func (s *Store) view(ctx context.Context, fn func(authcore.Tx) error, m mode) error {
	until, renewed := time.Now().Add(s.limits.retry), false
	for try := 1; ; try++ {
		t, err := s.look(ctx, fn, m)
		switch {
		case t == nil || t.fault == nil || errors.Is(t.fault, errReadsMore):
			return err
		case t.verdict == again && time.Now().Before(until):
			time.Sleep(backoff(try))
		case t.verdict == lost && !renewed:
			renewed = true
			s.reads.Reset()
		default:
			return err
		}
	}
}

// look runs fn once. Without a connection there is no transaction.
func (s *Store) look(ctx context.Context, fn func(authcore.Tx) error, m mode) (*tx, error) {
	c, err := s.reads.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Release()
	t := &tx{store: s, conn: c, mode: m}
	err = s.call(t, fn)
	if c.inTransaction() {
		t.end("ROLLBACK")
	}
	return t, err
}

// Update implements [authcore.Store].
func (s *Store) Update(ctx context.Context, fn func(authcore.Tx) error) error {
	return s.update(ctx, fn, modeDurable)
}

// UpdateVolatile implements [authcore.Store]. The write does not wait for the
// disk, nor for a standby.
func (s *Store) UpdateVolatile(ctx context.Context, fn func(authcore.Tx) error) error {
	return s.update(ctx, fn, modeVolatile)
}

// update runs a transaction until the database takes it. Those that it refused
// once go one after the other, so that a crowd around one record gets through.
func (s *Store) update(ctx context.Context, fn func(authcore.Tx) error, m mode) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.RUnlock()
	out := s.attempt(ctx, fn, m)
	if out.more == 0 {
		return out.err
	}
	until := time.Now().Add(s.limits.retry)
	if err := s.contend(ctx, until); err != nil {
		return err
	}
	defer func() { <-s.contended }()
	var tried [verdicts]int
	for try := 1; tried[out.why] < out.more && time.Now().Before(until); try++ {
		tried[out.why]++
		time.Sleep(backoff(try))
		out = s.attempt(ctx, fn, m)
	}
	return out.err
}

// contend waits for the right to try again.
func (s *Store) contend(ctx context.Context, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case s.contended <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("%w: too many transactions are in each other's way", authcore.ErrUnavailable)
	}
}

// backoff is how long to wait before a try: other nodes may be in the way, too.
func backoff(try int) time.Duration {
	most := time.Millisecond << min(try, 6)
	return rand.N(most)
}

// outcome is what became of one try. err is the answer if it is not tried again;
// for the reason why that makes sense up to so many more times.
type outcome struct {
	err  error
	why  verdict
	more int
}

// attempt runs a transaction once.
func (s *Store) attempt(ctx context.Context, fn func(authcore.Tx) error, m mode) outcome {
	c, err := s.writes.acquire(ctx)
	if err != nil {
		return outcome{err: err}
	}
	defer c.Release()
	t := &tx{store: s, conn: c, mode: m}
	err = s.call(t, fn)
	if t.fault == nil {
		err = t.finish(err)
	}
	if c.inTransaction() {
		t.end("ROLLBACK")
	}
	return t.outcome(err)
}

// Ping implements [authcore.Store].
func (s *Store) Ping(ctx context.Context) error {
	return s.View(ctx, func(t authcore.Tx) error { return t.(*tx).read(readFrozen(new(bool))) })
}

// Writable implements [authcore.Store], by what the last Poll found.
func (s *Store) Writable() error {
	if err := s.enter(context.Background()); err != nil {
		return err
	}
	defer s.gate.RUnlock()
	if s.frozen.Load() {
		return authcore.ErrFrozen
	}
	return nil
}

// Freeze implements [authcore.Store].
func (s *Store) Freeze(ctx context.Context, frozen bool) error {
	err := s.update(ctx, func(t authcore.Tx) error {
		t.(*tx).write("UPDATE qqauth_store SET frozen = $1 WHERE id = 1", frozen)
		return nil
	}, modeFreeze)
	if err != nil {
		return err
	}
	s.frozen.Store(frozen)
	if frozen {
		return s.fence(ctx)
	}
	return nil
}

// fence sees to it that no Update commits any more which found the store open. It
// reads all that an Update may write: one of the two then has no place in an
// order of transactions in which the store was closed between the other's
// reading and writing, and the database refuses it.
func (s *Store) fence(ctx context.Context) error {
	flight := []statement{{sql: "BEGIN ISOLATION LEVEL SERIALIZABLE"}}
	for _, table := range tables {
		flight = append(flight, statement{sql: "SELECT count(*) FROM " + table, scan: func(pgx.Rows) error { return nil }})
	}
	flight = append(flight, statement{sql: "COMMIT"})
	for try := 1; ; try++ {
		c, err := s.writes.acquire(ctx)
		if err != nil {
			return err
		}
		if err = c.fly(changeLimit, flight...); err != nil && c.inTransaction() {
			(&tx{store: s, conn: c}).end("ROLLBACK")
		}
		c.Release()
		if err == nil {
			return nil
		}
		if judge(err) != again || try == 100 || ctx.Err() != nil {
			return fault("wait for the updates that had begun", err)
		}
		time.Sleep(backoff(try))
	}
}

// Close implements [authcore.Store].
func (s *Store) Close() error {
	s.shut.Do(func() {
		s.gate.Lock() // for ever
		s.stop()
		s.work.Wait()
		s.closePools()
	})
	return nil
}

func (s *Store) closePools() {
	for _, p := range []pool{s.reads, s.writes, s.feeds} {
		if p.Pool != nil {
			p.Close()
		}
	}
}

// enter lets a call in, unless the store is closing or the database is known to
// be away: whoever asks then is better told at once.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.away.Load() {
		return fmt.Errorf("%w: postgresql does not answer", authcore.ErrUnavailable)
	}
	if !s.gate.TryRLock() {
		return fmt.Errorf("%w: closed", authcore.ErrUnavailable)
	}
	return nil
}

var (
	_ authcore.Store = (*Store)(nil)
	_ authcore.Feed  = (*Store)(nil)
)
