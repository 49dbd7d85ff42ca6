package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

func testGuests(t *testing.T, f *Fixture) {
	guest := func(id authcore.UserID, due time.Duration) authcore.Guest {
		return authcore.Guest{User: id, Due: base.Add(due)}
	}
	early, late, last := guest("early", -time.Hour), guest("a", 0), guest("20220425140138519-BF1B-528B05551", time.Hour)
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		for _, g := range []authcore.Guest{late, last, early} {
			tx.PutUser(user(g.User))
			tx.PutGuest(g)
		}
		tx.PutUser(user("no guest"))
	})
	wantGuests(t, f.Store, base.Add(-time.Hour), "at the moment of the first")
	wantGuests(t, f.Store, base, "at that of the second", early)
	wantGuests(t, f.Store, base.Add(time.Microsecond), "after that", early, late)
	wantGuests(t, f.Store, base.Add(24*time.Hour), "after all", early, late, last)

	late.Due, early.Due = base.Add(2*time.Hour), base
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutGuest(late)
		tx.PutGuest(early)
		tx.DeleteGuest(last.User)
		tx.DeleteGuest("no guest")
		tx.DeleteGuest("never there")
	})
	wantGuests(t, f.Store, base.Add(90*time.Minute), "put off", early)
	wantGuests(t, f.Store, base.Add(24*time.Hour), "after all, without one", early, late)
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.User(last.User)
		want(t, "the user who is no guest any more", got, err, user(last.User))
	})
}

// wantGuests checks who is due before a time, in any order.
func wantGuests(t *testing.T, s authcore.Store, before time.Time, when string, wanted ...authcore.Guest) {
	t.Helper()
	view(t, s, func(t *run, tx authcore.Tx) {
		got, err := tx.Guests(before, 10)
		byID := func(a, b authcore.Guest) int { return strings.Compare(string(a.User), string(b.User)) }
		want(t, when, slices.SortedFunc(slices.Values(got), byID), err, slices.SortedFunc(slices.Values(wanted), byID))
	})
}

// There are more guests than a store needs to read at once, and those who are due
// are among the last.
func testManyGuests(t *testing.T, f *Fixture) {
	const n, batch, limit = 2500, 500, 7
	var due []authcore.Guest
	for first := 0; first < n; first += batch {
		update(t, f.Store, func(t *run, tx authcore.Tx) {
			due = due[:0]
			for i := first; i < first+batch; i++ {
				g := authcore.Guest{User: authcore.UserID(fmt.Sprintf("%05d", i)), Due: base.Add(time.Hour)}
				if i >= n-limit-1 {
					g.Due = base
					due = append(due, g)
				}
				tx.PutUser(authcore.User{ID: g.User, Created: base})
				tx.PutGuest(g)
			}
		})
	}
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		for _, most := range []int{0, 1, limit, limit + 1, n} {
			got, err := tx.Guests(base.Add(time.Minute), most)
			want(t, fmt.Sprintf("up to %d", most), len(got), err, min(most, len(due)))
			for _, g := range got {
				if !slices.ContainsFunc(due, func(d authcore.Guest) bool { return cmp.Equal(d, g) }) {
					t.Errorf("%+v is due", g)
				}
			}
		}
		all, err := tx.Guests(base.Add(2*time.Hour), 2*n)
		want(t, "all", len(all), err, n)
	})
}
