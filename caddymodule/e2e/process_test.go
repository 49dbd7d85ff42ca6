package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests: nothing that works takes so long,
// even on a busy machine.
const patience = 30 * time.Second

// home is where one Caddy, or several in turn, keep their files, and the ports
// that its Caddyfile is written for.
type home struct {
	t     *testing.T
	dir   string
	env   []string
	ports map[string]string
}

// newHome makes an empty home. Its ports have names, which stand in a Caddyfile
// as $NAME: ADMIN, LOGIN, APP, OTHER, PLAIN.
func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{t: t, dir: t.TempDir(), ports: map[string]string{}}
	var held []net.Listener
	for _, name := range []string{"ADMIN", "LOGIN", "APP", "OTHER", "PLAIN"} {
		l := listenLow(t)
		held = append(held, l)
		h.ports[name] = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}
	for _, l := range held {
		l.Close()
	}
	h.env = append(os.Environ(), "HOME="+h.dir, "XDG_DATA_HOME="+h.path("data"), "XDG_CONFIG_HOME="+h.path("config"),
		"CADDY_ADMIN="+h.host("ADMIN"), "GORACE=halt_on_error=0")
	return h
}

// listenLow takes a free port below those that connections come from: one of these
// may be in use again by the time that Caddy asks for it.
func listenLow(t *testing.T) net.Listener {
	t.Helper()
	for {
		l, err := net.Listen("tcp", ":"+strconv.Itoa(10_000+rand.IntN(5_000)))
		if err == nil {
			return l
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
}

func (h *home) path(elements ...string) string {
	return filepath.Join(append([]string{h.dir}, elements...)...)
}

// storeDir is where a store without a directory is.
func (h *home) storeDir() string { return h.path("data", "caddy", "qqauth") }

// host is host and port of a named port.
func (h *home) host(port string) string { return "localhost:" + h.ports[port] }

func (h *home) url(port, path string) string { return "http://" + h.host(port) + path }

// fill puts the ports into a Caddyfile, and pairs of name and value.
func (h *home) fill(caddyfile string, pairs ...string) string {
	for name, port := range h.ports {
		pairs = append(pairs, "$"+name, port)
	}
	return strings.NewReplacer(pairs...).Replace(caddyfile)
}

// write makes a file in the home and returns its path.
func (h *home) write(name, content string) string {
	h.t.Helper()
	path := h.path(name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// run runs a command of the binary to its end.
func (h *home) run(args ...string) (output string, err error) {
	cmd := exec.CommandContext(h.t.Context(), binary, args...)
	cmd.Env, cmd.Dir = h.env, h.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// server is a running Caddy.
type server struct {
	*home
	cmd  *exec.Cmd
	log  string // the file that it logs to
	done chan struct{}
	err  error // of its end; read after done
}

// in is the server as a subtest sees it.
func (s *server) in(t *testing.T) *server {
	h, sub := *s.home, *s
	h.t = t
	sub.home = &h
	return &sub
}

// start runs a Caddyfile and waits until Caddy serves it.
func (h *home) start(caddyfile string, pairs ...string) *server {
	h.t.Helper()
	s := h.launch(h.write("Caddyfile", h.fill(caddyfile, pairs...)))
	s.awaitServing()
	return s
}

// awaitServing waits until Caddy serves the configuration it was launched with.
func (s *server) awaitServing() {
	s.t.Helper()
	s.await("caddy serves", func() bool {
		select {
		case <-s.done:
			s.t.Fatalf("caddy ended: %v", s.err)
		default:
		}
		// The line is written when every app has started.
		return strings.Contains(s.logged(), `"serving initial configuration"`)
	})
}

// launch runs a configuration file and waits for nothing.
func (h *home) launch(config string) *server {
	h.t.Helper()
	log, err := os.CreateTemp(h.dir, "log-*")
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	s := &server{home: h, log: log.Name(), done: make(chan struct{})}
	s.cmd = exec.Command(binary, "run", "--config", config)
	s.cmd.Env, s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = h.env, h.dir, log, log
	if err := s.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	h.t.Cleanup(s.finish)
	return s
}

// finish ends the server at the end of a test and looks for what no test may
// leave in a log.
func (s *server) finish() {
	s.stop()
	log := s.logged()
	for _, bad := range []string{"panic", "goroutine 1 ["} {
		if at := strings.Index(log, bad); at >= 0 {
			s.t.Errorf("the log holds %q: %s", bad, log[at:min(len(log), at+4000)])
		}
	}
	for _, report := range races(log) {
		s.t.Errorf("data race:\n%s", report)
	}
	if s.t.Failed() {
		fmt.Fprintf(s.t.Output(), "log of caddy:\n%s\n", tail(log, 20_000))
	}
}

// races are the data races of a log, but for those that lie within Caddy alone.
func races(log string) (reports []string) {
	for i, report := range strings.Split(log, "WARNING: DATA RACE") {
		if i == 0 {
			continue
		}
		report, _, _ = strings.Cut(report, "==================")
		lines := strings.Split(report, "\n")
		ours := false
		for n, line := range lines[:len(lines)-1] {
			if strings.Contains(line, " by goroutine ") || strings.Contains(line, " by main goroutine") {
				ours = ours || !strings.Contains(lines[n+1], "github.com/caddyserver/caddy/v2/")
			}
		}
		if ours {
			reports = append(reports, report)
		}
	}
	return reports
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}

// stop asks the server to end and waits for it.
func (s *server) stop() { s.signal(syscall.SIGTERM) }

// kill ends the server as a power cut ends a process.
func (s *server) kill() { s.signal(syscall.SIGKILL) }

func (s *server) signal(sig os.Signal) {
	_ = s.cmd.Process.Signal(sig) // fails only if it has ended
	select {
	case <-s.done:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.done
		s.t.Errorf("caddy did not end within %v of %v", patience, sig)
	}
	// Another Caddy may take the ports: what is sent on a connection to this one
	// would be lost, and a POST is not sent again.
	client.CloseIdleConnections()
}

func (s *server) logged() string {
	s.t.Helper()
	log, err := os.ReadFile(s.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	return string(bytes.ToValidUTF8(log, []byte("?")))
}

// await polls a condition until it holds.
func (h *home) await(what string, holds func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			h.t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond) // between two looks at the condition
	}
}

// reload loads a Caddyfile through the admin API, even if nothing has changed.
func (s *server) reload(caddyfile string, pairs ...string) {
	s.t.Helper()
	if status, body := s.tryReload(caddyfile, pairs...); status != http.StatusOK {
		s.t.Fatalf("reload: %d %s", status, body)
	}
}

func (s *server) tryReload(caddyfile string, pairs ...string) (status int, body string) {
	s.t.Helper()
	a := s.ask("POST", s.url("ADMIN", "/load"), []byte(s.fill(caddyfile, pairs...)),
		"Content-Type", "text/caddyfile", "Cache-Control", "must-revalidate")
	client.CloseIdleConnections() // Caddy is closing those of the old configuration
	return a.status, a.text()
}
