package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// The names that the Caddyfile and the JSON know us by.
const (
	appName   = "qqauth"
	loginName = "qqauth_login"
	guardName = "qqauth_guard"
)

func init() {
	httpcaddyfile.RegisterGlobalOption(appName, parseGlobalOption)
	httpcaddyfile.RegisterDirective(loginName, parseLoginDirective)
	httpcaddyfile.RegisterDirective(guardName, parseGuardDirective)

	// Where other directives authenticate, and in one site the login before the
	// guard: each call puts its directive right after forward_auth, the second
	// one before the first. A rewrite therefore comes before the guard, and
	// request_header after it.
	httpcaddyfile.RegisterDirectiveOrder(guardName, httpcaddyfile.After, "forward_auth")
	httpcaddyfile.RegisterDirectiveOrder(loginName, httpcaddyfile.After, "forward_auth")
}

func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	var c Config
	if existing != nil {
		d.Next()
		return nil, d.Errf("%s stands twice: write one block with all its settings", appName)
	}
	if err := c.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	value, err := json.Marshal(c)
	return httpcaddyfile.App{Name: appName, Value: value}, err
}

func parseLoginDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if err := parseLogin(h.Dispenser); err != nil {
		return nil, err
	}
	return route(loginName, struct{}{}), nil
}

func parseGuardDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	var g GuardConfig
	if err := g.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return route(guardName, g), nil
}

// route is a handler without a matcher. Neither directive takes one: a guard
// that a matcher can pass by is no guard.
func route(name string, handler any) []httpcaddyfile.ConfigValue {
	raw := caddyconfig.JSONModuleObject(handler, "handler", name, nil)
	return []httpcaddyfile.ConfigValue{{
		Class: "route",
		Value: caddyhttp.Route{HandlersRaw: []json.RawMessage{raw}},
	}}
}
