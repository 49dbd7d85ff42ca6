package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The contract's limits of what only games do.
const (
	unsignedSockets = 20
	wrongPasswords  = 10
	guestsPerHour   = 300
	qqRefusals      = 60
)

// TestGameLimits reaches the limits, and those of passwords again after a crash:
// they are counted in the store.
func TestGameLimits(t *testing.T) {
	h := newHome(t)
	w := prepareGameWorld(t, "$ATTEMPTS", "")
	w.server = h.start(gameFile, w.pairs...)
	w.tooManySockets()
	again := w.tooManyPasswords()
	w.tooManyGuests()
	w.tooManyRefusals()
	w.kill()
	w.server = h.start(gameFile, w.pairs...)
	again(w)
}

// isGameLimited demands the answer of a limit that has room again within some time.
func (a answer) isGameLimited(within time.Duration) {
	a.t.Helper()
	after, err := strconv.Atoi(a.header.Get("Retry-After"))
	if a.status != http.StatusTooManyRequests || !strings.Contains(a.text(), `"error":{"authentication":"LIMIT"},"newPlayer":false`) ||
		err != nil || after < 1 || time.Duration(after)*time.Second > within {
		a.t.Fatalf("got %d %s, Retry-After %q", a.status, a.body, a.header.Get("Retry-After"))
	}
}

// tooManySockets opens connections that nobody plays on.
func (w *gameWorld) tooManySockets() {
	w.t.Helper()
	var open []*gameClient
	for range unsignedSockets {
		open = append(open, w.dialGame(theGame))
	}
	full := func() {
		w.t.Helper()
		for _, at := range []gameGate{theGame, arcade} {
			w.dialRefused(gamesHTTP, w.socketURL(at)).isGameLimited(time.Minute)
		}
	}
	full()
	elsewhere := w.dialGameFrom(gameHTTP("127.0.0.3"), theGame, "")
	w.guest(elsewhere)
	// Whom somebody plays on makes room, as does one that ends.
	l := w.guest(open[0])
	open = append(open, w.dialGame(theGame))
	full()
	_ = open[1].conn.CloseNow()
	var last *gameClient
	w.await("room after the end of one", func() bool {
		c := &gameClient{t: w.t, gate: theGame, from: gamesHTTP, at: w.socketURL(theGame)}
		last = c
		return c.tryConnect() == nil
	})
	full()
	// A player who comes back needs room like everybody else while they shake hands.
	_ = last.conn.CloseNow()
	w.await("room for a player", func() bool {
		c := &gameClient{t: w.t, gate: theGame, from: gamesHTTP, at: w.socketURL(theGame), authToken: l.AuthToken}
		return c.tryConnect() == nil && c.first.UserID == l.User
	})
	w.dialGame(theGame)
	full()
	for _, c := range append(open, elsewhere) {
		_ = c.conn.CloseNow()
	}
	w.await("room for all", func() bool { return w.metric("qqauth_websockets") <= 3 })
}

// tooManyPasswords guesses at names, of which one is somebody's; again guesses once
// more, and then not even the right password is heard.
func (w *gameWorld) tooManyPasswords() (again func(*gameWorld)) {
	w.t.Helper()
	a, name, nobodys := w.nextAccount(), w.userName(), w.userName()
	player := w.dialGame(theGame)
	player.request("RegistrationRequest", fields{"userName": name, "password": "right", "displayName": "N"}).signsIn()
	l := connects(player, a)
	guess := func(w *gameWorld, from *http.Client, name, password string) gameAnswer {
		w.t.Helper()
		return (&restGame{home: w.home, gate: theGame, from: from}).request("AuthenticationRequest", fields{"userName": name, "password": password})
	}
	c := w.dialGame(theGame)
	for n := range wrongPasswords {
		if n%2 == 0 {
			c.request("AuthenticationRequest", fields{"userName": strings.ToUpper(name), "password": "wrong"}).refused("DETAILS", "UNRECOGNISED")
		} else {
			guess(w, nil, name, "wrong").refused("DETAILS", "UNRECOGNISED")
		}
		guess(w, nil, nobodys, "wrong").refused("DETAILS", "UNRECOGNISED")
	}
	_ = c.conn.CloseNow()
	return func(w *gameWorld) {
		w.t.Helper()
		c := w.dialGame(theGame)
		for _, password := range []string{"wrong", "right"} {
			for _, name := range []string{name, nobodys} {
				guess(w, nil, name, password).refused("DETAILS", "LOCKED")
				c.request("AuthenticationRequest", fields{"userName": name, "password": password}).refused("DETAILS", "LOCKED")
			}
		}
		if byQQ := connects(c, a); byQQ.User != l.User {
			w.t.Errorf("by QQ came %+v", byQQ)
		}
		if other := guess(w, gameHTTP("127.0.0.5"), name, "right").signsIn(); other.User != l.User {
			w.t.Errorf("from elsewhere came %+v", other)
		}
		_ = c.conn.CloseNow()
	}
}

// tooManyGuests makes as many guests as an address may.
func (w *gameWorld) tooManyGuests() {
	w.t.Helper()
	const from = "127.0.0.6"
	c := w.dialGameFrom(gameHTTP(from), theGame, "")
	rest := &restGame{home: w.home, gate: arcade, from: gameHTTP(from)}
	first := w.device()
	known := c.request("DeviceAuthenticationRequest", first).signsIn()
	for n := 1; n < guestsPerHour; n++ {
		if n%50 == 0 {
			rest.request("RegistrationRequest", fields{"userName": w.userName(), "password": "x", "displayName": "N"}).signsIn()
			continue
		}
		w.guest(c)
	}
	c.request("DeviceAuthenticationRequest", w.device()).refused("authentication", "LIMIT")
	c.request("RegistrationRequest", fields{"userName": w.userName(), "password": "x", "displayName": "N"}).refused("authentication", "LIMIT")
	id, body := gameBody("DeviceAuthenticationRequest", w.device())
	got, err := w.tryRest(gameHTTP(from), arcade, "DeviceAuthenticationRequest", body)
	if err != nil || !strings.Contains(got.text(), id) {
		w.t.Errorf("%s, %v", got.body, err)
	}
	got.isGameLimited(time.Hour + time.Minute)
	if again := c.request("DeviceAuthenticationRequest", first).signsIn(); again.User != known.User {
		w.t.Errorf("a known guest is %+v, want %+v", again, known)
	}
	connects(c, w.nextAccount())
	w.guest(&restGame{home: w.home, gate: theGame, from: gameHTTP("127.0.0.7")})
}

// tooManyRefusals logs in by tokens that QQ refuses. A login that QQ proves is never
// refused for it.
func (w *gameWorld) tooManyRefusals() {
	w.t.Helper()
	rest := &restGame{home: w.home, gate: theGame, from: gameHTTP("127.0.0.8")}
	try := func(n int) gameAnswer {
		w.t.Helper()
		return rest.request("QQConnectRequest", fields{"accessToken": fmt.Sprintf("%032d", n)})
	}
	began, n := time.Now(), 0
	for ; ; n++ {
		got := try(n)
		if got.status != http.StatusOK {
			got.isGameLimited(time.Minute + 2*time.Second)
			break
		}
		got.refused("accessToken", "NOTAUTHENTICATED")
	}
	// There is room for some more while they are tried.
	if room := qqRefusals + 1 + int(time.Since(began)*qqRefusals/time.Minute); n < qqRefusals || n > room {
		w.t.Errorf("%d refusals within %v, want %d to %d", n, time.Since(began), qqRefusals, room)
	}
	connects(rest, w.nextAccount())
}
