package idaas

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

func basicAuth(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// The three places that RFC 6749 and the vendor know for client credentials,
// each alone, and whatever else.
func TestToken(t *testing.T) {
	const (
		grant  = "grant_type=client_credentials"
		inPair = "client_id=" + knownClient + "&client_secret=s3cret"
		form   = "application/x-www-form-urlencoded"
	)
	tests := []struct {
		name, query, form, authorization string
		want                             string // error, "" for success
		secret                           string // that the service is asked about
	}{
		{"query", grant + "&" + inPair, "", "", "", "s3cret"},
		{"form", "", grant + "&" + inPair, "", "", "s3cret"},
		{"basic, grant in the form", "", grant, basicAuth(knownClient, "s3cret"), "", "s3cret"},
		{"basic, grant in the query", grant, "", basicAuth(knownClient, "s3cret"), "", "s3cret"},
		{"basic in lower case", grant, "", "basic" + basicAuth(knownClient, "s3cret")[5:], "", "s3cret"},
		{"basic, form-encoded", grant, "", basicAuth(knownClient, "s%2Bc%3A%25"), "", "s+c:%"},
		{"basic, plus left alone", grant, "", basicAuth(knownClient, "s+c/="), "", "s+c/="},
		{"grant in the query, rest in the form", grant, inPair, "", "", "s3cret"},
		{"encoded", grant + "&client_id=" + knownClient + "&client_secret=s%26c", "", "", "", "s&c"},
		{"unknown parameters", grant + "&scope=all&x=1&" + inPair, "", "", "", "s3cret"},
		{"old bearer", grant + "&" + inPair, "", "Bearer old", "", "s3cret"},
		{"omitted by sending no value", grant + "&client_id=&client_secret=", "", basicAuth(knownClient, "s3cret"), "", "s3cret"},

		{"query and form", grant + "&" + inPair, inPair, "", "invalid_request", ""},
		{"query and basic", grant + "&" + inPair, "", basicAuth(knownClient, "s3cret"), "invalid_request", ""},
		{"form and basic", "", grant + "&" + inPair, basicAuth(knownClient, "s3cret"), "invalid_request", ""},
		{"one half in each place", grant + "&client_id=" + knownClient, "client_secret=s3cret", "", "invalid_request", ""},
		{"repeated", grant + "&client_id=a&" + inPair, "", "", "invalid_request", ""},
		{"repeated, unknown", grant + "&x=1&x=2&" + inPair, "", "", "invalid_request", ""},
		{"repeated over places", grant + "&" + inPair, grant, "", "invalid_request", ""},
		{"semicolon", grant + ";" + inPair, "", "", "invalid_request", ""},
		{"broken escape", grant + "&" + inPair + "%", "", "", "invalid_request", ""},
		{"broken escape in the form", "", grant + "&" + inPair + "%", "", "invalid_request", ""},
		{"no grant type", inPair, "", "", "invalid_request", ""},
		{"empty grant type", "grant_type=&" + inPair, "", "", "invalid_request", ""},
		{"other grant type", "grant_type=password&" + inPair, "", "", "unsupported_grant_type", ""},
		{"no credentials", grant, "", "", "invalid_client", ""},
		{"no secret", grant + "&client_id=" + knownClient, "", "", "invalid_client", ""},
		{"no id", grant + "&client_secret=s3cret", "", "", "invalid_client", ""},
		{"basic, not base64", grant, "", "Basic ***", "invalid_client", ""},
		{"basic, no colon", grant, "", "Basic YQ==", "invalid_client", ""},
		{"basic, broken escape", grant, "", basicAuth(knownClient, "%zz"), "invalid_client", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := &draft{method: "POST", path: "/api/v2/tenant/token", query: test.query, raw: test.form, header: http.Header{}}
			if test.form != "" {
				d.header.Set("Content-Type", form+"; charset=utf-8")
			}
			if test.authorization != "" {
				d.header.Set("Authorization", test.authorization)
			}
			f := newFake()
			resp := d.answer(t, f)
			if got := codeOf(t, resp); got != test.want {
				t.Fatalf("%q, want %q", got, test.want)
			}
			if test.want != "" {
				if len(f.calls) != 0 {
					t.Errorf("service was called: %+v", f.calls)
				}
				return
			}
			if got := f.last(t); got.client != knownClient || got.one != test.secret {
				t.Errorf("asked about %q, %q", got.client, got.one)
			}
		})
	}
}

// Who is refused is not told whether the client exists, and is challenged by the
// scheme that was used.
func TestTokenRefused(t *testing.T) {
	for _, err := range []error{authcore.ErrUnknownClient, authcore.ErrClientSecret} {
		f := newFake()
		f.err = err
		resp := drafts["token"]().answer(t, f)
		if challenge := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != http.StatusUnauthorized || challenge != "" {
			t.Errorf("%v from the query: %d, challenge %q", err, resp.StatusCode, challenge)
		}
		want := bodyOf(t, resp)

		d := drafts["token"]()
		d.query = url.Values{"grant_type": {"client_credentials"}}.Encode()
		d.header.Set("Authorization", basicAuth(knownClient, "x"))
		resp = d.answer(t, f)
		if challenge := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != http.StatusUnauthorized || challenge != `Basic realm="qqauth"` {
			t.Errorf("%v from Basic: %d, challenge %q", err, resp.StatusCode, challenge)
		}
		if got := bodyOf(t, resp); got != want {
			t.Errorf("%v: %s and %s differ", err, got, want)
		}
	}
}
