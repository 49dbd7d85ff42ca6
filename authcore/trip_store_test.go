package authcore_test

import (
	"fmt"

	"github.com/qqauth/qqauth/authcore"
)

// tripAt makes the given read of every transaction unavailable, the first being
// 0; below that, all succeed.
func (s *faultStore) tripAt(read int64) {
	if read < 0 {
		s.trip.Store(nil)
		return
	}
	s.trip.Store(&read)
}

func (s *faultStore) tripping(fn func(authcore.Tx) error) func(authcore.Tx) error {
	at := s.trip.Load()
	if at == nil {
		return fn
	}
	return func(tx authcore.Tx) error {
		left := *at
		return fn(&trippingTx{tx, &left})
	}
}

// trippingTx is a transaction one read of which fails.
type trippingTx struct {
	authcore.Tx
	left *int64
}

// tripped reads, unless this is the read that fails.
func tripped[K, V any](t *trippingTx, read func(K) (V, error), key K) (V, error) {
	if *t.left--; *t.left == -1 {
		var zero V
		return zero, fmt.Errorf("%w: the read failed", authcore.ErrUnavailable)
	}
	return read(key)
}

func (t *trippingTx) Login(q authcore.LoginQuery) (authcore.LoginRecord, error) {
	return tripped(t, t.Tx.Login, q)
}

func (t *trippingTx) Sessions(id authcore.UserID) ([]authcore.SessionRef, error) {
	return tripped(t, t.Tx.Sessions, id)
}

func (t *trippingTx) User(id authcore.UserID) (authcore.User, error) {
	return tripped(t, t.Tx.User, id)
}

func (t *trippingTx) Union(h authcore.UnionHash) ([]authcore.UnionMember, error) {
	return tripped(t, t.Tx.Union, h)
}

func (t *trippingTx) Pending(id authcore.PendingID) (authcore.Pending, error) {
	return tripped(t, t.Tx.Pending, id)
}

func (t *trippingTx) Pendings(h authcore.IdentityHash) ([]authcore.PendingRef, error) {
	return tripped(t, t.Tx.Pendings, h)
}

func (t *trippingTx) PendingsOf(id authcore.UserID) ([]authcore.PendingRef, error) {
	return tripped(t, t.Tx.PendingsOf, id)
}

func (t *trippingTx) Waiting(client authcore.ClientID, device authcore.DeviceHash) ([]authcore.PendingRef, error) {
	return tripped(t, func(d authcore.DeviceHash) ([]authcore.PendingRef, error) { return t.Tx.Waiting(client, d) }, device)
}

func (t *trippingTx) UserByHandle(h authcore.HandleHash) (authcore.User, error) {
	return tripped(t, t.Tx.UserByHandle, h)
}

func (t *trippingTx) Code(h authcore.CodeHash) (authcore.Code, error) {
	return tripped(t, t.Tx.Code, h)
}

func (t *trippingTx) Captcha(h authcore.TokenHash) (authcore.Captcha, error) {
	return tripped(t, t.Tx.Captcha, h)
}

func (t *trippingTx) Counters(keys ...authcore.CounterHash) ([]authcore.Counter, error) {
	return tripped(t, func(keys []authcore.CounterHash) ([]authcore.Counter, error) { return t.Tx.Counters(keys...) }, keys)
}
