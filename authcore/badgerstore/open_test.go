package badgerstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// goroutines counts those of the store and of Badger.
func goroutines() (n int) {
	buf := make([]byte, 4<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "badgerstore.(*Store)") || strings.Contains(stack, "dgraph-io") {
			n++
		}
	}
	return n
}

// A refused Open leaves nothing behind either, and a second one in the process
// is refused with the holder's name.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	before := goroutines()
	_, err := tryOpen(t, dir, func(c *Config) { c.LockWait = 100 * time.Millisecond })
	if !errors.Is(err, authcore.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("got error %v, want ErrLocked with the pid", err)
	}
	await(t, "its goroutines to end", func() bool { return goroutines() <= before })

	opened := make(chan error, 1)
	go func() {
		again, err := childOpen(dir)
		if err == nil {
			err = again.Close()
		}
		opened <- err
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("after the other let go: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := t.TempDir()
	if err := openIn(t, wrong).Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   error
	}{
		{"no directory", func(c *Config) { c.Dir = "" }, nil},
		{"no vault", func(c *Config) { c.Vault = nil }, nil},
		{"marks the wrong way round", func(c *Config) { c.LowWater, c.HardWater = 1, 2 }, nil},
		{"a file for a directory", func(c *Config) { c.Dir = file }, authcore.ErrUnavailable},
		{"a parent that is a file", func(c *Config) { c.Dir = filepath.Join(file, "store") }, authcore.ErrUnavailable},
		{"the wrong secret", func(c *Config) { c.Dir, c.Vault = wrong, &lockedVault{} }, authcore.ErrWrongSecret},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := tryOpen(t, t.TempDir(), test.change)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got error %v, want %v", err, test.want)
			}
		})
	}
	if _, err := tryOpen(t, wrong); err != nil {
		t.Errorf("with the right secret again: %v", err)
	}
}

// lockedVault has another secret than every store.
type lockedVault struct{ testVault }

func (*lockedVault) Unlock([]byte) ([]byte, error) { return nil, authcore.ErrWrongSecret }

// The directory is for its owner only, and the files hold nothing in clear.
func TestNothingInClear(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openIn(t, dir)
	err := s.Update(t.Context(), func(tx authcore.Tx) error {
		tx.PutUser(authcore.User{
			ID: "u", DisplayName: "PERSONAL-name", Mobile: "PERSONAL-mobile", Email: "PERSONAL-mail",
			Links: []authcore.Link{{Identity: identity(0), OpenID: "PERSONAL-openid", UnionID: "PERSONAL-unionid"}},
		})
		tx.PutPending(authcore.Pending{ID: "p", OpenID: "PERSONAL-openid", Expires: time.Now().Add(time.Hour)})
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), "PERSONAL") {
			t.Errorf("%s holds personal data in clear", d.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Expiry is by the injected clock; Badger's, by the wall, only collects.
func TestExpiryByTheInjectedClock(t *testing.T) {
	long := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	s := openIn(t, t.TempDir(), func(c *Config) { c.Now = func() time.Time { return long } })
	ticket := authcore.Ticket{Token: tokenHash("ticket", 1), Expires: long.Add(time.Minute)}
	if err := s.Update(t.Context(), func(tx authcore.Tx) error { tx.PutTicket(ticket); return nil }); err != nil {
		t.Fatal(err)
	}
	err := s.View(t.Context(), func(tx authcore.Tx) error {
		if _, err := tx.Ticket(ticket.Token); err != nil {
			return err
		}
		_, expires, err := rawTx(tx).get(kindTicket.hash(ticket.Token))
		if left := time.Until(time.Unix(int64(expires), 0)); left < time.Minute+grace-2*time.Second || left > time.Minute+grace {
			t.Errorf("kept for %v", left)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
