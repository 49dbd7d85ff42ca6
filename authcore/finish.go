package authcore

import (
	"context"
	"errors"
	"slices"
)

// Bind finishes a login in SOCIAL_BIND: the QQ account is linked to the user whom
// the proved phone or address belongs to. ErrNoUser if that is nobody.
func (s *Service) Bind(ctx context.Context, id ClientID, caller Caller, login PendingID, to Contact, code string) (Outcome, error) {
	return s.finish(ctx, id, caller, login, PurposeBind, to, code)
}

// Register finishes a login in USER_REGISTER: as Bind, and if the phone or address
// is nobody's the QQ account becomes a user with it. For a login of a known user,
// it adds a second factor, which must be nobody's.
func (s *Service) Register(ctx context.Context, id ClientID, caller Caller, login PendingID, to Contact, code string) (Outcome, error) {
	return s.finish(ctx, id, caller, login, PurposeRegister, to, code)
}

// FinishMFA finishes a login in MFA_AUTH with a code that was sent to what is
// stored for its user; any other phone or address is a wrong try.
func (s *Service) FinishMFA(ctx context.Context, id ClientID, caller Caller, login PendingID, to Contact, code string) (Outcome, error) {
	return s.finish(ctx, id, caller, login, PurposeMFA, to, code)
}

func (s *Service) finish(ctx context.Context, id ClientID, caller Caller, login PendingID, purpose Purpose, to Contact, code string) (Outcome, error) {
	c, app, err := s.admit(id, caller)
	if err != nil {
		return Outcome{}, err
	}
	f := &finishing{
		admission: s.newAdmission(c, caller), service: s, app: app, login: login, purpose: purpose, to: to, digits: code,
	}
	f.newUser = newUserID(f.now)
	err = s.node.update(ctx, f.decide)
	if err == nil {
		err = f.verdict
	}
	if err != nil {
		return Outcome{}, s.finishRefused(f, err)
	}
	if f.created {
		s.cfg.Audit(f.event(AuditUserCreated))
	}
	return s.concluded(&f.admission)
}

// finishRefused audits a login that was not finished.
func (s *Service) finishRefused(f *finishing, err error) error {
	event := AuditEvent{Name: AuditLoginRefused, Client: f.client.ID, App: f.client.App, User: f.proved.User, Addr: f.caller.Addr, Status: reason(err)}
	if f.wrong {
		event.Name = AuditCodeRefused
	}
	s.cfg.Audit(event)
	return err
}

// finishing is one attempt to finish a login: what it rests on, and what it was
// decided to be.
type finishing struct {
	admission
	service *Service
	app     *App
	login   PendingID
	purpose Purpose
	to      Contact
	digits  string
	newUser UserID

	verdict error // durable
	wrong   bool  // the code was refused
	created bool
}

func (f *finishing) decide(tx Tx) ([]Event, error) {
	f.reset()
	f.verdict, f.wrong, f.created = nil, false, false
	p, u, err := readPending(tx, f.login, f.client.ID, f.device, f.now)
	if err != nil {
		return nil, err
	}
	f.proved, f.user = p, u
	purpose, ways := p.awaits(f.client, &u)
	if purpose != f.purpose || len(ways) == 0 {
		return nil, ErrState
	}
	record, err := tx.Login(LoginQuery{Identity: p.Identity, Access: p.Access})
	if err != nil {
		return nil, err
	}
	if !record.Linked && u.ID != "" {
		if record.Sessions, err = tx.Sessions(u.ID); err != nil {
			return nil, err
		}
	}
	if err := refuseSpent(tx, &record); errors.Is(err, ErrQQToken) {
		return nil, ErrState
	} else if err != nil {
		return nil, err
	}
	if err := f.judgeCode(tx, ways); err != nil || f.verdict != nil {
		return nil, err
	}
	if f.verdict, err = f.settle(tx, &record); err != nil || f.verdict != nil {
		return nil, err
	}
	return f.ended, nil
}

// judgeCode judges the code. For MFA, the target is the user's own.
func (f *finishing) judgeCode(tx Tx, ways []Way) (err error) {
	g := guess{
		service: f.service, now: f.now, digits: f.digits, hash: f.service.loginCode(f.login, f.purpose, f.to.Way),
	}
	if f.proved.provesUser() {
		g.user = f.user.ID
	}
	own := f.user.contact(f.to.Way)
	switch {
	case !slices.Contains(ways, f.to.Way): // nobody was sent a code there
	case f.purpose == PurposeMFA && f.to.is(own):
		g.target = handleOf(f.ring, f.to.Way, own)
	case f.purpose != PurposeMFA && !f.to.Starred:
		g.target = f.service.handle(f.to)
	}
	f.verdict, err = g.judge(tx)
	f.wrong = f.verdict != nil
	return err
}

// settle decides about a login whose code was right. A verdict leaves it waiting:
// the code is used up, and nothing else has changed.
func (f *finishing) settle(tx Tx, record *LoginRecord) (verdict, err error) {
	method := f.to.Way.method()
	switch {
	case f.purpose == PurposeMFA:
		if f.proved.Link && !f.free(record, &f.user) {
			return ErrTaken, nil
		}
		return nil, f.done(tx, record, append(slices.Clone(f.proved.Methods), method))
	case f.proved.User != "":
		return f.addFactor(tx, record, append(slices.Clone(f.proved.Methods), method))
	}
	owner, err := tx.UserByHandle(f.service.handle(f.to))
	switch {
	case err == nil:
		return f.bind(tx, record, owner, method)
	case !errors.Is(err, ErrNotFound):
		return nil, err
	case f.purpose == PurposeBind:
		return ErrNoUser, nil
	case record.Linked:
		return ErrTaken, nil
	}
	if known, err := f.joinable(tx, f.app); err != nil || known != nil {
		return ErrTaken, err // a joined account of the same person has registered meanwhile
	}
	if err := f.create(tx, f.newUser); err != nil {
		return nil, err
	}
	f.created = true
	f.user.setContact(f.to.Way, f.to.Value, f.client.ID)
	if err := f.link(tx); err != nil {
		return nil, err
	}
	tx.PutHandle(f.service.handle(f.to), f.user.ID)
	return nil, f.done(tx, record, append(slices.Clone(f.proved.Methods), method))
}

// bind links the QQ account to the owner of the proved phone or address, at once
// or after a second factor. The code is the only factor of it: QQ says nothing
// about who the owner is.
func (f *finishing) bind(tx Tx, record *LoginRecord, owner User, method Method) (verdict, err error) {
	if owner.contact(f.to.Way) != f.to.Value {
		return nil, ErrDamaged
	}
	if owner.Disabled {
		return ErrUserDisabled, nil
	}
	if !f.free(record, &owner) {
		return ErrTaken, nil
	}
	f.user, f.proved.Link = owner, true
	if !slices.Contains(*owner.via(f.to.Way), f.client.ID) {
		f.user.setContact(f.to.Way, f.to.Value, f.client.ID)
		tx.PutUser(f.user)
	}
	refs, err := tx.Sessions(owner.ID)
	if err != nil {
		return nil, err
	}
	record.Sessions = refs
	return nil, f.done(tx, record, []Method{method})
}

// free reports whether the QQ account may be linked to a user.
func (f *finishing) free(record *LoginRecord, u *User) bool {
	_, other := u.link(f.proved.App)
	return !record.Linked && !other
}

// addFactor gives a known user a second factor, which is a way in: it must be
// nobody's, and ends what the user was logged in with before.
func (f *finishing) addFactor(tx Tx, record *LoginRecord, methods []Method) (verdict, err error) {
	if f.proved.Link && !f.free(record, &f.user) {
		return ErrTaken, nil
	}
	handle := f.service.handle(f.to)
	if _, err := tx.UserByHandle(handle); err == nil {
		return ErrTaken, nil
	} else if !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	f.user.setContact(f.to.Way, f.to.Value, f.client.ID)
	tx.PutUser(f.user)
	tx.PutHandle(handle, f.user.ID)
	if err := f.endOtherSessions(tx); err != nil {
		return nil, err
	}
	f.wayAdded, record.Sessions = true, nil
	return nil, f.done(tx, record, methods)
}

// done ends the wait, and concludes the login or goes on waiting for more.
func (f *finishing) done(tx Tx, record *LoginRecord, methods []Method) error {
	tx.DeletePending(f.proved.Identity, f.login)
	return f.conclude(tx, record, methods)
}

// setContact gives the user a phone or address that was proved through a client.
func (u *User) setContact(way Way, value string, client ClientID) {
	var via []ClientID
	if u.contact(way) == value {
		via = slices.DeleteFunc(slices.Clone(*u.via(way)), func(id ClientID) bool { return id == client })
	}
	if *u.via(way) = append(via, client); way == WayEmail {
		u.Email = value
	} else {
		u.Mobile = value
	}
}

// via are the clients through which the user's phone or address was proved.
func (u *User) via(way Way) *[]ClientID {
	if way == WayEmail {
		return &u.EmailVia
	}
	return &u.MobileVia
}
