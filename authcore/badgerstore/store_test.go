package badgerstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/storetest"
)

// testVault seals under one fixed key per value, with the context as associated
// data. Its ring is the key, in clear.
type testVault struct{ aead cipher.AEAD }

func (v *testVault) Unlock(wrapped []byte) ([]byte, error) {
	var replace []byte
	if wrapped == nil {
		replace = make([]byte, 32)
		rand.Read(replace)
		wrapped = replace
	}
	block, err := aes.NewCipher(wrapped)
	if err != nil {
		return nil, errors.Join(authcore.ErrWrongSecret, err)
	}
	v.aead, err = cipher.NewGCMWithRandomNonce(block)
	return replace, err
}

func (v *testVault) Seal(plain, context []byte) []byte {
	return v.aead.Seal(nil, nil, plain, context)
}

func (v *testVault) Open(sealed, context []byte) ([]byte, error) {
	return v.aead.Open(nil, nil, sealed, context)
}

// openIn opens the store in dir and closes it when the test ends.
func openIn(t testing.TB, dir string, change ...func(*Config)) *Store {
	t.Helper()
	s, err := tryOpen(t, dir, change...)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	return s
}

func tryOpen(t testing.TB, dir string, change ...func(*Config)) (*Store, error) {
	t.Helper()
	cfg := Config{Dir: dir, Vault: &testVault{}, Logger: zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)), LockWait: time.Second}
	for _, c := range change {
		c(&cfg)
	}
	s, err := Open(t.Context(), cfg)
	if err == nil {
		t.Cleanup(func() {
			if err := s.Close(); err != nil && s.readable() == nil {
				t.Errorf("close the store: %v", err)
			}
		})
	}
	return s, err
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *storetest.Fixture {
		dir := t.TempDir()
		s := openIn(t, dir)
		f := &storetest.Fixture{Store: s}
		f.Reopen = func(t *testing.T) authcore.Store {
			t.Helper()
			if err := f.Store.Close(); err != nil {
				t.Fatalf("close the store: %v", err)
			}
			f.Store = openIn(t, dir)
			return f.Store
		}
		return f
	})
}

// await polls for what happens by itself soon.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
