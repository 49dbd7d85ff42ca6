package authcore

import (
	"context"
	"fmt"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

// freshRead is how old the store read may be that an assertion is signed on.
const freshRead = time.Second

// assertion is a signed assertion, kept with its session until half of its life
// is over. A session has one for each guard that it has passed. It names the
// guard by number: a cached session must not keep a configuration alive that has
// been replaced.
type assertion struct {
	generation uint64 // of the configuration
	guard      uint64
	signed     string
	renew      time.Time
	ends       time.Time
	next       *assertion
}

// find returns a guard's assertion in a session's list.
func (a *assertion) find(g *Guard) *assertion {
	for ; a != nil; a = a.next {
		if a.guard == g.number {
			return a
		}
	}
	return nil
}

// renew makes an assertion for a session that has none, or one past half of its
// life: a read of the store, the guard's rules, one signature. While the store is
// away, and not long yet, an assertion that still holds is good enough, and where
// there is none, as after a reload, one is signed on what the cache holds. Requests
// of one session wait for each other here, so that a thousand at one half-life cost
// one signature.
func (g *Guard) renew(ctx context.Context, e *entry, fingerprint string, now time.Time) (*entry, *assertion, error) {
	n := g.service.node
	lock := n.filling.of(e.hash)
	lock.Lock()
	defer lock.Unlock()
	if latest, ok := n.cache.GetIfPresent(e.hash); ok && n.current(latest) {
		e = latest
	}
	old := e.assertions.Load().find(g)
	if old != nil && now.Before(old.renew) {
		return e, old, nil
	}
	if n.age(now)-e.age() > freshRead {
		fresh, err := n.read(ctx, e.hash, now)
		switch {
		case err == nil:
			e = n.publish(fresh)
		case !n.mayOutlive(e, err, now):
			return nil, nil, err
		case old != nil && now.Before(old.ends):
			return e, old, nil
		}
	}
	if err := g.judge(ctx, e, fingerprint); err != nil {
		return nil, nil, err
	}
	made, err := g.sign(e, now)
	if err != nil {
		return nil, nil, err
	}
	e.keep(made, now)
	return e, made, nil
}

// sign makes a new assertion about a session.
func (g *Guard) sign(e *entry, now time.Time) (*assertion, error) {
	s := g.service
	ends := now.Add(s.cfg.Lifetimes.Assertion)
	if ends.After(e.expires) {
		ends = e.expires
	}
	signed, err := s.node.keys.Ring().SignAssertion(token.AssertionClaims{
		Issuer: s.cfg.Issuer, Audience: g.cfg.Audience, Subject: string(e.user),
		Client: string(e.client), Session: string(e.session), Expires: ends,
		AuthTime: e.authTime, Methods: methodNames(e.methods), Name: e.displayName, Segments: e.segments,
	}, now)
	if err != nil {
		return nil, fmt.Errorf("sign assertion: %w", err)
	}
	return &assertion{generation: s.generation, guard: g.number, signed: signed, renew: now.Add(ends.Sub(now) / 2), ends: ends}, nil
}

// keep puts an assertion into the session's list, in place of the guard's
// earlier one and without those of configurations before. The session's lock is
// held.
func (e *entry) keep(made *assertion, now time.Time) {
	for a := e.assertions.Load(); a != nil; a = a.next {
		if a.guard != made.guard && a.generation >= made.generation && now.Before(a.ends) {
			kept := *a
			kept.next = made.next
			made.next = &kept
		}
	}
	e.assertions.Store(made)
}
