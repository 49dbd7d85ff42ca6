package e2e

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// guardNames are the headers that the guard of worldFile sets.
var guardNames = []string{"X-Qqauth-Ticket", "X-User-Id", "X-Display-Name", "X-Tier"}

// TestHeaderSmuggling sends what the guard alone may say. The site without a
// guard proves that each arrives where nothing stops it.
func TestHeaderSmuggling(t *testing.T) {
	aliases := `servers {
		expected_underscore_headers x_qqauth_ticket x_qqauth-ticket x_user_id x_qqauth.ticket x_tier
		expected_dot_headers x.qqauth.ticket x-qqauth.ticket x.user.id x_qqauth.ticket
	}`
	for _, tt := range []struct {
		name, global string
		spellings    []string
	}{
		{"plain", "", []string{
			"X-Qqauth-Ticket", "x-qqauth-ticket", "X-QQAUTH-TICKET", "X-User-Id", "x-user-ID", "X-Display-Name", "X-Tier",
		}},
		{"aliases", aliases, []string{
			"X_Qqauth_Ticket", "x_qqauth-ticket", "X.Qqauth.Ticket", "X-Qqauth.Ticket", "X_USER_ID", "x.user.id", "x_qqauth.ticket", "X_Tier",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "$GLOBAL", tt.global)
			g := w.login(demoApp, w.account(0))
			for _, spelling := range tt.spellings {
				t.Run(spelling, func(t *testing.T) {
					w := w.in(t)
					field := spelling + ": evil"
					bearer := "Authorization: Bearer " + g.Session
					if !strings.Contains(w.raw("PLAIN", strings.Replace(w.request("GET /", field), w.host("APP"), w.host("PLAIN"), 1)).text(), "evil") {
						t.Error("the header does not arrive even without a guard: this proves nothing")
					}
					got := w.raw("APP", w.request("GET /", bearer, field)).seen()
					w.checkClean(got, g)
					if public := w.raw("APP", w.request("GET /healthz", bearer, field)).seen(); slices.ContainsFunc(guardNames, public.has) || public.Header["Authorization"] != nil {
						t.Errorf("on a public path the upstream got %v", public.Header)
					}
				})
			}
		})
	}
}

// checkClean demands that the upstream got one good assertion, the user's
// headers and nothing that a client made up.
func (w *world) checkClean(got seen, g grant) {
	w.t.Helper()
	if tickets := got.Header["X-Qqauth-Ticket"]; len(tickets) != 1 {
		w.t.Fatalf("the upstream got %d assertions: %v", len(tickets), got.Header)
	}
	c := w.verifyAssertion(got.Header.Get("X-Qqauth-Ticket"), w.url("APP", ""))
	if ids := got.Header["X-User-Id"]; !slices.Equal(ids, []string{c.Subject}) {
		w.t.Errorf("X-User-Id is %v, want %s", ids, c.Subject)
	}
	if got.Header["X-Tier"] != nil {
		w.t.Errorf("a header whose value the user lacks is %v", got.Header["X-Tier"])
	}
	for _, fields := range []http.Header{got.Header, got.Trailer} {
		for name, values := range fields {
			for _, value := range values {
				if strings.Contains(value, "evil") || strings.Contains(value, g.Session) {
					w.t.Errorf("the upstream got %s: %s", name, value)
				}
			}
		}
	}
}

// TestConnection lists our headers as hop-by-hop, so that the proxy would drop
// them after the guard has set them.
func TestConnection(t *testing.T) {
	w := newWorld(t)
	g := w.login(demoApp, w.account(0))
	for _, lines := range [][]string{
		{"Connection: close, X-Qqauth-Ticket"},
		{"Connection: x-qqauth-ticket"},
		{"Connection: close", "Connection: X-User-Id,X-Qqauth-Ticket, x-user-id"},
		{"Connection: keep-alive,\tX-Qqauth-Ticket ,X-Display-Name"},
		{"connection: X_Qqauth_Ticket, X-USER-ID, close"},
		{"Connection: Upgrade, X-User-Id", "Upgrade: h2c"},
	} {
		t.Run(strings.Join(lines, "|"), func(t *testing.T) {
			w := w.in(t)
			w.checkClean(w.raw("APP", w.request("GET /", append(lines, "Authorization: Bearer "+g.Session)...)).seen(), g)
		})
	}
	conn := w.dialWS(g.Session, "Connection", "X-Qqauth-Ticket")
	w.checkClean(conn.first, g)
}

// TestTrailers sends our headers after the body, where the guard has long
// decided.
func TestTrailers(t *testing.T) {
	w := newWorld(t, "$GLOBAL", "servers {\n protocols h1 h2c\n }")
	g := w.login(demoApp, w.account(0))
	for _, announced := range []string{"Trailer: X-Qqauth-Ticket, X-User-Id, X-Session", "X-Other: a"} {
		body := "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Qqauth-Ticket: evil\r\nX-User-Id: evil\r\nX-Session: " + g.Session + "\r\n\r\n"
		for _, path := range []string{"/", "/healthz"} {
			request := w.request("POST "+path, "Authorization: Bearer "+g.Session, announced)
			got := w.raw("APP", strings.TrimSuffix(request, "\r\n")+body).seen()
			if got.Body != "body" || len(got.Trailer) > 0 {
				t.Errorf("h1 %s, %q: the upstream got body %q and trailers %v", path, announced, got.Body, got.Trailer)
			}
			if path == "/" {
				w.checkClean(got, g)
			}
		}
	}
	for _, port := range []string{"PLAIN", "APP"} {
		got := w.trailersOverH2(port, g.Session)
		if port == "PLAIN" && got.Trailer.Get("X-Qqauth-Ticket") != "evil" {
			t.Errorf("h2: the trailers do not arrive even without a guard: %v", got.Trailer)
		}
		if port == "APP" {
			w.checkClean(got, g)
			if len(got.Trailer) > 0 {
				t.Errorf("h2: the upstream got trailers %v", got.Trailer)
			}
		}
	}
}

// lateBody adds a trailer that nobody announced when the body ends.
type lateBody struct {
	io.Reader
	trailer http.Header
}

func (b *lateBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		b.trailer.Set("X-User-Id", "evil")
	}
	return n, err
}

func (b *lateBody) Close() error { return nil }

func (w *world) trailersOverH2(port, session string) seen {
	w.t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	r := newRequest(w.t, "POST", w.url(port, "/"), nil, "Authorization", "Bearer "+session)
	r.Trailer = http.Header{"X-Qqauth-Ticket": {"evil"}}
	r.Body, r.ContentLength = &lateBody{strings.NewReader("body"), r.Trailer}, -1
	a, err := send(w.t, &http.Client{Transport: transport, Timeout: patience}, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return a.seen()
}

// TestCredentials is where the guard finds a session, and what is left of it.
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	s := w.login(demoApp, w.account(0)).Session
	other := w.login(demoShop, w.account(1)).Session
	mine := w.cookie(s)
	for _, tt := range []struct {
		name   string
		fields []string
		status int
		// authorization and cookie are what the upstream gets.
		authorization, cookie []string
	}{
		{"bearer", []string{"Authorization: Bearer " + s}, 200, nil, nil},
		{"bearer in lower case", []string{"authorization: bearer " + s}, 200, nil, nil},
		{"bearer with odd spacing", []string{"Authorization:   BeArEr  \t " + s + "  "}, 200, nil, nil},
		{"cookie", []string{"Cookie: " + mine}, 200, nil, nil},
		{"cookie among others", []string{"Cookie: a=1; " + mine + "; b=2"}, 200, nil, []string{"a=1; b=2"}},
		{"cookies on two lines", []string{"Cookie: a=1", "Cookie: " + mine}, 200, nil, []string{"a=1"}},
		{"all our cookies go", []string{"Cookie: " + mine + "; qqauth-flow-1=x; __Host-qqauth=" + other + "; __Host-qqauth-flow=y; QQAUTH-1=z; c=3"}, 200, nil, []string{"c=3"}},
		{"bearer decides alone", []string{"Authorization: Bearer " + strings.Repeat("A", 32), "Cookie: " + mine}, 401, nil, nil},
		{"a bearer that is not ours", []string{"Authorization: Bearer abc.def", "Cookie: " + mine}, 200, []string{"Bearer abc.def"}, nil},
		{"basic", []string{"Authorization: Basic dTpw", "Cookie: " + mine}, 200, []string{"Basic dTpw"}, nil},
		{"a bearer that is not ours, alone", []string{"Authorization: Bearer abc.def"}, 401, nil, nil},
		{"two bearers", []string{"Authorization: Bearer " + s, "Authorization: Bearer " + s}, 401, nil, nil},
		{"bearer and basic", []string{"Authorization: Basic dTpw", "Authorization: Bearer " + s}, 401, nil, nil},
		{"two cookies", []string{"Cookie: " + mine + "; " + mine}, 401, nil, nil},
		{"two cookies on two lines", []string{"Cookie: " + mine, "Cookie: " + w.cookie(other)}, 401, nil, nil},
		{"two cookies, one empty", []string{"Cookie: " + w.cookie("") + "; " + mine}, 401, nil, nil},
		{"a cookie of another port", []string{"Cookie: qqauth-1=" + s}, 401, nil, nil},
		{"the live site's cookie", []string{"Cookie: __Host-qqauth=" + s}, 401, nil, nil},
		{"another client's session", []string{"Authorization: Bearer " + other}, 401, nil, nil},
		{"session-token", []string{"session-token: " + s}, 401, nil, nil},
		{"proxy-authorization", []string{"Proxy-Authorization: Bearer " + s}, 401, nil, nil},
		{"quoted cookie", []string{`Cookie: ` + w.cookie(`"`+s+`"`)}, 401, nil, nil},
		{"nothing", nil, 401, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := w.in(t)
			a := w.raw("APP", w.request("GET /", tt.fields...))
			if a.status != tt.status {
				t.Fatalf("got %d %s, want %d", a.status, a.body, tt.status)
			}
			if a.status == http.StatusUnauthorized {
				if a.want(401, "IDAAS.SDK.PARAM.0023"); a.header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("WWW-Authenticate is %q", a.header.Get("WWW-Authenticate"))
				}
				return
			}
			got := a.seen()
			w.checkClean(got, grant{Session: s})
			if diff := cmp.Diff(tt.authorization, got.Header["Authorization"]); diff != "" {
				t.Errorf("Authorization: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(tt.cookie, got.Header["Cookie"]); diff != "" {
				t.Errorf("Cookie: -want +got\n%s", diff)
			}
		})
	}
	public := w.raw("APP", w.request("GET /healthz", "Authorization: Bearer "+s, "Authorization: Bearer "+s, "Cookie: a=1; "+mine)).seen()
	if public.Header["Authorization"] != nil || !slices.Equal(public.Header["Cookie"], []string{"a=1"}) {
		t.Errorf("on a public path the upstream got %v", public.Header)
	}
}

// TestSetCookie has an upstream try to put its visitors into a session.
func TestSetCookie(t *testing.T) {
	w := newWorld(t)
	s := w.login(demoApp, w.account(0)).Session
	ours := []string{
		"__Host-qqauth=x; Path=/; Secure", "=__Host-qqauth=x", " = __Host-qqauth=x", "__HOST-QQAUTH=x", "__Host-qqauth-flow=x",
		w.cookie("x"), "qqauth-1=x", "qqauth-flow-8080=x", "\t__Host-qqauth=x", "__Host-qqauth", "=__Host-qqauth", "==__Host-qqauth=x",
	}
	others := []string{"a=1; Path=/", "qqauth=1", "x__Host-qqauth=1", "=nameless", "qqauth-theme=dark"}
	query := url.Values{"line": slices.Concat(ours, others)}
	for _, path := range []string{"/cookies?", "/cookies?early=1&"} {
		for _, header := range [][]string{{"Authorization", "Bearer " + s}} {
			a := w.ask("GET", w.url("APP", path+query.Encode()), nil, header...).want(http.StatusOK, "")
			if diff := cmp.Diff(others, a.header["Set-Cookie"]); diff != "" {
				t.Errorf("%s: Set-Cookie: -want +got\n%s", path, diff)
			}
		}
	}
}

// TestPublicPaths reads paths that are written so that some would take them for
// public ones and others for guarded ones.
func TestPublicPaths(t *testing.T) {
	w := newWorld(t)
	for path, status := range map[string]int{
		"/healthz": 200, "/assets/a.css": 200, "/assets/a%20b.css": 200, "/healthz?x=/secret": 200, "/assets/": 200,
		"/": 401, "/secret": 401, "/secret?/healthz": 401, "/healthz/": 401, "/healthzz": 401, "/assets": 401,
		"/assets/../secret": 401, "/assets/%2e%2e/secret": 401, "/assets/..%2fsecret": 401, "/assets%2fa.css": 401,
		"/assets/..;/secret": 401, "/assets/;x": 401, "/assets//a.css": 401, "//assets/a.css": 401, "/assets/%5c..%5csecret": 401,
		`/assets/\..\secret`: 401, "/assets/%252e%252e/secret": 401, "/assets/a%00": 401, "/assets/./a": 401,
		"/secret%23/../healthz": 401, "/healthz%3b": 401, "/assets/%0a": 401, "/x/../healthz": 401,
	} {
		t.Run(path, func(t *testing.T) {
			w := w.in(t)
			if a := w.raw("APP", w.request("GET "+path)); a.status != status {
				t.Errorf("got %d %s, want %d", a.status, a.body, status)
			}
		})
	}
	for _, field := range []string{"X-Forwarded-Uri: /healthz", "X-Original-Url: /healthz", "X-Rewrite-Url: /healthz", "User-Agent: kube-probe/1.2"} {
		if a := w.raw("APP", w.request("GET /secret", field)); a.status != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", field, a.status)
		}
	}
}

// TestCrossOrigin is another site that makes a browser send the cookie.
func TestCrossOrigin(t *testing.T) {
	w := newWorld(t)
	s := w.login(demoApp, w.account(0)).Session
	cookie, bearer := "Cookie: "+w.cookie(s), "Authorization: Bearer "+s
	evil, own := "Origin: http://evil.example", "Origin: "+w.url("APP", "")
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	for _, tt := range []struct {
		name   string
		line   string
		fields []string
		status int
	}{
		{"safe", "GET /", []string{cookie, evil, "Sec-Fetch-Site: cross-site"}, 200},
		{"fetch metadata", "POST /", []string{cookie, "Sec-Fetch-Site: cross-site"}, 403},
		{"fetch metadata of the same site", "DELETE /", []string{cookie, "Sec-Fetch-Site: same-site"}, 403},
		{"fetch metadata of the same origin", "POST /", []string{cookie, "Sec-Fetch-Site: same-origin"}, 200},
		{"fetch metadata before origin", "POST /", []string{cookie, evil, "Sec-Fetch-Site: none"}, 200},
		{"origin", "POST /", []string{cookie, evil}, 403},
		{"origin null", "PUT /", []string{cookie, "Origin: null"}, 403},
		{"own origin", "POST /", []string{cookie, own}, 200},
		{"no browser", "POST /", []string{cookie}, 200},
		{"unknown method", "PROPFIND /", []string{cookie, evil}, 403},
		{"bearer", "POST /", []string{bearer, evil, "Sec-Fetch-Site: cross-site"}, 200},
		{"websocket", "GET /ws", append([]string{cookie, evil}, upgrade...), 403},
		{"websocket by fetch metadata", "GET /ws", append([]string{cookie, "Sec-Fetch-Site: cross-site"}, upgrade...), 403},
		{"websocket of own origin", "GET /ws", append([]string{cookie, own}, upgrade...), 101},
		{"websocket with bearer", "GET /ws", append([]string{bearer, evil}, upgrade...), 101},
		{"websocket in other words", "GET /ws", append([]string{cookie, evil, "connection: UPGRADE", "upgrade: WebSocket"}, upgrade[2:]...), 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := w.in(t)
			fields := slices.Concat([]string{"Content-Length: 0"}, tt.fields)
			if a := w.raw("APP", w.request(tt.line, fields...)); a.status != tt.status {
				t.Errorf("got %d %s, want %d", a.status, a.body, tt.status)
			} else if a.status == http.StatusForbidden {
				a.want(403, "IDAAS.SDK.AUTH.0001")
			}
		})
	}
}

// TestNicknames has users whose nicknames are templates. None may be expanded.
func TestNicknames(t *testing.T) {
	w := newWorld(t)
	for n, header := range map[int]string{
		0: "%E6%9E%97%E5%B0%8F%E9%9B%A8", 1: "{env.HOME}", 2: "{http.request.uuid}%250d", 3: "Jonny",
	} {
		a := w.account(n)
		got := w.guarded("/", w.login(demoApp, a).Session).seen()
		if names := got.Header["X-Display-Name"]; !slices.Equal(names, []string{header}) {
			t.Errorf("%s became %v, want %s", a.Nickname, names, header)
		}
		if c := w.verifyAssertion(got.Header.Get("X-Qqauth-Ticket"), w.url("APP", "")); c.Name != a.Nickname {
			t.Errorf("the assertion's name is %q, want %q", c.Name, a.Nickname)
		}
		for name := range maps.Keys(got.Header) {
			if strings.Contains(got.Header.Get(name), w.dir) {
				t.Errorf("%s holds the home directory", name)
			}
		}
	}
}

// TestH2C speaks HTTP/2 without TLS, by upgrade and by prior knowledge: neither
// is a way past the guard.
func TestH2C(t *testing.T) {
	w := newWorld(t, "$GLOBAL", "servers {\n protocols h1 h2c\n }")
	upgrade := w.request("GET /", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
	w.raw("APP", upgrade).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	a, err := send(t, &http.Client{Transport: transport, Timeout: patience}, newRequest(t, "GET", w.url("APP", "/"), nil))
	if err != nil {
		t.Fatal(err)
	}
	a.want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
}
