package badgerstore

import (
	"context"
	"errors"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

func stampOf(s *Store, i int) (stamp authcore.Stamp, err error) {
	err = s.View(context.Background(), func(t authcore.Tx) error {
		stamp, err = t.(authcore.Stamped).Stamp(tokenHash("token", i), userID(i))
		return err
	})
	return stamp, err
}

// A stamp that came again after the store was opened again would pass what was
// written then for what was read before.
func TestStampGrowsOverReopening(t *testing.T) {
	dir := t.TempDir()
	var last authcore.Stamp
	for range 3 {
		s := openIn(t, dir)
		for range 2 {
			if err := logIn(s, 0); err != nil {
				t.Fatal(err)
			}
			stamp, err := stampOf(s, 0)
			if err != nil {
				t.Fatal(err)
			}
			if stamp[0] <= last[0] || stamp[1] <= last[1] {
				t.Errorf("stamp %v after %v", stamp, last)
			}
			last = stamp
			// What came last is gone with its deletion, its number is not.
			if err := logOut(s, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.db.Flatten(1); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Damaged blocks end no process, with a stamp as with a reading, and refuse the
// transaction even if its function goes on.
func TestStampOfDamage(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	fill(t, s)
	if err := s.Close(); err != nil { // into tables
		t.Fatal(err)
	}
	s = openIn(t, dir)
	damage(s, "blocks")
	answers := make(map[string]int)
	for i := 0; i < logins; i += 2 {
		var inside error
		err := s.View(t.Context(), func(tx authcore.Tx) error {
			_, inside = tx.(authcore.Stamped).Stamp(tokenHash("token", i), userID(i))
			return nil
		})
		switch {
		case errors.Is(inside, authcore.ErrNotFound):
			answers["not found"]++
		case errors.Is(inside, authcore.ErrDamaged) || errors.Is(inside, authcore.ErrUnavailable):
			answers["refused"]++
			if !errors.Is(err, inside) {
				t.Errorf("View answers %v after %v", err, inside)
			}
		case inside != nil:
			t.Errorf("got error %v", inside)
		default:
			answers["stamp"]++
		}
	}
	t.Log(answers)
	if answers["not found"]+answers["refused"] == 0 {
		t.Error("nothing is damaged")
	}
}

// What is being written has no number yet.
func TestStampInUpdate(t *testing.T) {
	s := openIn(t, t.TempDir())
	if err := logIn(s, 0); err != nil {
		t.Fatal(err)
	}
	err := s.Update(t.Context(), func(tx authcore.Tx) error {
		_, err := tx.(authcore.Stamped).Stamp(tokenHash("token", 0), userID(0))
		return err
	})
	if !errors.Is(err, errNoView) {
		t.Errorf("got error %v, want errNoView", err)
	}
}
