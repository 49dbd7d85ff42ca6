package authcore

import (
	"context"
	"errors"
	"time"
)

// errPasswordMoved ends a decision that rests on a password which has been changed
// since it was verified.
var errPasswordMoved = errors.New("password has been changed meanwhile")

// LoginPassword logs in by user name and password. ErrDetails says that one of them
// is wrong, after the same work whichever it is, and ErrLockedOut that there were
// too many such tries.
func (s *Service) LoginPassword(ctx context.Context, id ClientID, caller Caller, in PasswordLogin) (Play, error) {
	c, _, err := s.admitGame(id, caller)
	if err != nil {
		return Play{}, err
	}
	if checkUserName(in.UserName) != nil || checkPassword(in.Password) != nil {
		return Play{}, s.loginRefused(c, caller, ErrDetails) // nobody has such a name or password
	}
	l := &passwordLogin{admission: s.newAdmission(c, caller), service: s, in: in}
	l.handle = userNameHandle(l.ring, in.UserName)
	l.wrong = s.wrongPasswords(c, caller, l.handle)
	l.begin(IdentityHash(l.ring.Index("password login", string(l.handle[:]))), in.Current, nil)
	if err = s.verified(ctx, caller, &l.verifying, l.lookUp, l.decide); err == nil {
		err = l.verdict
	}
	if err != nil {
		err = s.loginRefused(c, caller, err)
		if errors.Is(err, ErrDetails) || errors.Is(err, ErrLockedOut) {
			event := l.event(AuditWrongPassword)
			event.Status = reason(err)
			s.cfg.Audit(event)
		}
		return Play{}, err
	}
	return s.play(&l.admission, false)
}

// verifying is a password that is verified between a look at the store and the
// decision, because it takes long.
type verifying struct {
	password string
	tried    string // what it was compared with
	right    bool
	skip     bool // there is nothing to verify
	wrong    quotas
	at       time.Time

	verdict error // durable
}

// verified looks a password up, verifies it and has the outcome decided. What is
// decided rests on the password that is stored by then.
func (s *Service) verified(ctx context.Context, caller Caller, v *verifying, lookUp func(Tx) error, decide func(Tx) ([]Event, error)) error {
	const tries = 3
	for range tries {
		if err := s.node.store.View(ctx, lookUp); err != nil {
			return err
		}
		if !v.skip {
			if err := s.hashing(ctx, caller, func() { v.right = verifyPassword(v.tried, v.password) }); err != nil {
				return err
			}
		}
		if err := s.node.update(ctx, decide); !errors.Is(err, errPasswordMoved) {
			return err
		}
	}
	return retryLater{ErrLimited, hashRetry} // somebody changes it again and again
}

// wrongPasswords limits the wrong passwords for a user name.
func (s *Service) wrongPasswords(c *client, caller Caller, name HandleHash) (q quotas) {
	if s.cfg.Limits.Off {
		return nil
	}
	ring, addr := s.node.keys.Ring(), network(caller.Addr)
	q.add(ring, s.cfg.Limits.PasswordHour, time.Hour, "wrong passwords", string(name[:]), "from", addr.String())
	q.add(ring, s.cfg.Limits.PasswordDay, 24*time.Hour, "wrong passwords", string(name[:]), "at", string(c.ID))
	return q
}

// locked answers ErrLockedOut, with the time at which there is room again, for a
// user name of which there were too many wrong passwords.
func (v *verifying) locked(tx Tx) (counters []Counter, verdict, err error) {
	counters, _, verdict, err = v.wrong.read(tx, v.at)
	if after, ok := RetryAfter(verdict); ok {
		verdict = retryLater{ErrLockedOut, after}
	}
	return counters, verdict, err
}

// judge judges the password: a wrong one is counted and, where there were too many,
// a right one is refused as well. Tries that run at once are so limited, too.
func (v *verifying) judge(tx Tx) error {
	counters, verdict, err := v.locked(tx)
	if err != nil {
		return err
	}
	if v.verdict = verdict; verdict == nil && !v.right {
		v.verdict = ErrDetails
		v.wrong.count(tx, counters, v.at)
	}
	return nil
}

// passwordLogin is one login by user name and password: what it rests on, and what
// it was decided to be.
type passwordLogin struct {
	admission
	verifying
	service *Service
	in      PasswordLogin
	handle  HandleHash
}

// lookUp reads what the password is compared with; nothing where nobody can log in
// by it.
func (l *passwordLogin) lookUp(tx Tx) error {
	u, err := l.find(tx)
	l.password, l.tried = l.in.Password, u.Password
	if err != nil {
		return err
	}
	l.at = l.now
	_, verdict, err := l.locked(tx)
	if err == nil {
		err = verdict
	}
	return err
}

// find reads whom the name belongs to, if they may log in at the client; nobody is
// no error.
func (l *passwordLogin) find(tx Tx) (User, error) {
	u, err := tx.UserByHandle(l.handle)
	if errors.Is(err, ErrNotFound) || err == nil && !l.service.atHome(l.client, &u) {
		return User{}, nil
	}
	return u, err
}

func (l *passwordLogin) decide(tx Tx) ([]Event, error) {
	l.reset()
	l.verdict = nil
	u, err := l.find(tx)
	if err != nil {
		return nil, err
	}
	if u.Password != l.tried {
		return nil, errPasswordMoved
	}
	if err := l.judge(tx); err != nil || l.verdict != nil {
		return nil, err
	}
	err = l.enter(tx, u, MethodPassword)
	return l.ended, err
}

// atHome reports whether a user of a game may log in by password at a client: one
// that shares its QQ application with the user's, as it is for QQ.
func (s *Service) atHome(c *client, u *User) bool {
	if _, linked := u.link(c.App); linked || u.Home == c.ID {
		return true
	}
	home := s.clients[u.Home]
	return home != nil && home.App == c.App
}
