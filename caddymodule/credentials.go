package caddymodule

import (
	"net"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/qqauth/qqauth/authcore/opaque"
)

const (
	secureCookie = "__Host-qqauth"
	// plainCookie begins the name of the cookie on loopback http, where browsers
	// do not keep the cookies of different ports apart. The port follows.
	plainCookie = "qqauth-"
)

// credentials is the session that a request names.
type credentials struct {
	token    string
	byCookie bool
	// twofold says that the request could be read in two ways.
	twofold bool
}

// findCredentials looks for a session token in Authorization, else in the
// cookie, and nowhere else. A bearer of a session token's shape decides alone.
func findCredentials(r *http.Request) credentials {
	lines := r.Header["Authorization"]
	if len(lines) > 1 {
		return credentials{twofold: true}
	}
	if len(lines) == 1 {
		if token, ok := sessionBearer(lines[0]); ok {
			return credentials{token: token}
		}
	}
	return findCookie(r)
}

// sessionBearer returns the session token of an Authorization value.
func sessionBearer(line string) (token string, ok bool) {
	const scheme = "Bearer"
	line = textproto.TrimString(line)
	if len(line) <= len(scheme) || !strings.EqualFold(line[:len(scheme)], scheme) {
		return "", false
	}
	token = line[len(scheme):]
	if token[0] != ' ' && token[0] != '\t' {
		return "", false
	}
	token = strings.TrimLeft(token, " \t")
	return token, opaque.Shaped(token)
}

// findCookie returns the session token of our cookie.
func findCookie(r *http.Request) (found credentials) {
	name := ""
	for _, line := range r.Header["Cookie"] {
		if !strings.Contains(line, "qqauth") {
			continue // the common case, without taking the line apart
		}
		for pair := range strings.SplitSeq(line, ";") {
			key, value, _ := strings.Cut(pair, "=")
			if name == "" {
				name = cookieName(r)
			}
			// Spaces and tabs alone: a browser that sees another kind of space
			// before "__Host-" sees no prefix, and lets other hosts set it.
			if textproto.TrimString(key) != name {
				continue
			}
			if found.byCookie {
				return credentials{twofold: true}
			}
			found = credentials{token: textproto.TrimString(value), byCookie: true}
		}
	}
	if !opaque.Shaped(found.token) {
		return credentials{}
	}
	return found
}

// cookieName is the name of the session cookie on the site that a request is
// for.
func cookieName(r *http.Request) string {
	if r.TLS != nil || !onLoopback("http://"+r.Host) {
		return secureCookie
	}
	_, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		port = "80"
	}
	return plainCookie + port
}

// isOurCookie reports whether a cookie's name is one of ours, on whatever site
// and in any spelling that somebody might take for it.
func isOurCookie(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "__host-qqauth" || name == "__host-qqauth-flow" {
		return true
	}
	port, ok := strings.CutPrefix(name, plainCookie)
	port = strings.TrimPrefix(port, "flow-")
	return ok && port != "" && strings.Trim(port, "0123456789") == ""
}
