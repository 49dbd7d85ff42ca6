package authcore_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// attackers is from how many addresses the guesses come.
const attackers = 1000

// guesses are all codes there are, a thousand from each address; thirty of them
// under the race detector, and ten in short tests.
func guesses() int {
	switch {
	case testing.Short():
		return 10 * attackers
	case raced:
		return 30 * attackers
	}
	return 1000 * attackers
}

// attacker is who guesses from an address of his own.
func attacker(n int, fingerprint string) authcore.Caller {
	return authcore.Caller{
		Fingerprint: fingerprint, Addr: netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}), Loopback: true,
	}
}

// TestAllCodesAreGuessed by whoever has a user's QQ access token and device, and a
// thousand addresses: but for a few, no guess is judged.
func TestAllCodesAreGuessed(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayPhone), func(cfg *authcore.Config) { cfg.Audit = nil })
	p := w.known(ownPhone)
	logins := make([]authcore.PendingID, 3)
	for i := range logins {
		logins[i] = w.state(w.login(p, authcore.StatusMFAAuth))
	}
	code, to := w.code("MFA_AUTH_SMS", ownPhone), w.contact(ownPhone)
	var next, judged, limited atomic.Int64
	together(64, func(int) {
		for n := int(next.Add(1)) - 1; n < guesses(); n = int(next.Add(1)) - 1 {
			digits := fmt.Sprintf("%06d", n)
			if digits == code {
				continue
			}
			_, err := w.FinishMFA(t.Context(), mainClient, attacker(n%attackers, phone.Fingerprint), logins[n%3], to, digits)
			if errors.Is(err, authcore.ErrCode) {
				judged.Add(1)
			} else if errors.Is(err, authcore.ErrLimited) {
				limited.Add(1)
			} else {
				t.Errorf("guess %s = %v", digits, err)
			}
		}
	})
	if judged.Load() != 15 {
		t.Errorf("%d guesses were judged; want five for each of three logins", judged.Load())
	}
	if most := int64(guesses()); judged.Load()+limited.Load() < most-1 {
		t.Errorf("%d of %d guesses were answered", judged.Load()+limited.Load(), most)
	}
	for _, login := range logins {
		_, err := w.try(w.FinishMFA, login, ownPhone, code)
		want(t, "the right code after all of them", err, authcore.ErrLimited)
	}
}

// TestNewLoginsBringNoNewGuesses: each has a code of its own to be guessed, but the
// user's wrong codes are counted over all of them.
func TestNewLoginsBringNoNewGuesses(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayPhone), func(cfg *authcore.Config) { cfg.Audit = nil })
	p := w.known(ownPhone)
	judged := 0
	for n := range 200 {
		caller := attacker(n, fmt.Sprintf("fingerprint %d", n))
		view := w.as(mainClient, caller)
		login := view.state(view.login(p, authcore.StatusMFAAuth))
		for range 6 {
			_, err := view.try(w.FinishMFA, login, ownPhone, "123456")
			if errors.Is(err, authcore.ErrCode) {
				judged++
			} else {
				want(t, "guess", err, authcore.ErrLimited)
			}
		}
	}
	if judged != 20 {
		t.Errorf("%d guesses were judged; want 20 a day", judged)
	}
}

// TestManyBindToOnePhone: a thousand QQ accounts want to be bound to its owner.
// One code is sent to it, and only the login that it is for can be finished by it.
func TestManyBindToOnePhone(t *testing.T) {
	many := attackers
	if testing.Short() || raced {
		many /= 10
	}
	w := newCodeWorld(t, unknownUser(authcore.UnknownBind), func(cfg *authcore.Config) { cfg.Audit = nil })
	owner := w.elsewhere(ownPhone)
	views, logins := make([]*codeWorld, many), make([]authcore.PendingID, many)
	for n := range views {
		view := w.as(mainClient, attacker(n, fmt.Sprintf("fingerprint %d", n)))
		views[n], logins[n] = view, view.state(view.login(w.newAccount(), authcore.StatusSocialBind))
		expected := authcore.ErrLimited
		if n == 0 {
			expected = nil
		}
		want(t, "send", view.send("BIND_MOBILE_SMS", ownPhone), expected)
	}
	sent := w.texts.take()
	if len(sent) != 1 {
		t.Fatalf("%d messages to one phone within a minute", len(sent))
	}
	code, to := sent[0].Code.Reveal(), w.contact(ownPhone)
	var next, judged atomic.Int64
	together(64, func(int) {
		for n := int(next.Add(1)) - 1; n < many*20; n = int(next.Add(1)) - 1 {
			digits, login := code, n%many
			if login == 0 {
				digits = wrong(code)
			}
			_, err := w.Bind(t.Context(), mainClient, views[login].caller, logins[login], to, digits)
			if errors.Is(err, authcore.ErrCode) {
				judged.Add(1)
			} else if !errors.Is(err, authcore.ErrLimited) {
				t.Errorf("guess = %v", err)
			}
		}
	})
	if judged.Load() != int64(5*many) {
		t.Errorf("%d guesses were judged; want five for each login", judged.Load())
	}
	if u := w.userRecord(owner.user); len(u.Links) != 1 {
		t.Errorf("links %v", u.Links)
	}
	_, err := w.Bind(t.Context(), mainClient, views[0].caller, logins[0], to, code)
	want(t, "the right code after five wrong ones", err, authcore.ErrLimited)
}
