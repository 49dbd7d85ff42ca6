package e2e

import (
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestGames is what a vendor's games do at one server.
func TestGames(t *testing.T) {
	w := newGameWorld(t)
	for _, tt := range []struct {
		name string
		test func(*gameWorld)
	}{
		{"documented example", (*gameWorld).example},
		{"life", both((*gameWorld).life)},
		{"flags", both((*gameWorld).flags)},
		{"display name of QQ", both((*gameWorld).syncsName)},
		{"devices", both((*gameWorld).devices)},
		{"names and passwords", both((*gameWorld).passwords)},
		{"QQ's refusals", both((*gameWorld).qqRefuses)},
		{"fields", both((*gameWorld).fields)},
		{"nobody signed in", both((*gameWorld).needsPlayer)},
		{"playerId", both((*gameWorld).playerIDs)},
		{"one-time codes", both((*gameWorld).oneTimeCodes)},
		{"other clients' players", both((*gameWorld).otherClients)},

		{"statuses", (*gameWorld).statuses},
		{"order of checks", (*gameWorld).orderOfChecks},
		{"bad bodies", (*gameWorld).badGameBodies},
		{"bad messages", (*gameWorld).badMessages},
		{"bad handshakes", (*gameWorld).badHandshakes},
		{"opening handshakes", (*gameWorld).badOpenings},
		{"keeping alive", (*gameWorld).keepingAlive},
		{"connecting again", (*gameWorld).connectsAgain},

		{"segments", both((*gameWorld).requestedSegments)},
		{"guards", both((*gameWorld).guards)},
		{"ends", (*gameWorld).ends},
		{"ends of what is left", (*gameWorld).leaves},

		{"registering", both((*gameWorld).registersElsewhere)},
		{"binding", both((*gameWorld).bindsElsewhere)},
		{"denied", both((*gameWorld).denied)},
		{"second factor", both((*gameWorld).secondFactor)},
		{"second factor of a switch", (*gameWorld).switchWaits},
		{"disabled", both((*gameWorld).disabledPlayers)},

		{"floods", (*gameWorld).floods},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(w.in(t)) })
	}
}

// both runs a test over each transport.
func both(test func(*gameWorld, opening)) func(*gameWorld) {
	return func(w *gameWorld) {
		for _, way := range bothWays {
			w.t.Run(way.name, func(t *testing.T) { test(w.in(t), way) })
		}
	}
}

// exampleRequest is the vendor's, to the letter.
const exampleRequest = `{
      "@class" : ".QQConnectRequest",
      "accessToken" : "43E9534E912AS35&2E8F0836C1E",
      "doNotLinkToCurrentPlayer" : false,
      "errorOnSwitch" : false,
      "segments" : {
        "PROFILE" : "P1"
      },
      "switchIfPossible" : false,
      "syncDisplayName" : false
    }`

// exampleAnswer is the vendor's, without what is a part of errors or of Cloud Code.
var exampleAnswer = regexp.MustCompile(`^\{"@class":"\.AuthenticationResponse","authToken":"[A-Za-z0-9]{32}","displayName":"Nick","newPlayer":(true|false),"userId":"[0-9]{17}-[0-9A-F]{4}-[0-9A-F]{9}"\}$`)

// example sends the document's example over both transports: one player is made.
// No token of QQ's holds an ampersand, so that the example's own is never asked for.
func (w *gameWorld) example() {
	request := strings.Replace(exampleRequest, "&", "", 1)
	w.answersAs("43E9534E912AS352E8F0836C1E", "523B0628E4B0ABA320077410523B0628", "Nick")
	c := w.dialGame(theGame)
	w.rest(theGame, "QQConnectRequest", []byte(exampleRequest)).
		isRefusal(http.StatusOK, ".AuthenticationResponse", "accessToken", "NOTAUTHENTICATED")
	got := []answer{
		w.rest(theGame, "QQConnectRequest", []byte(request)), w.rest(theGame, "QQConnectRequest", []byte(request)), c.says(request),
	}
	var users []string
	for i, a := range got {
		var l gameLogin
		a.json(&l)
		if !exampleAnswer.Match(a.body) || l.New != (i == 0) {
			w.t.Errorf("answer %d to the example is %d %s", i, a.status, a.body)
		}
		users = append(users, l.User)
	}
	if users[0] != users[1] || users[0] != users[2] {
		w.t.Errorf("one account is the users %v", users)
	}
	header := got[0].header
	if got[0].status != http.StatusOK || header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
		w.t.Errorf("answered %d with %v", got[0].status, header)
	}
	if d := detailsOf(c); d.Segments["PROFILE"] != "P1" || len(d.Segments) != 1 {
		w.t.Errorf("the segments are %v", d.Segments)
	}
}

// life is a player's: a guest who links QQ, comes back on another device, takes a
// name and a password, and unlinks QQ.
func (w *gameWorld) life(way opening) {
	g, a, device := way.open(w, theGame), w.nextAccount(), w.device()
	guest := g.request("DeviceAuthenticationRequest", device).signsIn()
	if !guest.New || guest.Name != "Guest" {
		w.t.Errorf("a new guest is %+v", guest)
	}
	again := way.open(w, theGame).request("DeviceAuthenticationRequest", device).signsIn()
	if again.New || again.User != guest.User || again.AuthToken == guest.AuthToken {
		w.t.Errorf("a known guest is %+v, was %+v", again, guest)
	}
	if d := detailsOf(g); d.User != guest.User || d.Name != "Guest" || len(d.External) != 0 || len(d.Segments) != 0 {
		w.t.Errorf("the guest's details are %+v", d)
	}
	w.isConnected(g, false)

	linked := connects(g, a)
	if linked.New || linked.User != guest.User || linked.Name != "Guest" || linked.AuthToken == guest.AuthToken {
		w.t.Errorf("after linking the player is %+v, was %+v", linked, guest)
	}
	if d := detailsOf(g); d.External["QQ"] != a.OpenID || len(d.External) != 1 || d.User != guest.User {
		w.t.Errorf("the linked player's details are %+v", d)
	}
	w.isConnected(g, true)
	// Of the sessions before, the one stays that QQ was linked by, and proves no more.
	w.admits(guest.AuthToken, map[string]int{"APP": http.StatusForbidden, "OTHER": http.StatusOK})
	w.admits(again.AuthToken, map[string]int{"OTHER": http.StatusUnauthorized})

	h := way.open(w, theGame)
	other := w.guest(h)
	switched := connects(h, a)
	if switched.New || switched.User != guest.User || switched.Name != "Guest" {
		w.t.Errorf("switched to %+v, want %s", switched, guest.User)
	}
	w.admits(other.AuthToken, map[string]int{"OTHER": http.StatusUnauthorized})
	if d := detailsOf(h); d.User != guest.User {
		w.t.Errorf("the switched player's details are %+v", d)
	}
	h.request("SocialDisconnectRequest", fields{"systemId": "QQ"}).refused("password", "NOT_SET")

	name := w.userName()
	h.request("ChangeUserDetailsRequest", fields{"displayName": "尼克 <&>", "userName": name, "newPassword": "pass word"}).has()
	if d := detailsOf(h); d.Name != "尼克 <&>" {
		w.t.Errorf("the name is %q", d.Name)
	}
	w.hasEnded(g)
	if anew := way.open(w, theGame).request("DeviceAuthenticationRequest", device).signsIn(); !anew.New || anew.User == guest.User {
		w.t.Errorf("the device still lets %+v in", anew)
	}

	k := way.open(w, theGame)
	byName := k.request("AuthenticationRequest", fields{"userName": name, "password": "pass word"}).signsIn()
	if byName.New || byName.User != guest.User || byName.Name != "尼克 <&>" {
		w.t.Errorf("by password came %+v", byName)
	}
	k.request("SocialDisconnectRequest", fields{"systemId": "QQ"}).has()
	w.isConnected(k, false)
	k.request("SocialDisconnectRequest", fields{"systemId": "QQ"}).refused("systemId", "NOT_CONNECTED")
	w.hasEnded(h)
	if anew := connects(way.open(w, theGame), a); !anew.New {
		w.t.Errorf("the account that was let go is %+v", anew)
	}

	lasted, ok := k.request("EndSessionRequest", nil).has("sessionDuration")["sessionDuration"].(float64)
	if !ok || lasted < 0 || lasted > float64(patience.Milliseconds()) {
		w.t.Errorf("the session lasted %v", lasted)
	}
	w.admits(byName.AuthToken, map[string]int{"APP": http.StatusUnauthorized, "OTHER": http.StatusUnauthorized})
	w.hasEnded(k)
}

// isConnected demands what a game is told of its player's QQ.
func (w *gameWorld) isConnected(g game, want bool) {
	w.t.Helper()
	got := g.request("SocialStatusRequest", nil)
	statuses, _ := got.has("statuses")["statuses"].([]any)
	if !want && statuses != nil && len(statuses) == 0 {
		return
	}
	first := map[string]any{}
	if len(statuses) == 1 {
		first, _ = statuses[0].(map[string]any)
	}
	if !want || first["systemId"] != "QQ" || first["active"] != true {
		w.t.Errorf("the social status is %s, want connected: %v", got.body, want)
	}
}

// hasEnded demands that the session of a game is over: its server is told at the
// next request, its socket at once.
func (w *gameWorld) hasEnded(g game) {
	w.t.Helper()
	if c, ok := g.(*gameClient); ok {
		c.terminated(endsWithin)
		if c.token() != "0" {
			w.t.Errorf("the game keeps the token %q", c.token())
		}
		return
	}
	nobody(g)
}

// flags are those of QQConnectRequest, each where it decides.
func (w *gameWorld) flags(way opening) {
	owned, owner := w.nextAccount(), way.open(w, theGame)
	p := connects(owner, owned)
	if !p.New || p.Name != owned.Nickname {
		w.t.Errorf("the owner is %+v, want %s", p, owned.Nickname)
	}

	g := way.open(w, theGame)
	guest := w.guest(g)
	before := detailsOf(g)
	summary, _ := g.request("QQConnectRequest", qqConnect(owned, fields{"errorOnSwitch": true})).
		refused("accessToken", "SWITCH_REFUSED", "switchSummary")["switchSummary"].(map[string]any)
	external, _ := summary["externalIds"].(map[string]any)
	_, onSocket := owner.(*gameClient)
	if summary["id"] != p.User || summary["displayName"] != p.Name || external["QQ"] != owned.OpenID || summary["online"] != onSocket {
		w.t.Errorf("the summary is %v, want %+v, online %v", summary, p, onSocket)
	}
	if after := detailsOf(g); g.token() != guest.AuthToken || after.User != before.User || len(after.External) != 0 {
		w.t.Errorf("a refused switch changed %+v to %+v", before, after)
	}
	if d := detailsOf(owner); d.User != p.User || d.External["QQ"] != owned.OpenID {
		w.t.Errorf("a refused switch changed the owner to %+v", d)
	}

	free := w.nextAccount()
	way.open(w, theGame).request("QQConnectRequest", qqConnect(free, fields{"doNotCreateNewPlayer": true})).refused("accessToken", "CREATE_REFUSED")
	g.request("QQConnectRequest", qqConnect(free, fields{"doNotCreateNewPlayer": true, "doNotLinkToCurrentPlayer": true})).
		refused("accessToken", "CREATE_REFUSED")
	if d := detailsOf(g); d.User != guest.User || len(d.External) != 0 {
		w.t.Errorf("a refused creation changed the player to %+v", d)
	}
	beside := g.request("QQConnectRequest", qqConnect(free, fields{"doNotLinkToCurrentPlayer": true, "errorOnSwitch": true})).signsIn()
	if !beside.New || beside.User == guest.User {
		w.t.Errorf("beside the guest came %+v", beside)
	}
	w.admits(guest.AuthToken, map[string]int{"OTHER": http.StatusUnauthorized})

	// The player has a QQ account now: another one is refused, or switched to.
	g.request("QQConnectRequest", qqConnect(w.nextAccount())).refused("accessToken", "ACCOUNT_ALREADY_LINKED")
	g.request("QQConnectRequest", qqConnect(owned)).refused("accessToken", "ACCOUNT_ALREADY_LINKED")
	told := g.request("QQConnectRequest", qqConnect(owned, fields{"errorOnSwitch": true})).
		refused("accessToken", "ACCOUNT_ALREADY_LINKED", "switchSummary")["switchSummary"].(map[string]any)
	if told["id"] != p.User {
		w.t.Errorf("the summary is %v", told)
	}
	g.request("QQConnectRequest", qqConnect(owned, fields{"switchIfPossible": true, "errorOnSwitch": true})).
		refused("accessToken", "SWITCH_REFUSED", "switchSummary")
	same := connects(g, free)
	if same.New || same.User != beside.User {
		w.t.Errorf("the same account is %+v, want %s", same, beside.User)
	}
	if l := g.request("QQConnectRequest", qqConnect(owned, fields{"switchIfPossible": true})).signsIn(); l.New || l.User != p.User {
		w.t.Errorf("switched to %+v, want %s", l, p.User)
	}
}

// syncsName: a link takes QQ's nickname where the player has none, or where it is
// asked to.
func (w *gameWorld) syncsName(way opening) {
	for _, tt := range []struct {
		name string
		sync bool
		want func(account) string
	}{
		{"Guest", false, func(account) string { return "Guest" }},
		{"Guest", true, func(a account) string { return a.Nickname }},
		{"", false, func(a account) string { return a.Nickname }},
	} {
		g, a, device := way.open(w, theGame), w.nextAccount(), w.device()
		device["displayName"] = tt.name
		if l := g.request("DeviceAuthenticationRequest", device).signsIn(); l.Name != tt.name {
			w.t.Errorf("the guest's name is %q, want %q", l.Name, tt.name)
		}
		l := g.request("QQConnectRequest", qqConnect(a, fields{"syncDisplayName": tt.sync})).signsIn()
		if l.Name != tt.want(a) {
			w.t.Errorf("%+v: the player's name is %q, want %q", tt, l.Name, tt.want(a))
		}
	}
}

// devices: an identity is client, system and id.
func (w *gameWorld) devices(way opening) {
	device := w.device()
	login := func(at gameGate, change fields) gameAnswer {
		in := maps.Clone(device)
		maps.Copy(in, change)
		return way.open(w, at).request("DeviceAuthenticationRequest", in)
	}
	first := login(theGame, nil).signsIn()
	if same := login(theGame, fields{"deviceModel": "M", "deviceName": "N", "deviceType": "T", "operatingSystem": "13"}).signsIn(); same.User != first.User {
		w.t.Errorf("the same device is %s, want %s", same.User, first.User)
	}
	users := map[string]bool{first.User: true}
	for _, other := range []gameAnswer{
		login(theGame, fields{"deviceOS": "IOS"}), login(theGame, fields{"deviceOS": "WP8"}), login(theGame, fields{"deviceOS": "W8"}),
		login(theGame, fields{"deviceId": device["deviceId"].(string) + "x"}), login(arcade, nil),
	} {
		l := other.signsIn()
		if users[l.User] || !l.New {
			w.t.Errorf("another device is %+v", l)
		}
		users[l.User] = true
	}
	for _, id := range []string{"1234567", "x", "00000000", "00000000-0000-0000-0000-000000000000", "9774d56d682e549c"} {
		login(theGame, fields{"deviceId": id}).refused("deviceId", "REFUSED")
	}
	login(theGame, fields{"deviceOS": "BEOS"}).refused("deviceOS", "IOS|ANDROID|WP8|W8")
	// As the vendor says: the two accounts are not merged.
	g := way.open(w, theGame)
	guest := w.guest(g)
	l := g.request("RegistrationRequest", fields{"userName": w.userName(), "password": "pass word", "displayName": "Nick"}).signsIn()
	if !l.New || l.User == guest.User {
		w.t.Errorf("a guest who registers is %+v", l)
	}
}

// passwords are those of players who registered.
func (w *gameWorld) passwords(way opening) {
	g, name := way.open(w, theGame), w.userName()
	registered := g.request("RegistrationRequest", fields{"userName": name, "password": "first", "displayName": "Nick"}).signsIn()
	if !registered.New || registered.Name != "Nick" {
		w.t.Errorf("registered as %+v", registered)
	}
	login := func(name, password string) gameAnswer {
		return way.open(w, theGame).request("AuthenticationRequest", fields{"userName": name, "password": password})
	}
	for _, as := range []string{name, "PLAYER" + name[len("player"):], "ｐｌａｙｅｒ" + name[len("player"):]} {
		if l := login(as, "first").signsIn(); l.User != registered.User || l.New {
			w.t.Errorf("as %s came %+v", as, l)
		}
		way.open(w, theGame).request("RegistrationRequest", fields{"userName": as, "password": "x", "displayName": "N"}).refused("USERNAME", "TAKEN")
	}
	login(name, "First").refused("DETAILS", "UNRECOGNISED")
	login(w.userName(), "first").refused("DETAILS", "UNRECOGNISED")
	for _, bad := range []string{"ab", "20220425140138519-BF1B-528B05551"} {
		g.request("ChangeUserDetailsRequest", fields{"userName": bad}).refused("USERNAME", "REFUSED")
	}

	g.request("ChangeUserDetailsRequest", fields{"newPassword": "second"}).refused("DETAILS", "UNRECOGNISED")
	g.request("ChangeUserDetailsRequest", fields{"newPassword": "second", "oldPassword": "wrong"}).refused("DETAILS", "UNRECOGNISED")
	login(name, "second").refused("DETAILS", "UNRECOGNISED")
	other := way.open(w, theGame)
	other.request("AuthenticationRequest", fields{"userName": name, "password": "first"}).signsIn()
	g.request("ChangeUserDetailsRequest", fields{"newPassword": "second", "oldPassword": "first"}).has()
	w.hasEnded(other)
	login(name, "first").refused("DETAILS", "UNRECOGNISED")
	login(name, "second").signsIn()

	// A name that was given up is nobody's for ever.
	next, taken := w.userName(), w.userName()
	way.open(w, theGame).request("RegistrationRequest", fields{"userName": taken, "password": "x", "displayName": "N"}).signsIn()
	g.request("ChangeUserDetailsRequest", fields{"userName": taken}).refused("USERNAME", "TAKEN")
	g.request("ChangeUserDetailsRequest", fields{"userName": next}).has()
	login(name, "second").refused("DETAILS", "UNRECOGNISED")
	login(next, "second").signsIn()
	way.open(w, theGame).request("RegistrationRequest", fields{"userName": name, "password": "x", "displayName": "N"}).refused("USERNAME", "TAKEN")
	guest := way.open(w, theGame)
	w.guest(guest)
	guest.request("ChangeUserDetailsRequest", fields{"newPassword": "x"}).refused("userName", "REQUIRED")
}

// keepingAlive sends what the SDKs do, and messages while others wait.
func (w *gameWorld) keepingAlive() {
	c := w.dialGame(theGame)
	c.keepsAlive()
	l := w.guest(c)
	for range 3 {
		c.keepsAlive()
	}
	if d := detailsOf(c); d.User != l.User {
		w.t.Errorf("after spaces the player is %+v", d)
	}
	// Answers come in the order of the messages.
	const many = 100
	for n := range many {
		_, body := gameBody("AccountDetailsRequest", fields{"requestId": n2s(n)})
		if err := c.conn.Write(w.t.Context(), websocket.MessageText, body); err != nil {
			w.t.Fatal(err)
		}
	}
	for n := range many {
		if m := c.next(patience); m.RequestID != n2s(n) || m.UserID != l.User {
			w.t.Fatalf("answer %d is %s", n, m.raw)
		}
	}
}

// connectsAgain takes the authToken and the sessionId along. The token that it
// came with is another one then, and good for a while yet.
func (w *gameWorld) connectsAgain() {
	c, a := w.dialGame(theGame), w.nextAccount()
	l := connects(c, a)
	session := c.sessionID
	c.connect()
	if c.first.UserID != l.User || c.token() == l.AuthToken || len(c.token()) != 32 || c.sessionID == session {
		w.t.Errorf("connected again as %s", c.first.raw)
	}
	if d := detailsOf(c); d.User != l.User || d.External["QQ"] != a.OpenID {
		w.t.Errorf("connected again as %+v", d)
	}
	in := map[string]int{"APP": http.StatusOK, "OTHER": http.StatusOK}
	w.admits(c.token(), in)
	w.admits(l.AuthToken, in)
	if d := detailsOf(&restGame{home: w.home, gate: theGame, authToken: l.AuthToken}); d.User != l.User {
		w.t.Errorf("the token of before is %+v", d)
	}

	// The answer may have been lost: the old token connects again within the
	// minute, and what it brought before stays good as well.
	late := w.dialGameAs(theGame, l.AuthToken)
	if late.first.UserID != l.User || late.token() == l.AuthToken || late.token() == c.token() {
		w.t.Errorf("connected late as %s", late.first.raw)
	}
	if d := detailsOf(c); d.User != l.User {
		w.t.Errorf("the connection of before is %+v", d)
	}
	for _, token := range []string{l.AuthToken, c.token(), late.token()} {
		w.admits(token, in)
	}
	// A refresh with the token of before ends no family.
	w.tenant("/session-token/refresh", w.bearer("game", "game-tenant-secret-for-loopback"), map[string]string{"session_token": l.AuthToken})
	if d := detailsOf(late); d.User != l.User {
		w.t.Errorf("after a refresh the connection is %+v", d)
	}

	for _, dead := range []string{"0", randomHex(16), "not a token", ""} {
		c := w.dialGameAs(theGame, dead)
		if c.first.AuthToken != "" || c.first.UserID != "" {
			w.t.Errorf("with the token %q it is connected as %s", dead, c.first.raw)
		}
		nobody(c)
	}
	if c := w.dialGameAs(arcade, late.token()); c.first.AuthToken != "" || c.first.UserID != "" {
		w.t.Errorf("at another game it is connected as %s", c.first.raw)
	}
}
