package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// endsWithin is how soon what a revoked session has open must end: the bound of
// 1 s, and room for a busy machine.
const endsWithin = 5 * time.Second

// TestRevocation ends sessions that hold a WebSocket and an event stream.
func TestRevocation(t *testing.T) {
	w := newWorld(t)
	for i, tt := range []struct {
		name string
		end  func(w *world, g grant, user string)
	}{
		{"logout", func(w *world, g grant, _ string) {
			w.sdk("POST", "/logout", demoApp, nil, "session-token", g.Session).want(http.StatusOK, "")
		}},
		{"logout by id_token", func(w *world, g grant, _ string) {
			w.sdk("GET", "/logout", demoApp, nil, "Authorization", "Bearer "+g.IDToken).want(http.StatusOK, "")
		}},
		{"one session", func(w *world, _ grant, user string) {
			w.admin("DELETE", "/sessions/"+w.sessionsOf(user)[0], nil).want(http.StatusNoContent, "")
		}},
		{"disable", func(w *world, _ grant, user string) {
			w.admin("POST", "/users/"+user+"/disable", nil).want(http.StatusNoContent, "")
		}},
		{"all sessions", func(w *world, _ grant, user string) {
			w.admin("DELETE", "/users/"+user+"/sessions", nil).want(http.StatusNoContent, "")
		}},
		{"replay", func(w *world, g grant, _ string) {
			w.replay(g)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := w.in(t)
			a, other := w.account(10+i), w.account(100+i)
			g, bystander := w.login(demoApp, a), w.login(demoApp, other)
			conn, stream := w.dialWS(g.Session), w.openSSE(g.Session)
			stays := w.dialWS(bystander.Session)

			began := time.Now()
			tt.end(w, g, w.userOf(a).ID)
			w.guarded("/", g.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
			ctx, cancel := context.WithTimeout(t.Context(), endsWithin)
			defer cancel()
			if _, _, err := conn.Read(ctx); err == nil || ctx.Err() != nil {
				t.Errorf("the WebSocket of the ended session is open after %v: %v", time.Since(began), err)
			}
			select {
			case <-stream:
			case <-ctx.Done():
				t.Errorf("the stream of the ended session is open after %v", time.Since(began))
			}
			t.Logf("ended after %v", time.Since(began))
			stays.echoes(t)
		})
	}
}

// TestRuleThatNoLongerHolds takes from a user what a guard requires, while a
// stream is open.
func TestRuleThatNoLongerHolds(t *testing.T) {
	w := prepareWorld(t)
	w.server = newHome(t).start(strings.Replace(worldFile, "public /assets/*", "require segment role admin\n\t\tpublic /assets/*", 1), w.pairs...)
	who := w.account(0)
	g := w.login(demoApp, who)
	w.guarded("/", g.Session).want(http.StatusForbidden, "IDAAS.SDK.AUTH.0001")
	segments := "/users/" + w.userOf(who).ID + "/segments"
	w.admin("PUT", segments, map[string]string{"role": "admin", "tier": "a"}).want(http.StatusNoContent, "")
	stays, stream := w.dialWS(g.Session), w.openSSE(g.Session)

	w.admin("PUT", segments, map[string]string{"role": "admin", "tier": "b"}).want(http.StatusNoContent, "")
	w.guarded("/", g.Session).want(http.StatusOK, "")
	stays.echoes(t)

	w.admin("PUT", segments, map[string]string{"tier": "b"}).want(http.StatusNoContent, "")
	w.guarded("/", g.Session).want(http.StatusForbidden, "IDAAS.SDK.AUTH.0001")
	select {
	case <-stream:
	case <-time.After(endsWithin):
		t.Error("the stream goes on")
	}
}

// replay uses a session token that has been refreshed, and its successor too:
// somebody has a token that is not theirs, and the family ends.
func (w *world) replay(g grant) {
	w.t.Helper()
	demo := w.bearer(demoApp, demoSecret)
	var next grant
	w.tenant("/session-token/refresh", demo, map[string]string{"session_token": g.Session}).want(http.StatusOK, "").json(&next)
	w.guarded("/", next.Session).want(http.StatusOK, "")
	w.tenant("/session-token/refresh", demo, map[string]string{"session_token": g.Session}).
		want(http.StatusBadRequest, "IDAAS.SDK.PARAM.0023")
	w.guarded("/", next.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
}

// echoes demands that a WebSocket lives.
func (c wsConn) echoes(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if _, message, err := c.Read(ctx); err != nil || string(message) != "still here" {
		t.Errorf("got %q, %v", message, err)
	}
}

// TestGrace has a request in flight when its session ends. It may finish within
// the grace; one that goes on longer is cut off.
func TestGrace(t *testing.T) {
	w := newWorld(t)
	for _, finishes := range []bool{true, false} {
		g := w.login(demoApp, w.account(0))
		type result struct {
			answer
			err error
		}
		answers := make(chan result, 1)
		r := newRequest(t, "GET", w.url("APP", "/slow"), nil, "Authorization", "Bearer "+g.Session)
		go func() {
			a, err := send(t, client, r)
			answers <- result{a, err}
		}()
		<-w.upstream.slow
		w.sdk("POST", "/logout", demoApp, nil, "session-token", g.Session).want(http.StatusOK, "")
		if finishes {
			w.upstream.release <- struct{}{}
		}
		select {
		case got := <-answers:
			if finished := got.err == nil && got.status == http.StatusOK && got.text() == "finished"; finished != finishes {
				t.Errorf("released within the grace: %v; got %d %q, %v", finishes, got.status, got.body, got.err)
			}
		case <-time.After(endsWithin):
			t.Fatalf("released within the grace: %v; no answer within %v", finishes, endsWithin)
		}
	}
}
