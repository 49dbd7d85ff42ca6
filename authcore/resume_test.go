package authcore_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// resumedFor is how much longer a token is good that was exchanged: contract 4.
const resumedFor = time.Minute

// resumed resumes a session of the main client and returns its new token.
func (w *world) resumed(session string) string {
	w.t.Helper()
	p, err := w.Resume(w.t.Context(), mainClient, phone, session)
	return w.played(p, err).session
}

// uses are all calls that a token is good for, none of which changes it.
func (w *world) uses() map[string]func(string) error {
	ctx, g := w.t.Context(), w.guard(anyMethod)
	return map[string]func(string) error{
		"guard":    func(s string) error { return w.admit(g, s) },
		"identify": func(s string) error { _, err := g.Identify(ctx, s, ""); return err },
		"id_token": func(s string) error { _, err := w.IDToken(ctx, mainClient, phone, s); return err },
		"playing":  func(s string) error { _, _, err := w.Playing(ctx, mainClient, s); return err },
		"ticket":   func(s string) error { _, err := w.IssueTicket(ctx, mainClient, phone, s, ""); return err },
		"attend": func(s string) error {
			leave, err := w.Attend(ctx, mainClient, secretOf(s), func(bool) {})
			if err == nil {
				leave()
			}
			return err
		},
	}
}

// good wants every use of a token to succeed, or to be refused.
func (w *world) good(what, session string, expected error) {
	w.t.Helper()
	for name, use := range w.uses() {
		want(w.t, what+": "+name, use(session), expected)
	}
}

func TestResume(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	before := w.session(p.sid)
	w.clock.step(3 * time.Hour)
	play, err := w.Resume(t.Context(), mainClient, phone, p.session)
	fresh := w.played(play, err)
	if play.Session != p.sid || play.User != p.user || play.Name != "nickname 1" || play.Created || play.Grant.IDToken != "" ||
		fresh.session == p.session || play.Grant.ExpiresIn != 165*time.Hour {
		t.Errorf("resumed as %+v", play)
	}
	after := w.session(p.sid)
	if after.Client != before.Client || after.Device != before.Device || !slices.Equal(after.Methods, before.Methods) ||
		!after.AuthTime.Equal(before.AuthTime) || !after.Expires.Equal(before.Expires) || after.Epoch != before.Epoch ||
		after.Token != authcore.HashToken(fresh.session) || !after.Issued.Equal(w.clock.Now()) ||
		after.Previous != (authcore.TokenHash{}) {
		t.Errorf("the session went from %+v to %+v", before, after)
	}
	if all, err := w.Sessions(t.Context(), p.user); err != nil || len(all) != 1 {
		t.Errorf("%d sessions, %v; want one", len(all), err)
	}
	if got := sole(t, w.audit.audited(authcore.AuditSessionResumed)); got.Session != p.sid || got.User != p.user || got.Client != mainClient {
		t.Errorf("audited as %+v", got)
	}
	w.tellsNothing(nil, p.session, fresh.session)
}

// TestTokenOfBeforeIsGoodForAMinute everywhere, from the cache and from the store, and
// then nowhere, however warm the cache is.
func TestTokenOfBeforeIsGoodForAMinute(t *testing.T) {
	for name, cold := range map[string]bool{"cached": false, "from the store": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, games)
			p := w.newPlayer()
			w.good("before", p.session, nil) // an entry that does not know of its end
			fresh := w.resumed(p.session)
			for _, step := range []time.Duration{0, time.Second, 20 * time.Second, 20 * time.Second, 19*time.Second - 1} {
				w.clock.step(step)
				if cold {
					w.node.Evict()
				}
				w.good("the old one", p.session, nil)
				w.good("the new one", fresh, nil)
			}
			w.clock.step(1)
			if cold {
				w.node.Evict()
			}
			w.good("the old one after a minute", p.session, authcore.ErrSession)
			_, err := w.Resume(t.Context(), mainClient, phone, p.session)
			want(t, "resuming by it", err, authcore.ErrSession)
			_, err = w.Refresh(t.Context(), mainClient, phone, p.session)
			want(t, "refreshing by it", err, authcore.ErrSession)
			want(t, "logging it out", w.Logout(t.Context(), mainClient, p.session, ""), nil)
			w.good("the new one after all that", fresh, nil)
			if w.audit.count(authcore.AuditSessionReplay)+w.audit.count(authcore.AuditSessionEnd) != 0 {
				t.Error("taken for stolen")
			}
		})
	}
}

// TestLogoutByTheTokenOfBefore ends the session.
func TestLogoutByTheTokenOfBefore(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	fresh := w.resumed(p.session)
	w.clock.step(resumedFor - 1)
	w.good("the new one", fresh, nil)
	want(t, "log-out", w.Logout(t.Context(), mainClient, p.session, ""), nil)
	w.good("the old one", p.session, authcore.ErrSession)
	w.good("the new one", fresh, authcore.ErrSession)
}

// TestRefreshByTheTokenOfBefore works within its minute, and takes both tokens away.
func TestRefreshByTheTokenOfBefore(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	other := w.resumed(p.session)
	w.good("the old one", p.session, nil)
	w.clock.step(resumedFor - 1)
	lost := w.refreshed(p.session)
	w.good("the token of before", p.session, authcore.ErrSession)
	w.good("the resumed one", other, authcore.ErrSession)
	w.clock.step(10 * time.Second)
	fresh := w.refreshed(p.session) // the answer was lost
	w.good("the lost one", lost, authcore.ErrSession)
	w.good("the last one", fresh, nil)
	if w.session(p.sid).ID != p.sid {
		t.Error("another session")
	}
	_, err := w.Refresh(t.Context(), mainClient, phone, p.session)
	want(t, "refresh of before the use", err, authcore.ErrSession)
	w.clock.step(time.Hour)
	_, err = w.Refresh(t.Context(), mainClient, phone, p.session)
	want(t, "refresh long after", err, authcore.ErrSession)
	w.good("the last one after all that", fresh, nil)
	if w.audit.count(authcore.AuditSessionReplay) != 0 {
		t.Error("taken for stolen")
	}
}

// TestRefreshOfAResumedSession is a refresh like any other: the token that it was asked
// for with dies at once, and is stolen if it comes back. What the game exchanged before
// goes on for its minute.
func TestRefreshOfAResumedSession(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	second := w.resumed(p.session)
	third := w.refreshed(second)
	w.good("the one exchanged", p.session, nil)
	w.good("the one refreshed", second, authcore.ErrSession)
	w.good("the last one", third, nil)
	w.clock.step(resumedFor)
	w.good("the one exchanged, a minute later", p.session, authcore.ErrSession)
	_, err := w.Refresh(t.Context(), mainClient, phone, p.session)
	want(t, "refresh by it", err, authcore.ErrSession)
	w.good("the last one", third, nil)
	_, err = w.Refresh(t.Context(), mainClient, phone, second)
	want(t, "replay", err, authcore.ErrSession)
	w.good("the last one after the replay", third, authcore.ErrSession)
	if w.audit.count(authcore.AuditSessionReplay) != 1 {
		t.Error("the replay is not audited")
	}
}

// TestReplayBeforeAResume: what a refresh has retired is as stolen as ever when a game
// has resumed the session since.
func TestReplayBeforeAResume(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	fresh := w.resumed(w.refreshed(p.session))
	_, err := w.Resume(t.Context(), mainClient, phone, p.session)
	want(t, "resuming by a refreshed token", err, authcore.ErrSession)
	w.good("the session", fresh, nil)
	_, err = w.Refresh(t.Context(), mainClient, phone, p.session)
	want(t, "replay", err, authcore.ErrSession)
	w.good("the session after the replay", fresh, authcore.ErrSession)
}

// TestChainOfResumes: each token is good for its own minute.
func TestChainOfResumes(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	tokens := []string{p.session}
	for range 5 {
		w.clock.step(25 * time.Second)
		tokens = append(tokens, w.resumed(tokens[len(tokens)-1]))
		for i, s := range tokens {
			age := time.Duration(len(tokens)-2-i) * 25 * time.Second // since it was exchanged
			if age < resumedFor {
				w.good("a token", s, nil)
			} else {
				w.good("a token after its minute", s, authcore.ErrSession)
			}
		}
	}
	if s := w.session(p.sid); s.Token != authcore.HashToken(tokens[5]) {
		t.Error("the last token is not the session's")
	}
}

// TestLostAnswerOfAResume: the game asks again with what it has, as often as it must.
func TestLostAnswerOfAResume(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	first := w.resumed(p.session)
	w.clock.step(40 * time.Second)
	second := w.resumed(p.session)
	w.clock.step(20*time.Second - 1)
	third := w.resumed(p.session)
	for name, s := range map[string]string{"the one of before": p.session, "first": first, "second": second, "third": third} {
		w.good(name, s, nil)
	}
	w.clock.step(1)
	w.good("the one of before, whose minute is not prolonged", p.session, authcore.ErrSession)
	w.good("the first, exchanged by the second", first, nil)
	w.clock.step(resumedFor)
	w.good("the first", first, authcore.ErrSession)
	w.good("the second", second, authcore.ErrSession)
	w.good("the third", third, nil)
}

// TestResumesAtOnce: all answers are good for the minute, and one for longer.
func TestResumesAtOnce(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	var mu sync.Mutex
	var tokens []string
	together(32, func(int) {
		play, err := w.Resume(t.Context(), mainClient, phone, p.session)
		if err != nil || play.Session != p.sid {
			t.Errorf("resume: %+v, %v", play, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		tokens = append(tokens, play.Grant.Token.Reveal())
	})
	g := w.guard()
	alive := func() (n int) {
		for _, s := range tokens {
			if w.admit(g, s) == nil {
				n++
			}
		}
		return n
	}
	if n := alive(); n != 32 {
		t.Errorf("%d of 32 are good", n)
	}
	w.clock.step(resumedFor)
	if n := alive(); n != 1 {
		t.Errorf("%d are good after the minute; want one", n)
	}
}

// TestRevocationTakesBothTokens at once.
func TestRevocationTakesBothTokens(t *testing.T) {
	for name, revoke := range map[string]func(*world, player) error{
		"one session": func(w *world, p player) error { return w.EndSession(w.t.Context(), p.sid) },
		"all":         func(w *world, p player) error { return w.EndSessions(w.t.Context(), p.user) },
		"disabling":   func(w *world, p player) error { return w.Disable(w.t.Context(), p.user) },
		"erasing":     func(w *world, p player) error { return w.DeleteAccount(w.t.Context(), mainClient, phone, p.sid) },
		"end of play": func(w *world, p player) error {
			_, err := w.EndPlay(w.t.Context(), mainClient, phone, p.sid)
			return err
		},
		"the 21st": func(w *world, p player) error { w.clock.step(time.Second); return w.twenty(p) },
		"by the other": func(w *world, p player) error {
			return w.ChangeDetails(w.t.Context(), mainClient, phone, w.again(p).sid, w.aName())
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, games)
			p := w.newPlayer()
			fresh := w.resumed(p.session)
			w.good("the old one", p.session, nil)
			w.good("the new one", fresh, nil)
			want(t, name, revoke(w, p), nil)
			w.good("the old one afterwards", p.session, authcore.ErrSession)
			w.good("the new one afterwards", fresh, authcore.ErrSession)
			for _, s := range []string{p.session, fresh} {
				_, err := w.Resume(t.Context(), mainClient, phone, s)
				want(t, "resume afterwards", err, authcore.ErrSession)
				_, err = w.Refresh(t.Context(), mainClient, phone, s)
				want(t, "refresh afterwards", err, authcore.ErrSession)
			}
		})
	}
}

// twenty logs a player in twenty times more.
func (w *world) twenty(p player) error {
	for range 20 {
		w.again(p)
	}
	return nil
}

// aName is a change that ends other sessions.
func (w *world) aName() (d authcore.Details) {
	newUserName("a new name")(&d)
	return d
}

// TestSessionEndsBeforeTheMinute: the token of before does not outlive it.
func TestSessionEndsBeforeTheMinute(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	w.clock.step(168*time.Hour - 30*time.Second)
	fresh := w.resumed(p.session)
	w.good("the old one", p.session, nil)
	w.clock.step(30*time.Second - 1)
	w.good("the old one at the end", p.session, nil)
	w.clock.step(1)
	w.good("the old one after the end", p.session, authcore.ErrSession)
	w.good("the new one after the end", fresh, authcore.ErrSession)
}

func TestSessionsThatAreNotResumed(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	resume := func(client authcore.ClientID, session string) error {
		play, err := w.Resume(t.Context(), client, phone, session)
		if err != nil && (!play.Grant.Token.IsZero() || play.User != "") {
			t.Errorf("refused with %+v", play)
		}
		return err
	}
	for _, client := range []authcore.ClientID{receiverClient, foreignClient, secondClient} {
		want(t, string(client), resume(client, p.session), authcore.ErrSession)
	}
	want(t, "an unknown client", resume("nobody", p.session), authcore.ErrUnknownClient)
	w.store.takeCalls()
	for _, invented := range []string{"", "x", p.session[:31] + "!", string(p.sid)} {
		want(t, "an invented one", resume(mainClient, invented), authcore.ErrSession)
	}
	if got := w.store.takeCalls(); got != (calls{}) {
		t.Errorf("the store was asked %+v for what was invented", got)
	}
	want(t, "one that is nobody's", resume(mainClient, w.keys.Ring().NewOpaque(authcore.KindSession).Reveal()), authcore.ErrSession)
	w.good("after all that", p.session, nil)
	w.store.undone.Store(true)
	want(t, "a store that forgets", resume(mainClient, p.session), authcore.ErrUnavailable)
	w.store.undone.Store(false)
	w.store.refuseWrites(authcore.ErrUnavailable)
	want(t, "a store without room", resume(mainClient, p.session), authcore.ErrUnavailable)
	w.store.refuseWrites(nil)
	w.clock.step(resumedFor)
	w.good("a minute later", p.session, nil)
	w.clock.step(168 * time.Hour)
	want(t, "one that has expired", resume(mainClient, p.session), authcore.ErrSession)
}

// TestSecondFactorDemandedMeanwhile: a session without it is not resumed, and goes on
// as it was.
func TestSecondFactorDemandedMeanwhile(t *testing.T) {
	for _, test := range []struct {
		name    string
		session func(*codeWorld) player
		phone   bool
		status  authcore.Status
		proved  string
	}{
		{"a device, with a phone", func(w *codeWorld) player { return w.guest("one") }, true, authcore.StatusMFAAuth, "device sms"},
		{"a password, with a phone", func(w *codeWorld) player { return w.register("alice", "pw") }, true, authcore.StatusMFAAuth, "pwd sms"},
		{"QQ, with a phone", func(w *codeWorld) player { return w.newPlayer() }, true, authcore.StatusMFAAuth, "qq sms"},
		{"a device", func(w *codeWorld) player { return w.guest("one") }, false, authcore.StatusAccessDenied, ""},
		{"a password", func(w *codeWorld) player { return w.register("alice", "pw") }, false, authcore.StatusAccessDenied, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newCodeWorld(t, games)
			p := test.session(w)
			if test.phone {
				w.give(p.user, ownPhone)
			}
			cfg := w.cfg
			cfg.Clients = slices.Clone(cfg.Clients)
			mfa(authcore.WayPhone)(&cfg)
			w.Service = w.service(cfg)
			token := w.session(p.sid).Token
			play, err := w.Resume(t.Context(), mainClient, phone, p.session)
			if err != nil || play.Status != test.status || !play.Grant.Token.IsZero() || play.User != "" || play.Session != "" {
				t.Fatalf("resume = %+v, %v; want %s", play, err, test.status)
			}
			if w.session(p.sid).Token != token || w.audit.count(authcore.AuditSessionResumed) != 0 {
				t.Error("the session was resumed")
			}
			if (play.StateToken != "") != test.phone {
				t.Errorf("the state_token is %q", play.StateToken)
			}
			if !test.phone {
				return
			}
			done := w.finish(w.FinishMFA, play.Outcome, ownPhone, w.code("MFA_AUTH_SMS", ownPhone), authcore.StatusSuccess)
			if got := w.methods(done); got != test.proved || w.idToken(done.Grant.IDToken).Subject != string(p.user) {
				t.Errorf("proved by %q; want %q", got, test.proved)
			}
			again := w.resumed(done.Grant.Token.Reveal())
			want(t, "the session with both, resumed", w.admit(w.guard(func(cfg *authcore.GuardConfig) { cfg.RequireMFA = true }), again), nil)
		})
	}
}

// TestIdleSessionIsResumed while it is used, and a resume is a use.
func TestIdleSessionIsResumed(t *testing.T) {
	const idle = 10 * time.Minute
	w := newWorld(t, games, idling(idle))
	p := w.newPlayer()
	for range 5 {
		w.clock.step(idle - time.Second)
		p.session = w.resumed(p.session)
	}
	w.clock.step(idle + idle/5)
	_, err := w.Resume(t.Context(), mainClient, phone, p.session)
	want(t, "one that went unused", err, authcore.ErrSession)
	w.good("afterwards", p.session, authcore.ErrSession)
}

// TestUseByTheTokenOfBeforeIsAUse.
func TestUseByTheTokenOfBeforeIsAUse(t *testing.T) {
	const idle = time.Minute
	w := newWorld(t, games, idling(idle))
	p := w.newPlayer()
	fresh := w.resumed(p.session)
	w.clock.step(50 * time.Second)
	at := w.clock.Now()
	_, _, err := w.Playing(t.Context(), mainClient, p.session)
	want(t, "a use by the old one", err, nil)
	if got := w.session(p.sid).LastUse; !got.Equal(at) {
		t.Errorf("last used %s; want %s", got, at)
	}
	w.clock.step(50 * time.Second)
	_, _, err = w.Playing(t.Context(), mainClient, fresh)
	want(t, "the new one", err, nil)
}

// TestResumeIsHeardEverywhere: another node holds the session under its old token as
// one that does not end.
func TestResumeIsHeardEverywhere(t *testing.T) {
	w := newWorld(t, games)
	b := w.secondNode()
	p := w.newPlayer()
	want(t, "at the other node", w.admit(b.guard, p.session), nil)
	fresh := w.resumed(p.session)
	b.store.change(t, func() { b.store.heard = []authcore.Event{{User: p.user, Session: p.sid}} })
	want(t, "the old one there", w.admit(b.guard, p.session), nil)
	w.clock.step(resumedFor)
	want(t, "the old one there, a minute later", w.admit(b.guard, p.session), authcore.ErrSession)
	want(t, "the new one there", w.admit(b.guard, fresh), nil)
	// And what the other node tells.
	b.store.takeTold()
	_, err := b.Resume(t.Context(), mainClient, phone, fresh)
	want(t, "resume there", err, nil)
	if told := b.store.takeTold(); !slices.Contains(told, authcore.Event{User: p.user, Session: p.sid}) {
		t.Errorf("announced: %+v", told)
	}
}

// TestResumeInAStoreThatRunsTwice retires one token.
func TestResumeInAStoreThatRunsTwice(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	w.store.twice.Store(true)
	fresh := w.resumed(p.session)
	w.store.twice.Store(false)
	w.good("the old one", p.session, nil)
	w.good("the new one", fresh, nil)
}

// TestLiveRequestsOutliveTheTokenOfBefore: what was let in by it, before the resume or
// within its minute, goes on as long as the session, as it does after a refresh.
func TestLiveRequestsOutliveTheTokenOfBefore(t *testing.T) {
	w := newWorld(t, games)
	p := w.newPlayer()
	g := w.guard()
	before, err := g.Admit(t.Context(), p.session, "")
	want(t, "a request before", err, nil)
	defer before.Release()
	fresh := w.resumed(p.session)
	within, err := g.Admit(t.Context(), p.session, "")
	want(t, "a request within the minute", err, nil)
	defer within.Release()
	connection, leave := w.attend(player{session: p.session})
	defer leave()
	w.clock.step(resumedFor + time.Second)
	w.node.Beat()
	want(t, "the session", w.admit(g, fresh), nil)
	if before.Context().Err() != nil {
		t.Error("the request from before has ended")
	}
	if within.Context().Err() != nil {
		t.Error("the request within the minute has ended, and its session lives")
	}
	if connection.told() != 0 {
		t.Errorf("the connection is told that its session is terminated (%d), and it lives", connection.terminated.Load())
	}
	want(t, "the end", w.EndSession(t.Context(), p.sid), nil)
	awaitEnd(t, before)
	awaitEnd(t, within)
	if _, err := w.Resume(t.Context(), mainClient, phone, fresh); !errors.Is(err, authcore.ErrSession) {
		t.Errorf("resume after the end: %v", err)
	}
}
