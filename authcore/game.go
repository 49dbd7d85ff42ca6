package authcore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// errArrives ends the decision about a login that would make a user without QQ,
// which is limited.
var errArrives = errors.New("somebody new arrives")

// admitGame is admit for the logins that only games have.
func (s *Service) admitGame(id ClientID, caller Caller) (*client, *App, error) {
	c, app, err := s.admit(id, caller)
	if err == nil && !c.Games {
		err = fmt.Errorf("%w: the client is no game", ErrDenied)
	}
	return c, app, err
}

// takesArrivals reports whether guests and registrations become users at the
// client. Where more is asked of a QQ account that is new than QQ's word, or of any
// login, there is no way around it by a device or a name.
func (c *client) takesArrivals() bool { return c.Unknown == UnknownCreate && len(c.MFA) == 0 }

// countArrival counts a guest or a registration against its address.
func (s *Service) countArrival(caller Caller) error {
	if s.cfg.Limits.Off {
		return nil
	}
	var q quotas
	addr := network(caller.Addr)
	q.add(s.node.keys.Ring(), s.cfg.Limits.Arrivals, time.Hour, "arrivals", addr.String())
	return s.node.arrivals.take(q, s.node.now())
}

// checkDisplayName answers ErrName for a name that is too long or no text.
func checkDisplayName(name string) error {
	if utf8.RuneCountInString(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return ErrName
	}
	return nil
}

// checkRequested bounds the segments that a game asks for. Their names are the
// game's own, and no guard reads them.
func checkRequested(segments map[string]string) error {
	if len(segments) > maxSegments {
		return fmt.Errorf("%w: more than %d", ErrSegments, maxSegments)
	}
	for name, value := range segments {
		if name == "" || len(name) > maxSegmentName || len(value) > maxSegmentValue || !isText(name) || !isText(value) {
			return fmt.Errorf("%w: one is too long or no text", ErrSegments)
		}
	}
	return nil
}

// begin says what a login at a game is by, where it is not by QQ, whose session it
// may end and what a new user is to have.
func (a *admission) begin(by IdentityHash, current SessionID, requested map[string]string) {
	a.game = true
	a.proved = Pending{Identity: by, App: a.client.App, Leave: current, Requested: requested}
}

// enter logs a known user in who was found by other than QQ.
func (a *admission) enter(tx Tx, u User, method Method) error {
	if u.Disabled {
		return ErrUserDisabled
	}
	refs, err := tx.Sessions(u.ID)
	if err != nil {
		return err
	}
	a.user = u
	return a.conclude(tx, &LoginRecord{Sessions: refs}, []Method{method})
}

// play turns a decision, which is durable, into what a game is told.
func (s *Service) play(a *admission, created bool) (Play, error) {
	out, err := s.concluded(a)
	p := Play{Outcome: out}
	if err == nil && out.Status == StatusSuccess {
		p.Session, p.User, p.Created = a.session.ID, a.user.ID, created
		p.Name = a.client.profile(&a.user).Name
	}
	return p, err
}

// Playing tells whose session of a client a token is, or ErrSession.
func (s *Service) Playing(ctx context.Context, id ClientID, sessionToken string) (SessionID, UserID, error) {
	if !s.node.keys.Ring().ValidOpaque(kindSession, sessionToken) {
		return "", "", ErrSession
	}
	session, u, _, _, err := s.node.use(ctx, hashToken(sessionToken), s.node.now(), id)
	return session.ID, u.ID, err
}

// Account is a player as their game may see them.
func (s *Service) Account(ctx context.Context, id ClientID, session SessionID) (account PlayerAccount, err error) {
	err = s.viewOwn(ctx, id, session, func(u *User) {
		c := s.clients[id]
		link, _ := u.link(c.App)
		account = PlayerAccount{User: u.ID, Name: c.profile(u).Name, OpenID: link.OpenID}
		if u.Home == id {
			account.Requested = u.Requested
		}
	})
	return account, err
}

// EndPlay ends the session of a player and tells how long it has lasted.
func (s *Service) EndPlay(ctx context.Context, id ClientID, caller Caller, session SessionID) (time.Duration, error) {
	var was Session
	var ended []Event
	now := s.node.now()
	err := s.asUser(ctx, id, session, func(tx Tx, session Session, u User) (_ []Event, err error) {
		was = session
		ended, err = endSession(tx, &u, &session)
		return ended, err
	})
	if err != nil {
		return 0, err
	}
	s.auditEnd(ended, AuditEvent{Name: AuditSessionEnd, User: was.User, Client: id, Addr: caller.Addr})
	return now.Sub(was.AuthTime), nil
}

// Disconnect takes the QQ account in the client's application from a player whose
// login is fresh: ErrNotLinked if there is none, ErrLastWay if nothing else would
// let the player in.
func (s *Service) Disconnect(ctx context.Context, id ClientID, caller Caller, session SessionID) error {
	c := s.clients[id]
	if c == nil {
		return ErrUnknownClient
	}
	var u User
	now := s.node.now()
	err := s.asUser(ctx, id, session, func(tx Tx, session Session, was User) ([]Event, error) {
		u = was
		events, err := s.unlink(tx, &session, &u, func(l *Link) bool { return l.App == c.App }, ErrNotLinked)
		if err == nil { // what can never be is told first
			err = session.fresh(&was, now)
		}
		return events, err
	})
	if err == nil {
		s.cfg.Audit(AuditEvent{Name: AuditWayRemoved, User: u.ID, Client: id, Session: session, Addr: caller.Addr})
	}
	return err
}
