package gamesparks_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

const sessionTerminated = `{"@class":".SessionTerminatedMessage","authToken":"0"}`

// playing is a game whose player is signed in with a token.
func (w *world) playing(t testing.TB, token string, session authcore.SessionID, user authcore.UserID) *game {
	t.Helper()
	g := w.online(t)
	g.login(t, w, token, session, user)
	return g
}

// login signs a player in.
func (g *game) login(t testing.TB, w *world, token string, session authcore.SessionID, user authcore.UserID) {
	t.Helper()
	w.set(func(f *fake) { f.play = success(token, session, user, "Nick") })
	g.send(t, qqBody)
	if got := g.receive(t); !strings.Contains(got, `"authToken":"`+token+`"`) {
		t.Fatalf("answered %s", got)
	}
}

// A login replaces the player: the new one is attended before the old one is left,
// and later requests are the new one's.
func TestPlayerIsReplaced(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.playing(t, "token-1", "sid-1", "user-1")
	if in := w.last(t).In.(authcore.QQConnect); in.Current != "" {
		t.Errorf("the first login was beside %s", in.Current)
	}
	g.login(t, w, "token-2", "sid-2", "user-2")
	if in := w.last(t).In.(authcore.QQConnect); in.Current != "sid-1" {
		t.Errorf("the second login was beside %q", in.Current)
	}
	got := w.attendances()
	if len(got) != 2 || got[0].token != "token-1" || !got[0].left || got[1].token != "token-2" || got[1].left {
		t.Errorf("attended %+v", got)
	}
	g.send(t, `{"@class":".EndSessionRequest","playerId":"user-1"}`)
	if got := g.receive(t); !strings.Contains(got, "NOTAUTHORIZED") {
		t.Errorf("the old player is answered %s", got)
	}
	// authToken says nothing on a connection that has a player.
	g.send(t, `{"@class":".EndSessionRequest","playerId":"user-2","authToken":"`+knownToken+`"}`)
	if got := g.receive(t); got != `{"@class":".EndSessionResponse","sessionDuration":0}` {
		t.Errorf("the new player is answered %s", got)
	}
	if in := w.last(t).In; in != authcore.SessionID("sid-2") {
		t.Errorf("ended %v", in)
	}
}

// An authToken in a message signs nobody in: only the handshake and a login do.
func TestTokenInMessageIsIgnored(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.online(t)
	g.send(t, strings.Replace(endBody, "{", `{"authToken":"`+knownToken+`",`, 1))
	if got := g.receive(t); !strings.Contains(got, "NOTAUTHORIZED") {
		t.Errorf("answered %s", got)
	}
}

// A login that is refused leaves the player where they are.
func TestRefusedLoginKeepsThePlayer(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.playing(t, "token-1", "sid-1", "user-1")
	for name, spoil := range map[string]func(*fake){
		"refused": func(f *fake) { f.play = refused(authcore.RefusedSwitch, nil) },
		"MFA":     func(f *fake) { f.play = waiting(authcore.StatusMFAAuth) },
		"fault":   func(f *fake) { f.err = authcore.ErrQQToken },
		"attend": func(f *fake) {
			f.play, f.attends = success("token-2", "sid-2", "user-2", "Other"), fmt.Errorf("attend: %w", authcore.ErrSession)
		},
	} {
		w.set(spoil)
		g.send(t, qqBody)
		if got := g.receive(t); !strings.Contains(got, `"error"`) || strings.Contains(got, "token-2") {
			t.Errorf("%s: %s", name, got)
		}
		w.set(func(f *fake) { f.err, f.attends = nil, nil })
		g.send(t, endBody)
		g.receive(t)
		if in := w.last(t).In; in != authcore.SessionID("sid-1") {
			t.Errorf("%s: the player became %v", name, in)
		}
	}
	if got := w.attendances(); len(got) != 1 || got[0].left {
		t.Errorf("attended %+v", got)
	}
}

// The end of a player's session ends the connection, with the message that tells
// the vendor's SDKs; the end of the node ends it without, so that they come back.
func TestTermination(t *testing.T) {
	w := newWorld(t, newFake())
	over, moved := w.playing(t, "token-1", "sid-1", "user-1"), w.playing(t, "token-2", "sid-2", "user-2")
	all := w.attendances()
	all[0].ended(true)
	if got := over.receive(t); got != sessionTerminated {
		t.Errorf("told %s", got)
	}
	over.closes(t, 1000)
	all[1].ended(false)
	moved.closes(t, 1001)
	await(t, "both to be left", func() bool { return w.sockets.Count() == 0 })
}

// The session that a switch leaves is ended by the core, about when the switch is
// answered; that must not take the new player's connection along, neither before
// the answer nor after it.
func TestTerminationOfAPlayerWhoWasLeft(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.playing(t, "token-1", "sid-1", "user-1")
	first := w.attendances()[0]
	w.set(func(f *fake) { f.after = func() { first.ended(true) } })
	g.login(t, w, "token-2", "sid-2", "user-2")
	w.set(func(f *fake) { f.after = nil })
	g.alive(t)
	second := w.attendances()[1]
	g.login(t, w, "token-3", "sid-3", "user-3")
	second.ended(true)
	second.ended(false)
	g.alive(t)
	w.attendances()[2].ended(true)
	if got := g.receive(t); got != sessionTerminated {
		t.Errorf("told %s", got)
	}
	g.closes(t, 1000)
}

// A session that ends while its player asks something ends the connection after
// the answer.
func TestTerminationWhileAsking(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.playing(t, "token-1", "sid-1", "user-1")
	first := w.attendances()[0]
	w.set(func(f *fake) {
		f.after = func() { first.ended(true) }
		f.err = authcore.ErrQQToken
	})
	g.send(t, qqBody+" ")
	if got := g.receive(t); !strings.Contains(got, "NOTAUTHENTICATED") {
		t.Errorf("answered %s", got)
	}
	if got := g.receive(t); got != sessionTerminated {
		t.Errorf("told %s", got)
	}
	g.closes(t, 1000)
}

// A player whose session ends is not kept connected by a QQ that does not answer.
func TestTerminationWhileQQIsSilent(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.playing(t, "token-1", "sid-1", "user-1")
	first := w.attendances()[0]
	w.set(func(f *fake) {
		f.asks = true
		f.after = func() { first.ended(true) }
	})
	g.send(t, qqBody+" ")
	if got := g.receive(t); !strings.Contains(got, "UNAVAILABLE") {
		t.Errorf("answered %s", got)
	}
	if got := g.receive(t); got != sessionTerminated {
		t.Errorf("told %s", got)
	}
	g.closes(t, 1000)
}

// A session may end while it is being attended.
func TestTerminationInAttend(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.online(t)
	w.set(func(f *fake) { f.overAtOnce = true })
	g.send(t, qqBody)
	if got := g.receive(t); !strings.Contains(got, newToken) {
		t.Errorf("answered %s", got)
	}
	if got := g.receive(t); got != sessionTerminated {
		t.Errorf("told %s", got)
	}
	g.closes(t, 1000)
	h := w.dial(t)
	h.handshake(t, knownToken)
	if got := h.receive(t); got != sessionTerminated {
		t.Errorf("told %s", got)
	}
	h.closes(t, 1000)
}

// Ending a session is answered first; the termination follows from the core.
func TestEndSession(t *testing.T) {
	w := newWorld(t, newFake())
	g := w.playing(t, "token-1", "sid-1", "user-1")
	g.send(t, endBody)
	if got := g.receive(t); got != `{"@class":".EndSessionResponse","sessionDuration":0}` {
		t.Errorf("answered %s", got)
	}
	g.alive(t)
	w.attendances()[0].ended(true)
	g.receive(t)
	g.closes(t, 1000)
}

// A game that goes is left, whatever else is going on.
func TestTerminationOfWhoIsGone(t *testing.T) {
	w := newWorld(t, newFake())
	for range 100 {
		g := w.playing(t, "token-1", "sid-1", "user-1")
		all := w.attendances()
		go g.Close()
		all[len(all)-1].ended(true)
	}
	await(t, "all to go", func() bool { return w.sockets.Count() == 0 })
}
