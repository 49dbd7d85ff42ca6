package authcore

import (
	"context"
	"errors"
)

// ConnectQQ logs a player in with QQ at a game: as the one whom the QQ account
// belongs to, or by linking it to the player who is signed in, or as a new user, as
// decideLink says.
func (s *Service) ConnectQQ(ctx context.Context, id ClientID, caller Caller, in QQConnect) (Play, error) {
	c, app, err := s.admitGame(id, caller)
	if err != nil {
		return Play{}, err
	}
	if err := checkRequested(in.Segments); err != nil {
		return Play{}, s.loginRefused(c, caller, err)
	}
	leave, err := s.askQQ(ctx, caller)
	if err != nil {
		return Play{}, s.loginRefused(c, caller, err)
	}
	defer leave()
	identity, accessToken, err := prove(ctx, app, in.Token)
	if err != nil {
		return Play{}, s.refusedByQQ(c, caller, err)
	}
	l := &connect{login: s.newLogin(c, app, caller, identity, accessToken), in: in}
	l.game = true
	l.proved.Requested, l.proved.SyncName = in.Segments, in.SyncName
	if err := s.decideLogin(ctx, &l.login, l.decide, accessToken, identity); err != nil {
		return Play{}, s.loginRefused(c, caller, err)
	}
	if l.decision.action == linkRefuse {
		event := l.event(AuditLoginRefused)
		event.User, event.Status = l.current.ID, "link_"+string(l.decision.refused)
		s.cfg.Audit(event)
		return s.refusedPlay(l), nil
	}
	s.auditOwner(&l.login)
	return s.play(&l.admission, l.created)
}

// prove asks QQ whose access token this is, or that of the one-time code which
// stands in its place.
func prove(ctx context.Context, app *App, tokenOrCode string) (Identity, string, error) {
	identity, err := app.QQ.Prove(ctx, tokenOrCode, "")
	exchanger, ok := app.QQ.(CodeExchanger)
	if !ok || !errors.Is(err, ErrQQToken) {
		return identity, tokenOrCode, err
	}
	// QQ refuses a code as it refuses any word that is no token: what it was is
	// known by trying.
	accessToken, err := exchanger.Exchange(ctx, tokenOrCode)
	if err != nil {
		return Identity{}, "", err
	}
	identity, err = app.QQ.Prove(ctx, accessToken.Reveal(), "")
	return identity, accessToken.Reveal(), err
}

// refusedPlay is what a game is told of a refusal by the linking decision.
func (s *Service) refusedPlay(l *connect) Play {
	p := Play{Refused: l.decision.refused}
	if l.decision.summary {
		p.Owner = &PlayerSummary{
			User: l.owner.ID, Name: l.client.profile(&l.owner).Name, OpenID: l.proved.OpenID, Online: s.node.live.online(l.owner.ID),
		}
	}
	return p
}

// connect is one login with QQ at a game: what it rests on, and what it was decided
// to be.
type connect struct {
	login
	in QQConnect

	current  User    // the player who is signed in, if there is one
	playing  Session // of current
	owner    User    // whom the QQ account belongs to, if it is somebody
	decision linkDecision
}

func (l *connect) decide(tx Tx) ([]Event, error) {
	l.reset()
	l.created, l.joined, l.current, l.owner, l.decision = false, false, User{}, User{}, linkDecision{}
	err := l.judge(tx)
	return l.ended, err
}

func (l *connect) judge(tx Tx) error {
	record, err := tx.Login(LoginQuery{Identity: l.proved.Identity, Access: l.proved.Access})
	if err != nil {
		return err
	}
	if l.owner, err = l.findOwner(tx, &record); err != nil {
		return err
	}
	if err := l.readCurrent(tx); err != nil {
		return err
	}
	other, has := l.current.link(l.app.ID)
	l.decision = decideLink(linkCase{
		current: l.current.ID, owner: l.owner.ID, otherQQ: has && other.Identity != l.proved.Identity,
	}, l.in.LinkFlags)
	switch l.decision.action {
	case linkRefuse:
		return nil
	case linkCreate:
		return l.unknown(tx, &record)
	case linkLink:
		return l.linkCurrent(tx, &record)
	}
	return l.known(tx, &record, l.owner)
}

// readCurrent reads who is signed in. A session that has ended meanwhile, perhaps
// by another login that linked the same account, is nobody's.
func (l *connect) readCurrent(tx Tx) error {
	l.proved.Leave = ""
	if l.in.Current == "" {
		return nil
	}
	session, u, err := ownSession(tx, l.in.Current, l.client.ID, l.now)
	if errors.Is(err, ErrIDToken) {
		return nil
	} else if err != nil {
		return err
	}
	l.current, l.playing, l.proved.Leave = u, session, l.in.Current
	return nil
}

// linkCurrent links the QQ account to the player who is signed in, at once or after
// a second factor. Their first QQ account needs no fresh login.
func (l *connect) linkCurrent(tx Tx, record *LoginRecord) error {
	if len(l.current.Links) > 0 {
		if err := l.playing.fresh(&l.current, l.now); err != nil {
			return err
		}
	}
	if !l.profiled && (l.current.DisplayName == "" || l.in.SyncName) {
		return errProfileMissing
	}
	l.user, l.proved.Link = l.current, true
	return l.conclude(tx, record, []Method{MethodQQ})
}
