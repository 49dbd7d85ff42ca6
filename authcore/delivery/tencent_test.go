package delivery_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/delivery"
	"github.com/qqauth/qqauth/authcore/opaque"
)

func newTencent(t *testing.T, endpoint string, change func(*delivery.TencentConfig)) *delivery.Tencent {
	t.Helper()
	c := delivery.TencentConfig{
		SecretID: opaque.Of("AKIDexample"), SecretKey: opaque.Of(secret), App: "1400006666", Sign: "商店",
		Template: "100", Templates: map[string]string{"BIND_MOBILE_SMS": "200"}, Endpoint: endpoint,
	}
	if change != nil {
		change(&c)
	}
	s, err := delivery.NewTencent(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// status is Tencent's answer to a request that it has read.
func status(code string) string {
	return `{"Response":{"SendStatusSet":[{"SerialNo":"5000:1045710669157053657849499619","PhoneNumber":"+8615201657321","Fee":1,` +
		`"SessionContext":"","Code":"` + code + `","Message":"` + code + ` for +8615201657321","IsoCode":"CN"}],` +
		`"RequestId":"a0aabda6-cf91-4f3e-a81f-9198114a2279"}}`
}

func TestTencentSends(t *testing.T) {
	type sent struct {
		PhoneNumberSet, TemplateParamSet  []string
		SmsSdkAppId, SignName, TemplateId string
	}
	var header http.Header
	var got sent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header, got = r.Header, sent{}
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil || r.Method != "POST" || r.URL.Path != "/" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		io.WriteString(w, status("Ok"))
	}))
	t.Cleanup(server.Close)
	tencent := newTencent(t, server.URL, nil)
	for _, tc := range []struct {
		purpose  authcore.Purpose
		good     time.Duration
		template string
		minutes  string
	}{
		{authcore.PurposeRegister, 5 * time.Minute, "100", "5"},
		{authcore.PurposeBind, 119 * time.Second, "200", "1"},
		{authcore.PurposeMFA, 30 * time.Second, "100", "1"},
		{authcore.PurposeUpdate, time.Hour, "100", "60"},
	} {
		m := sms(tc.purpose)
		m.ExpiresIn = tc.good
		if err := tencent.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		want := sent{
			PhoneNumberSet: []string{"+8615201657321"}, TemplateParamSet: []string{code, tc.minutes},
			SmsSdkAppId: "1400006666", SignName: "商店", TemplateId: tc.template,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", tc.purpose, diff)
		}
	}
	if header.Get("X-TC-Action") != "SendSms" || header.Get("X-TC-Version") != "2021-01-11" || header.Get("X-TC-Region") != "ap-guangzhou" ||
		!strings.HasPrefix(header.Get("Authorization"), "TC3-HMAC-SHA256 Credential=AKIDexample/") {
		t.Errorf("got %v", header)
	}
	if err := newTencent(t, server.URL+"/", func(c *delivery.TencentConfig) { c.Region = "ap-singapore" }).Send(t.Context(), sms(authcore.PurposeBind)); err != nil {
		t.Fatal(err)
	}
	if got := header.Get("X-TC-Region"); got != "ap-singapore" {
		t.Errorf("region %s", got)
	}
}

func TestTencentRefusals(t *testing.T) {
	fault := func(code string) string {
		return `{"Response":{"Error":{"Code":"` + code + `","Message":"402817 for +8615201657321"},"RequestId":"ed93f3cb"}}`
	}
	for _, tc := range []struct {
		name   string
		status int
		header [2]string
		body   string
		want   string
	}{
		{name: "limit", body: status("LimitExceeded.PhoneNumberOneHourLimit"), want: "refused with LimitExceeded.PhoneNumberOneHourLimit"},
		{name: "signature", body: status("FailedOperation.SignatureIncorrectOrUnapproved"), want: "refused with FailedOperation.SignatureIncorrectOrUnapproved"},
		{name: "key", body: fault("AuthFailure.SecretIdNotFound"), want: "refused with AuthFailure.SecretIdNotFound"},
		{name: "busy", body: fault("RequestLimitExceeded"), want: "refused with RequestLimitExceeded"},
		{name: "code quotes the number", body: status("Failed.15201657321"), want: "unreadable answer"},
		{name: "code quotes the code", body: fault("402817"), want: "unreadable answer"},
		{name: "code without end", body: status(strings.Repeat("A", 200)), want: "unreadable answer"},
		{name: "lower case", body: status("ok"), want: "refused with ok"},
		{name: "no status", body: `{"Response":{"SendStatusSet":[],"RequestId":"x"}}`, want: "unreadable answer"},
		{name: "two", body: strings.Replace(status("Ok"), `[{`, `[{"Code":"Ok"},{`, 1), want: "unreadable answer"},
		{name: "null", body: `{"Response":{"SendStatusSet":[null]}}`, want: "unreadable answer"},
		{name: "no code", body: `{"Response":{"SendStatusSet":[{"PhoneNumber":"+8615201657321"}]}}`, want: "unreadable answer"},
		{name: "empty object", body: `{}`, want: "unreadable answer"},
		{name: "empty", body: ``, want: "unreadable answer"},
		{name: "page", body: `<html>402817 +8615201657321</html>`, want: "unreadable answer"},
		{name: "page with an error", status: 502, body: `<html>402817 +8615201657321</html>`, want: "unreadable answer"},
		{name: "good with an error", status: 500, body: status("Ok"), want: "refused with ClientError.HttpStatusCodeError"},
		{name: "stream", header: [2]string{"Content-Type", "text/event-stream"}, body: "data: 402817\n\n", want: "unreadable answer"},
		{name: "redirect", status: 307, header: [2]string{"Location", "https://evil.example/"}, want: "answered with a redirect"},
		{name: "encoding", header: [2]string{"Content-Encoding", "gzip"}, body: status("Ok"), want: "an encoding that was not asked for"},
		{name: "long", body: status("Ok") + strings.Repeat(" ", 64<<10), want: "answer over 64 KiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var asked atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				if tc.header[0] != "" {
					w.Header().Set(tc.header[0], tc.header[1])
				}
				w.WriteHeader(max(tc.status, http.StatusOK))
				io.WriteString(w, tc.body)
			}))
			t.Cleanup(server.Close)
			wantFault(t, newTencent(t, server.URL, nil).Send(t.Context(), sms(authcore.PurposeBind)), "send sms: ")
			wantFault(t, newTencent(t, server.URL, nil).Send(t.Context(), sms(authcore.PurposeBind)), tc.want)
			if n := asked.Load(); n != 2 {
				t.Errorf("two messages made %d requests", n)
			}
		})
	}
}

func TestTencentHangs(t *testing.T) {
	for _, begins := range []bool{false, true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if begins {
				io.WriteString(w, `{"Response":`)
				http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		short := newTencent(t, server.URL, func(c *delivery.TencentConfig) { c.Timeout = 20 * time.Millisecond })
		wantFault(t, short.Send(t.Context(), sms(authcore.PurposeBind)), "send sms: no answer in time")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		wantFault(t, newTencent(t, server.URL, nil).Send(ctx, sms(authcore.PurposeBind)), "send sms: context deadline exceeded")
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	wantFault(t, newTencent(t, closed.URL, nil).Send(t.Context(), sms(authcore.PurposeBind)), "send sms: cannot connect")
}

func TestTencentReceivers(t *testing.T) {
	tencent := newTencent(t, "http://127.0.0.1:1", nil)
	for _, to := range []string{"", "15201657321", "+8615201657321", "+86-1520165732x", "+86-15201657321,+86-15201657322", "+86-", "+086-15201657321", address} {
		m := sms(authcore.PurposeBind)
		m.To = to
		wantFault(t, tencent.Send(t.Context(), m), "send sms: the receiver is no number with its country code")
	}
	wantFault(t, tencent.Send(t.Context(), email(authcore.PurposeBind, "zh")), "send sms: no such type of message")
	wantFault(t, tencent.Send(t.Context(), sms("guess")), "send sms: no such type of message")
}

func TestNewTencentRefuses(t *testing.T) {
	for _, tc := range []struct {
		want   string
		change func(*delivery.TencentConfig)
	}{
		{"the secret id is empty", func(c *delivery.TencentConfig) { c.SecretID = opaque.Secret{} }},
		{"the secret key is empty", func(c *delivery.TencentConfig) { c.SecretKey = opaque.Of("") }},
		{"the app is empty", func(c *delivery.TencentConfig) { c.App = "" }},
		{"the sign is empty", func(c *delivery.TencentConfig) { c.Sign = "" }},
		{"there is no template for REGISTER_SMS", func(c *delivery.TencentConfig) { c.Template = "" }},
		{"a template is for none of REGISTER_SMS, BIND_MOBILE_SMS, MFA_AUTH_SMS, UPDATE_MOBILE_SMS", func(c *delivery.TencentConfig) {
			c.Templates = map[string]string{"BIND_SMS": "1"}
		}},
		{"the endpoint is not", func(c *delivery.TencentConfig) { c.Endpoint = "sms.tencentcloudapi.com" }},
		{"the endpoint is not", func(c *delivery.TencentConfig) { c.Endpoint = "https://u:" + secret + "@a.example" }},
		{"the endpoint is not", func(c *delivery.TencentConfig) { c.Endpoint = "https://a.example/sms" }},
		{"the endpoint is not", func(c *delivery.TencentConfig) { c.Endpoint = "https://a.example?" + secret }},
	} {
		c := delivery.TencentConfig{SecretID: opaque.Of("AKIDexample"), SecretKey: opaque.Of(secret), App: "1", Sign: "x", Template: "1"}
		tc.change(&c)
		_, err := delivery.NewTencent(c)
		wantFault(t, err, "tencent: "+tc.want)
	}
}
