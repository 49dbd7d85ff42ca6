package idaas

import (
	"net/http"
	"slices"
	"strings"
)

const (
	sdkPrefix    = "/api/v2/sdk"
	tenantPrefix = "/api/v2/tenant"
)

// route is one call of the API. Its steps run in this order, and the first that
// fails is what the caller is told; the last one answers.
type route struct {
	name    string // in logs
	path    string
	methods []string
	steps   []step
}

// step checks one thing of a call and keeps it there, or carries the call out.
type step func(*call) error

var (
	post      = []string{http.MethodPost}
	getOrPost = []string{http.MethodGet, http.MethodPost}
)

// routes is the whole API.
var routes = []route{
	{"login_qq", sdkPrefix + "/login/qq", post, []step{device, client, loginQQ}},
	{"id_token", sdkPrefix + "/sso/session-token/id-token", post, []step{device, client, idToken}},
	{"logout", sdkPrefix + "/logout", getOrPost, []step{device, client, logout}},

	{"token", tenantPrefix + "/token", post, []step{token}},
	{"issue_ticket", tenantPrefix + "/sso/session-token/sso-ticket", post, []step{tenant, issueTicket}},
	{"verify_ticket", tenantPrefix + "/sso/sso-ticket/verify", post, []step{tenant, verifyTicket}},
	{"refresh", tenantPrefix + "/sso/session-token/refresh", post, []step{tenant, refresh}},
}

// Serves reports whether a path belongs to this API, known or not: none of them
// may be passed on to a backend.
func (h *Handler) Serves(path string) bool { return serves(path) }

func serves(path string) bool {
	return within(path, sdkPrefix) || within(path, tenantPrefix)
}

func within(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// find is the first two checks of every call: path, then method.
func (c *call) find() (*route, error) {
	i := slices.IndexFunc(routes, func(rt route) bool { return rt.path == c.r.URL.Path })
	// RawPath is set only where a path was escaped in a way that Go would not
	// escape it: %2F or %71. Two spellings of one path are two ways past a rule
	// that somebody in front wrote for one of them.
	if i < 0 || c.r.URL.RawPath != "" {
		return nil, refuse(unknownPath, "no such path")
	}
	rt := &routes[i]
	c.route = rt.name
	if !slices.Contains(rt.methods, c.r.Method) {
		c.w.Header().Set("Allow", strings.Join(rt.methods, ", "))
		return nil, ErrMethod
	}
	return rt, nil
}
