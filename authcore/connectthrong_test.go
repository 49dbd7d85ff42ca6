package authcore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// throng is how many log in at once by one account that is new.
const throng = 200

// TestOneAccountOfManyPlayers: 200 logins by one new account, by nobody, by guests of
// their own or all by one. Once somebody has it all logins are as that player, whatever
// their order; so an order explains the answers exactly if there was one first login,
// which found nobody, and all others found what it has made: a player of its own if it
// was nobody's (every guest then becomes that player), or its guest (whom all other
// guests become, and who goes on by the session that the link came with).
func TestOneAccountOfManyPlayers(t *testing.T) {
	for _, crowd := range []struct {
		name  string
		guest func(i int) int // who sends login i
	}{
		{"a guest each, and as many nobodies", func(i int) int {
			if i%2 == 0 {
				return nobody
			}
			return i
		}},
		{"one guest, and as many nobodies", func(i int) int { return i%2 - 1 }},
		{"one guest alone", func(int) int { return 0 }},
	} {
		t.Run(crowd.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world, postgres bool) {
				again := 4
				if postgres || raced {
					again = 2
				}
				for range again {
					throngOnce(t, w, crowd.guest)
				}
			})
		})
	}
}

func throngOnce(t *testing.T, w *world, sender func(int) int) {
	t.Helper()
	sids, guests := make([]authcore.SessionID, throng), make(map[int]player)
	for i := range throng {
		n := sender(i)
		if n == nobody {
			continue
		}
		if _, there := guests[n]; !there {
			guests[n] = w.newGuest(t)
		}
		sids[i] = guests[n].sid
	}
	// A player has room for 20 sessions at a game. It is made at the cost of the oldest,
	// and the guests' are not to be those.
	w.clock.step(-time.Minute)
	defer w.clock.step(time.Minute)
	account, before := w.newAccount(), w.snap(t)
	switched, added := w.audit.count(authcore.AuditPlayerSwitched), w.audit.count(authcore.AuditWayAdded)
	plays, errs := make([]authcore.Play, throng), make([]error, throng)
	together(throng, func(i int) { plays[i], errs[i] = w.tryQQ(t, account, sids[i], authcore.LinkFlags{}) })

	owner, created, alive := plays[0].User, 0, 0
	for i, p := range plays {
		if errs[i] != nil || p.Status != authcore.StatusSuccess || p.Refused != "" || p.Owner != nil {
			t.Fatalf("login %d = %q, refused %q, %v", i, p.Status, p.Refused, errs[i])
		}
		if p.User != owner {
			t.Fatalf("players %s and %s have one account", owner, p.User)
		}
		if p.Created {
			created++
			if sids[i] != "" {
				t.Error("a guest's login made a player")
			}
		}
		if _, user, err := w.Playing(t.Context(), mainClient, p.Grant.Token.Reveal()); err == nil && user == owner {
			alive++
		}
	}

	after := w.snap(t)
	if after.Links[w.identityOf(account)] != owner {
		t.Errorf("the account is %s's; want %s's", after.Links[w.identityOf(account)], owner)
	}
	if got := len(after.Users) - len(before.Users); got != created {
		t.Errorf("%d users more; the answers say %d", got, created)
	}
	_, guestOwns := before.Users[owner]
	if created != map[bool]int{false: 1}[guestOwns] {
		t.Errorf("%d players were made, and the owner was there before: %t", created, guestOwns)
	}
	left, linked := 0, 0
	for _, g := range guests {
		if g.user == owner {
			linked++
			w.wantAlive(t, "the session that the link came with", g, true)
			continue
		}
		left++ // for the owner
		w.wantAlive(t, "a session that was left", g, false)
		if diff := cmp.Diff(before.Users[g.user], after.Users[g.user]); diff != "" {
			t.Errorf("a guest has changed: %s", diff)
		}
	}
	if alive != 20-linked {
		t.Errorf("%d of the new sessions live; want %d", alive, 20-linked)
	}
	if got := w.audit.count(authcore.AuditPlayerSwitched) - switched; got != left {
		t.Errorf("player_switched audited %d times; want %d", got, left)
	}
	if got := w.audit.count(authcore.AuditWayAdded) - added; got != linked {
		t.Errorf("way_added audited %d times; want %d", got, linked)
	}
}
