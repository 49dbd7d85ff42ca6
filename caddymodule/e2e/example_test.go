package e2e

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// startExample runs a copy of Caddyfile.example with other ports.
func startExample(t *testing.T) *server {
	t.Helper()
	example, err := os.ReadFile("../../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	h := newHome(t)
	s := h.start(string(example), ":8080", ":"+h.ports["LOGIN"], ":8081", ":"+h.ports["APP"], ":8082", ":"+h.ports["OTHER"])
	for _, port := range []string{":8080", ":8081", ":8082"} {
		if !strings.Contains(string(example), port) {
			t.Fatalf("the example has no port %s", port)
		}
	}
	return s
}

// TestExample walks through the example as README does.
func TestExample(t *testing.T) {
	s := startExample(t)
	all := s.accounts()
	if len(all) == 0 {
		t.Fatal("the simulator has no accounts")
	}
	g := s.login(demoApp, all[0])
	if g.Expire != 604800 || g.IDToken == "" {
		t.Errorf("login: expire %d, want 604800, and an id_token", g.Expire)
	}

	got := s.guarded("/hello", g.Session).want(http.StatusOK, "").text()
	assertion := line(t, got, "assertion: ")
	user := s.userOf(all[0])
	c := s.verifyAssertion(assertion, s.url("APP", ""))
	if c.Subject != user.ID || c.ClientID != demoApp || c.Name != all[0].Nickname || !slices.Equal(c.Methods, []string{"qq"}) {
		t.Errorf("assertion of %s: %+v", user.ID, c)
	}
	if !strings.Contains(line(t, got, "user: "), user.ID) {
		t.Errorf("the sample backend does not know %s: %s", user.ID, got)
	}
	if strings.Contains(got, g.Session) {
		t.Error("the sample backend got the session token")
	}
	s.guarded("/hello", strings.Repeat("A", 32)).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")

	t.Run("ticket", func(t *testing.T) { exampleTicket(s.in(t), g, user) })
	t.Run("lifetime", func(t *testing.T) { exampleLifetime(s.in(t), all[1]) })
	t.Run("admin", func(t *testing.T) { exampleAdmin(s.in(t), all[2]) })
	t.Run("commands", func(t *testing.T) { exampleCommands(s.in(t)) })
}

// line returns what follows a word at the begin of a line.
func line(t *testing.T, text, begins string) string {
	t.Helper()
	for l := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(l, begins); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("no line begins with %q: %s", begins, text)
	return ""
}

func exampleTicket(s *server, g grant, user adminUser) {
	demo, shop := s.bearer(demoApp, demoSecret), s.bearer(demoShop, shopSecret)
	for _, receiver := range []struct{ id, bearer string }{{"", demo}, {demoShop, shop}} {
		ticket := s.ticket(demo, g.Session, receiver.id)
		if rest, ok := strings.CutPrefix(ticket, "ssoTicket-"); !ok || len(rest) != 32 {
			s.t.Errorf("ticket is %q", ticket)
		}
		var profile struct{ ID, UserName, Name, Mobile, Email string }
		s.redeem(receiver.bearer, ticket).want(http.StatusOK, "").json(&profile)
		if profile.ID != user.ID {
			s.t.Errorf("the ticket is %q's, want %q's", profile.ID, user.ID)
		}
		s.redeem(receiver.bearer, ticket).want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0032")
	}
}

// exampleLifetime refreshes a session and ends it.
func exampleLifetime(s *server, a account) {
	old := s.login(demoApp, a)
	var fresh grant
	s.sdk("POST", "/sso/session-token/id-token", demoApp, nil, "session-token", old.Session).want(http.StatusOK, "").json(&fresh)
	if fresh.Session != old.Session || fresh.IDToken == "" || fresh.IDToken == old.IDToken {
		s.t.Error("id-token: the session changed, or the id_token did not")
	}
	var next grant
	s.tenant("/session-token/refresh", s.bearer(demoApp, demoSecret), map[string]string{"session_token": old.Session}).
		want(http.StatusOK, "").json(&next)
	s.guarded("/", old.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	s.guarded("/", next.Session).want(http.StatusOK, "")

	if out := s.sdk("GET", "/logout", demoApp, nil, "session-token", next.Session); out.status != http.StatusOK || len(out.body) > 0 {
		s.t.Errorf("logout: %d %q, want 200 and nothing", out.status, out.body)
	}
	s.guarded("/", next.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")

	byIDToken := s.login(demoApp, a)
	s.sdk("POST", "/logout", demoApp, nil, "Authorization", "Bearer "+byIDToken.IDToken).want(http.StatusOK, "")
	s.guarded("/", byIDToken.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
}

func exampleAdmin(s *server, a account) {
	g := s.login(demoApp, a)
	user := s.userOf(a)
	path := "/users/" + user.ID

	c := s.verifyAssertion(line(s.t, s.guarded("/", g.Session).text(), "assertion: "), s.url("APP", ""))
	var byID adminUser
	s.admin("GET", "/users?id="+user.ID, nil).want(http.StatusOK, "").json(&byID)
	if diff := cmp.Diff(user, byID); diff != "" {
		s.t.Errorf("the user by open_id and by id: -want +got\n%s", diff)
	}
	sessions := s.sessionsOf(user.ID)
	if len(sessions) != 1 || sessions[0] != c.Session {
		s.t.Errorf("sessions %v, the assertion's sid %q", sessions, c.Session)
	}

	s.admin("POST", path+"/disable", nil).want(http.StatusNoContent, "")
	s.guarded("/", g.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	s.tryLogin(demoApp, a).want(http.StatusBadRequest, "IDAAS.SDK.USER.0039")
	s.admin("POST", path+"/enable", nil).want(http.StatusNoContent, "")
	// The token that the user had logged in with stays refused.
	s.tryLogin(demoApp, a).want(http.StatusBadRequest, "IDAAS.SDK.QQ.0001")
	exampleEnd(s, user)
	for _, absent := range []string{"/users?id=nobody", "/users/nobody/sessions"} {
		if got := s.admin("GET", absent, nil); got.status != http.StatusNotFound {
			s.t.Errorf("%s: %d, want 404", absent, got.status)
		}
	}
}

// exampleEnd ends sessions one by one and all at once; several QQ tokens are
// needed, since one that its user was disabled with is good no more.
func exampleEnd(s *server, disabled adminUser) {
	if ids := s.sessionsOf(disabled.ID); len(ids) != 0 {
		s.t.Errorf("a disabled user has sessions: %v", ids)
	}
	a := s.accounts()[3]
	first, second := s.login(demoApp, a), s.login(demoApp, a)
	user := s.userOf(a)
	ids := s.sessionsOf(user.ID)
	if len(ids) != 2 {
		s.t.Fatalf("%d sessions, want 2", len(ids))
	}
	s.admin("DELETE", "/sessions/"+ids[0], nil).want(http.StatusNoContent, "")
	alive := 0
	for _, g := range []grant{first, second} {
		if s.guarded("/", g.Session).status == http.StatusOK {
			alive++
		}
	}
	if alive != 1 {
		s.t.Errorf("%d of two sessions live after one was ended", alive)
	}
	s.admin("DELETE", "/users/"+user.ID+"/sessions", nil).want(http.StatusNoContent, "")
	for _, g := range []grant{first, second} {
		s.guarded("/", g.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	}
	s.tryLogin(demoApp, a).want(http.StatusBadRequest, "IDAAS.SDK.QQ.0001")
}

// TestSegments has an administrator set what the assertion says.
func TestSegments(t *testing.T) {
	s := startExample(t)
	a := s.accounts()[0]
	g := s.login(demoApp, a)
	for _, segments := range []map[string]string{{"tier": "gold"}, {"tier": "silver", "rank": "{env.HOME} 等级"}, {}} {
		s.admin("PUT", "/users/"+s.userOf(a).ID+"/segments", segments).want(http.StatusNoContent, "")
		c := s.verifyAssertion(line(t, s.guarded("/", g.Session).text(), "assertion: "), s.url("APP", ""))
		for _, got := range []map[string]string{s.userOf(a).Segments, c.Segments} {
			if diff := cmp.Diff(segments, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		}
	}
	for _, bad := range []string{`[]`, `{"a":1}`, `{"a":"1","a":"2"}`, ``} {
		path := s.url("ADMIN", "/qqauth/users/"+s.userOf(a).ID+"/segments")
		if got := s.ask("PUT", path, []byte(bad), "Content-Type", "application/json"); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", bad, got.status)
		}
	}
}

// exampleCommands runs Caddy's commands beside the running server.
func exampleCommands(s *server) {
	t := s.t
	before := fingerprintOf(t, s.path("data"))
	for _, command := range []string{"validate", "adapt", "fmt"} {
		args := []string{command, "--config", s.path("Caddyfile")}
		if command == "fmt" {
			args = []string{command, s.path("Caddyfile")}
		}
		if out, err := s.run(args...); err != nil {
			t.Errorf("caddy %s: %v\n%s", command, err, out)
		}
	}
	if len(before) == 0 {
		t.Error("the data directory holds nothing")
	}
	if diff := cmp.Diff(before, fingerprintOf(t, s.path("data"))); diff != "" {
		t.Errorf("the data directory changed: -before +after\n%s", diff)
	}
	if out, err := s.run("reload", "--force", "--config", s.path("Caddyfile")); err != nil {
		t.Errorf("caddy reload: %v\n%s", err, out)
	}
}

// fingerprintOf describes every file below a directory: time and content.
func fingerprintOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files[path] = fmt.Sprintf("%v %d %x", info.ModTime(), info.Size(), sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
