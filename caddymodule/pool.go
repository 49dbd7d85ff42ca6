package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/token"
)

// stores are the open stores of this process, by key. A reload takes the new
// configuration's hold before it lets the old one's go, so the store, its cache
// and its live requests stay.
var stores = caddy.NewUsagePool()

// retryEvery is how often a store that could not be opened is tried again.
const retryEvery = 5 * time.Second

// drainWithin bounds how long a store that nobody holds any more waits for the
// requests that still use it.
const drainWithin = 10 * time.Second

// pooled is one store of this process: open, or waiting to be.
type pooled struct {
	key   string
	store Store
	log   *zap.Logger

	mu       sync.Mutex
	holds    []*hold // the newest last
	inForce  *hold   // whose keys the open store goes by; nil while between two
	open     *authcore.Node
	err      error // why it is not open
	retrying bool
	stop     chan struct{} // closed when nobody holds it any more
}

// hold is one configuration's share in a store.
type hold struct {
	on   *pooled
	keys token.Config
}

// holdStore joins the store of a key, or opens it. The error is a fault of
// configuration.
func holdStore(ctx context.Context, store Store, keys token.Config, log *zap.Logger) (*hold, error) {
	value, _, err := stores.LoadOrNew(store.Key(), func() (caddy.Destructor, error) {
		return &pooled{
			key: store.Key(), store: store, log: log, stop: make(chan struct{}),
			err: fmt.Errorf("%w: not open yet", authcore.ErrUnavailable),
		}, nil
	})
	if err != nil {
		return nil, err
	}
	p := value.(*pooled)
	h := &hold{on: p, keys: keys}
	if err := p.join(ctx, h); err != nil {
		return nil, errors.Join(err, h.release())
	}
	return h, nil
}

// join adds a configuration.
func (p *pooled) join(ctx context.Context, h *hold) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = append(p.holds, h)
	if p.open != nil {
		return p.admit(ctx, h)
	}
	err := p.tryOpen(ctx, h)
	if err == nil || !errors.Is(err, authcore.ErrUnavailable) {
		return err
	}
	p.err = err
	p.retryLater()
	return nil
}

// tryOpen opens the store under a configuration's keys.
func (p *pooled) tryOpen(ctx context.Context, h *hold) error {
	vault := token.NewKeys(h.keys)
	store, err := p.store.Open(ctx, vault, p.log)
	if errors.Is(err, token.ErrCorrupt) {
		return fmt.Errorf("%w: %w", authcore.ErrDamaged, err) // a fault of state
	}
	if err != nil {
		return err
	}
	p.open, p.err, p.inForce = authcore.NewNode(authcore.NodeConfig{
		Store: store, Keys: vault,
		OnFault: func(err error) { p.log.Error("background fault", zap.Error(err)) },
	}), nil, h
	return nil
}

// admit makes the open store fit for one more configuration, without taking
// anything from the one that is in force: Caddy may yet refuse the new one and
// go on with the old.
func (p *pooled) admit(ctx context.Context, h *hold) error {
	both := h.keys
	if p.inForce != nil {
		both.Current, both.Previous = p.inForce.keys.Current, p.inForce.keys.Previous
		both.Keep = max(both.Keep, p.inForce.keys.Keep)
	}
	err := p.open.CheckKeys(ctx, h.keys)
	if err == nil {
		err = p.open.Rekey(ctx, both)
	}
	if errors.Is(err, authcore.ErrUnavailable) {
		p.log.Error("key ring stays as it is", zap.Error(err))
		return nil
	}
	p.inForce = nil
	return err
}

// release gives a configuration's share back. What it changed for itself alone
// goes with it: the store goes by the keys of the newest one that is left.
func (h *hold) release() error {
	p := h.on
	p.mu.Lock()
	p.holds = slices.DeleteFunc(p.holds, func(other *hold) bool { return other == h })
	if n := len(p.holds); n > 0 && p.open != nil && p.inForce != p.holds[n-1] {
		ctx, cancel := context.WithTimeout(context.Background(), retryEvery)
		if err := p.open.Rekey(ctx, p.holds[n-1].keys); err != nil {
			p.log.Error("key ring stays as it is", zap.Error(err))
		} else {
			p.inForce = p.holds[n-1]
		}
		cancel()
	}
	p.mu.Unlock()
	_, err := stores.Delete(p.key)
	return err
}

// retryLater tries again to open the store, unless it needs an operator.
func (p *pooled) retryLater() {
	if p.retrying || errors.Is(p.err, authcore.ErrDamaged) {
		return
	}
	p.retrying = true
	go func() {
		ticker := time.NewTicker(retryEvery)
		defer ticker.Stop()
		for again := true; again; {
			select {
			case <-p.stop:
				return
			case <-ticker.C:
				again = p.retry()
			}
		}
	}()
}

// retry tries once and reports whether to go on. A wrong secret that is found
// only now stays a 503, until a configuration brings another.
func (p *pooled) retry() (again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open != nil || len(p.holds) == 0 {
		p.retrying = false
		return false
	}
	err := p.tryOpen(context.Background(), p.holds[len(p.holds)-1])
	if err == nil {
		p.log.Info("store is open")
		p.retrying = false
		return false
	}
	p.err = err
	if !errors.Is(err, authcore.ErrUnavailable) {
		p.err = fmt.Errorf("%w: %w", authcore.ErrUnavailable, err)
	}
	if errors.Is(err, authcore.ErrDamaged) || errors.Is(err, authcore.ErrWrongSecret) {
		p.log.Error("store needs an operator", zap.Error(err))
		p.retrying = false
	}
	return p.retrying
}

// node returns the store's node, or why there is none.
func (h *hold) node() (*authcore.Node, error) {
	h.on.mu.Lock()
	defer h.on.mu.Unlock()
	if h.on.open == nil {
		return nil, h.on.err
	}
	return h.on.open, nil
}

// Destruct closes the store when nobody holds it any more. Calls that have begun
// are waited for; later ones are answered 503.
func (p *pooled) Destruct() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.stop)
	if p.open == nil {
		return nil
	}
	p.open.Drain(drainWithin)
	return p.open.Close()
}

var _ caddy.Destructor = (*pooled)(nil)
