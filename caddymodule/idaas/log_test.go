package idaas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// planted stands in everything that a caller can send.
const planted = "PLANTED"

// plant puts planted into every header, field and parameter of a request that
// can take it and still pass.
func plant(d *draft) {
	for _, name := range []string{
		"X-operating-sys-version", "X-device-fingerprint", "X-device-ip", "X-agent", "X-L", "X-state-token", "Cookie", "User-Agent",
	} {
		d.header.Set(name, planted)
	}
	if d.header.Get("session-token") != "" {
		d.header.Set("session-token", planted)
	}
	if d.header.Get("Authorization") == "Bearer "+knownID {
		d.header.Set("Authorization", "Bearer "+planted)
	}
	for name := range d.fields {
		switch name {
		case "sso_ticket", "point_json": // have a form
		case "token": // comes back
		case "captcha_token":
			d.fields[name] = planted + passSeparator + planted
		default:
			d.fields[name] = planted
		}
	}
	d.path = strings.Replace(d.path, knownUser, planted, 1)
	d.query = strings.Replace(d.query, "s3cret", planted, 1)
}

// One line for each request that is refused, none for any other, and in no line
// anything that came with the request.
func TestLog(t *testing.T) {
	fails := func(err error) func(*draft, *fake) {
		return func(d *draft, f *fake) {
			if slices.Contains(serviceFaults[routeOf(d.path).name], err) {
				f.err = err
			}
		}
	}
	faults := map[string]func(*draft, *fake){
		"none":        func(*draft, *fake) {},
		"limit":       fails(authcore.ErrLimited),
		"unavailable": func(_ *draft, f *fake) { f.err = authcore.ErrUnavailable },
		"qq":          fails(authcore.ErrQQConfig),
		"send":        fails(authcore.ErrSend),
		"state":       func(d *draft, _ *fake) { d.header.Set("X-state-token", "a.b."+planted) },
		"contact": func(d *draft, _ *fake) {
			d.raw = `{"mobile":"PLANTED1","email":"PLANTED1","sender":"PLANTED1","point_json":"PLANTED","type":"PLANTED"}`
		},
		"unexpected":   func(_ *draft, f *fake) { f.err = errors.New("disk on fire") },
		"panic":        func(_ *draft, f *fake) { f.panic = planted },
		"panic error":  func(_ *draft, f *fake) { f.panic = errors.New(planted) },
		"path":         func(d *draft, _ *fake) { d.path += "/" + planted },
		"method":       func(d *draft, _ *fake) { d.method = planted },
		"client":       func(d *draft, _ *fake) { d.header.Set("X-client-id", planted) },
		"bearer":       func(d *draft, _ *fake) { d.header.Set("Authorization", "Bearer "+planted) },
		"basic":        func(d *draft, _ *fake) { d.header.Set("Authorization", basicAuth(planted, planted)) },
		"content type": func(d *draft, _ *fake) { d.header.Set("Content-Type", planted) },
		"JSON":         func(d *draft, _ *fake) { d.raw = planted },
		"key":          func(d *draft, _ *fake) { d.raw = `{"PLANTED":1,"planted":2}` },
		"type":         func(d *draft, _ *fake) { d.raw = `{"open_id":["PLANTED"],"agent":["PLANTED"]}` },
		"ticket":       func(d *draft, _ *fake) { d.raw = `{"sso_ticket":"PLANTED"}` },
		"grant":        func(d *draft, _ *fake) { d.query = "grant_type=" + planted },
		"client and all": func(d *draft, _ *fake) {
			d.query = "grant_type=client_credentials&client_id=PLANTED&client_secret=PLANTED"
		},
	}
	for _, route := range routeNames() {
		for name, fault := range faults {
			t.Run(route+"/"+name, func(t *testing.T) {
				d, f := drafts[route](), newFake()
				plant(d)
				fault(d, f)
				log, lines := logLines()
				resp := serve(t, newHandler(f, log), d.request(t))
				got := lines()
				if want := resp.StatusCode != http.StatusOK; (len(got) == 1) != want || len(got) > 1 {
					t.Fatalf("status %d, %d lines: %q", resp.StatusCode, len(got), got)
				}
				if text := strings.Join(got, ""); strings.Contains(strings.ToUpper(text), planted) {
					t.Errorf("a secret is in the log: %s", text)
				}
				if text := bodyOf(t, resp); strings.Contains(strings.ToUpper(text), planted) {
					t.Errorf("a secret is in the answer: %s", text)
				}
			})
		}
	}
}

func TestLogLine(t *testing.T) {
	tests := []struct {
		name, route string
		spoil       func(*draft, *fake)
		want        map[string]any
	}{
		{"caller's fault", "login_qq", func(d *draft, _ *fake) { d.fields["open_id"] = "" }, map[string]any{
			"level": "INFO", "route": "login_qq", "code": "IDAAS.SDK.PARAM.0025", "status": 400.0,
			"client_id": knownClient, "why": "open_id is empty", "error": nil,
		}},
		{"unknown client", "login_qq", func(d *draft, _ *fake) { d.header.Set("X-client-id", "nobody") }, map[string]any{
			"level": "INFO", "code": "IDAAS.SDK.PARAM.0003", "client_id": nil,
		}},
		{"unknown path", "login_qq", func(d *draft, _ *fake) { d.path += "x" }, map[string]any{
			"level": "INFO", "route": "unknown", "code": "IDAAS.SDK.REQ.0005", "client_id": nil,
		}},
		{"wrong secret", "token", func(_ *draft, f *fake) { f.err = authcore.ErrClientSecret }, map[string]any{
			"level": "INFO", "route": "token", "code": "invalid_client", "client_id": knownClient,
		}},
		{"qq's refusal", "login_qq", func(_ *draft, f *fake) { f.err = authcore.ErrQQToken }, map[string]any{
			"level": "INFO", "code": "IDAAS.SDK.QQ.0001", "why": authcore.ErrQQToken.Error(), "error": nil,
		}},
		{"our qq application", "login_qq", func(_ *draft, f *fake) { f.err = fmt.Errorf("prove: %w", authcore.ErrQQConfig) }, map[string]any{
			"level": "ERROR", "code": "IDAAS.SDK.QQ.0004", "error": "prove: " + authcore.ErrQQConfig.Error(),
		}},
		{"store", "refresh", func(_ *draft, f *fake) { f.err = fmt.Errorf("read session: %w", authcore.ErrDamaged) }, map[string]any{
			"level": "ERROR", "status": 503.0, "code": "IDAAS.SDK.COM.0002", "error": "read session: store is damaged",
		}},
		{"hung up", "refresh", func(_ *draft, f *fake) { f.err = fmt.Errorf("read session: %w", context.Canceled) }, map[string]any{
			"level": "INFO", "status": 500.0, "error": "read session: context canceled",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, f := drafts[test.route](), newFake()
			test.spoil(d, f)
			log, lines := logLines()
			serve(t, newHandler(f, log), d.request(t))
			if len(lines()) != 1 {
				t.Fatalf("%d lines, want one", len(lines()))
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(lines()[0]), &got); err != nil {
				t.Fatal(err)
			}
			for name, want := range test.want {
				if got[name] != want {
					t.Errorf("%s = %v, want %v", name, got[name], want)
				}
			}
		})
	}
}

// What is panicked with is not printed, unless it is the runtime's; where it
// happened is.
func TestLogOfPanic(t *testing.T) {
	f := newFake()
	var nobody *fake
	for _, test := range []struct {
		handler *Handler
		want    string
	}{
		{newHandler(f, nil), "panic: string"},
		{newHandler(nobody, nil), "nil pointer dereference"},
	} {
		f.panic = "secret words"
		log, lines := logLines()
		test.handler.log = log
		serve(t, test.handler, drafts["login_qq"]().request(t))
		text := strings.Join(lines(), "")
		if !strings.Contains(text, test.want) || !strings.Contains(text, "fake_test.go") || strings.Contains(text, "secret words") {
			t.Errorf("want %q and a stack in %s", test.want, text)
		}
	}
}
