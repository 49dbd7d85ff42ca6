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
		{"claims", func(c *Config) { c.Clients[0].Claims = []authcore.Claim{"name", "name"} }, "client shop: claims: "},
		{"tickets for nobody", func(c *Config) { c.Clients[0].TicketsFor = []authcore.ClientID{"blog"} }, `tickets_for: "blog" is no configured client`},
		{"tickets for itself", func(c *Config) { c.Clients[0].TicketsFor = []authcore.ClientID{"shop"} }, "name others only"},
		{"tickets without a secret", func(c *Config) { c.Clients[0].Secret = nil }, "tickets are asked for with this client's secret"},
		{"tickets for one without a secret", func(c *Config) { c.Clients[0].TicketsFor = []authcore.ClientID{"game"} }, "game cannot redeem tickets without a secret"},
		{"session", func(c *Config) { c.Lifetime.Session = -1 }, "lifetime: session: write whole seconds"},
		{"session long", func(c *Config) { c.Lifetime.Session = caddy.Duration(9000 * time.Hour) }, "lifetime: session: write at most 8760h"},
		{"id_token outlives session", func(c *Config) { c.Lifetime.IDToken = caddy.Duration(169 * time.Hour) }, "lifetime: id_token: write at most 168h"},
		{"assertion outlives session", func(c *Config) {
			c.Lifetime.Session, c.Lifetime.Assertion = caddy.Duration(time.Minute), caddy.Duration(2*time.Minute)
		}, "lifetime: assertion: write at most 1m"},
		{"ticket in fractions", func(c *Config) { c.Lifetime.Ticket = caddy.Duration(1500 * time.Millisecond) }, "lifetime: ticket: write whole seconds"},
		{"alg", func(c *Config) { c.IDTokenAlg = "HS256" }, "id_token_alg: "},
		{"attempts", func(c *Config) { c.Attempts.QQRefused = -1 }, "attempts: a limit is a number above 0"},
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
			Verify: []authcore.Way{authcore.WayPhone}, Claims: []authcore.Claim{authcore.ClaimName},
		}},
		Lifetime: Lifetime{
			Session: caddy.Duration(168 * time.Hour), IDToken: caddy.Duration(2 * time.Hour),
			Ticket: caddy.Duration(5 * time.Minute), Assertion: caddy.Duration(5 * time.Minute),
			StateToken: caddy.Duration(30 * time.Minute),
		},
		IDTokenAlg: "RS256",
		Attempts:   Attempts{QQRefused: 60, StateTokens: 3},
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
	for _, unknown := range []string{`{"public_ulr":"x"}`, `{"clients":[{"id":"x"}]}`, `{"lifetime":{"idle":"1h"}}`, `{"runtime":1}`} {
		if err := caddy.StrictUnmarshalJSON([]byte(unknown), new(module)); err == nil {
			t.Errorf("took %s", unknown)
		}
	}
}
