package pgstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/storetest"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// siege makes faults between a store and its database, at moments that it picks:
// never while a connection is made or a COMMIT is under way, because a call does
// not survive that, by design.
type siege struct {
	proxy *pgtest.Proxy
	on    atomic.Bool

	mu      sync.Mutex
	random  *rand.Rand
	making  int // connections
	setups  map[*pgx.Conn]bool
	commits map[*pgx.Conn]bool
	calls   map[int]bool // under way; true if they were at the last strike
	next    int
	faults  *atomic.Int64
}

func (s *siege) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.making++
	return ctx
}

func (s *siege) TraceConnectEnd(_ context.Context, data pgx.TraceConnectEndData) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data.Err != nil {
		s.making--
	}
}

func (s *siege) TraceBatchStart(ctx context.Context, c *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	queries := data.Batch.QueuedQueries
	switch {
	case queries[0].SQL == session[0]:
		s.setups[c] = true
	case queries[len(queries)-1].SQL == "COMMIT":
		s.commits[c] = true
	}
	return ctx
}

func (s *siege) TraceBatchEnd(_ context.Context, c *pgx.Conn, _ pgx.TraceBatchEndData) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.setups[c] {
		s.making--
	}
	delete(s.setups, c)
	delete(s.commits, c)
}

func (s *siege) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (s *siege) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (s *siege) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// refuse fails every third flight as the database does that prefers another
// transaction, among the first so many of 200: some views of the suite read a
// hundred times.
func (s *siege) refuse(among int) func() pgtest.Fault {
	flights := 0
	return func() pgtest.Fault {
		s.mu.Lock()
		defer s.mu.Unlock()
		flights++
		if !s.on.Load() || s.making > 0 || flights%200 > among || s.random.IntN(3) > 0 {
			return pgtest.Fault{}
		}
		s.faults.Add(1)
		return pgtest.Fault{Fail: []string{"40001", "40P01"}[s.random.IntN(2)]}
	}
}

// cut cuts the connection of every nth flight, but that of no call twice.
func (s *siege) cut(nth int) func() pgtest.Fault {
	return func() pgtest.Fault {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.on.Load() || s.making+len(s.commits) > 0 || s.random.IntN(nth) > 0 {
			return pgtest.Fault{}
		}
		for _, struck := range s.calls {
			if struck {
				return pgtest.Fault{}
			}
		}
		for call := range s.calls {
			s.calls[call] = true
		}
		s.faults.Add(1)
		before := s.random.IntN(2) == 0
		return pgtest.Fault{CutBefore: before, CutAfter: !before}
	}
}

// besieged is a store that tells the siege what is under way.
type besieged struct {
	*Store
	siege *siege
}

func (b besieged) enter() (leave func()) {
	s := b.siege
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	call := s.next
	s.calls[call] = false
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.calls, call)
	}
}

func (b besieged) View(ctx context.Context, fn func(authcore.Tx) error) error {
	defer b.enter()()
	return b.Store.View(ctx, fn)
}

func (b besieged) Update(ctx context.Context, fn func(authcore.Tx) error) error {
	defer b.enter()()
	return b.Store.Update(ctx, fn)
}

func (b besieged) UpdateVolatile(ctx context.Context, fn func(authcore.Tx) error) error {
	defer b.enter()()
	return b.Store.UpdateVolatile(ctx, fn)
}

func (b besieged) Ping(ctx context.Context) error {
	defer b.enter()()
	return b.Store.Ping(ctx)
}

func (b besieged) Freeze(ctx context.Context, frozen bool) error {
	defer b.enter()()
	return b.Store.Freeze(ctx, frozen)
}

// reopening is a fixture whose store is opened in some way.
func reopening(t *testing.T, open func(t *testing.T) authcore.Store) *storetest.Fixture {
	t.Helper()
	f := &storetest.Fixture{Store: open(t)}
	f.Reopen = func(t *testing.T) authcore.Store {
		t.Helper()
		if err := f.Store.Close(); err != nil {
			t.Fatalf("close the store: %v", err)
		}
		f.Store = open(t)
		return f.Store
	}
	return f
}

// testBesieged runs the suite; lay sets the faults of each store, of which there
// have to be some in all.
func testBesieged(t *testing.T, lay func(*siege)) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var faults atomic.Int64
	storetest.Run(t, func(t *testing.T) *storetest.Fixture {
		proxy, dsn := pgtest.Via(t, pgtest.Database(t))
		s := &siege{
			proxy: proxy, random: rand.New(rand.NewPCG(seed, 0)), faults: &faults,
			setups: make(map[*pgx.Conn]bool), commits: make(map[*pgx.Conn]bool), calls: make(map[int]bool),
		}
		lay(s)
		return reopening(t, func(t *testing.T) authcore.Store {
			s.on.Store(false)
			defer s.on.Store(true)
			return s.open(t, dsn)
		})
	})
	t.Logf("%d faults", faults.Load())
	if faults.Load() < 50 {
		t.Errorf("%d faults in the whole suite; want more", faults.Load())
	}
}

func (s *siege) open(t *testing.T, dsn string) authcore.Store {
	t.Helper()
	target, err := ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	target.cfg.ConnConfig.Tracer = s
	l := standard
	patient(&l)
	opened, err := openWithin(t.Context(), Config{
		Target: target, Vault: &testVault{}, Logger: zaptest.NewLogger(t, zaptest.Level(zap.FatalLevel)),
	}, l)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() { opened.Close() })
	return besieged{opened, s}
}

func TestStoreWithSerializationFailures(t *testing.T) {
	t.Parallel()
	testBesieged(t, func(s *siege) {
		s.proxy.OnRead(s.refuse(20))
		s.proxy.OnCommit(s.refuse(200))
	})
}

func TestStoreWithCutConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("long: the whole suite over connections that are cut")
	}
	t.Parallel()
	testBesieged(t, func(s *siege) { s.proxy.OnRead(s.cut(7)) })
}

func TestStoreWithSlowAnswers(t *testing.T) {
	if testing.Short() {
		t.Skip("long: the whole suite over a slow network")
	}
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *storetest.Fixture {
		proxy, dsn := pgtest.Via(t, pgtest.Database(t))
		f := reopening(t, func(t *testing.T) authcore.Store { return openWith(t, dsn, patient) })
		proxy.Slow(5 * time.Millisecond)
		return f
	})
}

// pair is two nodes' handles on one store, which take turns.
type pair struct {
	handles [2]*Store
	calls   atomic.Uint64
}

func (p *pair) turn() *Store { return p.handles[p.calls.Add(1)%2] }

func (p *pair) View(ctx context.Context, fn func(authcore.Tx) error) error {
	return p.turn().View(ctx, fn)
}

func (p *pair) Update(ctx context.Context, fn func(authcore.Tx) error) error {
	return p.turn().Update(ctx, fn)
}

func (p *pair) UpdateVolatile(ctx context.Context, fn func(authcore.Tx) error) error {
	return p.turn().UpdateVolatile(ctx, fn)
}

func (p *pair) Ping(ctx context.Context) error { return p.turn().Ping(ctx) }

// Writable is asked of a handle that listens, as every node's does.
func (p *pair) Writable() error {
	s := p.turn()
	if _, _, err := s.Poll(context.Background()); err != nil {
		return err
	}
	return s.Writable()
}

func (p *pair) Freeze(ctx context.Context, frozen bool) error { return p.turn().Freeze(ctx, frozen) }

func (p *pair) Close() error { return errors.Join(p.handles[0].Close(), p.handles[1].Close()) }

// suitePersonal is what the suite's records hold of people.
var suitePersonal = []string{
	"显示名", "name-", "OPENID", "UNIONID", "昵称", "+86-15201657321", "a@example.com", "agent", "192.0.2.1", "gold",
}

func TestStoreWithTwoHandles(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *storetest.Fixture {
		dsn := pgtest.Database(t)
		f := reopening(t, func(t *testing.T) authcore.Store {
			return &pair{handles: [2]*Store{openWith(t, dsn, patient), openWith(t, dsn, patient)}}
		})
		t.Cleanup(func() { wantNothingOf(t, dsn, suitePersonal) })
		return f
	})
}
