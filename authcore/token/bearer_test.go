package token_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

func TestBearer(t *testing.T) {
	c, _ := config(token.EdDSA)
	keys, wrapped := unlocked(t, c)
	another := token.NewKeys(c) // a second node of the fleet
	if _, err := another.Unlock(wrapped); err != nil {
		t.Fatal(err)
	}
	r := keys.Ring()
	raw := r.NewBearer("app.one", secretHash, start, 30*time.Minute)
	if strings.Contains(raw, "=") || len(raw) == 32 {
		t.Errorf("%s does not fit in a header or looks like a session token", raw)
	}
	if raw == r.NewBearer("app.one", secretHash, start, 30*time.Minute) {
		t.Error("two bearers are equal")
	}

	newer := sha256.Sum256([]byte("newer secret"))
	for name, tt := range map[string]struct {
		ring    *token.Ring
		secrets [][32]byte
		want    error
	}{
		"this node":        {r, [][32]byte{secretHash}, nil},
		"another node":     {another.Ring(), [][32]byte{secretHash}, nil},
		"previous secret":  {r, [][32]byte{newer, secretHash}, nil},
		"secret changed":   {r, [][32]byte{newer}, token.ErrInvalid},
		"unknown client":   {r, nil, token.ErrInvalid},
		"no secret at all": {r, [][32]byte{{}}, token.ErrInvalid},
		"another ring":     {ringOf(t, token.EdDSA), [][32]byte{secretHash}, token.ErrInvalid},
	} {
		asked := ""
		id, err := tt.ring.VerifyBearer(raw, func(id string) [][32]byte { asked = id; return tt.secrets }, start)
		if !errors.Is(err, tt.want) || (id == "app.one") != (tt.want == nil) {
			t.Errorf("%s: %q, %v", name, id, err)
		}
		if asked != "app.one" {
			t.Errorf("%s: asked for the secrets of %q", name, asked)
		}
	}
}

func TestBearerIsWhole(t *testing.T) {
	r := ringOf(t, token.EdDSA)
	all, err := base64.RawURLEncoding.DecodeString(mint(t, r, "bearer"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i] ^= 1
		bad := base64.RawURLEncoding.EncodeToString(all)
		if _, err := r.VerifyBearer(bad, secrets, start); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("byte %d can be changed", i)
		}
		all[i] ^= 1
	}
	for _, raw := range []string{"", "-DIkzM8nF9P7B", encode("\x01"), encode("\x01" + strings.Repeat("x", 55)), strings.Repeat("A", 1025)} {
		_, err := r.VerifyBearer(raw, func(string) [][32]byte { t.Error("asked for secrets"); return nil }, start)
		if !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%.40q: %v", raw, err)
		}
	}
}
