package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/qqauth/qqauth/internal/pgtest"
)

// mover is a world whose servers share ports and secret_key, one after the other,
// and have stores of their own.
type mover struct {
	*world
	t    *testing.T
	home *home
}

func newMover(t *testing.T) *mover {
	t.Helper()
	h := newHome(t)
	h.env = append(h.env, "E2E_SECRET_KEY="+randomHex(32))
	return &mover{world: prepareWorld(t), t: t, home: h}
}

// pairsOf fill the Caddyfile for a store.
func (m *mover) pairsOf(store string) []string {
	core := "secret_key {env.E2E_SECRET_KEY}\nstore " + store
	return append([]string{"$CORE", core}, m.pairs...)
}

// badger is a store in a directory of the home.
func (m *mover) badger(name string) string { return "badger " + m.home.path(name) }

// serve starts a server on a store.
func (m *mover) serve(store string) {
	m.t.Helper()
	m.server = m.home.start(worldFile, m.pairsOf(store)...)
}

// configured writes the Caddyfile of a store and returns its path.
func (m *mover) configured(store string) string {
	m.t.Helper()
	name := "Caddyfile." + randomHex(4) // the adapter goes by the name's beginning
	return m.home.write(name, m.home.fill(worldFile, m.pairsOf(store)...))
}

// qqauth runs a command to its end and returns what it reports in JSON.
func (m *mover) qqauth(args ...string) (report map[string]any) {
	m.t.Helper()
	out, log, err := m.try(args...)
	if err != nil {
		m.t.Fatalf("caddy qqauth %s: %v\n%s%s", strings.Join(args, " "), err, out, log)
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		m.t.Fatalf("caddy qqauth %s: %v in %q", args[0], err, out)
	}
	return report
}

// refused runs a command that fails, with a message that holds want.
func (m *mover) refused(want string, args ...string) {
	m.t.Helper()
	out, log, err := m.try(args...)
	if err == nil || !strings.Contains(log, want) {
		m.t.Errorf("caddy qqauth %s: %v, want %q\n%s%s", strings.Join(args, " "), err, want, out, log)
	}
}

func (m *mover) try(args ...string) (out, log string, err error) {
	var stdout, stderr bytes.Buffer
	cmd := m.command(args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

func (m *mover) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(m.t.Context(), binary, append([]string{"qqauth", args[0], "--json"}, args[1:]...)...)
	cmd.Env, cmd.Dir = m.home.env, m.home.dir
	return cmd
}

// records are the lines of an export without its header and keys.
func (m *mover) records(file string) []string {
	m.t.Helper()
	text, err := os.ReadFile(m.home.path(file))
	if err != nil {
		m.t.Fatal(err)
	}
	var records []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, `{"qqauth"`) && !strings.HasPrefix(line, `{"type":"keys"`) {
			records = append(records, line)
		}
	}
	return records
}

// counts fails the test unless a report has counted so.
func counts(t *testing.T, report map[string]any, want map[string]int) {
	t.Helper()
	for name, n := range want {
		if report[name] != float64(n) {
			t.Errorf("%s: %v, want %d; the report is %v", name, report[name], n, report)
		}
	}
}

// TestMoveOfAServer moves all users and their sessions to another store: into one
// that is not open yet, and into one that a new server holds.
func TestMoveOfAServer(t *testing.T) {
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprintf("running=%v", running), func(t *testing.T) {
			m := newMover(t)
			m.testMove(m.badger("first"), m.badger("second"), running)
		})
	}
}

// TestMoveToAndFromPostgres moves them between stores of the two kinds. There the
// command is one more node beside the server.
func TestMoveToAndFromPostgres(t *testing.T) {
	postgres := `postgres "` + pgtest.Database(t) + `"`
	t.Run("to", func(t *testing.T) {
		m := newMover(t)
		m.testMove(m.badger("first"), postgres, true)
	})
	postgres = `postgres "` + pgtest.Database(t) + `"`
	t.Run("from", func(t *testing.T) {
		m := newMover(t)
		m.testMove(postgres, m.badger("second"), false)
	})
}

func (m *mover) testMove(from, to string, running bool) {
	t := m.t
	l := newLedger(t)
	m.serve(from)
	player, banned := m.account(0), m.account(1)
	g, gone := m.login(demoApp, player), m.login(demoApp, banned)
	l.keep("session token", g.Session)
	l.keep("id_token", g.IDToken)
	l.keep("QQ access token", player.AccessToken)
	l.keep("sso_ticket", strings.TrimPrefix(m.ticket(m.bearer(demoApp, demoSecret), g.Session, ""), "ssoTicket-"))
	user, ban := m.userOf(player), m.userOf(banned)
	m.admin("PUT", "/users/"+user.ID+"/segments", map[string]string{"tier": "gold"}).want(http.StatusNoContent, "")
	m.admin("POST", "/users/"+ban.ID+"/disable", nil).want(http.StatusNoContent, "")

	m.refused("--yes", "export", "--final", "-o", "final.jsonl", "--address", m.host("ADMIN"))
	m.qqauth("export", "-o", "trial.jsonl", "--address", m.host("ADMIN"))
	counts(t, m.qqauth("export", "--final", "--yes", "-o", "final.jsonl"), map[string]int{"users": 2, "sessions": 1})
	m.checkFrozen(player, g)
	m.checkFile(l, "final.jsonl")
	m.stop()

	arrived := map[string]int{"created": 2, "sessions": 1, "conflicts": 0}
	if running {
		m.serve(to)
		counts(t, m.qqauth("import", "final.jsonl"), arrived)
		m.await("the server has the keys", func() bool { return m.guarded("/", g.Session).status == http.StatusOK })
	} else {
		counts(t, m.qqauth("import", "final.jsonl", "-c", m.configured(to)), arrived)
		m.serve(to)
	}
	m.guarded("/", g.Session).want(http.StatusOK, "")
	m.guarded("/", gone.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	m.checkIDToken(g.IDToken)
	m.tryLogin(demoApp, banned).want(http.StatusBadRequest, "IDAAS.SDK.USER.0039")
	m.login(demoApp, player)
	if again := m.userOf(player); again.ID != user.ID || again.Segments["tier"] != "gold" {
		t.Errorf("the user is %+v, was %+v", again, user)
	}
	if report := m.qqauth("import", "final.jsonl", "--address", m.host("ADMIN")); report["sessions"] != 0.0 || report["unchanged"] != 2.0 {
		t.Errorf("once more: %v", report)
	}
	m.stop()

	if out, log, err := m.try("reopen", "-c", m.configured(from)); err != nil {
		t.Errorf("reopen: %v\n%s%s", err, out, log)
	}
	m.serve(from)
	m.login(demoApp, player)
}

// checkFrozen demands of a store that is closed for writing that nothing changes
// and guards go on.
func (m *mover) checkFrozen(player account, g grant) {
	m.t.Helper()
	m.tryLogin(demoApp, player).want(http.StatusServiceUnavailable, "IDAAS.SDK.COM.0002")
	m.sdk("GET", "/logout", demoApp, nil, "session-token", g.Session).want(http.StatusServiceUnavailable, "IDAAS.SDK.COM.0002")
	m.guarded("/", g.Session).want(http.StatusOK, "")
}

// checkFile demands that an export is for its owner alone, and holds no secret.
func (m *mover) checkFile(l *ledger, name string) {
	m.t.Helper()
	info, err := os.Stat(m.home.path(name))
	if err != nil || info.Mode().Perm() != 0o600 {
		m.t.Errorf("%s: %v, %v", name, info.Mode(), err)
	}
	text, err := os.ReadFile(m.home.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	l.search(name, string(text))
	if bytes.Contains(text, []byte("PRIVATE")) || bytes.Contains(text, []byte(`"d":`)) {
		m.t.Errorf("%s holds a private key", name)
	}
}

// checkIDToken verifies an id_token of before by the keys of now.
func (m *mover) checkIDToken(raw string) {
	m.t.Helper()
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		m.t.Fatal(err)
	}
	var c jwt.Claims
	if err := token.Claims(m.keysAt("/.well-known/jwks.json"), &c); err != nil {
		m.t.Errorf("an id_token of before the move: %v", err)
	}
}

// listOf writes a CSV of n accounts.
func (m *mover) listOf(name string, n int) {
	m.t.Helper()
	var csv strings.Builder
	csv.WriteString("open_id,display_name\n")
	for i := range n {
		fmt.Fprintf(&csv, "%032X,\"name, %d\"\n", i, i)
	}
	m.home.write(name, csv.String())
}

// TestInterruptedTransfer ends an export and an import in their middle. Gone on
// with, they end as they would have.
func TestInterruptedTransfer(t *testing.T) {
	const users = 20_000
	m := newMover(t)
	first, second := m.configured(m.badger("first")), m.configured(m.badger("second"))
	m.listOf("list.csv", users)
	counts(t, m.qqauth("import", "list.csv", "--format", "csv", "--app", qqApp, "-c", first), map[string]int{"created": users})
	m.qqauth("export", "-o", "whole.jsonl", "-c", first)
	m.checkResume(first)

	import1 := m.command("import", "whole.jsonl", "-c", second)
	if err := import1.Start(); err != nil {
		t.Fatal(err)
	}
	m.home.await("the import is under way", func() bool {
		var note struct{ Records int }
		text, err := os.ReadFile(m.home.path("whole.jsonl.progress"))
		return err == nil && json.Unmarshal(text, &note) == nil && note.Records >= 3000
	})
	_ = import1.Process.Kill()
	if err := import1.Wait(); err == nil {
		t.Fatal("the import has ended before it was killed")
	}
	if info, err := os.Stat(m.home.path("whole.jsonl.progress")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the note of the progress: %v, %v", info, err)
	}
	out, log, err := m.try("import", "whole.jsonl", "-c", second)
	if err != nil || !strings.Contains(log, "going on behind line") {
		t.Fatalf("import: %v\n%s%s", err, out, log)
	}
	var report struct{ Created, Unchanged int }
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.Created+report.Unchanged != users || report.Unchanged > 1000 {
		t.Errorf("gone on with, the import reports %s", out)
	}
	if _, err := os.Stat(m.home.path("whole.jsonl.progress")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the note of the progress: %v", err)
	}
	m.qqauth("export", "-o", "copy.jsonl", "-c", second)
	whole, copied := m.records("whole.jsonl"), m.records("copy.jsonl")
	if len(whole) != users+1 || strings.Join(whole, "") != strings.Join(copied, "") {
		t.Errorf("%d records were exported, %d arrived, or they differ", len(whole), len(copied))
	}
}

// checkResume goes on with exports of which a part was written.
func (m *mover) checkResume(config string) {
	t := m.t
	t.Helper()
	whole, err := os.ReadFile(m.home.path("whole.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	keys := bytes.IndexByte(whole, '\n') + 1
	for _, n := range []int{0, keys, keys + 5, keys + 5000, len(whole) / 2, len(whole) - 1, len(whole)} {
		name := fmt.Sprintf("cut-%d.jsonl", n)
		if err := os.WriteFile(m.home.path(name+".partial"), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		m.refused("--resume", "export", "-o", name, "-c", config)
		m.qqauth("export", "-o", name, "--resume", "-c", config)
		got, err := os.ReadFile(m.home.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && !bytes.Equal(got, whole) {
			t.Errorf("cut after %d bytes and gone on with, the export differs", n)
		}
	}
}

// TestRefusedTransfer tries what must change nothing.
func TestRefusedTransfer(t *testing.T) {
	m := newMover(t)
	first, second := m.configured(m.badger("first")), m.configured(m.badger("second"))
	m.refused("there is no store yet", "export", "-o", "none.jsonl", "-c", first)
	if _, err := os.Stat(m.home.path("none.jsonl.partial")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an export of nothing leaves a file: %v", err)
	}
	const users = 1500 // more than are taken at once
	m.listOf("list.csv", users)
	m.qqauth("import", "list.csv", "--format", "csv", "--app", qqApp, "-c", first)
	m.qqauth("export", "-o", "first.jsonl", "-c", first)
	m.refused("exists", "export", "-o", "first.jsonl", "-c", first)

	m.home.write("openids", "ABCDEF\n")
	m.qqauth("import", "openids", "--format", "openids", "--app", qqApp, "-c", second)
	m.qqauth("export", "-o", "before.jsonl", "-c", second)
	counts(t, m.qqauth("import", "first.jsonl", "--dry-run", "-c", second), map[string]int{"created": users})
	whole, err := os.ReadFile(m.home.path("first.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	m.home.write("cut.jsonl", string(whole[:len(whole)-10]))
	m.refused("incomplete", "import", "cut.jsonl", "-c", second)
	m.home.write("edited.jsonl", strings.Replace(string(whole), `"type":"user"`, `"type":"users"`, 1))
	m.refused("line 3", "import", "edited.jsonl", "-c", second)
	m.refused("line 1", "import", "list.csv", "-c", second)

	env := m.home.env
	m.home.env = append(env, "E2E_SECRET_KEY="+randomHex(32))
	m.refused("another secret_key", "import", "first.jsonl", "-c", second)
	third := m.configured(m.badger("third"))
	m.refused("another secret_key", "import", "first.jsonl", "-c", third)
	counts(t, m.qqauth("export", "-o", "third.jsonl", "-c", third), map[string]int{"users": 0})
	counts(t, m.qqauth("import", "first.jsonl", "--without-keys", "-c", third), map[string]int{"created": users})
	m.home.env = env

	m.qqauth("export", "-o", "after.jsonl", "-c", second)
	if before, after := m.records("before.jsonl"), m.records("after.jsonl"); strings.Join(before, "") != strings.Join(after, "") {
		t.Errorf("the store of %d records has changed, to %d", len(before), len(after))
	}
}

// TestTransferNeedsAdminAPI: what moves accounts is as closed as the rest.
func TestTransferNeedsAdminAPI(t *testing.T) {
	m := newMover(t)
	m.server = m.home.start(strings.Replace(worldFile, "admin_api", "", 1), m.pairsOf(m.badger("first"))...)
	for _, args := range [][]string{
		{"export", "-o", "x.jsonl"}, {"export", "-o", "x.jsonl", "--final", "--yes"}, {"reopen"},
	} {
		m.refused("admin_api", append(args, "--address", m.host("ADMIN"))...)
	}
	m.login(demoApp, m.account(0))
	if _, err := os.Stat(m.home.path("x.jsonl.partial")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused export leaves a file: %v", err)
	}
}

// TestImportOfAList takes accounts of another system into a running server.
func TestImportOfAList(t *testing.T) {
	m := newMover(t)
	m.serve(m.badger("first"))
	known, listed, other := m.account(0), m.account(1), m.account(2)
	m.login(demoApp, known)
	before := m.userOf(known)
	m.home.write("list.csv", "\ufeffapp_id,open_id,segment.tier,mobile,verified\r\n"+
		qqApp+","+known.OpenID+",gold,,\r\n"+
		qqApp+","+listed.OpenID+",silver,+86-15201657321,true\r\n"+
		"no-app,ABC,,,\r\n")
	report := m.qqauth("import", "list.csv", "--format", "csv", "--address", m.host("ADMIN"))
	counts(t, report, map[string]int{"created": 1, "unchanged": 1, "conflicts": 1})
	if shown := fmt.Sprint(report["shown_conflicts"]); !strings.Contains(shown, "line:4") {
		t.Errorf("the conflict: %s", shown)
	}
	m.home.write("openids", listed.OpenID+"\n"+other.OpenID+"\n")
	counts(t, m.qqauth("import", "openids", "--format", "openids", "--app", qqApp, "--address", m.host("ADMIN")),
		map[string]int{"created": 1, "unchanged": 1})
	if after := m.userOf(known); after.ID != before.ID || after.Segments["tier"] != "" {
		t.Errorf("a user of before was changed to %+v", after)
	}
	user := m.userOf(listed)
	m.guarded("/", m.login(demoApp, listed).Session).want(http.StatusOK, "")
	if again := m.userOf(listed); again.ID != user.ID || again.Segments["tier"] != "silver" {
		t.Errorf("the listed user is %+v at the login, was %+v", again, user)
	}
}

// TestImportByParts sends the admin API what no command sends.
func TestImportByParts(t *testing.T) {
	m := newMover(t)
	m.serve(m.badger("first"))
	m.login(demoApp, m.account(0))
	const header = `{"qqauth":"export","version":1,"created":"2026-05-04T03:02:01Z","final":false}` + "\n"
	for _, body := range []string{"", "{}\n", header + "{}\n", header + `{"type":"user"`, strings.Repeat("x", 9<<20)} {
		if a := m.ask("POST", m.url("ADMIN", "/qqauth/import"), []byte(body)); a.status != http.StatusBadRequest {
			t.Errorf("%.40q: %d %s", body, a.status, a.body)
		}
	}
	if a := m.ask("GET", m.url("ADMIN", "/qqauth/export?final=true"), nil); a.status != http.StatusConflict {
		t.Errorf("final export of an open store: %d %s", a.status, a.body)
	}
	if a := m.ask("GET", m.url("ADMIN", "/qqauth/export?after=nothing"), nil); a.status != http.StatusBadRequest {
		t.Errorf("export from nowhere: %d %s", a.status, a.body)
	}
	a := m.ask("GET", m.url("ADMIN", "/qqauth/export"), nil)
	lines := bufio.NewScanner(bytes.NewReader(a.body))
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if a.status != http.StatusOK || last != `{"type":"end","users":1,"sessions":0,"retired":0,"accesses":1}` {
		t.Errorf("export: %d, ends in %s", a.status, last)
	}
}
