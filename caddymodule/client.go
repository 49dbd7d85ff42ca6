package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/qqauth/qqauth/authcore"
)

// Client is an application that logs its users in.
type Client struct {
	// ID is what the application sends as `X-client-id`: 1 to 64 of letters,
	// digits, `.`, `_` and `-`. Required.
	ID authcore.ClientID `json:"client_id,omitempty"`

	// Name is shown to people. Default: the client id.
	Name string `json:"name,omitempty"`

	// Secret lets the application's backend make tenant calls: a placeholder
	// for the current one and, while it is being replaced, one for the previous
	// one. Each is at least 24 characters long. A client without one cannot
	// make tenant calls.
	Secret []string `json:"secret,omitempty"`

	// QQ is the application at QQ Connect that this client's users log in with.
	// It may be left out while one is configured. Clients that share one can log
	// in as each other's users.
	QQ authcore.AppID `json:"qq,omitempty"`

	// UnknownUser is what becomes of a QQ account that belongs to no user:
	// `create`, `register`, `bind`, `deny` or `refuse`. Default: `create`.
	UnknownUser authcore.UnknownUser `json:"unknown_user,omitempty"`

	// Verify are the ways that registering and binding may use: `phone`,
	// `email`. Default: `phone`.
	Verify []authcore.Way `json:"verify,omitempty"`

	// MFA are the ways that a second factor may use: `phone`, `email`. Default:
	// none, which demands no second factor.
	MFA []authcore.Way `json:"mfa,omitempty"`

	// Claims is the personal data that this client gets, and no other: `name`,
	// `mobile`, `email`; an empty list is none. Default: `name`, and the phone
	// and the e-mail address that were proved through this client.
	Claims []authcore.Claim `json:"claims,omitzero"`

	// TicketsFor are other clients that may receive tickets of this client's
	// users. Default: none.
	TicketsFor []authcore.ClientID `json:"tickets_for,omitempty"`

	// RedirectURIs are absolute URLs of the application's pages, `https` unless
	// `public_url` names the loopback. Browsers cannot log in yet: so far, pages
	// from the origins of these URLs may call the API (CORS), and nothing else
	// follows from them. Default: none.
	RedirectURIs []string `json:"redirect_uris,omitempty"`

	// GameSparks opens the GameSparks API to this client. Default: it stays
	// closed.
	GameSparks *GameSparks `json:"gamesparks,omitempty"`
}

func (c *Client) setDefaults(apps []authcore.AppID) {
	c.Name = cmp.Or(c.Name, string(c.ID))
	if c.QQ == "" && len(apps) == 1 {
		c.QQ = apps[0]
	}
	c.UnknownUser = cmp.Or(c.UnknownUser, authcore.UnknownCreate)
	if len(c.Verify) == 0 {
		c.Verify = []authcore.Way{authcore.WayPhone}
	}
}

// claims returns what the client gets, and whether it gets also what was proved
// through it: only where claims were left out.
func (c *Client) claims() (list []authcore.Claim, proved bool) {
	if c.Claims == nil {
		return []authcore.Claim{authcore.ClaimName}, true
	}
	return c.Claims, false
}

var (
	unknownUsers = []authcore.UnknownUser{
		authcore.UnknownCreate, authcore.UnknownRegister, authcore.UnknownBind,
		authcore.UnknownDeny, authcore.UnknownRefuse,
	}
	ways       = []authcore.Way{authcore.WayPhone, authcore.WayEmail}
	claimNames = []authcore.Claim{authcore.ClaimName, authcore.ClaimMobile, authcore.ClaimEmail}
)

func (c *Config) checkClients() error {
	if len(c.Clients) == 0 {
		return errors.New("no client: write client <client_id>, as the application sends it in X-client-id")
	}
	for i := range c.Clients {
		client := &c.Clients[i]
		if err := checkClientID(client.ID); err != nil {
			return fmt.Errorf("client: %w", err)
		}
		if c.client(client.ID) != client {
			return fmt.Errorf("client %s is configured twice: write one block for it", client.ID)
		}
	}
	for i := range c.Clients {
		client := &c.Clients[i]
		if err := client.check(c); err != nil {
			return fmt.Errorf("client %s: %w", client.ID, err)
		}
	}
	return c.checkGames()
}

func (c *Client) check(app *Config) error {
	if err := checkName(c.Name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	if c.QQ == "" {
		return errors.New("several qq applications are configured: write qq <app_id> to name this client's")
	}
	if !slices.Contains(app.apps(), c.QQ) {
		return fmt.Errorf("qq: %q is no configured qq application: name one of %v", c.QQ, app.apps())
	}
	if err := oneOf(unknownUsers...)(c.UnknownUser); err != nil {
		return fmt.Errorf("unknown_user: %w", err)
	}
	if err := subset(c.Verify, ways); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if err := subset(c.MFA, ways); err != nil {
		return fmt.Errorf("mfa: %w", err)
	}
	if err := c.checkFactors(app); err != nil {
		return fmt.Errorf("mfa %w", err)
	}
	if err := subset(c.Claims, claimNames); err != nil {
		return fmt.Errorf("claims: %w", err)
	}
	if err := c.checkTickets(app); err != nil {
		return fmt.Errorf("tickets_for: %w", err)
	}
	if err := c.checkRedirectURIs(); err != nil {
		return fmt.Errorf("redirect_uri: %w", err)
	}
	return nil
}

// checkFactors demands a way to send each second factor, without which nobody
// could log in.
func (c *Client) checkFactors(app *Config) error {
	for _, way := range c.MFA {
		if !app.sends(way) {
			return fmt.Errorf("%s %s", way, needsSender[way])
		}
	}
	return nil
}

// unfinished says what keeps new users of this client from finishing a login: a
// code that nothing sends. Those who are known still log in.
func (c *Client) unfinished(app *Config) (warnings []string) {
	if c.UnknownUser != authcore.UnknownRegister && c.UnknownUser != authcore.UnknownBind {
		return nil
	}
	for _, way := range c.Verify {
		if !app.sends(way) {
			warnings = append(warnings, fmt.Sprintf("client %s: verify %s %s", c.ID, way, needsSender[way]))
		}
	}
	return warnings
}

// needsSender says what to write where a way has no sender.
var needsSender = map[authcore.Way]string{
	authcore.WayPhone: "needs a way to send codes: write sms webhook|tencent|file …",
	authcore.WayEmail: "needs a way to send codes: write email smtp|webhook|file …",
}

func (c *Client) checkRedirectURIs() error {
	for _, uri := range c.RedirectURIs {
		if err := checkRedirectURI(uri); err != nil {
			return err
		}
	}
	return distinct(c.RedirectURIs)
}

// checkTickets demands a secret on both sides: a ticket is asked for and
// redeemed by tenant calls alone.
func (c *Client) checkTickets(app *Config) error {
	if len(c.TicketsFor) > 0 && len(c.Secret) == 0 {
		return errors.New("tickets are asked for with this client's secret: write secret {env.NAME}")
	}
	if err := distinct(c.TicketsFor); err != nil {
		return err
	}
	for _, id := range c.TicketsFor {
		receiver := app.client(id)
		switch {
		case id == c.ID:
			return errors.New("a client always receives its own users' tickets: name others only")
		case receiver == nil:
			return fmt.Errorf("%q is no configured client: write client <client_id> for it, or leave it out", id)
		case len(receiver.Secret) == 0:
			return fmt.Errorf("%s cannot redeem tickets without a secret: write secret {env.NAME} in its block", id)
		}
	}
	return nil
}

var clientID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func checkClientID(id authcore.ClientID) error {
	if !clientID.MatchString(string(id)) {
		return errors.New("a client id is 1 to 64 of letters, digits, '.', '_' and '-'")
	}
	return nil
}

func checkName(name string) error {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > 64 || strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("write at most 64 characters on one line")
	}
	return nil
}
