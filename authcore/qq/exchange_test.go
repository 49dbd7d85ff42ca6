package qq_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/authcore/qq"
	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

// A code gives a token of the account that the code was made for, in every
// dialect of QQ's.
func TestExchange(t *testing.T) {
	s := newQQ(t)
	for _, b := range []qqtest.Behavior{{}, {JSONP: true}, {NumericExpiry: true, ContentType: "application/json"}} {
		s.Behave(b)
		var results []string
		client := newClient(t, qq.Config{Key: opaque.Of(key), Transport: s.Transport(),
			Observe: func(call, result string, _ time.Duration) { results = append(results, call+" "+result) }})
		code := s.Code(ours, 1, "")
		if _, err := client.Prove(t.Context(), code, ""); !errors.Is(err, authcore.ErrQQToken) {
			t.Errorf("%+v: a code proves: %v", b, err)
		}
		token, err := client.Exchange(t.Context(), code)
		if err != nil {
			t.Errorf("%+v: exchange: %v", b, err)
			continue
		}
		id, err := client.Prove(t.Context(), token.Reveal(), s.OpenID(ours, 1))
		if want := (authcore.Identity{App: ours, OpenID: s.OpenID(ours, 1)}); err != nil || id != want {
			t.Errorf("%+v: got %v, %v; want %v", b, id, err, want)
		}
		if diff := cmp.Diff([]string{"me token", "token ok", "me ok"}, results); diff != "" {
			t.Errorf("%+v: %s", b, diff)
		}
	}
}

func TestExchangeRefused(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s, err := qqtest.New(qqtest.Config{Now: func() time.Time { return at }, Apps: []qqtest.App{{ID: ours, Key: key}, {ID: foreign}}})
	if err != nil {
		t.Fatal(err)
	}
	late := s.Code(ours, 1, "")
	at = at.Add(10 * time.Minute)
	used := s.Code(ours, 1, "")
	first := newClient(t, qq.Config{Key: opaque.Of(key), Transport: s.Transport()})
	if _, err := first.Exchange(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, key, code string
		app             authcore.AppID
		want            error
		text            string
		calls           int
	}{
		{"garbage", key, "garbage", ours, authcore.ErrQQToken, "error 100019", 1},
		{"an access token", key, s.Token(ours, 1), ours, authcore.ErrQQToken, "error 100019", 1},
		{"used before", key, used, ours, authcore.ErrQQToken, "error 100020", 1},
		{"too late", key, late, ours, authcore.ErrQQToken, "error 100019", 1},
		{"another application's", key, s.Code(foreign, 1, ""), ours, authcore.ErrQQToken, "error 100019", 1},
		{"a browser's", key, s.Code(ours, 1, "https://id.example.com/"), ours, authcore.ErrQQConfig, "error 100010", 1},
		{"wrong key", "x", s.Code(ours, 1, ""), ours, authcore.ErrQQConfig, "error 100009", 1},
		{"unknown application", key, s.Code(ours, 1, ""), sibling, authcore.ErrQQConfig, "error 100008", 1},
		{"512 bytes", key, strings.Repeat("x", 512), ours, authcore.ErrQQToken, "error 100019", 1},
		{"no key", "", s.Code(ours, 1, ""), ours, authcore.ErrQQToken, "not sent: the application has no key", 0},
		{"empty", key, "", ours, authcore.ErrQQToken, "not sent: malformed code", 0},
		{"513 bytes", key, strings.Repeat("x", 513), ours, authcore.ErrQQToken, "not sent: malformed code", 0},
		{"parameters in it", key, late + "&client_secret=x", ours, authcore.ErrQQToken, "not sent: malformed code", 0},
		{"space behind it", key, late + " ", ours, authcore.ErrQQToken, "not sent: malformed code", 0},
		{"not ASCII", key, late + "林", ours, authcore.ErrQQToken, "not sent: malformed code", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			observed := 0
			client := newClient(t, qq.Config{App: tt.app, Key: opaque.Of(tt.key), Transport: s.Transport(),
				Observe: func(string, string, time.Duration) { observed++ }})
			before := s.Calls(qqtest.PathToken)
			got, err := client.Exchange(t.Context(), tt.code)
			text := "qq token: " + tt.text + ": " + tt.want.Error()
			if !errors.Is(err, tt.want) || fmt.Sprint(err) != text || !got.IsZero() {
				t.Errorf("got %v, a token: %v; want %s", err, !got.IsZero(), text)
			}
			if n := s.Calls(qqtest.PathToken) - before; n != tt.calls || observed != tt.calls {
				t.Errorf("%d calls, %d observed; want %d", n, observed, tt.calls)
			}
		})
	}
	if _, err := newClient(t, qq.Config{Transport: s.Transport()}).Exchange(t.Context(), "x"); !errors.Is(err, authcore.ErrQQToken) {
		t.Errorf("no key at all: %v", err)
	}
}

// tokenAnswers are answers of /oauth2.0/token; where want is nil, the token in
// them is the one that is returned.
var tokenAnswers = []struct {
	body string
	want error
}{
	// What QQ was seen to answer.
	{`{"access_token":"` + token + `","expires_in":"5184000","refresh_token":"` + code + `"}`, nil},
	{`access_token=` + token + `&expires_in=5184000&refresh_token=` + code, nil},
	{`access_token=` + token + `&expires_in=7776000`, nil},
	{`{"error":100019,"error_description":"code to access token error"}`, authcore.ErrQQToken},
	{`callback( {"error":100020,"error_description":"code is reused error"} );` + "\n", authcore.ErrQQToken},
	{`callback({"error":100021,"error_description":"get access token error"});`, authcore.ErrQQUnavailable},
	{`callback( {"error":100009,"error_description":"client secret is illegal"} );` + "\n", authcore.ErrQQConfig},
	{`callback( {"error":100004,"error_description":"param grant_type is wrong or lost "} );` + "\n", authcore.ErrQQUnavailable},

	// Other spellings of the same.
	{`{"access_token":"` + token + `","expires_in":7776000,"openid":"` + openID + `","x":{"error":1}}`, nil},
	{`callback( {"access_token":"` + token + `"} );` + "\n", nil},
	{"\ufeff\r\naccess_token=" + token + "\n", nil},
	{`expires_in=1&access_token=` + token, nil},
	{`access_token=%38` + token[1:], nil},
	{`{"error":null,"access_token":"` + token + `"}`, nil},
	{`{"error":"100019","access_token":""}`, authcore.ErrQQToken},
	{`error=100019&error_description=code+to+access+token+error`, authcore.ErrQQToken},

	// Neither a token nor a refusal.
	{``, authcore.ErrQQUnavailable},
	{`ok`, authcore.ErrQQUnavailable},
	{`null`, authcore.ErrQQUnavailable},
	{`{}`, authcore.ErrQQUnavailable},
	{`"` + token + `"`, authcore.ErrQQUnavailable},
	{`[{"access_token":"` + token + `"}]`, authcore.ErrQQUnavailable},
	{`<html><body>502 Bad Gateway</body></html>`, authcore.ErrQQUnavailable},
	{`{"access_token":""}`, authcore.ErrQQUnavailable},
	{`{"access_token":null}`, authcore.ErrQQUnavailable},
	{`{"access_token":7}`, authcore.ErrQQUnavailable},
	{`{"access_token":"a&b"}`, authcore.ErrQQUnavailable},
	{`{"access_token":"` + strings.Repeat("A", 513) + `"}`, authcore.ErrQQUnavailable},
	{`{"refresh_token":"` + token + `"}`, authcore.ErrQQUnavailable},
	{`{"data":{"access_token":"` + token + `"}}`, authcore.ErrQQUnavailable},
	{`{"access_token":"` + token + `"}{}`, authcore.ErrQQUnavailable},
	{`{"access_token":"` + token + `","access_token":"x"}`, authcore.ErrQQUnavailable},
	{`{"access_token":"` + token + `","Access_Token":"x"}`, authcore.ErrQQUnavailable},
	{`{"ACCESS_TOKEN":"` + token + `"}`, authcore.ErrQQUnavailable},
	{`{"access_token":"` + token + `","error":100019}`, authcore.ErrQQUnavailable},
	{`{"access_token":"` + token + `","error":0}`, authcore.ErrQQUnavailable},
	{`{"access_token":"` + token + `","error":""}`, authcore.ErrQQUnavailable},
	{`{"error":0}`, authcore.ErrQQUnavailable},
	{`{"error":"invalid_grant"}`, authcore.ErrQQUnavailable},
	{`{"error":99999999999999999999}`, authcore.ErrQQUnavailable},
	{`callback( access_token=` + token + ` );`, authcore.ErrQQUnavailable},
	{`callback( {"access_token":"` + token + `"} );x`, authcore.ErrQQUnavailable},
	{`callback( {"access_token":"` + token + `"} `, authcore.ErrQQUnavailable},
	{`access_token=`, authcore.ErrQQUnavailable},
	{`access_token=` + token + `&access_token=x`, authcore.ErrQQUnavailable},
	{`access_token=` + token + `&Access_Token=x`, authcore.ErrQQUnavailable},
	{`ACCESS_TOKEN=` + token, authcore.ErrQQUnavailable},
	{`access_token=` + token + `&error=100019`, authcore.ErrQQUnavailable},
	{`access_token=` + token + `&error=`, authcore.ErrQQUnavailable},
	{`error=100019&error=100020`, authcore.ErrQQUnavailable},
	{`access_token=` + token + ` x`, authcore.ErrQQUnavailable},
	{`access_token=` + token + `;x=1`, authcore.ErrQQUnavailable},
	{`access_token=` + token + `%0a`, authcore.ErrQQUnavailable},
	{`access_token=` + token + `&x=%zz`, authcore.ErrQQUnavailable},
	{`code=100020&msg=x`, authcore.ErrQQUnavailable},
	{`access_token=` + token + `&x=` + strings.Repeat("x", 64<<10), authcore.ErrQQUnavailable},
}

func TestTokenAnswers(t *testing.T) {
	for _, tt := range tokenAnswers {
		client := newClient(t, qq.Config{Key: opaque.Of(key), Transport: answering(tt.body)})
		got, err := client.Exchange(t.Context(), code)
		want := ""
		if tt.want == nil {
			want = token
		}
		if !errors.Is(err, tt.want) || got.Reveal() != want {
			t.Errorf("%.200q: got %q, %v; want %v", tt.body, got.Reveal(), err, tt.want)
		}
	}
}

var (
	plainToken = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,512}$`)
	tokenFault = regexp.MustCompile(`^qq token: (unreadable answer|answer over 64 KiB|error -?[0-9]{1,7}): [a-z' ]+$`)
)

// Whatever QQ answers, a token is one that a second, independent reading finds
// too, and an error says nothing of the answer but a number.
func FuzzToken(f *testing.F) {
	for _, seed := range tokenAnswers {
		f.Add(seed.body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		client := newClient(t, qq.Config{Key: opaque.Of(key), Transport: answering(body)})
		got, err := client.Exchange(t.Context(), code)
		if err != nil {
			if !tokenFault.MatchString(err.Error()) || !got.IsZero() {
				t.Fatalf("%q: %v; a token: %v", body, err, !got.IsZero())
			}
			return
		}
		want, ok := tokenOracle(body)
		if !ok || got.Reveal() != want || !plainToken.MatchString(want) {
			t.Fatalf("%q gives %q; the oracle reads %q, %v", body, got.Reveal(), want, ok)
		}
	})
}

// tokenOracle reads an answer as oracle does, or pair by pair; ok is false if it
// is no success.
func tokenOracle(body string) (token string, ok bool) {
	if members, ok := objectOf(body); ok {
		token, _ := members["access_token"].(string)
		return token, members["error"] == nil
	}
	body = strings.Trim(strings.TrimPrefix(body, "\ufeff"), jsonSpaces)
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "callback") {
		return "", false
	}
	for pair := range strings.SplitSeq(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		switch {
		case nameErr != nil, valueErr != nil, strings.EqualFold(name, "error"):
			return "", false
		case !strings.EqualFold(name, "access_token"):
		case name != "access_token" || token != "":
			return "", false
		default:
			token = value
		}
	}
	return token, true
}

// wearing is a server whose connections answer once and break when they are used
// again, after the request has been read: as one does that QQ is about to close.
type wearing struct {
	url string

	mu       sync.Mutex
	requests []string // as they came over the wire
}

func newWearing(t *testing.T) *wearing {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &wearing{url: "http://" + l.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(t.Context(), conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return s
}

func (s *wearing) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var wire bytes.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &wire))
	for first := true; ; first = false {
		wire.Reset()
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, wire.String())
		s.mu.Unlock()
		if !first {
			return
		}
		body := `{"client_id":"101000001","openid":"` + openID + `"}`
		if strings.HasSuffix(r.URL.Path, "/token") {
			body = `{"access_token":"` + token + `"}`
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
}

// all returns what came so far.
func (s *wearing) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// came counts the requests for a path.
func (s *wearing) came(path string) int {
	n := 0
	for _, r := range s.all() {
		if strings.HasPrefix(r, "GET "+path+"?") {
			n++
		}
	}
	return n
}

// net/http repeats a GET when a connection that it had kept breaks. QQ would see
// the code a second time and refuse it, or somebody in between would have it
// twice.
func TestCodeIsSentOnce(t *testing.T) {
	t.Run("transport of somebody's", func(t *testing.T) {
		s, transport := newWearing(t), &http.Transport{}
		defer transport.CloseIdleConnections()
		client := newClient(t, qq.Config{Key: opaque.Of(key), Endpoint: s.url, Transport: transport})
		for range 2 {
			if _, err := client.Prove(t.Context(), token, openID); err != nil {
				t.Fatal(err)
			}
		}
		// The second was repeated: so the server provokes what this is about.
		if n := s.came("/oauth2.0/me"); n != 3 {
			t.Fatalf("two proofs were sent %d times, want 3", n)
		}
		_, err := client.Exchange(t.Context(), code)
		checkSecrecy(t, err, "qq token: connection broke: qq is unavailable")
		if n := s.came("/oauth2.0/token"); n != 1 {
			t.Errorf("the code was sent %d times", n)
		}
	})
	// Of its own, the Client takes a new connection, and nothing is lost.
	t.Run("own transport", func(t *testing.T) {
		s := newWearing(t)
		client := newClient(t, qq.Config{Key: opaque.Of(key), Endpoint: s.url})
		if _, err := client.Prove(t.Context(), token, openID); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if got, err := client.Exchange(t.Context(), code); err != nil || got.Reveal() != token {
				t.Errorf("got %q, %v", got.Reveal(), err)
			}
		}
		if n := s.came("/oauth2.0/token"); n != 3 {
			t.Errorf("three codes were sent %d times", n)
		}
	})
}

// What keeps a code from being repeated must not make its request an odd one: no
// word of a body, which some gateways refuse in a GET, and HTTP/1, where an empty
// one is none.
func TestExchangeLooksLikeAnyGET(t *testing.T) {
	s := newWearing(t)
	client := newClient(t, qq.Config{Key: opaque.Of(key), Endpoint: s.url})
	if _, err := client.Exchange(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	want := []string{"GET /oauth2.0/token?grant_type=authorization_code&client_id=101000001&client_secret=" + key + "&code=" + code + "&fmt=json HTTP/1.1\r\n" +
		"Host: " + strings.TrimPrefix(s.url, "http://") + "\r\nUser-Agent: qqauth\r\nConnection: close\r\n\r\n"}
	if diff := cmp.Diff(want, s.all()); diff != "" {
		t.Error(diff)
	}

	offered := make(chan []string, 2)
	secure := quiet(httptest.NewUnstartedServer(http.NotFoundHandler()))
	secure.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered <- hello.SupportedProtos
		return nil, nil
	}}
	secure.StartTLS()
	defer secure.Close()
	client = newClient(t, qq.Config{Key: opaque.Of(key), Endpoint: secure.URL})
	_, _ = client.Prove(t.Context(), token, "")
	proof := <-offered
	_, _ = client.Exchange(t.Context(), code)
	exchange := <-offered
	if !slices.Contains(proof, "h2") || slices.Contains(exchange, "h2") {
		t.Errorf("offered %v and %v; want h2 for the proof alone", proof, exchange)
	}
}

// A lost answer tells nothing about the code, which may be used up: it is not
// sent again.
func TestLostAnswerIsNotRetried(t *testing.T) {
	for name, fail := range map[string]func(http.ResponseWriter, *http.Request){
		"status":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"broken":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half":      func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"access_token":"`+token) },
		"too slow":  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newQQ(t)
				s.Behave(qqtest.Behavior{Fault: func(w http.ResponseWriter, r *http.Request) bool {
					fail(w, r)
					return true
				}})
				client := newClient(t, qq.Config{Key: opaque.Of(key), Transport: s.Transport()})
				if _, err := client.Exchange(t.Context(), code); !errors.Is(err, authcore.ErrQQUnavailable) {
					t.Errorf("got %v", err)
				}
				if n := s.Calls(qqtest.PathToken); n != 1 {
					t.Errorf("the code was sent %d times", n)
				}
			})
		})
	}
}

// Codes wait for the same places as proofs, and no longer than the timeout.
func TestExchangeIsAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const inFlight = 64
		release, codes := make(chan struct{}), 0
		client := newClient(t, qq.Config{Key: opaque.Of(key), Timeout: time.Minute, Transport: tripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/token") {
				codes++
				return answering(`{"access_token":"` + token + `"}`)(r)
			}
			<-release
			return answering(`{"client_id":"101000001","openid":"A"}`)(r)
		})})
		var proofs sync.WaitGroup
		for range inFlight {
			proofs.Go(func() { _, _ = client.Prove(t.Context(), "t", "A") })
		}
		synctest.Wait()

		start := time.Now()
		_, err := client.Exchange(t.Context(), code)
		if want := "qq token: no answer in time: qq is unavailable"; fmt.Sprint(err) != want || time.Since(start) != time.Minute {
			t.Errorf("waited %v: %v; want %s", time.Since(start), err, want)
		}
		ctx, giveUp := context.WithCancel(t.Context())
		giveUp()
		if _, err := client.Exchange(ctx, code); !errors.Is(err, authcore.ErrQQUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("gave up waiting: %v", err)
		}
		if codes != 0 {
			t.Errorf("%d codes were sent without a place", codes)
		}
		close(release)
		proofs.Wait()
		if _, err := client.Exchange(t.Context(), code); err != nil || codes != 1 {
			t.Errorf("after the crowd: %v, %d codes", err, codes)
		}
	})
}
