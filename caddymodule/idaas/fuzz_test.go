package idaas

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

// A body that gets through means the same to any reader of JSON: what the
// service is asked is what encoding/json finds under exactly that name, and
// nothing of a refused body is used.
func FuzzLoginBody(f *testing.F) {
	f.Add([]byte(`{"access_token":"8B11C37B","open_id":"D8924F70"}`))
	f.Add([]byte(`{"access_token":"a","open_id":"b","Open_ID":"c"}`))
	f.Add([]byte(`{"access_token":"\u0061","open_id":null}`))
	f.Add([]byte("{\"access_token\":\"\xff\",\"open_id\":\"b\"}"))
	f.Add([]byte(`{"access_token":1}{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		service := newFake()
		r := drafts["login_qq"]().request(t)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp := serve(t, newHandler(service, nil), r)
		if resp.StatusCode != http.StatusOK {
			if resp.StatusCode >= http.StatusInternalServerError || len(service.calls) != 0 {
				t.Errorf("status %d and %d calls", resp.StatusCode, len(service.calls))
			}
			return
		}
		var read map[string]any
		if err := json.Unmarshal(body, &read); err != nil {
			t.Fatalf("took what is not JSON: %v", err)
		}
		got := service.last(t)
		if got.one == "" || got.other == "" || read["access_token"] != got.one || read["open_id"] != got.other {
			t.Errorf("asked %q, %q of %v", got.one, got.other, read)
		}
	})
}
