package authcore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/qqauth/qqauth/authcore"
)

// rename is an update of the name alone.
func rename(name string) authcore.ProfileUpdate { return authcore.ProfileUpdate{Name: &name} }

// update replaces the player's phone or address by one that a code has proved.
func (w *codeWorld) update(p player, to, code string) error {
	w.t.Helper()
	contact := w.contact(to)
	return w.UpdateProfile(w.t.Context(), w.client, w.caller, p.sid, authcore.ProfileUpdate{Contact: &contact, Code: code})
}

// proved is update with the code that is sent for it.
func (w *codeWorld) proved(p player, kind, to string) {
	w.t.Helper()
	if err := w.update(p, to, w.code(kind, to)); err != nil {
		w.t.Fatalf("update to %s: %v", to, err)
	}
	w.clock.step(time.Minute + 2*time.Second) // the next code may be sent to it
}

// binds reports what becomes of a new QQ account whose owner proves a phone or an
// address at the main client: whom it is bound to, or the error.
func (w *codeWorld) binds(kind, to string) (authcore.UserID, error) {
	w.t.Helper()
	cfg := w.cfg
	cfg.Clients = append([]authcore.Client(nil), cfg.Clients...)
	clientOf(&cfg, mainClient).Unknown = authcore.UnknownBind
	clientOf(&cfg, mainClient).Verify = []authcore.Way{authcore.WayPhone, authcore.WayEmail}
	asking := w.as(w.client, w.caller)
	asking.world = &world{
		Service: w.service(cfg), t: w.t, clock: w.clock, keys: w.keys, store: w.store, node: w.node, qq: w.qq,
	}
	out := asking.login(w.newAccount(), authcore.StatusSocialBind)
	done, err := asking.Bind(w.t.Context(), w.client, w.caller, asking.state(out), w.contact(to), asking.code(kind, to))
	if err != nil {
		return "", err
	}
	return authcore.UserID(w.idToken(done.Grant.IDToken).Subject), nil
}

func TestCheckIDToken(t *testing.T) {
	w := newWorld(t, secrets(oldSecret), func(cfg *authcore.Config) { clientOf(cfg, mainClient).Verify = nil })
	p, other := w.newPlayer(), w.newPlayer()
	good := w.freshIDToken(p)
	id, err := w.CheckIDToken(t.Context(), mainClient, good)
	if err != nil || id != p.sid {
		t.Fatalf("the session is %q, %v; want %s", id, err, p.sid)
	}
	assertion, _ := w.assertion(w.guard(), p.session)
	bearer, err := w.NewBearer(mainClient, oldSecret)
	want(t, "bearer", err, nil)
	ticket := w.ticket(p)
	claims := w.idToken(good)
	claims.Subject, claims.API.ID = string(other.user), string(other.user)
	mixed, err := w.keys.Ring().SignIDToken(w.cfg.Alg, claims, w.clock.Now())
	want(t, "an id_token of another user with this session", err, nil)
	claims = w.idToken(good)
	claims.Issuer = "https://evil.example.com"
	strange, err := w.keys.Ring().SignIDToken(w.cfg.Alg, claims, w.clock.Now())
	want(t, "an id_token of another issuer", err, nil)
	claims = w.idToken(good)
	claims.Audience = string(foreignClient)
	foreign, err := w.keys.Ring().SignIDToken(w.cfg.Alg, claims, w.clock.Now())
	want(t, "an id_token of another client with this session", err, nil)
	for name, raw := range map[string]string{
		"nothing": "", "another client with this session": foreign, "nonsense": "no.token.atall", "a session token": p.session, "an assertion": assertion,
		"a bearer": bearer.Token.Reveal(), "a ticket": ticket, "another user with this session": mixed,
		"another issuer": strange, "a cut one": good[:len(good)-1],
	} {
		_, err := w.CheckIDToken(t.Context(), mainClient, raw)
		want(t, name, err, authcore.ErrIDToken)
	}
	_, err = w.CheckIDToken(t.Context(), foreignClient, good)
	want(t, "another client", err, authcore.ErrIDToken)

	w.clock.step(2*time.Hour - time.Second)
	_, err = w.CheckIDToken(t.Context(), mainClient, good)
	want(t, "in its last second", err, nil)
	w.clock.step(2 * time.Second)
	_, err = w.CheckIDToken(t.Context(), mainClient, good)
	want(t, "expired", err, authcore.ErrIDToken)

	good = w.freshIDToken(p)
	w.store.fail(authcore.ErrUnavailable)
	_, err = w.CheckIDToken(t.Context(), mainClient, good)
	want(t, "the store is away", err, authcore.ErrUnavailable)
	w.store.fail(nil)
	want(t, "log-out", w.Logout(t.Context(), mainClient, p.session, ""), nil)
	_, err = w.CheckIDToken(t.Context(), mainClient, good)
	want(t, "of a session that has ended", err, authcore.ErrIDToken)
	disabled := w.freshIDToken(other)
	want(t, "disable", w.Disable(t.Context(), other.user), nil)
	_, err = w.CheckIDToken(t.Context(), mainClient, disabled)
	want(t, "of a disabled user", err, authcore.ErrIDToken)
}

// A state_token is a JWT of this issuer, too.
func TestStateTokenIsNoIDToken(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
	out := w.login(w.newAccount(), authcore.StatusUserRegister)
	_, err := w.CheckIDToken(t.Context(), mainClient, out.StateToken)
	want(t, "state_token", err, authcore.ErrIDToken)
}

func TestProfile(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.changeUser(p.user, func(u *authcore.User) {
		u.UserName, u.Mobile, u.Email = "jonny", ownPhone, ownEmail
		u.MobileVia, u.EmailVia = []authcore.ClientID{mainClient}, []authcore.ClientID{foreignClient}
	})
	foreign := w.loginAt(foreignClient, p)
	all := authcore.Profile{ID: p.user, UserName: "jonny", Name: "nickname 1", Mobile: ownPhone, Email: ownEmail}
	for _, test := range []struct {
		name   string
		client authcore.ClientID
		claims []authcore.Claim
		proved bool
		want   authcore.Profile
	}{
		{"nothing", mainClient, nil, false, authcore.Profile{ID: p.user}},
		{"the name", mainClient, []authcore.Claim{authcore.ClaimName}, false, authcore.Profile{ID: p.user, UserName: "jonny", Name: "nickname 1"}},
		{"what was proved here: the phone", mainClient, nil, true, authcore.Profile{ID: p.user, Mobile: ownPhone}},
		{"what was proved here: the address", foreignClient, nil, true, authcore.Profile{ID: p.user, Email: ownEmail}},
		{"all", foreignClient, []authcore.Claim{authcore.ClaimName, authcore.ClaimMobile, authcore.ClaimEmail}, false, all},
	} {
		cfg := w.config()
		clientOf(&cfg, test.client).Claims, clientOf(&cfg, test.client).ClaimProved = test.claims, test.proved
		sid := p.sid
		if test.client == foreignClient {
			sid = foreign.sid
		}
		got, err := w.service(cfg).Profile(t.Context(), test.client, sid)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", test.name, err, diff)
		}
	}
	_, err := w.Profile(t.Context(), foreignClient, p.sid)
	want(t, "another client's session", err, authcore.ErrIDToken)
	_, err = w.Profile(t.Context(), "nobody", p.sid)
	want(t, "an unknown client", err, authcore.ErrUnknownClient)
	_, err = w.Profile(t.Context(), mainClient, "none")
	want(t, "an unknown session", err, authcore.ErrIDToken)
	want(t, "log-out of all", w.EndSessions(t.Context(), p.user), nil)
	_, err = w.Profile(t.Context(), mainClient, p.sid)
	want(t, "a session that has ended", err, authcore.ErrIDToken)
}

func TestSocials(t *testing.T) {
	w := newWorld(t, joined)
	p, second := w.union("UID", "UID")
	since := w.clock.Now()
	w.changeUser(p.user, func(u *authcore.User) { u.DisplayName = "nickname 1" })
	list, err := w.Socials(t.Context(), secondClient, second.sid)
	wanted := []authcore.Social{
		{User: p.user, App: mainApp, OpenID: p.openID, Name: "nickname 1", Since: since},
		{User: p.user, App: secondApp, OpenID: second.openID, Name: "nickname 1", Since: since},
	}
	if diff := cmp.Diff(wanted, list, cmpopts.IgnoreFields(authcore.Social{}, "ID")); diff != "" || err != nil {
		t.Fatalf("%v %s", err, diff)
	}
	if list[0].ID == list[1].ID || list[0].ID == "" || strings.Contains(list[0].ID, p.openID) {
		t.Errorf("the accounts are named %q and %q", list[0].ID, list[1].ID)
	}
	_, err = w.Socials(t.Context(), mainClient, second.sid)
	want(t, "another client's session", err, authcore.ErrIDToken)
}

func TestUpdateOfTheName(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	other := w.again(p)
	if _, claims := w.assertion(g, p.session); claims.Name != "nickname 1" {
		t.Fatalf("the assertion names %q", claims.Name)
	}
	w.clock.step(11 * time.Minute) // a name is no way in
	for _, test := range []struct {
		name, given, kept string
		want              error
	}{
		{"plain", "Jonny", "Jonny", nil},
		{"trimmed", " \t林 小雨\u3000", "林 小雨", nil},
		{"64 characters", strings.Repeat("林", 64), strings.Repeat("林", 64), nil},
		{"64 characters and space around", " " + strings.Repeat("林", 64) + " ", strings.Repeat("林", 64), nil},
		{"65 characters", strings.Repeat("林", 65), "", authcore.ErrName},
		{"empty", "", "", authcore.ErrName},
		{"space", " \n ", "", authcore.ErrName},
		{"a line break", "a\nb", "", authcore.ErrName},
		{"NUL", "a\x00b", "", authcore.ErrName},
		{"DEL", "a\x7fb", "", authcore.ErrName},
		{"a C1 control", "a\u0085b", "", authcore.ErrName},
		{"no UTF-8", "a\xffb", "", authcore.ErrName},
	} {
		before := w.userRecord(p.user).DisplayName
		want(t, test.name, w.UpdateProfile(t.Context(), mainClient, phone, p.sid, rename(test.given)), test.want)
		if test.want != nil {
			test.kept = before
		}
		if got := w.userRecord(p.user).DisplayName; got != test.kept {
			t.Errorf("%s: the name is %q; want %q", test.name, got, test.kept)
		}
		if _, claims := w.assertion(g, p.session); claims.Name != test.kept {
			t.Errorf("%s: the assertion names %q; want %q", test.name, claims.Name, test.kept)
		}
	}
	want(t, "the other session", w.admit(g, other.session), nil)
	want(t, "by another client's", w.UpdateProfile(t.Context(), foreignClient, phone, p.sid, rename("x")), authcore.ErrIDToken)
	if n := w.audit.count(authcore.AuditWayAdded); n != 0 {
		t.Errorf("a new name is audited as %d ways in", n)
	}
}

// Another node has the session in its cache, with the old name.
func TestNewNameIsAnnounced(t *testing.T) {
	w := newWorld(t)
	b := w.secondNode()
	p := w.newPlayer()
	want(t, "update", b.UpdateProfile(t.Context(), mainClient, phone, p.sid, rename("Jonny")), nil)
	if diff := cmp.Diff([]authcore.Event{{User: p.user}}, b.store.takeTold()); diff != "" {
		t.Errorf("announced: %s", diff)
	}
}
