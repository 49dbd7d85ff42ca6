package authcore_test

import (
	"errors"
	"testing"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

func TestGuardHitTouchesNothing(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard()
	first, _ := w.assertion(g, p.session)
	w.store.takeCalls()
	for range 100 {
		if again, _ := w.assertion(g, p.session); again != first {
			t.Fatal("a hit signed a new assertion")
		}
	}
	if got := w.store.takeCalls(); got != (calls{}) {
		t.Errorf("hits asked the store %+v", got)
	}
}

func TestGuardMissReadsOnce(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.store.takeCalls()
	want(t, "admission", w.admit(w.guard(), p.session), nil)
	if got := w.store.takeCalls(); got != (calls{views: 1}) {
		t.Errorf("a miss asked the store %+v; want one view", got)
	}
}

// TestInventedTokensReadNothing is about a flood of random tokens.
func TestInventedTokensReadNothing(t *testing.T) {
	w := newWorld(t)
	g := w.guard()
	for range 100 {
		want(t, "admission", w.admit(g, opaque.Random(32)), authcore.ErrSession)
	}
	for _, s := range []string{"", "x", "Bearer"} {
		want(t, "admission", w.admit(g, s), authcore.ErrSession)
	}
	if got := w.store.takeCalls(); got != (calls{}) {
		t.Errorf("invented tokens asked the store %+v", got)
	}
}

func TestGuardRules(t *testing.T) {
	type methods = []authcore.Method
	qq, sms, pwd, device := authcore.MethodQQ, authcore.MethodSMS, authcore.MethodPassword, authcore.MethodDevice
	mfa := func(cfg *authcore.GuardConfig) { cfg.RequireMFA = true }
	allow := func(m ...authcore.Method) func(*authcore.GuardConfig) {
		return func(cfg *authcore.GuardConfig) { cfg.Allow = m }
	}
	gold := func(cfg *authcore.GuardConfig) { cfg.Segments = map[string]string{"tier": "gold", "region": ""} }
	none := func(*authcore.GuardConfig) {}
	for _, test := range []struct {
		name     string
		methods  methods
		segments map[string]string
		rule     func(*authcore.GuardConfig)
		want     error
	}{
		{"qq", methods{qq}, nil, none, nil},
		{"sms", methods{sms}, nil, none, nil},
		{"email", methods{authcore.MethodEmail}, nil, none, nil},
		{"password alone", methods{pwd}, nil, none, authcore.ErrDenied},
		{"device alone", methods{device}, nil, none, authcore.ErrDenied},
		{"password and device", methods{pwd, device}, nil, none, authcore.ErrDenied},
		{"nothing", nil, nil, none, authcore.ErrDenied},
		{"password allowed", methods{pwd}, nil, allow(pwd), nil},
		{"device where a password is allowed", methods{device}, nil, allow(pwd), authcore.ErrDenied},
		{"device allowed", methods{device}, nil, allow(pwd, device), nil},
		{"password and sms", methods{pwd, sms}, nil, none, nil},
		{"mfa by qq alone", methods{qq}, nil, mfa, authcore.ErrDenied},
		{"mfa by sms alone", methods{sms}, nil, mfa, authcore.ErrDenied},
		{"mfa by two codes", methods{sms, authcore.MethodEmail}, nil, mfa, nil},
		{"mfa by qq and sms", methods{qq, sms}, nil, mfa, nil},
		{"segments hold", methods{qq}, map[string]string{"tier": "gold", "region": "", "more": "x"}, gold, nil},
		{"one segment differs", methods{qq}, map[string]string{"tier": "silver", "region": ""}, gold, authcore.ErrDenied},
		{"an empty segment is not an absent one", methods{qq}, map[string]string{"tier": "gold"}, gold, authcore.ErrDenied},
		{"no segments", methods{qq}, nil, gold, authcore.ErrDenied},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.newPlayer()
			w.changeUser(p.user, func(u *authcore.User) { u.Segments = test.segments })
			session, _ := w.raw(p.user, func(s *authcore.Session) { s.Methods = test.methods })
			g := w.guard(test.rule)
			for _, cached := range []bool{false, true} {
				if err := w.admit(g, session); !errors.Is(err, test.want) {
					t.Errorf("admission (cached: %t) = %v; want %v", cached, err, test.want)
				}
				if _, err := g.Identify(t.Context(), session, ""); !errors.Is(err, test.want) {
					t.Errorf("identification (cached: %t) = %v; want %v", cached, err, test.want)
				}
			}
		})
	}
}

// TestRulesOfOneGuardDoNotLeakIntoAnother: they share the cached session.
func TestRulesOfOneGuardDoNotLeakIntoAnother(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	lax := w.guard()
	strict := w.guard(func(cfg *authcore.GuardConfig) { cfg.RequireMFA = true })
	for range 2 {
		want(t, "admission by the lax guard", w.admit(lax, p.session), nil)
		want(t, "admission by the strict guard", w.admit(strict, p.session), authcore.ErrDenied)
	}
}

func TestGuardOfAnotherClient(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard(func(cfg *authcore.GuardConfig) { cfg.Clients = []authcore.ClientID{foreignClient} })
	both := w.guard(func(cfg *authcore.GuardConfig) { cfg.Clients = []authcore.ClientID{foreignClient, mainClient} })
	for range 2 {
		want(t, "admission by another client's guard", w.admit(g, p.session), authcore.ErrSession)
		want(t, "admission by a guard for both", w.admit(both, p.session), nil)
	}
	if _, err := w.NewGuard(authcore.GuardConfig{Audience: audience, Clients: []authcore.ClientID{"nobody"}}); !errors.Is(err, authcore.ErrUnknownClient) {
		t.Errorf("a guard for an unknown client = %v", err)
	}
}

func TestGuardRequiresTheLoginsDevice(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard(func(cfg *authcore.GuardConfig) { cfg.RequireDevice = true })
	w.store.takeCalls()
	for range 2 {
		for fingerprint, expected := range map[string]error{
			phone.Fingerprint: nil, "another device": authcore.ErrDenied, "": authcore.ErrDenied,
		} {
			pass, err := g.Admit(t.Context(), p.session, fingerprint)
			want(t, "admission with "+fingerprint, err, expected)
			if err == nil {
				pass.Release()
			}
		}
	}
	if got := w.store.takeCalls(); got != (calls{views: 1}) {
		t.Errorf("wrong devices asked the store %+v; want the one view of the miss", got)
	}
}

func TestGuardBindsTheFirstDevice(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard(func(cfg *authcore.GuardConfig) { cfg.RequireDevice = true })
	session, sid := w.raw(p.user, func(*authcore.Session) {})
	want(t, "admission without a fingerprint", w.admit(g, session), authcore.ErrDenied)
	for _, step := range []struct {
		fingerprint string
		want        error
	}{{"first", nil}, {"second", authcore.ErrDenied}, {"first", nil}} {
		pass, err := g.Admit(t.Context(), session, step.fingerprint)
		want(t, "admission with the "+step.fingerprint+" fingerprint", err, step.want)
		if err == nil {
			pass.Release()
		}
	}
	w.store.takeCalls()
	_, err := g.Identify(t.Context(), session, "first")
	want(t, "identification by the first fingerprint", err, nil)
	if got := w.store.takeCalls(); got != (calls{}) {
		t.Errorf("a device that is bound asked the store %+v", got)
	}
	w.node.Evict()
	_, err = g.Admit(t.Context(), session, "second")
	want(t, "admission with the second fingerprint after an eviction", err, authcore.ErrDenied)
	if w.session(sid).Device == (authcore.DeviceHash{}) {
		t.Error("the binding is not stored")
	}
}

func TestTwoDevicesAtOnceBindOne(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	g := w.guard(func(cfg *authcore.GuardConfig) { cfg.RequireDevice = true })
	session, _ := w.raw(p.user, func(*authcore.Session) {})
	admitted := make([]bool, 40)
	together(len(admitted), func(i int) {
		pass, err := g.Admit(t.Context(), session, []string{"even", "odd"}[i%2])
		if admitted[i] = err == nil; admitted[i] {
			pass.Release()
		} else {
			want(t, "admission", err, authcore.ErrDenied)
		}
	})
	for i := range admitted {
		if admitted[i] != admitted[i%2] {
			t.Fatalf("device %d was admitted %t and %t", i%2, admitted[i], admitted[i%2])
		}
	}
	if admitted[0] == admitted[1] {
		t.Errorf("both devices were admitted: %t", admitted[0])
	}
}

func TestPassSaysWhoItIs(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.changeUser(p.user, func(u *authcore.User) {
		u.UserName, u.Mobile, u.Email = "name", "+86-15201657321", "a@example.com"
		u.Segments = map[string]string{"tier": "gold"}
	})
	g := w.guard()
	pass, err := g.Admit(t.Context(), p.session, "")
	if err != nil {
		t.Fatalf("admit: %v", err)
	}
	defer pass.Release()
	expected := authcore.Who{User: p.user, Name: "nickname 1", Client: mainClient, Session: p.sid}
	if who, err := g.Identify(t.Context(), p.session, ""); err != nil || who != expected || pass.Who() != expected {
		t.Errorf("the pass is %+v, identified as %+v, %v; want %+v", pass.Who(), who, err, expected)
	}
	tier, ok := pass.Segment("tier")
	_, more := pass.Segment("more")
	if pass.UserName() != "name" || pass.Mobile() != "+86-15201657321" || pass.Email() != "a@example.com" || tier != "gold" || !ok || more {
		t.Errorf("the pass says %q %q %q %q", pass.UserName(), pass.Mobile(), pass.Email(), tier)
	}
}

func TestDeadSessionsAreNotAdmitted(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	now := w.clock.Now()
	for name, change := range map[string]func(*authcore.Session){
		"expired":                  func(s *authcore.Session) { s.Expires = now },
		"of an earlier epoch":      func(s *authcore.Session) { s.Epoch = 7 },
		"of a client that is gone": func(s *authcore.Session) { s.Client = "gone" },
	} {
		session, _ := w.raw(p.user, change)
		want(t, "admission of a session "+name, w.admit(w.guard(), session), authcore.ErrSession)
	}
}
