package authcore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// TestGuestUsesUpFewNames: each name that is given up is kept for ever and lost to
// everybody. A guest is nobody, and must not use them up as fast as the disk allows:
// contract 8 gives an address 300 arrivals an hour, and a change of the user name is one.
func TestGuestUsesUpFewNames(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one") // the first arrival
	rename := func(caller authcore.Caller, n int) error {
		name := fmt.Sprintf("good name %d", n)
		return w.ChangeDetails(t.Context(), mainClient, caller, p.sid, authcore.Details{UserName: &name})
	}
	for n := 1; n < 300; n++ {
		if err := rename(phone, n); err != nil {
			t.Fatalf("name %d: %v", n, err)
		}
	}
	before := w.contents()
	err := rename(phone, 300)
	want(t, "one too many", err, authcore.ErrLimited)
	after, ok := authcore.RetryAfter(err)
	if !ok || after <= 0 || after > time.Hour+time.Minute { // counted to the minute
		t.Errorf("come back after %s, %t", after, ok)
	}
	_, err = w.LoginDevice(t.Context(), mainClient, phone, aDevice("another"))
	want(t, "a guest of the same address", err, authcore.ErrLimited)
	if w.contents() != before {
		t.Error("what was refused has changed something")
	}
	if _, _, erased := w.dump(); len(erased) != 298 {
		t.Errorf("%d names are given up; want 298", len(erased))
	}
	want(t, "from another address", rename(from(1), 300), nil)
	w.clock.step(after)
	p = w.guest("one") // a device that is known is no arrival
	want(t, "when it is time", rename(phone, 301), nil)
}

// TestPasswordOfANameOfBefore: a name that a user had before names found users does so
// from when a password is set for it, if it is nobody else's.
func TestPasswordOfANameOfBefore(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	w.changeUser(p.user, func(u *authcore.User) { u.UserName = "alice" })
	want(t, "set a password", w.change(p, newPassword("", "own")), nil)
	want(t, "log in by it", w.loginName(phone, "alice", "own"), nil)

	late := w.newPlayer()
	w.changeUser(late.user, func(u *authcore.User) { u.UserName = "Alice" })
	want(t, "of a name that is another's", w.change(late, newPassword("", "late")), authcore.ErrTaken)
	want(t, "log in by that", w.loginName(phone, "Alice", "late"), authcore.ErrDetails)
	want(t, "log in by the first", w.loginName(phone, "Alice", "own"), nil)
}
