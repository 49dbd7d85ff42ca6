package authcore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// provedBy is another session of a player, proved by a method some time ago.
func (w *world) provedBy(user authcore.UserID, method authcore.Method, age time.Duration) (p player) {
	w.t.Helper()
	p.user = user
	p.session, p.sid = w.raw(user, func(s *authcore.Session) {
		s.Methods = []authcore.Method{method}
		s.AuthTime = s.AuthTime.Add(-age)
	})
	return p
}

// TestFurtherAccountNeedsAFreshLogin: only a first QQ account is exempt from the ten
// minutes (contract 3.3). Whoever has come by an old session, or by a device, would
// otherwise put an account of their own beside the player's, in another application.
func TestFurtherAccountNeedsAFreshLogin(t *testing.T) {
	const limit = 10 * time.Minute
	for _, test := range []struct {
		further bool
		by      authcore.Method
		age     time.Duration
		want    error
	}{
		{false, authcore.MethodDevice, 0, nil},
		{false, authcore.MethodDevice, 6 * 24 * time.Hour, nil},
		{false, authcore.MethodPassword, 6 * 24 * time.Hour, nil},
		{true, authcore.MethodQQ, limit, nil},
		{true, authcore.MethodQQ, limit + 1, authcore.ErrStale},
		{true, authcore.MethodPassword, limit, nil},
		{true, authcore.MethodPassword, limit + 1, authcore.ErrStale},
		{true, authcore.MethodDevice, 0, authcore.ErrStale},
		{true, authcore.MethodDevice, 6 * 24 * time.Hour, authcore.ErrStale},
	} {
		t.Run(fmt.Sprintf("further: %t, by %s, %s ago", test.further, test.by, test.age), func(t *testing.T) {
			w := newWorld(t, games)
			p := w.guest("one")
			w.cheaply(p.user, "alice", "right")
			links := 0
			if test.further {
				w.qq2.know("second-access", qqAccount{openID: "OPENID2"})
				w.played(w.ConnectQQ(t.Context(), secondClient, phone, authcore.QQConnect{Current: w.secondSession(p), Token: "second-access"}))
				links++
			}
			if got := len(w.userRecord(p.user).Links); got != links {
				t.Fatalf("the player has %d accounts; want %d", got, links)
			}
			current, other := w.provedBy(p.user, test.by, test.age), w.provedBy(p.user, authcore.MethodQQ, 0)
			before, a := w.contents(), w.newAccount()
			play, err := w.tryQQ(t, a, current.sid, authcore.LinkFlags{})
			want(t, "connect", err, test.want)
			if test.want != nil {
				if play.Status != "" || !play.Grant.Token.IsZero() || play.StateToken != "" || play.User != "" {
					t.Errorf("the answer is %+v", play)
				}
				if w.contents() != before {
					t.Error("what was refused has changed something")
				}
				// QQ's word is good for whoever the account makes.
				if now := w.play(t, a, current.sid, authcore.LinkFlags{DoNotLink: true}); now.user == p.user {
					t.Error("the account went to the player")
				}
				return
			}
			if now := playing(t, play, err); now.user != p.user || len(w.userRecord(p.user).Links) != links+1 {
				t.Errorf("the player is %s; want %s", now.user, p.user)
			}
			w.wantAlive(t, "the session that the link came with", current, true)
			w.wantAlive(t, "the player's other session", other, false)
		})
	}
}

// TestDisconnectTellsFirstWhatCanNeverBe: a player who is sent to log in anew comes back
// to be told the same otherwise.
func TestDisconnectTellsFirstWhatCanNeverBe(t *testing.T) {
	const stale = 10*time.Minute + 1
	notLinked, lastWay, tooOld := authcore.ErrNotLinked, authcore.ErrLastWay, authcore.ErrStale
	for _, test := range []struct {
		linked, password bool
		by               authcore.Method
		age              time.Duration
		want             error
	}{
		{false, false, authcore.MethodDevice, 0, notLinked},
		{false, false, authcore.MethodDevice, stale, notLinked},
		{false, true, authcore.MethodPassword, 0, notLinked},
		{false, true, authcore.MethodPassword, stale, notLinked},
		{false, true, authcore.MethodDevice, 0, notLinked},
		{true, false, authcore.MethodQQ, 0, lastWay},
		{true, false, authcore.MethodQQ, stale, lastWay},
		{true, false, authcore.MethodDevice, 0, lastWay},
		{true, false, authcore.MethodDevice, stale, lastWay},
		{true, true, authcore.MethodQQ, stale, tooOld},
		{true, true, authcore.MethodPassword, stale, tooOld},
		{true, true, authcore.MethodDevice, 0, tooOld},
		{true, true, authcore.MethodDevice, stale, tooOld},
		{true, true, authcore.MethodQQ, stale - 1, nil},
		{true, true, authcore.MethodPassword, stale - 1, nil},
	} {
		t.Run(fmt.Sprintf("linked: %t, password: %t, by %s, %s ago", test.linked, test.password, test.by, test.age), func(t *testing.T) {
			w := newWorld(t, games)
			p := w.guest("one")
			if test.linked {
				w.connected(p.sid, w.newAccount())
			}
			if test.password {
				w.cheaply(p.user, "alice", "right")
			}
			current, other := w.provedBy(p.user, test.by, test.age), w.provedBy(p.user, authcore.MethodQQ, 0)
			before := w.contents()
			want(t, "disconnect", w.Disconnect(t.Context(), mainClient, phone, current.sid), test.want)
			if (w.contents() == before) == (test.want == nil) {
				t.Errorf("the store has changed: %t", test.want != nil)
			}
			w.wantAlive(t, "the session that asked", current, true)
			w.wantAlive(t, "the other session", other, test.want != nil)
			if n := w.audit.count(authcore.AuditWayRemoved); (n == 1) != (test.want == nil) {
				t.Errorf("way_removed audited %d times", n)
			}
			if links := len(w.userRecord(p.user).Links); (links == 1) != (test.linked && test.want != nil) {
				t.Errorf("%d links", links)
			}
		})
	}
}

// TestUnlinkNeedsMoreThanADevice, whatever it names: the session by which a guest has
// linked QQ lives on, and parts with nothing.
func TestUnlinkNeedsMoreThanADevice(t *testing.T) {
	w := newWorld(t, games)
	guest := w.guest("one")
	now := w.connected(guest.sid, w.newAccount())
	w.cheaply(now.user, "alice", "right")
	before := w.contents()
	for _, social := range []string{w.social(mainClient, now), "none", ""} {
		want(t, "by the device", w.Unlink(t.Context(), mainClient, phone, guest.sid, social), authcore.ErrStale)
	}
	if w.contents() != before {
		t.Error("what was refused has changed something")
	}
	want(t, "by QQ", w.Unlink(t.Context(), mainClient, phone, now.sid, w.social(mainClient, now)), nil)
	w.wantAlive(t, "the device's session", guest, false)
	// Of a guest, who is nothing more, there is nothing to take.
	other := w.guest("another")
	want(t, "by a guest's device", w.Unlink(t.Context(), mainClient, phone, other.sid, "none"), authcore.ErrDenied)
}

// TestLinkByASessionThatWasTakenOver: it lives only while the session does that it was
// taken over from, so that is kept with it, as whenever a way in changes.
func TestLinkByASessionThatWasTakenOver(t *testing.T) {
	w := newWorld(t, games)
	parent := w.guest("one")
	other := w.guest("one")
	child := player{user: parent.user}
	child.session, child.sid = w.raw(parent.user, func(s *authcore.Session) {
		s.Methods, s.Parent = []authcore.Method{authcore.MethodDevice}, parent.sid
	})
	now := w.play(t, w.newAccount(), child.sid, authcore.LinkFlags{})
	if now.user != parent.user {
		t.Fatalf("the player is %s; want %s", now.user, parent.user)
	}
	w.wantAlive(t, "the session that the link came with", child, true)
	w.wantAlive(t, "the session that it was taken over from", parent, true)
	w.wantAlive(t, "the player's other session", other, false)
}
