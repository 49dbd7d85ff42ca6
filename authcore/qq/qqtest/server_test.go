package qqtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]qqtest.Config{
		"no app":     {},
		"empty id":   {Apps: []qqtest.App{{}}},
		"twice":      {Apps: []qqtest.App{{ID: game}, {ID: game}}},
		"not a word": {Apps: []qqtest.App{{ID: `1"`}}},
	} {
		if _, err := qqtest.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Clients keep the ids they have seen, so those must outlive a restart.
func TestAccountsAreTheSameAfterEveryStart(t *testing.T) {
	s, _ := newServer(t, qqtest.Config{})
	again, err := qqtest.New(qqtest.Config{Apps: []qqtest.App{{ID: game, Developer: "dev"}}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	again.ServeHTTP(w, r)
	var got []map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if want := (map[string]string{
		"nickname": "林小雨", "app_id": game, "open_id": s.OpenID(game, 0), "access_token": s.Token(game, 0),
	}); len(got) < 5 || !cmp.Equal(got[0], want) {
		t.Errorf("got %d accounts, first: %s", len(got), cmp.Diff(want, got[0]))
	}
	if again.UnionID(game, 0) != s.UnionID(forum, 0) {
		t.Error("one developer, two unionids")
	}
	// Fixed here, because nothing else would notice a change of the keys.
	const want = "FBB5D25D5F24492FCB4F8E0244C6F418 B6FDEE5AD9C5E155082028F6E7974BB6"
	if got := s.OpenID(game, 0) + " " + s.Token(game, 0); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestIDsDiffer(t *testing.T) {
	s, _ := newServer(t, qqtest.Config{})
	form := regexp.MustCompile(`^(UID_)?[0-9A-F]{32}$`)
	seen := make(map[string]bool)
	for n := range 1000 {
		for _, id := range []string{
			s.Token(game, n), s.Token(forum, n), s.Issue(game, n), s.Issue(game, n),
			s.OpenID(game, n), s.OpenID(forum, n), s.UnionID(game, n), s.UnionID(foreign, n),
		} {
			if !form.MatchString(id) || seen[id] {
				t.Fatalf("account %d: %q is malformed or there twice", n, id)
			}
			seen[id] = true
		}
	}
}

func TestPage(t *testing.T) {
	s, _ := newServer(t, qqtest.Config{})
	for lang, want := range map[string]string{
		"": "不是 QQ", "zh-TW": "不是 QQ", "en-US,zh;q=0.5": "not QQ", "fr, en;q=0.1": "not QQ",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", lang)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		body := w.Body.String()
		if !strings.Contains(body, want) || !strings.Contains(body, s.Token(foreign, 2)) || strings.Contains(body, "<script") {
			t.Errorf("%q: no %q, or no token, or a script in %s", lang, want, body)
		}
		if p := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'; style-src 'sha256-") {
			t.Errorf("policy %q", p)
		}
	}
	if w := get(s, "/cgi-bin/x", ""); w.Code != http.StatusNotFound {
		t.Errorf("unknown path: %d", w.Code)
	}
}

func TestBehavior(t *testing.T) {
	s, _ := newServer(t, qqtest.Config{})
	s.Behave(qqtest.Behavior{ContentType: "text/plain", JSONP: true, ExpiresIn: 7776000, NumericExpiry: true})
	w := get(s, qqtest.PathMe, "fmt=json&access_token=x")
	if got := w.Header().Get("Content-Type") + w.Body.String(); !strings.HasPrefix(got, "text/plaincallback( {") {
		t.Errorf("got %q", got)
	}
	w = get(s, qqtest.PathToken, "fmt=json&grant_type=authorization_code&client_id="+game+"&client_secret=game-key&code="+s.Code(game, 1, ""))
	if !strings.Contains(w.Body.String(), `"expires_in":7776000,`) {
		t.Errorf("got %s", w.Body)
	}
}

func TestTransport(t *testing.T) {
	s, _ := newServer(t, qqtest.Config{})
	request := func(ctx context.Context) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://qq.invalid"+string(qqtest.PathMe)+"?access_token="+s.Token(game, 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s.Transport().RoundTrip(r)
	}

	resp, err := request(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), s.OpenID(game, 1)) {
		t.Errorf("%v: %s %s", err, resp.Status, body)
	}

	s.Behave(qqtest.Behavior{Fault: func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}})
	if resp, err := request(t.Context()); err != nil || resp.Status != "502 Bad Gateway" {
		t.Errorf("%v: %v", err, resp)
	}

	s.Behave(qqtest.Behavior{Fault: func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }})
	if _, err := request(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("broken connection: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	s.Behave(qqtest.Behavior{Fault: func(_ http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done()
		return true
	}})
	if _, err := request(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	if _, err := request(ctx); !errors.Is(err, context.Canceled) || s.Calls(qqtest.PathMe) != 4 {
		t.Errorf("context ended before: %v, %d calls", err, s.Calls(qqtest.PathMe))
	}
}

// discard is a response writer that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkMe(b *testing.B) {
	s, err := qqtest.New(qqtest.Config{Apps: []qqtest.App{{ID: foreign}, {ID: game}}})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, string(qqtest.PathMe)+"?fmt=json&access_token="+s.Token(game, 123456), nil)
	w := discard{make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(w, r)
	}
}
