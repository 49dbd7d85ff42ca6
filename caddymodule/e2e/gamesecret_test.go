package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

// TestGameSecrets uses every secret of a game rightly and wrongly, and then searches
// all that Caddy has written or tells for each of them.
func TestGameSecrets(t *testing.T) {
	h := newHome(t)
	l := newLedger(t)
	file := gameFile
	for _, at := range []*gameGate{&theGame, &arcade, &registers} {
		gate := *at
		name := "E2E_" + strings.ToUpper(gate.client)
		gate.secret = l.keep("game secret of "+gate.client, randomHex(24))
		h.env = append(h.env, name+"="+gate.secret)
		file = strings.ReplaceAll(strings.Replace(file, "$CLIENTS", onlyRegisters, 1), at.secret, "{env."+name+"}")
		defer func(was gameGate) { *at = was }(*at)
		*at = gate
	}
	w := prepareGameWorld(t, "$GLOBAL", "debug\n servers {\n metrics\n }", "$SITE", "log", "$ATTEMPTS", "attempts off")
	w.server = h.start(file, w.pairs...)
	users := w.useGameSecrets(l)
	w.misuseGameSecrets(l)
	w.misuseGameSockets(l)
	w.reload(file, w.pairs...)
	w.rest(theGame, "AccountDetailsRequest", []byte("{}"))

	for _, path := range []string{"/metrics", "/config/"} {
		l.search(path, w.ask("GET", w.url("ADMIN", path), nil).want(http.StatusOK, "").text())
	}
	for _, user := range users {
		for _, path := range []string{"/users?id=" + user, "/users/" + user + "/sessions"} {
			l.search("the admin API", w.admin("GET", path, nil).want(http.StatusOK, "").text())
		}
	}
	adapted, err := w.run("adapt", "--pretty", "--config", w.path("Caddyfile"))
	if err != nil {
		t.Errorf("caddy adapt: %v", err)
	}
	l.search("caddy adapt", adapted)
	autosave, err := os.ReadFile(w.path("config", "caddy", "autosave.json"))
	if err != nil {
		t.Fatal(err)
	}
	l.search("autosave.json", string(autosave))
	w.stop()
	log := w.logged()
	l.search("the log", log)
	// A log that tells nothing would pass.
	for _, want := range []string{
		`"uri":"/rs/device/REDACTED/QQConnectRequest"`, `"uri":"/rs/device/REDACTED/EndSessionRequest"`, `"uri":"/ws/device/REDACTED"`,
		`"logger":"qqauth.audit"`, `"logger":"http.log.access.qqauth"`, `"level":"debug"`, `"wrong hmac"`, `"wrong credential or secret"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not tell of %s", want)
		}
	}
	l.searchFiles(w.storeDir())
	// What is logged and measured of a request that became a connection is read
	// while the connection goes on.
	t.Run("no data race of a connection with the access log", func(t *testing.T) {
		for _, report := range strings.Split(log, "WARNING: DATA RACE")[1:] {
			report, _, _ = strings.Cut(report, "==================")
			if strings.Contains(report, "gamesparks.(*socket)") {
				t.Errorf("a connection races with the access log or the metrics:\n%s", report)
			}
		}
	})
}

// onlyRegisters is the one of waitingClients that state_tokens come from.
const onlyRegisters = `client registers {
			qq 101234567
			unknown_user register
			gamesparks registers-key device registers-secret-for-loopback
		}`

// useGameSecrets makes every request, over both transports, and returns who has
// played.
func (w *gameWorld) useGameSecrets(l *ledger) (users []string) {
	w.t.Helper()
	keeps := func(g game) {
		w.t.Helper()
		l.keep("authToken", g.token())
	}
	for _, way := range bothWays {
		g, a, device := way.open(w, theGame), w.nextAccount(), w.device()
		l.keep("device id", device["deviceId"].(string))
		l.keep("QQ access token", a.AccessToken)
		users = append(users, g.request("DeviceAuthenticationRequest", device).signsIn().User)
		keeps(g)
		connects(g, a)
		keeps(g)
		detailsOf(g)
		g.request("SocialStatusRequest", nil)
		first, second := l.keep("password", randomHex(8)), l.keep("password", randomHex(8))
		name := w.userName()
		g.request("ChangeUserDetailsRequest", fields{"userName": name, "newPassword": first}).has()
		g.request("ChangeUserDetailsRequest", fields{"oldPassword": l.keep("wrong password", randomHex(8)), "newPassword": second}).refused("DETAILS", "UNRECOGNISED")
		g.request("ChangeUserDetailsRequest", fields{"oldPassword": first, "newPassword": second}).has()
		g.request("SocialDisconnectRequest", fields{"systemId": "QQ"}).has()
		byName := way.open(w, theGame)
		byName.request("AuthenticationRequest", fields{"userName": name, "password": second}).signsIn()
		keeps(byName)
		byName.request("AuthenticationRequest", fields{"userName": name, "password": l.keep("wrong password", randomHex(8))}).refused("DETAILS", "UNRECOGNISED")
		w.admits(byName.token(), map[string]int{"APP": http.StatusForbidden, "OTHER": http.StatusOK, "PLAIN": http.StatusForbidden})
		// Asked for by cookie as well: a game may run in a browser.
		w.ask("GET", w.url("OTHER", "/"), nil, "Cookie", "qqauth-"+w.ports["OTHER"]+"="+byName.token()).want(http.StatusOK, "")
		if c, ok := byName.(*gameClient); ok {
			c.connect()
			keeps(c)
		}
		byName.request("EndSessionRequest", nil).has("sessionDuration")

		registered := way.open(w, theGame)
		users = append(users, registered.request("RegistrationRequest", fields{
			"userName": w.userName(), "password": l.keep("password", randomHex(8)), "displayName": "N",
		}).signsIn().User)
		keeps(registered)
		unknown := w.nextAccount()
		l.keep("QQ access token", unknown.AccessToken)
		l.keep("state_token", waitsAt(way.open(w, registers), unknown, "USER_REGISTER", true))

		sim := w.accounts()[0]
		form := url.Values{"app_id": {sim.App}, "open_id": {sim.OpenID}}
		var got struct {
			Code string `json:"code"`
		}
		w.ask("POST", w.url("LOGIN", "/qq-simulator/code"), []byte(form.Encode()), "Content-Type", "application/x-www-form-urlencoded").
			want(http.StatusOK, "").json(&got)
		for range 2 { // the second time it is used up
			way.open(w, arcade).request("QQConnectRequest", fields{"accessToken": l.keep("one-time code", got.Code)})
		}
		w.failsAtQQ(l, way)
	}
	return users
}

// failsAtQQ logs in where QQ refuses, or repeats what it was asked.
func (w *gameWorld) failsAtQQ(l *ledger, way opening) {
	w.t.Helper()
	for _, token := range []string{strings.ToUpper(randomHex(16)), "malformed " + randomHex(16), randomHex(700)} {
		way.open(w, theGame).request("QQConnectRequest", fields{"accessToken": l.keep("refused access token", token)}).
			refused("accessToken", "NOTAUTHENTICATED")
	}
	w.qq.Behave(qqtest.Behavior{Fault: func(out http.ResponseWriter, r *http.Request) bool {
		out.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(out, r.URL)
		return true
	}})
	a := w.nextAccount()
	l.keep("QQ access token", a.AccessToken)
	way.open(w, theGame).request("QQConnectRequest", qqConnect(a)).refused("accessToken", "UNAVAILABLE")
	w.qq.Behave(qqtest.Behavior{})
}

// misuseGameSecrets puts secrets, good and invented, where they are refused or do
// not belong.
func (w *gameWorld) misuseGameSecrets(l *ledger) {
	w.t.Helper()
	good := theGame.secret
	wrong, password, device := l.keep("wrong game secret", randomHex(24)), l.keep("password", randomHex(8)), l.keep("device id", randomHex(16))
	token := l.keep("invented authToken", randomHex(16))
	a := w.nextAccount()
	l.keep("QQ access token", a.AccessToken)
	for _, path := range []string{
		"/rs/device/" + wrong + "/QQConnectRequest", "/rs/" + good + "/device/QQConnectRequest", "/rs/device/" + good, "/rs/device/" + good + "/",
		"/rs/device/" + good + "/" + wrong, "/rs/device/" + good + "/x/y", "/rs/" + good, "/rs//device/" + good + "/QQConnectRequest",
		"/RS/device/" + good + "/QQConnectRequest", "/%72s/device/" + good + "/QQConnectRequest", "/rs%2fdevice%2f" + good + "%2fQQConnectRequest",
		"/rs/device/" + good + "/QQConnectRequest?secret=" + wrong + "&accessToken=" + a.AccessToken, "/x/../rs/device/" + good + "/QQConnectRequest",
		"/ws/device/" + good, "/ws/" + good + "/device", "/ws/device/" + theGame.key + "?secret=" + good, "/ws/device/" + theGame.key + "/" + good, "/WS/device/" + good,
	} {
		for _, method := range []string{"POST", "GET"} {
			w.raw("LOGIN", method+" "+path+" HTTP/1.1\r\nHost: "+w.host("LOGIN")+"\r\nConnection: close\r\nReferer: "+w.url("LOGIN", "/rs/device/"+good+"/x")+
				"\r\nContent-Length: 2\r\n\r\n{}")
		}
	}
	for _, body := range []string{
		`{"accessToken":"` + a.AccessToken + `"`, `{"accessToken":"` + a.AccessToken + `","AccessToken":"` + a.AccessToken + `"}`,
		`{"accessToken":["` + a.AccessToken + `"]}`, `{"requestId":{"x":"` + token + `"}}`, `{"authToken":"` + token + `","playerId":"` + token + `"}`,
		`{"deviceId":"` + device + `","deviceOS":"` + token + `"}`, `{"deviceId":"` + device + `","deviceOS":"IOS","segments":{"x":["` + token + `"]}}`,
		`{"userName":"ab","password":"` + password + `"}`, `{"userName":"somebody","password":"` + password + `","displayName":"\u0000` + token + `"}`,
		`{"userName":"` + strings.Repeat(password, 10) + `","password":"` + password + `","displayName":"x"}`,
		`{"` + token + `":1,"` + token + `":2}`, `{"@class":".` + token + `"}`, `{"systemId":"` + token + `","authToken":"` + token + `"}`,
	} {
		for _, request := range []string{"QQConnectRequest", "DeviceAuthenticationRequest", "RegistrationRequest", "AuthenticationRequest", "ChangeUserDetailsRequest", "SocialDisconnectRequest"} {
			w.rest(theGame, request, []byte(body))
		}
	}
	for _, header := range [][]string{{"Authorization", "Bearer " + token}, {"session-token", token}, {"X-Original-URI", "/rs/device/" + good + "/x"}} {
		w.ask("POST", w.url("LOGIN", "/rs/device/"+good+"/AccountDetailsRequest"), []byte("{}"), header...)
	}
	w.admits(token, map[string]int{"APP": http.StatusUnauthorized})
}

// misuseGameSockets sends on connections what is refused.
func (w *gameWorld) misuseGameSockets(l *ledger) {
	w.t.Helper()
	token, class := l.keep("invented authToken", randomHex(16)), l.keep("word of a game's", randomHex(16))
	for _, answer := range []func(nonce string) string{
		func(nonce string) string {
			return `{"@class":".AuthenticatedConnectRequest","hmac":"` + l.keep("wrong hmac", gameProof(randomHex(8), nonce)) + `","authToken":"` + token + `"}`
		},
		func(nonce string) string {
			return `{"@class":".AuthenticatedConnectRequest","hmac":"` + l.keep("hmac", gameProof(theGame.secret, nonce)) + `","authToken":"` + token +
				`","os":"` + token + `","deviceId":"` + l.keep("device id", randomHex(16)) + `"}`
		},
		func(nonce string) string {
			return `{"@class":".` + class + `","hmac":"` + l.keep("hmac", gameProof(theGame.secret, nonce)) + `"}`
		},
		func(string) string { return `{"hmac":"` + class },
	} {
		ctx, cancel := context.WithTimeout(w.t.Context(), patience)
		conn, _, err := websocket.Dial(ctx, w.socketURL(theGame), &websocket.DialOptions{HTTPClient: gamesHTTP})
		if err != nil {
			w.t.Fatal(err)
		}
		hello, err := readGame(ctx, conn)
		if err == nil {
			err = conn.Write(ctx, websocket.MessageText, []byte(answer(hello.Nonce)))
		}
		if err == nil {
			_, err = readGame(ctx, conn)
		}
		if err != nil {
			w.t.Error(err)
		}
		cancel()
		_ = conn.CloseNow()
	}
	c := w.dialGame(theGame)
	for _, text := range []string{`{"@class":".` + class + `"}`, `{"` + class + `":1,"` + class + `":2}`, `{"@class":".EndSessionRequest","playerId":"` + token + `"}`, class} {
		c.says(text)
	}
	late := w.device()
	l.keep("device id", late["deviceId"].(string))
	c.request("DeviceAuthenticationRequest", late).signsIn()
	l.keep("authToken", c.token())
	_ = c.conn.CloseNow()
}
