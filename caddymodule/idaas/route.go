package idaas

import (
	"net/http"
	"slices"
	"strings"

	"github.com/qqauth/qqauth/authcore"
)

const (
	sdkPrefix    = "/api/v2/sdk"
	tenantPrefix = "/api/v2/tenant"
)

// route is one call of the API. Its steps run in this order, and the first that
// fails is what the caller is told; the last one answers.
type route struct {
	name    string // in logs
	path    string // one segment of it may be userSegment
	methods []string
	steps   []step
}

// userSegment stands in a route's path for the id of a user.
const userSegment = "{id}"

// step checks one thing of a call and keeps it there, or carries the call out.
type step func(*call) error

var (
	get       = []string{http.MethodGet}
	post      = []string{http.MethodPost}
	remove    = []string{http.MethodDelete}
	getOrPost = []string{http.MethodGet, http.MethodPost}
)

var (
	binds     = state(authcore.StatusSocialBind)
	registers = state(authcore.StatusUserRegister)
	mfa       = state(authcore.StatusMFAAuth)
)

// routes is the whole API.
var routes = []route{
	{"login_qq", sdkPrefix + "/login/qq", post, []step{device, client, loginQQ}},
	{"bind", sdkPrefix + "/social/bind", post, []step{device, client, binds, bind}},
	{"register_bind", sdkPrefix + "/social/register-bind", post, []step{device, client, registers, registerBind}},
	{"mfa_sms", sdkPrefix + "/mfa/sms", post, []step{device, client, mfa, mfaSMS}},
	{"mfa_email", sdkPrefix + "/mfa/email", post, []step{device, client, mfa, mfaEmail}},

	{"captcha", sdkPrefix + "/captcha", get, []step{device, client, captcha}},
	{"captcha_verify", sdkPrefix + "/captcha/verify", post, []step{device, client, captchaVerify}},
	{"send_sms", sdkPrefix + "/sms/send", post, []step{device, client, anyState, sendSMS}},
	{"send_email", sdkPrefix + "/email/send", post, []step{device, client, anyState, sendEmail}},
	{"mobile_by_token", sdkPrefix + "/mobile-by-token", get, []step{device, client, mfa, mobileByToken}},
	{"country_codes", sdkPrefix + "/country-codes", get, []step{device, client, countryCodes}},

	{"id_token", sdkPrefix + "/sso/session-token/id-token", post, []step{device, client, idToken}},
	{"logout", sdkPrefix + "/logout", getOrPost, []step{device, client, logout}},

	{"profile", sdkPrefix + "/profile", get, []step{device, client, signedIn, profile}},
	{"profile_update", sdkPrefix + "/profile/update", post, []step{device, client, signedIn, profileUpdate}},
	{"social", sdkPrefix + "/social", get, []step{device, client, signedIn, social}},
	{"unbind", sdkPrefix + "/social/unbind-account", post, []step{device, client, signedIn, unbind}},
	{"delete_account", sdkPrefix + "/account/delete", post, []step{device, client, signedIn, deleteAccount}},

	{"token", tenantPrefix + "/token", post, []step{token}},
	{"issue_ticket", tenantPrefix + "/sso/session-token/sso-ticket", post, []step{tenant, issueTicket}},
	{"verify_ticket", tenantPrefix + "/sso/sso-ticket/verify", post, []step{tenant, verifyTicket}},
	{"refresh", tenantPrefix + "/sso/session-token/refresh", post, []step{tenant, refresh}},
	{"user", tenantPrefix + "/users/{id}", get, []step{tenant, subject, user}},
	{"disable_user", tenantPrefix + "/users/{id}/disable", post, []step{tenant, subject, disableUser}},
	{"enable_user", tenantPrefix + "/users/{id}/enable", post, []step{tenant, subject, enableUser}},
	{"end_sessions", tenantPrefix + "/users/{id}/sessions", remove, []step{tenant, subject, endSessions}},

	{"openapi", descriptionPath, get, []step{describeAPI}},
}

// Serves reports whether a path belongs to this API, known or not: none of them
// may be passed on to a backend.
func (h *Handler) Serves(path string) bool { return serves(path) }

func serves(path string) bool {
	return within(path, sdkPrefix) || within(path, tenantPrefix) || path == descriptionPath
}

func within(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// match reports whether a path is the route's, and which user it names.
func (rt *route) match(path string) (id authcore.UserID, ok bool) {
	before, after, named := strings.Cut(rt.path, userSegment)
	if !named {
		return "", path == rt.path
	}
	rest, begins := strings.CutPrefix(path, before)
	segment, ends := strings.CutSuffix(rest, after)
	return authcore.UserID(segment), begins && ends && segment != "" && !strings.Contains(segment, "/")
}

// find is the first check of every call: the path.
func (c *call) find() (*route, error) {
	// RawPath is set only where a path was escaped in a way that Go would not
	// escape it: %2F or %71. Two spellings of one path are two ways past a rule
	// that somebody in front wrote for one of them.
	if c.r.URL.RawPath == "" {
		for i := range routes {
			if id, ok := routes[i].match(c.r.URL.Path); ok {
				c.route, c.user = routes[i].name, id
				return &routes[i], nil
			}
		}
	}
	return nil, refuse(unknownPath, "no such path")
}

// method is the second check.
func (c *call) method(rt *route) error {
	if slices.Contains(rt.methods, c.r.Method) {
		return nil
	}
	c.w.Header().Set("Allow", strings.Join(rt.methods, ", "))
	return ErrMethod
}
