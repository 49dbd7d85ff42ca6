package idaas

import (
	"slices"

	"github.com/qqauth/qqauth/authcore"
)

// state takes the login that the X-state-token is for, which waits in one of the
// statuses, in any if none is given.
func state(statuses ...authcore.Status) step {
	return func(c *call) error {
		token, ok := header(c.r.Header, "X-state-token")
		if !ok || token == "" {
			return refuse(stateMissing, "X-state-token is empty or malformed")
		}
		login, err := c.service.CheckState(c.r.Context(), c.client, c.who, token, statuses...)
		if err != nil {
			return err
		}
		c.login = login
		return nil
	}
}

// anyState takes the login that the X-state-token is for, if there is one.
func anyState(c *call) error {
	if token, ok := header(c.r.Header, "X-state-token"); ok && token == "" {
		return nil
	}
	return state()(c)
}

// signedIn takes the session that the Bearer id_token names.
func signedIn(c *call) error {
	bearer := bearerOf(c.r.Header)
	if bearer == "" {
		return refuse(idTokenInvalid, "id_token is empty or malformed")
	}
	session, err := c.service.CheckIDToken(c.r.Context(), c.client, bearer)
	if err != nil {
		return err
	}
	c.session = session
	return nil
}

// proof is a phone or an e-mail address and the code that was sent to it.
type proof struct {
	Mobile string `json:"mobile"`
	Email  string `json:"email"`
	Code   string `json:"verify_code"`
}

// bothWays are in the order in which fields are read.
var bothWays = []authcore.Way{authcore.WayPhone, authcore.WayEmail}

// fieldOf is the field that a way has in bodies.
func fieldOf(way authcore.Way) string {
	if way == authcore.WayEmail {
		return "email"
	}
	return "mobile"
}

func (p *proof) written(way authcore.Way) string {
	if way == authcore.WayEmail {
		return p.Email
	}
	return p.Mobile
}

// given is the first of the ways whose field is not empty.
func (p *proof) given(ways []authcore.Way) (way authcore.Way, ok bool) {
	for _, way := range bothWays {
		if slices.Contains(ways, way) && p.written(way) != "" {
			return way, true
		}
	}
	return "", false
}

// missing is the way whose field is told to be empty where none is given.
func missing(allowed []authcore.Way) authcore.Way {
	if slices.Equal(allowed, []authcore.Way{authcore.WayEmail}) {
		return authcore.WayEmail
	}
	return authcore.WayPhone
}

// check reads the field of a way, then the code.
func (c *call) check(p *proof, way authcore.Way, stars bool) (authcore.Contact, error) {
	to, err := c.contact(way, fieldOf(way), p.written(way), stars)
	if err == nil && p.Code == "" {
		err = empty("verify_code")
	}
	return to, err
}

// contact reads the field that holds a phone or an e-mail address. Only where
// the number is stored already may stars stand for some of it.
func (c *call) contact(way authcore.Way, field, written string, stars bool) (authcore.Contact, error) {
	if written == "" {
		return authcore.Contact{}, empty(field)
	}
	to, err := c.service.ParseContact(way, written)
	if err == nil && to.Starred && !stars {
		err = refuse(contactMalformed, field+" is starred")
	}
	return to, err
}
