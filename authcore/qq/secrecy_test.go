package qq_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/authcore/qq"
)

// raw serves one hand-written answer to each connection.
func raw(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func quiet(s *httptest.Server) *httptest.Server {
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

// Go's own errors print the URL that they met, and with it the access token;
// and whoever answers in QQ's place can put it into status lines, headers,
// redirects and bodies that such errors quote. None of it may reach an error.
func TestNoTokenInErrors(t *testing.T) {
	redirect := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/followed" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/followed?"+r.URL.RawQuery, http.StatusFound)
	}))
	defer redirect.Close()
	untrusted := quiet(httptest.NewTLSServer(http.NotFoundHandler()))
	defer untrusted.Close()
	old := quiet(httptest.NewUnstartedServer(http.NotFoundHandler()))
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	defer old.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	slowBody := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"client_id":"101000001",`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer slowBody.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()

	echo := "client_secret=" + key + "&code=" + code + "&x=" + token
	for _, tt := range []struct {
		name, endpoint, want string
		timeout              time.Duration
	}{
		{"dial", closed.URL, "cannot connect", 0},
		{"redirect", redirect.URL, "HTTP status 302", 0},
		{"untrusted certificate", untrusted.URL, "certificate is not trusted", 0},
		{"old TLS", old.URL, "connection broke", 0},
		{"TLS to a plain server", strings.Replace(redirect.URL, "http:", "https:", 1), "connection broke", 0},
		{"timeout", slow.URL, "no answer in time", 50 * time.Millisecond},
		{"timeout in the body", slowBody.URL, "no answer in time", 50 * time.Millisecond},
		{"no HTTP", raw(t, echo+"\r\n\r\n"), "connection broke", 0},
		{"bad status line", raw(t, "HTTP/1.1 "+echo+"\r\n\r\n"), "connection broke", 0},
		{"bad header", raw(t, "HTTP/1.1 200 OK\r\n"+echo+"\r\n\r\n"), "connection broke", 0},
		{"closed", raw(t, ""), "connection broke", 0},
		{"5xx", raw(t, "HTTP/1.1 502 "+echo+"\r\nX: "+echo+"\r\nContent-Length: 0\r\n\r\n"), "HTTP status 502", 0},
		{"refusal with 401", raw(t, "HTTP/1.1 401 x\r\nConnection: close\r\n\r\n{\"error\":100013}"), "HTTP status 401", 0},
		{"proof with 201", raw(t, "HTTP/1.1 201 x\r\nConnection: close\r\n\r\n{\"client_id\":\"101000001\",\"openid\":\""+openID+"\"}"), "HTTP status 201", 0},
		{"truncated", raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"a\":1}"), "connection broke", 0},
		{"oversized", raw(t, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+strings.Repeat(" ", 64<<10)+"{}"), "answer over 64 KiB", 0},
		{"oversized header", raw(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat(echo, 2000)+"\r\n\r\n{}"), "connection broke", 0},
		{"echo", raw(t, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+echo), "unreadable answer", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var results []string
			client := newClient(t, qq.Config{Key: opaque.Of(key), Endpoint: tt.endpoint, Timeout: tt.timeout,
				Observe: func(call, result string, _ time.Duration) { results = append(results, call+" "+result) }})
			_, me := client.Prove(t.Context(), token, openID)
			_, info := client.Profile(t.Context(), token, authcore.Identity{App: ours, OpenID: openID})
			_, exchanged := client.Exchange(t.Context(), code)
			checkSecrecy(t, me, "qq me: "+tt.want+": qq is unavailable")
			checkSecrecy(t, info, "qq profile: "+tt.want+": qq is unavailable")
			checkSecrecy(t, exchanged, "qq token: "+tt.want+": qq is unavailable")
			if got := fmt.Sprint(results); got != "[me unavailable profile unavailable token unavailable]" {
				t.Errorf("observed %s", got)
			}
		})
	}
}

func checkSecrecy(t *testing.T, err error, want string) {
	t.Helper()
	if !errors.Is(err, authcore.ErrQQUnavailable) || fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for ; err != nil; err = errors.Unwrap(err) {
		s := fmt.Sprintf("%v %+v %#v", err, err, err)
		for _, secret := range []string{token, openID, code, key} {
			if strings.Contains(s, secret) {
				t.Errorf("a secret is in %s", s)
			}
		}
	}
}

// The other faults, too, are told in words of ours.
func TestNoTokenInRefusals(t *testing.T) {
	echo := `"error_description":"` + token + ` ` + openID + `"`
	for body, want := range map[string]string{
		`{"error":100013,` + echo + `}`:                               "qq me: error 100013: qq does not accept the access token",
		`{"error":100009,` + echo + `}`:                               "qq me: error 100009: qq refuses this server's application",
		`{"error":7,` + echo + `}`:                                    "qq me: error 7: qq is unavailable",
		`{"error":10000000}`:                                          "qq me: unreadable answer: qq is unavailable", // too long for a number of QQ's, long enough for a secret
		`{"error":"` + token + `"}`:                                   "qq me: unreadable answer: qq is unavailable",
		`{"client_id":"` + token + `","openid":"` + openID + `"}`:     "qq me: the access token belongs to another qq application",
		`{"client_id":"101000001","openid":"` + openID + token + `"}`: "qq me: the open id is not the access token's",
	} {
		client := newClient(t, qq.Config{Transport: answering(body)})
		if _, err := client.Prove(t.Context(), token, openID); fmt.Sprint(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for body, want := range map[string]string{
		`{"error":100019,"error_description":"` + code + key + `"}`: "qq token: error 100019: qq does not accept the access token",
		`{"error":"` + key + `"}`:                                   "qq token: unreadable answer: qq is unavailable",
		`{"error":0}`:                                               "qq token: unreadable answer: qq is unavailable",
		`error=` + code:                                             "qq token: unreadable answer: qq is unavailable",
		`{"access_token":"` + token + `","error":100019}`:           "qq token: unreadable answer: qq is unavailable",
		`access_token=` + token + `;` + code:                        "qq token: unreadable answer: qq is unavailable",
		`access_token=` + token + `%zz`:                             "qq token: unreadable answer: qq is unavailable",
	} {
		client := newClient(t, qq.Config{Key: opaque.Of(key), Transport: answering(body)})
		if _, err := client.Exchange(t.Context(), code); fmt.Sprint(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	client := newClient(t, qq.Config{Key: opaque.Of(key), Transport: tripper(func(r *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("get %s: refused", r.URL) // a transport of somebody's
	})})
	_, err := client.Prove(t.Context(), token, openID)
	checkSecrecy(t, err, "qq me: connection broke: qq is unavailable")
	_, err = client.Exchange(t.Context(), code)
	checkSecrecy(t, err, "qq token: connection broke: qq is unavailable")
	if s := fmt.Sprintf("%v %+v %#v", client, client, qq.Config{Key: opaque.Of(key)}); strings.Contains(s, key) {
		t.Errorf("the key is in %s", s)
	}
}

// Whoever has gone is told that they have, and that nothing was decided.
func TestCallerGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer slow.Close()
	client := newClient(t, qq.Config{Key: opaque.Of(key), Endpoint: slow.URL})
	_, err := client.Prove(ctx, token, openID)
	if !errors.Is(err, authcore.ErrQQUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	past, cancelPast := context.WithDeadline(t.Context(), time.Now())
	defer cancelPast()
	for _, ask := range []func() error{
		func() error { _, err := client.Prove(past, token, openID); return err },
		func() error { _, err := client.Exchange(past, code); return err },
	} {
		if err := ask(); !errors.Is(err, authcore.ErrQQUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	}
}

// A token that could bring parameters of its own is not sent, and what is sent is
// escaped.
func TestRequest(t *testing.T) {
	const odd = "a&unionid=1#/?%+ b"
	var got []string
	client := newClient(t, qq.Config{Key: opaque.Of(odd), UnionID: true, Transport: tripper(func(r *http.Request) (*http.Response, error) {
		got = append(got, r.Method+" "+r.Host+" "+r.URL.Query().Encode())
		return answering(`{"error":100013,"ret":0}`)(r)
	})})
	_, _ = client.Prove(t.Context(), odd, "")
	_, _ = client.Prove(t.Context(), "GOOD", "")
	_, _ = client.Profile(t.Context(), "GOOD", authcore.Identity{App: ours, OpenID: odd})
	_, _ = client.Exchange(t.Context(), odd)
	_, _ = client.Exchange(t.Context(), "GOOD")
	want := []string{
		"GET graph.qq.com access_token=GOOD&fmt=json&unionid=1",
		"GET graph.qq.com access_token=GOOD&oauth_consumer_key=101000001&openid=a%26unionid%3D1%23%2F%3F%25%2B+b",
		"GET graph.qq.com client_id=101000001&client_secret=a%26unionid%3D1%23%2F%3F%25%2B+b&code=GOOD&fmt=json&grant_type=authorization_code",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
