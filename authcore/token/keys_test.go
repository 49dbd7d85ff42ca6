package token_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

// clock is a clock that stands until it is set.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func config(alg token.Alg) (token.Config, *clock) {
	c := &clock{start}
	return token.Config{Current: token.NewKEK(), Alg: alg, Now: c.Now, Keep: 3 * time.Hour}, c
}

func unlocked(t testing.TB, c token.Config) (*token.Keys, []byte) {
	t.Helper()
	keys := token.NewKeys(c)
	wrapped, err := keys.Unlock(nil)
	if err != nil || wrapped == nil {
		t.Fatalf("Unlock(nil) = %d bytes, %v", len(wrapped), err)
	}
	return keys, wrapped
}

// ringOf returns a new ring whose id_tokens are signed with alg.
func ringOf(t testing.TB, alg token.Alg) *token.Ring {
	t.Helper()
	c, _ := config(alg)
	keys, _ := unlocked(t, c)
	return keys.Ring()
}

func TestUnlock(t *testing.T) {
	c, _ := config(token.EdDSA)
	first, wrapped := unlocked(t, c)
	sealed := first.Seal([]byte("plain"), []byte("place"))

	opens := func(name string, c token.Config, stored []byte) []byte {
		t.Helper()
		keys := token.NewKeys(c)
		replace, err := keys.Unlock(stored)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := keys.Open(sealed, []byte("place")); err != nil || string(got) != "plain" {
			t.Errorf("%s: what was sealed does not open: %v", name, err)
		}
		return replace
	}
	if opens("same secret", c, wrapped) != nil {
		t.Error("same secret: the ring is replaced")
	}

	moved := c
	moved.Current, moved.Previous = token.NewKEK(), []token.KEK{token.NewKEK(), c.Current}
	rewrapped := opens("previous secret", moved, wrapped)
	if rewrapped == nil {
		t.Fatal("previous secret: the ring stays wrapped under it")
	}
	moved.Previous = nil
	if opens("new secret alone", moved, rewrapped) != nil {
		t.Error("new secret alone: the ring is replaced")
	}
	if _, err := token.NewKeys(c).Unlock(rewrapped); !errors.Is(err, token.ErrWrongSecret) {
		t.Errorf("old secret alone: %v", err)
	}

	other := c
	other.Alg = token.ES256
	if opens("another algorithm", other, wrapped) == nil {
		t.Error("another algorithm: the ring is not extended")
	}
}

func TestUnlockRefuses(t *testing.T) {
	c, _ := config(token.EdDSA)
	_, wrapped := unlocked(t, c)
	another := c
	another.Current = token.NewKEK()
	drop := func(purpose string) []byte {
		return token.Edit(c, wrapped, func(keys []map[string]any) []map[string]any {
			var left []map[string]any
			for _, k := range keys {
				if k["purpose"] != purpose {
					left = append(left, k)
				}
			}
			return left
		})
	}
	set := func(purpose, field string, value any) []byte {
		return token.Edit(c, wrapped, func(keys []map[string]any) []map[string]any {
			for _, k := range keys {
				if k["purpose"] == purpose {
					k[field] = value
				}
			}
			return keys
		})
	}
	for name, tt := range map[string]struct {
		config token.Config
		stored []byte
		want   error
	}{
		"another secret":       {another, wrapped, token.ErrWrongSecret},
		"empty, not absent":    {c, []byte{}, token.ErrCorrupt},
		"cut":                  {c, wrapped[:len(wrapped)-1], token.ErrCorrupt},
		"longer":               {c, append(bytes.Clone(wrapped), 0), token.ErrCorrupt},
		"no seal key":          {c, drop("seal"), token.ErrCorrupt},
		"no index key":         {c, drop("index"), token.ErrCorrupt},
		"no opaque key":        {c, drop("opaque"), token.ErrCorrupt},
		"another kid":          {c, set("id_token", "id", "abc"), token.ErrCorrupt},
		"no private key":       {c, set("assertion", "secret", "AAAA"), token.ErrCorrupt},
		"a short mac key":      {c, set("state", "secret", "AAAA"), token.ErrCorrupt},
		"no id of a seal key":  {c, set("seal", "id", ""), token.ErrCorrupt},
		"no secret configured": {token.Config{}, wrapped, nil},
		"unknown algorithm":    {token.Config{Current: c.Current, Alg: "none"}, wrapped, nil},
	} {
		keys := token.NewKeys(tt.config)
		replace, err := keys.Unlock(tt.stored)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if replace != nil || keys.Ring() != nil {
			t.Errorf("%s: a ring is in force or would be written", name)
		}
	}
}

// A damaged ring must not read as another secret_key: an operator would look for
// the old secret instead of the backup, and Caddy would not start.
func TestUnlockFindsEveryFlippedBit(t *testing.T) {
	c, _ := config(token.EdDSA)
	_, wrapped := unlocked(t, c)
	for i := range wrapped {
		bad := bytes.Clone(wrapped)
		bad[i] ^= 1 << (i % 8)
		if _, err := token.NewKeys(c).Unlock(bad); !errors.Is(err, token.ErrCorrupt) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}

func TestWrappedRingShowsNothing(t *testing.T) {
	c, _ := config(token.ES256)
	_, wrapped := unlocked(t, c)
	for _, s := range []string{"keys", "purpose", "seal", "id_token", c.Current.Reveal()} {
		if bytes.Contains(wrapped, []byte(s)) {
			t.Errorf("%q is in the wrapped ring", s)
		}
	}
}

// A key of a newer version must survive that an older node rewrites the ring.
func TestUnknownKeysAreCarriedAlong(t *testing.T) {
	c, clock := config(token.ES256)
	_, wrapped := unlocked(t, c)
	clock.now = start.Add(30 * day)
	wrapped = token.Edit(c, wrapped, func(keys []map[string]any) []map[string]any {
		return append(keys, map[string]any{
			"id": "new", "purpose": "cookie", "alg": "ML-DSA", "secret": "AAAA",
			"created": start, "activates": start, "retires": start,
		})
	})
	c.Alg = token.EdDSA
	wrapped, err := token.Prepare(c, wrapped)
	if err != nil || wrapped == nil {
		t.Fatal(err)
	}
	found := false
	token.Edit(c, wrapped, func(keys []map[string]any) []map[string]any {
		for _, k := range keys {
			found = found || k["purpose"] == "cookie" && k["secret"] == "AAAA"
		}
		return keys
	})
	if !found {
		t.Error("the key is gone")
	}
	if err := token.NewKeys(c).Adopt(wrapped); err != nil {
		t.Errorf("the key is in the way: %v", err)
	}
}

func TestReconfigure(t *testing.T) {
	c, _ := config(token.ES256)
	keys, wrapped := unlocked(t, c)
	before := keys.Ring()

	wrong := c
	wrong.Current = token.NewKEK()
	if _, err := token.Prepare(wrong, wrapped); !errors.Is(err, token.ErrWrongSecret) {
		t.Errorf("Prepare under another secret: %v", err)
	}
	if err := keys.Reconfigure(wrong, wrapped); !errors.Is(err, token.ErrWrongSecret) {
		t.Errorf("Reconfigure under another secret: %v", err)
	}
	unready := c
	unready.Alg = token.EdDSA
	if err := keys.Reconfigure(unready, wrapped); !errors.Is(err, token.ErrCorrupt) {
		t.Errorf("Reconfigure without the key: %v", err)
	}
	if keys.Ring() != before {
		t.Error("a refused configuration has changed the ring")
	}
	if replace, err := keys.Rotate(wrapped); replace != nil || err != nil {
		t.Errorf("a refused configuration is in force: %v", err)
	}

	good := token.Config{Current: token.NewKEK(), Previous: []token.KEK{c.Current}, Alg: token.EdDSA, Now: c.Now}
	next, err := token.Prepare(good, wrapped)
	if err != nil || next == nil {
		t.Fatal(err)
	}
	if keys.Ring() != before {
		t.Error("Prepare has changed the ring")
	}
	if err := keys.Reconfigure(good, next); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Ring().SignIDToken(token.EdDSA, idClaims, start); err != nil {
		t.Error(err)
	}
	if err := keys.Adopt(wrapped); err == nil {
		t.Error("a ring without the configured algorithm was adopted")
	}
}

// Requests go on while a node adopts what another one has rotated.
func TestRingWhileSwapped(t *testing.T) {
	c, _ := config(token.EdDSA)
	keys, wrapped := unlocked(t, c)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				r := keys.Ring()
				raw, err := r.SignIDToken(token.EdDSA, idClaims, start)
				if err != nil {
					t.Error(err)
				}
				if _, err := keys.Ring().VerifyIDToken(raw, idClaims.Issuer, start); err != nil {
					t.Error(err)
				}
				if r.Index("l", "a", "b") != keys.Ring().Index("l", "a", "b") {
					t.Error("Index has changed")
				}
			}
		})
	}
	for range 50 {
		if err := keys.Adopt(wrapped); err != nil {
			t.Error(err)
		}
		if _, err := keys.Rotate(wrapped); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func TestSeal(t *testing.T) {
	r := ringOf(t, token.EdDSA)
	plain, place := []byte("+86-15201657321"), []byte("u/20220425140138519")
	sealed := r.Seal(plain, place)
	if bytes.Contains(sealed, plain) {
		t.Error("the plain text shows")
	}
	if bytes.Equal(sealed, r.Seal(plain, place)) {
		t.Error("two sealings of one text are equal")
	}
	if got, err := r.Open(sealed, place); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("Open = %q, %v", got, err)
	}
	if got, err := r.Open(r.Seal(nil, nil), nil); err != nil || len(got) != 0 {
		t.Errorf("nothing: %q, %v", got, err)
	}
	refuse := func(name string, ring *token.Ring, sealed, place []byte) {
		t.Helper()
		if _, err := ring.Open(sealed, place); !errors.Is(err, token.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 0x80
		refuse("flipped", r, bad, place)
		refuse("cut", r, sealed[:i], place)
	}
	refuse("longer", r, append(bytes.Clone(sealed), 0), place)
	refuse("moved", r, sealed, []byte("u/20220425140138520"))
	refuse("another ring", ringOf(t, token.EdDSA), sealed, place)
}

func TestSealUnderAnOlderKeyOpens(t *testing.T) {
	c, _ := config(token.EdDSA)
	keys, wrapped := unlocked(t, c)
	sealed := keys.Seal([]byte("old"), nil)
	wrapped = token.Edit(c, wrapped, func(list []map[string]any) []map[string]any {
		return append(list, map[string]any{
			"id": "0011223344556677", "purpose": "seal", "alg": "XC20P", "created": start,
			"activates": start.Add(time.Hour), "secret": bytes.Repeat([]byte{7}, 32),
		})
	})
	if err := keys.Adopt(wrapped); err != nil {
		t.Fatal(err)
	}
	if got, err := keys.Open(sealed, nil); err != nil || string(got) != "old" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if s := keys.Seal(nil, nil); !bytes.Equal(s[1:9], []byte{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77}) {
		t.Errorf("sealed under key %x, not under the newest", s[1:9])
	}
}

func FuzzOpen(f *testing.F) {
	c, _ := config(token.EdDSA)
	keys := token.NewKeys(c)
	if _, err := keys.Unlock(nil); err != nil {
		f.Fatal(err)
	}
	good := keys.Seal([]byte("plain"), []byte("place"))
	f.Add(good, []byte("place"))
	f.Fuzz(func(t *testing.T, sealed, place []byte) {
		got, err := keys.Open(sealed, place)
		if err == nil && (!bytes.Equal(sealed, good) || string(place) != "place" || string(got) != "plain") {
			t.Errorf("opened what was never sealed: %x", sealed)
		}
		if err != nil && !errors.Is(err, token.ErrCorrupt) {
			t.Errorf("uncoded error %v", err)
		}
	})
}

func TestIndex(t *testing.T) {
	r := ringOf(t, token.EdDSA)
	seen := map[[32]byte]string{}
	for _, in := range [][]string{
		{"identity"}, {"identity", ""}, {"identity", "", ""}, {"identity", "a", "b"}, {"identity", "ab"},
		{"identity", "ab", ""}, {"identity", "", "ab"}, {"identity", "b", "a"}, {"device", "a", "b"},
		{"identitya", "b"}, {"", "identity", "a", "b"}, {"identity", "a\x00b"}, {"identity", "a\x00\x00\x00\x01b"},
	} {
		sum := r.Index(in[0], in[1:]...)
		if former, ok := seen[sum]; ok {
			t.Errorf("%q and %s are one", in, former)
		}
		seen[sum] = strings.Join(in, "|")
		if r.Index(in[0], in[1:]...) != sum {
			t.Errorf("%q changes", in)
		}
	}
	if ringOf(t, token.EdDSA).Index("identity", "a", "b") == r.Index("identity", "a", "b") {
		t.Error("two rings agree")
	}
}

func TestOpaque(t *testing.T) {
	r := ringOf(t, token.EdDSA)
	s := r.NewOpaque("session").Reveal()
	if !r.ValidOpaque("session", s) || r.ValidOpaque("ticket", s) || ringOf(t, token.EdDSA).ValidOpaque("session", s) {
		t.Error("an opaque token is not good for exactly its ring and kind")
	}
}
