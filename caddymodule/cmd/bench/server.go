package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// The names that both sides of the wire agree on.
const (
	clientID        = "bench"
	clientSecret    = "of-the-benchmark-alone"
	fingerprint     = "bench-device"
	assertionHeader = "X-Qqauth-Ticket"
	gameKey         = "bench"
	gameCredential  = "device"
	gameSecret      = "of-the-games-of-the-benchmark"
)

// server is a running Caddy.
type server struct {
	cmd    *exec.Cmd
	config string // the Caddyfile's text
	// Addresses: app is what is asked first, the guarded site or, without the
	// module, the bare one. bare is the bare site beside the guarded one.
	admin, login, app, bare string
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// build compiles the Caddy of this checkout; flags are go build's.
func (b *bench) build(into string, flags ...string) error {
	args := append([]string{"build", "-o", into}, flags...)
	cmd := exec.CommandContext(b.ctx, "go", append(args, "github.com/qqauth/qqauth/caddymodule/cmd/caddy")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build caddy: %w\n%s", err, out)
	}
	return nil
}

// guarded is a Caddy with the module.
type guarded struct {
	store *store
	alg   string // of id_tokens; RS256 if empty
	caddy string // the program; the bench's if empty
	// static is the value of the bare site's header.
	static string
	// alone gives Caddy one processor, so that the others are left to the load:
	// where all share all, what limits a rate is the load as much as Caddy.
	alone bool
	// memory is what Caddy may take before it collects garbage; Go's own measure
	// if empty, by which a small heap is collected often.
	memory string
	// games opens the GameSparks API.
	games bool
	// tls is what the login site serves TLS with; nil leaves it plain.
	tls *certificate
}

// start starts it and waits until a session gets through the guard.
func (g guarded) start(b *bench) (*server, error) {
	addrs, err := freeAddrs(4)
	if err != nil {
		return nil, err
	}
	s := &server{admin: addrs[0], login: addrs[1], app: addrs[2], bare: addrs[3]}
	s.config = g.caddyfile(b, s)
	var env []string
	if g.alone {
		env = append(env, "GOMAXPROCS=1")
	}
	if g.memory != "" {
		env = append(env, "GOGC=off", "GOMEMLIMIT="+g.memory)
	}
	request := guardedRequest(nil, s.app, "/", g.store.tokens[0])
	return s, s.start(b, cmp.Or(g.caddy, b.caddy), request, env...)
}

// caddyfile is its configuration at a server's addresses.
func (g guarded) caddyfile(b *bench, s *server) string {
	public, options, client, site := "http://"+s.login, "", "", ""
	if g.tls != nil {
		_, port, _ := net.SplitHostPort(s.login)
		public = "https://" + net.JoinHostPort(g.tls.host, port)
		options = "\n\tauto_https disable_redirects" // which would take port 80
		site = fmt.Sprintf("\tbind 127.0.0.1\n\ttls %q %q\n", g.tls.file, g.tls.key)
	}
	if g.games {
		client = fmt.Sprintf("\n\t\t\tgamesparks %s %s %q", gameKey, gameCredential, gameSecret)
	}
	return fmt.Sprintf(`{
	admin %[1]s
	persist_config off%[13]s
	qqauth {
		public_url %[2]s
		store %[4]s
		secret_key {file.%[5]s}
		qq %[6]s {
			endpoint http://%[7]s
		}
		client %[8]s {
			secret %[9]q%[14]s
		}
		id_token_alg %[10]s
		attempts off
	}
}
%[2]s {
%[15]s	qqauth_login
}
http://%[3]s {
	qqauth_guard {
		audience http://%[3]s
	}
	reverse_proxy %[11]s
}
%[12]s`, s.admin, public, s.app, g.store.caddyfile, g.store.secret, qqApp, b.qq, clientID, clientSecret,
		cmp.Or(g.alg, "RS256"), b.upstream, bareSite(s.bare, b.upstream, g.static), options, client, site)
}

// startBare starts the same Caddy without the module.
func (b *bench) startBare() (*server, error) {
	addrs, err := freeAddrs(2)
	if err != nil {
		return nil, err
	}
	s := &server{admin: addrs[0], app: addrs[1]}
	s.config = fmt.Sprintf("{\n\tadmin %s\n\tpersist_config off\n}\n%s", s.admin, bareSite(s.app, b.upstream, "static"))
	return s, s.start(b, b.caddy, guardedRequest(nil, s.app, "/", "none"))
}

// bareSite is a site that sets one header to a static value and guards nothing.
func bareSite(addr, upstream, value string) string {
	return fmt.Sprintf(`http://%s {
	reverse_proxy %s {
		header_up %s %q
	}
}
`, addr, upstream, assertionHeader, value)
}

// patience is how long a server may take to begin or to end.
const patience = 60 * time.Second

// start runs the program until the request is answered 200.
func (s *server) start(b *bench, program string, request []byte, env ...string) error {
	home, err := os.MkdirTemp(b.dir, "caddy-")
	if err != nil {
		return err
	}
	file := filepath.Join(home, "Caddyfile")
	if err := os.WriteFile(file, []byte(s.config), 0o600); err != nil {
		return err
	}
	// To a file, as an operator's would go; the audit log is part of a login.
	output, err := os.Create(filepath.Join(home, "log"))
	if err != nil {
		return err
	}
	defer output.Close()
	s.cmd = exec.CommandContext(b.ctx, program, "run", "--adapter", "caddyfile", "--config", file)
	s.cmd.Env = append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
	s.cmd.Env = append(s.cmd.Env, env...)
	s.cmd.Stdout, s.cmd.Stderr = output, output
	if err := s.cmd.Start(); err != nil {
		return err
	}
	var last error
	for until := time.Now().Add(patience); time.Now().Before(until) && b.ctx.Err() == nil; {
		if last = s.ask(request); last == nil {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	said, _ := os.ReadFile(output.Name())
	return errors.Join(fmt.Errorf("caddy does not serve: %w\n%s", last, tail(said)), s.stop())
}

func tail(text []byte) []byte { return text[max(0, len(text)-4<<10):] }

// ask makes one request on a connection of its own.
func (s *server) ask(request []byte) error {
	_, err := askAt(s.app, request)
	return err
}

func askAt(addr string, request []byte) (body []byte, err error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	body, err = c.demand(request)
	return bytes.Clone(body), err
}

// stop ends the server as an operator does, and waits.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	kill := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("caddy ended badly: %w", err)
	}
	return nil
}

// discard is stop for a server that has served its purpose: how it ends no longer
// matters.
func (s *server) discard() { _ = s.stop() }

// freeAddrs finds loopback addresses that nobody listens on. Caddy listens on all
// addresses of the machine, and so does this: a port may be free on one of them
// while a connection from another has it.
func freeAddrs(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", ":0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all are held until all are found
		addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port))
	}
	return addrs, nil
}

// guardedRequest appends a request for a guarded site.
func guardedRequest(to []byte, host, path, token string) []byte {
	to = append(append(append(to, "GET "...), path...), " HTTP/1.1\r\nHost: "...)
	to = append(append(to, host...), "\r\nUser-Agent: bench\r\nAccept: */*\r\nAuthorization: Bearer "...)
	return append(append(to, token...), "\r\n\r\n"...)
}

// post appends a POST of a body under further headers, one a line.
func post(to []byte, host, path, headers, body string) []byte {
	return fmt.Appendf(to, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n%sContent-Length: %d\r\n\r\n%s",
		path, host, headers, len(body), body)
}
