package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHangUp logs out and hangs up before the answer. Whether the session ended
// is left to chance; that store and cache agree about it is not. They did not:
// a revocation whose caller had gone was written and never announced, and the
// guard went on with what it had cached.
func TestHangUp(t *testing.T) {
	w := newWorld(t)
	ended := 0
	for i := range 40 {
		g := w.login(demoApp, w.account(i))
		w.guarded("/", g.Session).want(http.StatusOK, "")
		conn, err := net.Dial("tcp", w.host("LOGIN"))
		if err != nil {
			t.Fatal(err)
		}
		lines := []string{"POST /api/v2/sdk/logout HTTP/1.1", "Host: " + w.host("LOGIN"), "Content-Length: 0", "session-token: " + g.Session}
		for name, value := range pairsOf(device(demoApp)) {
			lines = append(lines, name+": "+value)
		}
		if _, err := fmt.Fprint(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 25 * time.Microsecond) // the moments in which it can go wrong
		conn.Close()

		// A log-out that was not begun leaves the session; one that was is seen
		// soon.
		gone := func() bool {
			return w.sdk("POST", "/sso/session-token/id-token", demoApp, nil, "session-token", g.Session).status != http.StatusOK
		}
		for deadline := time.Now().Add(50 * time.Millisecond); !gone() && time.Now().Before(deadline); {
		}
		if gone() {
			ended++
			// What is written is announced as soon as it is durable. A cached
			// session that nobody announces would last until it is read again.
			began, status := time.Now(), 0
			for status != http.StatusUnauthorized && time.Since(began) < endsWithin {
				status = w.guarded("/", g.Session).status
			}
			if status != http.StatusUnauthorized {
				t.Errorf("round %d: the store has ended the session, the guard answers %d", i, status)
			}
		}
	}
	if ended == 0 {
		t.Error("no log-out was carried out: the test shows nothing")
	}
}

// pairsOf is a list of names and values as a map.
func pairsOf(list []string) map[string]string {
	out := make(map[string]string, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		out[list[i]] = list[i+1]
	}
	return out
}
