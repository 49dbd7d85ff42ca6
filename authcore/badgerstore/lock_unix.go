//go:build linux || darwin || freebsd

package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/qqauth/qqauth/authcore"
)

// dirLock is Badger's own lock of a directory, taken here because the directory
// is looked at before Badger opens it. Badger's tools respect it.
type dirLock struct {
	dir  *os.File
	path string
}

// lockDir locks dir, waiting for another holder. Its error wraps ErrLocked.
func lockDir(ctx context.Context, dir string, wait time.Duration) (*dirLock, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: open the store's directory: %w", authcore.ErrUnavailable, err)
	}
	l := &dirLock{dir: f, path: filepath.Join(dir, lockName)}
	waited := time.After(wait)
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("%w: lock the store's directory: %w", authcore.ErrUnavailable, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-waited:
			f.Close()
			return nil, fmt.Errorf("%w: %s is in use%s", authcore.ErrLocked, dir, l.holder())
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err := os.WriteFile(l.path, fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: write %s: %w", authcore.ErrUnavailable, lockName, err)
	}
	return l, nil
}

// holder tells who holds the lock, if that is known.
func (l *dirLock) holder() string {
	text, err := os.ReadFile(l.path)
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return ""
	}
	return " by process " + strconv.Itoa(pid)
}

func (l *dirLock) release() error {
	return errors.Join(os.Remove(l.path), l.dir.Close())
}
