package gamesparks_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/gamesparks"
)

// Each fault is answered before those below it, which the same request has too.
func TestOrderOfChecks(t *testing.T) {
	const good = "/rs/" + knownCred + "/" + knownSecret + "/QQConnectRequest"
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"no path", "GET", "/rs", "", 404, `{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false}`},
		{"short path", "GET", "/rs/device/x", "", 404, `{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false}`},
		{"long path", "GET", good + "/x", "", 404, `{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false}`},
		{"slash at the end", "POST", good + "/", qqBody, 404, `{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false}`},
		{"empty segment", "POST", "/rs//" + knownSecret + "/QQConnectRequest", qqBody, 404, `{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false}`},
		{"escaped slash", "POST", strings.Replace(good, "/QQ", "%2FQQ", 1), qqBody, 404, `{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false}`},
		{"escaped slash in a segment", "POST", strings.Replace(good, "/QQ", "%2Fx/QQ", 1), qqBody, 403, `{"@class":".ErrorResponse","error":{"credentials":"REFUSED"},"newPlayer":false}`},
		{"method", "GET", "/rs/x/x/x", "", 405, `{"@class":".ErrorResponse","error":{"request":"METHOD_NOT_ALLOWED"},"newPlayer":false}`},
		{"credential", "POST", "/rs/x/" + knownSecret + "/x", "", 403, `{"@class":".ErrorResponse","error":{"credentials":"REFUSED"},"newPlayer":false}`},
		{"secret", "POST", "/rs/device/x/x", "", 403, `{"@class":".ErrorResponse","error":{"credentials":"REFUSED"},"newPlayer":false}`},
		{"secret of another credential", "POST", "/rs/server/OtherSecret/x", "", 403, `{"@class":".ErrorResponse","error":{"credentials":"REFUSED"},"newPlayer":false}`},
		{"request", "POST", "/rs/device/" + knownSecret + "/x", "", 404, `{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false}`},
		{"handshake", "POST", "/rs/device/" + knownSecret + "/AuthenticatedConnectRequest", "{}", 404, `{"@class":".ErrorResponse","error":{"request":"UNKNOWN"},"newPlayer":false}`},
		{"no body", "POST", good, "", 400, `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false}`},
		{"no object", "POST", good, "[]", 400, `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false}`},
		{"two objects", "POST", good, qqBody + "{}", 400, `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false}`},
		{"duplicate", "POST", good, `{"accessToken":"a","accesstoken":"b"}`, 400, `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false}`},
		{"request id is a number", "POST", good, `{"requestId":7}`, 400, `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false}`},
		{"request id is too long", "POST", good, `{"requestId":"` + strings.Repeat("r", 257) + `"}`, 400, `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false}`},
		{"another class", "POST", good, `{"@class":".EndSessionRequest"}`, 400, `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false}`},
		{"class without a dot", "POST", good, `{"@class":"QQConnectRequest"}`, 400, `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false}`},
		{"empty class", "POST", good, `{"@class":""}`, 400, `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false}`},
		{"escapes that nobody needs", "POST", "/rs/device/%53" + knownSecret[1:] + "/%51QConnectRequest", "", 400, `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false}`},
		{"store", "POST", good, `{"playerId":"x"}`, 503, `{"@class":".AuthenticationResponse","error":{"authentication":"UNAVAILABLE"},"newPlayer":false}`},
	}
	f := newFake()
	f.closed = fmt.Errorf("open store: %w", authcore.ErrUnavailable)
	w := newWorld(t, f)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp := w.do(t, w.request(t, test.method, test.path, test.body))
			if resp.status != test.status || resp.body != test.want {
				t.Errorf("status %d, want %d\n got %s\nwant %s", resp.status, test.status, resp.body, test.want)
			}
			for name, want := range map[string]bool{"Allow": test.status == 405, "Retry-After": test.status == 503} {
				if got := resp.header.Get(name); (got != "") != want {
					t.Errorf("%s: %q", name, got)
				}
			}
		})
	}
	if f.count() != 0 {
		t.Errorf("the service was called %d times", f.count())
	}
}

// A value of the wrong type makes the request malformed, and its answer can still
// be told by its id.
func TestWrongTypes(t *testing.T) {
	w := newWorld(t, newFake())
	for _, body := range []string{
		`{"accessToken":7,"requestId":"r"}`, `{"accessToken":"a","errorOnSwitch":"true","requestId":"r"}`, `{"accessToken":["a"],"requestId":"r"}`,
	} {
		resp := w.post(t, "QQConnectRequest", body)
		if resp.status != 400 || resp.body != `{"@class":".AuthenticationResponse","error":{"request":"MALFORMED"},"newPlayer":false,"requestId":"r"}` {
			t.Errorf("%s: status %d, %s", body, resp.status, resp.body)
		}
	}
	if w.count() != 0 {
		t.Errorf("the service was called %d times", w.count())
	}
}

func TestEachGateIsItsClients(t *testing.T) {
	w := newWorld(t, newFake())
	for path, want := range map[string]authcore.ClientID{
		"/rs/device/OtherSecret/": "other", "/rs/device/" + knownSecret + "/": knownClient, "/rs/server/" + knownSecret + "/": "third",
	} {
		w.do(t, w.request(t, http.MethodPost, path+"QQConnectRequest", qqBody))
		if got := w.last(t).Client; got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

// A body of exactly 256 KiB is taken, one more byte is not, announced or not.
func TestBodySize(t *testing.T) {
	w := newWorld(t, newFake())
	for _, test := range []struct{ size, status int }{{256 << 10, 200}, {256<<10 + 1, 413}} {
		body := strings.TrimSuffix(qqBody, "}") + `,"x":"`
		body += strings.Repeat("x", test.size-len(body)-2) + `"}`
		if got := w.post(t, "QQConnectRequest", body).status; got != test.status {
			t.Errorf("%d bytes are answered %d, want %d", len(body), got, test.status)
		}
		r := w.request(t, http.MethodPost, "/rs/"+knownCred+"/"+knownSecret+"/QQConnectRequest", "")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
		if got := w.do(t, r).status; got != test.status {
			t.Errorf("%d bytes in chunks are answered %d, want %d", len(body), got, test.status)
		}
	}
}

// A body that ends before it should is malformed, whatever of it there is.
func TestBodyEndsEarly(t *testing.T) {
	w := newWorld(t, newFake())
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /rs/%s/%s/QQConnectRequest HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n%s", knownCred, knownSecret, qqBody)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 || w.count() != 0 {
		t.Errorf("status %d, %d calls", resp.StatusCode, w.count())
	}
}

// unreadable is a core that cannot tell who plays.
type unreadable struct{ *fake }

func (u unreadable) Open() (gamesparks.Service, func(), error) {
	_, done, err := u.fake.Open()
	return brokenPlaying(u), done, err
}

type brokenPlaying struct{ *fake }

func (brokenPlaying) Playing(context.Context, authcore.ClientID, string) (authcore.SessionID, authcore.UserID, error) {
	return "", "", fmt.Errorf("read session: %w", authcore.ErrUnavailable)
}

// A player who cannot be looked up is not taken for nobody: a login beside them
// would leave them behind.
func TestPlayerCannotBeRead(t *testing.T) {
	f := newFake()
	w := newWorld(t, f, func(c *gamesparks.Config) { c.Open = unreadable{f}.Open })
	resp := w.post(t, "QQConnectRequest", strings.Replace(qqBody, "{", `{"authToken":"`+knownToken+`",`, 1))
	if resp.status != 503 || f.count() != 0 {
		t.Errorf("status %d, %d calls", resp.status, f.count())
	}
}

// Whoever proves nothing acts for nobody, and the flags of a request do not matter.
func TestPlayerIDNeedsTheToken(t *testing.T) {
	w := newWorld(t, newFake())
	const refused = `"error":{"authentication":"NOTAUTHORIZED"}`
	for _, name := range gamesparks.RequestNames() {
		for _, token := range []string{``, `"authToken":"0",`, `"authToken":"` + newToken + `",`} {
			resp := w.post(t, name, `{`+token+`"playerId":"`+string(knownUser)+`"}`)
			if resp.status != 200 || !strings.Contains(resp.body, refused) {
				t.Errorf("%s with %s: status %d, %s", name, token, resp.status, resp.body)
			}
		}
	}
	if w.count() != 0 {
		t.Errorf("the service was called %d times", w.count())
	}
}

func TestLimitTellsWhen(t *testing.T) {
	f := newFake()
	w := newWorld(t, f)
	for _, status := range []int{429, 503} {
		f.err = map[int]error{429: authcore.ErrLimited, 503: authcore.ErrUnavailable}[status]
		resp := w.post(t, "DeviceAuthenticationRequest", deviceBody)
		if resp.status != status || resp.header.Get("Retry-After") != "5" {
			t.Errorf("status %d, Retry-After %q", resp.status, resp.header.Get("Retry-After"))
		}
	}
}

// A handler below the web server may give up a connection on purpose.
func TestPanics(t *testing.T) {
	f := newFake()
	w := newWorld(t, f)
	f.panic = errors.New("secret words")
	if resp := w.post(t, "QQConnectRequest", qqBody); resp.status != 500 || !strings.Contains(resp.body, `{"request":"ERROR"}`) {
		t.Errorf("status %d: %s", resp.status, resp.body)
	}
	f.panic = http.ErrAbortHandler
	r := w.request(t, http.MethodPost, "/rs/"+knownCred+"/"+knownSecret+"/QQConnectRequest", qqBody)
	if resp, err := w.server.Client().Transport.RoundTrip(r); err == nil {
		resp.Body.Close()
		t.Errorf("status %d after ErrAbortHandler", resp.StatusCode)
	}
}

func TestServes(t *testing.T) {
	w := newWorld(t, newFake())
	for path, want := range map[string]bool{
		"/rs": true, "/rs/": true, "/rs/a/b/c/d": true, "/ws": true, "/ws/device/x": true,
		"/": false, "/rsx": false, "/wsx/device/x": false, "/a/rs/": false,
	} {
		if w.Serves(path) != want {
			t.Errorf("%s: %t", path, !want)
		}
	}
}
