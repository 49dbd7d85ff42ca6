package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// superuser is the one account of every server.
const superuser = "pgtest"

// Config says how a server is to be.
type Config struct {
	Dir      string            // where its directory is made, on the disk in question; os.TempDir() if empty
	NoSync   bool              // nothing is synced: enough for a test that kills no machine
	Settings map[string]string // further ones, which no ALTER SYSTEM can change afterwards
}

// Server is a PostgreSQL on a loopback port. Its methods are safe for concurrent
// use; those without a context give up after a minute.
type Server struct {
	Port int // on 127.0.0.1, the same for the life of the Server

	config   Config
	bin, dir string
	password string
	as       *account
	guard    *guard
	log      *os.File

	mu      sync.Mutex // held by what starts, ends or halts the process
	process *process
	paused  bool
}

// Start makes a new server and waits until it accepts connections. The caller
// must close it.
func Start(ctx context.Context, config Config) (*Server, error) {
	s, err := prepare(config)
	if err != nil {
		return nil, err
	}
	s.password = rand.Text()
	if err = s.initialize(ctx); err == nil {
		err = s.open(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// New is Start for a test, which skips without an installed server (see
// Require), and at whose end the server is closed.
func New(tb testing.TB, config Config) *Server {
	tb.Helper()
	Require(tb)
	s, err := Start(tb.Context(), config)
	if err != nil {
		tb.Fatalf("start a PostgreSQL: %v", err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the end of PostgreSQL's log:\n%s", s.Log())
		}
		if err := s.Close(); err != nil {
			tb.Errorf("close the PostgreSQL: %v", err)
		}
	})
	return s
}

// prepare makes a server's directory and its guard.
func prepare(config Config) (*Server, error) {
	bin, err := Find()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(config.Dir, "pgtest")
	if err != nil {
		return nil, fmt.Errorf("make the server's directory: %w", err)
	}
	s := &Server{config: config, bin: bin, dir: dir, as: as}
	s.log, err = os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	err = errors.Join(err, as.give(dir), as.reaches(filepath.Dir(dir)))
	if err == nil {
		s.guard, err = newGuard(dir, as)
	}
	if err != nil {
		return nil, errors.Join(err, s.log.Close(), os.RemoveAll(dir))
	}
	return s, nil
}

// initialize makes an empty cluster.
func (s *Server) initialize(ctx context.Context) error {
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(s.password), 0o600); err != nil {
		return fmt.Errorf("write the password: %w", err)
	}
	if err := s.as.give(secret); err != nil {
		return err
	}
	return s.run(ctx, "initdb", "--pgdata="+s.data(), "--username="+superuser, "--pwfile="+secret,
		"--auth=scram-sha-256", "--locale=C", "--encoding=UTF8", "--no-sync", "--no-instructions")
}

// errPortTaken is why a server may be tried on another port.
var errPortTaken = errors.New("the port is taken")

// open starts the server for the first time.
func (s *Server) open(ctx context.Context) error {
	for {
		l, err := listen()
		if err != nil {
			return err
		}
		s.Port = l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return fmt.Errorf("free the port: %w", err)
		}
		if err = s.start(ctx); !errors.Is(err, errPortTaken) {
			return err
		}
	}
}

// listen listens on a random loopback port below those of outgoing connections.
func listen() (l net.Listener, err error) {
	const lowest, highest = 15000, 32000
	for range 100 {
		port := lowest + mathrand.IntN(highest-lowest)
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("find a free port: %w", err)
}

// settings are those of the command line.
func (s *Server) settings() map[string]string {
	all := map[string]string{
		"listen_addresses":            "127.0.0.1",
		"port":                        strconv.Itoa(s.Port),
		"unix_socket_directories":     s.SocketDir(),
		"shared_buffers":              "32MB",
		"max_connections":             "200",
		"log_checkpoints":             "off",
		"wal_retrieve_retry_interval": "100ms", // a standby finds its primary again at once
		// The default's segments would stay in memory after a kill.
		"dynamic_shared_memory_type": "mmap",
	}
	if s.config.NoSync {
		all["fsync"] = "off"
	}
	maps.Copy(all, s.config.Settings)
	return all
}

// start runs the server on its directory until it accepts connections. The
// caller holds s.mu, or nobody else has s yet.
func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := []string{"-D", s.data()}
	for name, value := range s.settings() {
		args = append(args, "-c", name+"="+value)
	}
	from, err := s.log.Seek(0, 2)
	if err != nil {
		return fmt.Errorf("seek the log: %w", err)
	}
	p, err := launch(s.command(context.Background(), "postgres", args...), s.log)
	if err != nil {
		return err
	}
	s.process, s.paused = p, false
	if err := s.guard.watch(p.pid()); err != nil {
		return errors.Join(err, s.end())
	}
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		switch {
		case s.ready():
			return nil
		case !p.running():
			said := s.logFrom(from)
			if strings.Contains(said, "could not bind") {
				return fmt.Errorf("start postgres: %w: %s", errPortTaken, said)
			}
			return fmt.Errorf("start postgres: %w: %s", p.err, said)
		case ctx.Err() != nil:
			return errors.Join(fmt.Errorf("start postgres: %w: %s", ctx.Err(), s.logFrom(from)), s.end())
		}
	}
}

// ready reports whether the server accepts connections; in its postmaster.pid,
// line 1 is the process and line 8 the state.
func (s *Server) ready() bool {
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := bytes.Split(text, []byte("\n"))
	return len(lines) > 7 && string(lines[0]) == strconv.Itoa(s.process.pid()) &&
		string(bytes.TrimSpace(lines[7])) == "ready"
}

// Running reports whether the server has been started and has not ended. A
// paused one is running.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil && s.process.running()
}

// Kill ends the server at once: SIGKILL to the postmaster and all its children,
// none of which does anything after it returns.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end()
}

func (s *Server) end() error {
	if s.process == nil {
		return nil
	}
	if err := s.process.kill(); err != nil {
		return err
	}
	return s.guard.watch()
}

// Stop shuts the server down in order, but without waiting for its clients.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shutDown()
}

func (s *Server) shutDown() error {
	if s.process == nil || !s.process.running() {
		return nil
	}
	if err := s.resume(); err != nil {
		return err
	}
	if err := s.process.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("shut postgres down: %w", err)
	}
	if err := s.process.wait(); err != nil {
		return errors.Join(err, s.end())
	}
	if s.process.err != nil {
		return fmt.Errorf("shut postgres down: %w", s.process.err)
	}
	return s.guard.watch()
}

// Restart starts the server again, with the same data on the same port. One that
// runs is stopped first.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.shutDown(); err != nil {
		return err
	}
	return s.start(context.Background())
}

// Pause halts all processes of the server, in whatever they do: connections are
// still made, by the kernel, and nothing is answered.
func (s *Server) Pause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil || s.paused {
		return nil
	}
	family, err := s.process.stop()
	if err != nil {
		return err
	}
	s.paused = true
	// Halted children do not notice that the postmaster is gone.
	return s.guard.watch(family...)
}

// Resume lets a paused server go on.
func (s *Server) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resume()
}

func (s *Server) resume() error {
	if s.process == nil || !s.process.running() || !s.paused {
		return nil
	}
	if err := s.process.resume(); err != nil {
		return err
	}
	s.paused = false
	return s.guard.watch(s.process.pid())
}

// Close kills the server and removes its directory.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.end(), s.guard.dismiss(), s.log.Close())
}

// Addr is host and port, as a Proxy wants them.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// SocketDir is the directory of the server's Unix socket, which serves as "host"
// in a DSN; empty if its path would be too long for one.
func (s *Server) SocketDir() string {
	const limit = 103 // of macOS; Linux has 107
	if len(filepath.Join(s.dir, ".s.PGSQL.65535")) > limit {
		return ""
	}
	return s.dir
}

// DSN is the URL of a database, with the password of a superuser. Each param is
// "name=value", as it is; without any TLS is off.
func (s *Server) DSN(database string, params ...string) string {
	query := url.Values{"sslmode": {"disable"}}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		query.Set(name, value)
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, s.password), Host: s.Addr(), Path: "/" + database,
		// PostgreSQL's own library reads "+" as itself.
		RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20"),
	}
	return u.String()
}

// Log returns the end of the server's log, at most 16 KiB.
func (s *Server) Log() string {
	info, err := s.log.Stat()
	if err != nil {
		return err.Error()
	}
	return s.logFrom(max(0, info.Size()-16<<10))
}

func (s *Server) logFrom(offset int64) string {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text[min(offset, int64(len(text))):]))
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }
