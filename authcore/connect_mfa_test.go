package authcore_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// secured is a game that demands a code, with an account, whoever owns it, and a
// player who is signed in.
type secured struct {
	*codeWorld
	account, owner, current, earlier player
}

// newSecured makes one. The phone belongs to whoever is to be logged in.
func newSecured(t *testing.T, stage func(w *world, s *secured)) *secured {
	t.Helper()
	s := &secured{codeWorld: newCodeWorld(t, atGames, bothFactors)}
	s.account = s.newAccount()
	s.lax(func() { stage(s.world, s) })
	return s
}

// wait asks for a login that has to wait, and wants nothing to have changed but that.
func (s *secured) wait(t *testing.T, in authcore.QQConnect, status authcore.Status) authcore.Outcome {
	t.Helper()
	in.Token, in.Current = s.account.access, s.current.sid
	before, audited := s.snap(t), s.audit.countWays()
	p, err := s.ConnectQQ(t.Context(), mainClient, phone, in)
	if err != nil || p.Status != status {
		t.Fatalf("connect = %q, %v; want %q", p.Status, err, status)
	}
	if !p.Grant.Token.IsZero() || p.User != "" || p.Session != "" || p.Created || p.Name != "" || p.StateToken == "" {
		t.Errorf("the answer is %+v", p)
	}
	after := s.snap(t)
	after.Pendings = before.Pendings
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("before the second factor the store has changed: %s", diff)
	}
	s.wantAlive(t, "the current session before the second factor", s.current, true)
	if s.audit.countWays() != audited {
		t.Error("a switch or a way in audited before the second factor")
	}
	return p.Outcome
}

// countWays is how many switches and new ways in there were.
func (l *auditLog) countWays() int {
	return l.count(authcore.AuditPlayerSwitched) + l.count(authcore.AuditWayAdded)
}

func (s *secured) finishMFA(t *testing.T, out authcore.Outcome) authcore.UserID {
	t.Helper()
	code := s.code("MFA_AUTH_SMS", ownPhone)
	_, err := s.try(s.FinishMFA, s.state(out), ownPhone, wrong(code))
	want(t, "a wrong code", err, authcore.ErrCode)
	s.wantAlive(t, "the current session after a wrong code", s.current, true)
	done := s.finish(s.FinishMFA, out, ownPhone, code, authcore.StatusSuccess)
	claims := s.idToken(done.Grant.IDToken)
	s.wantPlaying(t, "the new session", done.Grant.Token.Reveal(), authcore.SessionID(claims.Session), authcore.UserID(claims.Subject))
	if got := s.methods(done); got != "qq sms" {
		t.Errorf("amr = %q", got)
	}
	return authcore.UserID(claims.Subject)
}

// guestWithPhone signs a guest in who has a phone, twice.
func guestWithPhone(w *world, s *secured) {
	device := w.newDevice()
	s.earlier, s.current = w.onPhone(w.t, device), w.onPhone(w.t, device)
	s.give(s.current.user, ownPhone)
}

func TestLinkWaitsForTheSecondFactor(t *testing.T) {
	s := newSecured(t, guestWithPhone)
	out := s.wait(t, authcore.QQConnect{}, authcore.StatusMFAAuth)
	if got := s.finishMFA(t, out); got != s.current.user {
		t.Errorf("the player is %s; want %s", got, s.current.user)
	}
	if u := s.userRecord(s.current.user); len(u.Links) != 1 || u.Links[0].OpenID != s.account.openID {
		t.Errorf("the links are %+v", u.Links)
	}
	s.wantAlive(t, "the session that the link came with", s.current, true)
	if got := s.session(s.current.sid).Methods; !slices.Equal(got, []authcore.Method{authcore.MethodDevice}) {
		t.Errorf("the session that the link came with is proved by %v", got)
	}
	s.wantAlive(t, "the player's other session", s.earlier, false)
	if s.audit.count(authcore.AuditWayAdded) != 1 || s.audit.count(authcore.AuditPlayerSwitched) != 0 {
		t.Error("want way_added audited once, and no switch")
	}
}

// TestNameOfALinkThatWaited: what a link does at once, it does after the second
// factor no less.
func TestNameOfALinkThatWaited(t *testing.T) {
	for _, test := range []struct {
		name, before string
		sync         bool
		want         string
	}{
		{"an empty name is filled", "", false, "nickname 1"},
		{"a name is taken over", "before", true, "nickname 1"},
		{"a name is left", "before", false, "before"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSecured(t, func(w *world, s *secured) {
				guestWithPhone(w, s)
				w.changeUser(s.current.user, func(u *authcore.User) { u.DisplayName = test.before })
			})
			s.qq.know(s.account.access, qqAccount{openID: s.account.openID, nickname: "nickname 1"})
			s.finishMFA(t, s.wait(t, authcore.QQConnect{SyncName: test.sync}, authcore.StatusMFAAuth))
			u := s.userRecord(s.current.user)
			if u.DisplayName != test.want || len(u.Links) != 1 || u.Links[0].SyncName != test.sync {
				t.Errorf("the player is %q with %+v; want %q", u.DisplayName, u.Links, test.want)
			}
		})
	}
}

func TestSwitchWaitsForTheSecondFactor(t *testing.T) {
	s := newSecured(t, func(w *world, s *secured) {
		s.owner = w.play(w.t, s.account, "", authcore.LinkFlags{})
		s.give(s.owner.user, ownPhone)
		device := w.newDevice()
		s.earlier, s.current = w.onPhone(w.t, device), w.onPhone(w.t, device)
	})
	out := s.wait(t, authcore.QQConnect{}, authcore.StatusMFAAuth)
	if got := s.finishMFA(t, out); got != s.owner.user {
		t.Errorf("the player is %s; want %s", got, s.owner.user)
	}
	s.wantAlive(t, "the session that was left", s.current, false)
	s.wantAlive(t, "the player's other session", s.earlier, true)
	s.wantAlive(t, "the owner's session", s.owner, true)
	switches := s.audit.audited(authcore.AuditPlayerSwitched)
	if len(switches) != 1 || switches[0].From != s.current.user || switches[0].User != s.owner.user {
		t.Errorf("player_switched audited as %+v", switches)
	}
}

func TestSameWaitsForTheSecondFactor(t *testing.T) {
	s := newSecured(t, func(w *world, s *secured) {
		s.earlier = w.play(w.t, s.account, "", authcore.LinkFlags{})
		s.current = w.play(w.t, s.account, "", authcore.LinkFlags{})
		s.give(s.current.user, ownPhone)
	})
	out := s.wait(t, authcore.QQConnect{}, authcore.StatusMFAAuth)
	if got := s.finishMFA(t, out); got != s.current.user {
		t.Errorf("the player is %s; want %s", got, s.current.user)
	}
	s.wantAlive(t, "the session of before", s.current, true)
	s.wantAlive(t, "the player's other session", s.earlier, true)
}

// TestCreationWaitsForTheSecondFactor: a new user has nothing to use for it, and
// adds it by register-bind; nobody is left before.
func TestCreationWaitsForTheSecondFactor(t *testing.T) {
	s := newSecured(t, func(w *world, s *secured) {
		device := w.newDevice()
		s.earlier, s.current = w.onPhone(w.t, device), w.onPhone(w.t, device)
	})
	p, err := s.ConnectQQ(t.Context(), mainClient, phone, authcore.QQConnect{
		Current: s.current.sid, Token: s.account.access, SyncName: true,
		Segments: map[string]string{"tier": "gold"}, LinkFlags: authcore.LinkFlags{DoNotLink: true},
	})
	if err != nil || p.Status != authcore.StatusUserRegister || !p.Grant.Token.IsZero() || p.User != "" || p.Session != "" || p.Created {
		t.Fatalf("connect = %+v, %v; want %q", p, err, authcore.StatusUserRegister)
	}
	s.wantAlive(t, "the session before the second factor", s.current, true)
	if n := s.audit.count(authcore.AuditPlayerSwitched); n != 0 {
		t.Error("player_switched audited before the second factor")
	}
	if u, err := s.UserByOpenID(t.Context(), mainApp, s.account.openID); err == nil {
		if all, err := s.Sessions(t.Context(), u.ID); err != nil || len(all) != 0 {
			t.Errorf("the new user has %d sessions, %v", len(all), err)
		}
	}
	done := s.finish(s.Register, p.Outcome, ownPhone, s.code("REGISTER_SMS", ownPhone), authcore.StatusSuccess)
	u := s.userRecord(authcore.UserID(s.idToken(done.Grant.IDToken).Subject))
	if u.ID == s.current.user || len(u.Links) != 1 || !u.Links[0].SyncName || u.Requested["tier"] != "gold" || u.Mobile != ownPhone {
		t.Errorf("the new user is %+v", u)
	}
	s.wantAlive(t, "the session that was left", s.current, false)
	s.wantAlive(t, "the player's other session", s.earlier, true)
	switches := s.audit.audited(authcore.AuditPlayerSwitched)
	if len(switches) != 1 || switches[0].From != s.current.user || switches[0].User != u.ID {
		t.Errorf("player_switched audited as %+v", switches)
	}
}

// TestRefusalsBeforeTheSecondFactor: what the decision refuses needs no code.
func TestRefusalsBeforeTheSecondFactor(t *testing.T) {
	s := newSecured(t, func(w *world, s *secured) {
		s.owner = w.play(w.t, s.account, "", authcore.LinkFlags{})
		s.give(s.owner.user, ownPhone)
		s.current = w.newGuest(w.t)
	})
	before := s.snap(t)
	p, err := s.tryQQ(t, s.account, s.current.sid, authcore.LinkFlags{ErrorOnSwitch: true})
	if err != nil || p.Refused != authcore.RefusedSwitch || p.StateToken != "" || p.Status != "" || p.Owner == nil {
		t.Errorf("connect = %+v, %v", p, err)
	}
	if diff := cmp.Diff(before, s.snap(t)); diff != "" {
		t.Errorf("a refusal changed the store: %s", diff)
	}
}

// TestLinkThatWaitedIsJudgedAgain: half an hour may lie between.
func TestLinkThatWaitedIsJudgedAgain(t *testing.T) {
	for _, test := range []struct {
		name      string
		meanwhile func(s *secured)
		err       error
	}{
		{"the account is another's", func(s *secured) { s.play(s.t, s.account, "", authcore.LinkFlags{}) }, authcore.ErrTaken},
		{"the player has another account", func(s *secured) {
			link := authcore.Link{Identity: authcore.IdentityHash{1}, App: mainApp, OpenID: "another"}
			s.changeUser(s.current.user, func(u *authcore.User) { u.Links = append(u.Links, link) })
			s.write(func(tx authcore.Tx) { tx.PutLink(link, s.current.user) })
		}, authcore.ErrTaken},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSecured(t, guestWithPhone)
			out := s.wait(t, authcore.QQConnect{}, authcore.StatusMFAAuth)
			code := s.code("MFA_AUTH_SMS", ownPhone)
			s.lax(func() { test.meanwhile(s) })
			before := s.snap(t)
			_, err := s.try(s.FinishMFA, s.state(out), ownPhone, code)
			want(t, "finish", err, test.err)
			if diff := cmp.Diff(before.Users, s.snap(t).Users); diff != "" {
				t.Errorf("users: %s", diff)
			}
			s.wantAlive(t, "the player's session", s.current, true)
		})
	}
}

// TestLinkEndsWithThePlayersSession: whoever logs out takes back what they had begun.
func TestLinkEndsWithThePlayersSession(t *testing.T) {
	s := newSecured(t, guestWithPhone)
	out := s.wait(t, authcore.QQConnect{}, authcore.StatusMFAAuth)
	want(t, "log-out", s.EndSession(t.Context(), s.current.sid), nil)
	want(t, "the state_token", s.dead(out), authcore.ErrState)
}

// TestJoinWaitsForTheSecondFactor: an account of somebody whom its unionid names is
// a link like any other, for which the second factor comes first.
func TestJoinWaitsForTheSecondFactor(t *testing.T) {
	s := &secured{codeWorld: newCodeWorld(t, atGames, bothFactors, joined)}
	s.account, s.owner = s.unionStage()
	s.give(s.owner.user, ownPhone)
	s.lax(func() { s.current = s.newGuest(t) })
	out := s.wait(t, authcore.QQConnect{}, authcore.StatusMFAAuth)
	if got := s.finishMFA(t, out); got != s.owner.user {
		t.Errorf("the player is %s; want %s", got, s.owner.user)
	}
	if u := s.userRecord(s.owner.user); len(u.Links) != 2 {
		t.Errorf("the links are %+v", u.Links)
	}
}

// TestNameWaitsForTheSecondFactor: who has proved an account alone changes nothing.
func TestNameWaitsForTheSecondFactor(t *testing.T) {
	s := newSecured(t, func(w *world, s *secured) {
		s.owner = w.play(w.t, s.account, "", authcore.LinkFlags{})
		s.give(s.owner.user, ownPhone)
		s.current = w.newGuest(w.t)
	})
	s.qq.know(s.account.access, qqAccount{openID: s.account.openID, nickname: "after"})
	out := s.wait(t, authcore.QQConnect{SyncName: true}, authcore.StatusMFAAuth)
	s.finishMFA(t, out)
	if u := s.userRecord(s.owner.user); u.DisplayName != "after" || !u.Links[0].SyncName {
		t.Errorf("the owner is %q with %+v", u.DisplayName, u.Links)
	}
}
