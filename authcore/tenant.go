package authcore

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
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
// who has no account at the client's QQ application.
func (s *Service) TenantUser(ctx context.Context, tenant ClientID, id UserID) (m ManagedUser, err error) {
	c := s.clients[tenant]
	if c == nil {
		return m, ErrUnknownClient
	}
	u, err := s.UserByID(ctx, id)
	if err == nil && !c.knows(&u) {
		err = ErrNoUser
	}
	if err != nil {
		return m, err
	}
	return ManagedUser{Profile: c.profile(&u), Disabled: u.Disabled}, nil
}

// knows reports whether the user can log in at the client.
func (c *client) knows(u *User) bool {
	_, ok := u.link(c.App)
	return ok
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
		if !c.knows(&u) {
			return nil, ErrNoUser
		}
		return change(tx, u)
	})
}
