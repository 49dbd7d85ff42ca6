package badgerstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// A guest whose record is damaged keeps no other from being swept, and the damage is
// noticed.
func TestGuestsLeaveOutWhatIsDamaged(t *testing.T) {
	for _, place := range []string{"first", "last"} {
		t.Run(place, func(t *testing.T) {
			s := openIn(t, t.TempDir())
			due := time.Now().UTC()
			const n = 3
			mustUpdate(t, s, func(tx authcore.Tx) {
				for i := range n {
					tx.PutGuest(authcore.Guest{User: userID(i), Due: due})
				}
				bad := kindGuest.key(map[string]string{"first": "a", "last": "z"}[place])
				rawTx(tx).set(entry{key: bad, plain: []byte("no record")})
			})
			txn := s.db.NewTransaction(true)
			err := errors.Join(txn.Set(kindGuest.key(place+" and not sealed"), []byte{schema, 'x'}), txn.Commit())
			if err != nil {
				t.Fatal(err)
			}
			for _, limit := range []int{1, n, 100} {
				var got []authcore.Guest
				err := s.View(t.Context(), func(tx authcore.Tx) (err error) {
					got, err = tx.Guests(due.Add(1), limit)
					return err
				})
				if err != nil || len(got) != min(limit, n) {
					t.Errorf("up to %d: %+v, %v", limit, got, err)
				}
			}
			if s.Stats().Damages == 0 {
				t.Error("nobody knows of the damage")
			}
		})
	}
}

// A listing cannot see what its transaction writes.
func TestGuestsAreForAView(t *testing.T) {
	s := openIn(t, t.TempDir())
	mustUpdate(t, s, func(tx authcore.Tx) { tx.PutGuest(authcore.Guest{User: userID(0)}) })
	err := s.Update(t.Context(), func(tx authcore.Tx) error {
		_, err := tx.Guests(time.Now(), 1)
		return err
	})
	if !errors.Is(err, errNoPage) {
		t.Errorf("in an update: got error %v, want %v", err, errNoPage)
	}
}

// There are more guests than a page has keys, and a page of them may have nobody who
// is due.
func TestGuestsOfManyPages(t *testing.T) {
	s := openIn(t, t.TempDir())
	due := time.Now().UTC()
	const n = 2 * guestPage
	for first := 0; first < n; first += 250 {
		mustUpdate(t, s, func(tx authcore.Tx) {
			for i := first; i < first+250; i++ {
				tx.PutGuest(authcore.Guest{User: authcore.UserID(fmt.Sprintf("%05d", i)), Due: due.Add(time.Duration(n-i) * time.Second)})
			}
		})
	}
	for _, wanted := range []int{0, 1, guestPage, guestPage + 1, n} {
		var got []authcore.Guest
		err := s.View(t.Context(), func(tx authcore.Tx) (err error) {
			got, err = tx.Guests(due.Add(time.Duration(wanted)*time.Second+1), n+1)
			return err
		})
		if err != nil || len(got) != wanted {
			t.Errorf("%d are due, want %d; %v", len(got), wanted, err)
		}
	}
}
