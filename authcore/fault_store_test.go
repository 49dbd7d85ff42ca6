package authcore_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/qqauth/qqauth/authcore"
)

// faultStore is a store that counts, and fails or waits where a test wants it.
type faultStore struct {
	authcore.Store
	views, updates, volatiles atomic.Int64

	fault     atomic.Pointer[error]  // what every call answers
	unfit     atomic.Pointer[error]  // what Writable answers
	forgetful atomic.Bool            // Sessions lists none
	viewed    atomic.Pointer[func()] // runs after a View has read, before it returns
	twice     atomic.Bool            // Update runs its function, forgets what it wrote and runs it again
	undone    atomic.Bool            // Update forgets what its function wrote, and is unavailable
	trip      atomic.Pointer[int64]  // which read of each transaction from now on is unavailable
}

// fail makes every call answer err until it is given nil.
func (s *faultStore) fail(err error) { s.fault.Store(orNone(err)) }

// refuseWrites makes Writable answer err.
func (s *faultStore) refuseWrites(err error) { s.unfit.Store(orNone(err)) }

func orNone(err error) *error {
	if err == nil {
		return nil
	}
	return &err
}

// afterView runs fn after each View has read; nil ends that.
func (s *faultStore) afterView(fn func()) {
	if fn == nil {
		s.viewed.Store(nil)
		return
	}
	s.viewed.Store(&fn)
}

// calls is how often a store was asked.
type calls struct{ views, updates, volatiles int64 }

// takeCalls returns the calls since it was last asked.
func (s *faultStore) takeCalls() calls {
	return calls{s.views.Swap(0), s.updates.Swap(0), s.volatiles.Swap(0)}
}

func (s *faultStore) View(ctx context.Context, fn func(authcore.Tx) error) error {
	defer s.views.Add(1)
	if err := s.fault.Load(); err != nil {
		return *err
	}
	err := s.Store.View(ctx, s.tripping(fn))
	if viewed := s.viewed.Load(); viewed != nil {
		(*viewed)()
	}
	return err
}

func (s *faultStore) Update(ctx context.Context, fn func(authcore.Tx) error) error {
	s.updates.Add(1)
	if err := s.fault.Load(); err != nil {
		return *err
	}
	if s.forgetful.Load() {
		return s.Store.Update(ctx, func(tx authcore.Tx) error { return fn(forgetfulTx{tx}) })
	}
	if s.twice.Load() {
		if err := s.forget(ctx, fn); err != nil {
			return err
		}
	}
	if s.undone.Load() {
		if err := s.forget(ctx, fn); err != nil {
			return err
		}
		return authcore.ErrUnavailable
	}
	return s.Store.Update(ctx, s.tripping(fn))
}

// errForgotten ends a transaction that must leave nothing behind.
var errForgotten = errors.New("forgotten")

// forget runs a function and takes back what it wrote.
func (s *faultStore) forget(ctx context.Context, fn func(authcore.Tx) error) error {
	err := s.Store.Update(ctx, func(tx authcore.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return errForgotten
	})
	if errors.Is(err, errForgotten) {
		return nil
	}
	return err
}

func (s *faultStore) UpdateVolatile(ctx context.Context, fn func(authcore.Tx) error) error {
	s.volatiles.Add(1)
	if err := s.fault.Load(); err != nil {
		return *err
	}
	return s.Store.UpdateVolatile(ctx, s.tripping(fn))
}

func (s *faultStore) Ping(ctx context.Context) error {
	if err := s.fault.Load(); err != nil {
		return *err
	}
	return s.Store.Ping(ctx)
}

func (s *faultStore) Writable() error {
	if err := s.unfit.Load(); err != nil {
		return *err
	}
	return s.Store.Writable()
}

// forgetfulTx has lost the lists of sessions.
type forgetfulTx struct{ authcore.Tx }

func (forgetfulTx) Sessions(authcore.UserID) ([]authcore.SessionRef, error) { return nil, nil }

var _ authcore.Store = (*faultStore)(nil)
