package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/badgerstore"
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

var (
	_ caddy.Provisioner = (*BadgerStore)(nil)
	_ Store             = (*BadgerStore)(nil)
)
