package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// publicPaths are the paths that a guard lets pass unseen. Its mistakes must
// fall on the safe side: a path that the upstream might read otherwise than we
// do is not public.
type publicPaths struct{ patterns caddyhttp.MatchPath }

// parsePublicPaths takes Caddy's path patterns without placeholders: a pattern
// that a client can influence is no rule.
func parsePublicPaths(patterns []string) (publicPaths, error) {
	for _, pattern := range patterns {
		if err := checkPublicPath(pattern); err != nil {
			return publicPaths{}, err
		}
	}
	paths := publicPaths{patterns: slices.Clone(patterns)}
	// Only lowers case and moves "*" to the front; it reads no context.
	return paths, paths.patterns.Provision(caddy.Context{})
}

func checkPublicPath(pattern string) error {
	if !strings.HasPrefix(pattern, "/") && !strings.HasPrefix(pattern, "*") {
		return fmt.Errorf("%q begins with neither / nor *: write a path pattern such as /assets/*", pattern)
	}
	if strings.ContainsAny(pattern, "{}") {
		return fmt.Errorf("%q holds a placeholder: write the path itself", pattern)
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("%q has an unclosed bracket: write [[] for a bracket itself", pattern)
	}
	example := strings.ReplaceAll(pattern, "%*", "*")
	if strings.HasPrefix(example, "*") {
		example = "/" + example
	}
	u, err := url.Parse("http://public" + example)
	if err != nil || strings.ContainsAny(pattern, "?#") || ambiguous(u) {
		return errors.New("a path that could be read in two ways (; \\ %2f %5c %00 %25 # ? // and dot segments) is never public: leave it out")
	}
	return nil
}

// match reports whether the request may pass unguarded. It looks at the path as
// it arrived and at what other handlers have made of it; the query plays no
// part, nor does any header.
func (p publicPaths) match(r *http.Request) bool {
	if len(p.patterns) == 0 {
		return false
	}
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil {
		return false
	}
	return p.matchURL(r, r.URL) && p.matchURL(r, original.URL)
}

func (p publicPaths) matchURL(r *http.Request, u *url.URL) bool {
	if ambiguous(u) {
		return false
	}
	// MatchPath takes its replacer from the request's context.
	matched, err := p.patterns.MatchWithError((&http.Request{URL: u}).WithContext(r.Context()))
	return matched && err == nil
}

// ambiguous reports whether a URL's path could be read in two ways: because of a
// separator that only some servers know or decode, a second layer of encoding,
// or what some would resolve and others not.
func ambiguous(u *url.URL) bool {
	p := u.Path
	if u.Opaque != "" || !strings.HasPrefix(p, "/") || !utf8.ValidString(p) {
		return true
	}
	if strings.ContainsAny(p, `;\%#?`) || strings.Contains(p, "//") || strings.ContainsFunc(p, unicode.IsControl) {
		return true
	}
	for segment := range strings.SplitSeq(p, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	// The decoded path no longer shows which of its slashes were encoded. RawPath
	// is looked at too, because EscapedPath passes over one that it finds odd.
	return hidesSeparator(u.RawPath) || hidesSeparator(u.EscapedPath())
}

func hidesSeparator(escaped string) bool {
	escaped = strings.ToLower(escaped)
	return slices.ContainsFunc([]string{"%2f", "%5c", "%00", "%25", ";", `\`, "//"}, func(s string) bool {
		return strings.Contains(escaped, s)
	})
}
