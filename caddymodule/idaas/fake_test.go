package idaas

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

const (
	knownClient = "nTo1eRIub60vPb54WeE6aojPwYwImtl4"
	knownBearer = "goodBearer"
	ticket32    = "y0w1ODvy7v0000nCa91OYoj1Bzxqfesy"
	session32   = "btsiBjx85prcZu6I6Ki057Tmw3nSF2VO"
)

// called is what a fake was asked.
type called struct {
	method     string
	client     authcore.ClientID
	caller     authcore.Caller
	one, other string // the arguments that are not those above
}

// fake answers every method with what it was given: err if there is one.
type fake struct {
	mu      sync.Mutex
	calls   []called
	err     error
	panic   any
	outcome authcore.Outcome
	grant   authcore.Grant
	bearer  authcore.Bearer
	ticket  authcore.IssuedTicket
	profile authcore.Profile
}

func (f *fake) note(c called) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	if f.panic != nil {
		panic(f.panic)
	}
	return f.err
}

func (f *fake) last(t *testing.T) called {
	t.Helper()
	if len(f.calls) != 1 {
		t.Fatalf("service was called %d times, want once", len(f.calls))
	}
	return f.calls[0]
}

func (f *fake) HasClient(id authcore.ClientID) bool { return id == knownClient }

func (f *fake) LoginQQ(_ context.Context, client authcore.ClientID, c authcore.Caller, token, openID string) (authcore.Outcome, error) {
	return f.outcome, f.note(called{"LoginQQ", client, c, token, openID})
}

func (f *fake) IDToken(_ context.Context, client authcore.ClientID, c authcore.Caller, session string) (authcore.Grant, error) {
	return f.grant, f.note(called{"IDToken", client, c, session, ""})
}

func (f *fake) Logout(_ context.Context, client authcore.ClientID, session, idToken string) error {
	return f.note(called{"Logout", client, authcore.Caller{}, session, idToken})
}

func (f *fake) NewBearer(client authcore.ClientID, secret string) (authcore.Bearer, error) {
	return f.bearer, f.note(called{"NewBearer", client, authcore.Caller{}, secret, ""})
}

func (f *fake) CheckBearer(bearer string) (authcore.ClientID, error) {
	if bearer != knownBearer {
		return "", authcore.ErrBearer
	}
	return knownClient, nil
}

func (f *fake) IssueTicket(_ context.Context, tenant authcore.ClientID, c authcore.Caller, session string, receiver authcore.ClientID) (authcore.IssuedTicket, error) {
	return f.ticket, f.note(called{"IssueTicket", tenant, c, session, string(receiver)})
}

func (f *fake) RedeemTicket(_ context.Context, tenant authcore.ClientID, c authcore.Caller, ticket string) (authcore.Profile, error) {
	return f.profile, f.note(called{"RedeemTicket", tenant, c, ticket, ""})
}

func (f *fake) Refresh(_ context.Context, tenant authcore.ClientID, c authcore.Caller, session string) (authcore.Grant, error) {
	return f.grant, f.note(called{"Refresh", tenant, c, session, ""})
}

// newFake answers with values that every route can encode.
func newFake() *fake {
	grant := authcore.Grant{
		Token:     authcore.SessionToken{Secret: opaque.Of(session32)},
		ExpiresIn: 604800 * time.Second,
		IDToken:   "header.claims.signature",
	}
	return &fake{
		outcome: authcore.Outcome{Status: authcore.StatusSuccess, Grant: grant},
		grant:   grant,
		bearer:  authcore.Bearer{Token: opaque.Of("bearer-of-a-tenant"), ExpiresIn: 1800 * time.Second},
		ticket:  authcore.IssuedTicket{Token: authcore.TicketToken{Secret: opaque.Of(ticket32)}, ExpiresIn: 300 * time.Second},
		profile: authcore.Profile{ID: "20220126153857263-A04D-60E0D446C", UserName: "zhangsan"},
	}
}

var clientAddr = netip.MustParseAddr("203.0.113.9")

func newHandler(s Service, log *slog.Logger) *Handler {
	return New(Config{
		Service: s,
		Caller:  func(*http.Request) (netip.Addr, bool) { return clientAddr, true },
		Log:     log,
	})
}

// draft is a request that is still to be spoilt.
type draft struct {
	method, path, query string
	header              http.Header
	fields              map[string]any // the JSON body, if the call has one
	raw                 string         // the body instead of fields, if not empty
}

func (d *draft) request(t testing.TB) *http.Request {
	t.Helper()
	body := []byte(d.raw)
	if d.raw == "" && d.fields != nil {
		var err error
		if body, err = json.Marshal(d.fields); err != nil {
			t.Fatal(err)
		}
	}
	target := d.path
	if d.query != "" {
		target += "?" + d.query
	}
	r := httptest.NewRequestWithContext(t.Context(), d.method, target, bytes.NewReader(body))
	r.Header = d.header
	return r
}

// drafts makes one good request for each route.
var drafts = map[string]func() *draft{
	"login_qq": func() *draft {
		d := sdkDraft("POST", "/api/v2/sdk/login/qq")
		d.header.Set("Content-Type", "application/json")
		d.fields = map[string]any{"access_token": "8B11C37B7894C5E2347E1606DC7CCFDC", "open_id": "D8924F7071DC1D29A6822C794D848D9C"}
		return d
	},
	"id_token": func() *draft {
		d := sdkDraft("POST", "/api/v2/sdk/sso/session-token/id-token")
		d.header.Set("session-token", session32)
		return d
	},
	"logout": func() *draft {
		d := sdkDraft("GET", "/api/v2/sdk/logout")
		d.header.Set("session-token", session32)
		return d
	},
	"token": func() *draft {
		return &draft{
			method: "POST", path: "/api/v2/tenant/token",
			query:  "grant_type=client_credentials&client_id=" + knownClient + "&client_secret=s3cret",
			header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		}
	},
	"issue_ticket": func() *draft {
		return tenantDraft("/api/v2/tenant/sso/session-token/sso-ticket", "session_token", session32)
	},
	"verify_ticket": func() *draft {
		return tenantDraft("/api/v2/tenant/sso/sso-ticket/verify", "sso_ticket", "ssoTicket-"+ticket32)
	},
	"refresh": func() *draft {
		return tenantDraft("/api/v2/tenant/sso/session-token/refresh", "session_token", session32)
	},
}

func sdkDraft(method, path string) *draft {
	d := &draft{method: method, path: path, header: http.Header{}}
	d.header.Set("X-operating-sys-version", "windows10.1.1")
	d.header.Set("X-device-fingerprint", "156aysdna213sc50")
	d.header.Set("X-device-ip", "192.168.1.2")
	d.header.Set("X-agent", "Mozilla/5.0 (iPhone)")
	d.header.Set("X-client-id", knownClient)
	return d
}

func tenantDraft(path, name, token string) *draft {
	return &draft{
		method: "POST", path: path,
		header: http.Header{"Authorization": {"Bearer " + knownBearer}, "Content-Type": {"application/json"}},
		fields: map[string]any{
			name:                    token,
			"operating_sys_version": "windows10.1.1",
			"device_ip":             "192.168.1.1",
			"device_fingerprint":    "156aysdna213sac",
			"agent":                 "agent:Mozilla/5.0",
		},
	}
}

// serve answers a request and checks what holds for every answer.
func serve(t testing.TB, h *Handler, r *http.Request) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q, want no-store", got)
	}
	if got := resp.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options = %q, want nosniff", got)
	}
	if got := w.Body.Len(); got > 0 && resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type = %q, want exactly application/json", resp.Header.Get("Content-Type"))
	}
	return resp
}

func bodyOf(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// codeOf is what an answer calls its fault, in either kind of body; "" for none.
func codeOf(t testing.TB, resp *http.Response) string {
	t.Helper()
	var body struct {
		Code  string `json:"error_code"`
		Error string `json:"error"`
	}
	if b := bodyOf(t, resp); b != "" {
		if err := json.Unmarshal([]byte(b), &body); err != nil {
			t.Fatalf("answer %q: %v", b, err)
		}
	}
	return body.Code + body.Error
}

// answer is serve for a draft, with a service that answers s.
func (d *draft) answer(t testing.TB, s Service) *http.Response {
	t.Helper()
	return serve(t, newHandler(s, nil), d.request(t))
}

// logLines is a logger and what was logged through it, a JSON line each.
func logLines() (*slog.Logger, func() []string) {
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	return log, func() []string {
		return slices.Collect(strings.Lines(b.String()))
	}
}

func routeNames() []string { return slices.Sorted(maps.Keys(drafts)) }
