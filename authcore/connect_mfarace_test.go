package authcore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// suitor is a QQ account that is to be linked to a player, and waits for a code.
type suitor struct {
	account player
	out     authcore.Outcome
	to      string
	code    string
}

// onBothSecured runs a test of a game that demands a code on either store.
func onBothSecured(t *testing.T, test func(t *testing.T, s *secured, rounds int)) {
	stage := func(open func(*world) (authcore.Store, error)) *secured {
		w := &codeWorld{texts: new(mailbox), mails: new(mailbox), client: mainClient, caller: phone}
		w.world = newWorldOn(t, open, withCodes(w.texts, w.mails), unlimited, atGames, bothFactors)
		return &secured{codeWorld: w}
	}
	const rounds = 10
	t.Run("badger", func(t *testing.T) { test(t, stage(onBadger), rounds) })
	t.Run("postgres", func(t *testing.T) {
		pgtest.Require(t)
		test(t, stage(onPostgres), rounds)
	})
}

// newNumber is a phone that nobody has.
func (s *secured) newNumber() string { return fmt.Sprintf("+86-1520165%04d", s.players.Add(1)) }

// signInTwice signs a new guest in, with a phone or to be given one, which it returns.
func (s *secured) signInTwice(t *testing.T, has bool) (number string) {
	t.Helper()
	s.lax(func() {
		device := s.newDevice()
		s.earlier, s.current = s.onPhone(t, device), s.onPhone(t, device)
	})
	if number = s.newNumber(); has {
		s.give(s.current.user, number)
	}
	return number
}

// newSuitor begins to link a new account to the current player.
func (s *secured) newSuitor(t *testing.T, status authcore.Status, kind, to string) suitor {
	t.Helper()
	s.account = s.newAccount()
	out := s.wait(t, authcore.QQConnect{}, status)
	s.clock.step(time.Second) // codes are for the newest login
	return suitor{s.account, out, to, s.code(kind, to)}
}

// wantOneLink wants the current player to have one of the accounts, and the other to be
// nobody's.
func (s *secured) wantOneLink(t *testing.T, won, lost player) {
	t.Helper()
	after := s.snap(t)
	if got := after.Links[s.identityOf(won)]; got != s.current.user {
		t.Errorf("the account that was linked is %q's; want %s's", got, s.current.user)
	}
	if got := after.Links[s.identityOf(lost)]; got != "" {
		t.Errorf("the account that was not is %s's", got)
	}
	if u := after.Users[s.current.user]; len(u.Links) != 1 {
		t.Errorf("the player's links are %+v", u.Links)
	}
	for _, account := range []player{won, lost} {
		if n := len(after.Pendings[s.identityOf(account)]); n != 0 {
			t.Errorf("%d logins still wait", n)
		}
	}
	s.wantAlive(t, "the session that the link came with", s.current, true)
	s.wantAlive(t, "the player's other session", s.earlier, false)
	// Whoever has lost may ask again, and learns why.
	p, err := s.tryQQ(t, lost, s.current.sid, authcore.LinkFlags{})
	if err != nil || p.Refused != authcore.RefusedLinked || p.StateToken != "" {
		t.Errorf("asked again, refused %q, %v; want %q", p.Refused, err, authcore.RefusedLinked)
	}
}

// TestTwoLinksThatWaited for one player, whose codes come at once: one is linked, and
// that ends the wait of the other.
func TestTwoLinksThatWaited(t *testing.T) {
	for _, test := range []struct {
		name   string
		status authcore.Status
		kind   string
		phone  bool // is the player's already
		by     func(*secured) finisher
	}{
		{"by the player's phone", authcore.StatusMFAAuth, "MFA_AUTH_SMS", true, func(s *secured) finisher { return s.FinishMFA }},
		{"by phones that the player gets", authcore.StatusUserRegister, "REGISTER_SMS", false, func(s *secured) finisher { return s.Register }},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBothSecured(t, func(t *testing.T, s *secured, rounds int) {
				for range rounds {
					to := [2]string{s.signInTwice(t, test.phone), s.newNumber()}
					if test.phone {
						to[1] = to[0]
					}
					added := s.audit.count(authcore.AuditWayAdded)
					var suitors [2]suitor
					for i := range suitors {
						suitors[i] = s.newSuitor(t, test.status, test.kind, to[i])
					}
					var done [2]authcore.Outcome
					var errs [2]error
					logins := [2]authcore.PendingID{s.state(suitors[0].out), s.state(suitors[1].out)}
					together(2, func(i int) {
						done[i], errs[i] = s.try(test.by(s), logins[i], suitors[i].to, suitors[i].code)
					})
					won, lost := 0, 1
					if errs[0] != nil {
						won, lost = 1, 0
					}
					want(t, "who was first", errs[won], nil)
					want(t, "who was second", errs[lost], authcore.ErrState)
					if done[won].Status != authcore.StatusSuccess || done[lost].Status != "" {
						t.Fatalf("finished with %q and %q", done[won].Status, done[lost].Status)
					}
					if got := s.audit.count(authcore.AuditWayAdded) - added; got != 1 {
						t.Errorf("way_added audited %d times", got)
					}
					s.wantOneLink(t, suitors[won].account, suitors[lost].account)
					if t.Failed() {
						return
					}
				}
			})
		})
	}
}

// TestLinkThatWaitedMeetsAnother: the code for one account comes while another account
// asks for the same player. It is refused, or begins to wait and waits in vain.
func TestLinkThatWaitedMeetsAnother(t *testing.T) {
	onBothSecured(t, func(t *testing.T, s *secured, rounds int) {
		for range rounds {
			number := s.signInTwice(t, true)
			first, second := s.newSuitor(t, authcore.StatusMFAAuth, "MFA_AUTH_SMS", number), s.newAccount()
			login := s.state(first.out)
			var done authcore.Outcome
			var met authcore.Play
			var errs [2]error
			together(2, func(i int) {
				if i == 0 {
					done, errs[0] = s.try(s.FinishMFA, login, number, first.code)
				} else {
					met, errs[1] = s.tryQQ(t, second, s.current.sid, authcore.LinkFlags{})
				}
			})
			want(t, "the link that waited", errs[0], nil)
			want(t, "the other", errs[1], nil)
			switch {
			case done.Status != authcore.StatusSuccess:
				t.Errorf("the link that waited = %q", done.Status)
			case met.Refused == authcore.RefusedLinked && met.StateToken == "":
			case met.Refused == "" && met.Status == authcore.StatusMFAAuth:
				want(t, "the other's state_token", s.dead(met.Outcome), authcore.ErrState)
			default:
				t.Errorf("the other is %+v", met)
			}
			s.wantOneLink(t, first.account, second)
			if t.Failed() {
				return
			}
		}
	})
}
