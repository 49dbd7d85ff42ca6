package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/token"
)

// accounts is an account base as a command sees it: opened by the command, or
// behind a running server.
type accounts interface {
	// export hands over the wrapped key ring, unless after is a record, and then
	// every record behind after.
	export(ctx context.Context, after authcore.Record, final bool, keys func([]byte) error, take func(authcore.Record) error) error
	// begin begins an import, by the keys.
	begin(ctx context.Context, cfg authcore.ImportConfig) (authcore.ImportedKeys, error)
	// take takes records in; in its report they stand for lines.
	take(ctx context.Context, records []authcore.Record) (importReport, error)
	freeze(ctx context.Context, frozen bool) error
	close() error
}

// errNoStore says that there is nothing to export.
var errNoStore = errors.New("there is no store yet")

// openAccounts opens the store of a configuration, or reaches it through the
// server that holds it. Only if create is true, it makes a store that is not
// there.
func openAccounts(ctx context.Context, flags caddycmd.Flags, create bool) (accounts, error) {
	address := flags.String("address")
	if address != "" {
		return &served{address: address}, nil
	}
	config, file, _, err := caddycmd.LoadConfig(flags.String("config"), flags.String("adapter"))
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, errors.New("no configuration: write --config <file>")
	}
	app, err := appOfStore(config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	node, err := app.openNode(ctx, create)
	if errors.Is(err, authcore.ErrLocked) {
		address, err := caddycmd.DetermineAdminAPIAddress("", config, file, "")
		return &served{address: address}, err
	}
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return &opened{node: node}, nil
}

// appOfStore readies of a configuration what leads to its store. The secrets of
// clients and QQ applications may be out of a command's reach.
func appOfStore(config []byte) (*App, error) {
	var parts struct {
		Storage json.RawMessage            `json:"storage"`
		Apps    map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(config, &parts); err != nil {
		return nil, errors.New("the configuration is not in Caddy's JSON")
	}
	raw, ok := parts.Apps["qqauth"]
	if !ok {
		return nil, errors.New("the configuration has no qqauth block")
	}
	a := new(App)
	if err := caddy.StrictUnmarshalJSON(raw, &a.Config); err != nil {
		return nil, fmt.Errorf("qqauth: %w", err)
	}
	a.setDefaults()
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("qqauth: %w", err)
	}
	var err error
	if a.ctx, err = caddy.ProvisionContext(&caddy.Config{StorageRaw: parts.Storage}); err != nil {
		return nil, err
	}
	only := Config{SecretKey: a.SecretKey}
	if a.secrets, err = only.resolveSecrets(); err == nil {
		err = a.loadStore()
	}
	if err != nil {
		return nil, fmt.Errorf("qqauth: %w", err)
	}
	return a, nil
}

// openNode opens the store. It makes no secret_key: one that only this command
// knew would close the store for the server.
func (a *App) openNode(ctx context.Context, create bool) (*authcore.Node, error) {
	if len(a.secrets.keys) == 0 {
		own, err := loadSecretKey(ctx, a.ctx.Storage())
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("there is no secret_key yet: write one in the qqauth block, or start the server once")
		} else if err != nil {
			return nil, fmt.Errorf("secret_key: %w", err)
		}
		a.secrets.keys = []token.KEK{own}
	}
	cfg, err := a.keyConfig(ctx)
	if err != nil {
		return nil, err
	}
	if local, ok := a.store.(*BadgerStore); ok && !create {
		if _, err := os.Stat(local.key); errors.Is(err, fs.ErrNotExist) {
			return nil, errNoStore
		}
	}
	keys := token.NewKeys(cfg)
	vault := authcore.Vault(keys)
	if !create {
		vault = existing{keys}
	}
	log := caddy.Log().WithOptions(zap.IncreaseLevel(zapcore.WarnLevel))
	store, err := a.store.Open(ctx, vault, log)
	if err != nil {
		return nil, err
	}
	return authcore.NewNode(authcore.NodeConfig{
		Store: store, Keys: keys,
		OnFault: func(err error) { log.Error("background fault", zap.Error(err)) },
	}), nil
}

// existing is a vault for a store that is there.
type existing struct{ *token.Keys }

// Unlock implements [authcore.Vault].
func (v existing) Unlock(wrapped []byte) ([]byte, error) {
	if wrapped == nil {
		return nil, errNoStore
	}
	return v.Keys.Unlock(wrapped)
}

// opened is an account base that the command has opened.
type opened struct {
	node  *authcore.Node
	taken *authcore.Import
}

func (o *opened) export(ctx context.Context, after authcore.Record, final bool, keys func([]byte) error, take func(authcore.Record) error) error {
	if after == (authcore.Record{}) {
		ring, err := o.node.WrappedRing(ctx)
		if err == nil {
			err = keys(ring)
		}
		if err != nil {
			return err
		}
	}
	return o.node.Export(ctx, after, final, take)
}

func (o *opened) begin(ctx context.Context, cfg authcore.ImportConfig) (keys authcore.ImportedKeys, err error) {
	if o.taken, err = o.node.NewImport(ctx, cfg); err != nil {
		return "", err
	}
	return o.taken.Keys(), nil
}

func (o *opened) take(ctx context.Context, records []authcore.Record) (importReport, error) {
	report, err := o.taken.Take(ctx, records)
	return reportOf(o.taken, report), err
}

func (o *opened) freeze(ctx context.Context, frozen bool) error {
	err := o.node.Freeze(ctx, frozen)
	if err == nil {
		auditFreeze(auditOfCommands(), frozen)
	}
	return err
}

func (o *opened) close() error { return o.node.Close() }

// auditOfCommands takes what no server audits.
func auditOfCommands() *zap.Logger { return caddy.Log().Named("qqauth.audit") }

var _ accounts = (*opened)(nil)
