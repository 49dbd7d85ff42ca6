package authcore

import (
	"context"
	"errors"

	"github.com/qqauth/qqauth/authcore/token"
)

// ChangeDetails changes a player's display name, user name and password. The last
// two are ways in: the login must be fresh (ErrStale), a password that is set is
// changed only with the old one (ErrDetails), the name must be nobody's (ErrTaken),
// and the user's other sessions end. A guest who so gets a name and a password is
// no longer logged in by a device.
func (s *Service) ChangeDetails(ctx context.Context, id ClientID, caller Caller, session SessionID, in Details) error {
	c := s.clients[id]
	if c == nil {
		return ErrUnknownClient
	}
	if err := in.check(); err != nil {
		return err
	}
	d := &detailing{service: s, client: c, caller: caller, session: session, in: in, ring: s.node.keys.Ring()}
	d.at, d.password = s.node.now(), in.OldPassword
	var err error
	if in.UserName != nil { // a name that is given up is so for ever
		err = s.countArrival(caller)
	}
	if err == nil {
		err = d.hashNew(ctx)
	}
	if err == nil {
		err = s.verified(ctx, caller, &d.verifying, d.lookUp, d.decide)
	}
	if err == nil {
		err = d.verdict
	}
	d.audit(err)
	return err
}

// check judges the values by themselves.
func (d *Details) check() error {
	if d.Name != nil && *d.Name == "" {
		return ErrName
	}
	if d.Name != nil {
		if err := checkDisplayName(*d.Name); err != nil {
			return err
		}
	}
	if d.UserName != nil {
		if err := checkUserName(*d.UserName); err != nil {
			return err
		}
	}
	if d.NewPassword != nil {
		return checkPassword(*d.NewPassword)
	}
	return nil
}

// detailing is one change of a player's details: what it rests on, and what it was
// decided to be.
type detailing struct {
	verifying
	service *Service
	client  *client
	caller  Caller
	session SessionID
	in      Details
	ring    *token.Ring
	hash    string // of the new password

	user     User
	upgraded bool // the devices are no way in any more
}

// hashNew hashes the new password, unless the change can only be refused.
func (d *detailing) hashNew(ctx context.Context) error {
	if d.in.NewPassword == nil {
		return nil
	}
	if err := d.service.node.store.View(ctx, d.lookUp); err != nil {
		return err
	}
	return d.service.hashing(ctx, d.caller, func() { d.hash = hashPassword(*d.in.NewPassword) })
}

// ways reports whether the change is one of a way in.
func (d *detailing) ways() bool { return d.in.UserName != nil || d.in.NewPassword != nil }

// lookUp reads what the old password is compared with.
func (d *detailing) lookUp(tx Tx) error {
	session, u, err := ownSession(tx, d.session, d.client.ID, d.at)
	if err != nil {
		return err
	}
	if d.ways() {
		if err := session.fresh(&u, d.at); err != nil {
			return err
		}
	}
	d.user, d.tried = u, u.Password
	if d.skip = d.in.NewPassword == nil || d.tried == ""; d.skip {
		return nil
	}
	d.wrong = d.service.wrongPasswords(d.client, d.caller, userNameHandle(d.ring, u.UserName))
	_, verdict, err := d.locked(tx)
	if err == nil {
		err = verdict
	}
	return err
}

func (d *detailing) decide(tx Tx) ([]Event, error) {
	d.verdict, d.upgraded = nil, false
	session, u, err := ownSession(tx, d.session, d.client.ID, d.at)
	if err != nil {
		return nil, err
	}
	d.user = u
	if !d.ways() {
		return d.put(tx, nil)
	}
	if err := session.fresh(&u, d.at); err != nil {
		return nil, err
	}
	if u.Password != d.tried {
		return nil, errPasswordMoved
	}
	if !d.skip {
		if err := d.judge(tx); err != nil || d.verdict != nil {
			return nil, err
		}
	}
	if err := d.changeWays(tx); err != nil {
		return nil, err
	}
	ended, err := endOthers(tx, &d.user, session.ID)
	if err != nil {
		return nil, err
	}
	return d.put(tx, ended)
}

// changeWays sets the name and the password.
func (d *detailing) changeWays(tx Tx) error {
	had := d.user.hasPassword()
	if d.in.UserName != nil {
		if err := takeName(tx, d.ring, &d.user, *d.in.UserName, d.at); err != nil {
			return err
		}
		if d.user.Home == "" {
			d.user.Home = d.client.ID
		}
	}
	if d.in.NewPassword != nil {
		if d.user.UserName == "" {
			return ErrNoUserName
		}
		// A name that came in with an earlier version does not find the user yet.
		if err := takeName(tx, d.ring, &d.user, d.user.UserName, d.at); err != nil {
			return err
		}
		d.user.Password = d.hash
	}
	if had || !d.user.hasPassword() || len(d.user.Devices) == 0 {
		return nil
	}
	// GameSparks' page of ChangeUserDetailsRequest: the player is required to use
	// the user name and password from now on.
	d.upgraded = true
	return dropDevices(tx, d.ring, &d.user)
}

// put writes the user.
func (d *detailing) put(tx Tx, ended []Event) ([]Event, error) {
	if d.in.Name != nil {
		d.user.DisplayName = *d.in.Name
	}
	tx.PutUser(d.user)
	if d.ways() && d.user.UserName != "" {
		tx.PutHandle(userNameHandle(d.ring, d.user.UserName), d.user.ID)
	}
	return append(ended, Event{User: d.user.ID}), nil
}

// audit tells what has become of the ways in.
func (d *detailing) audit(err error) {
	event := AuditEvent{User: d.user.ID, Client: d.client.ID, Session: d.session, Addr: d.caller.Addr}
	switch {
	case errors.Is(err, ErrDetails) || errors.Is(err, ErrLockedOut):
		event.Name, event.Status = AuditWrongPassword, reason(err)
		d.service.cfg.Audit(event)
	case err == nil && d.ways():
		event.Name = AuditWayAdded
		d.service.cfg.Audit(event)
		if d.upgraded {
			event.Name = AuditWayRemoved
			d.service.cfg.Audit(event)
		}
	}
}
