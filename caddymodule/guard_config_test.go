package caddymodule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

func TestGuardCheck(t *testing.T) {
	app := shopConfig(nil)
	guard := GuardConfig{
		Audience: "https://app.example.com", Clients: []authcore.ClientID{"shop", "forum"}, Public: []string{"/healthz"},
		Allow: []string{"password", "device"}, CrossOrigin: []string{"HTTPS://www.example.com:443"}, Unauthenticated: "401",
		TicketHeader: "x-assertion", Headers: []GuardHeader{{"x-user-id", "{user.id}"}, {"X-Tier", "tier {segment.tier}"}},
	}
	rules, err := guard.check(app)
	if err != nil {
		t.Fatal(err)
	}
	if rules.audience != "https://app.example.com" || rules.ticketHeader != "X-Assertion" || len(rules.headers) != 2 || rules.headers[0].name != "X-User-Id" {
		t.Errorf("got %+v", rules)
	}
	if diff := cmp.Diff([]string{"https://www.example.com"}, rules.crossOrigin); diff != "" {
		t.Errorf("cross_origin: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]authcore.Method{authcore.MethodPassword, authcore.MethodDevice}, rules.allow); diff != "" {
		t.Errorf("allow: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(guard.Clients, rules.clients); diff != "" {
		t.Errorf("clients: -want +got\n%s", diff)
	}
	if !rules.public.match(arrive(t, "/healthz")) {
		t.Error("public is lost")
	}
}

func TestGuardDefaults(t *testing.T) {
	app := shopConfig(func(c *Config) { c.Clients = c.Clients[2:] })
	rules, err := (&GuardConfig{}).check(app)
	if err != nil {
		t.Fatal(err)
	}
	if rules.audience != app.PublicURL || rules.ticketHeader != "X-Qqauth-Ticket" || rules.allow != nil {
		t.Errorf("got %+v", rules)
	}
	if diff := cmp.Diff([]authcore.ClientID{"game"}, rules.clients); diff != "" {
		t.Errorf("clients: -want +got\n%s", diff)
	}
	rules, err = (&GuardConfig{TicketHeader: "off"}).check(app)
	if err != nil || rules.ticketHeader != "" {
		t.Errorf("ticket_header off: got %q, %v", rules.ticketHeader, err)
	}
}

func TestGuardCheckRefuses(t *testing.T) {
	header := func(pairs ...string) func(*GuardConfig) {
		return func(g *GuardConfig) {
			for i := 0; i < len(pairs); i += 2 {
				g.Headers = append(g.Headers, GuardHeader{Name: pairs[i], Value: pairs[i+1]})
			}
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*GuardConfig)
		want   string
	}{
		{"audience in lines", func(g *GuardConfig) { g.Audience = "a\nb" }, "audience: write at most 255 bytes on one line"},
		{"audience over plain http", func(g *GuardConfig) { g.Audience = "HTTP://app.example.com" }, "a guarded site over plain http is allowed only"},
		{"no client", func(g *GuardConfig) { g.Clients = nil }, "client: several clients are configured"},
		{"client unknown", func(g *GuardConfig) { g.Clients = []authcore.ClientID{"blog"} }, `client: "blog" is no configured client`},
		{"client twice", func(g *GuardConfig) { g.Clients = []authcore.ClientID{"shop", "shop"} }, "client: \"shop\" stands twice"},
		{"public", func(g *GuardConfig) { g.Public = []string{"/a/../b"} }, "public: a path that could be read in two ways"},
		{"allow", func(g *GuardConfig) { g.Allow = []string{"pwd"} }, "allow: "},
		{"allow twice", func(g *GuardConfig) { g.Allow = []string{"device", "device"} }, "allow: "},
		{"segment without a name", func(g *GuardConfig) { g.RequireSegments = map[string]string{"": "x"} }, "write require segment <name> <value>"},
		{"segment without a value", func(g *GuardConfig) { g.RequireSegments = map[string]string{"x": ""} }, "write require segment <name> <value>"},
		{"cross_origin", func(g *GuardConfig) { g.CrossOrigin = []string{"*"} }, "cross_origin: write an origin"},
		{"unauthenticated", func(g *GuardConfig) { g.Unauthenticated = "redirect" }, "unauthenticated: "},
		{"ticket_header", func(g *GuardConfig) { g.TicketHeader = "Proxy_Authorization" }, "ticket_header: Proxy_Authorization belongs to"},
		{"header hop-by-hop", header("Connection", "close"), "Connection belongs to the connection"},
		{"header in another spelling", header("transfer.encoding", "chunked"), "transfer.encoding belongs to the connection"},
		{"header no token", header("X User", "a"), "that is no header name"},
		{"header empty name", header("", "a"), "that is no header name"},
		{"header injected", header("X-User\r\nX-Admin", "a"), "that is no header name"},
		{"header of the assertion", header("x-qqauth_ticket", "a"), "carries the assertion"},
		{"header of our ticket_header", func(g *GuardConfig) {
			g.TicketHeader = "X-Assertion"
			g.Headers = []GuardHeader{{"X.Assertion", "a"}}
		}, "carries the assertion"},
		{"header default ticket name", func(g *GuardConfig) {
			g.TicketHeader = "off"
			g.Headers = []GuardHeader{{"X-Qqauth-Ticket", "a"}}
		}, "carries the assertion"},
		{"header twice", header("X-User-Id", "a", "x_user.id", "b"), "header x_user.id: is set twice"},
		{"header value", header("X-User", "{env.HOME}"), "header X-User: the value holds an unknown field"},
		{"header no value", header("X-User", ""), "header X-User: the value is empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			guard := GuardConfig{Clients: []authcore.ClientID{"shop"}}
			tc.change(&guard)
			_, err := guard.check(shopConfig(nil))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestCheckAudiences(t *testing.T) {
	app := shopConfig(nil)
	for _, tc := range []struct {
		name    string
		written []string
		ok      bool
	}{
		{"none", nil, true},
		{"one left out", []string{"", "https://a.example"}, true},
		{"two left out", []string{"", "https://a.example", ""}, false},
		{"one shared", []string{"https://a.example", "https://a.example"}, true},
		{"one is a client's", []string{"https://a.example", "shop"}, false},
	} {
		if err := checkAudiences(tc.written, app); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
