package caddymodule

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile reads the directive:
//
//	qqauth_guard {
//		audience <string>
//		client <client_id> …
//		public <path> …
//		allow device|password …
//		require segment <name> <value>
//		require mfa
//		require device
//		cross_origin <origin> …
//		unauthenticated auto|401
//		ticket_header <name>|off
//		header <name> <value>
//	}
func (g *GuardConfig) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	const instead = "it guards everything that reaches it; to guard a part of a site, write it inside handle, and to leave paths out, write public <path>"
	return parseDirective(d, instead, map[string]word{
		"audience":        {usage: "audience <string>", min: 1, max: 1, set: text(&g.Audience, checkAudience)},
		"client":          {usage: "client <client_id> …", min: 1, max: unlimited, many: true, set: list(&g.Clients, checkClientID)},
		"public":          {usage: "public <path> …", min: 1, max: unlimited, many: true, set: list(&g.Public, checkPublicPath)},
		"allow":           {usage: "allow device|password …", min: 1, max: unlimited, set: list(&g.Allow, oneOf(allowWords()...))},
		"require":         {usage: "require segment <name> <value>, require mfa or require device", min: 1, max: 3, many: true, set: g.setRequire},
		"cross_origin":    {usage: "cross_origin <origin> …", min: 1, max: unlimited, many: true, set: list(&g.CrossOrigin, checkOrigin)},
		"unauthenticated": {usage: "unauthenticated auto|401", min: 1, max: 1, set: g.setUnauthenticated},
		"ticket_header":   {usage: "ticket_header <name>|off", min: 1, max: 1, set: text(&g.TicketHeader, checkHeaderName)},
		"header":          {usage: "header <name> <value>", min: 2, max: 2, many: true, set: g.addHeader},
	})
}

func (g *GuardConfig) setRequire(args []string) error {
	wanted := 1
	if args[0] == "segment" {
		wanted = 3
	}
	if err := oneOf("segment", "mfa", "device")(args[0]); err != nil {
		return err
	}
	if len(args) != wanted {
		return errors.New("wrong number of arguments: write require segment <name> <value>, require mfa or require device")
	}
	switch {
	case args[0] == "segment":
		return g.requireSegment(args[1], args[2])
	case args[0] == "mfa" && !g.RequireMFA:
		g.RequireMFA = true
	case args[0] == "device" && !g.RequireDevice:
		g.RequireDevice = true
	default:
		return fmt.Errorf("%s stands twice: write it once", args[0])
	}
	return nil
}

func (g *GuardConfig) requireSegment(name, value string) error {
	if _, twice := g.RequireSegments[name]; twice {
		return fmt.Errorf("segment %q stands twice, and nobody has two values of one: write it once", name)
	}
	if g.RequireSegments == nil {
		g.RequireSegments = map[string]string{}
	}
	g.RequireSegments[name] = value
	return nil
}

func (g *GuardConfig) setUnauthenticated(args []string) error {
	if args[0] == "redirect" {
		return errors.New("redirect is not built yet: write unauthenticated auto, or leave it out")
	}
	return text(&g.Unauthenticated, oneOf(unauthenticateds...))(args)
}

func (g *GuardConfig) addHeader(args []string) error {
	g.Headers = append(g.Headers, GuardHeader{Name: args[0], Value: args[1]})
	_, _, err := g.checkHeaders()
	return err
}

// parseLogin reads the directive qqauth_login, which takes nothing.
func parseLogin(d *caddyfile.Dispenser) error {
	d.Next()
	if d.Next() {
		return d.Errf("%s takes no matcher, no argument and no block: it answers its own paths and passes every other path on", loginName)
	}
	return nil
}

var _ caddyfile.Unmarshaler = (*GuardConfig)(nil)
