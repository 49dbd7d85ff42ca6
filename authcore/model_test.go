package authcore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/qqauth/qqauth/authcore"
)

// model is what should be true of three players: the contract, in memory.
type model struct {
	w       *world
	guard   *authcore.Guard
	players []*modelPlayer
	tokens  []modelToken // every session token ever given out
	tickets []*modelTicket
}

type modelPlayer struct {
	player
	disabled bool
	access   []modelAccess // every QQ access token, the newest last
	sessions []*modelSession
}

type modelAccess struct {
	token       string
	used, spent bool
}

type modelSession struct {
	owner    *modelPlayer
	current  string
	previous string // may replace the current one while that is unused
	used     bool
	retired  map[string]time.Time
	expires  time.Time
	ended    bool
}

type modelToken struct {
	secret  string
	session *modelSession
}

type modelTicket struct {
	secret  string
	session *modelSession
	expires time.Time
	used    bool
}

func newModel(w *world) *model {
	m := &model{w: w, guard: w.guard()}
	for range 3 {
		p := &modelPlayer{player: w.newAccount()}
		p.access = []modelAccess{{token: p.player.access}}
		m.players = append(m.players, p)
	}
	return m
}

func (m *model) alive(s *modelSession) bool {
	return !s.ended && m.w.clock.Now().Before(s.expires)
}

// opens reports whether a token gets in.
func (m *model) opens(t modelToken) bool { return t.secret == t.session.current && m.alive(t.session) }

func (m *model) endAll(p *modelPlayer) {
	for _, s := range p.sessions {
		s.ended = true
	}
	for i := range p.access {
		p.access[i].spent = p.access[i].used
	}
}

// expect fails the test unless err is what the model says.
func expect(t *rapid.T, what string, err, expected error) {
	t.Helper()
	if !errors.Is(err, expected) {
		t.Fatalf("%s = %v; the model says %v", what, err, expected)
	}
}

func (m *model) player(t *rapid.T) *modelPlayer {
	return rapid.SampledFrom(m.players).Draw(t, "player")
}

// known draws a player who is a user here.
func (m *model) known(t *rapid.T) *modelPlayer {
	p := m.player(t)
	if p.user == "" {
		t.Skip("not a user yet")
	}
	return p
}

func (m *model) token(t *rapid.T) modelToken {
	if len(m.tokens) == 0 {
		t.Skip("no tokens yet")
	}
	return m.tokens[rapid.IntRange(0, len(m.tokens)-1).Draw(t, "token")]
}

func (m *model) login(t *rapid.T) {
	p := m.player(t)
	if rapid.Bool().Draw(t, "with a fresh access token") {
		fresh := fmt.Sprintf("%s-%d", p.player.access, len(p.access))
		m.w.qq.know(fresh, qqAccount{openID: p.openID})
		p.access = append(p.access, modelAccess{token: fresh})
	}
	access := &p.access[rapid.IntRange(0, len(p.access)-1).Draw(t, "access token")]
	var expected error
	switch {
	case p.disabled:
		expected = authcore.ErrUserDisabled
	case access.spent:
		expected = authcore.ErrQQToken
	}
	out, err := m.w.LoginQQ(m.w.t.Context(), mainClient, phone, access.token, p.openID)
	expect(t, "login", err, expected)
	if err != nil {
		return
	}
	claims, err := m.w.keys.Ring().VerifyIDToken(out.Grant.IDToken, issuer, m.w.clock.Now())
	if err != nil || p.user != "" && p.user != authcore.UserID(claims.Subject) {
		t.Fatalf("login is user %s, %v; the model says %s", claims.Subject, err, p.user)
	}
	p.user, access.used = authcore.UserID(claims.Subject), true
	s := &modelSession{
		owner: p, current: out.Grant.Token.Reveal(), retired: make(map[string]time.Time),
		expires: m.w.clock.Now().Add(168 * time.Hour),
	}
	p.sessions = append(p.sessions, s)
	m.tokens = append(m.tokens, modelToken{s.current, s})
}

func (m *model) refresh(t *rapid.T) {
	token, now := m.token(t), m.w.clock.Now()
	s := token.session
	tenant := rapid.SampledFrom([]authcore.ClientID{mainClient, mainClient, mainClient, foreignClient}).Draw(t, "tenant")
	again := s.previous == token.secret && !s.used && now.Before(s.retired[token.secret].Add(30*time.Second))
	grant, err := m.w.Refresh(m.w.t.Context(), tenant, phone, token.secret)
	switch {
	case tenant == foreignClient || !m.alive(s):
		expect(t, "refresh", err, authcore.ErrSession)
		return
	case token.secret != s.current && !again:
		expect(t, "refresh of a retired token", err, authcore.ErrSession)
		s.ended = true
		return
	}
	expect(t, "refresh", err, nil)
	s.retired[s.current] = now
	s.previous, s.current, s.used = token.secret, grant.Token.Reveal(), false
	m.tokens = append(m.tokens, modelToken{s.current, s})
}

func (m *model) admit(t *rapid.T) { m.compare(t, m.token(t)) }

func (m *model) compare(t *rapid.T, token modelToken) {
	var expected error
	if !m.opens(token) {
		expected = authcore.ErrSession
	}
	expect(t, "admission", m.w.admit(m.guard, token.secret), expected)
	if expected == nil {
		token.session.used = true
	}
}

func (m *model) logout(t *rapid.T) {
	token := m.token(t)
	expect(t, "log-out", m.w.Logout(m.w.t.Context(), mainClient, token.secret, ""), nil)
	if token.secret == token.session.current {
		token.session.ended = true
	}
}

func (m *model) endSessions(t *rapid.T) {
	p := m.known(t)
	expect(t, "end of all sessions", m.w.EndSessions(m.w.t.Context(), p.user), nil)
	m.endAll(p)
}

func (m *model) disable(t *rapid.T) {
	p := m.known(t)
	expect(t, "disable", m.w.Disable(m.w.t.Context(), p.user), nil)
	m.endAll(p)
	p.disabled = true
}

func (m *model) enable(t *rapid.T) {
	p := m.known(t)
	expect(t, "enable", m.w.Enable(m.w.t.Context(), p.user), nil)
	p.disabled = false
}

func (m *model) issue(t *rapid.T) {
	token := m.token(t)
	var expected error
	if !m.opens(token) {
		expected = authcore.ErrSession
	}
	issued, err := m.w.IssueTicket(m.w.t.Context(), mainClient, phone, token.secret, "")
	expect(t, "ticket", err, expected)
	if err != nil {
		return
	}
	token.session.used = true
	m.tickets = append(m.tickets, &modelTicket{
		secret: issued.Token.Reveal(), session: token.session, expires: m.w.clock.Now().Add(5 * time.Minute),
	})
}

func (m *model) redeem(t *rapid.T) {
	if len(m.tickets) == 0 {
		t.Skip("no tickets yet")
	}
	ticket := m.tickets[rapid.IntRange(0, len(m.tickets)-1).Draw(t, "ticket")]
	tenant := rapid.SampledFrom([]authcore.ClientID{mainClient, mainClient, foreignClient}).Draw(t, "tenant")
	var expected error
	if ticket.used || !m.w.clock.Now().Before(ticket.expires) || !m.alive(ticket.session) || tenant != mainClient {
		expected = authcore.ErrTicket
	}
	profile, err := m.w.RedeemTicket(m.w.t.Context(), tenant, phone, ticket.secret)
	expect(t, "redemption", err, expected)
	if err == nil && profile.ID != ticket.session.owner.user {
		t.Fatalf("redeemed user %s; the model says %s", profile.ID, ticket.session.owner.user)
	}
	ticket.used = true
}

func (m *model) step(t *rapid.T) {
	m.w.clock.step(rapid.SampledFrom([]time.Duration{
		time.Nanosecond, 10 * time.Second, 20 * time.Second, 3 * time.Minute, 50 * time.Hour,
	}).Draw(t, "step"))
}

func (m *model) evict(*rapid.T) { m.w.node.Evict() }

// check compares what can be compared without using a session.
func (m *model) check(t *rapid.T) {
	for _, p := range m.players {
		if p.user == "" {
			continue
		}
		sessions, err := m.w.Sessions(m.w.t.Context(), p.user)
		alive := len(slices.DeleteFunc(slices.Clone(p.sessions), func(s *modelSession) bool { return !m.alive(s) }))
		if err != nil || len(sessions) != alive {
			t.Fatalf("%s has %d sessions, %v; the model says %d", p.user, len(sessions), err, alive)
		}
	}
}

// TestModel runs what people, thieves and administrators do, in any order, and
// compares who gets in.
func TestModel(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(w)
		rt.Repeat(map[string]func(*rapid.T){
			"login": m.login, "refresh": m.refresh, "refresh again": m.refresh, "admit": m.admit, "log-out": m.logout,
			"end sessions": m.endSessions, "disable": m.disable, "enable": m.enable, "issue": m.issue,
			"redeem": m.redeem, "step": m.step, "evict": m.evict, "": m.check,
		})
		for _, token := range m.tokens {
			m.compare(rt, token)
		}
	})
}
