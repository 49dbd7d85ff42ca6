package caddymodule

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/token"
)

// ringStore is a store module and its store, which holds a key ring and nothing
// else.
type ringStore struct {
	authcore.Store
	key string

	mu    sync.Mutex
	away  bool
	block func() // before each answer, if not nil
	ring  []byte
	opens int
}

func (s *ringStore) Key() string { return s.key }

func (s *ringStore) Open(_ context.Context, vault authcore.Vault, _ *zap.Logger) (authcore.Store, error) {
	if err := s.answer(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ring, err := vault.Unlock(s.ring)
	if err != nil {
		return nil, err
	}
	if ring != nil {
		s.ring = ring
	}
	s.opens++
	return s, nil
}

// answer waits while the store is blocked, and fails while it is away.
func (s *ringStore) answer() error {
	s.mu.Lock()
	block := s.block
	s.mu.Unlock()
	if block != nil {
		block()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return authcore.ErrUnavailable
	}
	return nil
}

func (s *ringStore) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *ringStore) setBlock(block func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.block = block
}

func (s *ringStore) View(ctx context.Context, fn func(authcore.Tx) error) error {
	return s.Update(ctx, fn)
}

func (s *ringStore) Update(_ context.Context, fn func(authcore.Tx) error) error {
	if err := s.answer(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return fn(ringTx{store: s})
}

func (s *ringStore) Ping(context.Context) error { return s.answer() }

func (s *ringStore) Close() error { return nil }

// holds tells whether the stored ring is what keys ask for.
func (s *ringStore) holds(keys token.Config) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	due, err := token.Prepare(keys, s.ring)
	return err == nil && due == nil
}

type ringTx struct {
	authcore.Tx
	store *ringStore
}

func (t ringTx) Ring() ([]byte, error)      { return t.store.ring, nil }
func (t ringTx) PutRing(ring []byte)        { t.store.ring = ring }
func (t ringTx) Announce(...authcore.Event) {}

// outage is a store that goes away under one configuration, and the keys of the
// next.
type outage struct {
	t     *testing.T
	store *ringStore
	log   *zap.Logger
	lines *observer.ObservedLogs
	old   token.Config
	next  token.Config
}

func newOutage(t *testing.T) *outage {
	old := token.NewKEK()
	core, lines := observer.New(zapcore.InfoLevel)
	return &outage{
		t: t, store: &ringStore{key: "ring " + t.Name()}, log: zap.New(core), lines: lines,
		old:  token.Config{Current: old, Alg: token.ES256},
		next: token.Config{Current: token.NewKEK(), Previous: []token.KEK{old}, Alg: token.EdDSA},
	}
}

func (o *outage) hold(keys token.Config) *hold {
	o.t.Helper()
	h, err := holdStore(o.t.Context(), o.store, keys, o.log)
	if err != nil {
		o.t.Fatal(err)
	}
	return h
}

func (o *outage) release(h *hold) {
	o.t.Helper()
	if err := h.release(); err != nil {
		o.t.Fatal(err)
	}
}

// passes lets the time of so many tries pass.
func (o *outage) passes(tries int) {
	time.Sleep(time.Duration(tries)*retryEvery + time.Second)
	synctest.Wait()
}

// A reload while the store is away succeeds; once the store is back, its ring is
// what the new configuration asks for.
func TestKeysAfterReloadWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(t)
		old := o.hold(o.old)
		o.store.setAway(true)
		next := o.hold(o.next)
		o.release(old)
		o.passes(3)
		o.store.setAway(false)
		o.passes(1)
		if !o.store.holds(o.next) {
			t.Error("the store is back, and its ring is not what the configuration asks for")
		}
		o.passes(3)
		if n := o.lines.FilterMessage("key ring is taken over").Len(); n != 1 {
			t.Errorf("taken over %d times", n)
		}
		o.release(next)
	})
}

// As long as the former configuration is there, it may be gone back to: the keys
// that are added leave it able to open the ring.
func TestKeysBetweenTwoAfterOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(t)
		old := o.hold(o.old)
		o.store.setAway(true)
		refused := o.hold(o.next)
		o.store.setAway(false)
		o.passes(2)
		both := o.old
		both.Alg = o.next.Alg
		if !o.store.holds(both) {
			t.Error("the ring lacks what the new configuration signs with, or the former one's secret no longer opens it")
		}
		o.store.setAway(true)
		o.release(refused)
		o.store.setAway(false)
		o.passes(1)
		node, err := old.node()
		if err != nil {
			t.Fatal(err)
		}
		if err := node.CheckKeys(t.Context(), o.old); err != nil {
			t.Errorf("after a refused reload: %v", err)
		}
		if old.on.inForce != old {
			t.Error("after a refused reload the store does not go by the former keys again")
		}
		o.release(old)
	})
}

// A configuration that leaves while the store is away leaves the keys of the one
// that stays to be taken over later.
func TestKeysAfterReleaseWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(t)
		old := o.hold(o.old)
		next := o.hold(o.next)
		o.store.setAway(true)
		o.release(old)
		o.store.setAway(false)
		o.passes(1)
		if !o.store.holds(o.next) {
			t.Error("the store is back, and its ring is not what the configuration asks for")
		}
		o.release(next)
	})
}

// A wrong secret that is found when the store is back is an operator's matter. It
// is told once, and the next configuration mends it.
func TestWrongSecretAfterReloadWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(t)
		old := o.hold(o.old)
		o.store.setAway(true)
		wrong := o.hold(token.Config{Current: token.NewKEK(), Alg: token.EdDSA})
		o.release(old)
		if n := o.lines.FilterMessage("store needs an operator").Len(); n != 0 {
			t.Errorf("told %d times while nobody can know", n)
		}
		o.store.setAway(false)
		o.passes(5)
		told := o.lines.FilterMessage("store needs an operator").All()
		if len(told) != 1 || told[0].Level != zapcore.ErrorLevel {
			t.Errorf("told %d times: %v", len(told), told)
		}
		if !o.store.holds(o.old) {
			t.Error("the ring has changed")
		}
		right := o.hold(o.next)
		o.release(wrong)
		if !o.store.holds(o.next) {
			t.Error("the right secret is not taken")
		}
		o.release(right)
	})
}

// A store that could not be opened is opened once when it is back, by the newest
// configuration.
func TestOpenAfterOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(t)
		o.store.setAway(true)
		old := o.hold(o.old)
		if _, err := old.node(); !errors.Is(err, authcore.ErrUnavailable) {
			t.Errorf("while it is away: %v", err)
		}
		next := o.hold(o.next)
		o.release(old)
		o.passes(2)
		o.store.setAway(false)
		o.passes(1)
		if _, err := next.node(); err != nil {
			t.Error(err)
		}
		if !o.store.holds(o.next) {
			t.Error("its ring is not what the configuration asks for")
		}
		o.passes(3)
		if o.store.opens != 1 {
			t.Errorf("opened %d times", o.store.opens)
		}
		if n := o.lines.FilterMessage("key ring is taken over").Len(); n != 0 {
			t.Errorf("taken over %d times", n)
		}
		o.release(next)
	})
}

// Requests ask for the node; a store that is slow to answer must not keep them
// from their 503.
func TestNodeDoesNotWait(t *testing.T) {
	for name, test := range map[string]struct {
		open bool
		slow func(o *outage, h *hold)
	}{
		"opening for a reload":  {false, func(o *outage, _ *hold) { o.release(o.hold(o.next)) }},
		"opening again":         {false, func(_ *outage, h *hold) { h.on.retry() }},
		"rekeying for a reload": {true, func(o *outage, _ *hold) { o.release(o.hold(o.next)) }},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutage(t)
			o.store.setAway(!test.open)
			h := o.hold(o.old)
			begun, end, ended := make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
			o.store.setBlock(func() {
				select {
				case begun <- struct{}{}:
				default:
				}
				<-end
			})
			go func() {
				defer close(ended)
				test.slow(o, h)
			}()
			<-begun
			asked := make(chan error)
			go func() {
				_, err := h.node()
				asked <- err
			}()
			var err error
			select {
			case err = <-asked:
				close(end)
			case <-time.After(5 * time.Second):
				t.Error("asking for the node waits for the store")
				close(end)
				err = <-asked
			}
			<-ended
			if (err == nil) != test.open {
				t.Errorf("the node: %v", err)
			}
			o.release(h)
		})
	}
}
