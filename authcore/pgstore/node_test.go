package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/token"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// knownByHeart is a QQ that proves every access token: its account is the open id.
type knownByHeart struct{}

func (knownByHeart) Prove(_ context.Context, _, openID string) (authcore.Identity, error) {
	return authcore.Identity{App: "101", OpenID: openID}, nil
}

func (knownByHeart) Profile(context.Context, string, authcore.Identity) (authcore.QQProfile, error) {
	return authcore.QQProfile{Nickname: "nickname"}, nil
}

// member is a node of a fleet.
type member struct {
	*authcore.Service
	t     *testing.T
	node  *authcore.Node
	keys  *token.Keys
	cfg   token.Config
	now   func() time.Time
	any   *authcore.Guard
	gold  *authcore.Guard // wants the segment tier=gold
	login atomic.Int64
}

// join makes a node on a database, whose clock is off.
func join(t *testing.T, dsn string, kek token.KEK, off time.Duration, shorten func(*limits)) *member {
	t.Helper()
	m := &member{t: t, now: func() time.Time { return time.Now().Add(off) }}
	m.cfg = token.Config{Current: kek, Alg: token.ES256, Now: m.now, Keep: 3 * time.Hour}
	m.keys = token.NewKeys(m.cfg)
	target, err := ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l := standard
	shorten(&l)
	store, err := openWithin(t.Context(), Config{
		Target: target, Vault: m.keys, Logger: zaptest.NewLogger(t, zaptest.Level(zap.FatalLevel)),
	}, l)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	m.node = authcore.NewNode(authcore.NodeConfig{
		Store: store, Keys: m.keys, Now: m.now,
		OnFault: func(err error) {
			if !errors.Is(err, authcore.ErrUnavailable) {
				t.Errorf("fault of the node: %v", err)
			}
		},
	})
	t.Cleanup(func() { m.node.Close() })
	m.Service, err = authcore.NewService(m.node, authcore.Config{
		Issuer: "https://id.example.com", Alg: token.ES256,
		Apps:    []authcore.App{{ID: "101", QQ: knownByHeart{}}},
		Clients: []authcore.Client{{ID: "c", App: "101"}},
		Lifetimes: authcore.Lifetimes{
			Session: 168 * time.Hour, IDToken: 2 * time.Hour, Ticket: 5 * time.Minute,
			Assertion: 5 * time.Minute, StateToken: 30 * time.Minute,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.any, m.gold = m.guard(nil), m.guard(map[string]string{"tier": "gold"})
	return m
}

func plain(*limits) {}

func (m *member) guard(segments map[string]string) *authcore.Guard {
	m.t.Helper()
	g, err := m.NewGuard(authcore.GuardConfig{
		Audience: "https://app.example.com", Clients: []authcore.ClientID{"c"}, Segments: segments,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return g
}

// loggedIn is somebody who has just logged in.
type loggedIn struct {
	token string
	user  authcore.UserID
}

// newUser logs somebody in who is new, and makes their tier gold.
func (m *member) newUser(name string) loggedIn {
	m.t.Helper()
	caller := authcore.Caller{Fingerprint: "fingerprint", OS: "os", Loopback: true}
	out, err := m.LoginQQ(m.t.Context(), "c", caller, fmt.Sprint("access ", name, m.login.Add(1)), name)
	if err != nil || out.Status != authcore.StatusSuccess {
		m.t.Fatalf("login = %q, %v; want SUCCESS", out.Status, err)
	}
	claims, err := m.keys.Ring().VerifyIDToken(out.Grant.IDToken, "https://id.example.com", m.now())
	if err != nil {
		m.t.Fatalf("verify id_token: %v", err)
	}
	u := loggedIn{out.Grant.Token.Reveal(), authcore.UserID(claims.Subject)}
	if err := m.SetSegments(m.t.Context(), u.user, map[string]string{"tier": "gold"}); err != nil {
		m.t.Fatalf("set segments: %v", err)
	}
	return u
}

func admit(t *testing.T, g *authcore.Guard, u loggedIn) error {
	p, err := g.Admit(t.Context(), u.token, "")
	if err == nil {
		p.Release()
	}
	return err
}

// live lets a request in that lasts.
func (m *member) live(g *authcore.Guard, u loggedIn) *authcore.Pass {
	m.t.Helper()
	var pass *authcore.Pass
	var err error
	await(m.t, "the session to be let in", func() bool {
		pass, err = g.Admit(m.t.Context(), u.token, "")
		return err == nil
	})
	m.t.Cleanup(pass.Release)
	return pass
}

// within is five times what the contract allows a revocation.
const within = 5 * time.Second

// wantGone awaits that a guard refuses a session and that its live request ends,
// from a moment on.
func wantGone(t *testing.T, from time.Time, g *authcore.Guard, u loggedIn, pass *authcore.Pass, want error) {
	t.Helper()
	await(t, "the guard to refuse", func() bool { return errors.Is(admit(t, g, u), want) })
	refused := time.Since(from)
	select {
	case <-pass.Context().Done():
	case <-time.After(within):
		t.Error("the live request does not end")
	}
	ended := time.Since(from)
	t.Logf("refused after %v, the live request ended after %v", refused.Round(time.Millisecond), ended.Round(time.Millisecond))
	if refused > within || ended > within+500*time.Millisecond {
		t.Errorf("that is more than %v", within)
	}
}

// TestRevocationReachesOtherNodes, whatever they take for the time.
func TestRevocationReachesOtherNodes(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{0, time.Hour, -time.Hour} {
		t.Run(fmt.Sprint("a clock off by ", off), func(t *testing.T) {
			t.Parallel()
			dsn, kek := pgtest.Database(t), token.NewKEK()
			a, b := join(t, dsn, kek, 0, plain), join(t, dsn, kek, off, plain)
			for _, test := range []struct {
				what   string
				want   error
				revoke func(loggedIn) error
			}{
				{"log-out", authcore.ErrSession, func(u loggedIn) error { return a.Logout(t.Context(), "c", u.token, "") }},
				{"log-out of all", authcore.ErrSession, func(u loggedIn) error { return a.EndSessions(t.Context(), u.user) }},
				{"disabling", authcore.ErrSession, func(u loggedIn) error { return a.Disable(t.Context(), u.user) }},
				{"segments", authcore.ErrDenied, func(u loggedIn) error { return a.SetSegments(t.Context(), u.user, nil) }},
			} {
				t.Run(test.what, func(t *testing.T) {
					u, bystander := a.newUser(test.what), a.newUser("bystander of "+test.what)
					pass, other := b.live(b.gold, u), b.live(b.gold, bystander)
					if err := test.revoke(u); err != nil {
						t.Fatalf("revoke: %v", err)
					}
					wantGone(t, time.Now(), b.gold, u, pass, test.want)
					if err := other.Context().Err(); err != nil {
						t.Errorf("another user's request ends, too: %v", err)
					}
					if err := admit(t, b.gold, bystander); err != nil {
						t.Errorf("another user: %v", err)
					}
				})
			}
		})
	}
}

// A fleet's nodes restart one after the other with a new secret_key or algorithm;
// all of them verify what any of them signs.
func TestRingReachesOtherNodes(t *testing.T) {
	t.Parallel()
	dsn, old, next := pgtest.Database(t), token.NewKEK(), token.NewKEK()
	a, b := join(t, dsn, old, 0, plain), join(t, dsn, old, 0, plain)
	u := a.newUser("u")
	cfg := a.cfg
	cfg.Current, cfg.Previous = next, []token.KEK{old}
	both := cfg
	if err := b.node.Rekey(t.Context(), both); err != nil {
		t.Fatalf("rekey B: %v", err)
	}
	if err := a.node.Rekey(t.Context(), both); err != nil {
		t.Fatalf("rekey A: %v", err)
	}
	cfg.Alg = token.EdDSA
	if err := a.node.Rekey(t.Context(), cfg); err != nil {
		t.Fatalf("change A's algorithm: %v", err)
	}
	await(t, "B to adopt A's ring", func() bool {
		return strings.Contains(string(b.keys.Ring().AllKeys(b.now())), "EdDSA")
	})
	for _, m := range []*member{a, b} {
		if err := admit(t, m.any, u); err != nil {
			t.Errorf("a session from before: %v", err)
		}
	}
	v := a.newUser("v")
	if err := admit(t, b.any, v); err != nil {
		t.Errorf("a session of A at B: %v", err)
	}
	if _, err := join(t, dsn, next, 0, plain).keys.Ring().VerifyIDToken(idToken(t, a, v), "https://id.example.com", time.Now()); err != nil {
		t.Errorf("A's id_token at a node that knows the new secret alone: %v", err)
	}
}

func idToken(t *testing.T, m *member, u loggedIn) string {
	t.Helper()
	grant, err := m.IDToken(t.Context(), "c", authcore.Caller{Fingerprint: "fingerprint"}, u.token)
	if err != nil {
		t.Fatalf("id_token: %v", err)
	}
	return grant.IDToken
}

// TestNodeThatHearsNothing: what is revoked meanwhile is found out when it hears
// again, though nobody remembers the events by then.
func TestNodeThatHearsNothing(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*pgtest.Proxy, bool){
		"refused": (*pgtest.Proxy).Refuse, "hanging": (*pgtest.Proxy).Hang,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn, kek := pgtest.Database(t), token.NewKEK()
			proxy, via := pgtest.Via(t, dsn)
			shorten := func(l *limits) { scaled(10)(l); l.call = 2 * time.Second }
			a, b := join(t, dsn, kek, 0, plain), join(t, via, kek, 0, shorten)
			gone, stays := a.newUser("gone"), a.newUser("stays")
			passes := []*authcore.Pass{b.live(b.gold, gone), b.live(b.gold, stays)}
			away(proxy, true)
			silent := time.Now()
			if err := a.Logout(t.Context(), "c", gone.token, ""); err != nil {
				t.Fatalf("log-out at A: %v", err)
			}
			await(t, "B to have missed it", func() bool { return time.Since(silent) > 2*time.Second && b.node.FeedAge() > 2*time.Second })
			if err := admit(t, b.gold, stays); err != nil {
				t.Errorf("a session in the cache of a node whose database is away: %v", err)
			}
			beside(t, dsn).run("DELETE FROM qqauth_events")
			away(proxy, false)
			await(t, "B to hear again", func() bool { return b.node.FeedAge() < 2*time.Second })
			wantGone(t, time.Now(), b.gold, gone, passes[0], authcore.ErrSession)
			if err := errors.Join(admit(t, b.gold, stays), passes[1].Context().Err()); err != nil {
				t.Errorf("another user: %v", err)
			}
		})
	}
}

func TestRingReplacedDuringAGap(t *testing.T) {
	t.Parallel()
	dsn, kek := pgtest.Database(t), token.NewKEK()
	proxy, via := pgtest.Via(t, dsn)
	a, b := join(t, dsn, kek, 0, plain), join(t, via, kek, 0, scaled(10))
	b.live(b.any, a.newUser("u"))
	proxy.Refuse(true)
	cfg := a.cfg
	cfg.Alg = token.EdDSA
	if err := a.node.Rekey(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	await(t, "B to be deaf for longer than it looks back", func() bool { return b.node.FeedAge() > 4*time.Second })
	proxy.Refuse(false)
	await(t, "B to know A's key", func() bool { return strings.Contains(string(b.keys.Ring().AllKeys(b.now())), "EdDSA") })
}
