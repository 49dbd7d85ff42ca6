package authcore

import (
	"context"
	"errors"

	"github.com/qqauth/qqauth/authcore/token"
)

// Logout ends the session of a session token or, if that is empty, the one that
// an id_token names. A session that is dead, unknown or another client's is no
// error, and stays as it is.
func (s *Service) Logout(ctx context.Context, client ClientID, sessionToken, idToken string) error {
	find := s.bySessionToken(sessionToken)
	if sessionToken == "" {
		find = s.byIDToken(client, idToken)
	}
	if find == nil {
		return nil
	}
	var ended []Event
	var u User
	err := s.node.update(ctx, func(tx Tx) ([]Event, error) {
		ended = nil
		var session Session
		var err error
		if session, u, err = find(tx); errors.Is(err, ErrNotFound) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		if session.Client != client {
			return nil, nil
		}
		ended, err = endSession(tx, &u, &session)
		return ended, err
	})
	if err != nil {
		return err
	}
	s.auditEnd(ended, AuditEvent{Name: AuditSessionEnd, User: u.ID, Client: client})
	return nil
}

// auditEnd audits the ends of sessions; none is not audited.
func (s *Service) auditEnd(events []Event, audit AuditEvent) {
	if len(events) == 0 {
		return
	}
	if audit.Count = countSessions(events); audit.Count == 1 {
		audit.Session = events[0].Session
	}
	s.cfg.Audit(audit)
}

// countSessions counts the single sessions that ended.
func countSessions(events []Event) (n int) {
	for _, e := range events {
		if e.Ended && e.Session != "" {
			n++
		}
	}
	return n
}

type findSession func(Tx) (Session, User, error)

// bySessionToken finds a session by its token; nil if there can be none.
func (s *Service) bySessionToken(sessionToken string) findSession {
	if !s.node.keys.Ring().ValidOpaque(kindSession, sessionToken) {
		return nil
	}
	hash, now := hashToken(sessionToken), s.node.now()
	return func(tx Tx) (Session, User, error) {
		session, u, _, err := sessionAt(tx, hash, now)
		return session, u, err
	}
}

// byIDToken finds the session that an id_token of a client names; nil if there
// can be none. An expired one still names it: whoever holds it and asks to be
// logged out after the two hours of its life must not be told a lie.
func (s *Service) byIDToken(client ClientID, idToken string) findSession {
	claims, err := s.node.keys.Ring().VerifyIDToken(idToken, s.cfg.Issuer, s.node.now())
	if err != nil && !errors.Is(err, token.ErrExpired) || claims.Audience != string(client) {
		return nil
	}
	return func(tx Tx) (Session, User, error) {
		session, u, err := tx.SessionByID(SessionID(claims.Session))
		if err == nil && u.ID != UserID(claims.Subject) {
			err = ErrNotFound
		}
		return session, u, err
	}
}
