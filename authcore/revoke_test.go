package authcore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// TestEndsOfSessions is every way to end a session, seen from the guard: what
// was cached gets in nowhere when the call returns.
func TestEndsOfSessions(t *testing.T) {
	type names = []string
	for _, test := range []struct {
		name string
		end  func(*world, player) error
		dead names // of own, child, grandchild, other, stranger
	}{
		{"log-out by token", func(w *world, p player) error {
			return w.Logout(w.t.Context(), mainClient, p.session, "")
		}, names{"own", "child", "grandchild"}},
		{"log-out by id_token", func(w *world, p player) error {
			return w.Logout(w.t.Context(), mainClient, "", w.freshIDToken(p))
		}, names{"own", "child", "grandchild"}},
		{"log-out by an id_token that has expired", func(w *world, p player) error {
			raw := w.freshIDToken(p)
			w.clock.step(3 * time.Hour)
			return w.Logout(w.t.Context(), mainClient, "", raw)
		}, names{"own", "child", "grandchild"}},
		{"the token decides, not the id_token", func(w *world, p player) error {
			return w.Logout(w.t.Context(), mainClient, strings.Repeat("x", 32), w.freshIDToken(p))
		}, nil},
		{"log-out by another client's token", func(w *world, p player) error {
			return w.Logout(w.t.Context(), foreignClient, p.session, "")
		}, nil},
		{"log-out by another client's id_token", func(w *world, p player) error {
			return w.Logout(w.t.Context(), foreignClient, "", w.freshIDToken(p))
		}, nil},
		{"log-out by nonsense", func(w *world, _ player) error {
			return w.Logout(w.t.Context(), mainClient, "", "no.token.atall")
		}, nil},
		{"log-out of nothing", func(w *world, _ player) error {
			return w.Logout(w.t.Context(), mainClient, "", "")
		}, nil},
		{"end by public id", func(w *world, p player) error {
			return w.EndSession(w.t.Context(), p.sid)
		}, names{"own", "child", "grandchild"}},
		{"end of all", func(w *world, p player) error {
			return w.EndSessions(w.t.Context(), p.user)
		}, names{"own", "child", "grandchild", "other"}},
		{"disabling", func(w *world, p player) error {
			return w.Disable(w.t.Context(), p.user)
		}, names{"own", "child", "grandchild", "other"}},
		{"disabling and enabling", func(w *world, p player) error {
			if err := w.Disable(w.t.Context(), p.user); err != nil {
				return err
			}
			return w.Enable(w.t.Context(), p.user)
		}, names{"own", "child", "grandchild", "other"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			g := w.guard()
			p := w.newPlayer()
			child, childID := w.raw(p.user, func(s *authcore.Session) { s.Parent = p.sid })
			grandchild, _ := w.raw(p.user, func(s *authcore.Session) { s.Parent = childID })
			sessions := map[string]string{
				"own": p.session, "child": child, "grandchild": grandchild,
				"other": w.again(p).session, "stranger": w.newPlayer().session,
			}
			for name, session := range sessions {
				want(t, "admission of "+name+" before", w.admit(g, session), nil)
			}
			want(t, test.name, test.end(w, p), nil)
			for name, session := range sessions {
				var expected error
				if slices.Contains(test.dead, name) {
					expected = authcore.ErrSession
				}
				want(t, "admission of "+name, w.admit(g, session), expected)
				_, err := w.IDToken(t.Context(), mainClient, phone, session)
				want(t, "id_token of "+name, err, expected)
			}
		})
	}
}

// TestSessionThatEscapesTheListEndsToo: the list helps to find sessions, and
// nobody may stay in because it has lost one.
func TestSessionThatEscapesTheListEndsToo(t *testing.T) {
	for name, end := range map[string]func(*world, player) error{
		"log-out":    func(w *world, p player) error { return w.Logout(w.t.Context(), mainClient, p.session, "") },
		"end of all": func(w *world, p player) error { return w.EndSessions(w.t.Context(), p.user) },
		"disabling":  func(w *world, p player) error { return w.Disable(w.t.Context(), p.user) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.newPlayer()
			g := w.guard()
			pass, err := g.Admit(t.Context(), p.session, "")
			if err != nil {
				t.Fatalf("admit: %v", err)
			}
			defer pass.Release()
			w.store.forgetful.Store(true)
			want(t, name, end(w, p), nil)
			want(t, "admission", w.admit(g, p.session), authcore.ErrSession)
			awaitEnd(t, pass)
		})
	}
}

// freshIDToken is an id_token of a player's session.
func (w *world) freshIDToken(p player) string {
	w.t.Helper()
	grant, err := w.IDToken(w.t.Context(), mainClient, phone, p.session)
	if err != nil {
		w.t.Fatalf("id_token: %v", err)
	}
	return grant.IDToken
}

func TestLogoutCountsWhatItEnded(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	for range 2 {
		want(t, "log-out", w.Logout(t.Context(), mainClient, p.session, ""), nil)
	}
	if n := w.audit.count(authcore.AuditSessionEnd); n != 1 {
		t.Errorf("two log-outs of one session were audited %d times; want once", n)
	}
}

func TestEndSessionThatIsNone(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	want(t, "end", w.EndSession(t.Context(), p.sid), nil)
	want(t, "second end", w.EndSession(t.Context(), p.sid), authcore.ErrSession)
	want(t, "end of nothing", w.EndSession(t.Context(), ""), authcore.ErrSession)
}

func TestAdministeringNobody(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, byID := w.UserByID(ctx, "nobody")
	_, byOpenID := w.UserByOpenID(ctx, mainApp, "nobody")
	_, sessions := w.Sessions(ctx, "nobody")
	for name, err := range map[string]error{
		"user": byID, "user by open id": byOpenID, "sessions": sessions,
		"disable": w.Disable(ctx, "nobody"), "enable": w.Enable(ctx, "nobody"),
		"end of sessions": w.EndSessions(ctx, "nobody"), "segments": w.SetSegments(ctx, "nobody", nil),
	} {
		want(t, name, err, authcore.ErrNoUser)
	}
}

func TestSessionsLists(t *testing.T) {
	w := newWorld(t)
	first := w.newPlayer()
	w.clock.step(time.Second)
	second := w.loginAt(foreignClient, first)
	w.clock.step(time.Second)
	w.raw(first.user, func(s *authcore.Session) { s.Expires = s.Issued.Add(time.Second) })
	gone := w.again(first)
	want(t, "log-out", w.Logout(t.Context(), mainClient, gone.session, ""), nil)
	w.clock.step(time.Second)
	sessions, err := w.Sessions(t.Context(), first.user)
	if err != nil || len(sessions) != 2 || sessions[0].ID != second.sid || sessions[1].ID != first.sid {
		t.Errorf("sessions = %+v, %v; want the two that live, the newest first", sessions, err)
	}
	if len(sessions) > 0 && (sessions[0].OS != phone.OS || sessions[0].IP != phone.Addr.String() || sessions[0].DeviceIP != phone.DeviceIP) {
		t.Errorf("the session is described as %+v", sessions[0])
	}
}

// TestCallersWordsAreBounded: a session record is at most 1 KiB, whatever the
// headers were.
func TestCallersWordsAreBounded(t *testing.T) {
	w := newWorld(t)
	a := w.newAccount()
	loud := phone
	loud.OS, loud.Agent, loud.DeviceIP = strings.Repeat("系", 1000), strings.Repeat("\xff", 1000), "not an address"
	out, err := w.LoginQQ(t.Context(), mainClient, loud, a.access, a.openID)
	if err != nil {
		t.Fatalf("login: %v", err)
	}
	s := w.session(authcore.SessionID(w.idToken(out.Grant.IDToken).Session))
	if s.OS != strings.Repeat("系", 42) || s.Agent != "" || s.DeviceIP != "" {
		t.Errorf("recorded %q, %q, %q", s.OS, s.Agent, s.DeviceIP)
	}
}

func TestSegmentsAreSeenAtOnce(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard(func(cfg *authcore.GuardConfig) { cfg.Segments = map[string]string{"tier": "gold"} })
	open := w.guard(func(cfg *authcore.GuardConfig) { cfg.Audience = audience })
	pass, err := open.Admit(t.Context(), p.session, "")
	if err != nil {
		t.Fatalf("admit: %v", err)
	}
	defer pass.Release()
	for _, step := range []struct {
		tier string
		want error
	}{{"silver", authcore.ErrDenied}, {"gold", nil}, {"", authcore.ErrDenied}} {
		segments := map[string]string{"tier": step.tier}
		want(t, "set segments", w.SetSegments(t.Context(), p.user, segments), nil)
		segments["tier"] = "changed after the call"
		want(t, "admission of "+step.tier, w.admit(g, p.session), step.want)
		if _, claims := w.assertion(open, p.session); claims.Segments["tier"] != step.tier {
			t.Errorf("the assertion says %v; want %s", claims.Segments, step.tier)
		}
	}
	if pass.Context().Err() != nil {
		t.Error("a change of segments ended a request")
	}
}

func TestSegmentLimits(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	many := make(map[string]string)
	for i := range 33 {
		many[strings.Repeat("n", i+1)] = "v"
	}
	for name, segments := range map[string]map[string]string{
		"33 of them": many, "an empty name": {"": "v"}, "a name of 65": {strings.Repeat("n", 65): "v"},
		"a name with a space": {"a b": "v"}, "a long value": {"n": strings.Repeat("v", 257)},
		"a control character": {"n": "a\nb"}, "no UTF-8": {"n": "\xff"},
	} {
		want(t, name, w.SetSegments(t.Context(), p.user, segments), authcore.ErrSegments)
	}
	good := map[string]string{strings.Repeat("n", 64): strings.Repeat("v", 256), "a.B_9-": ""}
	want(t, "good segments", w.SetSegments(t.Context(), p.user, good), nil)
}
