package authcore

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/qqauth/qqauth/authcore/opaque"
)

// bearerLifetime is the vendor's: 1800 s.
const bearerLifetime = 30 * time.Minute

// NewBearer authenticates a client by its secret and returns a bearer for the
// tenant API that every node accepts.
func (s *Service) NewBearer(id ClientID, secret string) (Bearer, error) {
	sum := sha256.Sum256([]byte(secret))
	c := s.clients[id]
	if c == nil {
		return Bearer{}, ErrUnknownClient
	}
	good := 0
	for i := range c.secrets {
		good |= subtle.ConstantTimeCompare(sum[:], c.secrets[i][:])
	}
	if good != 1 || secret == "" {
		return Bearer{}, ErrClientSecret
	}
	raw := s.node.keys.Ring().NewBearer(string(id), sum, s.node.now(), bearerLifetime)
	return Bearer{Token: opaque.Of(raw), ExpiresIn: bearerLifetime}, nil
}

// CheckBearer returns the client that a bearer was made for. A bearer ends with
// the secret that it was had with.
func (s *Service) CheckBearer(bearer string) (ClientID, error) {
	id, err := s.node.keys.Ring().VerifyBearer(bearer, func(id string) [][32]byte {
		if c := s.clients[ClientID(id)]; c != nil {
			return c.secrets
		}
		return nil
	}, s.node.now())
	if err != nil {
		return "", ErrBearer
	}
	return ClientID(id), nil
}

// TenantUser is a client's user as its backend may see them; ErrNoUser for anyone
// who neither has an account at the client's QQ application nor began as a guest,
// registered a name, has proved a phone or an address, or is logged in, at the
// client.
func (s *Service) TenantUser(ctx context.Context, tenant ClientID, id UserID) (m ManagedUser, err error) {
	c := s.clients[tenant]
	if c == nil {
		return m, ErrUnknownClient
	}
	u, err := s.findUser(ctx, func(tx Tx) (User, error) {
		u, err := tx.User(id)
		if err == nil {
			err = c.knows(tx, &u)
		}
		return u, err
	})
	if err != nil {
		return m, err
	}
	return ManagedUser{Profile: c.profile(&u), Disabled: u.Disabled}, nil
}

// knows answers ErrNoUser for a user who is none of the client's.
func (c *client) knows(tx Tx, u *User) error {
	if _, linked := u.link(c.App); linked || u.Home == c.ID || slices.Contains(u.MobileVia, c.ID) || slices.Contains(u.EmailVia, c.ID) {
		return nil
	}
	refs, err := tx.Sessions(u.ID)
	if err != nil || slices.ContainsFunc(refs, func(r SessionRef) bool { return r.Client == c.ID }) {
		return err
	}
	return ErrNoUser
}

// TenantDisable is [Service.Disable] or [Service.Enable] for a client's own user.
// Whom somebody else has disabled, it does not enable: ErrDenied.
func (s *Service) TenantDisable(ctx context.Context, tenant ClientID, id UserID, disabled bool) error {
	if disabled {
		return s.changeOwn(ctx, tenant, id, AuditUserDisabled, func(tx Tx, u User) ([]Event, error) {
			return disable(tx, u, tenant)
		})
	}
	return s.changeOwn(ctx, tenant, id, AuditUserEnabled, func(tx Tx, u User) ([]Event, error) {
		if u.Disabled && u.DisabledBy != tenant {
			return nil, ErrDenied
		}
		return enable(tx, u)
	})
}

// TenantEndSessions is [Service.EndSessions] for a client's own user.
func (s *Service) TenantEndSessions(ctx context.Context, tenant ClientID, id UserID) error {
	return s.changeOwn(ctx, tenant, id, AuditSessionEnd, endEverywhere)
}

// changeOwn applies a change to a client's own user.
func (s *Service) changeOwn(ctx context.Context, tenant ClientID, id UserID, audit string, change func(Tx, User) ([]Event, error)) error {
	c := s.clients[tenant]
	if c == nil {
		return ErrUnknownClient
	}
	return s.changeUser(ctx, id, AuditEvent{Name: audit, Client: tenant}, func(tx Tx, u User) ([]Event, error) {
		if err := c.knows(tx, &u); err != nil {
			return nil, err
		}
		return change(tx, u)
	})
}
