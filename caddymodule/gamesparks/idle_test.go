//go:build linux

package gamesparks_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/qqauth/qqauth/caddymodule/gamesparks"
)

// crowdURL, in the environment of this test's program, makes it a crowd of games
// at that server instead; crowdSize says how many. They are a process of their
// own because what is measured is the server's memory, and because each end of a
// connection is a file.
const (
	crowdURL  = "QQAUTH_TEST_CROWD_URL"
	crowdSize = "QQAUTH_TEST_CROWD_SIZE"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(crowdURL); url != "" {
		if err := crowd(url, os.Getenv(crowdSize)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// crowd connects n games, says so and waits until its input ends.
func crowd(url, n string) error {
	size, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	var conns []net.Conn // what nobody holds is closed
	for range size {
		conn, err := dialURL(url)
		if err != nil {
			return err
		}
		conns = append(conns, conn)
		g := &game{conn, bufio.NewReader(conn)}
		if _, err := io.WriteString(g, openingHandshake); err != nil {
			return err
		}
		for line := ""; line != "\r\n"; {
			if line, err = g.in.ReadString('\n'); err != nil {
				return err
			}
		}
		_, first, err := g.read()
		if err != nil {
			return err
		}
		_, nonce, _ := bytes.Cut(first, []byte(`"nonce":"`))
		body := connectBody(string(nonce[:len(nonce)-2]), knownSecret, knownToken)
		for _, text := range []string{body, " ", qqBody} {
			if _, err := g.Write(frame(true, opText, text)); err != nil {
				return err
			}
		}
		for range 2 {
			if _, _, err := g.read(); err != nil {
				return err
			}
		}
	}
	fmt.Println("here")
	_, err = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(conns)
	return err
}

// dialURL connects to a test server, whose certificate is nobody's.
func dialURL(url string) (net.Conn, error) {
	if addr, ok := strings.CutPrefix(url, "https://"); ok {
		return tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	}
	return net.Dial("tcp", strings.TrimPrefix(url, "http://"))
}

// anonymous is the anonymous resident memory of this process in KiB.
func anonymous(t testing.TB) float64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("no /proc to measure with: %v", err)
	}
	_, after, _ := strings.Cut(string(status), "RssAnon:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		t.Skip("/proc does not tell RssAnon")
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib
}

// idle measures what each of n games costs that have logged in and say nothing:
// KiB of memory, after a collection that nobody asked for more than usual.
func idle(t testing.TB, n int, start func(http.Handler) *httptest.Server) float64 {
	t.Helper()
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < uint64(n+100) {
		t.Skipf("%d files may be open, which is too few for %d sockets", files.Cur, n)
	}
	f, sockets := newFake(), gamesparks.NewSockets()
	server := start(gamesparks.New(config(f, sockets, slog.New(slog.DiscardHandler))))
	defer server.Close()
	runtime.GC()
	debug.FreeOSMemory()
	before := anonymous(t)

	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	games := exec.CommandContext(t.Context(), program)
	games.Env = append(os.Environ(), crowdURL+"="+server.URL, crowdSize+"="+strconv.Itoa(n))
	games.Stderr = os.Stderr
	leave, err := games.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := games.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := games.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "here\n" {
		t.Fatalf("the crowd says %q, %v", line, err)
	}
	if got := sockets.Count(); got != n {
		t.Fatalf("%d sockets, want %d", got, n)
	}
	f.set(func(f *fake) { f.calls = nil }) // which only a fake keeps
	after := anonymous(t)
	leave.Close()
	if err := games.Wait(); err != nil {
		t.Fatal(err)
	}
	await(t, "the crowd to leave", func() bool { return sockets.Count() == 0 })
	return (after - before) / float64(n)
}

// transports are what an idle game may cost over each, in KiB.
var transports = []struct {
	name  string
	start func(http.Handler) *httptest.Server
	most  float64
}{
	{"TCP", httptest.NewServer, 40},
	{"TLS", httptest.NewTLSServer, 60},
}

// BenchmarkIdleSocket prints the KiB of anonymous memory per idle game: the
// sockets of ten thousand who have logged in.
func BenchmarkIdleSocket(b *testing.B) {
	for _, over := range transports {
		b.Run(over.name, func(b *testing.B) {
			for b.Loop() {
				got := idle(b, 10_000, over.start)
				b.ReportMetric(got, "KiB/socket")
				if got > over.most && !raced {
					b.Errorf("an idle socket takes %.1f KiB, want at most %.0f", got, over.most)
				}
			}
		})
	}
}

// TestIdleSocket is the benchmark with fewer, so that it is noticed.
func TestIdleSocket(t *testing.T) {
	for _, over := range transports {
		t.Run(over.name, func(t *testing.T) {
			got := idle(t, 1000, over.start)
			t.Logf("an idle socket takes %.1f KiB", got)
			if got > over.most && !raced {
				t.Errorf("an idle socket takes %.1f KiB, want at most %.0f", got, over.most)
			}
		})
	}
}
