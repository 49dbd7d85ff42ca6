//go:build !linux && !darwin && !freebsd

package badgerstore

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// errSystem refuses systems on which an acknowledged write could be lost: on
// Windows, Badger's sync of a memory map does nothing.
var errSystem = errors.New("badger store: not durable on " + runtime.GOOS + ", use another store")

func supported() error { return errSystem }

func diskSpace(string) (free, total uint64, err error) { return 0, 0, errSystem }

type dirLock struct{}

func lockDir(context.Context, string, time.Duration) (*dirLock, error) { return nil, errSystem }

func (*dirLock) release() error { return nil }

func mapFile(string) (data []byte, unmap func(), err error) { return nil, nil, errSystem }
