//go:build linux

package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/qqauth/qqauth/authcore"
)

// mountDisk mounts a small disk for the test, which needs root. With "tmpfs" in
// QQAUTH_TEST_REQUIRE it fails where it cannot, otherwise it skips.
func mountDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprint("size=", size)); err != nil {
		if strings.Contains(os.Getenv("QQAUTH_TEST_REQUIRE"), "tmpfs") {
			t.Fatalf("a tmpfs is required: %v", err)
		}
		t.Skipf("no small disk: mounting a tmpfs needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// A full disk refuses writes, goes on reading, kills nobody, and all is well when
// there is room again.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100 MiB")
	}
	const mib = 1 << 20
	disk := mountDisk(t, 352*mib)
	dir, ballast := filepath.Join(disk, "store"), filepath.Join(disk, "ballast")
	marks := func(c *Config) { c.LowWater, c.HardWater = 160*mib, 128*mib }
	if err := os.WriteFile(ballast, make([]byte, 100*mib), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openIn(t, dir, marks)
	if err := logIn(s, 0); err != nil {
		t.Fatal(err)
	}

	// The store fills the disk itself, as fast as it can.
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := 0; ; i++ {
				err := s.Update(context.Background(), func(tx authcore.Tx) error {
					tx.PutUser(authcore.User{
						ID: authcore.UserID(fmt.Sprint(w, "-", i)), DisplayName: strings.Repeat("x", 48<<10),
					})
					return nil
				})
				if err != nil {
					if !errors.Is(err, authcore.ErrUnavailable) {
						t.Errorf("write to a full disk: %v", err)
					}
					return
				}
			}
		})
	}
	writers.Wait()

	// Others fill the rest, once Badger has nothing left to do in the background.
	quiet := 0
	last := ""
	await(t, "the end of compaction", func() bool {
		now := fmt.Sprint(s.db.LevelsToString(), s.Stats().Free)
		if quiet++; now != last {
			quiet, last = 0, now
		}
		return quiet > 50
	})
	fillUp(t, ballast)
	checkFull(t, s)
	if err := s.Close(); !errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("Close on a full disk: got error %v, want ErrUnavailable", err)
	}
	if _, err := tryOpen(t, dir, marks); !errors.Is(err, authcore.ErrLocked) && !errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("Open beside it: got error %v", err)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	await(t, "the store to close", func() bool { return s.Close() == nil })
	fillUp(t, ballast)
	if _, err := tryOpen(t, dir, marks); !errors.Is(err, authcore.ErrUnavailable) || errors.Is(err, authcore.ErrDamaged) {
		t.Errorf("Open on a full disk: got error %v, want ErrUnavailable", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s = openIn(t, dir, func(c *Config) { c.LowWater, c.HardWater = 64*mib, 32*mib })
	if err := errors.Join(s.Writable(), logIn(s, 1)); err != nil {
		t.Errorf("with room again: %v", err)
	}
	for i := range 2 {
		if got := look(s, i); got != "linked" {
			t.Errorf("user %d is %s", i, got)
		}
	}
}

// checkFull checks what a store answers on a full disk.
func checkFull(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Writable(); !errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("Writable: got error %v, want ErrUnavailable", err)
	}
	if err := logIn(s, 1); !errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("Update: got error %v, want ErrUnavailable", err)
	}
	if got := look(s, 0); got != "linked" {
		t.Errorf("the user is %s", got)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 64<<10); ; {
		if _, err := f.Write(chunk); errors.Is(err, unix.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Between the marks logins are shed and log-outs go on.
func TestLowWater(t *testing.T) {
	dir := t.TempDir()
	free, _, err := diskSpace(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := openIn(t, dir, func(c *Config) { c.LowWater, c.HardWater = free*2, 1 })
	if err := s.Writable(); !errors.Is(err, authcore.ErrUnavailable) {
		t.Errorf("Writable: got error %v, want ErrUnavailable", err)
	}
	if err := errors.Join(logIn(s, 1), logOut(s, 1)); err != nil {
		t.Errorf("between the marks: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = tryOpen(t, dir, func(c *Config) { c.LowWater, c.HardWater = free*2, free*2 })
	if !errors.Is(err, authcore.ErrUnavailable) || errors.Is(err, authcore.ErrDamaged) {
		t.Errorf("Open below the hard mark: got error %v, want ErrUnavailable", err)
	}
}
