package caddymodule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/contact"
)

// Config is what an operator says about the app. It holds no secret: where one
// is needed, it holds the placeholder that leads there.
type Config struct {
	// PublicURL is where clients reach the login site: the issuer of every
	// token and the base of every absolute URL. Required; an origin, `https`
	// unless it names the loopback.
	PublicURL string `json:"public_url,omitempty"`

	// StoreRaw is where users, sessions and keys are kept: `badger`, on this
	// machine, or `postgres`, for many nodes. Default: `badger`, in `qqauth/` in
	// Caddy's data directory.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=qqauth.stores inline_key=store"`

	// SecretKey wraps the store's key ring and does nothing else: 32 random
	// bytes in hex or base64, the current one and, while it is being replaced,
	// the previous one. Each is a placeholder, `{env.NAME}` or `{file.PATH}`.
	// Default: made at the first start and kept in Caddy's storage. Required with
	// the store `postgres`.
	SecretKey []string `json:"secret_key,omitempty"`

	// QQ are the applications at QQ Connect whose users may log in. At least
	// one, or the simulator.
	QQ []QQ `json:"qq,omitempty"`

	// Simulator is the app id of an offline QQ inside Caddy, for development on
	// the loopback alone. Empty means there is none.
	Simulator authcore.AppID `json:"simulator,omitempty"`

	// Clients are the applications that log their users in. At least one.
	Clients []Client `json:"clients,omitempty"`

	// Lifetime is how long what is issued is good.
	Lifetime Lifetime `json:"lifetime,omitzero"`

	// IDTokenAlg signs id_tokens: `RS256`, `ES256` or `EdDSA`. Default: `RS256`,
	// the only one that the apps of the hosted service understand.
	IDTokenAlg string `json:"id_token_alg,omitempty"`

	// SMSRaw sends codes to phones. Default: none are sent.
	SMSRaw json.RawMessage `json:"sms,omitempty" caddy:"namespace=qqauth.senders inline_key=sender"`

	// EmailRaw sends codes to e-mail addresses. Default: none are sent.
	EmailRaw json.RawMessage `json:"email,omitempty" caddy:"namespace=qqauth.senders inline_key=sender"`

	// SMSCountries are the calling codes of the countries whose phones may get
	// codes; a number written without one is of the first. Default: 86 alone.
	SMSCountries []int `json:"sms_countries,omitempty"`

	// Attempts are the limits on what may be tried and sent.
	Attempts Attempts `json:"attempts,omitzero"`

	// AdminAPI opens `/qqauth/` on Caddy's admin endpoint.
	AdminAPI bool `json:"admin_api,omitempty"`
}

var idTokenAlgs = []string{"RS256", "ES256", "EdDSA"}

// setDefaults fills in what the operator left out and brings URLs into their
// one spelling. What is wrong it leaves for check to find.
func (c *Config) setDefaults() {
	if origin, err := parsePublicURL(c.PublicURL); err == nil {
		c.PublicURL = origin
	}
	if c.StoreRaw == nil {
		c.StoreRaw = json.RawMessage(`{"store":"badger"}`)
	}
	for i := range c.QQ {
		c.QQ[i].setDefaults()
	}
	for i := range c.Clients {
		c.Clients[i].setDefaults(c.apps())
	}
	c.Lifetime.setDefaults()
	c.IDTokenAlg = cmp.Or(c.IDTokenAlg, "RS256")
	if len(c.SMSCountries) == 0 {
		c.SMSCountries = []int{86}
	}
	c.Attempts.setDefaults()
}

// check finds what is wrong with a configuration whose defaults are set, except
// for what only its secrets can tell.
func (c *Config) check() error {
	if c.PublicURL == "" {
		return errors.New("public_url is missing: write the URL of the login site, such as https://id.example.com")
	}
	if err := checkPublicURL(c.PublicURL); err != nil {
		return fmt.Errorf("public_url: %w", err)
	}
	if err := c.checkPlaceholders(); err != nil {
		return err
	}
	if err := c.checkQQ(); err != nil {
		return err
	}
	if err := c.checkClients(); err != nil {
		return err
	}
	if err := c.Lifetime.check(); err != nil {
		return fmt.Errorf("lifetime: %w", err)
	}
	if err := oneOf(idTokenAlgs...)(c.IDTokenAlg); err != nil {
		return fmt.Errorf("id_token_alg: %w", err)
	}
	if err := checkCountries(c.SMSCountries); err != nil {
		return fmt.Errorf("sms_countries: %w", err)
	}
	if err := c.Attempts.check(); err != nil {
		return fmt.Errorf("attempts: %w", err)
	}
	return c.refuseDanger()
}

// sends reports whether codes of a way can be sent.
func (c *Config) sends(way authcore.Way) bool {
	if way == authcore.WayPhone {
		return c.SMSRaw != nil
	}
	return way == authcore.WayEmail && c.EmailRaw != nil
}

// parseCountry takes a calling code in its one spelling. Whether it is some
// country's, checkCountries tells.
func parseCountry(s string) (int, error) {
	code, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(code) != s || code < 1 || code > 999 {
		return 0, errors.New("a calling code is 1 to 3 digits, such as 86")
	}
	return code, nil
}

func checkCountries(codes []int) error {
	_, err := contact.NewCountries(codes)
	return err
}

// client returns the client of an id, or nil.
func (c *Config) client(id authcore.ClientID) *Client {
	for i := range c.Clients {
		if c.Clients[i].ID == id {
			return &c.Clients[i]
		}
	}
	return nil
}
