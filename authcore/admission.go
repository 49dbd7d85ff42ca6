package authcore

import (
	"errors"
	"fmt"
	"slices"
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

// admission is the end that all logins share: by what is proved it is decided
// whether there is a session, or more to prove first.
type admission struct {
	client    *client
	caller    Caller
	device    DeviceHash
	now       time.Time
	ring      *token.Ring
	limits    *Limits
	lifetimes *Lifetimes
	codes     bool // can be sent, for which the session must be found by its device
	game      bool // asks, which has no use for an id_token
	// proved is what the login rests on, in the fields that a pending login keeps of it.
	proved Pending

	// Random parts, made before the transaction, which may run more than once.
	newSession SessionID
	newPending PendingID
	newToken   SessionToken

	status  Status
	ways    []Way // to go on by
	user    User
	session Session
	pending Pending
	// wayAdded says that a user who was there before got a new way in.
	wayAdded bool
	left     UserID // whose session ended because the player became another user
	ended    []Event
}

func (s *Service) newAdmission(c *client, caller Caller) admission {
	now, ring := s.node.now(), s.node.keys.Ring()
	return admission{
		client: c, caller: caller, device: s.device(caller.Fingerprint), now: now, ring: ring,
		limits: &s.cfg.Limits, lifetimes: &s.cfg.Lifetimes, codes: len(s.cfg.Senders) > 0,
		newSession: newSessionID(),
		newPending: PendingID(token.NewStateID(now)),
		newToken:   SessionToken{ring.NewOpaque(kindSession)},
	}
}

// reset forgets what an earlier run of the transaction decided.
func (a *admission) reset() {
	a.status, a.ways, a.wayAdded, a.left, a.ended = "", nil, false, "", nil
	a.user, a.session, a.pending = User{}, Session{}, Pending{}
	a.proved.Link = false
}

// conclude gives the user a session if the methods suffice. record is what was
// read of the identity.
func (a *admission) conclude(tx Tx, record *LoginRecord, methods []Method) error {
	if a.client.satisfied(methods) {
		return a.succeed(tx, record, methods)
	}
	if ways := a.client.factors(&a.user, methods); len(ways) > 0 {
		return a.wait(tx, StatusMFAAuth, ways, methods)
	}
	if slices.Contains(methods, MethodQQ) {
		// Nothing to use for it yet: a code proves a number, and adds it.
		return a.wait(tx, StatusUserRegister, a.client.MFA, methods)
	}
	a.status = StatusAccessDenied
	return nil
}

// satisfied reports whether methods hold the second factor that the client
// demands.
func (c *client) satisfied(methods []Method) bool {
	return len(c.MFA) == 0 || len(methods) > 1 && slices.ContainsFunc(c.MFA, func(w Way) bool {
		return slices.Contains(methods, w.method())
	})
}

// factors are the ways in which a user can add a second factor to methods.
func (c *client) factors(u *User, methods []Method) (ways []Way) {
	for _, w := range c.MFA {
		if u.contact(w) != "" && !slices.Contains(methods, w.method()) {
			ways = append(ways, w)
		}
	}
	return ways
}

// method is what a code sent that way proves.
func (w Way) method() Method {
	if w == WayEmail {
		return MethodEmail
	}
	return MethodSMS
}

// contact is what a code for the user is sent to, empty if there is none.
func (u *User) contact(w Way) string {
	if w == WayEmail {
		return u.Email
	}
	return u.Mobile
}

// create makes the user of an identity that belongs to nobody.
func (a *admission) create(tx Tx, id UserID) error {
	if _, err := tx.User(id); err == nil {
		return fmt.Errorf("user id collides")
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	a.user = User{ID: id, Created: a.now, DisplayName: a.proved.Nickname, Requested: a.proved.Requested}
	if len(a.user.Requested) > 0 {
		a.user.Home = a.client.ID
	}
	return nil
}

// link gives the identity to the user.
func (a *admission) link(tx Tx) error {
	link := Link{
		Identity: a.proved.Identity, App: a.proved.App, OpenID: a.proved.OpenID, UnionID: a.proved.UnionID, Since: a.now,
		SyncName: a.proved.SyncName,
	}
	a.user.Links = append(slices.Clone(a.user.Links), link)
	if a.user.DisplayName == "" {
		a.user.DisplayName = a.proved.Nickname
	}
	tx.PutUser(a.user)
	tx.PutLink(link, a.user.ID)
	return a.remember(tx)
}

// succeed gives the user a session, and the identity if that is what was waited
// for.
func (a *admission) succeed(tx Tx, record *LoginRecord, methods []Method) error {
	if a.proved.Link {
		if err := a.linkToKnown(tx, record); err != nil {
			return err
		}
	}
	if err := a.leave(tx); err != nil {
		return err
	}
	a.syncName(tx)
	surplus, err := endOldest(tx, a.user.ID, a.client.ID, record.Sessions, a.lifetimes.Idle > 0, a.now)
	if err != nil {
		return err
	}
	a.ended = append(a.ended, surplus...)
	if a.proved.Access != (AccessHash{}) && (!record.Seen || record.Access.User != a.user.ID) {
		tx.PutAccess(a.proved.Access, Access{User: a.user.ID, Epoch: a.user.Epoch, Expires: a.now.Add(accessMemory)})
	}
	a.status = StatusSuccess
	a.session = Session{
		ID: a.newSession, Token: TokenHash(a.newToken.Hash()), User: a.user.ID, Client: a.client.ID,
		Device: a.device, Methods: methods, AuthTime: a.now, Issued: a.now,
		Expires: a.now.Add(a.lifetimes.Session), Epoch: a.user.Epoch,
		OS: cut(a.caller.OS), Agent: cut(a.caller.Agent), IP: address(a.caller.Addr),
		DeviceIP: deviceIP(a.caller.DeviceIP),
	}
	a.session.allowIdle(a.lifetimes.Idle, a.now)
	tx.PutSession(a.session)
	if a.codes {
		tx.ListSession(a.session)
	}
	return nil
}

// linkToKnown links the identity to a user who was there before, for whom it is
// a new way in.
func (a *admission) linkToKnown(tx Tx, record *LoginRecord) error {
	if err := a.link(tx); err != nil {
		return err
	}
	a.wayAdded, record.Sessions = true, nil
	return a.endOtherSessions(tx)
}

// syncName takes QQ's nickname over where the link says so, or is to say so from
// now on. What QQ did not tell changes nothing.
func (a *admission) syncName(tx Tx) {
	i := a.user.syncs(&a.proved)
	if i < 0 {
		return
	}
	renamed := a.proved.Nickname != "" && a.proved.Nickname != a.user.DisplayName
	if !renamed && a.user.Links[i].SyncName {
		return
	}
	a.user.Links = slices.Clone(a.user.Links)
	a.user.Links[i].SyncName = true
	if renamed {
		a.user.DisplayName = a.proved.Nickname
	}
	tx.PutUser(a.user)
	a.ended = append(a.ended, Event{User: a.user.ID})
}

// syncs is the place of the link by which a login takes QQ's nickname over, -1 if it
// does not.
func (u *User) syncs(proved *Pending) int {
	return slices.IndexFunc(u.Links, func(l Link) bool {
		return l.Identity == proved.Identity && (l.SyncName || proved.SyncName)
	})
}

// leave ends the session of the player who becomes another user by this login.
func (a *admission) leave(tx Tx) error {
	if a.proved.Leave == "" {
		return nil
	}
	session, u, err := tx.SessionByID(a.proved.Leave)
	if errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if u.ID == a.user.ID || session.Client != a.client.ID {
		return nil
	}
	ended, err := endSession(tx, &u, &session)
	a.ended, a.left = append(a.ended, ended...), u.ID
	return err
}

// endOtherSessions ends what was logged in before a way in was added, but for the
// session by which it was.
func (a *admission) endOtherSessions(tx Tx) error {
	ended, err := endOthers(tx, &a.user, a.proved.Leave)
	a.ended = append(append(a.ended, ended...), Event{User: a.user.ID})
	return err
}

// wait leaves the login pending.
func (a *admission) wait(tx Tx, status Status, ways []Way, methods []Method) error {
	refs, err := tx.Pendings(a.proved.Identity)
	if err != nil {
		return err
	}
	refs = slices.DeleteFunc(refs, func(r PendingRef) bool { return !a.now.Before(r.Expires) })
	for ; !a.limits.Off && a.limits.Pendings > 0 && len(refs) >= a.limits.Pendings; refs = refs[1:] {
		tx.DeletePending(a.proved.Identity, refs[0].ID)
	}
	a.status, a.ways = status, ways
	a.pending = a.proved
	a.pending.ID, a.pending.Status, a.pending.Methods = a.newPending, status, methods
	a.pending.User, a.pending.Epoch = a.user.ID, a.user.Epoch
	a.pending.Client, a.pending.Device = a.client.ID, a.device
	a.pending.Created, a.pending.Expires = a.now, a.now.Add(a.lifetimes.StateToken)
	tx.PutPending(a.pending)
	return nil
}

// event is an audit event about the login.
func (a *admission) event(name string) AuditEvent {
	return AuditEvent{Name: name, Client: a.client.ID, App: a.proved.App, Addr: a.caller.Addr, User: a.user.ID}
}

// concluded turns the decision, which is durable, into an outcome.
func (s *Service) concluded(a *admission) (Outcome, error) {
	s.node.answered(a.now)
	if a.wayAdded {
		s.cfg.Audit(a.event(AuditWayAdded))
	}
	event := a.event(AuditLogin)
	event.Status, event.Session = string(a.status), a.session.ID
	s.cfg.Audit(event)
	if a.left != "" {
		event := a.event(AuditPlayerSwitched)
		event.From, event.Session = a.left, a.session.ID
		s.cfg.Audit(event)
	}

	out := Outcome{Status: a.status, Ways: a.ways}
	var err error
	switch a.status {
	case StatusSuccess:
		out.Grant = Grant{Token: a.newToken, ExpiresIn: a.session.Expires.Sub(a.now)}
		if !a.game {
			out.Grant.IDToken, err = s.signIDToken(a.client, &a.session, &a.user, a.now)
		}
	case StatusUserRegister, StatusSocialBind, StatusMFAAuth:
		out.StateToken, err = s.signState(&a.pending)
	}
	return out, err
}
