package pgstore

import (
	"crypto/rand"
	"errors"
	"os"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/storetest"
	"github.com/qqauth/qqauth/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// testVault seals under one key, which its ring is in clear.
type testVault struct{ ring []byte }

func (v *testVault) Unlock(wrapped []byte) (replace []byte, err error) {
	if wrapped == nil {
		replace = make([]byte, chacha20poly1305.KeySize)
		rand.Read(replace)
		wrapped = replace
	}
	if len(wrapped) != chacha20poly1305.KeySize {
		return nil, authcore.ErrWrongSecret
	}
	v.ring = wrapped
	return replace, nil
}

func (v *testVault) Seal(plain, context []byte) []byte {
	aead, err := chacha20poly1305.NewX(v.ring)
	if err != nil {
		panic(err)
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	return aead.Seal(nonce, nonce, plain, context)
}

func (v *testVault) Open(sealed, context []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(v.ring)
	if err != nil || len(sealed) < aead.NonceSize() {
		return nil, errors.New("not sealed")
	}
	return aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], context)
}

// open opens a store and closes it when the test ends.
func open(t testing.TB, dsn string) *Store {
	t.Helper()
	s, err := tryOpen(t, dsn)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	return s
}

func tryOpen(t testing.TB, dsn string) (*Store, error) {
	t.Helper()
	target, err := ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{
		Target: target, Vault: &testVault{}, Logger: zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)),
	})
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

// fixture is a new store in a new database.
func fixture(t *testing.T, through ...func(dsn string) string) *storetest.Fixture {
	dsn := pgtest.Database(t)
	for _, way := range through {
		dsn = way(dsn)
	}
	f := &storetest.Fixture{Store: openWith(t, dsn, patient)}
	f.Reopen = func(t *testing.T) authcore.Store {
		t.Helper()
		if err := f.Store.Close(); err != nil {
			t.Fatalf("close the store: %v", err)
		}
		f.Store = openWith(t, dsn, patient)
		return f.Store
	}
	return f
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *storetest.Fixture { return fixture(t) })
}
