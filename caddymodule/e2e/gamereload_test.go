package e2e

import (
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestGameReload replaces the configuration below games that are played, and stops
// and starts the server.
func TestGameReload(t *testing.T) {
	w := newGameWorld(t)
	a, name := w.nextAccount(), w.userName()
	played, idle, elsewhere := w.dialGame(theGame), w.dialGame(theGame), w.dialGame(arcade)
	l, other := connects(played, a), w.guest(elsewhere)
	w.dialGame(theGame).request("RegistrationRequest", fields{"userName": name, "password": "right", "displayName": "N"}).signsIn()
	playsOn := func() {
		t.Helper()
		if d := detailsOf(played); d.User != l.User || d.External["QQ"] != a.OpenID {
			t.Errorf("the player is %+v, want %+v", d, l)
		}
		if d := detailsOf(elsewhere); d.User != other.User {
			t.Errorf("the other game's player is %+v, want %+v", d, other)
		}
		nobody(idle)
	}
	wrongly := func(key, value string) {
		t.Helper()
		idle.request("AuthenticationRequest", fields{"userName": name, "password": "wrong"}).refused(key, value)
	}
	reload := func(pairs ...string) { t.Helper(); w.reload(gameFile, append(pairs, w.pairs...)...) }
	locks := w.locks()
	wrongly("DETAILS", "UNRECOGNISED")
	playsOn()
	if n := w.metric("qqauth_websockets"); n != 4 {
		t.Errorf("qqauth_websockets is %v, want 4", n)
	}

	// What is reloaded holds for the next message of a connection that is open.
	reload("$ATTEMPTS", "attempts {\n passwords 1 1\n }")
	wrongly("DETAILS", "LOCKED")
	playsOn()
	reload()
	wrongly("DETAILS", "UNRECOGNISED")
	playsOn()

	// A reload that fails only when its sites start.
	taken := "http://" + strings.TrimPrefix(w.upstream.URL, "http://") + " {\n\trespond taken\n\tbind 127.0.0.1\n}\n"
	without := strings.Replace(gameFile, "gamesparks game-key device "+theGame.secret, "", 1)
	if status, body := w.tryReload(without+taken, append([]string{"$ATTEMPTS", "attempts {\n passwords 1 1\n }"}, w.pairs...)...); status == http.StatusOK {
		t.Fatalf("the reload was to fail: %s", body)
	}
	wrongly("DETAILS", "UNRECOGNISED")
	playsOn()
	w.await("the server is back", func() bool {
		_, err := try(t, "GET", w.url("LOGIN", "/.qqauth/health"), nil)
		return err == nil
	})
	w.guest(w.dialGame(theGame))

	// A second factor that is asked for from now on.
	reload("$GAME", "mfa phone")
	playsOn()
	waitsAt(idle, a, "USER_REGISTER", true)
	late := &gameClient{t: t, gate: theGame, from: gamesHTTP, at: played.at, authToken: played.token()}
	late.connect()
	if late.first.AuthToken != "" || late.first.UserID != "" {
		t.Errorf("without the second factor it is connected as %s", late.first.raw)
	}
	if m := late.next(patience); m.AuthToken != "" || !strings.Contains(string(m.raw), `"error":{"authentication":"USER_REGISTER"},"newPlayer":false`) {
		t.Errorf("without the second factor it is told %s", m.raw)
	}
	nobody(late)
	reload()
	playsOn()

	// A game that is no more, and one whose secret is another.
	w.reload(without, w.pairs...)
	for _, c := range []*gameClient{played, idle} {
		if code := c.closes(endsWithin); code != websocket.StatusGoingAway {
			t.Errorf("without the game the connection ended with %v", code)
		}
	}
	if d := detailsOf(elsewhere); d.User != other.User {
		t.Errorf("the other game's player is %+v", d)
	}
	w.rest(theGame, "AccountDetailsRequest", []byte("{}")).isRefusal(http.StatusForbidden, ".ErrorResponse", "credentials", "REFUSED")
	if got := w.dialRefused(gamesHTTP, w.socketURL(theGame)); got.status != http.StatusForbidden {
		t.Errorf("without the game a connection is answered %d", got.status)
	}
	w.admits(l.AuthToken, map[string]int{"APP": http.StatusOK})
	reload()
	played.connect()
	idle.connect()
	playsOn()
	w.reload(strings.Replace(gameFile, theGame.secret, "another-"+theGame.secret, 1), w.pairs...)
	if code := played.closes(endsWithin); code != websocket.StatusGoingAway {
		t.Errorf("with another secret the connection ended with %v", code)
	}
	reload()
	played.connect()
	idle.connect()
	playsOn()
	if after := w.locks(); !slices.Equal(locks, after) {
		t.Errorf("the store was opened again: its lock is %v, and was %v", after, locks)
	}

	// The end of the server sends everybody back to where it will be again.
	w.stop()
	for _, c := range []*gameClient{played, idle, elsewhere} {
		m := c.next(patience)
		if want := `{"@class":".AuthenticatedConnectResponse","connectUrl":"` + w.socketURL(c.gate) + `"}`; string(m.raw) != want {
			t.Errorf("at the end came %s, want %s", m.raw, want)
		}
		if code := c.closes(endsWithin); code != websocket.StatusGoingAway {
			t.Errorf("at the end the connection ended with %v", code)
		}
	}
	w.server = w.home.start(gameFile, w.pairs...)
	for _, c := range []*gameClient{played, idle, elsewhere} {
		c.connect()
	}
	playsOn()
}

// TestGameWithoutStore starts over a store that cannot be opened.
func TestGameWithoutStore(t *testing.T) {
	w := prepareGameWorld(t)
	h := newHome(t)
	// A volume that is not there.
	if err := os.Symlink(h.path("volume"), h.path("store")); err != nil {
		t.Fatal(err)
	}
	w.server = h.start(gameFile, append([]string{"$CORE", "store badger " + h.path("store")}, w.pairs...)...)
	for _, name := range []string{"QQConnectRequest", "AccountDetailsRequest", "DeviceAuthenticationRequest"} {
		w.rest(theGame, name, []byte(`{"authToken":"`+randomHex(16)+`"}`)).isAway()
	}
	w.dialRefused(gamesHTTP, w.socketURL(theGame)).isAway()
	w.rest(theGame, "QQConnectRequest", []byte("{")).isRefusal(http.StatusBadRequest, ".AuthenticationResponse", "request", "MALFORMED")
	w.rest(theGame, "NoRequest", nil).isRefusal(http.StatusNotFound, ".ErrorResponse", "request", "UNKNOWN")
	w.rest(arcade, "QQConnectRequest", []byte("{")).isRefusal(http.StatusBadRequest, ".AuthenticationResponse", "request", "MALFORMED")
	w.rest(gameGate{credential: "device", secret: "wrong"}, "QQConnectRequest", nil).isRefusal(http.StatusForbidden, ".ErrorResponse", "credentials", "REFUSED")
}

// isAway demands the answer of a store that cannot answer.
func (a answer) isAway() {
	a.t.Helper()
	after, err := strconv.Atoi(a.header.Get("Retry-After"))
	if a.status != http.StatusServiceUnavailable || err != nil || after < 1 || !strings.Contains(a.text(), `"error":{"authentication":"UNAVAILABLE"},"newPlayer":false`) {
		a.t.Errorf("got %d %s, Retry-After %q, want to be told to come back", a.status, a.body, a.header.Get("Retry-After"))
	}
}
