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
	"github.com/qqauth/qqauth/authcore/contact"
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
// Its pages on countries and linked accounts leave values out, which are filled in.
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
		Picture      string    `json:"originalImageBase64"`
		Piece        string    `json:"jigsawImageBase64"`
		Token        string    `json:"token"`
		Countries    []country `json:"phoneAreaCodeDefinitions"`
		Social       []linked  `json:"social"`
	}
	english := with("X-L", "en")
	inEnglish := func(spoil func(*draft)) func(*draft) {
		return func(d *draft) { english(d); spoil(d) }
	}
	both := bothWays
	nothing := func(*fake, values) {}
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
		{"mfa_auth", "login_qq", func(f *fake, v values) {
			f.outcome = authcore.Outcome{Status: authcore.StatusMFAAuth, StateToken: v.StateToken, Ways: both[:1]}
		}, nil},
		{"error", "login_qq", nothing, inEnglish(without("X-device-fingerprint"))},
		{"bind", "bind", func(f *fake, v values) { f.outcome.Grant = grant(v.SessionToken, v.Expire, v.IDToken) }, nil},
		{"bind", "register_bind", func(f *fake, v values) { f.outcome.Grant = grant(v.SessionToken, v.Expire, v.IDToken) }, nil},
		{"mfa", "mfa_sms", func(f *fake, v values) { f.outcome.Grant = grant(v.SessionToken, v.Expire, v.IDToken) }, nil},
		{"mfa", "mfa_email", func(f *fake, v values) { f.outcome.Grant = grant(v.SessionToken, v.Expire, v.IDToken) }, nil},
		{"state_token_error", "bind", nothing, inEnglish(with("X-state-token", "x"))},
		{"state_token_invalid", "bind", nothing, inEnglish(with("X-state-token", "a.b.c"))},
		{"captcha", "captcha", func(f *fake, v values) {
			f.puzzle = authcore.Puzzle{Token: v.Token, Picture: v.Picture, Piece: v.Piece}
		}, nil},
		{"captcha_verify", "captcha_verify", nothing, nil},
		{"captcha_failed", "captcha_verify", func(f *fake, _ values) { f.err = authcore.ErrCaptcha }, english},
		{"mobile_by_token", "mobile_by_token", func(f *fake, v values) { f.mobile = v.Mobile }, nil},
		{"country_codes", "country_codes", func(f *fake, v values) {
			c := v.Countries[0]
			f.from = []contact.Country{{
				AreaCode: c.AreaCode, CountryCode: c.CountryCode, MobileRegex: c.MobileRegex,
				NameZhTW: c.Name.ZhTW, NameEN: c.Name.EN, NameZhCN: c.Name.ZhCN,
			}}
		}, nil},
		{"verify", "profile", func(f *fake, v values) {
			f.profile = authcore.Profile{ID: v.ID, UserName: v.UserName, Name: v.Name, Mobile: v.Mobile, Email: v.Email}
		}, nil},
		{"id_token_invalid", "profile", nothing, inEnglish(with("Authorization", "Bearer x"))},
		{"social", "social", func(f *fake, v values) {
			s := v.Social[0]
			since, err := time.Parse(time.RFC3339, s.Created)
			if err != nil {
				t.Fatal(err)
			}
			f.socials = []authcore.Social{{ID: s.ID, User: s.User, App: s.Channel, OpenID: s.OpenID, Name: s.Nickname, Since: since}}
		}, nil},
		{"session_token_invalid", "id_token", func(f *fake, _ values) { f.err = authcore.ErrSession }, english},
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
		t.Run(test.route+"/"+test.example, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", "vendor", test.example+".json"))
			if err != nil {
				t.Fatal(err)
			}
			// The example has a space before this one value; its own table has
			// none.
			text = bytes.Replace(text, []byte(`" SOCIAL_BIND"`), []byte(`"SOCIAL_BIND"`), 1)
			text = bytes.Replace(text, []byte(`"yMXC583dP4R7uhmq"`), []byte(`null`), 1) // we have no secretKey
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
		if name != "openapi" { // which is a file of its own
			show(name, drafts[name]().answer(t, newFake()))
		}
	}
	for _, test := range []struct {
		name string
		out  authcore.Outcome
		lang string
	}{
		{"USER_REGISTER", authcore.Outcome{Status: authcore.StatusUserRegister, StateToken: "a.b.c", Ways: []authcore.Way{authcore.WayPhone}}, ""},
		{"SOCIAL_BIND", authcore.Outcome{Status: authcore.StatusSocialBind, StateToken: "a.b.c", Ways: []authcore.Way{authcore.WayEmail}}, ""},
		{"MFA_AUTH", authcore.Outcome{Status: authcore.StatusMFAAuth, StateToken: "a.b.c", Ways: bothWays}, ""},
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
	f = newFake()
	f.outcome = authcore.Outcome{Status: authcore.StatusAccessDenied}
	show("mfa_sms ACCESS_DENIED", drafts["mfa_sms"]().answer(t, f))
	f = newFake()
	f.socials, f.from = nil, nil
	show("social of nobody", drafts["social"]().answer(t, f))
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
		{stateMissing, "bind", unset("X-state-token")},
		{stateInvalid, "mobile_by_token", fails(authcore.ErrState)},
		{idTokenInvalid, "social", fails(authcore.ErrIDToken)},
		{sessionInvalid, "id_token", fails(authcore.ErrSession)},
		{accessTokenEmpty, "login_qq", field("access_token", "")},
		{openIDEmpty, "login_qq", field("open_id", nil)},
		{contactMalformed, "register_bind", field("email", "zhangsan")},
		{ticketInvalid, "verify_ticket", fails(authcore.ErrTicket)},
		{fieldEmpty, "verify_ticket", field("sso_ticket", "")},
		{captchaFailed, "captcha_verify", fails(authcore.ErrCaptcha)},
		{passExpired, "send_sms", fails(authcore.ErrPassExpired)},
		{passInvalid, "send_email", fails(authcore.ErrPass)},
		{sendFailed, "send_sms", fails(authcore.ErrSend)},
		{codeWrong, "mfa_email", fails(authcore.ErrCode)},
		{userUnknown, "login_qq", fails(authcore.ErrNoUser)},
		{userDisabled, "login_qq", fails(authcore.ErrUserDisabled)},
		{taken, "register_bind", fails(authcore.ErrTaken)},
		{lastWay, "unbind", fails(authcore.ErrLastWay)},
		{notAllowed, "issue_ticket", fails(authcore.ErrDenied)},
		{loginStale, "delete_account", fails(authcore.ErrStale)},
		{tooManyAttempts, "login_qq", fails(authcore.ErrLimited)},
		{qqToken, "login_qq", fails(authcore.ErrQQToken)},
		{qqApp, "login_qq", fails(authcore.ErrQQApp)},
		{qqOpenID, "login_qq", fails(authcore.ErrQQOpenID)},
		{qqConfig, "login_qq", fails(authcore.ErrQQConfig)},
		{qqUnavailable, "login_qq", fails(authcore.ErrQQUnavailable)},
		{malformedBody, "login_qq", body("[]")},
		{duplicateKey, "login_qq", body(`{"open_id":"a","OPEN_ID":"b"}`)},
		{wrongType, "login_qq", field("open_id", 7)},
		{nameRefused, "profile_update", fails(authcore.ErrName)},
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
