package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
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

// retryEvery is how often a store is tried again that could not be opened, or
// that could not take the newest configuration's keys.
const retryEvery = 5 * time.Second

// drainWithin bounds how long a store that nobody holds any more waits for the
// requests that still use it.
const drainWithin = 10 * time.Second

// pooled is one store of this process: open, or waiting to be.
type pooled struct {
	key   string
	store Store
	log   *zap.Logger
	now   atomic.Pointer[answer] // changes under mu
	stop  chan struct{}          // closed when nobody holds it any more

	mu      sync.Mutex // held while the store is opened or rekeyed, which takes long
	holds   []*hold    // the newest last
	inForce *hold      // whose keys the open store goes by; nobody's while between two
	due     bool       // opening or rekeying is to be tried again
	retries sync.Once
}

// answer is what holders get who ask for the node. They do not wait for one.
type answer struct {
	node *authcore.Node
	err  error // why there is none
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
		p := &pooled{key: store.Key(), store: store, log: log, stop: make(chan struct{})}
		p.now.Store(&answer{err: fmt.Errorf("%w: not open yet", authcore.ErrUnavailable)})
		return p, nil
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

// join adds a configuration. The error is a fault of it.
func (p *pooled) join(ctx context.Context, h *hold) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = append(p.holds, h)
	if p.now.Load().node != nil {
		err := p.rekey(ctx)
		if errors.Is(err, authcore.ErrUnavailable) {
			p.keepRing(err)
			return nil
		}
		return err
	}
	err := p.tryOpen(ctx, h)
	if err == nil || !errors.Is(err, authcore.ErrUnavailable) {
		return err
	}
	p.now.Store(&answer{err: err})
	p.retryLater(err)
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
	p.now.Store(&answer{node: authcore.NewNode(authcore.NodeConfig{
		Store: store, Keys: vault,
		OnFault: func(err error) { p.log.Error("background fault", zap.Error(err)) },
	})})
	p.inForce, p.due = h, false
	return nil
}

// rekey makes the open store go by the newest configuration's keys. While others
// hold it, too, nothing is taken from the keys in force: Caddy may yet refuse
// the new configuration and go on with the old. After an error those stay.
func (p *pooled) rekey(ctx context.Context) error {
	node, next := p.now.Load().node, p.holds[len(p.holds)-1]
	if len(p.holds) > 1 && p.inForce != next {
		if err := node.CheckKeys(ctx, next.keys); err != nil {
			return err
		}
		both, old := next.keys, p.inForce.keys
		both.Current, both.Previous, both.Keep = old.Current, old.Previous, max(both.Keep, old.Keep)
		next = &hold{on: p, keys: both}
	}
	if p.inForce != next {
		if err := node.Rekey(ctx, next.keys); err != nil {
			return err
		}
	}
	p.inForce, p.due = next, false
	return nil
}

// keepRing notes that rekeying has failed.
func (p *pooled) keepRing(err error) {
	p.log.Error("key ring stays as it is", zap.Error(err))
	p.retryLater(err)
}

// release gives a configuration's share back. What it changed for itself alone
// goes with it: the store goes by the keys of the newest one that is left.
func (h *hold) release() error {
	p := h.on
	p.mu.Lock()
	p.holds = slices.DeleteFunc(p.holds, func(other *hold) bool { return other == h })
	if len(p.holds) > 0 && p.now.Load().node != nil {
		ctx, cancel := context.WithTimeout(context.Background(), retryEvery)
		if err := p.rekey(ctx); err != nil {
			p.keepRing(err)
		}
		cancel()
	}
	p.mu.Unlock()
	_, err := stores.Delete(p.key)
	return err
}

// retryLater tries again what has failed, unless it needs an operator.
func (p *pooled) retryLater(err error) {
	if p.due = !p.needsOperator(err); !p.due {
		return
	}
	p.retries.Do(func() {
		go func() {
			ticker := time.NewTicker(retryEvery)
			defer ticker.Stop()
			for {
				select {
				case <-p.stop:
					return
				case <-ticker.C:
					p.retry()
				}
			}
		}()
	})
}

// needsOperator tells faults that no patience mends, and logs them.
func (p *pooled) needsOperator(err error) bool {
	for _, lasting := range []error{authcore.ErrDamaged, token.ErrCorrupt, authcore.ErrWrongSecret} {
		if errors.Is(err, lasting) {
			p.log.Error("store needs an operator", zap.Error(err))
			return true
		}
	}
	return false
}

// retry tries once what is due. Where a wrong secret is found only now, a store
// that is not open stays a 503 and an open one stays as it is, until a
// configuration brings another.
func (p *pooled) retry() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.due || len(p.holds) == 0 {
		return
	}
	if p.now.Load().node != nil {
		ctx, cancel := context.WithTimeout(context.Background(), retryEvery)
		defer cancel()
		err := p.rekey(ctx)
		if err == nil {
			p.log.Info("key ring is taken over")
			return
		}
		p.due = !p.needsOperator(err)
		return
	}
	err := p.tryOpen(context.Background(), p.holds[len(p.holds)-1])
	if err == nil {
		p.log.Info("store is open")
		return
	}
	p.due = !p.needsOperator(err)
	if !errors.Is(err, authcore.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", authcore.ErrUnavailable, err)
	}
	p.now.Store(&answer{err: err})
}

// node returns the store's node, or why there is none, at once.
func (h *hold) node() (*authcore.Node, error) {
	now := h.on.now.Load()
	return now.node, now.err
}

// Destruct closes the store when nobody holds it any more. Calls that have begun
// are waited for; later ones are answered 503.
func (p *pooled) Destruct() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.stop)
	node := p.now.Load().node
	if node == nil {
		return nil
	}
	node.Drain(drainWithin)
	return node.Close()
}

var _ caddy.Destructor = (*pooled)(nil)
