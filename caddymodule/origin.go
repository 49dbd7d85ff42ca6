package caddymodule

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// errURL says what a base URL looks like. It does not repeat what was written,
// which may hold a password.
var errURL = errors.New("write an absolute URL without query, fragment and user, such as https://id.example.com")

var errOrigin = errors.New("write an origin without a path, such as https://app.example.com")

// parseOrigin returns an origin as browsers write it: scheme, host and port, in
// lower case, without the scheme's own port.
func parseOrigin(s string) (string, error) {
	u, err := parseURL(s)
	if err != nil || u.Path != "" {
		return "", errOrigin
	}
	return u.Scheme + "://" + u.Host, nil
}

// parsePublicURL is parseOrigin, and forgives a final slash.
func parsePublicURL(s string) (string, error) {
	u, err := parseURL(strings.TrimSuffix(s, "/"))
	if err != nil {
		return "", err
	}
	if u.Path != "" {
		return "", errors.New("a path is not supported: write the origin alone, such as https://id.example.com")
	}
	return u.Scheme + "://" + u.Host, nil
}

// parseBase returns the base of an API's paths, without a final slash.
func parseBase(s string) (*url.URL, error) {
	return parseURL(strings.TrimSuffix(s, "/"))
}

// errRedirectURI does not repeat what was written either.
var errRedirectURI = errors.New("write an absolute URL without fragment and user, in ASCII, such as https://app.example.com/callback")

// parseRedirectURI returns the origin of a page that a login may return to.
func parseRedirectURI(s string) (origin string, err error) {
	page, _, _ := strings.Cut(s, "?")
	u, err := parseURL(page)
	if err != nil || strings.ContainsFunc(s, notInURL) {
		return "", errRedirectURI
	}
	return u.Scheme + "://" + u.Host, nil
}

// notInURL reports whether RFC 3986 §2 keeps a character out of URLs, or it
// begins a fragment. Browsers drop or rewrite some of them, and then read another
// URL than we did.
func notInURL(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}#", r) }

func checkRedirectURI(s string) error {
	_, err := parseRedirectURI(s)
	return err
}

// origins is a set of origins as parseOrigin writes them. It is safe for
// concurrent use: one site may be provisioned while another is served.
type origins struct {
	known sync.Map
}

func (o *origins) add(origin string) { o.known.Store(origin, nil) }

func (o *origins) has(origin string) bool {
	_, ok := o.known.Load(origin)
	return ok
}

func checkOrigin(s string) error {
	_, err := parseOrigin(s)
	return err
}

func checkPublicURL(s string) error {
	_, err := parsePublicURL(s)
	return err
}

func checkBase(s string) error {
	_, err := parseBase(s)
	return err
}

var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// parseURL returns an absolute http or https URL that has nothing but a host, a
// port and a path, with the host and port in their one spelling.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.ContainsAny(s, "?#") {
		return nil, errURL
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" {
		host = addr.String()
		if addr.Is6() {
			host = "[" + host + "]"
		}
	} else if !hostName.MatchString(host) {
		return nil, errURL
	}
	u.Host = host
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, errURL
		}
		if n != defaultPorts[u.Scheme] {
			u.Host += ":" + strconv.FormatUint(n, 10)
		}
	}
	return u, nil
}

var defaultPorts = map[string]uint64{"http": 80, "https": 443}
