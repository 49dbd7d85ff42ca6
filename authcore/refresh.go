package authcore

import (
	"context"
	"errors"
	"time"

	"github.com/qqauth/qqauth/authcore/opaque"
)

// IDToken returns a fresh id_token for a session of a client; the session stays
// as it is.
func (s *Service) IDToken(ctx context.Context, id ClientID, caller Caller, sessionToken string) (Grant, error) {
	c := s.clients[id]
	if c == nil {
		return Grant{}, ErrUnknownClient
	}
	if !s.node.keys.Ring().ValidOpaque(kindSession, sessionToken) {
		return Grant{}, ErrSession
	}
	token := SessionToken{opaque.Of(sessionToken)}
	now := s.node.now()
	session, user, _, _, err := s.node.use(ctx, TokenHash(token.Hash()), now, id)
	if err == nil && session.Device == (DeviceHash{}) {
		err = s.node.bindDevice(ctx, &session, s.device(caller.Fingerprint))
	}
	if err != nil {
		return Grant{}, err
	}
	signed, err := s.signIDToken(c, &session, &user, now)
	return Grant{Token: token, ExpiresIn: session.Expires.Sub(now), IDToken: signed}, err
}

// Refresh gives a session of a client a new token. The old one dies at once;
// asked for again with it within 30 s, while the new one is unused, the answer
// was lost and another new one takes its place. Later, or after use, somebody
// has a token that is not theirs: the session ends.
func (s *Service) Refresh(ctx context.Context, tenant ClientID, caller Caller, sessionToken string) (Grant, error) {
	c := s.clients[tenant]
	if c == nil {
		return Grant{}, ErrUnknownClient
	}
	ring := s.node.keys.Ring()
	if !ring.ValidOpaque(kindSession, sessionToken) {
		return Grant{}, ErrSession
	}
	if err := s.node.store.Writable(); err != nil {
		return Grant{}, err
	}
	r := &refresh{
		client: c, device: s.device(caller.Fingerprint), now: s.node.now(),
		old: hashToken(sessionToken), token: SessionToken{ring.NewOpaque(kindSession)},
	}
	if err := s.node.update(ctx, r.decide); err != nil {
		return Grant{}, err
	}
	audit := AuditEvent{User: r.session.User, Client: tenant, Addr: caller.Addr}
	if r.replayed {
		audit.Name = AuditSessionReplay
		s.auditEnd(r.events, audit)
		return Grant{}, ErrSession
	}
	audit.Name, audit.Session = AuditSessionRefresh, r.session.ID
	s.cfg.Audit(audit)
	return Grant{Token: r.token, ExpiresIn: r.session.Expires.Sub(r.now)}, nil
}

// refresh is one refresh: what it rests on, and what it was decided to be.
type refresh struct {
	client *client
	device DeviceHash
	now    time.Time
	old    TokenHash
	token  SessionToken

	session  Session
	replayed bool
	events   []Event
}

func (r *refresh) decide(tx Tx) ([]Event, error) {
	r.replayed, r.events = false, nil
	session, _, _, err := readSession(tx, r.old, r.now)
	if errors.Is(err, ErrSession) {
		err = r.again(tx)
	} else if err == nil {
		if err = r.check(&session); err == nil {
			if session.Token != r.old {
				// A token that a game has exchanged, and that would be good for a while
				// yet. That it was one is remembered: used late, it is not stolen.
				tx.RetireToken(r.old, Retired{Session: session.ID, At: r.now, Expires: session.Expires, GoodUntil: r.now})
			}
			r.rotate(tx, session, r.old)
		}
	}
	return r.events, err
}

// check refuses whoever is not the session's client on the session's device, and
// a session without the second factor that the client demands by now.
func (r *refresh) check(session *Session) error {
	if session.Client != r.client.ID || !r.client.satisfied(session.Methods) {
		return ErrSession
	}
	if _, ok := session.bindDevice(r.device); !ok {
		return ErrSession
	}
	return nil
}

// rotate retires the session's current token and records the new one as the
// successor of previous.
func (r *refresh) rotate(tx Tx, session Session, previous TokenHash) {
	tx.RetireToken(session.Token, Retired{Session: session.ID, At: r.now, Expires: session.Expires})
	session.Token, session.Previous, session.Used = TokenHash(r.token.Hash()), previous, false
	session.Issued = r.now
	session.noteUse(r.now)
	tx.PutSession(session)
	// Caches hold the session under its old token.
	r.session, r.events = session, []Event{{User: session.User, Session: session.ID}}
}

// again decides about a token that is not current.
func (r *refresh) again(tx Tx) error {
	retired, err := tx.Retired(r.old)
	if errors.Is(err, ErrNotFound) {
		return ErrSession
	} else if err != nil {
		return err
	}
	session, user, err := tx.SessionByID(retired.Session)
	if errors.Is(err, ErrNotFound) || err == nil && !session.alive(&user, r.now) {
		return ErrSession
	} else if err != nil {
		return err
	}
	if err := r.check(&session); err != nil {
		return err
	}
	if session.Previous == r.old && !session.Used && r.now.Before(retired.At.Add(replaceWithin)) {
		r.rotate(tx, session, r.old)
		return nil
	}
	if !retired.GoodUntil.IsZero() {
		return ErrSession // a game's, and only late
	}
	r.replayed, r.session = true, session
	r.events, err = endSession(tx, &user, &session)
	return err
}
