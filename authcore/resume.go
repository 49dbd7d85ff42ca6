package authcore

import (
	"context"
	"time"
)

// resumedFor is how much longer a token is good that a game has exchanged for
// another: the answer may be lost, and other connections may still hold it.
const resumedFor = time.Minute

// Resume gives a game that connects again another token for its session; the one it
// came with goes on for a minute. ErrSession says that it is nobody's. A session
// that lacks the second factor which the client demands by now is not resumed: the
// login waits for the factor.
func (s *Service) Resume(ctx context.Context, id ClientID, caller Caller, sessionToken string) (Play, error) {
	c, _, err := s.admit(id, caller)
	if err != nil {
		return Play{}, err
	}
	r := &resuming{admission: s.newAdmission(c, caller), old: hashToken(sessionToken)}
	if !r.ring.ValidOpaque(kindSession, sessionToken) {
		return Play{}, ErrSession
	}
	r.game = true
	if err := s.node.update(ctx, r.decide); err != nil {
		return Play{}, err
	}
	if !r.resumed {
		return s.play(&r.admission, false)
	}
	s.node.answered(r.now)
	event := r.event(AuditSessionResumed)
	event.Session = r.session.ID
	s.cfg.Audit(event)
	return Play{
		Outcome: Outcome{Status: StatusSuccess, Grant: Grant{Token: r.newToken, ExpiresIn: r.session.Expires.Sub(r.now)}},
		Session: r.session.ID, User: r.user.ID, Name: c.profile(&r.user).Name,
	}, nil
}

// resuming is one session that goes on: what it rests on, and what it was decided to
// be.
type resuming struct {
	admission
	old TokenHash

	resumed bool
}

func (r *resuming) decide(tx Tx) ([]Event, error) {
	r.reset()
	r.resumed = false
	session, u, _, err := readSession(tx, r.old, r.now)
	if err != nil {
		return nil, err
	}
	if session.Client != r.client.ID {
		return nil, ErrSession
	}
	r.user = u
	if !r.client.satisfied(session.Methods) {
		return nil, r.askFactor(tx, &session)
	}
	until := r.now.Add(resumedFor)
	tx.RetireToken(session.Token, Retired{Session: session.ID, At: r.now, Expires: until, GoodUntil: until})
	session.Token, session.Previous, session.Used = TokenHash(r.newToken.Hash()), TokenHash{}, false
	session.Issued = r.now
	session.noteUse(r.now)
	tx.PutSession(session)
	r.session, r.resumed = session, true
	// Caches hold the session under its old token for longer than that is good.
	return []Event{{User: u.ID, Session: session.ID}}, nil
}

// askFactor has a session that lacks a second factor wait for one. What is no login
// of just now, and may be stolen, cannot add a factor that the user does not have.
func (r *resuming) askFactor(tx Tx, session *Session) error {
	r.proved = Pending{Identity: IdentityHash(r.ring.Index("resumed session", string(session.ID))), App: r.client.App}
	if len(r.client.factors(&r.user, session.Methods)) == 0 && session.fresh(&r.user, r.now) != nil {
		r.status = StatusAccessDenied
		return nil
	}
	return r.conclude(tx, &LoginRecord{}, session.Methods)
}
