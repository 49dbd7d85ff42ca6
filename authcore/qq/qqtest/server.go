package qqtest

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// App is an application at QQ Connect.
type App struct {
	// ID is its client_id. Required.
	ID string
	// Key is its client_secret; without one no code can be exchanged.
	Key string
	// Developer groups applications: those of one developer see one unionid
	// for one account.
	Developer string
	// UnionID says that Tencent has granted unionids to it.
	UnionID bool
	// Unreviewed says that it is not online: account 0, the developer's own,
	// alone can log in. Grade INF.
	Unreviewed bool
	// RedirectURIs are where authorize may return to, compared to the letter.
	// Grade INF: QQ has compared domains alone, and has tightened it since.
	RedirectURIs []string
}

// Config says which applications there are.
type Config struct {
	// Apps are the applications; at least one.
	Apps []App
	// Nicknames are those of accounts 0, 1, …; a set of our own if empty.
	// Accounts after them have made-up ones.
	Nicknames []string
	// Replace gives rows another failure. Only what is graded Inferred or
	// NotFound can be replaced: the rest is known.
	Replace map[Row]Failure
	// Now tells the time; time.Now if nil.
	Now func() time.Time
}

// Path is one of the paths that QQ answers, and an index into the counters.
type Path string

// The paths.
const (
	PathAuthorize Path = "/oauth2.0/authorize"
	PathToken     Path = "/oauth2.0/token"
	PathMe        Path = "/oauth2.0/me"
	PathUserInfo  Path = "/user/get_user_info"
)

// Server is an offline QQ. It is an http.Handler for QQ's own paths and, at /
// and /code, for the page of accounts and one-time codes; it is safe for
// concurrent use.
type Server struct {
	apps      []*app
	nicknames []string
	replace   map[Row]Failure
	now       func() time.Time
	behavior  atomic.Pointer[Behavior]
	calls     map[Path]*atomic.Int64
	serial    atomic.Uint32

	mu      sync.RWMutex
	dead    map[string]Row // access tokens ended through a hook
	codes   map[string]*grant
	refresh map[string]*grant
}

// app is an App with the keys that its ids and tokens are made under.
type app struct {
	App
	openIDs, unionIDs, tokens cipher.Block
}

// New returns a Server, or an error that says what is wrong with c.
func New(c Config) (*Server, error) {
	if len(c.Apps) == 0 {
		return nil, errors.New("qqtest: no apps")
	}
	s := &Server{
		nicknames: c.Nicknames,
		replace:   c.Replace,
		now:       c.Now,
		dead:      make(map[string]Row),
		codes:     make(map[string]*grant),
		refresh:   make(map[string]*grant),
		calls:     make(map[Path]*atomic.Int64),
	}
	for _, a := range c.Apps {
		if a.ID == "" || url.QueryEscape(a.ID) != a.ID || s.app(a.ID) != nil {
			return nil, fmt.Errorf("qqtest: app id %q is empty, there twice or no plain word", a.ID)
		}
		s.apps = append(s.apps, newApp(a))
	}
	for row := range c.Replace {
		if !row.replaceable() {
			return nil, fmt.Errorf("qqtest: row %s cannot be replaced: its grade is %q", row, row.Graded())
		}
	}
	for _, p := range []Path{PathAuthorize, PathToken, PathMe, PathUserInfo} {
		s.calls[p] = new(atomic.Int64)
	}
	if len(s.nicknames) == 0 {
		s.nicknames = nicknames
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.Behave(Behavior{})
	return s, nil
}

// app returns the application of an id, nil if there is none.
func (s *Server) app(id string) *app {
	for _, a := range s.apps {
		if a.ID == id {
			return a
		}
	}
	return nil
}

// ServeHTTP answers QQ's paths and our own two.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := Path(r.URL.Path)
	if n := s.calls[path]; n != nil {
		n.Add(1)
	}
	b := s.behavior.Load()
	if b.Fault != nil && b.Fault(w, r) {
		return
	}
	switch path {
	case PathMe:
		s.me(w, r, b)
	case PathUserInfo:
		s.userInfo(w, r, b)
	case PathToken:
		s.token(w, r, b)
	case PathAuthorize:
		s.authorize(w, r, b)
	case codePath:
		s.code(w, r)
	case "/", "":
		s.accounts(w, r)
	default:
		http.NotFound(w, r)
	}
}

// Calls returns how often a path has been asked for, so that a test can prove
// that a code was sent once or that a refused login asked nobody.
func (s *Server) Calls(p Path) int {
	if n := s.calls[p]; n != nil {
		return int(n.Load())
	}
	return 0
}

var _ http.Handler = (*Server)(nil)
