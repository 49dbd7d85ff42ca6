package authcore

import (
	"fmt"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

// signIDToken makes the id_token of a session for its client.
func (s *Service) signIDToken(c *client, session *Session, u *User, now time.Time) (string, error) {
	p := c.profile(u)
	signed, err := s.node.keys.Ring().SignIDToken(s.cfg.Alg, token.IDClaims{
		Issuer: s.cfg.Issuer, Audience: string(c.ID), Subject: string(u.ID),
		Session: string(session.ID), AuthTime: session.AuthTime, Methods: methodNames(session.Methods),
		Expires: now.Add(s.cfg.Lifetimes.IDToken),
		API:     token.API{Name: p.Name, Mobile: p.Mobile, ID: string(u.ID), UserName: p.UserName, Email: p.Email},
	}, now)
	if err != nil {
		return "", fmt.Errorf("sign id_token: %w", err)
	}
	return signed, nil
}

// signState makes the state_token of a pending login. Its claims are the
// vendor's and for show; its jti is the key of the pending login.
func (s *Service) signState(p *Pending) (string, error) {
	signed, err := s.node.keys.Ring().SignState(token.StateClaims{
		ID: string(p.ID), Status: string(p.Status), SocialUID: p.OpenID, UserID: string(p.User), Expires: p.Expires,
	}, p.Created)
	if err != nil {
		return "", fmt.Errorf("sign state_token: %w", err)
	}
	return signed, nil
}

func methodNames(methods []Method) []string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = string(m)
	}
	return names
}
