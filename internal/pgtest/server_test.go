package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// childVar makes this program one that starts a server and waits to be killed;
// its value is "running" or "paused", as the server is to be.
const childVar = "QQAUTH_PGTEST_CHILD"

func TestMain(m *testing.M) {
	if state := os.Getenv(childVar); state != "" {
		startAndWait(state)
	}
	os.Exit(Main(m))
}

// query runs statements that must succeed.
func query(t *testing.T, s *Server, statements string) string {
	t.Helper()
	out, err := s.SQL(t.Context(), "postgres", statements)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// must ends the test with the first error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestServerKeepsItsDataThroughAKill(t *testing.T) {
	s := New(t, Config{Settings: map[string]string{"work_mem": "5MB"}})
	port := s.Port
	query(t, s, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
	if got := query(t, s, "SELECT current_setting('work_mem'), current_setting('fsync'), current_setting('synchronous_commit')"); got != "5MB|on|on" {
		t.Errorf("settings: got %s", got)
	}

	long := exec.CommandContext(t.Context(), s.bin+"/psql", "-X", "-d", s.DSN("postgres", "application_name=a long one"), "-c", "SELECT pg_sleep(600)")
	must(t, long.Start())
	await(t, "the long statement", func() bool {
		return query(t, s, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'a long one' AND wait_event = 'PgSleep'") == "1"
	})
	family := descendants(t, s.process.pid())
	if len(family) < 3 {
		t.Fatalf("the server has %d children", len(family))
	}
	must(t, s.Kill())
	if s.Running() {
		t.Error("a killed server runs")
	}
	for _, pid := range append(family, s.process.pid()) {
		if runs(t, pid) {
			t.Errorf("process %d of a killed server runs", pid)
		}
	}
	if err := long.Wait(); err == nil {
		t.Error("a statement succeeded on a killed server")
	}
	if _, err := s.SQL(t.Context(), "postgres", "SELECT 1"); err == nil {
		t.Error("a killed server answers")
	}

	must(t, s.Restart())
	if s.Port != port || !s.Running() {
		t.Errorf("restarted on port %d, running: %v; want %d", s.Port, s.Running(), port)
	}
	if !strings.Contains(s.Log(), "was not properly shut down") {
		t.Error("the server says nothing of having been killed")
	}
	must(t, s.Stop(), s.Restart(), s.Restart())
	if got := query(t, s, "SELECT n FROM kept"); got != "7" {
		t.Errorf("got %q from the table", got)
	}
}

// descendants are a process's living children.
func descendants(t *testing.T, pid int) (pids []int) {
	t.Helper()
	all, err := processes()
	must(t, err)
	for _, e := range all {
		if e.parent == pid {
			pids = append(pids, e.pid)
		}
	}
	return pids
}

// runs reports whether a process is there and has not ended.
func runs(t *testing.T, pid int) bool {
	t.Helper()
	all, err := processes()
	must(t, err)
	for _, e := range all {
		if e.pid == pid {
			return e.state != 'Z'
		}
	}
	return false
}

func TestPausedServerHangs(t *testing.T) {
	s := New(t, Config{NoSync: true})
	if got := query(t, s, "SELECT current_setting('fsync'), current_setting('synchronous_commit')"); got != "off|on" {
		t.Errorf("settings: got %s", got)
	}
	must(t, s.Pause(), s.Pause())
	answered := make(chan error, 1)
	go func() {
		_, err := s.SQL(t.Context(), "postgres", "SELECT 1")
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a paused server answers: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if !s.Running() {
		t.Error("a paused server does not run")
	}
	must(t, s.Resume())
	if err := <-answered; err != nil {
		t.Errorf("a resumed server: %v", err)
	}
	must(t, s.Pause(), s.Stop(), s.Restart(), s.Pause(), s.Kill(), s.Restart())
	query(t, s, "SELECT 1")
}

func TestCloseLeavesNothing(t *testing.T) {
	Require(t)
	s, err := Start(t.Context(), Config{NoSync: true})
	must(t, err)
	must(t, s.Pause(), s.Close())
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of a closed server: %v", err)
	}
}

// startAndWait prints the server's process and directory.
func startAndWait(state string) {
	s, err := Start(context.Background(), Config{NoSync: true})
	if err == nil && state == "paused" {
		err = s.Pause()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.process.pid(), s.dir)
	select {}
}

// Not even halted processes stay, which nobody but the guard could end.
func TestKilledTestLeavesNothing(t *testing.T) {
	Require(t)
	for _, state := range []string{"running", "paused"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childVar+"="+state)
		out, err := cmd.StdoutPipe()
		must(t, err, cmd.Start())
		said := bufio.NewScanner(out)
		said.Scan()
		var pid int
		var dir string
		if _, err := fmt.Sscan(said.Text(), &pid, &dir); err != nil {
			t.Fatalf("the child says %q", said.Text())
		}
		family := append(descendants(t, pid), pid)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed
		await(t, "the end of the server that was "+state, func() bool {
			_, err := os.Stat(dir)
			return errors.Is(err, os.ErrNotExist) &&
				!slices.ContainsFunc(family, func(pid int) bool { return runs(t, pid) })
		})
	}
}

func TestDSN(t *testing.T) {
	s := &Server{Port: 15000, password: "secret"}
	want := "postgres://pgtest:secret@127.0.0.1:15000/some?application_name=a%20b%26c&sslmode=prefer"
	if got := s.DSN("some", "sslmode=prefer", "application_name=a b&c"); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestSocket(t *testing.T) {
	dsn := Database(t)
	s := shared.server
	if s.SocketDir() == "" {
		t.Fatal("the path of temporary directories is too long for a socket")
	}
	got, err := s.psql(t.Context(), dsn+"&host="+s.SocketDir(), "SELECT inet_server_addr() IS NULL")
	must(t, err)
	if got != "t" {
		t.Error("connected over TCP")
	}
}

func TestDatabaseIsEmptyAndItsOwn(t *testing.T) {
	first, second := Database(t), Database(t)
	if first == second {
		t.Fatal("two tests have one database")
	}
	for _, dsn := range []string{first, second} {
		_, err := shared.server.psql(t.Context(), dsn, "CREATE TABLE own (n int)")
		must(t, err)
	}
	var third string
	t.Run("dropped", func(t *testing.T) { third = Database(t) })
	if _, err := shared.server.psql(t.Context(), third, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("the database of a test that is over: %v", err)
	}
}
