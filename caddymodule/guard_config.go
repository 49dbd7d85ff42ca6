package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/qqauth/qqauth/authcore"
)

// GuardConfig is what an operator says about one guard.
type GuardConfig struct {
	// Audience is the `aud` of this guard's assertions. One guard at most may
	// leave it out, and none may use a client id. Default: the app's
	// `public_url`.
	Audience string `json:"audience,omitempty"`

	// Clients are those whose sessions get in. May be left out while one client
	// is configured.
	Clients []authcore.ClientID `json:"clients,omitempty"`

	// Public are paths that are not guarded, as Caddy's
	// [path matcher](https://caddyserver.com/docs/caddyfile/matchers#path)
	// takes them, without placeholders. A path that could be read in two ways
	// is never public.
	Public []string `json:"public,omitempty"`

	// Allow lets in sessions that rest on nothing but a device id (`device`) or
	// a password (`password`). Default: neither.
	Allow []string `json:"allow,omitempty"`

	// RequireSegments are segments that a user must be in: values by name.
	RequireSegments map[string]string `json:"require_segments,omitempty"`

	// RequireMFA demands a second factor.
	RequireMFA bool `json:"require_mfa,omitempty"`

	// RequireDevice demands that `X-device-fingerprint` equals the login's.
	RequireDevice bool `json:"require_device,omitempty"`

	// CrossOrigin are origins that may send unsafe requests and WebSockets with
	// the cookie. Default: none.
	CrossOrigin []string `json:"cross_origin,omitempty"`

	// Unauthenticated is what somebody without a session gets: `auto` or `401`.
	// Default: `auto`.
	Unauthenticated string `json:"unauthenticated,omitempty"`

	// TicketHeader carries the assertion to the upstream; `off` sends none.
	// Default: `X-Qqauth-Ticket`.
	TicketHeader string `json:"ticket_header,omitempty"`

	// Headers are further request headers for the upstream.
	Headers []GuardHeader `json:"headers,omitempty"`
}

// GuardHeader is a request header that a guard sets from what is known of the
// user.
type GuardHeader struct {
	// Name is the header's. A request's own header of this name, in whatever
	// spelling, is removed.
	Name string `json:"name,omitempty"`

	// Value may hold `{user.id}`, `{user.name}`, `{user.display_name}`,
	// `{user.mobile}`, `{user.email}`, `{client.id}`, `{session.id}` and
	// `{segment.NAME}`. Where the user lacks one of them, the header is left
	// out. What is not printable ASCII, and `%`, is percent-encoded.
	Value string `json:"value,omitempty"`
}

// guardRules is a GuardConfig made ready for requests.
type guardRules struct {
	audience string
	clients  []authcore.ClientID
	public   publicPaths
	// allow are the methods that may be a session's only proof.
	allow []authcore.Method
	// crossOrigin are origins as browsers write them.
	crossOrigin []string
	// ticketHeader is empty if the upstream gets no assertion.
	ticketHeader string
	headers      []headerRule
}

// headerRule sets one request header.
type headerRule struct {
	name  string // canonical
	value headerTemplate
}

const ticketHeaderOff = "off"

var (
	allowMethods     = map[string]authcore.Method{"device": authcore.MethodDevice, "password": authcore.MethodPassword}
	unauthenticateds = []string{"auto", "401"}
)

// check finds what is wrong with a guard of an app whose own configuration has
// passed its check, and makes the rest ready.
func (g *GuardConfig) check(app *Config) (rules guardRules, err error) {
	if rules.audience, err = g.effectiveAudience(app); err != nil {
		return guardRules{}, fmt.Errorf("audience: %w", err)
	}
	if rules.clients, err = g.checkClients(app); err != nil {
		return guardRules{}, fmt.Errorf("client: %w", err)
	}
	if rules.public, err = parsePublicPaths(g.Public); err != nil {
		return guardRules{}, fmt.Errorf("public: %w", err)
	}
	if err := subset(g.Allow, allowWords()); err != nil {
		return guardRules{}, fmt.Errorf("allow: %w", err)
	}
	for _, word := range g.Allow {
		rules.allow = append(rules.allow, allowMethods[word])
	}
	for name, value := range g.RequireSegments {
		if name == "" || value == "" {
			return guardRules{}, errors.New("require: write require segment <name> <value>, neither of them empty")
		}
	}
	for _, s := range g.CrossOrigin {
		origin, err := parseOrigin(s)
		if err != nil {
			return guardRules{}, fmt.Errorf("cross_origin: %w", err)
		}
		rules.crossOrigin = append(rules.crossOrigin, origin)
	}
	if err := oneOf(unauthenticateds...)(cmp.Or(g.Unauthenticated, unauthenticateds[0])); err != nil {
		return guardRules{}, fmt.Errorf("unauthenticated: %w", err)
	}
	rules.ticketHeader, rules.headers, err = g.checkHeaders()
	return rules, err
}

func checkAudience(audience string) error {
	if !utf8.ValidString(audience) || len(audience) > 255 || strings.ContainsFunc(audience, unicode.IsControl) {
		return errors.New("write at most 255 bytes on one line")
	}
	return nil
}

// effectiveAudience is the audience that was written, or the default.
func (g *GuardConfig) effectiveAudience(app *Config) (string, error) {
	audience := cmp.Or(g.Audience, app.PublicURL)
	if err := checkAudience(audience); err != nil {
		return "", err
	}
	// An audience that is an origin is where the guarded site is, and where its
	// cookie travels.
	if isPlain(audience) && !onLoopback(app.PublicURL) {
		return "", dangerous("a guarded site over plain http", "https://"+audience[len("http://"):])
	}
	return audience, nil
}

func (g *GuardConfig) checkClients(app *Config) ([]authcore.ClientID, error) {
	if len(g.Clients) == 0 {
		if len(app.Clients) != 1 {
			return nil, errors.New("several clients are configured: write client <client_id> … to name those whose sessions get in")
		}
		return []authcore.ClientID{app.Clients[0].ID}, nil
	}
	for _, id := range g.Clients {
		if app.client(id) == nil {
			return nil, fmt.Errorf("%q is no configured client: name one of the app's", id)
		}
	}
	return slices.Clone(g.Clients), distinct(g.Clients)
}

// checkHeaders demands that no two headers are one to an upstream, and none is
// the assertion's.
func (g *GuardConfig) checkHeaders() (ticketHeader string, rules []headerRule, err error) {
	taken := []string{normalName(defaultTicketHeader)}
	if ticketHeader = cmp.Or(g.TicketHeader, defaultTicketHeader); ticketHeader == ticketHeaderOff {
		ticketHeader = ""
	} else if err := checkHeaderName(ticketHeader); err != nil {
		return "", nil, fmt.Errorf("ticket_header: %w", err)
	} else {
		taken = append(taken, normalName(ticketHeader))
	}
	for _, header := range g.Headers {
		if err := checkHeaderName(header.Name); err != nil {
			return "", nil, fmt.Errorf("header: %w", err)
		}
		if slices.Contains(taken, normalName(header.Name)) {
			return "", nil, fmt.Errorf("header %s: is set twice, or carries the assertion: write another name", header.Name)
		}
		taken = append(taken, normalName(header.Name))
		value, err := parseHeaderTemplate(header.Value)
		if err != nil {
			return "", nil, fmt.Errorf("header %s: %w", header.Name, err)
		}
		rules = append(rules, headerRule{name: http.CanonicalHeaderKey(header.Name), value: value})
	}
	return http.CanonicalHeaderKey(ticketHeader), rules, nil
}

func allowWords() []string { return slices.Sorted(maps.Keys(allowMethods)) }

// checkAudiences compares the audiences of all guards of an app, as they were
// written: empty where one was left out. Guards may share one that is written
// down; an assertion then opens both their upstreams, because somebody said so.
func checkAudiences(written []string, app *Config) error {
	var left int
	for _, audience := range written {
		if audience == "" {
			left++
		}
		if app.client(authcore.ClientID(audience)) != nil {
			return fmt.Errorf("audience: %q is a client_id, whose id_tokens the upstream would take for assertions: write another, such as the site's origin", audience)
		}
	}
	if left > 1 {
		return errors.New("audience: only one guard may leave it out, or one upstream's assertions would open another: write audience <string>, such as the site's origin")
	}
	return nil
}
