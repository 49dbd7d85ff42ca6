package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// wsConn is an open WebSocket through the guard.
type wsConn struct {
	*websocket.Conn
	first seen
}

// dialWS opens a WebSocket to the upstream's echo.
func (h *home) dialWS(session string, header ...string) wsConn {
	h.t.Helper()
	fields := http.Header{"Authorization": {"Bearer " + session}}
	for i := 0; i < len(header); i += 2 {
		fields.Add(header[i], header[i+1])
	}
	conn, _, err := websocket.Dial(h.t.Context(), h.url("APP", "/ws"), &websocket.DialOptions{HTTPHeader: fields})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.CloseNow() })
	c := wsConn{Conn: conn}
	_, message, err := conn.Read(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	if err := json.Unmarshal(message, &c.first); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// openSSE opens an event stream and returns what ends when the stream does.
func (h *home) openSSE(session string) (ended <-chan struct{}) {
	h.t.Helper()
	response, err := (&http.Client{}).Do(newRequest(h.t, "GET", h.url("APP", "/sse"), nil, "Authorization", "Bearer "+session))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "data: hello") {
		h.t.Fatalf("got %d %q, want an event", response.StatusCode, lines.Text())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() {
		}
	}()
	return done
}

// closes waits until the other side ends the WebSocket.
func (c wsConn) closes(t *testing.T, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the WebSocket of the ended session is open: %v", err)
	}
}
