package gamesparks_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/caddymodule/gamesparks"
)

// A message that gets through means the same to any reader of JSON: what it is
// taken for is what encoding/json finds under exactly that name, and there is no
// other name that somebody could take for it.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		vendorExample, qqBody, endBody, connectBody("n", "s", knownToken),
		`{"@class":".EndSessionRequest","@Class":".QQConnectRequest"}`,
		`{"@class":"\u002eEndSessionRequest","requestId":"\ud83d\ude00","playerId":null}`,
		`{"@class":".EndSessionRequest","authToken":"a","authtoken":"b"}`,
		"{\"@class\":\".EndSessionRequest\",\"requestId\":\"\xff\"}",
		`{"@class":".EndSessionRequest"}{}`,
		`[{"@class":".EndSessionRequest"}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		class, requestID, authToken, playerID, err := gamesparks.Decoded(body)
		if err != nil {
			return
		}
		var read map[string]any
		if err := json.Unmarshal(body, &read); err != nil {
			t.Fatalf("took what is not JSON: %v", err)
		}
		for name, got := range map[string]string{"@class": class, "requestId": requestID, "authToken": authToken, "playerId": playerID} {
			if want, _ := read[name].(string); want != got {
				t.Errorf("%s is %q and was taken for %q", name, want, got)
			}
			for other := range read {
				if other != name && strings.EqualFold(other, name) {
					t.Errorf("%s stands beside %s", other, name)
				}
			}
		}
		if len(requestID) > 256 {
			t.Errorf("took a requestId of %d bytes", len(requestID))
		}
	})
}

// Segments that get through are an object of strings, and all of it.
func FuzzSegments(f *testing.F) {
	for _, seed := range []string{`{}`, `{"A":"1"}`, `{"A":1}`, `{"A":null}`, `["A"]`, `"A"`, `null`, `{"A":{"B":"C"}}`, `{"\u0041":"\n"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, segments string) {
		got, err := gamesparks.DecodedSegments(`{"segments":` + segments + `}`)
		if err != nil {
			return
		}
		var read struct{ Segments map[string]any }
		if err := json.Unmarshal([]byte(`{"segments":`+segments+`}`), &read); err != nil {
			t.Fatalf("took what is no object: %v", err)
		}
		if len(read.Segments) != len(got) {
			t.Errorf("%v was taken for %v", read.Segments, got)
		}
		for name, want := range read.Segments {
			if s, ok := want.(string); !ok || got[name] != s {
				t.Errorf("%s is %v and was taken for %q", name, want, got[name])
			}
		}
	})
}
