package caddymodule

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// gameSecret is what no log may show; its halves stand on both sides of what
// splits it.
const (
	gameSecret  = gameSecretA + gameSecretB
	gameSecretA = "b3JkaW5hcnk0"
	gameSecretB = "c2VjcmV0LWdh"
)

func gamesApp() *App {
	return &App{Config: *shopConfig(func(c *Config) {
		c.Clients[2].GameSparks = &GameSparks{"k-game", "device", "{env.A}"}
	})}
}

// arrived reads a request as the server does, and gives it what Caddy gives it.
func arrived(t *testing.T, target string, header ...string) *http.Request {
	t.Helper()
	text := "POST " + target + " HTTP/1.1\r\nHost: id.example.com\r\n" + strings.Join(header, "\r\n")
	if len(header) > 0 {
		text += "\r\n"
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text + "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), new(caddyhttp.Server))
}

// TestGamePaths: whatever a game that is set up wrongly sends to the login site,
// the secret stays out of the log, as do halves of it.
func TestGamePaths(t *testing.T) {
	const s, a, b = gameSecret, gameSecretA, gameSecretB
	app := gamesApp()
	for _, tc := range []struct{ name, target, shown string }{
		{"request", "/rs/device/" + s + "/QQConnectRequest", "/rs/device/REDACTED/QQConnectRequest"},
		{"websocket", "/ws/device/" + s, "/ws/device/REDACTED"},
		{"root", "/rs", "/rs"},
		{"root with a slash", "/ws/", "/ws/"},
		{"credential alone", "/rs/device", "/rs/device"},
		{"without a name", "/rs/device/" + s, "/rs/device/REDACTED"},
		{"trailing slash", "/rs/device/" + s + "/", "/rs/device/REDACTED/"},
		{"name and slash", "/rs/device/" + s + "/QQConnectRequest/", "/rs/device/REDACTED/QQConnectRequest/"},
		{"query", "/rs/device/" + s + "/QQConnectRequest?secret=" + s, "/rs/device/REDACTED/QQConnectRequest?REDACTED"},
		{"query alone", "/rs?" + s, "/rs?REDACTED"},
		{"two question marks", "/ws/device/" + a + "?" + b + "?" + s, "/ws/device/REDACTED?REDACTED"},
		{"no credential", "/rs/" + s + "/QQConnectRequest", "/rs/REDACTED/REDACTED"},
		{"empty credential", "/rs//" + s + "/QQConnectRequest", "/rs//REDACTED/QQConnectRequest"},
		{"unknown credential", "/rs/sever/" + s + "/QQConnectRequest", "/rs/REDACTED/REDACTED/QQConnectRequest"},
		{"swapped", "/rs/" + s + "/device/QQConnectRequest", "/rs/REDACTED/REDACTED/QQConnectRequest"},
		{"behind the name", "/rs/device/QQConnectRequest/" + s, "/rs/device/REDACTED/REDACTED"},
		{"far behind", "/ws/device/key/x/" + s, "/ws/device/REDACTED/REDACTED/REDACTED"},
		{"slash in it", "/rs/device/" + a + "/" + b + "/QQConnectRequest", "/rs/device/REDACTED/REDACTED/REDACTED"},
		{"slash in it without a name", "/rs/device/" + a + "/" + b, "/rs/device/REDACTED/REDACTED"},
		{"escaped slash in it", "/rs/device/" + a + "%2f" + b, "/rs/device/REDACTED/REDACTED"},
		{"escaped letters", "/%72s/device/" + s + "/QQConnectRequest", "/rs/device/REDACTED/QQConnectRequest"},
		{"escaped slashes", "/rs%2Fdevice%2f" + s + "%2fQQConnectRequest", "/rs/device/REDACTED/QQConnectRequest"},
		{"escaped twice", "/rs%252fdevice%252f" + s, "/REDACTED"},
		{"escaped four times", "/%25252572s/device/" + s, "/REDACTED"},
		{"escape of no escape", "/%2572s/device/" + s + "/%25zz", "/REDACTED"},
		{"escaped question mark", "/rs%3f" + s, "/REDACTED"},
		{"doubled first slash", "//rs/device/" + s, "/REDACTED"},
		{"doubled slashes", "/rs//device//" + s + "//QQConnectRequest", "/rs//REDACTED//REDACTED//REDACTED"},
		{"upper case", "/RS/device/" + s + "/QQConnectRequest", "/REDACTED"},
		{"long s", "/r%C5%BF/device/" + s, "/REDACTED"},
		{"backslashes", `/rs\device\` + s, "/REDACTED"},
		{"backslash first", `/\ws/device/` + s, "/REDACTED"},
		{"semicolon", "/rs;v=1/device/" + s, "/REDACTED"},
		{"colon", "/ws:device:" + s, "/REDACTED"},
		{"dot segment", "/./rs/device/" + s, "/REDACTED"},
		{"into it", "/x/../rs/device/" + s, "/REDACTED"},
		{"above the root", "/../ws/device/" + s, "/REDACTED"},
		{"escaped dots", "/x/%2e%2e/rs/device/" + s, "/REDACTED"},
		{"out of it", "/rs/../device/" + s + "/QQConnectRequest", "/rs/REDACTED/REDACTED/REDACTED/REDACTED"},
		{"through it", "/x/../rs/device/" + s + "/../../..", "/REDACTED"},
		{"absolute", "http://id.example.com/rs/device/" + s + "/QQConnectRequest", "/rs/device/REDACTED/QQConnectRequest"},
		{"absolute without a name", "https://u:" + s + "@id.example.com/rs/device/" + s, "/rs/device/REDACTED"},
		{"absolute with a query", "http://id.example.com/rs/device/" + s + "?x=" + s, "/rs/device/REDACTED?REDACTED"},
		{"absolute, doubled slash", "http://id.example.com//rs/device/" + s, "/REDACTED"},
		{"without a host", "http:///rs/device/" + s, "/rs/device/REDACTED"},
		{"without slashes", "http:rs/device/" + s, "/REDACTED"},
		{"with one slash", "http:/rs/device/" + s, "/rs/device/REDACTED"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := arrived(t, tc.target, "X-Forwarded-Uri: "+tc.target, "X-Original-Url: https://id.example.com/rs/device/"+s, "Accept: text/html")
			before := r.RequestURI
			if !carriesGameSecret(r) {
				t.Error("Caddy logs it")
			}
			shown := app.redacted(r)
			if shown.RequestURI != tc.shown {
				t.Errorf("uri: got %s, want %s", shown.RequestURI, tc.shown)
			}
			if line := logged(shown); strings.Contains(line, a) || strings.Contains(line, b) || !strings.Contains(line, "text/html") {
				t.Errorf("logged %s", line)
			}
			if r.RequestURI != before || !strings.Contains(r.Header.Get("X-Original-Url"), s) {
				t.Error("the request was changed")
			}
		})
	}
}

// logged is a request as it stands in a log.
func logged(r *http.Request) string {
	enc := zapcore.NewJSONEncoder(zapcore.EncoderConfig{})
	line, _ := enc.EncodeEntry(zapcore.Entry{}, []zapcore.Field{zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r})})
	return line.String()
}

// TestOtherPaths: what does not lead into our folders is logged by Caddy.
func TestOtherPaths(t *testing.T) {
	for _, target := range []string{
		"/", "/rsx/device/a", "/wsx", "/ws-of-the-app/a", "/rs.html", "/rs_x", "/rs~x", "/rsä", "/x/rs/device/a",
		"/x/../y/rs", "/api/v2/sdk/login/qq", "/?/rs/device/a", "/x?to=/ws/a/b", "http://rs.example.com/x", "*",
	} {
		if r := arrived(t, target, "Referer: https://id.example.com/login?x=1", "Accept: text/html"); carriesGameSecret(r) {
			t.Errorf("%s is taken for a game's", target)
		}
	}
}

// TestRewrittenGamePaths: Caddy logs a request as it arrived, and other handlers
// may have changed it before it comes to us.
func TestRewrittenGamePaths(t *testing.T) {
	app := gamesApp()
	rewrite := func(r *http.Request, to string) *http.Request {
		changed := arrived(t, to)
		original := r.Context().Value(caddyhttp.OriginalRequestCtxKey)
		return changed.WithContext(context.WithValue(changed.Context(), caddyhttp.OriginalRequestCtxKey, original))
	}
	for _, tc := range []struct{ name, arrived, rewritten, shown string }{
		{"prefix taken off", "/games/rs/device/" + gameSecret, "/rs/device/" + gameSecret, "/rs/device/REDACTED"},
		{"folder taken off", "/rs/device/" + gameSecret, "/device/" + gameSecret, "/rs/device/REDACTED"},
		{"made a query", "/ws/device/" + gameSecret, "/x?key=" + gameSecret, "/ws/device/REDACTED?REDACTED"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := rewrite(arrived(t, tc.arrived), tc.rewritten)
			if !carriesGameSecret(r) {
				t.Error("Caddy logs it")
			}
			if shown := app.redacted(r); shown.RequestURI != tc.shown {
				t.Errorf("got %s, want %s", shown.RequestURI, tc.shown)
			}
		})
	}
}

// TestReferer: somebody opens a game's URL in a browser. What the browser loads
// next from the same origin, an icon, carries that URL as its Referer.
func TestReferer(t *testing.T) {
	app := gamesApp()
	for _, referer := range []string{
		"https://id.example.com/rs/device/" + gameSecret + "/QQConnectRequest",
		"https://id.example.com//WS/device/" + gameSecret, "/rs/device/" + gameSecret, "https://id.example.com/rs%2fdevice%2f" + gameSecret,
		"100% /rs/device/" + gameSecret,
	} {
		r := arrived(t, "/favicon.ico", "Referer: https://id.example.com/", "Referer: "+referer)
		if !carriesGameSecret(r) {
			t.Errorf("Caddy logs %s", referer)
		}
		shown := app.redacted(r)
		if got := strings.Join(shown.Header["Referer"], " "); got != "https://id.example.com/ REDACTED" || shown.RequestURI != "/favicon.ico" {
			t.Errorf("%s is shown as %s on %s", referer, got, shown.RequestURI)
		}
	}
}

// TestServeLogged looks at all that is written about a request whose next handler
// repeats the path: in a redirect, and in an error, as a file server's has it.
func TestServeLogged(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	app := gamesApp()
	app.log, app.accessLog = zap.New(core).Named("app"), zap.New(core).Named("access")
	serve := func(target string, next caddyhttp.HandlerFunc) int {
		t.Helper()
		r := arrived(t, target)
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.ServerCtxKey, &caddyhttp.Server{Logs: new(caddyhttp.ServerLogConfig)}))
		w := httptest.NewRecorder()
		if err := app.serveLogged(w, r, next); err != nil {
			t.Errorf("%s: %v", target, err)
		}
		if caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar) != true {
			t.Errorf("%s: Caddy logs it", target)
		}
		return w.Code
	}
	status := serve("/RS/device/"+gameSecret, func(w http.ResponseWriter, r *http.Request) error {
		http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
		return nil
	})
	failed := serve("//rs/device/"+gameSecret, func(_ http.ResponseWriter, r *http.Request) error {
		return caddyhttp.Error(http.StatusForbidden, errors.New("open /srv/rs/device/"+gameSecret+": permission denied"))
	})
	plain := serve("/rs", func(http.ResponseWriter, *http.Request) error { return errors.New("dial tcp 127.0.0.1:1: refused") })
	if status != http.StatusMovedPermanently || failed != http.StatusForbidden || plain != http.StatusInternalServerError {
		t.Errorf("answered %d, %d and %d", status, failed, plain)
	}
	var all strings.Builder
	enc := zapcore.NewJSONEncoder(zapcore.EncoderConfig{NameKey: "logger", MessageKey: "msg", EncodeDuration: zapcore.NanosDurationEncoder})
	for _, entry := range logs.All() {
		line, err := enc.EncodeEntry(entry.Entry, entry.Context)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(line.Bytes())
	}
	log := all.String()
	if strings.Contains(log, gameSecret) {
		t.Errorf("a log holds the secret: %s", log)
	}
	for _, want := range []string{`"Location":["REDACTED"]`, `"status":301`, `"error":"REDACTED"`, `"error":"dial tcp 127.0.0.1:1: refused"`} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in %s", want, log)
		}
	}
	if n := strings.Count(log, `"msg":"handled request"`); n != 3 {
		t.Errorf("%d access lines; want 3", n)
	}
}

// However a path is written, a segment of it that is neither a configured
// credential nor the name of a request is in no log, and whatever the login
// serves as a path of the API is one.
func FuzzGamePath(f *testing.F) {
	for _, path := range []string{"/rs/device/a/XRequest", "//RS/a", "/rs%2fa", "/x/../ws/a", `/rs\a`, "/%2572s/b", "/rs;a"} {
		f.Add(path)
	}
	app := gamesApp()
	f.Fuzz(func(t *testing.T, path string) {
		if (under(path, "/rs") || under(path, "/ws")) && !throughGame(path) {
			t.Errorf("%q is served and not hidden", path)
		}
		for segment := range strings.SplitSeq(app.hideGamePath(path), "/") {
			switch segment {
			case "", "rs", "ws", "device", hidden:
			default:
				if !requestName.MatchString(segment) {
					t.Errorf("%q shows %q", path, segment)
				}
			}
		}
	})
}
