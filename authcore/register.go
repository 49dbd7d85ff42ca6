package authcore

import "context"

// RegisterPlayer makes a user with a name and a password, and logs them in. ErrTaken
// says that the name is, or was, somebody's.
func (s *Service) RegisterPlayer(ctx context.Context, id ClientID, caller Caller, in Registration) (Play, error) {
	c, _, err := s.admitGame(id, caller)
	if err != nil {
		return Play{}, err
	}
	for _, err := range []error{
		checkUserName(in.UserName), checkPassword(in.Password), checkDisplayName(in.Name), checkRequested(in.Segments),
	} {
		if err != nil {
			return Play{}, s.loginRefused(c, caller, err)
		}
	}
	r := &registering{admission: s.newAdmission(c, caller), in: in}
	r.newUser, r.handle = newUserID(r.now), userNameHandle(r.ring, in.UserName)
	r.begin(IdentityHash(r.ring.Index("password login", string(r.handle[:]))), in.Current, in.Segments)
	if !c.takesArrivals() {
		r.status = StatusAccessDenied
		return s.play(&r.admission, false)
	}
	if err = s.countArrival(caller); err == nil {
		err = s.hashing(ctx, caller, func() { r.password = hashPassword(in.Password) })
	}
	if err == nil {
		err = s.node.update(ctx, r.decide)
	}
	if err != nil {
		return Play{}, s.loginRefused(c, caller, err)
	}
	s.cfg.Audit(r.event(AuditUserCreated))
	return s.play(&r.admission, true)
}

// registering is one registration.
type registering struct {
	admission
	in       Registration
	handle   HandleHash
	password string
	newUser  UserID
}

func (r *registering) decide(tx Tx) ([]Event, error) {
	r.reset()
	if err := r.create(tx, r.newUser); err != nil {
		return nil, err
	}
	if err := takeName(tx, r.ring, &r.user, r.in.UserName, r.now); err != nil {
		return nil, err
	}
	r.user.Password, r.user.DisplayName, r.user.Home = r.password, r.in.Name, r.client.ID
	tx.PutUser(r.user)
	tx.PutHandle(r.handle, r.user.ID)
	err := r.conclude(tx, &LoginRecord{}, []Method{MethodPassword})
	return r.ended, err
}
