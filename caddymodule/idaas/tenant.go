package idaas

import (
	"strings"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

// ticketPrefix marks an sso_ticket on the wire.
const ticketPrefix = "ssoTicket-"

// tenant takes the calling backend from its bearer.
func tenant(c *call) error {
	bearer := bearerOf(c.r.Header)
	if bearer == "" {
		return refuse(bearerInvalid, "bearer is empty or malformed")
	}
	id, err := c.service.CheckBearer(bearer)
	if err != nil {
		return err
	}
	c.client = id
	return nil
}

// body decodes the body of a tenant call into the struct in, which holds what
// the call is about: a token, first in the vendor's tables. Then comes the
// device.
func (c *call) body(in any, name string, token *string) error {
	var d deviceFields
	if err := c.decode(in, &d); err != nil {
		return err
	}
	if *token == "" {
		return empty(name)
	}
	if err := d.check(); err != nil {
		return err
	}
	c.describe(d)
	return nil
}

func issueTicket(c *call) error {
	var in struct {
		SessionToken string            `json:"session_token"`
		Receiver     authcore.ClientID `json:"client_id"`
	}
	if err := c.body(&in, "session_token", &in.SessionToken); err != nil {
		return err
	}
	t, err := c.service.IssueTicket(c.r.Context(), c.client, c.who, in.SessionToken, in.Receiver)
	if err != nil {
		return err
	}
	return c.ok(struct {
		Expire int64  `json:"expire"`
		Ticket string `json:"sso_ticket"`
	}{seconds(t.ExpiresIn), ticketPrefix + t.Token.Reveal()})
}

func refresh(c *call) error {
	var in struct {
		SessionToken string `json:"session_token"`
	}
	if err := c.body(&in, "session_token", &in.SessionToken); err != nil {
		return err
	}
	g, err := c.service.Refresh(c.r.Context(), c.client, c.who, in.SessionToken)
	if err != nil {
		return err
	}
	return c.ok(struct {
		Expire       int64  `json:"expire"`
		SessionToken string `json:"session_token"`
	}{seconds(g.ExpiresIn), g.Token.Reveal()})
}

func verifyTicket(c *call) error {
	var in struct {
		Ticket string `json:"sso_ticket"`
	}
	if err := c.body(&in, "sso_ticket", &in.Ticket); err != nil {
		return err
	}
	ticket, ok := strings.CutPrefix(in.Ticket, ticketPrefix)
	if !ok || !opaque.Shaped(ticket) {
		return refuse(ticketInvalid, "sso_ticket is misshapen")
	}
	p, err := c.service.RedeemTicket(c.r.Context(), c.client, c.who, ticket)
	if err != nil {
		return err
	}
	return c.ok(infoOf(p))
}
