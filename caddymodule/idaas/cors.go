package idaas

import (
	"net/http"
	"slices"
	"strings"
)

// readHeaders are what this API reads of a page's request.
var readHeaders = []string{
	"X-operating-sys-version", "X-device-fingerprint", "X-device-ip", "X-agent", "X-L", "X-client-id",
	"X-state-token", "session-token", "Authorization", "Content-Type",
}

// share lets pages of an allowed origin read this answer, whatever it will be,
// and reports whether it does. Credentials stay forbidden: no call reads a
// cookie. Tenant calls carry secrets that no page may have.
func (c *call) share() bool {
	origin, ok := header(c.r.Header, "Origin")
	if !ok || origin == "" || !within(c.r.URL.Path, sdkPrefix) || !c.allowed(origin) {
		return false
	}
	h := c.w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Retry-After")
	h.Add("Vary", "Origin")
	return true
}

// preflights reports whether a browser asks what a page may send (Fetch, section
// "CORS-preflight fetch").
func (c *call) preflights() bool {
	return c.r.Method == http.MethodOptions && c.r.Header.Get("Access-Control-Request-Method") != ""
}

// preflight answers what a page may send to a route.
func (c *call) preflight(rt *route) {
	h := c.w.Header()
	h.Set("Access-Control-Allow-Methods", strings.Join(rt.methods, ", "))
	if names := readOf(c.r.Header.Values("Access-Control-Request-Headers")); len(names) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(names, ", "))
	}
	h.Set("Access-Control-Max-Age", "600")
	c.w.WriteHeader(http.StatusNoContent)
}

// readOf keeps of the names that a browser asks about those that are read here.
func readOf(lines []string) []string {
	var names []string
	for name := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		i := slices.IndexFunc(readHeaders, func(h string) bool { return strings.EqualFold(h, strings.TrimSpace(name)) })
		if i >= 0 && !slices.Contains(names, readHeaders[i]) {
			names = append(names, readHeaders[i])
		}
	}
	return names
}
