package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const (
	idleSockets, fewestIdle = 10_000, 4_000
	// idleMemory is what one of them may cost in anonymous memory.
	idleMemory = 40 << 10
)

// TestGameIdle has ten thousand games connected that say nothing. The binary is the
// one that operators run: the race detector's memory is not theirs.
func TestGameIdle(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand connections")
	}
	many := openFiles(t)
	plain := filepath.Join(t.TempDir(), "caddy")
	if out, err := exec.Command("go", "build", "-o", plain, "../cmd/caddy").CombinedOutput(); err != nil {
		t.Fatalf("build caddy: %v\n%s", err, out)
	}
	raced := binary
	binary = plain
	t.Cleanup(func() { binary = raced })
	w := newGameWorld(t, "$ATTEMPTS", "attempts off")

	// What the server needs for itself is there before: some play, and leave.
	w.connectMany(200, 1000)
	w.await("those who played are gone", func() bool { return w.metric("qqauth_websockets") == 0 })
	before := w.settled(0)
	began := time.Now()
	conns := w.connectMany(many, 0)
	t.Logf("%d connections within %v", many, time.Since(began))
	if n := w.metric("qqauth_websockets"); n != float64(many) {
		t.Fatalf("qqauth_websockets is %v, want %d", n, many)
	}
	after := w.settled(before + int64(many)*idleMemory)
	each := (after - before) / int64(many)
	t.Logf("%d connections take at most %d MiB of anonymous memory, %.1f KiB each", many, (after-before)>>20, float64(each)/1024)
	if each > idleMemory {
		t.Errorf("an idle connection takes %.1f KiB, want at most %d", float64(each)/1024, idleMemory>>10)
	}

	began = time.Now()
	inParallel(len(conns), func(n int) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		id, body := gameBody("AccountDetailsRequest", nil)
		err := conns[n].Write(ctx, websocket.MessageText, body)
		var m gameMessage
		if err == nil {
			m, err = readGame(ctx, conns[n])
		}
		if err != nil || m.RequestID != id || m.UserID == "" {
			t.Errorf("connection %d answered %s, %v", n, m.raw, err)
		}
	})
	t.Logf("all answered within %v", time.Since(began))
}

// openFiles raises the limit on open files, here and for the server, and returns
// how many connections it lets there be.
func openFiles(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	was := limit
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was) })
	const others = 500
	many := idleSockets
	if limit.Max < idleSockets+others {
		many = int(limit.Max) - others
		t.Logf("%d connections instead of %d: the limit on open files is %d", many, idleSockets, limit.Max)
	}
	if many < fewestIdle && os.Getenv("CI") != "" {
		t.Fatalf("the limit on open files is %d", limit.Max)
	}
	if many < fewestIdle {
		t.Skipf("the limit on open files is %d", limit.Max)
	}
	return many
}

// inParallel calls do for 0 to n-1, from many goroutines.
func inParallel(n int, do func(int)) {
	var wait sync.WaitGroup
	next := make(chan int)
	for range 64 {
		wait.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
}

// connectMany connects games, from several addresses, each with a guest of its own.
func (w *gameWorld) connectMany(many, first int) []*websocket.Conn {
	w.t.Helper()
	const perAddress = 2000
	conns := make([]*websocket.Conn, many)
	inParallel(many, func(n int) {
		ctx, cancel := context.WithTimeout(w.t.Context(), patience)
		defer cancel()
		from := gameHTTP(fmt.Sprintf("127.0.3.%d", 1+(first+n)/perAddress))
		conn, _, err := shakeHands(ctx, from, w.socketURL(theGame), theGame.secret, "", "")
		if err == nil {
			conns[n] = conn
			_, body := gameBody("DeviceAuthenticationRequest", w.device())
			err = conn.Write(ctx, websocket.MessageText, body)
		}
		var m gameMessage
		if err == nil {
			m, err = readGame(ctx, conn)
		}
		if err != nil || m.AuthToken == "" {
			w.t.Errorf("connection %d: %s, %v", n, m.raw, err)
		}
	})
	closeAll := func() {
		inParallel(many, func(n int) {
			if conns[n] != nil {
				_ = conns[n].CloseNow()
			}
		})
	}
	if first > 0 {
		closeAll()
		return nil
	}
	w.t.Cleanup(closeAll)
	if w.t.Failed() {
		w.t.FailNow()
	}
	return conns
}

// settled is the server's anonymous memory in bytes once its garbage is collected
// and given back, which takes it a while: the least of several looks, until some
// have found no less, or it is little enough.
func (w *gameWorld) settled(enough int64) (least int64) {
	w.t.Helper()
	const looks, vain = 60, 10
	least = w.anonymous()
	for look, last := 0, 0; look < looks && look-last < vain && least > enough; look++ {
		w.ask("GET", w.url("ADMIN", "/debug/pprof/heap?gc=1&debug=1"), nil)
		if now := w.anonymous(); now < least {
			last, least = look, now
		}
		time.Sleep(50 * time.Millisecond) // between two looks at the condition
	}
	return least
}

// anonymous is RssAnon of the server.
func (w *gameWorld) anonymous() int64 {
	w.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		w.t.Skipf("the memory of a process is not known here: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			if err != nil {
				w.t.Fatal(err)
			}
			return kib << 10
		}
	}
	w.t.Fatalf("no RssAnon in %s", status)
	return 0
}
