package caddymodule

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// onLoopback reports whether a URL can be reached from this machine alone:
// localhost, a name below it, 127.0.0.0/8 or ::1. What is dangerous elsewhere is
// allowed there, for development.
func onLoopback(rawURL string) bool {
	u, err := url.Parse(rawURL)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	// Not addr.IsLoopback, which takes IPv4 in IPv6 and zones as well: one more
	// spelling is one more thing for somebody else to read differently.
	return addr.Is4() && addr.IsLoopback() || addr == netip.IPv6Loopback()
}

// refuseDanger refuses what is fit for the loopback only, unless public_url
// names it.
func (c *Config) refuseDanger() error {
	if onLoopback(c.PublicURL) {
		return nil
	}
	if isPlain(c.PublicURL) {
		return dangerous("public_url: plain http", "https://"+strings.TrimPrefix(c.PublicURL, "http://"))
	}
	for name, value := range c.placeholders() {
		if !placeholder.MatchString(value) {
			return dangerous(name+": a literal secret, which ends up in caddy adapt, /config/ and autosave.json ({$NAME} becomes one)",
				"{env.NAME} or {file.PATH}")
		}
	}
	for _, q := range c.QQ {
		if isPlain(q.Endpoint) {
			return dangerous(fmt.Sprintf("qq %s: endpoint: plain http, over which access tokens would travel", q.AppID),
				"https://…, or leave it out")
		}
	}
	for _, client := range c.Clients {
		if slices.ContainsFunc(client.RedirectURIs, isPlain) {
			return dangerous(fmt.Sprintf("client %s: redirect_uri: plain http, over which anybody can put a page in its place", client.ID), "https://…")
		}
	}
	if c.Simulator != "" {
		return dangerous("qq simulator: it lets in anybody", "qq <app_id>")
	}
	if c.Attempts.Off {
		return dangerous("attempts off", "attempts { … }, or leave it out")
	}
	return nil
}

// choosy is a Store or a Sender that does not go with every configuration.
type choosy interface {
	// accept says what of a configuration that has passed check must change for
	// this module, or what of the module is dangerous under it.
	accept(c *Config) error
}

func isPlain(rawURL string) bool { return strings.HasPrefix(strings.ToLower(rawURL), "http://") }

// dangerous says what is refused and what to write instead.
func dangerous(what, instead string) error {
	return fmt.Errorf("%s is allowed only while public_url is a loopback name such as http://localhost:8080: write %s", what, instead)
}
