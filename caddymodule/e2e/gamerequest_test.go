package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

func n2s(n int) string { return strconv.Itoa(n) }

// qqRefuses logs in by tokens that QQ does not take.
func (w *gameWorld) qqRefuses(way opening) {
	g := way.open(w, theGame)
	guest := w.guest(g)
	expired, revoked := w.nextAccount(), w.nextAccount()
	w.qq.Expire(expired.AccessToken)
	w.qq.Revoke(revoked.AccessToken)
	n := int(w.people.Add(1))
	for what, token := range map[string]string{
		"expired": expired.AccessToken, "revoked": revoked.AccessToken, "invented": strings.ToUpper(randomHex(16)),
		"another application's": w.qq.Issue(otherApp, n), "a code": w.qq.Code(qqApp, n, ""), "no token at all": "a b&c=d",
	} {
		for _, g := range []game{g, way.open(w, theGame)} {
			got := g.request("QQConnectRequest", fields{"accessToken": token})
			if !strings.Contains(got.text(), "NOTAUTHENTICATED") {
				w.t.Errorf("with %s: %s", what, got.body)
			}
			got.refused("accessToken", "NOTAUTHENTICATED")
		}
	}
	w.misbehave(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	g.request("QQConnectRequest", qqConnect(w.nextAccount())).refused("accessToken", "UNAVAILABLE")
	w.qq.Behave(qqtest.Behavior{})
	if d := detailsOf(g); d.User != guest.User || len(d.External) != 0 {
		w.t.Errorf("after QQ's refusals the player is %+v", d)
	}
	connects(g, w.nextAccount())
}

// fields are what each request asks for.
func (w *gameWorld) fields(way opening) {
	g := way.open(w, theGame)
	w.guest(g)
	for _, tt := range []struct {
		request    string
		in         fields
		key, value string
	}{
		{"QQConnectRequest", nil, "accessToken", "REQUIRED"},
		{"QQConnectRequest", fields{"accessToken": nil}, "accessToken", "REQUIRED"},
		{"QQConnectRequest", fields{"accessToken": ""}, "accessToken", "REQUIRED"},
		{"DeviceAuthenticationRequest", fields{"deviceOS": "IOS"}, "deviceId", "REQUIRED"},
		{"DeviceAuthenticationRequest", fields{"deviceId": "12345678"}, "deviceOS", "REQUIRED"},
		{"RegistrationRequest", fields{"userName": "somebody", "password": "x"}, "displayName", "REQUIRED"},
		{"RegistrationRequest", fields{"userName": "somebody", "displayName": "x"}, "password", "REQUIRED"},
		{"RegistrationRequest", fields{"password": "somebody", "displayName": "x"}, "userName", "REQUIRED"},
		{"AuthenticationRequest", fields{"userName": "somebody"}, "password", "REQUIRED"},
		{"AuthenticationRequest", fields{"password": "somebody"}, "userName", "REQUIRED"},
		{"SocialDisconnectRequest", nil, "systemId", "REQUIRED"},
		{"SocialDisconnectRequest", fields{"systemId": "FB"}, "systemId", "NOT_CONNECTED"},
		{"SocialDisconnectRequest", fields{"systemId": "QQ"}, "systemId", "NOT_CONNECTED"},
		{"QQConnectRequest", fields{"accessToken": "x", "segments": "P1"}, "segments", "REFUSED"},
		{"DeviceAuthenticationRequest", fields{"deviceId": "12345678", "deviceOS": "IOS", "segments": fields{"a": 1}}, "segments", "REFUSED"},
	} {
		g.request(tt.request, tt.in).refused(tt.key, tt.value)
	}
	// Texts that the SDKs make by themselves come back as they are.
	for _, id := range []string{"", "0", "d_1447_1", `<é"\>`, strings.Repeat("x", 256), "请求"} {
		got := g.request("AccountDetailsRequest", fields{"requestId": id})
		if members := got.members(); members["requestId"] != id || members["userId"] == nil {
			w.t.Errorf("the requestId %q came back in %s", id, got.body)
		}
	}
}

// needsPlayer: these requests are a player's.
func (w *gameWorld) needsPlayer(way opening) {
	for _, name := range []string{
		"AccountDetailsRequest", "ChangeUserDetailsRequest", "SocialStatusRequest", "SocialDisconnectRequest", "EndSessionRequest",
	} {
		g := way.open(w, theGame)
		g.request(name, nil).refused("authentication", "NOTAUTHORIZED")
		if r, ok := g.(*restGame); ok {
			for _, dead := range []string{"0", randomHex(16), "not a token"} {
				r.authToken = dead
				g.request(name, nil).refused("authentication", "NOTAUTHORIZED")
			}
		}
	}
}

// playerIDs: nobody acts for a player whom they cannot prove to be, whatever the
// vendor's servers let theirs do.
func (w *gameWorld) playerIDs(way opening) {
	victim := connects(way.open(w, theGame), w.nextAccount())
	stranger, guest := way.open(w, theGame), way.open(w, theGame)
	own := w.guest(guest)
	for name, in := range map[string]fields{
		"AccountDetailsRequest": {}, "ChangeUserDetailsRequest": {"displayName": "Mine"}, "SocialDisconnectRequest": {"systemId": "QQ"},
		"EndSessionRequest": {}, "QQConnectRequest": qqConnect(w.nextAccount()), "DeviceAuthenticationRequest": w.device(),
		"AuthenticationRequest": {"userName": "somebody", "password": "x"},
	} {
		in["playerId"] = victim.User
		for _, g := range []game{stranger, guest} {
			g.request(name, in).refused("authentication", "NOTAUTHORIZED")
		}
	}
	if d := detailsOf(guest); d.User != own.User {
		w.t.Errorf("the guest is %+v", d)
	}
	got := guest.request("AccountDetailsRequest", fields{"playerId": own.User})
	if got.members()["userId"] != own.User {
		w.t.Errorf("with the player's own id: %s", got.body)
	}
	w.admits(victim.AuthToken, map[string]int{"APP": http.StatusOK})
}

// oneTimeCodes stand in the place of an access token where an app's own server
// logs in.
func (w *gameWorld) oneTimeCodes(way opening) {
	a := w.accounts()[0]
	code := func() string {
		form := url.Values{"app_id": {a.App}, "open_id": {a.OpenID}}
		var got struct {
			Code string `json:"code"`
		}
		w.ask("POST", w.url("LOGIN", "/qq-simulator/code"), []byte(form.Encode()), "Content-Type", "application/x-www-form-urlencoded").
			want(http.StatusOK, "").json(&got)
		return got.Code
	}
	g := way.open(w, arcade)
	byToken, first := connects(g, a), code()
	byCode := way.open(w, arcade).request("QQConnectRequest", fields{"accessToken": first}).signsIn()
	if byCode.User != byToken.User || byCode.New {
		w.t.Errorf("by code came %+v, by token %+v", byCode, byToken)
	}
	w.admits(byCode.AuthToken, map[string]int{"APP": http.StatusOK})
	way.open(w, arcade).request("QQConnectRequest", fields{"accessToken": first}).refused("accessToken", "NOTAUTHENTICATED")
}

// otherClients: a player's session is the client's where it was made.
func (w *gameWorld) otherClients(way opening) {
	g := way.open(w, theGame)
	l := connects(g, w.nextAccount())
	nobody(&restGame{home: w.home, gate: arcade, authToken: l.AuthToken})
	// An app's session is a game's as well.
	a := w.nextAccount()
	app := w.login("game", a)
	if d := detailsOf(&restGame{home: w.home, gate: theGame, authToken: app.Session}); d.External["QQ"] != a.OpenID {
		w.t.Errorf("with an app's session: %+v", d)
	}
	if c := w.dialGameAs(theGame, app.Session); c.first.UserID != w.userOf(a).ID {
		w.t.Errorf("with an app's session: %s", c.first.raw)
	}
}

// bodyOf is an object of so many bytes.
func bodyOf(size int) []byte {
	frame := `{"pad":""}`
	return []byte(strings.Replace(frame, `""`, `"`+strings.Repeat("x", size-len(frame))+`"`, 1))
}

// statuses are those of HTTP.
func (w *gameWorld) statuses() {
	path := "/rs/device/" + theGame.secret + "/"
	for _, tt := range []struct {
		method, path string
		body         string
		status       int
		key, value   string
		class        string
	}{
		{"POST", "/rs/device/" + theGame.secret + "x/AccountDetailsRequest", "{}", 403, "credentials", "REFUSED", ".ErrorResponse"},
		{"POST", "/rs/server/" + theGame.secret + "/AccountDetailsRequest", "{}", 403, "credentials", "REFUSED", ".ErrorResponse"},
		{"POST", "/rs/device/" + theGame.key + "/AccountDetailsRequest", "{}", 403, "credentials", "REFUSED", ".ErrorResponse"},
		{"POST", path + "NoRequest", "{}", 404, "request", "UNKNOWN", ".ErrorResponse"},
		{"POST", path + "accountdetailsrequest", "{}", 404, "request", "UNKNOWN", ".ErrorResponse"},
		{"POST", path + "FacebookConnectRequest", "{}", 404, "request", "UNKNOWN", ".ErrorResponse"},
		{"GET", path + "AccountDetailsRequest", "", 405, "request", "METHOD_NOT_ALLOWED", ".ErrorResponse"},
		{"PUT", path + "AccountDetailsRequest", "{}", 405, "request", "METHOD_NOT_ALLOWED", ".ErrorResponse"},
		{"POST", path + "AccountDetailsRequest", "{", 400, "request", "MALFORMED", ".AccountDetailsResponse"},
		{"POST", path + "AccountDetailsRequest", "", 400, "request", "MALFORMED", ".AccountDetailsResponse"},
		{"POST", path + "AccountDetailsRequest", string(bodyOf(256<<10 + 1)), 413, "request", "TOO_LARGE", ".AccountDetailsResponse"},
		{"POST", path + "AccountDetailsRequest", string(bodyOf(256 << 10)), 200, "authentication", "NOTAUTHORIZED", ".AccountDetailsResponse"},
	} {
		got := w.ask(tt.method, w.url("LOGIN", tt.path), []byte(tt.body))
		got.isRefusal(tt.status, tt.class, tt.key, tt.value)
		if got.status == http.StatusMethodNotAllowed && got.header.Get("Allow") != "POST" {
			w.t.Errorf("%s: Allow is %q", tt.method, got.header.Get("Allow"))
		}
		if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Content-Type") != "application/json" {
			w.t.Errorf("%s %s: headers %v", tt.method, tt.path, got.header)
		}
	}
	// Clients may escape more than they need to, but no slash.
	w.rest(gameGate{credential: "%64evice", secret: "%67" + theGame.secret[1:]}, "Account%44etailsRequest", []byte("{}")).
		isRefusal(http.StatusOK, ".AccountDetailsResponse", "authentication", "NOTAUTHORIZED")
	w.rest(gameGate{credential: "device%2F" + theGame.secret, secret: "x"}, "AccountDetailsRequest", []byte("{}")).
		isRefusal(http.StatusForbidden, ".ErrorResponse", "credentials", "REFUSED")
	// No path of this API is passed on.
	for _, path := range []string{
		"/rs", "/rs/", "/rs/device", "/rs/device/" + theGame.secret, path + "AccountDetailsRequest/", path + "AccountDetailsRequest/x",
		"/rs//device/" + theGame.secret + "/AccountDetailsRequest", "/rs/device%2F" + theGame.secret + "/AccountDetailsRequest", "/rs/device/x%2F" + theGame.secret,
		"/ws", "/ws/", "/ws/device", "/ws/device/" + theGame.key + "/x",
		"/" + path + "AccountDetailsRequest", "/RS" + path[len("/rs"):] + "AccountDetailsRequest", "/x/.." + path + "AccountDetailsRequest",
	} {
		for _, method := range []string{"GET", "POST"} {
			if got := w.raw("LOGIN", method+" "+path+" HTTP/1.1\r\nHost: "+w.host("LOGIN")+"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"); got.status != http.StatusNotFound || !strings.Contains(string(got.body), `"UNKNOWN"`) {
				w.t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
			}
		}
	}
	// A body that is streamed and never says how long it is.
	r := newRequest(w.t, "POST", w.url("LOGIN", path+"AccountDetailsRequest"), bodyOf(300<<10))
	r.ContentLength = -1
	if got, err := send(w.t, client, r); err != nil || got.status != http.StatusRequestEntityTooLarge {
		w.t.Errorf("a long body in chunks: %d %s, %v", got.status, got.body, err)
	}
}

// isRefusal demands a refusal of one reason without a requestId.
func (a answer) isRefusal(status int, class, key, value string) {
	a.t.Helper()
	want := fmt.Sprintf(`{"@class":%q,"error":{%q:%q},"newPlayer":false}`, class, key, value)
	if a.status != status || a.text() != want {
		a.t.Errorf("got %d %s, want %d %s", a.status, a.body, status, want)
	}
}

// orderOfChecks sends what is wrong in every way, and mends one after the other.
func (w *gameWorld) orderOfChecks() {
	long := string(bodyOf(257 << 10))
	for _, tt := range []struct {
		method, secret, request, body string
		status                        int
	}{
		{"GET", "wrong/x", "NoRequest", long, 404},
		{"GET", "wrong", "NoRequest", long, 405},
		{"POST", "wrong", "NoRequest", long, 403},
		{"POST", theGame.secret, "NoRequest", long, 404},
		{"POST", theGame.secret, "QQConnectRequest", long, 413},
		{"POST", theGame.secret, "QQConnectRequest", `{"playerId":"x","accessToken":"","accessToken":""}`, 400},
		{"POST", theGame.secret, "QQConnectRequest", `{"@class":".AccountDetailsRequest","playerId":"x","accessToken":""}`, 400},
	} {
		got := w.ask(tt.method, w.url("LOGIN", "/rs/device/"+tt.secret+"/"+tt.request), []byte(tt.body))
		if got.status != tt.status {
			w.t.Errorf("%+v: got %d %s", fields{"method": tt.method, "request": tt.request, "want": tt.status}, got.status, got.body)
		}
	}
	path := func(body string) answer { return w.rest(theGame, "QQConnectRequest", []byte(body)) }
	path(`{"playerId":"x","accessToken":"","segments":1}`).isRefusal(200, ".AuthenticationResponse", "authentication", "NOTAUTHORIZED")
	path(`{"accessToken":"","segments":1}`).isRefusal(200, ".AuthenticationResponse", "accessToken", "REQUIRED")
	path(`{"accessToken":"x","segments":1}`).isRefusal(200, ".AuthenticationResponse", "segments", "REFUSED")
	path(`{"accessToken":"x"}`).isRefusal(200, ".AuthenticationResponse", "accessToken", "NOTAUTHENTICATED")
	before := w.qq.Calls("/oauth2.0/me")
	path(`{"accessToken":"x","segments":1}`)
	path(`{"accessToken":"x","playerId":"x"}`)
	if after := w.qq.Calls("/oauth2.0/me"); after != before {
		w.t.Errorf("QQ was asked %d times about refused requests", after-before)
	}
}

// badGameBodies are no one JSON object, or one of the wrong types.
func (w *gameWorld) badGameBodies() {
	g := &restGame{home: w.home, gate: theGame}
	l := w.guest(g)
	for _, body := range []string{
		"null", "[]", `"x"`, "{} {}", "{}x", `{"a":1,}`, `{'a':1}`, "\xff{}", `{"a":"` + "\xff" + `"}`,
		`{"authToken":"$T","authToken":"$T"}`, `{"authToken":"$T","AuthToken":"$T"}`, `{"playerId":"x","PLAYERID":"y"}`,
		`{"displayName":"a","displayName":"b","authToken":"$T"}`, `{"displayName":"a","DisplayName":"b","authToken":"$T"}`,
		`{"a":{"b":1,"b":2}}`, `{"requestId":1}`, `{"requestId":{}}`, `{"requestId":"` + strings.Repeat("x", 300) + `"}`,
		`{"authToken":1}`, `{"displayName":1,"authToken":"$T"}`, `{"displayName":["x"],"authToken":"$T"}`, `{"@class":1}`, `{"@class":".AccountDetailsRequest"}`,
		strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50),
	} {
		got := w.rest(theGame, "ChangeUserDetailsRequest", []byte(strings.ReplaceAll(body, "$T", l.AuthToken)))
		if got.status != http.StatusBadRequest || !strings.HasPrefix(got.text(), `{"@class":".ChangeUserDetailsResponse","error":{"request":"MALFORMED"},"newPlayer":false`) {
			w.t.Errorf("%.80s: %d %s", body, got.status, got.body)
		}
	}
	if d := detailsOf(g); d.Name != "Guest" {
		w.t.Errorf("a bad body changed the name to %q", d.Name)
	}
	// What the vendor's clients of old send besides.
	for _, header := range [][]string{nil, {"Content-Type", "text/plain"}, {"Content-Type", "application/json; charset=utf-8"}} {
		got := w.ask("POST", w.url("LOGIN", "/rs/device/"+theGame.secret+"/AccountDetailsRequest"), []byte(`{"authToken":"`+l.AuthToken+`"}`), header...)
		if got.status != http.StatusOK || !bytes.Contains(got.body, []byte(l.User)) {
			w.t.Errorf("%v: %d %s", header, got.status, got.body)
		}
	}
	// Neither a header nor a cookie says who plays.
	got := w.ask("POST", w.url("LOGIN", "/rs/device/"+theGame.secret+"/AccountDetailsRequest"), []byte("{}"),
		"Authorization", "Bearer "+l.AuthToken, "Cookie", "qqauth-"+w.ports["LOGIN"]+"="+l.AuthToken, "session-token", l.AuthToken)
	got.isRefusal(200, ".AccountDetailsResponse", "authentication", "NOTAUTHORIZED")
}

// badMessages are those of a connection, which goes on.
func (w *gameWorld) badMessages() {
	c := w.dialGame(theGame)
	l := w.guest(c)
	for _, text := range []string{"null", "{", `{"a":1,"A":2}`, `{"requestId":"x"}`, `{"@class":1}`, `{"requestId":2,"@class":".AccountDetailsRequest"}`} {
		if got := c.says(text); !strings.Contains(got.text(), `"error":{"request":"MALFORMED"}`) || !strings.Contains(got.text(), `"newPlayer":false`) {
			w.t.Errorf("%s: %s", text, got.body)
		}
	}
	for _, class := range []string{".NoRequest", "AccountDetailsRequest", ".AuthenticatedConnectRequest", "."} {
		text, _ := json.Marshal(fields{"@class": class})
		if got := c.says(string(text)); !strings.Contains(got.text(), `"error":{"request":"UNKNOWN"}`) {
			w.t.Errorf("%s: %s", text, got.body)
		}
	}
	// A token in a message is no way to become its player.
	other := connects(&restGame{home: w.home, gate: theGame}, w.nextAccount())
	got := c.request("AccountDetailsRequest", fields{"authToken": other.AuthToken})
	if user := got.members()["userId"]; user != l.User && user != nil {
		w.t.Errorf("a message with another's token was answered %s", got.body)
	}
	if d := detailsOf(c); d.User != l.User {
		w.t.Errorf("after bad messages the player is %+v", d)
	}
	long := w.dialGame(theGame)
	w.guest(long)
	if _, err := long.ask("AccountDetailsRequest", "long", bodyOf(256<<10+1)); err == nil {
		w.t.Error("a message over 256 KiB was answered")
	}
	if code := long.closes(endsWithin); code != websocket.StatusMessageTooBig {
		w.t.Errorf("a message over 256 KiB ended the connection with %v", code)
	}
	id, body := gameBody("AccountDetailsRequest", nil)
	body = append(bytes.TrimSuffix(body, []byte("}")), []byte(`,"pad":"`)...)
	body = append(body, bytes.Repeat([]byte("x"), 256<<10-len(body)-2)...)
	if got, err := c.ask("AccountDetailsRequest", id, append(body, `"}`...)); err != nil || got.members()["userId"] != l.User {
		w.t.Errorf("a message of 256 KiB: %s, %v", got.body, err)
	}
}

// badHandshakes are ended by the server; no request is heard before the end of a
// good one.
func (w *gameWorld) badHandshakes() {
	nonces := map[string]bool{}
	for what, answer := range map[string]func(nonce string) string{
		"a wrong secret": func(nonce string) string {
			return `{"@class":".AuthenticatedConnectRequest","hmac":"` + gameProof(arcade.secret, nonce) + `"}`
		},
		"another nonce": func(string) string {
			return `{"@class":".AuthenticatedConnectRequest","hmac":"` + gameProof(theGame.secret, "another") + `"}`
		},
		"no hmac":       func(string) string { return `{"@class":".AuthenticatedConnectRequest"}` },
		"an empty hmac": func(string) string { return `{"@class":".AuthenticatedConnectRequest","hmac":""}` },
		"a request": func(string) string {
			return `{"@class":".DeviceAuthenticationRequest","deviceId":"12345678","deviceOS":"IOS"}`
		},
		"no object":  func(string) string { return "[]" },
		"over 4 KiB": func(string) string { return string(bodyOf(5 << 10)) },
		"duplicate keys": func(nonce string) string {
			return `{"@class":".AuthenticatedConnectRequest","hmac":"` + gameProof(theGame.secret, nonce) + `","HMAC":"x"}`
		},
	} {
		ctx, cancel := context.WithTimeout(w.t.Context(), endsWithin)
		conn, _, err := websocket.Dial(ctx, w.socketURL(theGame), &websocket.DialOptions{HTTPClient: gamesHTTP})
		if err != nil {
			w.t.Fatal(err)
		}
		hello, err := readGame(ctx, conn)
		if err != nil || hello.Class != connectedClass || len(hello.Nonce) < 20 || nonces[hello.Nonce] || hello.AuthToken+hello.SessionID != "" {
			w.t.Fatalf("%s: the first message is %s, %v", what, hello.raw, err)
		}
		nonces[hello.Nonce] = true
		if err := conn.Write(ctx, websocket.MessageText, []byte(answer(hello.Nonce))); err != nil {
			w.t.Fatal(err)
		}
		refusal, err := readGame(ctx, conn)
		if err == nil {
			if refusal.Error == nil || refusal.AuthToken+refusal.SessionID+refusal.UserID != "" {
				w.t.Errorf("%s was answered %s", what, refusal.raw)
			}
			if more, err := readGame(ctx, conn); err == nil {
				w.t.Errorf("%s: after the refusal came %s", what, more.raw)
			}
		} else if websocket.CloseStatus(err) == -1 {
			w.t.Errorf("%s: the connection ended by %v", what, err)
		}
		cancel()
		_ = conn.CloseNow()
	}
}

// badOpenings are refused before there is a WebSocket.
func (w *gameWorld) badOpenings() {
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	good := "/ws/device/" + theGame.key
	for _, tt := range []struct {
		method, path string
		header       []string
		status       int
	}{
		{"GET", "/ws/device/" + theGame.key + "x", upgrade, 403},
		{"GET", "/ws/server/" + theGame.key, upgrade, 403},
		{"GET", "/ws/device/" + theGame.secret, upgrade, 403},
		{"POST", good, upgrade, 405},
		{"GET", good, nil, 426},
		{"GET", good, append(upgrade[:4:4], "Sec-WebSocket-Version", "8", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), 426},
		{"GET", good, upgrade[:6], 400},
	} {
		got := w.ask(tt.method, w.url("LOGIN", tt.path), nil, tt.header...)
		if got.status != tt.status || !strings.HasPrefix(got.text(), `{"@class":".`) {
			w.t.Errorf("%s %s: got %d %s, want %d", tt.method, tt.path, got.status, got.body, tt.status)
		}
	}
	// A browser's page is let in as well: nothing here reads its cookies.
	conn, _, err := websocket.Dial(w.t.Context(), w.socketURL(theGame), &websocket.DialOptions{
		HTTPClient: gamesHTTP, HTTPHeader: http.Header{"Origin": {"https://game.example.org"}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	_ = conn.CloseNow()
}

// requestedSegments are the word of a game. Every request that makes a player
// takes them, none makes an administrator.
func (w *gameWorld) requestedSegments(way opening) {
	asked := fields{"segments": fields{"role": "admin", "PROFILE": "P1"}}
	with := func(in fields) fields {
		in = maps.Clone(in)
		maps.Copy(in, asked)
		return in
	}
	a := w.nextAccount()
	for _, tt := range []struct {
		request string
		in      fields
		app     int // what the guard says that takes sessions proved by QQ alone
	}{
		{"DeviceAuthenticationRequest", with(w.device()), http.StatusForbidden},
		{"RegistrationRequest", with(fields{"userName": w.userName(), "password": "x", "displayName": "N"}), http.StatusForbidden},
		{"QQConnectRequest", with(qqConnect(a)), http.StatusOK},
	} {
		g := way.open(w, theGame)
		l := g.request(tt.request, tt.in).signsIn()
		if !l.New {
			w.t.Fatalf("%s made no player: %+v", tt.request, l)
		}
		if d := detailsOf(g); !maps.Equal(d.Segments, map[string]string{"role": "admin", "PROFILE": "P1"}) {
			w.t.Errorf("%s: the game is told of the segments %v", tt.request, d.Segments)
		}
		w.admits(l.AuthToken, map[string]int{"APP": tt.app, "OTHER": http.StatusOK, "PLAIN": http.StatusForbidden})
		seen := w.at("OTHER", l.AuthToken).seen()
		claims := w.verifyAssertion(seen.Header.Get("X-Qqauth-Ticket"), w.url("OTHER", ""))
		if seen.has("X-Role") || len(claims.Segments) != 0 || claims.Subject != l.User {
			w.t.Errorf("%s: the upstream got X-Role %q and the claims %+v", tt.request, seen.Header.Get("X-Role"), claims)
		}
		var shown adminUser
		w.admin("GET", "/users?id="+l.User, nil).want(http.StatusOK, "").json(&shown)
		if len(shown.Segments) != 0 {
			w.t.Errorf("%s: the administrator is shown the segments %v", tt.request, shown.Segments)
		}

		// What an administrator sets, counts, and is not shown as the game's.
		w.admin("PUT", "/users/"+l.User+"/segments", map[string]string{"role": "admin"}).want(http.StatusNoContent, "")
		w.admits(l.AuthToken, map[string]int{"APP": tt.app, "PLAIN": http.StatusOK})
		seen = w.at("PLAIN", l.AuthToken).seen()
		claims = w.verifyAssertion(seen.Header.Get("X-Qqauth-Ticket"), w.url("PLAIN", ""))
		if seen.Header.Get("X-Role") != "admin" || !maps.Equal(claims.Segments, map[string]string{"role": "admin"}) {
			w.t.Errorf("%s: the upstream got X-Role %q and the claims %+v", tt.request, seen.Header.Get("X-Role"), claims)
		}
		w.admin("PUT", "/users/"+l.User+"/segments", map[string]string{}).want(http.StatusNoContent, "")
		w.admits(l.AuthToken, map[string]int{"PLAIN": http.StatusForbidden})
	}
	// A player who exists is asked for nothing.
	again := way.open(w, theGame)
	again.request("QQConnectRequest", qqConnect(a, fields{"segments": fields{"role": "root"}})).signsIn()
	if d := detailsOf(again); d.Segments["role"] != "admin" {
		w.t.Errorf("a login changed the segments to %v", d.Segments)
	}
}

// guards let in whom QQ has proved, and others where they say so.
func (w *gameWorld) guards(way opening) {
	weak := map[string]int{"APP": http.StatusForbidden, "OTHER": http.StatusOK}
	strong := map[string]int{"APP": http.StatusOK, "OTHER": http.StatusOK}
	g, device := way.open(w, theGame), w.device()
	l := g.request("DeviceAuthenticationRequest", device).signsIn()
	w.admits(l.AuthToken, weak)
	w.provedBy(l, "OTHER", "device")
	linked := connects(g, w.nextAccount())
	w.admits(linked.AuthToken, strong)
	w.provedBy(linked, "APP", "qq")
	if seen := w.at("APP", linked.AuthToken).seen(); seen.Header.Get("X-User-Id") != linked.User || seen.has("Authorization") {
		w.t.Errorf("the upstream got %v", seen.Header)
	}
	// The device proves no more than before, whoever the player is.
	again := way.open(w, theGame).request("DeviceAuthenticationRequest", device).signsIn()
	if again.User != l.User {
		w.t.Errorf("the device is %s, want %s", again.User, l.User)
	}
	w.admits(again.AuthToken, weak)
	w.provedBy(again, "OTHER", "device")

	named := way.open(w, theGame)
	name := w.userName()
	registered := named.request("RegistrationRequest", fields{"userName": name, "password": "x", "displayName": "N"}).signsIn()
	w.admits(registered.AuthToken, weak)
	w.provedBy(registered, "OTHER", "pwd")
	w.admits(connects(named, w.nextAccount()).AuthToken, strong)
	byName := way.open(w, theGame).request("AuthenticationRequest", fields{"userName": name, "password": "x"}).signsIn()
	w.admits(byName.AuthToken, weak)
}

// provedBy demands how an assertion says that a session was proved.
func (w *gameWorld) provedBy(l gameLogin, port, method string) {
	w.t.Helper()
	c := w.verifyAssertion(w.at(port, l.AuthToken).seen().Header.Get("X-Qqauth-Ticket"), w.url(port, ""))
	if len(c.Methods) != 1 || c.Methods[0] != method || c.Subject != l.User || c.ClientID != "game" || time.Since(time.Unix(c.AuthTime, 0)) > patience {
		w.t.Errorf("the claims are %+v, want %s", c, method)
	}
}
