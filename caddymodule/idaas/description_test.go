package idaas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/qqauth/qqauth/authcore"
)

// elsewhere are the paths that other handlers of the same server answer.
var elsewhere = []string{"/.qqauth/health", "/.well-known/jwks.json", "/.well-known/openid-configuration", "/api/v1/oauth2/keys"}

func TestEveryRouteIsDescribed(t *testing.T) {
	want := map[string]bool{}
	for _, path := range elsewhere {
		want["get "+path] = true
	}
	for _, rt := range routes {
		for _, method := range rt.methods {
			want[strings.ToLower(method)+" "+rt.path] = true
		}
	}
	got := map[string]bool{}
	for path, item := range describedAPI(t).root["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			got[method+" "+path] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-routes +described:\n%s", diff)
	}
}

func TestDescriptionIsServed(t *testing.T) {
	var doc struct {
		Servers []struct{ URL string }
		OpenAPI string
	}
	if err := json.Unmarshal([]byte(bodyOf(t, drafts["openapi"]().answer(t, newFake()))), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Servers) != 1 || doc.Servers[0].URL != publicURL || doc.OpenAPI != "3.1.1" {
		t.Errorf("%+v", doc)
	}
}

// serviceFaults are what the service may refuse each call with, beside
// ErrUnavailable; nil is for a call that asks no store.
var serviceFaults = map[string][]error{
	"login_qq": {
		authcore.ErrQQToken, authcore.ErrQQApp, authcore.ErrQQOpenID, authcore.ErrQQConfig, authcore.ErrQQUnavailable,
		authcore.ErrNoUser, authcore.ErrUserDisabled, authcore.ErrDenied, authcore.ErrLimited,
	},
	"bind": {
		authcore.ErrDenied, authcore.ErrState, authcore.ErrCode, authcore.ErrNoUser, authcore.ErrUserDisabled, authcore.ErrTaken, authcore.ErrLimited,
	},
	"register_bind": {
		authcore.ErrDenied, authcore.ErrState, authcore.ErrCode, authcore.ErrUserDisabled, authcore.ErrTaken, authcore.ErrLimited,
	},
	"mfa_sms":         {authcore.ErrDenied, authcore.ErrState, authcore.ErrCode, authcore.ErrTaken, authcore.ErrLimited},
	"mfa_email":       {authcore.ErrDenied, authcore.ErrState, authcore.ErrCode, authcore.ErrTaken, authcore.ErrLimited},
	"mobile_by_token": {authcore.ErrState},
	"captcha":         {authcore.ErrLimited},
	"captcha_verify":  {authcore.ErrCaptcha},
	"send_sms":        {authcore.ErrPass, authcore.ErrPassExpired, authcore.ErrSend, authcore.ErrLimited},
	"send_email":      {authcore.ErrPass, authcore.ErrPassExpired, authcore.ErrSend, authcore.ErrLimited},
	"country_codes":   nil,
	"id_token":        {authcore.ErrSession},
	"logout":          {},
	"profile":         {authcore.ErrIDToken},
	"profile_update": {
		authcore.ErrIDToken, authcore.ErrStale, authcore.ErrName, authcore.ErrCode, authcore.ErrTaken, authcore.ErrLimited,
	},
	"social":         {authcore.ErrIDToken},
	"unbind":         {authcore.ErrIDToken, authcore.ErrStale, authcore.ErrLastWay, authcore.ErrDenied},
	"delete_account": {authcore.ErrIDToken, authcore.ErrStale},
	"token":          {authcore.ErrUnknownClient, authcore.ErrClientSecret},
	"issue_ticket":   {authcore.ErrSession, authcore.ErrDenied},
	"verify_ticket":  {authcore.ErrTicket},
	"refresh":        {authcore.ErrSession},
	"user":           {authcore.ErrNoUser},
	"disable_user":   {authcore.ErrNoUser},
	"enable_user":    {authcore.ErrNoUser, authcore.ErrDenied},
	"end_sessions":   {authcore.ErrNoUser},
	"openapi":        nil,
}

// The codes that the description lists for a call are those that it can be
// refused with: none is missing, and none is there that nobody can meet.
func TestDescribedCodes(t *testing.T) {
	for _, rt := range routes {
		met := map[string]bool{}
		for _, resp := range refusals(t, rt.name) {
			if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
				met[fmt.Sprint(resp.StatusCode, " ", codeOf(t, resp))] = true
			}
		}
		for _, method := range rt.methods {
			want := describedAPI(t).codes(rt.path, method)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(met))); diff != "" {
				t.Errorf("%s %s (-described +met):\n%s", method, rt.path, diff)
			}
		}
	}
}

// refusals are answers with every code that a route can be refused with.
func refusals(t *testing.T, name string) (all []*http.Response) {
	t.Helper()
	for _, spoilt := range order[name] {
		all = append(all, drafted(name, spoilt).answer(t, newFake()))
	}
	if name == "token" { // the one that reads a body and no JSON
		r := drafts[name]().request(t)
		r.Body = io.NopCloser(brokenBody{})
		all = append(all, serve(t, newHandler(newFake(), nil), r))
	}
	faults, ok := serviceFaults[name]
	if !ok {
		t.Errorf("say in serviceFaults what %s is refused with", name)
	}
	if faults != nil {
		faults = append([]error{authcore.ErrUnavailable}, faults...)
	}
	for _, err := range faults {
		f := newFake()
		f.err = err
		all = append(all, drafts[name]().answer(t, f))
	}
	if name != "openapi" { // which asks the service nothing
		f := newFake()
		f.panic = "no reason"
		all = append(all, drafts[name]().answer(t, f))
	}
	return all
}

// The description explains every code of the table once.
func TestEveryCodeIsDescribed(t *testing.T) {
	want := map[string]bool{}
	for _, row := range codes {
		if !row.oauth {
			want[row.wire] = true
		}
	}
	rows, _ := describedAPI(t).at("components", "schemas", "Error", "properties", "error_code", "oneOf")
	got := map[string]bool{}
	for _, row := range rows.([]any) {
		row := row.(map[string]any)
		if code := row["const"].(string); row["description"] == "" || got[code] {
			t.Errorf("%s has no description, or two", code)
		} else {
			got[code] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-table +described:\n%s", diff)
	}
}

// A request that is answered is one that the description allows: its headers and
// parameters are listed, those that are required are there, and its body fits.
func TestRequestsAreDescribed(t *testing.T) {
	d := describedAPI(t)
	for _, rt := range routes {
		draft := drafts[rt.name]()
		r := draft.request(t)
		where := []string{"paths", rt.path, strings.ToLower(r.Method)}
		operation, _ := d.at(where...)
		known := map[string]bool{"header Content-Type": draft.fields != nil || rt.name == "token"}
		list, _ := operation.(map[string]any)["parameters"].([]any)
		for i := range list {
			p, _ := d.at(append(where, "parameters", strconv.Itoa(i))...)
			name, in := p.(map[string]any)["name"].(string), p.(map[string]any)["in"].(string)
			if in == "header" {
				name = http.CanonicalHeaderKey(name)
				if p.(map[string]any)["required"] == true && r.Header.Get(name) == "" {
					t.Errorf("%s: %s is described as required", rt.name, name)
				}
			}
			known[in+" "+name] = true
		}
		_, secured := operation.(map[string]any)["security"]
		known["header Authorization"] = secured
		for name := range r.Header {
			if !known["header "+name] {
				t.Errorf("%s: header %s is not described", rt.name, name)
			}
		}
		for name := range r.URL.Query() {
			if !known["query "+name] {
				t.Errorf("%s: parameter %s is not described", rt.name, name)
			}
		}
		if strings.Contains(rt.path, userSegment) != known["path id"] {
			t.Errorf("%s: id of the path", rt.name)
		}
		if _, ok := operation.(map[string]any)["requestBody"]; ok != (draft.fields != nil || rt.name == "token") {
			t.Errorf("%s: body described: %v", rt.name, ok)
		}
		if draft.fields != nil {
			if err := d.validate(t, draft.fields, append(where, "requestBody", "content", "application/json", "schema")...); err != nil {
				t.Errorf("%s: %v", rt.name, err)
			}
		}
	}
}

// The documents of other handlers, where they keep an example.
func TestMetadataIsDescribed(t *testing.T) {
	text, err := os.ReadFile("../oidc/testdata/metadata.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := describedAPI(t).validate(t, value, "components", "schemas", "Metadata"); err != nil {
		t.Error(err)
	}
}
