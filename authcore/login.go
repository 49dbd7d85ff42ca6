package authcore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// LoginQQ logs a user of a client in with QQ's access token and, unless it is
// empty, the open id that it must belong to.
func (s *Service) LoginQQ(ctx context.Context, id ClientID, caller Caller, accessToken, openID string) (Outcome, error) {
	c, app, err := s.admit(id, caller)
	if err != nil {
		return Outcome{}, err
	}
	leave, err := s.askQQ(ctx, caller)
	if err != nil {
		return Outcome{}, s.loginRefused(c, caller, err)
	}
	defer leave()
	identity, err := app.QQ.Prove(ctx, accessToken, openID)
	if err != nil {
		return Outcome{}, s.refusedByQQ(c, caller, err)
	}
	l := s.newLogin(c, app, caller, identity, accessToken)
	if err := s.decideLogin(ctx, &l, l.decide, accessToken, identity); err != nil {
		return Outcome{}, s.loginRefused(c, caller, err)
	}
	s.auditOwner(&l)
	return s.concluded(&l.admission)
}

// auditOwner tells if the identity has come to belong to somebody.
func (s *Service) auditOwner(l *login) {
	if l.created {
		s.cfg.Audit(l.event(AuditUserCreated))
	} else if l.joined && l.status == StatusSuccess {
		s.cfg.Audit(l.event(AuditUserJoined))
	}
}

// newLogin begins a login by an identity that QQ has proved.
func (s *Service) newLogin(c *client, app *App, caller Caller, identity Identity, accessToken string) login {
	l := login{admission: s.newAdmission(c, caller), app: app}
	l.proved = Pending{
		Identity: IdentityHash(l.ring.Index("identity", string(identity.App), identity.OpenID)),
		App:      identity.App, OpenID: identity.OpenID, UnionID: identity.UnionID,
		Access: AccessHash(l.ring.Index("access", strings.ToUpper(accessToken))), // hex, if QQ reads it in any case
	}
	l.newUser = newUserID(l.now)
	return l
}

// decideLogin decides about a login. Only one that needs the nickname costs a second
// call to QQ, and only by trying: without a nickname it goes on just the same.
func (s *Service) decideLogin(ctx context.Context, l *login, decide func(Tx) ([]Event, error), accessToken string, identity Identity) error {
	err := s.node.update(ctx, decide)
	if errors.Is(err, errProfileMissing) {
		profile, _ := l.app.QQ.Profile(ctx, accessToken, identity)
		l.proved.Nickname, l.profiled = profile.Nickname, true
		err = s.node.update(ctx, decide)
	}
	return err
}

// admit finds a client and refuses, before QQ is asked, what cannot succeed.
func (s *Service) admit(id ClientID, caller Caller) (*client, *App, error) {
	c := s.clients[id]
	if c == nil {
		return nil, nil, ErrUnknownClient
	}
	app := s.apps[c.App]
	if app.LoopbackOnly && !caller.Loopback {
		return nil, nil, fmt.Errorf("%w: the simulator answers this machine only", ErrDenied)
	}
	if err := s.node.store.Writable(); err != nil {
		return nil, nil, err
	}
	return c, app, nil
}

const (
	// proofsPerAddress is how many logins of one address QQ is asked about at a time:
	// of the calls that may be in flight or wait, nobody's flood takes the share of
	// others. proofsWaiting more wait for their turn, for as long as QQ may take.
	proofsPerAddress = 128
	proofsWaiting    = 1024
	proofWait        = 5 * time.Second
)

// askQQ waits until QQ may be asked about a login, which it may until leave is
// called.
func (s *Service) askQQ(ctx context.Context, caller Caller) (leave func(), err error) {
	if s.cfg.Limits.Off {
		return func() {}, nil
	}
	leave, ok := s.node.proving.enter(ctx, Site(caller.Addr), proofsPerAddress, proofsWaiting, proofWait)
	if !ok {
		return nil, fmt.Errorf("%w: too many logins of one address wait", ErrQQUnavailable)
	}
	return leave, nil
}

// refusedByQQ counts a login that QQ did not prove against its address; past the
// limit, the limit is the answer. A login that QQ proves is never refused by one.
func (s *Service) refusedByQQ(c *client, caller Caller, err error) error {
	counts := errors.Is(err, ErrQQToken) || errors.Is(err, ErrQQApp) || errors.Is(err, ErrQQOpenID)
	if counts && !s.cfg.Limits.Off {
		if limited := s.node.refused.take(caller.Addr, s.cfg.Limits.QQRefused, s.node.now()); limited != nil {
			err = limited
		}
	}
	return s.loginRefused(c, caller, err)
}

// loginRefused audits a failed login.
func (s *Service) loginRefused(c *client, caller Caller, err error) error {
	s.cfg.Audit(AuditEvent{Name: AuditLoginRefused, Client: c.ID, App: c.App, Addr: caller.Addr, Status: reason(err)})
	return err
}

// reason is a refusal in one word, for audit and metrics.
func reason(err error) string {
	for _, r := range []struct {
		fault error
		word  string
	}{
		{ErrLimited, "limited"}, {ErrQQToken, "qq_token"}, {ErrQQApp, "qq_app"}, {ErrQQOpenID, "qq_open_id"},
		{ErrQQConfig, "qq_config"}, {ErrQQUnavailable, "qq_unavailable"}, {ErrUserDisabled, "disabled"},
		{ErrNoUser, "unknown_user"}, {ErrDetails, "wrong_password"}, {ErrLockedOut, "locked_out"}, {ErrDevice, "device"},
		{ErrUserName, "user_name"}, {ErrPassword, "password"}, {ErrName, "name"}, {ErrSegments, "segments"}, {ErrStale, "stale"},
		{ErrDenied, "denied"}, {ErrState, "state_token"}, {ErrCode, "wrong_code"}, {ErrTaken, "taken"}, {ErrDamaged, "store_damaged"}, {ErrUnavailable, "store_unavailable"},
	} {
		if errors.Is(err, r.fault) {
			return r.word
		}
	}
	return "error"
}

// errProfileMissing ends a decision that wants QQ's nickname.
var errProfileMissing = errors.New("profile missing")

// login is one login by a QQ identity that is proved: what it rests on, and
// what it was decided to be.
type login struct {
	admission
	app      *App
	profiled bool // QQ was asked for the nickname
	newUser  UserID

	created bool
	joined  bool
}

// decide is the login decision: one transaction, which may run again.
func (l *login) decide(tx Tx) ([]Event, error) {
	l.reset()
	l.created, l.joined = false, false
	err := l.judge(tx)
	return l.ended, err
}

func (l *login) judge(tx Tx) error {
	record, err := tx.Login(LoginQuery{Identity: l.proved.Identity, Access: l.proved.Access})
	if err != nil {
		return err
	}
	owner, err := l.findOwner(tx, &record)
	if err != nil {
		return err
	}
	if owner.ID == "" {
		return l.unknown(tx, &record)
	}
	return l.known(tx, &record, owner)
}

// findOwner finds whom the identity belongs to, by itself or because it joins them;
// nobody is the zero User. It refuses who may not log in.
func (l *login) findOwner(tx Tx, record *LoginRecord) (owner User, err error) {
	owner = record.User
	if !record.Linked {
		joined, err := l.joinable(tx, l.app)
		if err != nil {
			return User{}, err
		}
		if joined != nil {
			owner = *joined
		}
	}
	if owner.Disabled {
		return User{}, ErrUserDisabled
	}
	return owner, refuseSpent(tx, record)
}

// known logs in whom the identity belongs to. Where it joins them, it is linked like
// any other to a known user.
func (l *login) known(tx Tx, record *LoginRecord, owner User) error {
	l.user = owner
	if l.proved.Link = !record.Linked; l.proved.Link {
		l.joined = true
	} else if err := l.noteUnionID(tx); err != nil {
		return err
	}
	if !l.profiled && (l.user.syncs(&l.proved) >= 0 || l.proved.Link && l.proved.SyncName) {
		return errProfileMissing
	}
	return l.conclude(tx, record, []Method{MethodQQ})
}

// refuseSpent refuses an access token whose user has logged out everywhere
// since it was used.
func refuseSpent(tx Tx, record *LoginRecord) error {
	if !record.Seen {
		return nil
	}
	user := record.User
	if record.Access.User != user.ID {
		// The identity has changed hands since; the one who used this token
		// may still have logged out of it.
		var err error
		if user, err = tx.User(record.Access.User); errors.Is(err, ErrNotFound) {
			return ErrQQToken
		} else if err != nil {
			return err
		}
	}
	if record.Access.Epoch != user.Epoch {
		return fmt.Errorf("%w: its user has logged out everywhere since", ErrQQToken)
	}
	return nil
}

// unknown decides about a QQ account that belongs to no user.
func (l *login) unknown(tx Tx, record *LoginRecord) error {
	switch l.client.Unknown {
	case UnknownDeny:
		l.status = StatusAccessDenied
		return nil
	case UnknownRefuse:
		return ErrNoUser
	}
	if !l.profiled {
		return errProfileMissing
	}
	switch l.client.Unknown {
	case UnknownRegister:
		return l.wait(tx, StatusUserRegister, l.client.Verify, []Method{MethodQQ})
	case UnknownBind:
		return l.wait(tx, StatusSocialBind, l.client.Verify, []Method{MethodQQ})
	}
	if err := l.create(tx, l.newUser); err != nil {
		return err
	}
	if err := l.link(tx); err != nil {
		return err
	}
	l.created = true
	return l.conclude(tx, record, []Method{MethodQQ})
}
