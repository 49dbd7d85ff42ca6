package idaas

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/qqauth/qqauth/authcore"
)

// A state_token is good for one thing: which, the service is told with the token.
func TestStateIsAskedFor(t *testing.T) {
	for route, want := range map[string][]authcore.Status{
		"bind":            {authcore.StatusSocialBind},
		"register_bind":   {authcore.StatusUserRegister},
		"mfa_sms":         {authcore.StatusMFAAuth},
		"mfa_email":       {authcore.StatusMFAAuth},
		"mobile_by_token": {authcore.StatusMFAAuth},
		"send_sms":        nil,
		"send_email":      nil,
	} {
		d, f := drafts[route](), newFake()
		d.header.Set("X-state-token", " "+knownState)
		if resp := d.answer(t, f); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", route, resp.StatusCode)
		}
		who := authcore.Caller{
			Fingerprint: "156aysdna213sc50", OS: "windows10.1.1", Agent: "Mozilla/5.0 (iPhone)",
			DeviceIP: "192.168.1.2", Addr: clientAddr, Loopback: true,
		}
		asked := []called{{"CheckState", knownClient, who, knownState, "", want}}
		if diff := cmp.Diff(asked, f.checks, cmp.AllowUnexported(called{}), cmpopts.EquateComparable(clientAddr)); diff != "" {
			t.Errorf("%s, -want +got:\n%s", route, diff)
		}
	}
}

func TestIDTokenIsAskedFor(t *testing.T) {
	for _, route := range []string{"profile", "profile_update", "social", "unbind", "delete_account"} {
		d, f := drafts[route](), newFake()
		d.header.Set("Authorization", "bearer  "+knownID)
		if resp := d.answer(t, f); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", route, resp.StatusCode)
		}
		asked := []called{{"CheckIDToken", knownClient, authcore.Caller{}, knownID, "", nil}}
		if diff := cmp.Diff(asked, f.checks, cmp.AllowUnexported(called{}), cmpopts.EquateComparable(clientAddr)); diff != "" {
			t.Errorf("%s, -want +got:\n%s", route, diff)
		}
	}
}

// Which of the two fields is read, and which is told to be empty.
func TestWays(t *testing.T) {
	const (
		both  = `{"mobile":"15201657321","email":"zhangsan@qq.com","verify_code":"1"}`
		phone = `{"mobile":"15201657321","email":"","verify_code":"1"}`
		email = `{"mobile":null,"email":"zhangsan@qq.com","verify_code":"1"}`
		none  = `{"verify_code":"1"}`
		odd   = `{"mobile":"one","email":"zhangsan@qq.com","verify_code":"1"}`
	)
	onlyPhone, onlyEmail := []authcore.Way{authcore.WayPhone}, []authcore.Way{authcore.WayEmail}
	swapped := []authcore.Way{authcore.WayEmail, authcore.WayPhone}
	tests := []struct {
		route  string
		verify []authcore.Way
		body   string
		want   string // way that is read, or what is told
	}{
		{"bind", bothWays, both, "phone"},
		{"bind", swapped, both, "phone"},
		{"bind", bothWays, phone, "phone"},
		{"bind", bothWays, email, "email"},
		{"bind", onlyPhone, both, "phone"},
		{"bind", onlyPhone, email, "IDAAS.SDK.PARAM.0099 mobile"},
		{"bind", onlyEmail, both, "email"},
		{"bind", onlyEmail, phone, "IDAAS.SDK.PARAM.0099 email"},
		{"bind", onlyEmail, odd, "email"},
		{"bind", onlyPhone, odd, "IDAAS.SDK.PARAM.0026"},
		{"bind", bothWays, none, "IDAAS.SDK.PARAM.0099 mobile"},
		{"bind", onlyEmail, none, "IDAAS.SDK.PARAM.0099 email"},
		{"register_bind", bothWays, both, "phone"},
		{"register_bind", onlyEmail, both, "phone"},
		{"register_bind", onlyEmail, phone, "phone"},
		{"register_bind", onlyPhone, email, "email"},
		{"register_bind", onlyEmail, odd, "IDAAS.SDK.PARAM.0026"},
		{"register_bind", bothWays, none, "IDAAS.SDK.PARAM.0099 mobile"},
		{"register_bind", onlyPhone, none, "IDAAS.SDK.PARAM.0099 mobile"},
		{"register_bind", onlyEmail, none, "IDAAS.SDK.PARAM.0099 email"},
		{"mfa_sms", onlyEmail, both, "phone"},
		{"mfa_email", onlyPhone, both, "email"},
	}
	for _, test := range tests {
		d, f := drafts[test.route](), newFake()
		d.raw, f.verify = test.body, test.verify
		got := told(t, d.answer(t, f))
		if got == "" {
			got = string(f.last(t).more.(authcore.Contact).Way)
		}
		if got != test.want {
			t.Errorf("%s by %v of %s: %q, want %q", test.route, test.verify, test.body, got, test.want)
		}
	}
}

// An id that no user has gets no further than here.
func TestUserIDsThatNobodyHas(t *testing.T) {
	for _, id := range []string{"%01", "a%7F", strings.Repeat("a", maxField+1)} {
		d, f := drafts["user"](), newFake()
		d.path = strings.Replace(d.path, knownUser, id, 1)
		if got := codeOf(t, d.answer(t, f)); got != "IDAAS.SDK.USER.0001" || len(f.calls) != 0 {
			t.Errorf("%.10s: %q and %d calls", id, got, len(f.calls))
		}
	}
}
