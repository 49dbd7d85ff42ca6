package e2e

import (
	"net/http"
)

// waitsAt is a login that goes on elsewhere, by a state_token. The code's receiver
// is told where it is asked for.
func waitsAt(g game, a account, why string, data bool) (stateToken string) {
	got := g.request("QQConnectRequest", qqConnect(a, fields{"switchIfPossible": true}))
	script, _ := got.refused("authentication", why, "scriptData")["scriptData"].(map[string]any)
	stateToken, _ = script["state_token"].(string)
	flow, has := script["data"].(string)
	if stateToken == "" || has != data || data && flow == "" {
		got.t.Fatalf("a login that waits was answered %s", got.body)
	}
	return stateToken
}

// goesOn demands that what a login has ended in elsewhere is an authToken.
func (w *gameWorld) goesOn(at gameGate, g grant, way opening) (user string) {
	w.t.Helper()
	if way.name == "REST" {
		return detailsOf(&restGame{home: w.home, gate: at, authToken: g.Session}).User
	}
	c := w.dialGameAs(at, g.Session)
	d := detailsOf(c)
	if c.first.UserID != d.User || d.User == "" {
		w.t.Errorf("connected as %s", c.first.raw)
	}
	return d.User
}

// registersElsewhere: a game's new player proves a phone first, as an app's does.
func (w *gameWorld) registersElsewhere(way opening) {
	p, g := w.person(), way.open(w, registers)
	state := waitsAt(g, p.qq, "USER_REGISTER", true)
	if g.token() != "" {
		w.t.Errorf("the game has the token %q", g.token())
	}
	nobody(g)
	got := w.admin("GET", "/users?app_id="+p.qq.App+"&open_id="+p.qq.OpenID, nil)
	if got.status != http.StatusNotFound {
		w.t.Errorf("before the code there is a user: %d %s", got.status, got.body)
	}
	a := w.app("registers")
	done := a.succeeds("/social/register-bind", state, p.phone, a.code("REGISTER_SMS", p.phone, state))
	user := w.goesOn(registers, done, way)
	if l := connects(way.open(w, registers), p.qq); l.User != user || l.New {
		w.t.Errorf("known now as %+v, want %s", l, user)
	}
	a.finish("/social/register-bind", state, p.phone, "123456").want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0014")
}

// bindsElsewhere: at another QQ application the same person is found by phone.
func (w *gameWorld) bindsElsewhere(way opening) {
	p := w.person()
	a := w.app("registers")
	state := waitsAt(way.open(w, registers), p.qq, "USER_REGISTER", true)
	known := w.goesOn(registers, a.succeeds("/social/register-bind", state, p.phone, a.code("REGISTER_SMS", p.phone, state)), way)
	b := w.app("binds")
	state = waitsAt(way.open(w, binds), p.other, "SOCIAL_BIND", true)
	bound := b.succeeds("/social/bind", state, p.phone, b.code("BIND_MOBILE_SMS", p.phone, state))
	if user := w.goesOn(binds, bound, way); user != known {
		w.t.Errorf("bound to %s, want %s", user, known)
	}
	if l := connects(way.open(w, binds), p.other); l.User != known || l.New {
		w.t.Errorf("known now as %+v, want %s", l, known)
	}
}

// denied: unknown players are not let in, whatever they come by.
func (w *gameWorld) denied(way opening) {
	for _, at := range []gameGate{denies, refuses, registers, binds, vault} {
		g := way.open(w, at)
		if at == denies || at == refuses {
			g.request("QQConnectRequest", qqConnect(w.nextAccount())).refused("authentication", "ACCESS_DENIED")
		}
		g.request("DeviceAuthenticationRequest", w.device()).refused("authentication", "ACCESS_DENIED")
		g.request("RegistrationRequest", fields{"userName": w.userName(), "password": "x", "displayName": "N"}).refused("authentication", "ACCESS_DENIED")
		nobody(g)
	}
	a := w.nextAccount()
	known := connects(way.open(w, theGame), a)
	if l := connects(way.open(w, denies), a); l.User != known.User {
		w.t.Errorf("a known player is %+v", l)
	}
	// The application of the client is asked for, not that the account is somebody's.
	way.open(w, vault).request("AuthenticationRequest", fields{"userName": w.userName(), "password": "x"}).refused("DETAILS", "UNRECOGNISED")
}

// enrols makes a player with a second factor.
func (w *gameWorld) enrols() *person {
	w.t.Helper()
	p := w.person()
	w.register(p, p.phone)
	return p
}

// confirms finishes a login by the second factor.
func (w *gameWorld) confirms(state string, p *person) grant {
	w.t.Helper()
	a := w.app("vault")
	return a.succeeds("/mfa/sms", state, p.phone, a.code("MFA_AUTH_SMS", p.phone, state))
}

// secondFactor: before the second factor there is no authToken, and nothing linked
// or switched.
func (w *gameWorld) secondFactor(way opening) {
	p, g := w.enrols(), way.open(w, vault)
	id := w.userOf(p.qq).ID
	state := waitsAt(g, p.qq, "MFA_REQUIRED", false)
	if g.token() != "" {
		w.t.Errorf("before the second factor the game has the token %q", g.token())
	}
	nobody(g)
	if user := w.goesOn(vault, w.confirms(state, p), way); user != id {
		w.t.Errorf("confirmed as %s, want %s", user, id)
	}
	// Somebody who has no second factor yet gets one.
	q := w.person()
	known := connects(way.open(w, theGame), q.qq)
	a := w.app("vault")
	state = waitsAt(way.open(w, vault), q.qq, "USER_REGISTER", true)
	enrolled := a.succeeds("/social/register-bind", state, q.phone, a.code("REGISTER_SMS", q.phone, state))
	if user := w.goesOn(vault, enrolled, way); user != known.User {
		w.t.Errorf("enrolled as %s, want %s", user, known.User)
	}
	w.admits(known.AuthToken, map[string]int{"APP": http.StatusUnauthorized}) // a way in was added
}

// switchWaits: the player who would be left plays on until the second factor.
func (w *gameWorld) switchWaits() {
	p, q := w.enrols(), w.enrols()
	state := waitsAt(w.dialGame(vault), p.qq, "MFA_REQUIRED", false)
	c := w.dialGameAs(vault, w.confirms(state, p).Session)
	first, _ := c.first.UserID, c.token()
	state = waitsAt(c, q.qq, "MFA_REQUIRED", false)
	if d := detailsOf(c); d.User != first || d.User != w.userOf(p.qq).ID {
		w.t.Errorf("before the second factor the player is %+v, was %s", d, first)
	}
	done := w.confirms(state, q)
	c.terminated(endsWithin)
	if user := w.goesOn(vault, done, bothWays[1]); user != w.userOf(q.qq).ID {
		w.t.Errorf("switched to %s", user)
	}
}

// disabledPlayers are refused by whatever they come, and end no session by it.
func (w *gameWorld) disabledPlayers(way opening) {
	a, device, name := w.nextAccount(), w.device(), w.userName()
	linked := way.open(w, theGame)
	linked.request("DeviceAuthenticationRequest", device).signsIn()
	l := connects(linked, a)
	registered := way.open(w, theGame).request("RegistrationRequest", fields{"userName": name, "password": "x", "displayName": "N"}).signsIn()
	for _, user := range []string{l.User, registered.User} {
		w.admin("POST", "/users/"+user+"/disable", nil).want(http.StatusNoContent, "")
	}
	w.hasEnded(linked)
	g := way.open(w, theGame)
	guest := w.guest(g)
	for request, in := range map[string]fields{
		"QQConnectRequest": qqConnect(a), "DeviceAuthenticationRequest": device, "AuthenticationRequest": {"userName": name, "password": "x"},
	} {
		g.request(request, in).refused("authentication", "DISABLED")
	}
	// Who a disabled player is, is nobody's to be told.
	g.request("QQConnectRequest", qqConnect(a, fields{"errorOnSwitch": true})).refused("authentication", "DISABLED")
	g.request("AuthenticationRequest", fields{"userName": name, "password": "y"}).refused("DETAILS", "UNRECOGNISED")
	if d := detailsOf(g); d.User != guest.User {
		w.t.Errorf("the guest is %+v", d)
	}
	w.admits(guest.AuthToken, map[string]int{"OTHER": http.StatusOK})
	for _, user := range []string{l.User, registered.User} {
		w.admin("POST", "/users/"+user+"/enable", nil).want(http.StatusNoContent, "")
	}
	// The tokens of before are refused; a fresh one is not.
	g.request("QQConnectRequest", qqConnect(a)).refused("accessToken", "NOTAUTHENTICATED")
	a.AccessToken = w.qq.Issue(qqApp, (&appWorld{world: w.world}).number(&person{qq: a}))
	if back := connects(g, a); back.User != l.User {
		w.t.Errorf("enabled again as %+v", back)
	}
	way.open(w, theGame).request("AuthenticationRequest", fields{"userName": name, "password": "x"}).signsIn()
}
