package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// signedIn is the header of a signed-in user's own calls.
func signedIn(g grant) []string { return []string{"Authorization", "Bearer " + g.IDToken} }

// update has a code sent to a new phone or address of a user of the client
// registers, and sets it.
func (w *appWorld) update(g grant, to string) answer {
	w.t.Helper()
	a, kind := w.app("registers"), "UPDATE_MOBILE_SMS"
	if isEmail(to) {
		kind = "UPDATE_EMAIL_EMS"
	}
	return a.call("POST", "/profile/update", map[string]string{fieldOf(to): to, "verify_code": a.code(kind, to, "")}, signedIn(g)...)
}

func (w *appWorld) ownProfile() {
	p := w.person()
	g := w.register(p, p.phone)
	id := w.userOf(p.qq).ID
	got := w.app("registers").call("GET", "/profile", nil, signedIn(g)...).want(http.StatusOK, "")
	var name struct{ Name string }
	got.json(&name)
	want := fmt.Sprintf(`{"id":%q,"userName":"","name":%s,"mobile":%q,"email":""}`, id, w.encode(p.qq.Nickname), p.mobile())
	if got.text() != want || name.Name != p.qq.Nickname {
		w.t.Errorf("profile %s, want %s", got.body, want)
	}
	// Another client gets what was proved through it, and nothing was.
	other := w.login("creates", p.qq)
	got = w.app("creates").call("GET", "/profile", nil, signedIn(other)...).want(http.StatusOK, "")
	if want := strings.Replace(want, p.mobile(), "", 1); got.text() != want {
		w.t.Errorf("profile at another client %s, want %s", got.body, want)
	}
}

// tells asks the guard until an upstream is told what a user has changed.
func (w *appWorld) tells(g grant, what string, holds func(seen) bool) {
	w.t.Helper()
	for began := time.Now(); !holds(w.guarded("/", g.Session).seen()); {
		if time.Since(began) > knownWithin {
			w.t.Fatalf("after %v the upstream is not told of the %s", time.Since(began), what)
		}
	}
}

func (w *appWorld) newName() {
	p := w.person()
	g := w.register(p, p.phone)
	a, stays := w.app("registers"), w.dialWS(g.Session)
	for _, name := range []string{"王小明", " {env.HOME} "} {
		if got := a.call("POST", "/profile/update", map[string]string{"name": name}, signedIn(g)...).want(http.StatusOK, ""); len(got.body) > 0 {
			w.t.Errorf("the answer to a new name is %q", got.body)
		}
		w.tells(g, "name", func(s seen) bool {
			return w.verifyAssertion(s.Header.Get("X-Qqauth-Ticket"), w.url("APP", "")).Name == strings.TrimSpace(name)
		})
	}
	for _, name := range []string{" ", "a\x00b", "a\nb", strings.Repeat("名", 65)} {
		if got := a.call("POST", "/profile/update", map[string]string{"name": name}, signedIn(g)...); got.status != http.StatusBadRequest {
			w.t.Errorf("name %q: %d %s", name, got.status, got.body)
		}
	}
	a.inBoth(http.StatusBadRequest, "IDAAS.SDK.PARAM.0099", func(a *app) answer {
		return a.call("POST", "/profile/update", map[string]string{}, signedIn(g)...)
	})
	stays.echoes(w.t)
}

func (w *appWorld) newPhone() {
	p, next := w.person(), w.person()
	other := w.register(p, p.phone)
	g := w.login("registers", p.qq)
	conn := w.dialWS(other.Session)
	began := time.Now()
	if got := w.update(g, next.phone).want(http.StatusOK, ""); len(got.body) > 0 {
		w.t.Errorf("the answer to a new phone is %q", got.body)
	}
	w.dead(other)
	conn.closes(w.t, closedWithin)
	w.t.Logf("other sessions ended within %v", time.Since(began))
	w.tells(g, "phone", func(s seen) bool { return s.Header.Get("X-Mobile") == next.mobile() })

	// The new one is taken, and the old one free.
	q := w.person()
	a := w.app("registers")
	state := a.waits(q.qq, "USER_REGISTER", flowOfBoth)
	a.finish("/social/register-bind", state, next.phone, a.code("REGISTER_SMS", next.phone, state)).want(http.StatusBadRequest, "IDAAS.SDK.USER.0101")
	freed := a.succeeds("/social/register-bind", state, p.phone, a.code("REGISTER_SMS", p.phone, state))
	w.update(freed, next.phone).want(http.StatusBadRequest, "IDAAS.SDK.USER.0101")
	w.admitted(freed, "qq", "sms")
}

func (w *appWorld) newEmail() {
	p := w.person()
	g := w.register(p, p.phone)
	a := w.app("registers")
	code := a.code("UPDATE_EMAIL_EMS", p.email, "")
	a.call("POST", "/profile/update", map[string]string{"email": p.email, "verify_code": notThe(code)}, signedIn(g)...).
		want(http.StatusBadRequest, wrongCode)
	a.call("POST", "/profile/update", map[string]string{"email": w.person().email, "verify_code": code}, signedIn(g)...).
		want(http.StatusBadRequest, wrongCode)
	proof := map[string]string{"email": p.email, "verify_code": code}
	// It is for the client and the device that it was sent for.
	a.as("creates").call("POST", "/profile/update", proof, signedIn(w.login("creates", p.qq))...).want(http.StatusBadRequest, wrongCode)
	a.on("another device").call("POST", "/profile/update", proof, signedIn(g)...).want(http.StatusBadRequest, wrongCode)
	a.call("POST", "/profile/update", proof, signedIn(g)...).want(http.StatusOK, "")
	a.call("POST", "/profile/update", proof, signedIn(g)...).want(http.StatusBadRequest, wrongCode)
	w.tells(g, "address", func(s seen) bool { return s.Header.Get("X-Email") == p.email && s.Header.Get("X-Mobile") == p.mobile() })
	w.checkAPI(w.login("registers", p.qq), p.mobile(), p.email)
}

// linked lists a user's QQ accounts.
func (w *appWorld) linked(client string, g grant) []map[string]any {
	w.t.Helper()
	var list struct {
		Social []map[string]any `json:"social"`
	}
	w.app(client).call("GET", "/social", nil, signedIn(g)...).want(http.StatusOK, "").json(&list)
	return list.Social
}

// linkKeys are all that the vendor's have.
var linkKeys = []string{
	"id", "userId", "socialType", "socialUid", "socialChannelId", "socialNickname", "socialHeadImage", "socialAccountDetails", "idpId",
	"createdAt", "updatedAt",
}

func (w *appWorld) socials() {
	p := w.person()
	g := w.register(p, p.phone)
	list := w.linked("registers", g)
	if len(list) != 1 {
		w.t.Fatalf("linked accounts: %v", list)
	}
	for _, key := range linkKeys {
		if _, ok := list[0][key]; !ok {
			w.t.Errorf("a linked account has no %s", key)
		}
	}
	if a := list[0]; len(a) != len(linkKeys) || a["userId"] != w.userOf(p.qq).ID || a["socialType"] != "qq" || a["socialUid"] != p.qq.OpenID || a["socialNickname"] != p.qq.Nickname {
		w.t.Errorf("linked account: %v", a)
	}
}

func (w *appWorld) unbinding() {
	// Whoever has nothing but a QQ account keeps it.
	p, a := w.person(), w.app("creates")
	g := w.login("creates", p.qq)
	only := w.linked("creates", g)[0]["id"]
	a.inBoth(http.StatusBadRequest, "IDAAS.SDK.USER.0102", func(a *app) answer {
		return a.call("POST", "/social/unbind-account", map[string]any{"id": only}, signedIn(g)...)
	})

	q := w.person()
	other, keeps := w.register(q, q.phone), w.login("registers", q.qq)
	a = w.app("registers")
	if got := a.call("POST", "/social/unbind-account", map[string]any{"id": only}, signedIn(keeps)...); got.status < 400 || got.status > 499 {
		w.t.Errorf("somebody else's account was unbound: %d %s", got.status, got.body)
	}
	w.linked("creates", g)
	w.guarded("/", other.Session).want(http.StatusOK, "")
	id := w.linked("registers", keeps)[0]["id"]
	if got := a.call("POST", "/social/unbind-account", map[string]any{"id": id}, signedIn(keeps)...).want(http.StatusOK, ""); len(got.body) > 0 {
		w.t.Errorf("the answer to unbinding is %q", got.body)
	}
	w.dead(other)
	w.guarded("/", keeps.Session).want(http.StatusOK, "")
	if list := w.linked("registers", keeps); len(list) != 0 {
		w.t.Errorf("linked accounts after unbinding: %v", list)
	}
	a.waits(q.qq, "USER_REGISTER", flowOfBoth) // the account is nobody's
}

func (w *appWorld) deletion() {
	p, a := w.person(), w.app("creates")
	g, other := w.login("creates", p.qq), w.login("registers", p.qq)
	id := w.userOf(p.qq).ID
	conn, stream := w.dialWS(g.Session), w.openSSE(other.Session)
	if got := a.call("POST", "/account/delete", nil, signedIn(g)...).want(http.StatusOK, ""); len(got.body) > 0 {
		w.t.Errorf("the answer to a deletion is %q", got.body)
	}
	w.dead(g)
	w.dead(other)
	conn.closes(w.t, closedWithin)
	select {
	case <-stream:
	case <-time.After(closedWithin):
		w.t.Error("the stream of a deleted user goes on")
	}
	a.inBoth(http.StatusBadRequest, "IDAAS.SDK.QQ.0001", func(a *app) answer { return a.tryLogin(p.qq) })
	a.call("GET", "/profile", nil, signedIn(g)...).want(http.StatusBadRequest, badIDToken)
	if got := w.admin("GET", "/users?id="+id, nil); got.status != http.StatusNotFound {
		w.t.Errorf("a deleted user is told of: %d %s", got.status, got.body)
	}
	p.qq.AccessToken = w.qq.Issue(qqApp, w.number(p))
	if c := w.admitted(w.login("creates", p.qq), "qq"); c.Subject == id {
		w.t.Error("a deleted user came back")
	}

	// A phone is free after its user.
	q := w.person()
	g = w.register(q, q.phone)
	w.app("registers").call("POST", "/account/delete", nil, signedIn(g)...).want(http.StatusOK, "")
	next := w.person()
	next.phone = q.phone
	w.admitted(w.register(next, next.phone), "qq", "sms")
}

// number is which of QQ's accounts a person has.
func (w *appWorld) number(p *person) int {
	for n := 1; ; n++ {
		if w.qq.OpenID(qqApp, n) == p.qq.OpenID {
			return n
		}
	}
}

// badIDTokens: a user's own data is for the user alone, through the client that
// they are signed in at.
func (w *appWorld) badIDTokens() {
	p := w.person()
	g := w.register(p, p.phone)
	a := w.app("registers")
	ended := w.login("registers", p.qq)
	a.call("POST", "/logout", nil, "session-token", ended.Session).want(http.StatusOK, "")
	elsewhere := w.login("creates", p.qq)
	assertion := w.guarded("/", g.Session).seen().Header.Get("X-Qqauth-Ticket")
	state := a.waits(w.person().qq, "USER_REGISTER", flowOfBoth)
	parts, other := strings.Split(g.IDToken, "."), strings.Split(elsewhere.IDToken, ".")
	calls := []struct {
		method, path string
		in           any
	}{
		{"GET", "/profile", nil}, {"POST", "/profile/update", map[string]string{"name": "x"}}, {"GET", "/social", nil},
		{"POST", "/social/unbind-account", map[string]string{"id": "x"}}, {"POST", "/account/delete", nil},
	}
	for _, call := range calls {
		for name, header := range map[string][]string{
			"none": nil, "Basic": {"Authorization", "Basic eDp4"}, "a session token": {"Authorization", "Bearer " + g.Session},
			"an ended session": signedIn(ended), "another client's": signedIn(elsewhere),
			"an assertion": {"Authorization", "Bearer " + assertion}, "a state_token": {"Authorization", "Bearer " + state},
			"another signature": {"Authorization", "Bearer " + parts[0] + "." + parts[1] + "." + other[2]},
			"two":               append(signedIn(g), signedIn(g)...), "a cookie": {"Cookie", w.cookie(g.Session)},
		} {
			if got := a.call(call.method, call.path, call.in, header...); got.status != http.StatusBadRequest || got.code() != badIDToken {
				w.t.Errorf("%s with %s: %d %s", call.path, name, got.status, got.body)
			}
		}
	}
	a.inBoth(http.StatusBadRequest, badIDToken, func(a *app) answer { return a.call("GET", "/profile", nil) })
	w.admitted(g, "qq", "sms")
}
