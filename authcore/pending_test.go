package authcore_test

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/token"
)

// stateToken logs an account in that has to register, and reads its state_token.
func (w *world) stateToken(p player) token.StateClaims {
	w.t.Helper()
	out, err := w.LoginQQ(w.t.Context(), mainClient, phone, p.access, p.openID)
	if err != nil {
		w.t.Fatalf("login: %v", err)
	}
	claims, err := w.keys.Ring().VerifyState(out.StateToken, w.clock.Now())
	if err != nil {
		w.t.Fatalf("verify the state_token: %v", err)
	}
	return claims
}

// pending reads what a state_token is the key of.
func (w *world) pending(id string) (p authcore.Pending, err error) {
	err = w.store.Store.View(w.t.Context(), func(tx authcore.Tx) error {
		p, err = tx.Pending(authcore.PendingID(id))
		return err
	})
	return p, err
}

func TestStateTokenIsTheKeyOfAPendingLogin(t *testing.T) {
	w := newWorld(t, unknownUser(authcore.UnknownRegister))
	a := w.newAccount()
	claims := w.stateToken(a)
	if !regexp.MustCompile(`^1777863721987[A-Za-z0-9_-]{22}$`).MatchString(claims.ID) {
		t.Errorf("jti = %q; want 13 digits of milliseconds and 22 random characters", claims.ID)
	}
	if life := claims.Expires.Sub(claims.Issued); life != 30*time.Minute {
		t.Errorf("it lives %s; want 30m", life)
	}
	p, err := w.pending(claims.ID)
	if err != nil {
		t.Fatalf("read the pending login: %v", err)
	}
	if p.Status != authcore.StatusUserRegister || p.App != mainApp || p.OpenID != a.openID ||
		p.Client != mainClient || p.Device == (authcore.DeviceHash{}) || p.Nickname != "nickname 1" {
		t.Errorf("the pending login is %+v", p)
	}
}

func TestFourthStateTokenVoidsTheOldest(t *testing.T) {
	w := newWorld(t, unknownUser(authcore.UnknownBind))
	a, other := w.newAccount(), w.newAccount()
	foreign := w.stateToken(other).ID
	var ids []string
	for range 4 {
		ids = append(ids, w.stateToken(a).ID)
		w.clock.step(time.Second)
	}
	for i, id := range append(ids, foreign) {
		_, err := w.pending(id)
		if gone := errors.Is(err, authcore.ErrNotFound); gone != (i == 0) {
			t.Errorf("state_token %d of 4 (the fifth is another identity's): %v", i+1, err)
		}
	}
}

func TestExpiredStateTokensTakeNoRoom(t *testing.T) {
	w := newWorld(t, unknownUser(authcore.UnknownBind))
	a := w.newAccount()
	for range 2 {
		w.stateToken(a)
	}
	w.clock.step(29 * time.Minute)
	third := w.stateToken(a).ID
	w.clock.step(time.Minute)
	for range 2 {
		w.stateToken(a)
	}
	if _, err := w.pending(third); err != nil {
		t.Errorf("expired state_tokens pushed a living one out: %v", err)
	}
}

// TestZeroLimitOfPendingLogins is about the zero value of Limits, which lifts
// the limit of refused logins too.
func TestZeroLimitOfPendingLogins(t *testing.T) {
	w := newWorld(t, unknownUser(authcore.UnknownBind), func(cfg *authcore.Config) { cfg.Limits = authcore.Limits{} })
	a := w.newAccount()
	out, err := w.LoginQQ(t.Context(), mainClient, phone, a.access, a.openID)
	if err != nil || out.Status != authcore.StatusSocialBind {
		t.Errorf("login = %q, %v; want SOCIAL_BIND", out.Status, err)
	}
}

func TestEndOfASessionVoidsStateTokens(t *testing.T) {
	for name, end := range map[string]func(*world, player) error{
		"log-out":        func(w *world, p player) error { return w.Logout(w.t.Context(), mainClient, p.session, "") },
		"end by id":      func(w *world, p player) error { return w.EndSession(w.t.Context(), p.sid) },
		"log-out of all": func(w *world, p player) error { return w.EndSessions(w.t.Context(), p.user) },
		"disabling":      func(w *world, p player) error { return w.Disable(w.t.Context(), p.user) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.newPlayer()
			u, err := w.UserByID(t.Context(), p.user)
			if err != nil {
				t.Fatalf("read the user: %v", err)
			}
			w.write(func(tx authcore.Tx) {
				tx.PutPending(authcore.Pending{
					ID: "pending", Identity: u.Links[0].Identity, User: p.user, Expires: w.clock.Now().Add(time.Minute),
				})
			})
			want(t, name, end(w, p), nil)
			_, err = w.pending("pending")
			want(t, "the state_token", err, authcore.ErrNotFound)
		})
	}
}
