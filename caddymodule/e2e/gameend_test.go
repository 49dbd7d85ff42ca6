package e2e

import (
	"net/http"
	"testing"
)

// endings are the ways in which a player's session ends from outside.
var endings = []struct {
	name string
	end  func(w *gameWorld, l gameLogin)
}{
	{"log-out", func(w *gameWorld, l gameLogin) {
		w.sdk("POST", "/logout", "game", nil, "session-token", l.AuthToken).want(http.StatusOK, "")
	}},
	{"one session", func(w *gameWorld, l gameLogin) {
		w.admin("DELETE", "/sessions/"+w.sessionsOf(l.User)[0], nil).want(http.StatusNoContent, "")
	}},
	{"all sessions", func(w *gameWorld, l gameLogin) {
		w.admin("DELETE", "/users/"+l.User+"/sessions", nil).want(http.StatusNoContent, "")
	}},
	{"disable", func(w *gameWorld, l gameLogin) {
		w.admin("POST", "/users/"+l.User+"/disable", nil).want(http.StatusNoContent, "")
	}},
	{"erasure", func(w *gameWorld, l gameLogin) {
		var g grant
		w.sdk("POST", "/sso/session-token/id-token", "game", nil, "session-token", l.AuthToken).want(http.StatusOK, "").json(&g)
		w.sdk("POST", "/account/delete", "game", nil, "Authorization", "Bearer "+g.IDToken).want(http.StatusOK, "")
	}},
	{"EndSession by another transport", func(w *gameWorld, l gameLogin) {
		g := &restGame{home: w.home, gate: theGame, authToken: l.AuthToken}
		g.request("EndSessionRequest", nil).has("sessionDuration")
	}},
}

// ends ends sessions that have two connections and a stream open.
func (w *gameWorld) ends() {
	stays := w.dialGame(theGame)
	bystander := connects(stays, w.nextAccount())
	for _, tt := range endings {
		w.t.Run(tt.name, func(t *testing.T) {
			w := w.in(t)
			c := w.dialGame(theGame)
			connects(c, w.nextAccount())
			l := gameLogin{AuthToken: c.token(), User: detailsOf(c).User}
			other := w.dialGameAs(theGame, l.AuthToken)
			w.admits(other.token(), map[string]int{"APP": http.StatusOK})
			tt.end(w, l)
			c.terminated(endsWithin)
			other.terminated(endsWithin)
			w.admits(l.AuthToken, map[string]int{"APP": http.StatusUnauthorized})
			if again := w.dialGameAs(theGame, l.AuthToken); again.first.AuthToken != "" || again.first.UserID != "" {
				t.Errorf("the session goes on as %s", again.first.raw)
			}
		})
	}
	if d := detailsOf(stays); d.User != bystander.User {
		w.t.Errorf("a bystander is %+v", d)
	}
}

// leaves: a player who becomes another leaves a session, whose other connections
// end. The connection itself goes on.
func (w *gameWorld) leaves() {
	owned := w.nextAccount()
	owner := w.dialGame(theGame)
	p := connects(owner, owned)
	for name, become := range map[string]func(*gameClient) gameLogin{
		"switch": func(c *gameClient) gameLogin { return connects(c, owned) },
		"creation": func(c *gameClient) gameLogin {
			return c.request("QQConnectRequest", qqConnect(w.nextAccount(), fields{"doNotLinkToCurrentPlayer": true})).signsIn()
		},
		"device": func(c *gameClient) gameLogin { return w.guest(c) },
	} {
		w.t.Run(name, func(t *testing.T) {
			w := w.in(t)
			c := w.dialGame(theGame)
			guest := w.guest(c)
			other := w.dialGameAs(theGame, guest.AuthToken)
			if other.first.UserID != guest.User {
				t.Fatalf("connected as %s", other.first.raw)
			}
			l := become(c)
			other.terminated(endsWithin)
			for _, token := range []string{guest.AuthToken, other.first.AuthToken} {
				w.admits(token, map[string]int{"OTHER": http.StatusUnauthorized})
			}
			if d := detailsOf(c); d.User != l.User {
				t.Errorf("the connection goes on as %+v, want %+v", d, l)
			}
		})
	}
	w.t.Run("link", func(t *testing.T) {
		w := w.in(t)
		c, another, device := w.dialGame(theGame), w.dialGame(theGame), w.device()
		guest := c.request("DeviceAuthenticationRequest", device).signsIn()
		same := w.dialGameAs(theGame, guest.AuthToken)
		another.request("DeviceAuthenticationRequest", device).signsIn()
		connects(c, w.nextAccount())
		another.terminated(endsWithin)
		// The session that QQ was linked by is not left: the player stays.
		for _, c := range []*gameClient{c, same} {
			if d := detailsOf(c); d.User != guest.User || len(d.External) != 1 {
				t.Errorf("a connection goes on as %+v", d)
			}
		}
	})
	if d := detailsOf(owner); d.User != p.User {
		w.t.Errorf("the owner's own connection is %+v", d)
	}
	w.admits(p.AuthToken, map[string]int{"APP": http.StatusOK})
}
