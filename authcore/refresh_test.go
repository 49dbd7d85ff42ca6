package authcore_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// refreshed refreshes a session and returns its new token.
func (w *world) refreshed(session string) string {
	w.t.Helper()
	grant, err := w.Refresh(w.t.Context(), mainClient, phone, session)
	if err != nil {
		w.t.Fatalf("refresh: %v", err)
	}
	return grant.Token.Reveal()
}

// session reads a session record by its public id.
func (w *world) session(id authcore.SessionID) (s authcore.Session) {
	w.t.Helper()
	err := w.store.Store.View(w.t.Context(), func(tx authcore.Tx) (err error) {
		s, _, err = tx.SessionByID(id)
		return err
	})
	if err != nil {
		w.t.Fatalf("read the session: %v", err)
	}
	return s
}

func TestRefreshKeepsWhatTheSessionRestsOn(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	before := w.session(p.sid)
	w.clock.step(3 * time.Hour)
	grant, err := w.Refresh(t.Context(), mainClient, phone, p.session)
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	if left := 165 * time.Hour; grant.ExpiresIn != left {
		t.Errorf("expires in %s; want what is left, %s", grant.ExpiresIn, left)
	}
	after := w.session(p.sid)
	if after.Client != before.Client || after.Device != before.Device || !slices.Equal(after.Methods, before.Methods) ||
		!after.AuthTime.Equal(before.AuthTime) || !after.Expires.Equal(before.Expires) || after.User != before.User {
		t.Errorf("refresh changed the session from %+v to %+v", before, after)
	}
	if after.Token == before.Token || !after.Issued.Equal(w.clock.Now()) {
		t.Error("the token or its time of issue stayed")
	}
}

func TestOldTokenDiesAtOnce(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	want(t, "admission before", w.admit(g, p.session), nil)
	fresh := w.refreshed(p.session)
	want(t, "admission of the old token", w.admit(g, p.session), authcore.ErrSession)
	want(t, "admission of the new token, which the old one did not end", w.admit(g, fresh), nil)
	_, err := w.IDToken(t.Context(), mainClient, phone, p.session)
	want(t, "id_token for the old token", err, authcore.ErrSession)
	_, err = w.IssueTicket(t.Context(), mainClient, phone, p.session, "")
	want(t, "ticket for the old token", err, authcore.ErrSession)
	want(t, "log-out of the old token", w.Logout(t.Context(), mainClient, p.session, ""), nil)
	want(t, "admission of the new token after all that", w.admit(g, fresh), nil)
}

func TestLiveRequestsOutliveARefresh(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	pass, err := w.guard().Admit(t.Context(), p.session, "")
	if err != nil {
		t.Fatalf("admit: %v", err)
	}
	defer pass.Release()
	fresh := w.refreshed(p.session)
	want(t, "log-out", w.Logout(t.Context(), mainClient, fresh, ""), nil)
	awaitEnd(t, pass) // but not the session's end, whatever token they came with
}

func TestLostAnswerOfARefresh(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	lost := w.refreshed(p.session)
	w.clock.step(10 * time.Second)
	second := w.refreshed(p.session)
	w.clock.step(20*time.Second - 1)
	third := w.refreshed(p.session)
	for _, dead := range []string{p.session, lost, second} {
		want(t, "admission of a token that was replaced", w.admit(g, dead), authcore.ErrSession)
	}
	want(t, "admission of the last one", w.admit(g, third), nil)
}

// TestReplay is about a stolen token: whoever refreshes second, thief or owner,
// ends the session for both.
func TestReplay(t *testing.T) {
	for _, test := range []struct {
		name string
		use  func(*world, *authcore.Guard, string) error // of the successor
	}{
		{"after the window", func(w *world, _ *authcore.Guard, _ string) error { w.clock.step(30 * time.Second); return nil }},
		{"after use at the guard", func(w *world, g *authcore.Guard, s string) error { return w.admit(g, s) }},
		{"after use for a ticket", func(w *world, _ *authcore.Guard, s string) error {
			_, err := w.IssueTicket(w.t.Context(), mainClient, phone, s, "")
			return err
		}},
		{"after use for an id_token", func(w *world, _ *authcore.Guard, s string) error {
			_, err := w.IDToken(w.t.Context(), mainClient, phone, s)
			return err
		}},
		{"after use for a refresh", func(w *world, _ *authcore.Guard, s string) error {
			_, err := w.Refresh(w.t.Context(), mainClient, phone, s)
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.newPlayer()
			g := w.guard()
			child, _ := w.raw(p.user, func(s *authcore.Session) { s.Parent = p.sid })
			other := w.again(p)
			fresh := w.refreshed(p.session)
			ticket := w.ticket(other)
			want(t, "use", test.use(w, g, fresh), nil)
			_, err := w.Refresh(t.Context(), mainClient, phone, p.session)
			want(t, "refresh of the old token", err, authcore.ErrSession)
			want(t, "admission of the successor", w.admit(g, fresh), authcore.ErrSession)
			want(t, "admission of the child", w.admit(g, child), authcore.ErrSession)
			want(t, "admission of the user's other session", w.admit(g, other.session), nil)
			_, err = w.RedeemTicket(t.Context(), mainClient, phone, ticket)
			want(t, "ticket of the other session", err, nil)
			if w.audit.count(authcore.AuditSessionReplay) != 1 {
				t.Error("the replay is not audited")
			}
		})
	}
}

func TestForeignRefreshHasNoEffect(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	fresh := w.refreshed(p.session)
	w.clock.step(31 * time.Second)
	thief := phone
	thief.Fingerprint = "another device"
	nameless := phone
	nameless.Fingerprint = ""
	for name, refresh := range map[string]func(string) error{
		"another tenant": func(s string) error { _, err := w.Refresh(t.Context(), foreignClient, phone, s); return err },
		"another device": func(s string) error { _, err := w.Refresh(t.Context(), mainClient, thief, s); return err },
		"a nameless one": func(s string) error { _, err := w.Refresh(t.Context(), mainClient, nameless, s); return err },
	} {
		want(t, "refresh of the current token by "+name, refresh(fresh), authcore.ErrSession)
		want(t, "refresh of the old token by "+name, refresh(p.session), authcore.ErrSession)
	}
	for _, s := range []string{fresh, p.session} {
		_, err := w.Refresh(t.Context(), "nobody", phone, s)
		want(t, "refresh by an unknown one", err, authcore.ErrUnknownClient)
	}
	want(t, "admission", w.admit(w.guard(), fresh), nil)
}

func TestHundredRefreshesLeaveOneLivingToken(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	var mu sync.Mutex
	tokens := []string{p.session}
	together(100, func(int) {
		grant, err := w.Refresh(t.Context(), mainClient, phone, p.session)
		if err != nil {
			t.Errorf("refresh: %v", err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		tokens = append(tokens, grant.Token.Reveal())
	})
	alive := 0
	for _, s := range tokens {
		if w.admit(g, s) == nil {
			alive++
		}
	}
	if alive != 1 {
		t.Errorf("%d of %d tokens live; want 1", alive, len(tokens))
	}
}

func TestRefreshesAndUsesTogetherNeverLeaveTwoTokens(t *testing.T) {
	for range 5 {
		w := newWorld(t)
		p := w.newPlayer()
		g := w.guard()
		var mu sync.Mutex
		tokens := []string{p.session}
		together(40, func(int) {
			grant, err := w.Refresh(t.Context(), mainClient, phone, p.session)
			if err != nil {
				return // the family has ended
			}
			s := grant.Token.Reveal()
			_ = w.admit(g, s)
			mu.Lock()
			defer mu.Unlock()
			tokens = append(tokens, s)
		})
		alive := 0
		for _, s := range tokens {
			if w.admit(g, s) == nil {
				alive++
			}
		}
		if alive > 1 {
			t.Errorf("%d tokens live; want at most one", alive)
		}
	}
}

func TestRefreshBindsTheFirstDevice(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	nameless, _ := w.raw(p.user, func(*authcore.Session) {})
	fresh := w.refreshed(nameless)
	thief := phone
	thief.Fingerprint = "another device"
	_, err := w.Refresh(t.Context(), mainClient, thief, fresh)
	want(t, "refresh on another device", err, authcore.ErrSession)
	_, err = w.Refresh(t.Context(), mainClient, phone, fresh)
	want(t, "refresh on the first device", err, nil)
}

func TestDeadSessionsAreNotRefreshed(t *testing.T) {
	w := newWorld(t)
	for name, end := range map[string]func(player) error{
		"logged out": func(p player) error { return w.Logout(t.Context(), mainClient, p.session, "") },
		"disabled":   func(p player) error { return w.Disable(t.Context(), p.user) },
		"expired":    func(player) error { w.clock.step(168 * time.Hour); return nil },
	} {
		p := w.newPlayer()
		want(t, name, end(p), nil)
		_, err := w.Refresh(t.Context(), mainClient, phone, p.session)
		want(t, "refresh of a session that is "+name, err, authcore.ErrSession)
	}
}
