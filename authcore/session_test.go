package authcore_test

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

func TestHundredFirstLoginsMakeOneUser(t *testing.T) {
	w := newWorld(t)
	a := w.newAccount()
	users := make([]string, 100)
	together(len(users), func(i int) {
		out, err := w.LoginQQ(t.Context(), mainClient, phone, a.access, a.openID)
		if err != nil {
			t.Errorf("login: %v", err)
			return
		}
		claims, err := w.keys.Ring().VerifyIDToken(out.Grant.IDToken, issuer, w.clock.Now())
		if err != nil {
			t.Errorf("verify the id_token: %v", err)
		}
		users[i] = claims.Subject
	})
	for _, u := range users {
		if u != users[0] {
			t.Fatalf("users %s and %s", u, users[0])
		}
	}
	sessions, err := w.Sessions(t.Context(), authcore.UserID(users[0]))
	if err != nil || len(sessions) != 20 {
		t.Errorf("%d sessions, %v; want 20", len(sessions), err)
	}
	if n := w.audit.count(authcore.AuditUserCreated); n != 1 {
		t.Errorf("%d creations audited; want 1", n)
	}
}

func TestSessionTwentyOneEndsTheOneIssuedLongestAgo(t *testing.T) {
	w := newWorld(t)
	g := w.guard()
	first := w.newPlayer()
	elsewhere := w.loginAt(foreignClient, first)
	w.clock.step(time.Second)
	second := w.again(first)
	for range 18 {
		w.clock.step(time.Second)
		w.again(first)
	}
	w.clock.step(time.Second)
	grant, err := w.Refresh(t.Context(), mainClient, phone, first.session)
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	pass, err := g.Admit(t.Context(), second.session, "")
	if err != nil {
		t.Fatalf("admit the oldest: %v", err)
	}
	defer pass.Release()
	w.clock.step(time.Second)
	last := w.again(first)
	want(t, "the session that was refreshed last", w.admit(g, grant.Token.Reveal()), nil)
	want(t, "the session that was issued last", w.admit(g, last.session), nil)
	want(t, "the session that was issued longest ago", w.admit(g, second.session), authcore.ErrSession)
	awaitEnd(t, pass)
	elsewhereGuard := w.guard(func(cfg *authcore.GuardConfig) { cfg.Clients = []authcore.ClientID{foreignClient} })
	want(t, "the session at another client", w.admit(elsewhereGuard, elsewhere.session), nil)
}

// payload is what a signed token says, unverified.
func payload(t *testing.T, raw string) map[string]any {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatal("not a JWT")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	var claims map[string]any
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatalf("decode: %v", err)
	}
	return claims
}

func TestIDTokenClaims(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	loggedIn := w.clock.Now()
	w.changeUser(p.user, func(u *authcore.User) { u.UserName, u.Mobile, u.Email = "name", "+86-15201657321", "a@example.com" })
	cfg := w.config()
	clientOf(&cfg, foreignClient).Claims = []authcore.Claim{authcore.ClaimMobile, authcore.ClaimEmail}
	w.Service = w.service(cfg)
	p2 := w.loginAt(foreignClient, p)
	w.clock.step(time.Minute)
	for _, test := range []struct {
		client  authcore.ClientID
		session string
		sid     authcore.SessionID
		api     string
	}{
		{mainClient, p.session, p.sid, `{"name":"nickname 1","mobile":"","id":"` + string(p.user) + `","userName":"name","email":""}`},
		{foreignClient, p2.session, p2.sid, `{"name":"","mobile":"+86-15201657321","id":"` + string(p.user) + `","userName":"","email":"a@example.com"}`},
	} {
		grant, err := w.IDToken(t.Context(), test.client, phone, test.session)
		if err != nil {
			t.Fatalf("id_token: %v", err)
		}
		if left := 168*time.Hour - time.Minute; grant.ExpiresIn != left || grant.Token.Reveal() != test.session {
			t.Errorf("the session changed or expires in %s; want %s", grant.ExpiresIn, left)
		}
		got, iat := payload(t, grant.IDToken), w.clock.Now().Unix()
		if jti, _ := got["jti"].(string); len(jti) < 22 {
			t.Errorf("jti = %q", jti)
		}
		delete(got, "jti")
		expected := map[string]any{
			"iss": issuer, "aud": string(test.client), "sub": string(p.user), "sid": string(test.sid),
			"iat": float64(iat), "nbf": float64(iat - 120), "exp": float64(iat + 7200),
			"auth_time": float64(loggedIn.Unix()), "amr": []any{"qq"}, "api": test.api,
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("claims of %s (-want +got):\n%s", test.client, diff)
		}
	}
	_, err := w.IDToken(t.Context(), foreignClient, phone, p.session)
	want(t, "id_token for another client's session", err, authcore.ErrSession)
}

func TestAssertionClaims(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	segments := map[string]string{"tier": "gold"}
	want(t, "set segments", w.SetSegments(t.Context(), p.user, segments), nil)
	raw, _ := w.assertion(w.guard(), p.session)
	got, iat := payload(t, raw), w.clock.Now().Unix()
	if jti, _ := got["jti"].(string); len(jti) < 22 {
		t.Errorf("jti = %q", jti)
	}
	delete(got, "jti")
	expected := map[string]any{
		"iss": issuer, "aud": audience, "sub": string(p.user), "client_id": string(mainClient), "sid": string(p.sid),
		"iat": float64(iat), "exp": float64(iat + 300), "auth_time": float64(iat), "amr": []any{"qq"},
		"name": "nickname 1", "segments": map[string]any{"tier": "gold"},
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

// TestKindsOfTokens offers each kind wherever another one is asked for.
func TestKindsOfTokens(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	ticket := w.ticket(p)
	grant, err := w.IDToken(t.Context(), mainClient, phone, p.session)
	if err != nil {
		t.Fatalf("id_token: %v", err)
	}
	g := w.guard()
	assertion, _ := w.assertion(g, p.session)
	ring, now := w.keys.Ring(), w.clock.Now()
	if _, err := ring.VerifyIDToken(assertion, issuer, now); err == nil {
		t.Error("an assertion passes for an id_token")
	}
	if _, err := ring.VerifyAssertion(grant.IDToken, issuer, string(mainClient), now); err == nil {
		t.Error("an id_token passes for an assertion")
	}
	for name, other := range map[string]string{"a ticket": ticket, "an id_token": grant.IDToken, "an assertion": assertion} {
		want(t, "admission of "+name, w.admit(g, other), authcore.ErrSession)
		_, err = w.Refresh(t.Context(), mainClient, phone, other)
		want(t, "refresh of "+name, err, authcore.ErrSession)
		_, err = w.IssueTicket(t.Context(), mainClient, phone, other, "")
		want(t, "ticket for "+name, err, authcore.ErrSession)
		_, err = w.IDToken(t.Context(), mainClient, phone, other)
		want(t, "id_token for "+name, err, authcore.ErrSession)
		want(t, "log-out of "+name, w.Logout(t.Context(), mainClient, other, ""), nil)
	}
	_, err = w.RedeemTicket(t.Context(), mainClient, phone, p.session)
	want(t, "redemption of a session token", err, authcore.ErrTicket)
	want(t, "admission of the session in the end", w.admit(g, p.session), nil)
}

// TestNothingReadableIsWrittenDown is about a stolen copy of the store: it must
// open no session and name nobody.
func TestNothingReadableIsWrittenDown(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.qq.know("access token that is kept as a MAC", qqAccount{openID: p.openID, unionID: "UID_SECRET_UNIONID"})
	fresh := p
	fresh.access = "access token that is kept as a MAC"
	w.again(fresh)
	w.changeUser(p.user, func(u *authcore.User) { u.Mobile, u.Email = "+86-15201657321", "somebody@example.com" })
	grant, err := w.Refresh(t.Context(), mainClient, phone, p.session)
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	secrets := map[string]string{
		"session token": p.session, "refreshed session token": grant.Token.Reveal(), "open id": p.openID,
		"access token": fresh.access, "first access token": p.access, "unionid": "UID_SECRET_UNIONID",
		"nickname": "nickname 1", "phone": "15201657321", "email": "somebody@example.com",
		"fingerprint": phone.Fingerprint, "address": phone.Addr.String(), "agent": phone.Agent,
	}
	maps.Copy(secrets, map[string]string{"ticket": w.ticket(player{session: grant.Token.Reveal()}), "secret_key": w.kek.Reveal()})
	want(t, "close", w.node.Close(), nil)
	read := 0
	err = filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		read += len(content)
		for name, secret := range secrets {
			if strings.Contains(string(content), secret) {
				t.Errorf("%s holds the %s", d.Name(), name)
			}
		}
		return err
	})
	if err != nil || read == 0 {
		t.Fatalf("read %d bytes of the store: %v", read, err)
	}
}
