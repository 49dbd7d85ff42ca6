package qqtest

import (
	"crypto/aes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// codeLife is how long a code is good: "此code会在10分钟内过期" (DOC).
const codeLife = 10 * time.Minute

// grant is what a code or a refresh token stands for.
type grant struct {
	app      *app
	account  int
	redirect string // empty where a mobile app got the code, which has none
	issued   time.Time
	used     bool
}

// Code returns a fresh code, as authorize hands out: 32 upper-case hex digits,
// good once, for 10 minutes, in this application and with this redirect_uri; an
// empty one makes it a mobile app's code. It is remembered as long as the server
// lives.
func (s *Server) Code(appID string, account int, redirectURI string) string {
	g := &grant{app: s.mustApp(appID, account), account: account, redirect: redirectURI, issued: s.now()}
	code := random()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = g
	return code
}

func random() string {
	var b [aes.BlockSize]byte
	rand.Read(b[:])
	return upperHex(b)
}

// token answers /oauth2.0/token: rows T1 to T10. QQ's pages document GET; POST
// with a form works too (OBS).
func (s *Server) token(w http.ResponseWriter, r *http.Request, b *Behavior) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest) // no source; not a row
		return
	}
	asJSON := r.Form.Get("fmt") == "json"
	g, row := s.redeem(r.Form)
	if row != "" {
		// An error is JSONP even where the success is a query string.
		s.fail(w, b, asJSON && !b.JSONP, row)
		return
	}
	access, next := s.issue(g.app, g.account), random()
	s.mu.Lock()
	s.refresh[next] = &grant{app: g.app, account: g.account, issued: s.now()}
	s.mu.Unlock()
	if !asJSON {
		send(w, b, fmt.Appendf(nil, "access_token=%s&expires_in=%d&refresh_token=%s", access, b.ExpiresIn, next))
		return
	}
	answer := tokenAnswer{AccessToken: access, ExpiresIn: expiresIn(b), RefreshToken: next}
	if r.Form.Get("need_openid") == "1" {
		answer.OpenID = g.app.openID(g.account)
	}
	write(w, b, !b.JSONP, answer)
}

// tokenAnswer is row T2.
type tokenAnswer struct {
	AccessToken  string          `json:"access_token"`
	ExpiresIn    json.RawMessage `json:"expires_in"`
	RefreshToken string          `json:"refresh_token"`
	OpenID       string          `json:"openid,omitempty"`
}

func expiresIn(b *Behavior) json.RawMessage {
	text := strconv.Itoa(b.ExpiresIn)
	if !b.NumericExpiry {
		text = strconv.Quote(text)
	}
	return json.RawMessage(text)
}

// redeem uses up the code or refresh token of a form. In which order QQ looks
// at several faults is not known; this is the order of its error numbers'
// fields.
func (s *Server) redeem(form url.Values) (*grant, Row) {
	a := s.app(form.Get("client_id"))
	kind := form.Get("grant_type")
	switch {
	case form.Get("client_id") == "":
		return nil, T3
	case a == nil:
		return nil, T3Unknown
	case kind != "authorization_code" && kind != "refresh_token":
		return nil, T4
	case form.Get("client_secret") == "":
		return nil, T10Secret
	case form.Get("client_secret") != a.Key:
		return nil, T5
	case kind == "refresh_token":
		return s.redeemRefresh(a, form.Get("refresh_token"))
	}
	return s.redeemCode(a, form.Get("code"), form.Get("redirect_uri"))
}

func (s *Server) redeemCode(a *app, code, redirect string) (*grant, Row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.codes[code]
	switch {
	case code == "":
		return nil, T10Code
	case g == nil || g.app != a:
		return nil, T7
	case g.used:
		return nil, T8
	case s.now().Sub(g.issued) >= codeLife:
		return nil, T7Expired
	case g.redirect != "" && g.redirect != redirect:
		return nil, T6
	}
	g.used = true
	return g, ""
}

func (s *Server) redeemRefresh(a *app, token string) (*grant, Row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.refresh[token]
	switch {
	case token == "":
		return nil, T10Refresh
	case g == nil || g.app != a:
		return nil, T9
	}
	delete(s.refresh, token)
	return g, ""
}
