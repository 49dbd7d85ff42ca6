package idaas

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestPoints(t *testing.T) {
	for s, good := range map[string]bool{
		`{"x":237.0,"y":5.0}`:          true,
		`{"y":5.0,"x":237}`:            true,
		` { "x" : 1e2 , "y" : 5 } `:    true,
		`{"x":-1,"y":5.0}`:             true, // never the solution
		`{"x":237.0,"y":5.1}`:          false,
		`{"x":237.0}`:                  false,
		`{"y":5.0}`:                    false,
		`{"x":null,"y":5.0}`:           false,
		`{"x":"237","y":5.0}`:          false,
		`{"x":[237],"y":5.0}`:          false,
		`{"x":237.0,"y":5.0,"z":0}`:    false,
		`{"x":237.0,"y":5.0,"X":1}`:    false,
		`{"x":237.0,"x":1.0,"y":5.0}`:  false,
		`{"X":237.0,"Y":5.0}`:          false,
		`{"x":1e999,"y":5.0}`:          false,
		`{"x":NaN,"y":5.0}`:            false,
		`{"x":237.0,"y":5.0}{}`:        false,
		`[{"x":237.0,"y":5.0}]`:        false,
		`"{\"x\":237.0,\"y\":5.0}"`:    false,
		``:                             false,
		"{\"x\":1,\"y\":5,\"\xff\":1}": false,
	} {
		if _, ok := parsePoint(s); ok != good {
			t.Errorf("%q: %v", s, ok)
		}
	}
}

func TestPasses(t *testing.T) {
	for s, want := range map[string]string{
		puzzle32 + "---" + point: puzzle32,
		puzzle32 + "---":         puzzle32,
		"a---b---c":              "a",
		"a----":                  "a",
		puzzle32:                 "",
		puzzle32 + "--" + point:  "",
		"---" + point:            "",
		"":                       "",
	} {
		if token, ok := parsePass(s); token != want && ok || ok != (want != "") {
			t.Errorf("%q: %q, %v", s, token, ok)
		}
	}
}

// The pass is the token and the point as they were written, not as they were
// read.
func TestPassIsWhatWasSent(t *testing.T) {
	d, f := drafts["captcha_verify"](), newFake()
	const written = ` {"y":5,"x":2.370e2} `
	d.fields["point_json"] = written
	var out struct {
		Pass string `json:"captcha_token"`
	}
	if err := json.Unmarshal([]byte(bodyOf(t, d.answer(t, f))), &out); err != nil {
		t.Fatal(err)
	}
	if out.Pass != puzzle32+"---"+written {
		t.Errorf("%q", out.Pass)
	}
	if got := f.last(t).more.(solution).x; got != 237 {
		t.Errorf("x = %v", got)
	}
}

// A point that gets through is two members to any reader of JSON, of which y is
// where pieces lie and x is what the service is asked about.
func FuzzPoint(f *testing.F) {
	f.Add(point)
	f.Add(`{"x":1,"y":5,"X":2}`)
	f.Add(`{"x":1,"\u0078":2,"y":5}`)
	f.Add(`{"x":null,"y":5}`)
	f.Fuzz(func(t *testing.T, s string) {
		d, service := drafts["captcha_verify"](), newFake()
		d.fields["point_json"] = s
		resp := d.answer(t, service)
		if resp.StatusCode != http.StatusOK {
			if resp.StatusCode >= http.StatusInternalServerError || len(service.calls) != 0 {
				t.Errorf("status %d and %d calls", resp.StatusCode, len(service.calls))
			}
			return
		}
		var read map[string]any
		if err := json.Unmarshal([]byte(s), &read); err != nil {
			t.Fatalf("took what is not JSON: %v", err)
		}
		if len(read) != 2 || read["y"] != pointY || read["x"] != service.last(t).more.(solution).x {
			t.Errorf("asked %v of %v", service.last(t).more, read)
		}
	})
}

// What the service gets is what stands before the first separator, all of it.
func FuzzPass(f *testing.F) {
	f.Add(puzzle32 + "---" + point)
	f.Add("a----b")
	f.Fuzz(func(t *testing.T, s string) {
		token, ok := parsePass(s)
		if ok && (token == "" || strings.Contains(token, passSeparator) || !strings.HasPrefix(s, token+passSeparator)) {
			t.Errorf("%q of %q", token, s)
		}
		if !ok && strings.Index(s, passSeparator) > 0 {
			t.Errorf("%q is refused", s)
		}
	})
}
