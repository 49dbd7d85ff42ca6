package authcore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

// CheckState answers which unfinished login of a client on a device a state_token
// names, if it waits in one of the statuses, in any if none is given.
func (s *Service) CheckState(ctx context.Context, client ClientID, caller Caller, stateToken string, statuses ...Status) (PendingID, error) {
	now, device := s.node.now(), s.device(caller.Fingerprint)
	claims, err := s.node.keys.Ring().VerifyState(stateToken, now)
	if errors.Is(err, token.ErrNotJWT) {
		return "", ErrNoState
	} else if err != nil {
		return "", ErrState
	}
	id := PendingID(claims.ID)
	var p Pending
	read := func(tx Tx) (err error) {
		p, _, err = readPending(tx, id, client, device, now)
		return err
	}
	err = s.node.store.View(ctx, read)
	if err == nil && p.Device != device {
		// A login that named no device belongs to the first one that goes on
		// with it.
		err = s.node.update(ctx, func(tx Tx) ([]Event, error) {
			if err := read(tx); err != nil || p.Device == device {
				return nil, err
			}
			p.Device = device
			tx.PutPending(p)
			return nil, nil
		})
	}
	if err != nil {
		return "", err
	}
	if len(statuses) > 0 && !slices.Contains(statuses, p.Status) {
		return "", ErrState
	}
	return id, nil
}

// readPending reads an unfinished login of a client on a device, and its user if
// it has one; anything else is ErrState.
func readPending(tx Tx, id PendingID, client ClientID, device DeviceHash, now time.Time) (Pending, User, error) {
	p, err := tx.Pending(id)
	if errors.Is(err, ErrNotFound) {
		return p, User{}, ErrState
	} else if err != nil {
		return p, User{}, err
	}
	if len(p.Methods) == 0 { // as version 1 wrote them
		p.Methods = []Method{MethodQQ}
	}
	if p.Client != client || p.Device != (DeviceHash{}) && p.Device != device || !now.Before(p.Expires) {
		return p, User{}, ErrState
	}
	if p.User == "" {
		return p, User{}, nil
	}
	u, err := tx.User(p.User)
	if errors.Is(err, ErrNotFound) || err == nil && (u.Disabled || u.Epoch != p.Epoch) {
		return p, User{}, ErrState
	}
	return p, u, err
}

// awaits tells what an unfinished login of a client goes on by; nothing, if the
// client has been configured otherwise since.
func (p *Pending) awaits(c *client, u *User) (Purpose, []Way) {
	switch {
	case p.App != c.App:
		return "", nil
	case p.Status == StatusMFAAuth:
		return PurposeMFA, c.factors(u, p.Methods)
	case p.User != "":
		return PurposeRegister, slices.DeleteFunc(slices.Clone(c.MFA), func(w Way) bool { return u.contact(w) != "" })
	case p.Status == StatusSocialBind && c.Unknown == UnknownBind:
		return PurposeBind, c.Verify
	case p.Status == StatusUserRegister && c.Unknown == UnknownRegister:
		return PurposeRegister, c.Verify
	}
	return "", nil
}

// provesUser reports whether the login has a user and has proved who that is.
func (p *Pending) provesUser() bool { return p.User != "" && proveUser(p.Methods) }

// proveUser reports whether methods prove, by other than a code, who a user is:
// only then do wrong codes count against the user.
func proveUser(methods []Method) bool {
	return slices.Contains(methods, MethodQQ) || slices.Contains(methods, MethodPassword)
}

// VerifyWays is what the users of a client may bind and register with.
func (s *Service) VerifyWays(client ClientID) []Way {
	if c := s.clients[client]; c != nil {
		return c.Verify
	}
	return nil
}

// MobileOf is the starred number of the user whose login waits for a second
// factor; ErrState if a code to a phone is none.
func (s *Service) MobileOf(ctx context.Context, client ClientID, caller Caller, login PendingID) (string, error) {
	c := s.clients[client]
	if c == nil {
		return "", ErrUnknownClient
	}
	now, device := s.node.now(), s.device(caller.Fingerprint)
	var starred string
	err := s.node.store.View(ctx, func(tx Tx) error {
		p, u, err := readPending(tx, login, client, device, now)
		if err != nil {
			return err
		}
		if purpose, ways := p.awaits(c, &u); purpose != PurposeMFA || !slices.Contains(ways, WayPhone) {
			return ErrState
		}
		starred = star(WayPhone, u.Mobile)
		return nil
	})
	return starred, err
}
