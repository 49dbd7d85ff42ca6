package idaas

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// printed is an answer as text, its headers in order.
func printed(t *testing.T, resp *http.Response) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP %d\n", resp.StatusCode)
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(resp.Header[name], " | "))
	}
	fmt.Fprintf(&b, "\n%s\n", bodyOf(t, resp))
	return b.String()
}

// The vendor's own examples, given the vendor's own values, come out byte for
// byte but for white space: the same keys in the same order with the same types.
func TestVendorExamples(t *testing.T) {
	grant := func(token string, expire int64, idToken string) authcore.Grant {
		return authcore.Grant{Token: authcore.SessionToken{Secret: opaque.Of(token)}, ExpiresIn: time.Duration(expire) * time.Second, IDToken: idToken}
	}
	// values are those of the example, which the fake gives back.
	type values struct {
		SessionToken string `json:"session_token"`
		Expire       int64  `json:"expire"`
		IDToken      string `json:"id_token"`
		StateToken   string `json:"state_token"`
		Ticket       string `json:"sso_ticket"`
		ID           authcore.UserID
		UserName     string
		Name         string
		Mobile       string
		Email        string
	}
	both := []authcore.Way{authcore.WayPhone, authcore.WayEmail}
	tests := []struct {
		example, route string
		give           func(*fake, values)
		spoil          func(*draft)
	}{
		{"success", "login_qq", func(f *fake, v values) {
			f.outcome.Grant = grant(v.SessionToken, v.Expire, v.IDToken)
		}, nil},
		{"user_register", "login_qq", func(f *fake, v values) {
			f.outcome = authcore.Outcome{Status: authcore.StatusUserRegister, StateToken: v.StateToken, Ways: both}
		}, nil},
		{"social_bind", "login_qq", func(f *fake, v values) {
			f.outcome = authcore.Outcome{Status: authcore.StatusSocialBind, StateToken: v.StateToken, Ways: both}
		}, nil},
		{"access_denied", "login_qq", func(f *fake, _ values) {
			f.outcome = authcore.Outcome{Status: authcore.StatusAccessDenied}
		}, nil},
		{"error", "login_qq", func(*fake, values) {}, func(d *draft) {
			d.header.Set("X-L", "en")
			d.header.Del("X-device-fingerprint")
		}},
		{"id_token", "id_token", func(f *fake, v values) { f.grant = grant(v.SessionToken, v.Expire, v.IDToken) }, nil},
		{"sso_ticket", "issue_ticket", func(f *fake, v values) {
			f.ticket = authcore.IssuedTicket{
				Token:     authcore.TicketToken{Secret: opaque.Of(strings.TrimPrefix(v.Ticket, "ssoTicket-"))},
				ExpiresIn: time.Duration(v.Expire) * time.Second,
			}
		}, nil},
		{"verify", "verify_ticket", func(f *fake, v values) {
			f.profile = authcore.Profile{ID: v.ID, UserName: v.UserName, Name: v.Name, Mobile: v.Mobile, Email: v.Email}
		}, nil},
		{"refresh", "refresh", func(f *fake, v values) { f.grant = grant(v.SessionToken, v.Expire, "") }, nil},
	}
	for _, test := range tests {
		t.Run(test.example, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", "vendor", test.example+".json"))
			if err != nil {
				t.Fatal(err)
			}
			// The example has a space before this one value; its own table has
			// none.
			text = bytes.Replace(text, []byte(`" SOCIAL_BIND"`), []byte(`"SOCIAL_BIND"`), 1)
			var v values
			if err := json.Unmarshal(text, &v); err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, bytes.TrimSpace(text)); err != nil {
				t.Fatal(err)
			}
			f, d := newFake(), drafts[test.route]()
			test.give(f, v)
			if test.spoil != nil {
				test.spoil(d)
			}
			if diff := cmp.Diff(want.String(), bodyOf(t, d.answer(t, f))); diff != "" {
				t.Errorf("-vendor +ours:\n%s", diff)
			}
		})
	}
}

// Every answer that is no error, with its headers.
func TestAnswers(t *testing.T) {
	var b strings.Builder
	show := func(name string, resp *http.Response) { fmt.Fprintf(&b, "== %s\n%s\n", name, printed(t, resp)) }
	for _, name := range routeNames() {
		show(name, drafts[name]().answer(t, newFake()))
	}
	for _, test := range []struct {
		name string
		out  authcore.Outcome
		lang string
	}{
		{"USER_REGISTER", authcore.Outcome{Status: authcore.StatusUserRegister, StateToken: "a.b.c", Ways: []authcore.Way{authcore.WayPhone}}, ""},
		{"SOCIAL_BIND", authcore.Outcome{Status: authcore.StatusSocialBind, StateToken: "a.b.c", Ways: []authcore.Way{authcore.WayEmail}}, ""},
		{"ACCESS_DENIED zh", authcore.Outcome{Status: authcore.StatusAccessDenied}, "zh"},
		{"ACCESS_DENIED en", authcore.Outcome{Status: authcore.StatusAccessDenied}, "en"},
	} {
		d, f := drafts["login_qq"](), newFake()
		d.header.Set("X-L", test.lang)
		f.outcome = test.out
		show("login_qq "+test.name, d.answer(t, f))
	}
	f := newFake()
	f.profile.Name = "<b>&"
	show("verify_ticket with a name that is HTML", drafts["verify_ticket"]().answer(t, f))
	golden(t, "answers", b.String())
}

// Every row of the code table, in both languages, as a caller meets it.
func TestErrors(t *testing.T) {
	fails := func(err error) func(*draft, *fake) { return func(_ *draft, f *fake) { f.err = err } }
	unset := func(name string) func(*draft, *fake) { return func(d *draft, _ *fake) { d.header.Del(name) } }
	field := func(name string, v any) func(*draft, *fake) { return func(d *draft, _ *fake) { d.fields[name] = v } }
	body := func(s string) func(*draft, *fake) { return func(d *draft, _ *fake) { d.raw = s } }
	tests := []struct {
		code  code
		route string
		spoil func(*draft, *fake)
	}{
		{deviceIncomplete, "login_qq", unset("X-agent")},
		{clientEmpty, "login_qq", unset("X-client-id")},
		{clientUnknown, "login_qq", func(d *draft, _ *fake) { d.header.Set("X-client-id", "another") }},
		{sessionInvalid, "id_token", fails(authcore.ErrSession)},
		{accessTokenEmpty, "login_qq", field("access_token", "")},
		{openIDEmpty, "login_qq", field("open_id", nil)},
		{ticketInvalid, "verify_ticket", fails(authcore.ErrTicket)},
		{fieldEmpty, "verify_ticket", field("sso_ticket", "")},
		{userUnknown, "login_qq", fails(authcore.ErrNoUser)},
		{userDisabled, "login_qq", fails(authcore.ErrUserDisabled)},
		{notAllowed, "issue_ticket", fails(authcore.ErrDenied)},
		{tooManyAttempts, "login_qq", fails(authcore.ErrLimited)},
		{qqToken, "login_qq", fails(authcore.ErrQQToken)},
		{qqApp, "login_qq", fails(authcore.ErrQQApp)},
		{qqOpenID, "login_qq", fails(authcore.ErrQQOpenID)},
		{qqConfig, "login_qq", fails(authcore.ErrQQConfig)},
		{qqUnavailable, "login_qq", fails(authcore.ErrQQUnavailable)},
		{malformedBody, "login_qq", body("[]")},
		{duplicateKey, "login_qq", body(`{"open_id":"a","OPEN_ID":"b"}`)},
		{wrongType, "login_qq", field("open_id", 7)},
		{bodyTooLarge, "login_qq", body(strings.Repeat(" ", maxBody+1))},
		{notJSON, "login_qq", unset("Content-Type")},
		{wrongMethod, "login_qq", func(d *draft, _ *fake) { d.method = "OPTIONS" }},
		{unknownPath, "login_qq", func(d *draft, _ *fake) { d.path += "/" }},
		{systemUnavailable, "login_qq", fails(fmt.Errorf("begin: %w", authcore.ErrDamaged))},
		{systemFault, "login_qq", fails(errors.New("something else"))},
		{bearerInvalid, "refresh", unset("Authorization")},
		{requestInvalid, "token", func(d *draft, _ *fake) { d.query += "&grant_type=client_credentials" }},
		{clientInvalid, "token", fails(authcore.ErrClientSecret)},
		{grantUnsupported, "token", func(d *draft, _ *fake) { d.query = strings.Replace(d.query, "client_cred", "x", 1) }},
	}
	var b strings.Builder
	met := map[code]bool{}
	for _, test := range tests {
		met[test.code] = true
		for _, lang := range []string{"zh", "en"} {
			d, f := drafts[test.route](), newFake()
			d.header.Set("X-L", lang)
			test.spoil(d, f)
			resp := d.answer(t, f)
			row := codes[test.code]
			if resp.StatusCode != row.status {
				t.Errorf("%s: status %d, want %d", row.wire, resp.StatusCode, row.status)
			}
			fmt.Fprintf(&b, "== %s %s\n%s\n", row.wire, lang, printed(t, resp))
		}
	}
	for c := range codes {
		if !met[code(c)] {
			t.Errorf("no request is refused with row %d, %s", c, codes[c].wire)
		}
	}
	golden(t, "errors", b.String())
}
