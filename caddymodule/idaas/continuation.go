package idaas

import "github.com/qqauth/qqauth/authcore"

// bind reads none but the fields of the ways that the client's users may bind
// with.
func bind(c *call) error {
	var in proof
	if err := c.decode(&in); err != nil {
		return err
	}
	allowed := c.service.VerifyWays(c.client)
	way, ok := in.given(allowed)
	if !ok {
		return empty(fieldOf(missing(allowed)))
	}
	to, err := c.check(&in, way, false)
	if err != nil {
		return err
	}
	out, err := c.service.Bind(c.r.Context(), c.client, c.who, c.login, to, in.Code)
	if err != nil {
		return err
	}
	return c.outcome(out)
}

// registerBind takes either way: a user who adds a second factor needs one that
// the client demands, which is not always one to register with.
func registerBind(c *call) error {
	var in proof
	if err := c.decode(&in); err != nil {
		return err
	}
	way, ok := in.given(bothWays)
	if !ok {
		return empty(fieldOf(missing(c.service.VerifyWays(c.client))))
	}
	to, err := c.check(&in, way, false)
	if err != nil {
		return err
	}
	out, err := c.service.Register(c.r.Context(), c.client, c.who, c.login, to, in.Code)
	if err != nil {
		return err
	}
	return c.outcome(out)
}

func mfaSMS(c *call) error { return c.finishMFA(authcore.WayPhone) }

func mfaEmail(c *call) error { return c.finishMFA(authcore.WayEmail) }

func (c *call) finishMFA(way authcore.Way) error {
	var in proof
	if err := c.decode(&in); err != nil {
		return err
	}
	to, err := c.check(&in, way, true)
	if err != nil {
		return err
	}
	out, err := c.service.FinishMFA(c.r.Context(), c.client, c.who, c.login, to, in.Code)
	if err != nil {
		return err
	}
	return c.outcomeOfMFA(out)
}

// mobileByToken answers the starred number that a second factor goes to.
func mobileByToken(c *call) error {
	mobile, err := c.service.MobileOf(c.r.Context(), c.client, c.who, c.login)
	if err != nil {
		return err
	}
	return c.ok(struct {
		Mobile string `json:"mobile"`
	}{mobile})
}
