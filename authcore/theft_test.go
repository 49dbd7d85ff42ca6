package authcore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// soldPhone is a player with QQ whose device another has got hold of, a month later.
// stolen is the session that the device gives.
func soldPhone(t *testing.T, change ...func(*authcore.Config)) (w *codeWorld, victim, stolen player) {
	t.Helper()
	w = newCodeWorld(t, append([]func(*authcore.Config){games}, change...)...)
	victim = w.connected(w.guest("sold phone").sid, w.newAccount())
	w.clock.step(30 * 24 * time.Hour)
	p, err := w.LoginDevice(t.Context(), mainClient, w.caller, aDevice("sold phone"))
	if stolen = w.played(p, err); stolen.user != victim.user {
		t.Fatalf("the device logs %s in; want %s", stolen.user, victim.user)
	}
	return w, victim, stolen
}

// TestStolenDeviceTakesNoAccount: whoever knows no more than the id of a device on
// which a player with QQ has played must not be able to make the account theirs. The
// login by the device has only just been made, and yet it is not fresh for that.
func TestStolenDeviceTakesNoAccount(t *testing.T) {
	for name, attack := range map[string]func(*codeWorld, player) error{
		"a name and a password": func(w *codeWorld, p player) error {
			return w.change(p, all(newUserName("thief"), newPassword("", "thieves' own")))
		},
		"a phone": func(w *codeWorld, p player) error {
			to := w.contact(ownPhone)
			return w.UpdateProfile(t.Context(), mainClient, w.caller, p.sid, authcore.ProfileUpdate{
				Contact: &to, Code: w.code("UPDATE_MOBILE_SMS", ownPhone),
			})
		},
		"a QQ account of the thief's": func(w *codeWorld, p player) error {
			w.qq2.know("thief's", qqAccount{openID: "THIEF"})
			_, sid := w.raw(p.user, func(s *authcore.Session) {
				s.Client, s.Methods = secondClient, []authcore.Method{authcore.MethodDevice}
			})
			_, err := w.ConnectQQ(t.Context(), secondClient, w.caller, authcore.QQConnect{Current: sid, Token: "thief's"})
			return err
		},
		"the victim's QQ account, taken away": func(w *codeWorld, p player) error {
			return w.Unlink(t.Context(), mainClient, w.caller, p.sid, w.socials(p)[0].ID)
		},
		"erasure": func(w *codeWorld, p player) error {
			return w.DeleteAccount(t.Context(), mainClient, w.caller, p.sid)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, victim, stolen := soldPhone(t)
			if _, err := w.IDToken(t.Context(), mainClient, w.caller, stolen.session); err != nil { // binds it to the fingerprint
				t.Fatalf("id_token: %v", err)
			}
			before := w.userRecord(victim.user)
			want(t, name, attack(w, stolen), authcore.ErrStale)
			if diff := cmp.Diff(before, w.userRecord(victim.user)); diff != "" {
				t.Errorf("the victim has changed: %s", diff)
			}
			if again := w.again(victim); again.user != victim.user {
				t.Errorf("the victim's QQ account logs %s in; want %s", again.user, victim.user)
			}
		})
	}
}

// TestStolenDeviceGetsPastNoSecondFactor is where the last would lead to: with a phone
// and a password of the thief's own the account would pass, at a client that demands
// both, for one that is proved better than the victim's.
func TestStolenDeviceGetsPastNoSecondFactor(t *testing.T) {
	w, victim, stolen := soldPhone(t, func(cfg *authcore.Config) { // the receiver shares the application
		clientOf(cfg, receiverClient).MFA = []authcore.Way{authcore.WayPhone}
	})
	if _, err := w.IDToken(t.Context(), mainClient, w.caller, stolen.session); err != nil {
		t.Fatalf("id_token: %v", err)
	}
	to := w.contact(ownPhone)
	err := w.UpdateProfile(t.Context(), mainClient, w.caller, stolen.sid, authcore.ProfileUpdate{
		Contact: &to, Code: w.code("UPDATE_MOBILE_SMS", ownPhone),
	})
	want(t, "a phone", err, authcore.ErrStale)
	want(t, "a name and a password", w.change(stolen, all(newUserName("thief"), newPassword("", "thieves' own"))), authcore.ErrStale)
	want(t, "without QQ", w.Disconnect(t.Context(), mainClient, w.caller, stolen.sid), authcore.ErrLastWay)
	_, err = w.LoginPassword(t.Context(), receiverClient, w.caller, credentials("thief", "thieves' own"))
	want(t, "login by the thief's password", err, authcore.ErrDetails)
	play, err := w.Resume(t.Context(), receiverClient, w.caller, stolen.session)
	want(t, "the stolen session at the other client", err, authcore.ErrSession)
	if play.StateToken != "" {
		t.Error("it gave a state_token")
	}
	if _, err := w.owner(ownPhone); err == nil {
		t.Error("the thief's phone has an owner")
	}
	want(t, "the stolen session at a guard", w.admit(w.guard(), stolen.session), authcore.ErrDenied)
	want(t, "the victim's at the same", w.admit(w.guard(), w.again(victim).session), nil)
}

// TestStolenSessionAddsNoSecondFactor: a week-old session that is resumed at a client
// which has come to demand MFA must not be the login that lets its bearer prove a
// phone of their own: contract 3.3 wants ten minutes, or a login that QQ has proved.
func TestStolenSessionAddsNoSecondFactor(t *testing.T) {
	w := newCodeWorld(t, games)
	victim := w.newPlayer()
	w.clock.step(6 * 24 * time.Hour)
	cfg := w.cfg
	cfg.Clients = slices.Clone(cfg.Clients)
	mfa(authcore.WayPhone)(&cfg)
	w.Service = w.service(cfg)
	before := w.contents()
	play, err := w.Resume(t.Context(), mainClient, tablet, victim.session)
	if err != nil || play.Status != authcore.StatusAccessDenied || play.StateToken != "" || len(play.Ways) != 0 || !play.Grant.Token.IsZero() {
		t.Errorf("resume = %+v, %v; want %s and nothing to go on by", play, err, authcore.StatusAccessDenied)
	}
	if w.contents() != before {
		t.Error("the store has changed")
	}
	// The victim, whom QQ proves, adds one.
	out := w.login(victim, authcore.StatusUserRegister)
	w.finish(w.Register, out, ownPhone, w.code("REGISTER_SMS", ownPhone), authcore.StatusSuccess)
	want(t, "the stolen session", w.admit(w.guard(), victim.session), authcore.ErrSession)
}

// socials are the QQ accounts of a player of the main client.
func (w *world) socials(p player) []authcore.Social {
	w.t.Helper()
	list, err := w.Socials(w.t.Context(), mainClient, p.sid)
	if err != nil || len(list) == 0 {
		w.t.Fatalf("list the accounts: %+v, %v", list, err)
	}
	return list
}
