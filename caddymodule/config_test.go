package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddyserver/caddy/v2"

	"github.com/qqauth/qqauth/authcore"
)

// shopConfig is a configuration without a fault, for the world at large; change
// makes the fault that a test is about.
func shopConfig(change func(*Config)) *Config {
	c := &Config{
		PublicURL: "https://id.example.com",
		QQ: []QQ{
			{AppID: "1001", UnionID: true, Join: []authcore.AppID{"1002"}},
			{AppID: "1002", UnionID: true},
			{AppID: "1003"},
		},
		Clients: []Client{
			{ID: "shop", QQ: "1001", Secret: []string{"{env.QQAUTH_TEST_SHOP}"}, TicketsFor: []authcore.ClientID{"forum"}},
			{ID: "forum", QQ: "1002", Secret: []string{"{env.QQAUTH_TEST_FORUM}"}},
			{ID: "game", QQ: "1003"},
		},
	}
	if change != nil {
		change(c)
	}
	c.setDefaults()
	return c
}

func TestCheck(t *testing.T) {
	if err := shopConfig(nil).check(); err != nil {
		t.Fatalf("a configuration without a fault: %v", err)
	}
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no public_url", func(c *Config) { c.PublicURL = "" }, "public_url is missing"},
		{"public_url path", func(c *Config) { c.PublicURL = "https://a.example/id" }, "public_url: a path is not supported"},
		{"three keys", func(c *Config) { c.SecretKey = []string{"{env.A}", "{env.B}", "{env.C}"} }, "secret_key: write the current one"},
		{"empty key", func(c *Config) { c.SecretKey = []string{""} }, "secret_key: write one placeholder"},
		{"no qq", func(c *Config) { c.QQ = nil }, "no qq application"},
		{"app id", func(c *Config) { c.QQ[2].AppID = "12a" }, "an app id is 1 to 20 digits"},
		{"app id long", func(c *Config) { c.QQ[2].AppID = "123456789012345678901" }, "an app id is 1 to 20 digits"},
		{"app twice", func(c *Config) { c.QQ[2].AppID = "1001" }, "qq 1001 is configured twice"},
		{"app is the simulator's", func(c *Config) { c.Simulator = "1001" }, "qq 1001 is configured twice"},
		{"endpoint", func(c *Config) { c.QQ[0].Endpoint = "https://user:pw@graph.qq.com" }, "qq 1001: endpoint: write an absolute URL"},
		{"timeout", func(c *Config) { c.QQ[0].Timeout = caddy.Duration(time.Hour) }, "qq 1001: timeout: write a duration"},
		{"join itself", func(c *Config) { c.QQ[0].Join = []authcore.AppID{"1001"} }, "join: names the application itself"},
		{"join unknown", func(c *Config) { c.QQ[0].Join = []authcore.AppID{"9"} }, "join: 9 is no configured qq application: write qq 9 {"},
		{"join twice", func(c *Config) { c.QQ[0].Join = []authcore.AppID{"1002", "1002"} }, "stands twice"},
		{"join without unionid there", func(c *Config) { c.QQ[0].Join = []authcore.AppID{"1003"} }, "write unionid in both"},
		{"join without unionid here", func(c *Config) { c.QQ[0].UnionID = false }, "write unionid in both"},
		{"no client", func(c *Config) { c.Clients = nil }, "no client"},
		{"client id", func(c *Config) { c.Clients[0].ID = "sh/op" }, "a client id is 1 to 64"},
		{"client twice", func(c *Config) { c.Clients[1].ID = "shop" }, "client shop is configured twice"},
		{"client without qq", func(c *Config) { c.Clients[0].QQ = "" }, "client shop: several qq applications are configured"},
		{"client of unknown qq", func(c *Config) { c.Clients[0].QQ = "9" }, `client shop: qq: "9" is no configured qq application: name one of [1001 1002 1003]`},
		{"client name", func(c *Config) { c.Clients[0].Name = "a\nb" }, "client shop: name: write at most 64"},
		{"three secrets", func(c *Config) { c.Clients[1].Secret = []string{"{env.A}", "{env.B}", "{env.C}"} }, "client forum: secret: write the current one"},
		{"unknown_user", func(c *Config) { c.Clients[0].UnknownUser = "refused" }, "did you mean refuse?"},
		{"verify", func(c *Config) { c.Clients[0].Verify = []authcore.Way{"fax"} }, "client shop: verify: "},
		{"mfa", func(c *Config) { c.Clients[0].MFA = []authcore.Way{"off"} }, "client shop: mfa: "},
		{"mfa twice", func(c *Config) { c.Clients[0].MFA = []authcore.Way{"phone", "phone"} }, "client shop: mfa: "},
		{"claims", func(c *Config) { c.Clients[0].Claims = []authcore.Claim{"name", "name"} }, "client shop: claims: "},
		{"redirect_uri", func(c *Config) { c.Clients[0].RedirectURIs = []string{"https://u:hunter2@a.example/"} }, "client shop: redirect_uri: write an absolute URL"},
		{"redirect_uri twice", func(c *Config) { c.Clients[0].RedirectURIs = []string{"https://a.example", "https://a.example"} }, "client shop: redirect_uri: "},
		{"tickets for nobody", func(c *Config) { c.Clients[0].TicketsFor = []authcore.ClientID{"blog"} }, `tickets_for: "blog" is no configured client`},
		{"tickets for itself", func(c *Config) { c.Clients[0].TicketsFor = []authcore.ClientID{"shop"} }, "name others only"},
		{"tickets without a secret", func(c *Config) { c.Clients[0].Secret = nil }, "tickets are asked for with this client's secret"},
		{"tickets for one without a secret", func(c *Config) { c.Clients[0].TicketsFor = []authcore.ClientID{"game"} }, "game cannot redeem tickets without a secret"},
		{"games without anything", func(c *Config) { c.Clients[2].GameSparks = new(GameSparks) }, "client game: gamesparks: secret: write one placeholder"},
		{"games without an api_key", func(c *Config) { c.Clients[2].GameSparks = &GameSparks{"", "device", "{env.A}"} }, "client game: gamesparks: api_key: write 1 to 64"},
		{"games of a long api_key", func(c *Config) {
			c.Clients[2].GameSparks = &GameSparks{strings.Repeat("k", 65), "device", "{env.A}"}
		}, "client game: gamesparks: api_key: write 1 to 64"},
		{"games of a dot", func(c *Config) { c.Clients[2].GameSparks = &GameSparks{"key", ".", "{env.A}"} }, "client game: gamesparks: credential: write 1 to 64"},
		{"games of two placeholders", func(c *Config) { c.Clients[2].GameSparks = &GameSparks{"key", "device", "{env.A}{env.B}"} }, "client game: gamesparks: secret: write one placeholder"},
		{"games of one path", func(c *Config) {
			c.Clients[0].GameSparks = &GameSparks{"key", "device", "{env.A}"}
			c.Clients[2].GameSparks = &GameSparks{"key", "device", "{env.B}"}
		}, "client game: gamesparks: client shop has the same api_key and credential: write another api_key"},
		{"session", func(c *Config) { c.Lifetime.Session = -1 }, "lifetime: session: write whole seconds"},
		{"session long", func(c *Config) { c.Lifetime.Session = caddy.Duration(9000 * time.Hour) }, "lifetime: session: write at most 8760h"},
		{"id_token outlives session", func(c *Config) { c.Lifetime.IDToken = caddy.Duration(169 * time.Hour) }, "lifetime: id_token: write at most 168h"},
		{"assertion outlives session", func(c *Config) {
			c.Lifetime.Session, c.Lifetime.Assertion = caddy.Duration(time.Minute), caddy.Duration(2*time.Minute)
		}, "lifetime: assertion: write at most 1m"},
		{"ticket in fractions", func(c *Config) { c.Lifetime.Ticket = caddy.Duration(1500 * time.Millisecond) }, "lifetime: ticket: write whole seconds"},
		{"idle short", func(c *Config) { c.Lifetime.Idle = caddy.Duration(time.Second / 2) }, "lifetime: idle: write whole seconds, at least 1s"},
		{"idle negative", func(c *Config) { c.Lifetime.Idle = -1 }, "lifetime: idle: write whole seconds, at least 1s"},
		{"idle outlives session", func(c *Config) { c.Lifetime.Idle = caddy.Duration(169 * time.Hour) }, "lifetime: idle: write at most 168h"},
		{"code short", func(c *Config) { c.Lifetime.Code = caddy.Duration(time.Second / 2) }, "lifetime: code: write whole seconds, at least 1s"},
		{"code long", func(c *Config) { c.Lifetime.Code = caddy.Duration(601 * time.Second) }, "lifetime: code: write at most 10m"},
		{"country", func(c *Config) { c.SMSCountries = []int{86, 1000} }, "sms_countries: list countries: no country has the calling code 1000"},
		{"country zero", func(c *Config) { c.SMSCountries = []int{0} }, "sms_countries: list countries: no country has the calling code 0"},
		{"country twice", func(c *Config) { c.SMSCountries = []int{86, 852, 86} }, "sms_countries: list countries: calling code 86 is given twice"},
		{"alg", func(c *Config) { c.IDTokenAlg = "HS256" }, "id_token_alg: "},
		{"attempts", func(c *Config) { c.Attempts.QQRefused = -1 }, "attempts: a limit is a number above 0"},
		{"attempts to send", func(c *Config) { c.Attempts.TargetSends.Day = -1 }, "attempts: a limit is a number above 0"},
		{"many tries", func(c *Config) { c.Attempts.CodeTries = 101 }, "attempts: code_tries: write at most 100"},
		{"sends in another order", func(c *Config) { c.Attempts.TargetSends = TargetSends{10, 5, 1} }, "attempts: target_sends: 10 5 1 lets more through"},
		{"passwords", func(c *Config) { c.Attempts.Passwords.Day = -1 }, "attempts: a limit is a number above 0"},
		{"guests", func(c *Config) { c.Attempts.Guests = -1 }, "attempts: a limit is a number above 0"},
		{"websockets", func(c *Config) { c.Attempts.WebSockets = -1 }, "attempts: a limit is a number above 0"},
		{"passwords in another order", func(c *Config) { c.Attempts.Passwords.Hour = 101 }, "attempts: passwords: 101 100 lets more through in an hour"},
		{"sends of a day", func(c *Config) { c.Attempts.TargetSends.Hour = 20 }, "attempts: target_sends: 1 20 10 lets more through"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := shopConfig(tc.change).check()
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestSetDefaults(t *testing.T) {
	c := Config{
		PublicURL: "HTTPS://ID.example.com:443/",
		QQ:        []QQ{{AppID: "1001", Endpoint: "https://Graph.qq.com:443/"}},
		Clients:   []Client{{ID: "shop"}},
	}
	c.setDefaults()
	want := Config{
		PublicURL: "https://id.example.com",
		StoreRaw:  json.RawMessage(`{"store":"badger"}`),
		QQ:        []QQ{{AppID: "1001", Endpoint: "https://graph.qq.com", Timeout: caddy.Duration(5 * time.Second)}},
		Clients: []Client{{
			ID: "shop", Name: "shop", QQ: "1001", UnknownUser: authcore.UnknownCreate,
			Verify: []authcore.Way{authcore.WayPhone},
		}},
		Lifetime: Lifetime{
			Session: caddy.Duration(168 * time.Hour), IDToken: caddy.Duration(2 * time.Hour),
			Ticket: caddy.Duration(5 * time.Minute), Assertion: caddy.Duration(5 * time.Minute),
			StateToken: caddy.Duration(30 * time.Minute), Code: caddy.Duration(5 * time.Minute),
		},
		IDTokenAlg:   "RS256",
		SMSCountries: []int{86},
		Attempts: Attempts{
			QQRefused: 60, StateTokens: 3, Captchas: 120, CodeTries: 5, UserCodes: 20,
			TargetSends: TargetSends{Minute: 1, Hour: 5, Day: 10}, AddressSends: 100, ClientSends: 1000, TotalSends: 10000,
			Passwords: Passwords{Hour: 10, Day: 100}, Guests: 300, WebSockets: 20,
		},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if err := c.check(); err != nil {
		t.Errorf("the defaults do not hold: %v", err)
	}
}

// TestDefaultsFitShortSession: who shortens the session alone must not have to
// shorten the rest by hand.
func TestDefaultsFitShortSession(t *testing.T) {
	c := shopConfig(func(c *Config) { c.Lifetime.Session = caddy.Duration(time.Minute) })
	if err := c.check(); err != nil {
		t.Error(err)
	}
}

// TestBoundsHold: the first and the last value that is allowed.
func TestBoundsHold(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"idle least":      func(c *Config) { c.Lifetime.Idle = caddy.Duration(time.Second) },
		"idle most":       func(c *Config) { c.Lifetime.Idle = caddy.Duration(168 * time.Hour) },
		"code least":      func(c *Config) { c.Lifetime.Code = caddy.Duration(time.Second) },
		"code most":       func(c *Config) { c.Lifetime.Code = caddy.Duration(10 * time.Minute) },
		"code_tries most": func(c *Config) { c.Attempts.CodeTries = 100 },
		"sends alike":     func(c *Config) { c.Attempts.TargetSends = TargetSends{3, 3, 3} },
		"passwords alike": func(c *Config) { c.Attempts.Passwords = Passwords{100, 100} },
		"games longest": func(c *Config) {
			c.Clients[2].GameSparks = &GameSparks{strings.Repeat("k", 64), strings.Repeat("c", 64), "{env.A}"}
		},
		"games by credential": func(c *Config) {
			c.Clients[0].GameSparks = &GameSparks{"key", "device", "{env.A}"}
			c.Clients[2].GameSparks = &GameSparks{"key", "server", "{env.A}"}
		},
	} {
		if err := shopConfig(change).check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCodesNeedSenders: a login that waits for a code that nobody sends never
// ends. Where that is so for everybody, the configuration is refused; where it is
// so for new users, there is a warning.
func TestCodesNeedSenders(t *testing.T) {
	sender := json.RawMessage(`{"sender":"file"}`)
	phone, email := []authcore.Way{authcore.WayPhone}, []authcore.Way{authcore.WayEmail}
	both := []authcore.Way{authcore.WayPhone, authcore.WayEmail}
	const sms, mail = "phone needs a way to send codes: write sms webhook|tencent|file …", "email needs a way to send codes: write email smtp|webhook|file …"
	for _, tc := range []struct {
		name          string
		client        Client
		sms, email    bool
		fault, warned string
	}{
		{"register by the default", Client{UnknownUser: authcore.UnknownRegister}, false, true, "", "client game: verify " + sms},
		{"bind by e-mail", Client{UnknownUser: authcore.UnknownBind, Verify: email}, true, false, "", "client game: verify " + mail},
		{"register by one of two", Client{UnknownUser: authcore.UnknownRegister, Verify: both}, true, false, "", "client game: verify " + mail},
		{"mfa by phone", Client{MFA: phone}, false, true, "client game: mfa " + sms, ""},
		{"mfa by one of two", Client{MFA: both}, true, false, "client game: mfa " + mail, ""},
		{"register and sms", Client{UnknownUser: authcore.UnknownRegister}, true, false, "", ""},
		{"bind and email", Client{UnknownUser: authcore.UnknownBind, Verify: email}, false, true, "", ""},
		{"mfa and both", Client{MFA: both}, true, true, "", ""},
		{"create", Client{UnknownUser: authcore.UnknownCreate, Verify: both}, false, false, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := shopConfig(func(c *Config) {
				tc.client.ID, tc.client.QQ = "game", "1003"
				c.Clients[2] = tc.client
				if tc.sms {
					c.SMSRaw = sender
				}
				if tc.email {
					c.EmailRaw = sender
				}
			})
			err := config.check()
			if (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("got  %v\nwant %s", err, tc.fault)
			}
			if got := strings.Join(config.Clients[2].unfinished(config), "\n"); got != tc.warned {
				t.Errorf("warned %q\nwant %q", got, tc.warned)
			}
		})
	}
}

// TestClaims: what was proved comes on top only while nothing is written, and
// writing none gives none.
func TestClaims(t *testing.T) {
	for written, want := range map[string]struct {
		list   []authcore.Claim
		proved bool
	}{
		`{}`:                         {[]authcore.Claim{authcore.ClaimName}, true},
		`{"claims":["name"]}`:        {[]authcore.Claim{authcore.ClaimName}, false},
		`{"claims":["email"]}`:       {[]authcore.Claim{authcore.ClaimEmail}, false},
		`{"claims":[]}`:              {[]authcore.Claim{}, false},
		`{"client_id":"a","mfa":[]}`: {[]authcore.Claim{authcore.ClaimName}, true},
	} {
		var client Client
		if err := caddy.StrictUnmarshalJSON([]byte(written), &client); err != nil {
			t.Fatal(err)
		}
		client.setDefaults(nil)
		if list, proved := client.claims(); proved != want.proved || !cmp.Equal(list, want.list) {
			t.Errorf("%s: got %v %v", written, list, proved)
		}
	}
}

// TestCoreConfig: the core gets what was written, in its own words.
func TestCoreConfig(t *testing.T) {
	app := &App{Config: *shopConfig(func(c *Config) {
		c.Clients[0].MFA = []authcore.Way{authcore.WayEmail}
		c.Clients[0].Claims = []authcore.Claim{authcore.ClaimMobile}
		c.SMSCountries = []int{852, 86}
		c.Lifetime = Lifetime{Session: caddy.Duration(48 * time.Hour), Idle: caddy.Duration(time.Hour), Code: caddy.Duration(time.Minute)}
		c.Attempts = Attempts{
			QQRefused: 1, StateTokens: 2, Captchas: 3, CodeTries: 4, UserCodes: 5,
			TargetSends: TargetSends{6, 7, 8}, AddressSends: 9, ClientSends: 10, TotalSends: 11,
			Passwords: Passwords{12, 13}, Guests: 14, WebSockets: 15,
		}
	})}
	got := app.coreConfig()
	if want := (authcore.Lifetimes{
		Session: 48 * time.Hour, IDToken: 2 * time.Hour, Ticket: 5 * time.Minute, Assertion: 5 * time.Minute,
		StateToken: 30 * time.Minute, Code: time.Minute, Idle: time.Hour,
	}); got.Lifetimes != want {
		t.Errorf("lifetimes: got %+v", got.Lifetimes)
	}
	if want := (authcore.Limits{
		QQRefused: 1, Pendings: 2, Captchas: 3, CodeTries: 4, UserCodes: 5,
		TargetMinute: 6, TargetHour: 7, TargetDay: 8, AddressHour: 9, ClientHour: 10, TotalDay: 11,
		PasswordHour: 12, PasswordDay: 13, Arrivals: 14, Sockets: 15,
	}); got.Limits != want {
		t.Errorf("limits: got %+v", got.Limits)
	}
	if diff := cmp.Diff([]int{852, 86}, got.Countries); diff != "" {
		t.Errorf("countries: -want +got\n%s", diff)
	}
	shop := authcore.Client{
		ID: "shop", Name: "shop", App: "1001", Unknown: authcore.UnknownCreate, Verify: []authcore.Way{authcore.WayPhone},
		MFA: []authcore.Way{authcore.WayEmail}, Claims: []authcore.Claim{authcore.ClaimMobile}, TicketsFor: []authcore.ClientID{"forum"},
	}
	if diff := cmp.Diff(shop, got.Clients[0]); diff != "" {
		t.Errorf("shop: -want +got\n%s", diff)
	}
	game := authcore.Client{
		ID: "game", Name: "game", App: "1003", Unknown: authcore.UnknownCreate, Verify: []authcore.Way{authcore.WayPhone},
		Claims: []authcore.Claim{authcore.ClaimName}, ClaimProved: true,
	}
	if diff := cmp.Diff(game, got.Clients[2]); diff != "" {
		t.Errorf("game: -want +got\n%s", diff)
	}
}

func TestSimulatorAloneServesClients(t *testing.T) {
	c := Config{PublicURL: "http://localhost:8080", Simulator: defaultSimulator, Clients: []Client{{ID: "demo"}}}
	c.setDefaults()
	if err := c.check(); err != nil || c.Clients[0].QQ != defaultSimulator {
		t.Errorf("got %v, qq %q", err, c.Clients[0].QQ)
	}
}

func TestJoined(t *testing.T) {
	c := Config{QQ: []QQ{
		{AppID: "1", Join: []authcore.AppID{"2"}},
		{AppID: "2"},
		{AppID: "3", Join: []authcore.AppID{"2"}},
		{AppID: "4"},
	}}
	for app, want := range map[authcore.AppID][]authcore.AppID{
		"1": {"1", "2", "3"}, "2": {"1", "2", "3"}, "3": {"1", "2", "3"}, "4": nil,
	} {
		if diff := cmp.Diff(want, c.joined(app)); diff != "" {
			t.Errorf("joined(%s): -want +got\n%s", app, diff)
		}
	}
}

// TestStrictJSON: Caddy refuses unknown keys, also in a Config that is embedded
// in a module.
func TestStrictJSON(t *testing.T) {
	type module struct {
		Config
		runtime int
	}
	var m module
	if err := caddy.StrictUnmarshalJSON([]byte(`{"public_url":"https://a.example","lifetime":{"session":"2h"}}`), &m); err != nil {
		t.Fatal(err)
	}
	if m.PublicURL != "https://a.example" || m.Lifetime.Session != caddy.Duration(2*time.Hour) || m.runtime != 0 {
		t.Errorf("got %+v", m)
	}
	for _, unknown := range []string{`{"public_ulr":"x"}`, `{"clients":[{"id":"x"}]}`, `{"lifetime":{"idel":"1h"}}`, `{"clients":[{"gamesparks":{"apiKey":"k"}}]}`, `{"runtime":1}`} {
		if err := caddy.StrictUnmarshalJSON([]byte(unknown), new(module)); err == nil {
			t.Errorf("took %s", unknown)
		}
	}
}
