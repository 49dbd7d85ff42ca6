package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/qqauth/qqauth/authcore"
)

// UnmarshalCaddyfile reads the global option:
//
//	qqauth {
//		public_url <url>
//		store badger [<directory>] | store postgres <dsn>
//		secret_key <secret> [<previous>]
//		qq <app_id> { … } | qq simulator [<app_id>]
//		client <client_id> { … }
//		lifetime { … }
//		id_token_alg RS256|ES256|EdDSA
//		sms webhook <url> { … } | sms tencent { … } | sms file <path>
//		sms_countries <code> …
//		email smtp <host:port> { … } | email webhook <url> { … } | email file <path>
//		attempts { … } | attempts off
//		admin_api
//	}
func (c *Config) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return parseDirective(d, "write its settings in a block", map[string]word{
		"public_url":    {usage: "public_url <url>", min: 1, max: 1, set: text(&c.PublicURL, checkPublicURL)},
		"store":         {usage: storeUsage, min: 1, max: 2, set: c.setStore},
		"secret_key":    {usage: "secret_key <secret> [<previous>]", min: 1, max: 2, set: secretList(&c.SecretKey)},
		"qq":            {usage: "qq <app_id> { … } or qq simulator [<app_id>]", min: 1, max: 2, many: true, open: c.openQQ},
		"client":        {usage: "client <client_id> { … }", min: 1, max: 1, many: true, open: c.openClient},
		"lifetime":      {usage: "lifetime { … }", open: c.Lifetime.openBlock},
		"id_token_alg":  {usage: "id_token_alg RS256|ES256|EdDSA", min: 1, max: 1, set: text(&c.IDTokenAlg, oneOf(idTokenAlgs...))},
		"attempts":      {usage: "attempts { … } or attempts off", max: 1, open: c.Attempts.openBlock},
		"admin_api":     {usage: "admin_api", set: toggle(&c.AdminAPI)},
		"sms":           {usage: senderUsage("sms", smsSenders), min: 1, max: 2, open: c.openSMS},
		"sms_countries": {usage: "sms_countries <code> …", min: 1, max: unlimited, set: c.setCountries},
		"email":         {usage: senderUsage("email", emailSenders), min: 1, max: 2, open: c.openEmail},
	})
}

// storeUsage shows the quotes that a DSN of several words needs.
const storeUsage = `store badger [<directory>] or store postgres "<dsn>"`

var storeNames = []string{"badger", "postgres"}

func (c *Config) setStore(args []string) error {
	if err := oneOf(storeNames...)(args[0]); err != nil {
		return err
	}
	store := struct {
		Store     string `json:"store"`
		Directory string `json:"directory,omitempty"`
		DSN       string `json:"dsn,omitempty"`
	}{Store: args[0]}
	where := ""
	if len(args) > 1 {
		where = args[1]
	}
	switch args[0] {
	case "badger":
		store.Directory = where
	case "postgres":
		store.DSN = where
		if err := checkDSN(where); err != nil {
			return fmt.Errorf("dsn: %w", err)
		}
	}
	var err error
	c.StoreRaw, err = json.Marshal(store)
	return err
}

func (c *Config) openQQ(d *caddyfile.Dispenser, args []string) error {
	if args[0] == "simulator" {
		return c.setSimulator(d, args[1:])
	}
	if len(args) > 1 {
		return d.Errf("qq: wrong number of arguments: write qq <app_id> { … } or qq simulator [<app_id>]")
	}
	c.QQ = append(c.QQ, QQ{AppID: authcore.AppID(args[0])})
	q := &c.QQ[len(c.QQ)-1]
	if err := checkAppID(q.AppID); err != nil {
		return wrapErr(d, "qq", err)
	}
	return parseBlock(d, "qq", map[string]word{
		"app_key":  {usage: "app_key <secret>", min: 1, max: 1, set: text(&q.AppKey, checkSecret)},
		"endpoint": {usage: "endpoint <url>", min: 1, max: 1, set: text(&q.Endpoint, checkBase)},
		"timeout":  {usage: "timeout <duration>", min: 1, max: 1, set: duration(&q.Timeout)},
		"unionid":  {usage: "unionid", set: toggle(&q.UnionID)},
		"join":     {usage: "join <app_id> …", min: 1, max: unlimited, many: true, set: list(&q.Join, checkAppID)},
	})
}

func (c *Config) setSimulator(d *caddyfile.Dispenser, args []string) error {
	if c.Simulator != "" {
		return d.Errf("qq simulator stands twice: write it once")
	}
	c.Simulator = defaultSimulator
	if len(args) > 0 {
		c.Simulator = authcore.AppID(args[0])
	}
	return wrapErr(d, "qq simulator", checkAppID(c.Simulator))
}

func (c *Config) openClient(d *caddyfile.Dispenser, args []string) error {
	c.Clients = append(c.Clients, Client{ID: authcore.ClientID(args[0])})
	client := &c.Clients[len(c.Clients)-1]
	if err := checkClientID(client.ID); err != nil {
		return wrapErr(d, "client", err)
	}
	return parseBlock(d, "client", map[string]word{
		"name":         {usage: "name <text>", min: 1, max: 1, set: text(&client.Name, checkName)},
		"secret":       {usage: "secret <secret> [<previous>]", min: 1, max: 2, set: secretList(&client.Secret)},
		"qq":           {usage: "qq <app_id>", min: 1, max: 1, set: text(&client.QQ, checkAppID)},
		"unknown_user": {usage: "unknown_user create|register|bind|deny|refuse", min: 1, max: 1, set: text(&client.UnknownUser, oneOf(unknownUsers...))},
		"verify":       {usage: "verify phone|email …", min: 1, max: unlimited, set: list(&client.Verify, oneOf(ways...))},
		"mfa":          {usage: "mfa off|phone|email …", min: 1, max: unlimited, set: client.setMFA},
		"claims":       {usage: "claims name|mobile|email …", min: 1, max: unlimited, set: list(&client.Claims, oneOf(claimNames...))},
		"tickets_for":  {usage: "tickets_for <client_id> …", min: 1, max: unlimited, many: true, set: list(&client.TicketsFor, checkClientID)},
		"redirect_uri": {usage: "redirect_uri <url> …", min: 1, max: unlimited, many: true, set: list(&client.RedirectURIs, checkRedirectURI)},
		"gamesparks":   {usage: "gamesparks <api_key> <credential> <secret>", min: 3, max: 3, set: client.setGameSparks},
	})
}

func (c *Client) setGameSparks(args []string) error {
	c.GameSparks = &GameSparks{APIKey: args[0], Credential: args[1], Secret: args[2]}
	if err := c.GameSparks.check(); err != nil {
		return err
	}
	if err := checkSecret(c.GameSparks.Secret); err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	return nil
}

func (c *Client) setMFA(args []string) error {
	if err := list(&c.MFA, oneOf(mfaOff, authcore.WayPhone, authcore.WayEmail))(args); err != nil {
		return err
	}
	if !slices.Contains(c.MFA, mfaOff) {
		return nil
	}
	c.MFA = nil
	if len(args) > 1 {
		return errors.New("off stands alone: write mfa off, or the ways without it")
	}
	return nil
}

// mfaOff is the Caddyfile's word for no ways.
const mfaOff authcore.Way = "off"

func (c *Config) setCountries(args []string) error {
	for _, arg := range args {
		code, err := parseCountry(arg)
		if err != nil {
			return err
		}
		c.SMSCountries = append(c.SMSCountries, code)
	}
	return checkCountries(c.SMSCountries)
}

func (l *Lifetime) openBlock(d *caddyfile.Dispenser, _ []string) error {
	return parseBlock(d, "lifetime", map[string]word{
		"session":     {usage: "session <duration>", min: 1, max: 1, set: duration(&l.Session)},
		"idle":        {usage: "idle <duration>", min: 1, max: 1, set: l.setIdle},
		"id_token":    {usage: "id_token <duration>", min: 1, max: 1, set: duration(&l.IDToken)},
		"ticket":      {usage: "ticket <duration>", min: 1, max: 1, set: duration(&l.Ticket)},
		"assertion":   {usage: "assertion <duration>", min: 1, max: 1, set: duration(&l.Assertion)},
		"state_token": {usage: "state_token <duration>", min: 1, max: 1, set: duration(&l.StateToken)},
		"code":        {usage: "code <duration>", min: 1, max: 1, set: duration(&l.Code)},
	})
}

// setIdle takes 0 as well, which is what is meant by leaving it out.
func (l *Lifetime) setIdle(args []string) error {
	if d, err := caddy.ParseDuration(args[0]); err == nil && d == 0 {
		return nil
	}
	return duration(&l.Idle)(args)
}

func (a *Attempts) openBlock(d *caddyfile.Dispenser, args []string) error {
	if len(args) > 0 {
		a.Off = true
		return wrapErr(d, "attempts", oneOf("off")(args[0]))
	}
	return parseBlock(d, "attempts", map[string]word{
		"qq_refused":    {usage: "qq_refused <number>", min: 1, max: 1, set: number(&a.QQRefused)},
		"state_tokens":  {usage: "state_tokens <number>", min: 1, max: 1, set: number(&a.StateTokens)},
		"captchas":      {usage: "captchas <number>", min: 1, max: 1, set: number(&a.Captchas)},
		"code_tries":    {usage: "code_tries <number>", min: 1, max: 1, set: number(&a.CodeTries)},
		"user_codes":    {usage: "user_codes <number>", min: 1, max: 1, set: number(&a.UserCodes)},
		"target_sends":  {usage: "target_sends <minute> <hour> <day>", min: 3, max: 3, set: numbers(&a.TargetSends.Minute, &a.TargetSends.Hour, &a.TargetSends.Day)},
		"address_sends": {usage: "address_sends <number>", min: 1, max: 1, set: number(&a.AddressSends)},
		"client_sends":  {usage: "client_sends <number>", min: 1, max: 1, set: number(&a.ClientSends)},
		"total_sends":   {usage: "total_sends <number>", min: 1, max: 1, set: number(&a.TotalSends)},
		"passwords":     {usage: "passwords <hour> <day>", min: 2, max: 2, set: numbers(&a.Passwords.Hour, &a.Passwords.Day)},
		"guests":        {usage: "guests <number>", min: 1, max: 1, set: number(&a.Guests)},
		"websockets":    {usage: "websockets <number>", min: 1, max: 1, set: number(&a.WebSockets)},
	})
}

// numbers sets as many whole numbers above 0 as the word takes arguments.
func numbers(targets ...*int) func([]string) error {
	return func(args []string) error {
		for i, target := range targets {
			if err := number(target)(args[i : i+1]); err != nil {
				return err
			}
		}
		return nil
	}
}

var _ caddyfile.Unmarshaler = (*Config)(nil)
