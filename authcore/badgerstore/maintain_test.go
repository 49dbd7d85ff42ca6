package badgerstore

import (
	"errors"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// The background check ends the service of a store with a damaged table.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openIn(t, dir)
	s.verify()
	if err := s.Ping(t.Context()); err != nil {
		t.Fatalf("a sound store: %v", err)
	}
	damage(s, "blocks")
	s.verify()
	nothing := func(authcore.Tx) error { return nil }
	for name, err := range map[string]error{
		"Ping": s.Ping(t.Context()), "Writable": s.Writable(),
		"View": s.View(t.Context(), nothing), "Update": s.Update(t.Context(), nothing),
	} {
		if !errors.Is(err, authcore.ErrDamaged) {
			t.Errorf("%s: got error %v, want ErrDamaged", name, err)
		}
	}
	if s.Stats().Healthy {
		t.Error("Stats call it healthy")
	}
}

// Compacting takes nothing that is there.
func TestCompact(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openIn(t, dir)
	s.compact()
	s.verify()
	for i := range logins {
		if got := look(s, i); got != "linked" || alive(s, i) != (i%2 == 0) {
			t.Fatalf("user %d is %s, alive %v", i, got, alive(s, i))
		}
	}
}
