package authcore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

const (
	// sessionsPerClient is how many live sessions a user has at one client; one
	// more ends the one that was issued or refreshed longest ago.
	sessionsPerClient = 20
	// accessMemory is how long a QQ access token is remembered: longer than QQ
	// has ever let one live.
	accessMemory = 90 * 24 * time.Hour
)

// kinds of opaque tokens: the checksum of one does not pass for the other's.
const (
	kindSession = "session"
	kindTicket  = "ticket"
)

// LoginQQ logs a user of a client in with QQ's access token and, unless it is
// empty, the open id that it must belong to.
func (s *Service) LoginQQ(ctx context.Context, id ClientID, caller Caller, accessToken, openID string) (Outcome, error) {
	c, app, err := s.admit(id, caller)
	if err != nil {
		return Outcome{}, err
	}
	identity, err := app.QQ.Prove(ctx, accessToken, openID)
	if err != nil {
		return Outcome{}, s.refusedByQQ(c, caller, err)
	}
	ring := s.node.keys.Ring()
	l := &login{
		client: c, app: app, identity: identity, caller: caller, now: s.node.now(),
		ring: ring, limits: &s.cfg.Limits, lifetimes: &s.cfg.Lifetimes,
		hash:   IdentityHash(ring.Index("identity", string(identity.App), identity.OpenID)),
		access: AccessHash(ring.Index("access", strings.ToUpper(accessToken))), // hex, if QQ reads it in any case
		device: s.device(caller.Fingerprint),
	}
	l.prepare()
	err = s.node.update(ctx, l.decide)
	if errors.Is(err, errProfileMissing) {
		// Only a QQ account that is new here costs a second call to QQ, and
		// only by trying: without a nickname it logs in just the same.
		l.profile, _ = app.QQ.Profile(ctx, accessToken, identity)
		l.profiled = true
		err = s.node.update(ctx, l.decide)
	}
	if err != nil {
		return Outcome{}, s.loginRefused(c, caller, err)
	}
	return s.loggedIn(l)
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
		{ErrNoUser, "unknown_user"}, {ErrDamaged, "store_damaged"}, {ErrUnavailable, "store_unavailable"},
	} {
		if errors.Is(err, r.fault) {
			return r.word
		}
	}
	return "error"
}

// errProfileMissing ends the decision about a new identity that wants a name.
var errProfileMissing = errors.New("profile missing")

// login is one login by a QQ identity that is proved: what it rests on, and
// what it was decided to be.
type login struct {
	client    *client
	app       *App
	identity  Identity
	hash      IdentityHash
	access    AccessHash
	device    DeviceHash
	caller    Caller
	now       time.Time
	ring      *token.Ring
	limits    *Limits
	lifetimes *Lifetimes
	profile   QQProfile
	profiled  bool

	// Random parts, made before the transaction, which may run more than once.
	newUser    UserID
	newSession SessionID
	newPending PendingID
	newToken   SessionToken

	status  Status
	user    User
	created bool
	joined  bool
	session Session
	pending Pending
	ended   []Event
}

func (l *login) prepare() {
	l.newUser = newUserID(l.now)
	l.newSession = newSessionID()
	l.newPending = PendingID(token.NewStateID(l.now))
	l.newToken = SessionToken{l.ring.NewOpaque(kindSession)}
}

// decide is the login decision: one transaction, which may run again.
func (l *login) decide(tx Tx) ([]Event, error) {
	l.status, l.created, l.joined, l.ended = "", false, false, nil
	l.user, l.session, l.pending = User{}, Session{}, Pending{}
	err := l.judge(tx)
	return l.ended, err
}

func (l *login) judge(tx Tx) error {
	record, err := tx.Login(LoginQuery{Identity: l.hash, Access: l.access})
	if err != nil {
		return err
	}
	if !record.Linked {
		if err := l.join(tx, &record); err != nil {
			return err
		}
	}
	if record.Linked && record.User.Disabled {
		return ErrUserDisabled
	}
	if err := l.refuseSpent(tx, &record); err != nil {
		return err
	}
	if !record.Linked {
		return l.unknown(tx, &record)
	}
	l.user = record.User
	return l.succeed(tx, &record)
}

// refuseSpent refuses an access token whose user has logged out everywhere
// since it was used.
func (l *login) refuseSpent(tx Tx, record *LoginRecord) error {
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
		return l.wait(tx, StatusUserRegister)
	case UnknownBind:
		return l.wait(tx, StatusSocialBind)
	}
	if err := l.create(tx); err != nil {
		return err
	}
	return l.succeed(tx, record)
}

// create makes the user.
func (l *login) create(tx Tx) error {
	if _, err := tx.User(l.newUser); err == nil {
		return fmt.Errorf("user id collides")
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	l.created = true
	l.user = User{ID: l.newUser, Created: l.now, DisplayName: l.profile.Nickname}
	return l.link(tx)
}

// link gives the identity to the user.
func (l *login) link(tx Tx) error {
	link := Link{
		Identity: l.hash, App: l.identity.App, OpenID: l.identity.OpenID, UnionID: l.identity.UnionID, Since: l.now,
	}
	l.user.Links = append(slices.Clone(l.user.Links), link)
	tx.PutUser(l.user)
	tx.PutLink(link, l.user.ID)
	return l.remember(tx)
}

// succeed gives the user a session.
func (l *login) succeed(tx Tx, record *LoginRecord) error {
	if err := l.noteUnionID(tx); err != nil {
		return err
	}
	l.ended = append(l.ended, endOldest(tx, l.user.ID, l.client.ID, record.Sessions, l.now)...)
	if !record.Seen {
		tx.PutAccess(l.access, Access{User: l.user.ID, Epoch: l.user.Epoch, Expires: l.now.Add(accessMemory)})
	}
	l.status = StatusSuccess
	l.session = Session{
		ID: l.newSession, Token: TokenHash(l.newToken.Hash()), User: l.user.ID, Client: l.client.ID,
		Device: l.device, Methods: []Method{MethodQQ}, AuthTime: l.now, Issued: l.now,
		Expires: l.now.Add(l.lifetimes.Session), Epoch: l.user.Epoch,
		OS: cut(l.caller.OS), Agent: cut(l.caller.Agent), IP: address(l.caller.Addr),
		DeviceIP: deviceIP(l.caller.DeviceIP),
	}
	tx.PutSession(l.session)
	return nil
}

// wait leaves the login pending.
func (l *login) wait(tx Tx, status Status) error {
	refs, err := tx.Pendings(l.hash)
	if err != nil {
		return err
	}
	refs = slices.DeleteFunc(refs, func(r PendingRef) bool { return !l.now.Before(r.Expires) })
	for ; !l.limits.Off && l.limits.Pendings > 0 && len(refs) >= l.limits.Pendings; refs = refs[1:] {
		tx.DeletePending(l.hash, refs[0].ID)
	}
	l.status = status
	l.pending = Pending{
		ID: l.newPending, Status: status, Identity: l.hash,
		App: l.identity.App, OpenID: l.identity.OpenID, UnionID: l.identity.UnionID, Nickname: l.profile.Nickname, Access: l.access,
		Client: l.client.ID, Device: l.device, Created: l.now, Expires: l.now.Add(l.lifetimes.StateToken),
	}
	tx.PutPending(l.pending)
	return nil
}

// loggedIn turns the decision, which is durable, into an outcome.
func (s *Service) loggedIn(l *login) (Outcome, error) {
	s.node.answered(l.now)
	event := AuditEvent{Client: l.client.ID, App: l.app.ID, Addr: l.caller.Addr, User: l.user.ID}
	if l.created || l.joined {
		event.Name = AuditUserCreated
		if l.joined {
			event.Name = AuditUserJoined
		}
		s.cfg.Audit(event)
	}
	event.Name, event.Status, event.Session = AuditLogin, string(l.status), l.session.ID
	s.cfg.Audit(event)

	out := Outcome{Status: l.status}
	var err error
	switch l.status {
	case StatusSuccess:
		out.Grant = Grant{Token: l.newToken, ExpiresIn: l.session.Expires.Sub(l.now)}
		out.Grant.IDToken, err = s.signIDToken(l.client, &l.session, &l.user, l.now)
	case StatusUserRegister, StatusSocialBind:
		out.Ways = l.client.Verify
		out.StateToken, err = s.signState(&l.pending)
	}
	return out, err
}
