package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/badgerstore"
	"github.com/qqauth/qqauth/authcore/token"
)

func init() {
	caddy.RegisterModule(BadgerStore{})
}

// Store is a module in the namespace `qqauth.stores`: it opens an account base.
type Store interface {
	// Key names what Open would open: two stores with one key are the same, and
	// a process opens it once. It is known after provisioning.
	Key() string
	// Open opens it. Errors that wrap authcore.ErrLocked or
	// authcore.ErrWrongSecret are faults of configuration, others that wrap
	// authcore.ErrUnavailable are faults of state; any other is a fault of
	// configuration, too.
	Open(ctx context.Context, vault authcore.Vault, log *zap.Logger) (authcore.Store, error)
}

// BadgerStore keeps the account base in a directory of this machine, for this
// process alone.
type BadgerStore struct {
	// Directory is where. Default: `qqauth/` in Caddy's data directory.
	Directory string `json:"directory,omitempty"`

	key string
}

// CaddyModule returns the Caddy module information.
func (BadgerStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "qqauth.stores.badger", New: func() caddy.Module { return new(BadgerStore) }}
}

// Provision finds the directory's real path. It creates nothing.
func (s *BadgerStore) Provision(caddy.Context) error {
	if s.Directory == "" {
		s.Directory = filepath.Join(caddy.AppDataDir(), "qqauth")
	}
	path, err := realPath(s.Directory)
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	s.key = path
	return nil
}

// Key is the directory's real path and nothing else: whoever opens the same
// files in another way must not open them a second time.
func (s *BadgerStore) Key() string { return "badger:" + s.key }

// Open opens the directory, and makes it if there is none.
func (s *BadgerStore) Open(ctx context.Context, vault authcore.Vault, log *zap.Logger) (authcore.Store, error) {
	store, err := badgerstore.Open(ctx, badgerstore.Config{Dir: s.key, Vault: vault, Logger: log})
	if err != nil {
		return nil, err // not a typed nil
	}
	return store, nil
}

// realPath resolves what of a path exists; the rest is yet to be made.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	rest := ""
	for {
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			return filepath.Join(real, rest), nil
		}
		if !errors.Is(err, os.ErrNotExist) || filepath.Dir(path) == path {
			return "", err
		}
		path, rest = filepath.Dir(path), filepath.Join(filepath.Base(path), rest)
	}
}

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

	mu     sync.Mutex
	keys   token.Config
	open   *authcore.Node
	err    error // why it is not open
	closed bool
	stop   chan struct{}
}

// holdStore joins the store of a key, or opens it. The error is a fault of
// configuration.
func holdStore(ctx context.Context, store Store, keys token.Config, log *zap.Logger) (*pooled, error) {
	value, loaded, err := stores.LoadOrNew(store.Key(), func() (caddy.Destructor, error) {
		p := &pooled{key: store.Key(), store: store, log: log, keys: keys, stop: make(chan struct{})}
		if err := p.tryOpen(ctx); err != nil {
			return nil, err
		}
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	p := value.(*pooled)
	if loaded {
		if err := p.takeOver(ctx, keys); err != nil {
			_, _ = stores.Delete(p.key)
			return nil, err
		}
	}
	return p, nil
}

// tryOpen opens the store. A fault of state is remembered, and tried again
// unless it needs an operator; a fault of configuration is returned.
func (p *pooled) tryOpen(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.openLocked(ctx)
	if err == nil {
		return nil
	}
	if !errors.Is(err, authcore.ErrUnavailable) {
		return err
	}
	p.err = err
	if !errors.Is(err, authcore.ErrDamaged) {
		go p.retry()
	}
	return nil
}

func (p *pooled) openLocked(ctx context.Context) error {
	vault := token.NewKeys(p.keys)
	store, err := p.store.Open(ctx, vault, p.log)
	if errors.Is(err, token.ErrCorrupt) {
		return fmt.Errorf("%w: %w", authcore.ErrDamaged, err) // a fault of state
	}
	if err != nil {
		return err
	}
	p.open, p.err = authcore.NewNode(authcore.NodeConfig{
		Store: store, Keys: vault,
		OnFault: func(err error) { p.log.Error("background fault", zap.Error(err)) },
	}), nil
	return nil
}

// retry tries to open the store until it is open or damaged, or until nobody
// wants it. A wrong secret that is found only now stays a 503.
func (p *pooled) retry() {
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
		}
		if p.retryOnce() {
			return
		}
	}
}

func (p *pooled) retryOnce() (done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return true
	}
	err := p.openLocked(context.Background())
	switch {
	case err == nil:
		p.log.Info("store is open")
		return true
	case errors.Is(err, authcore.ErrUnavailable) && !errors.Is(err, authcore.ErrDamaged):
		p.err = err
		return false
	default:
		p.log.Error("store needs an operator", zap.Error(err))
		p.err = fmt.Errorf("%w: %w", authcore.ErrUnavailable, err)
		return true
	}
}

// takeOver brings an open store under a new configuration's keys.
func (p *pooled) takeOver(ctx context.Context, keys token.Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
	if p.open == nil {
		return nil
	}
	err := p.open.Rekey(ctx, keys)
	if errors.Is(err, authcore.ErrUnavailable) {
		p.log.Error("key ring stays under the former configuration", zap.Error(err))
		return nil
	}
	return err
}

// node returns the store's node, or why there is none.
func (p *pooled) node() (*authcore.Node, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		return nil, p.err
	}
	return p.open, nil
}

// Destruct closes the store when nobody holds it any more. The store lets the
// transactions that run finish; requests that come later are answered 503.
func (p *pooled) Destruct() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	close(p.stop)
	if p.open == nil {
		return nil
	}
	p.open.Drain(drainWithin)
	return p.open.Close()
}

var (
	_ caddy.Provisioner = (*BadgerStore)(nil)
	_ Store             = (*BadgerStore)(nil)
	_ caddy.Destructor  = (*pooled)(nil)
)
