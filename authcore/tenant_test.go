package authcore_test

import (
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

const oldSecret, newSecret = "main-secret-0123456789abcdef", "main-secret-of-the-next-year"

// secrets sets the main client's secrets, the current one first.
func secrets(list ...string) func(*authcore.Config) {
	return func(cfg *authcore.Config) { clientOf(cfg, mainClient).Secrets = list }
}

func TestBearerCredentials(t *testing.T) {
	for _, test := range []struct {
		name    string
		secrets []string
		client  authcore.ClientID
		secret  string
		want    error
	}{
		{"the secret", []string{oldSecret}, mainClient, oldSecret, nil},
		{"the previous secret", []string{newSecret, oldSecret}, mainClient, oldSecret, nil},
		{"the current of two", []string{newSecret, oldSecret}, mainClient, newSecret, nil},
		{"a wrong secret", []string{oldSecret}, mainClient, newSecret, authcore.ErrClientSecret},
		{"no secret", []string{oldSecret}, mainClient, "", authcore.ErrClientSecret},
		{"a client without one", nil, mainClient, "", authcore.ErrClientSecret},
		{"an empty one configured", []string{""}, mainClient, "", authcore.ErrClientSecret},
		{"another client's secret", []string{oldSecret}, foreignClient, oldSecret, authcore.ErrClientSecret},
		{"an unknown client", []string{oldSecret}, "nobody", oldSecret, authcore.ErrUnknownClient},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, secrets(test.secrets...))
			bearer, err := w.NewBearer(test.client, test.secret)
			want(t, "bearer", err, test.want)
			if err != nil {
				return
			}
			if bearer.ExpiresIn != 1800*time.Second {
				t.Errorf("expires in %s; want 1800 s", bearer.ExpiresIn)
			}
			if id, err := w.CheckBearer(bearer.Token.Reveal()); err != nil || id != test.client {
				t.Errorf("the bearer is %s's, %v; want %s", id, err, test.client)
			}
		})
	}
}

func TestBearerEndsWithItsSecret(t *testing.T) {
	w := newWorld(t, secrets(oldSecret))
	bearer, err := w.NewBearer(mainClient, oldSecret)
	if err != nil {
		t.Fatalf("bearer: %v", err)
	}
	for _, step := range []struct {
		name    string
		secrets []string
		want    error
	}{
		{"while its secret is the previous one", []string{newSecret, oldSecret}, nil},
		{"when its secret is gone", []string{newSecret}, authcore.ErrBearer},
		{"when the client has none", nil, authcore.ErrBearer},
	} {
		cfg := w.config()
		secrets(step.secrets...)(&cfg)
		_, err := w.service(cfg).CheckBearer(bearer.Token.Reveal())
		want(t, "bearer "+step.name, err, step.want)
	}
}

func TestBearerExpires(t *testing.T) {
	w := newWorld(t, secrets(oldSecret))
	bearer, err := w.NewBearer(mainClient, oldSecret)
	if err != nil {
		t.Fatalf("bearer: %v", err)
	}
	w.clock.step(1799 * time.Second)
	_, err = w.CheckBearer(bearer.Token.Reveal())
	want(t, "bearer of 1799 s", err, nil)
	w.clock.step(time.Second)
	_, err = w.CheckBearer(bearer.Token.Reveal())
	want(t, "bearer of 1800 s", err, authcore.ErrBearer)
	for _, raw := range []string{"", "nonsense", bearer.Token.Reveal() + "x"} {
		_, err = w.CheckBearer(raw)
		want(t, "a bearer that is none", err, authcore.ErrBearer)
	}
}

func TestServiceRefusesAClientWithoutItsApplication(t *testing.T) {
	w := newWorld(t)
	cfg := w.config()
	clientOf(&cfg, mainClient).App = "none"
	if _, err := authcore.NewService(w.node, cfg); err == nil {
		t.Error("made a service")
	}
	if !w.HasClient(mainClient) || w.HasClient("nobody") {
		t.Error("HasClient does not tell the configured clients")
	}
}

// TestTenantUser: a client's backend sees whoever can log in at the client, and as
// much of them as the client itself.
func TestTenantUser(t *testing.T) {
	w := newWorld(t)
	p, elsewhere := w.newPlayer(), w.second("")
	w.changeUser(p.user, func(u *authcore.User) { u.Mobile, u.UserName = ownPhone, "jonny" })
	got, err := w.TenantUser(t.Context(), mainClient, p.user)
	if wanted := (authcore.ManagedUser{Profile: authcore.Profile{ID: p.user, Name: "nickname 1", UserName: "jonny"}}); got != wanted || err != nil {
		t.Errorf("the user is %+v, %v; want %+v", got, err, wanted)
	}
	// Clients that share an application share its users.
	got, err = w.TenantUser(t.Context(), foreignClient, p.user)
	if wanted := (authcore.ManagedUser{Profile: authcore.Profile{ID: p.user}}); got != wanted || err != nil {
		t.Errorf("without claims the user is %+v, %v; want %+v", got, err, wanted)
	}
	for _, test := range []struct {
		name   string
		tenant authcore.ClientID
		user   authcore.UserID
		want   error
	}{
		{"a user of another application", mainClient, elsewhere.user, authcore.ErrNoUser},
		{"the other way round", secondClient, p.user, authcore.ErrNoUser},
		{"nobody", mainClient, "20220425140138519-BF1B-528B05551", authcore.ErrNoUser},
		{"no id", mainClient, "", authcore.ErrNoUser},
		{"an unknown client", "nobody", p.user, authcore.ErrUnknownClient},
	} {
		_, err := w.TenantUser(t.Context(), test.tenant, test.user)
		want(t, test.name, err, test.want)
		for _, disabled := range []bool{true, false} {
			want(t, test.name+", to disable or enable", w.TenantDisable(t.Context(), test.tenant, test.user, disabled), test.want)
		}
		want(t, test.name+", to end sessions", w.TenantEndSessions(t.Context(), test.tenant, test.user), test.want)
	}
	g := w.guard(func(cfg *authcore.GuardConfig) { cfg.Clients = append(cfg.Clients, secondClient) })
	for _, session := range []string{p.session, elsewhere.session} {
		want(t, "a session after what was refused", w.admit(g, session), nil)
	}
	for _, name := range []string{authcore.AuditUserDisabled, authcore.AuditUserEnabled, authcore.AuditSessionEnd} {
		if n := w.audit.count(name); n != 0 {
			t.Errorf("%d events %s audited of what was refused", n, name)
		}
	}
}

func TestTenantDisable(t *testing.T) {
	w := newWorld(t)
	p, other := w.newPlayer(), w.newPlayer()
	elsewhere := w.loginAt(foreignClient, p)
	g := w.guard(func(cfg *authcore.GuardConfig) { cfg.Clients = append(cfg.Clients, foreignClient) })
	live, err := g.Admit(t.Context(), elsewhere.session, "")
	want(t, "a request in flight", err, nil)
	defer live.Release()
	want(t, "disable", w.TenantDisable(t.Context(), mainClient, p.user, true), nil)
	if got, err := w.TenantUser(t.Context(), mainClient, p.user); !got.Disabled || err != nil {
		t.Errorf("the user is %+v, %v", got, err)
	}
	for _, session := range []string{p.session, elsewhere.session} {
		want(t, "a session", w.admit(g, session), authcore.ErrSession)
	}
	awaitEnd(t, live)
	_, err = w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
	want(t, "login", err, authcore.ErrUserDisabled)
	want(t, "enable", w.TenantDisable(t.Context(), mainClient, p.user, false), nil)
	_, err = w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
	want(t, "login with the QQ token of before", err, authcore.ErrQQToken)
	w.qq.know("a new token", qqAccount{openID: p.openID})
	p.access = "a new token"
	w.again(p)
	want(t, "a session of before", w.admit(g, elsewhere.session), authcore.ErrSession)
	want(t, "the other user", w.admit(g, other.session), nil)
	for _, name := range []string{authcore.AuditUserDisabled, authcore.AuditUserEnabled} {
		if n := w.audit.count(name); n != 1 {
			t.Errorf("%d events %s audited; want 1", n, name)
		}
	}
}

// TestTenantReachesWhoUnbindsQQ: a user does not get out of the reach of the backend
// whose session goes on.
func TestTenantReachesWhoUnbindsQQ(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.changeUser(p.user, func(u *authcore.User) { u.Links = nil })
	_, err := w.TenantUser(t.Context(), mainClient, p.user)
	want(t, "look up", err, nil)
	_, err = w.TenantUser(t.Context(), foreignClient, p.user)
	want(t, "look up by another client", err, authcore.ErrNoUser)
	want(t, "end the sessions", w.TenantEndSessions(t.Context(), mainClient, p.user), nil)
	want(t, "the session", w.admit(w.guard(), p.session), authcore.ErrSession)
	_, err = w.TenantUser(t.Context(), mainClient, p.user)
	want(t, "look up afterwards", err, authcore.ErrNoUser)
	w.changeUser(p.user, func(u *authcore.User) { u.Mobile, u.MobileVia = ownPhone, []authcore.ClientID{mainClient} })
	_, err = w.TenantUser(t.Context(), mainClient, p.user)
	want(t, "look up by the phone's client", err, nil)
}

// TestTenantEnablesWhomItDisabled: a client's backend must not lift the ban of an
// administrator, or of another client.
func TestTenantEnablesWhomItDisabled(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	disabled := func(want bool) {
		t.Helper()
		if got := w.userRecord(p.user).Disabled; got != want {
			t.Errorf("disabled: %t; want %t", got, want)
		}
	}
	want(t, "disable by a client", w.TenantDisable(t.Context(), mainClient, p.user, true), nil)
	want(t, "enable by another", w.TenantDisable(t.Context(), foreignClient, p.user, false), authcore.ErrDenied)
	want(t, "disable by the other", w.TenantDisable(t.Context(), foreignClient, p.user, true), nil)
	want(t, "enable by the first", w.TenantDisable(t.Context(), mainClient, p.user, false), nil)
	disabled(false)
	want(t, "enable once more", w.TenantDisable(t.Context(), foreignClient, p.user, false), nil)
	want(t, "disable by an administrator", w.Disable(t.Context(), p.user), nil)
	want(t, "disable by a client, too", w.TenantDisable(t.Context(), mainClient, p.user, true), nil)
	want(t, "enable by it", w.TenantDisable(t.Context(), mainClient, p.user, false), authcore.ErrDenied)
	disabled(true)
	want(t, "enable by an administrator", w.Enable(t.Context(), p.user), nil)
	disabled(false)
	want(t, "disable by a client again", w.TenantDisable(t.Context(), mainClient, p.user, true), nil)
	want(t, "disable by an administrator, too", w.Disable(t.Context(), p.user), nil)
	want(t, "enable by the client", w.TenantDisable(t.Context(), mainClient, p.user, false), authcore.ErrDenied)
}

func TestTenantEndSessions(t *testing.T) {
	w := newWorld(t)
	b := w.secondNode()
	p, other := w.newPlayer(), w.newPlayer()
	again := w.again(p)
	live, err := b.guard.Admit(t.Context(), p.session, "")
	want(t, "a request in flight", err, nil)
	defer live.Release()
	want(t, "end", b.TenantEndSessions(t.Context(), mainClient, p.user), nil)
	told := b.store.takeTold()
	if len(told) != 3 || told[2] != (authcore.Event{User: p.user, Ended: true}) {
		t.Errorf("announced: %+v", told)
	}
	for _, session := range []string{p.session, again.session} {
		want(t, "a session", w.admit(b.guard, session), authcore.ErrSession)
	}
	awaitEnd(t, live)
	_, err = w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
	want(t, "login with the QQ token of before", err, authcore.ErrQQToken)
	want(t, "the other user", w.admit(b.guard, other.session), nil)
	w.audit.mu.Lock()
	defer w.audit.mu.Unlock()
	if last := w.audit.events[len(w.audit.events)-2]; last.Name != authcore.AuditSessionEnd || last.Client != mainClient || last.Count != 2 {
		t.Errorf("audited: %+v", last)
	}
}
