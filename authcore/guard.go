package authcore

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
)

// GuardConfig says whom a guard lets in and what it tells the upstream.
type GuardConfig struct {
	Audience string // of the assertions
	Clients  []ClientID
	// Allow lets sessions in that rest on MethodDevice or MethodPassword alone.
	Allow []Method
	// Segments must all be the user's, RequireMFA wants a second factor in the
	// session's proof, RequireDevice the fingerprint of the login.
	Segments      map[string]string
	RequireMFA    bool
	RequireDevice bool
}

// Guard exchanges session tokens for assertions, for one audience under one
// configuration. It is safe for concurrent use.
type Guard struct {
	service *Service
	number  uint64 // among all guards of the node
	cfg     GuardConfig
	accept  []Method
}

// NewGuard makes a guard.
func (s *Service) NewGuard(cfg GuardConfig) (*Guard, error) {
	for _, id := range cfg.Clients {
		if s.clients[id] == nil {
			return nil, fmt.Errorf("guard %s: %w: %s", cfg.Audience, ErrUnknownClient, id)
		}
	}
	return &Guard{
		service: s, number: s.node.numbers.Add(1), cfg: cfg,
		accept: append([]Method{MethodQQ, MethodSMS, MethodEmail}, cfg.Allow...),
	}, nil
}

// Pass is a session that a guard let in with one request, for as long as the
// request lives. It must be released. The node keeps those of connections to
// itself.
type Pass struct {
	// Assertion is what the upstream gets in place of the session token.
	Assertion string

	ctx        context.Context
	cancel     context.CancelFunc
	guard      *Guard // nil for a connection
	ended      func(terminated bool)
	gone       atomic.Bool
	entry      *entry
	shard      *liveShard
	prev, next *Pass
}

// Admit lets the session of a token in with a request, or answers ErrSession,
// ErrDenied or ErrUnavailable. fingerprint is the device's, empty if the request
// names none. On a session in the cache it touches no disk, no network and no
// key.
func (g *Guard) Admit(ctx context.Context, sessionToken, fingerprint string) (*Pass, error) {
	n := g.service.node
	now := n.now()
	e, err := n.lookup(ctx, hashToken(sessionToken), sessionToken, now)
	if err != nil {
		return nil, err
	}
	if err := g.judge(ctx, e, fingerprint); err != nil {
		return nil, err
	}
	n.noteUse(ctx, e, now)
	a := e.assertions.Load().find(g)
	if a == nil || !now.Before(a.renew) {
		if e, a, err = g.renew(ctx, e, fingerprint, now); err != nil {
			return nil, err
		}
	}
	p := &Pass{Assertion: a.signed, guard: g, entry: e}
	p.ctx, p.cancel = context.WithCancel(ctx)
	e.shard.enter(p)
	if !n.current(e) {
		// An event came between the look-up and the entry; it did not see this
		// request, so this request must see it.
		p.Release()
		return g.Admit(ctx, sessionToken, fingerprint)
	}
	return p, nil
}

// Who is the user of a session.
type Who struct {
	User    UserID
	Name    string // the display name
	Client  ClientID
	Session SessionID
}

// Identify tells whose session a token is if the guard would let it in. It lets
// nothing in: what it says may be over by the time it is read.
func (g *Guard) Identify(ctx context.Context, sessionToken, fingerprint string) (Who, error) {
	n := g.service.node
	e, err := n.lookup(ctx, hashToken(sessionToken), sessionToken, n.now())
	if err == nil {
		err = g.judge(ctx, e, fingerprint)
	}
	if err != nil {
		return Who{}, err
	}
	return Who{User: e.user, Name: e.displayName, Client: e.client, Session: e.session}, nil
}

// judge applies the guard's rules to a request with a session that lives.
func (g *Guard) judge(ctx context.Context, e *entry, fingerprint string) error {
	if err := g.judgeSession(e); err != nil || !g.cfg.RequireDevice {
		return err
	}
	return g.judgeDevice(ctx, e, fingerprint)
}

// judgeSession applies the rules about the session alone.
func (g *Guard) judgeSession(e *entry) error {
	if !slices.Contains(g.cfg.Clients, e.client) {
		return fmt.Errorf("%w: it is the session of another client", ErrSession)
	}
	if !slices.ContainsFunc(e.methods, func(m Method) bool { return slices.Contains(g.accept, m) }) {
		return fmt.Errorf("%w: the session's proof is too weak", ErrDenied)
	}
	for name, value := range g.cfg.Segments {
		if has, ok := e.segments[name]; !ok || has != value {
			return fmt.Errorf("%w: segment %s", ErrDenied, name)
		}
	}
	if g.cfg.RequireMFA && !secondFactor(e.methods) {
		return fmt.Errorf("%w: no second factor", ErrDenied)
	}
	return nil
}

// secondFactor reports whether a code was proved beside another method. A code
// alone is one factor only.
func secondFactor(methods []Method) bool {
	code := slices.Contains(methods, MethodSMS) || slices.Contains(methods, MethodEmail)
	return code && len(methods) > 1
}

// judgeDevice wants the login's fingerprint. A login that named none is bound to
// the first one.
func (g *Guard) judgeDevice(ctx context.Context, e *entry, fingerprint string) error {
	device := g.service.device(fingerprint)
	if device == (DeviceHash{}) {
		return fmt.Errorf("%w: no device fingerprint", ErrDenied)
	}
	if e.device == device {
		return nil
	}
	if e.device != (DeviceHash{}) {
		return fmt.Errorf("%w: another device", ErrDenied)
	}
	return g.service.node.bindDevice(ctx, &Session{ID: e.session, User: e.user, Token: e.hash}, device)
}

// bindDevice gives a session that was made without a device the first one it is
// used with.
func (n *Node) bindDevice(ctx context.Context, to *Session, device DeviceHash) error {
	now := n.now()
	return n.update(ctx, func(tx Tx) ([]Event, error) {
		session, _, _, err := readSession(tx, to.Token, now)
		if err != nil {
			return nil, err
		}
		bound, ok := session.bindDevice(device)
		if !ok {
			return nil, fmt.Errorf("%w: another device", ErrDenied)
		}
		if !bound {
			return nil, nil
		}
		tx.PutSession(session)
		tx.ListSession(session)
		return []Event{{User: to.User, Session: to.ID}}, nil
	})
}

// Context is the request's own; it ends 500 ms after the session does.
func (p *Pass) Context() context.Context { return p.ctx }

// Release ends the pass.
func (p *Pass) Release() {
	p.shard.leave(p)
	p.cancel()
}

// Who is the session's user.
func (p *Pass) Who() Who {
	return Who{User: p.entry.user, Name: p.entry.displayName, Client: p.entry.client, Session: p.entry.session}
}

// UserName is the name that the user chose to log in with, or empty.
func (p *Pass) UserName() string { return p.entry.userName }

// Mobile is the user's proved phone number, or empty.
func (p *Pass) Mobile() string { return p.entry.mobile }

// Email is the user's proved address, or empty.
func (p *Pass) Email() string { return p.entry.email }

// Segment is a segment of the user that an administrator set.
func (p *Pass) Segment(name string) (value string, ok bool) {
	value, ok = p.entry.segments[name]
	return value, ok
}
