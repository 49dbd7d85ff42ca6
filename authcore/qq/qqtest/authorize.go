package qqtest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxCallbackBytes bounds redirect_uri and state each:
// "callback或者state需保持在500字节以内" (DOC).
const maxCallbackBytes = 500

// authorize answers /oauth2.0/authorize: rows A1 to A4.
//
// Where QQ shows its login page, this shows the accounts. The choice is the
// parameter account, which is ours and not QQ's: a number logs in, anything
// else is the window closed, after which QQ calls nobody back (A2, DOC).
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, _ *Behavior) {
	q := r.URL.Query()
	a := s.app(q.Get("client_id"))
	redirect, state := q.Get("redirect_uri"), q.Get("state")
	switch {
	case a == nil:
		s.refuse(w, r, A3)
		return
	case q.Get("response_type") != "code":
		s.refuse(w, r, AResponse)
		return
	case len(redirect) > maxCallbackBytes, len(state) > maxCallbackBytes, !slices.Contains(a.RedirectURIs, redirect):
		s.refuse(w, r, A4)
		return
	case !q.Has("account"):
		s.choose(w, r, a)
		return
	}
	account, err := strconv.Atoi(q.Get("account"))
	switch {
	case err != nil || account < 0 || account >= maxAccounts:
		s.closed(w, r)
	case a.Unreviewed && account != 0:
		s.refuse(w, r, AUnreviewed)
	default:
		w.Header().Set("Location", callback(redirect, s.Code(a.ID, account, redirect), state))
		w.WriteHeader(http.StatusFound)
	}
}

// callback is row A1. QQ appends to a redirect_uri that has a query already.
func callback(redirect, code, state string) string {
	separator := "?"
	if strings.Contains(redirect, "?") {
		separator = "&"
	}
	return redirect + separator + "code=" + code + "&state=" + url.QueryEscape(state)
}
