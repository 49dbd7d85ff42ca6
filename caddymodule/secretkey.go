package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/caddyserver/certmagic"

	"github.com/qqauth/qqauth/authcore/token"
)

// secretKeyName is where Caddy's storage keeps the secret_key that we made. By
// default that storage and the store share a data directory: not within
// "qqauth/", so that a copy of the store is not a copy of its key.
const secretKeyName = "qqauth_secret_key"

// ownSecretKey returns the secret_key of an operator who named none: made once,
// at the first start, and kept in Caddy's storage from then on.
func ownSecretKey(ctx context.Context, storage certmagic.Storage) (token.KEK, error) {
	if key, err := loadSecretKey(ctx, storage); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	// Several Caddys may share the storage and start at once.
	if err := storage.Lock(ctx, secretKeyName); err != nil {
		return token.KEK{}, fmt.Errorf("lock caddy's storage: %w", err)
	}
	defer func() { _ = storage.Unlock(context.WithoutCancel(ctx), secretKeyName) }()
	if key, err := loadSecretKey(ctx, storage); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key := token.NewKEK()
	if err := storage.Store(ctx, secretKeyName, []byte(key.Reveal())); err != nil {
		return token.KEK{}, fmt.Errorf("write it to caddy's storage: %w", err)
	}
	return key, nil
}

func loadSecretKey(ctx context.Context, storage certmagic.Storage) (token.KEK, error) {
	value, err := storage.Load(ctx, secretKeyName)
	if err != nil {
		return token.KEK{}, fmt.Errorf("read it from caddy's storage: %w", err)
	}
	return token.ParseKEK(string(value))
}
