package authcore

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

const (
	// freshFor is how old a login may be for what adds, replaces or removes a way
	// in.
	freshFor = 10 * time.Minute
	// maxName is how many characters a name may have.
	maxName = 64
)

// CheckIDToken answers the living session of a client that an id_token names.
func (s *Service) CheckIDToken(ctx context.Context, client ClientID, idToken string) (SessionID, error) {
	now := s.node.now()
	claims, err := s.node.keys.Ring().VerifyIDToken(idToken, s.cfg.Issuer, now)
	if err != nil || claims.Audience != string(client) {
		return "", ErrIDToken
	}
	id := SessionID(claims.Session)
	var session Session
	err = s.node.store.View(ctx, func(tx Tx) (err error) {
		session, _, err = ownSession(tx, id, client, now)
		return err
	})
	if err != nil {
		return "", err
	}
	if session.User != UserID(claims.Subject) {
		return "", ErrIDToken
	}
	if session.noteUse(now) {
		_, _ = s.node.writeUseOf(ctx, id, now) // it may go on without
	}
	return id, nil
}

// ownSession reads a living session of a client; any other is ErrIDToken.
func ownSession(tx Tx, id SessionID, client ClientID, now time.Time) (Session, User, error) {
	session, u, err := tx.SessionByID(id)
	if errors.Is(err, ErrNotFound) || err == nil && (session.Client != client || !session.alive(&u, now)) {
		return session, u, ErrIDToken
	}
	return session, u, err
}

// asUser changes something for whoever is signed in by a session.
func (s *Service) asUser(ctx context.Context, client ClientID, id SessionID, change func(Tx, Session, User) ([]Event, error)) error {
	now := s.node.now()
	return s.node.update(ctx, func(tx Tx) ([]Event, error) {
		session, u, err := ownSession(tx, id, client, now)
		if err != nil {
			return nil, err
		}
		if session.noteUse(now) {
			tx.PutSession(session)
		}
		return change(tx, session, u)
	})
}

// fresh answers ErrStale for a session whose login is too old for what it asks. One
// that rests on a device alone is never fresh for who is more than a guest: whoever
// has an old device would otherwise take the account from its QQ.
func (s *Session) fresh(u *User, now time.Time) error {
	device := len(s.Methods) == 1 && s.Methods[0] == MethodDevice
	if now.After(s.AuthTime.Add(freshFor)) || device && !u.isGuest() {
		return ErrStale
	}
	return nil
}

// Profile is a signed-in user as the client may see them.
func (s *Service) Profile(ctx context.Context, client ClientID, session SessionID) (p Profile, err error) {
	err = s.viewOwn(ctx, client, session, func(u *User) { p = s.clients[client].profile(u) })
	return p, err
}

// Socials lists the QQ accounts that a signed-in user logs in with.
func (s *Service) Socials(ctx context.Context, client ClientID, session SessionID) (list []Social, err error) {
	err = s.viewOwn(ctx, client, session, func(u *User) {
		list = nil
		for _, l := range u.Links {
			list = append(list, Social{
				ID: l.socialID(), User: u.ID, App: l.App, OpenID: l.OpenID, Name: u.DisplayName, Since: l.Since,
			})
		}
	})
	return list, err
}

func (s *Service) viewOwn(ctx context.Context, client ClientID, session SessionID, see func(*User)) error {
	if !s.HasClient(client) {
		return ErrUnknownClient
	}
	now := s.node.now()
	return s.node.store.View(ctx, func(tx Tx) error {
		_, u, err := ownSession(tx, session, client, now)
		if err == nil {
			see(&u)
		}
		return err
	})
}

// socialID names a link to the one whose it is.
func (l *Link) socialID() string { return hex.EncodeToString(l.Identity[:16]) }

// UpdateProfile changes a signed-in user's name, phone or e-mail address. The
// latter are ways in: the login must be fresh (ErrStale), a code must prove them,
// they must be nobody else's (ErrTaken), and the user's other sessions end.
func (s *Service) UpdateProfile(ctx context.Context, client ClientID, caller Caller, session SessionID, in ProfileUpdate) error {
	if in.Name != nil {
		name := strings.TrimSpace(*in.Name)
		if name == "" || checkDisplayName(name) != nil {
			return ErrName
		}
		in.Name = &name
	}
	c := &change{service: s, client: client, device: s.device(caller.Fingerprint), in: in, now: s.node.now()}
	err := s.asUser(ctx, client, session, c.decide)
	if err == nil {
		err = c.verdict
	}
	audit := AuditEvent{Name: AuditWayAdded, User: c.user.ID, Client: client, Session: session, Addr: caller.Addr}
	switch {
	case err == nil && in.Contact != nil:
		audit.Contact = star(in.Contact.Way, in.Contact.Value)
		s.cfg.Audit(audit)
	case errors.Is(err, ErrCode) || errors.Is(err, ErrLimited):
		audit.Name, audit.Status = AuditCodeRefused, reason(err)
		s.cfg.Audit(audit)
	}
	return err
}

// change is one change of a signed-in user's data.
type change struct {
	service *Service
	client  ClientID
	device  DeviceHash
	in      ProfileUpdate
	now     time.Time

	user    User
	verdict error // durable
}

func (c *change) decide(tx Tx, session Session, u User) ([]Event, error) {
	c.user, c.verdict = u, nil
	var ended []Event
	if c.in.Contact != nil {
		if err := session.fresh(&u, c.now); err != nil {
			return nil, err
		}
		if err := c.contact(tx, &session, *c.in.Contact); err != nil || c.verdict != nil {
			return nil, err
		}
		var err error
		if ended, err = endOthers(tx, &c.user, session.ID); err != nil {
			return nil, err
		}
	}
	if c.in.Name != nil {
		c.user.DisplayName = *c.in.Name
	}
	tx.PutUser(c.user)
	return append(ended, Event{User: u.ID}), nil
}

// contact replaces the user's phone or address.
func (c *change) contact(tx Tx, session *Session, to Contact) error {
	s := c.service
	g := guess{
		service: s, hash: s.ownCode(c.client, c.device, to.Way), target: s.handle(to),
		digits: c.in.Code, now: c.now,
	}
	if proveUser(session.Methods) {
		g.user = c.user.ID
	}
	var err error
	if c.verdict, err = g.judge(tx); err != nil || c.verdict != nil {
		return err
	}
	owner, err := tx.UserByHandle(s.handle(to))
	switch {
	case err == nil && owner.ID != c.user.ID:
		c.verdict = ErrTaken
		return nil
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	if c.user.contact(to.Way) != to.Value {
		if err := dropHandle(tx, s.node.keys.Ring(), &c.user, to.Way); err != nil {
			return err
		}
	}
	c.user.setContact(to.Way, to.Value, c.client)
	tx.PutHandle(s.handle(to), c.user.ID)
	return nil
}

// endOthers ends all sessions of a user but one, and those that it was taken over
// from, without which it would end.
func endOthers(tx Tx, u *User, but SessionID) ([]Event, error) {
	refs, err := tx.Sessions(u.ID)
	if err != nil {
		return nil, err
	}
	keep := map[SessionID]bool{but: true}
	for range refs {
		for _, r := range refs {
			if keep[r.ID] {
				keep[r.Parent] = true
			}
		}
	}
	return endSessions(tx, u, func(r SessionRef) bool { return !keep[r.ID] })
}

// Unlink takes a QQ account from a signed-in user whose login is fresh, unless it
// is the last way in. The user's other sessions end.
func (s *Service) Unlink(ctx context.Context, client ClientID, caller Caller, session SessionID, social string) error {
	var u User
	now := s.node.now()
	err := s.asUser(ctx, client, session, func(tx Tx, session Session, was User) ([]Event, error) {
		u = was
		if err := session.fresh(&u, now); err != nil {
			return nil, err
		}
		return s.unlink(tx, &session, &u, func(l *Link) bool { return l.socialID() == social }, ErrDenied)
	})
	if err == nil {
		s.cfg.Audit(AuditEvent{Name: AuditWayRemoved, User: u.ID, Client: client, Session: session, Addr: caller.Addr})
	}
	return err
}

// unlink takes the picked link from a user; absent is the error if there is none.
func (s *Service) unlink(tx Tx, session *Session, u *User, picked func(*Link) bool, absent error) ([]Event, error) {
	i := slices.IndexFunc(u.Links, func(l Link) bool { return picked(&l) })
	if i < 0 {
		return nil, absent
	}
	link := u.Links[i]
	ended, err := endOthers(tx, u, session.ID)
	if err != nil {
		return nil, err
	}
	u.Links = slices.Delete(slices.Clone(u.Links), i, i+1)
	if !s.canGetIn(u) {
		return nil, ErrLastWay
	}
	tx.DeleteLink(link, u.ID)
	tx.PutUser(*u)
	return append(ended, Event{User: u.ID}), leaveUnion(tx, s.node.keys.Ring(), link, u.ID)
}

// canGetIn reports whether the user has a way in: a QQ account, a name and password,
// or a phone or address by which a QQ account can be bound at some client. A device
// is none: it gets lost.
func (s *Service) canGetIn(u *User) bool {
	for _, c := range s.clients {
		if _, linked := u.link(c.App); linked {
			return true
		}
		if c.Games && u.hasPassword() && s.atHome(c, u) && c.letsIn(u, MethodPassword) {
			return true
		}
		if c.Unknown != UnknownBind && c.Unknown != UnknownRegister {
			continue
		}
		if slices.ContainsFunc(c.Verify, func(w Way) bool { return s.cfg.Senders[w] != nil && c.letsBind(u, w) }) {
			return true
		}
	}
	return false
}

// letsBind reports whether the user can bind a QQ account by a way to the end.
func (c *client) letsBind(u *User, w Way) bool {
	return u.contact(w) != "" && c.letsIn(u, w.method())
}

// letsIn reports whether a login of the user that begins with a method can end.
func (c *client) letsIn(u *User, by Method) bool {
	proved := []Method{by}
	return c.satisfied(proved) || len(c.factors(u, proved)) > 0
}

// leaveUnion takes a user whose link goes out of the list of those who were seen
// with its unionid.
func leaveUnion(tx Tx, ring *token.Ring, l Link, id UserID) error {
	if l.UnionID == "" {
		return nil
	}
	hash := UnionHash(ring.Index("unionid", l.UnionID))
	members, err := tx.Union(hash)
	if err != nil {
		return err
	}
	tx.PutUnion(hash, slices.DeleteFunc(slices.Clone(members), func(m UnionMember) bool {
		return m.App == l.App && m.User == id
	}))
	return nil
}
