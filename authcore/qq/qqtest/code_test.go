package qqtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

func postCode(s http.Handler, query, form string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/code?"+query, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// A program that knows the page alone can have a mobile app's code for every
// account on it, and codes for others too.
func TestCode(t *testing.T) {
	s, _ := newServer(t, qqtest.Config{})
	for _, account := range []int{0, 1, 123456, 1<<40 - 1} {
		w := postCode(s, "", url.Values{"app_id": {game}, "open_id": {s.OpenID(game, account)}}.Encode())
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("account %d: status %d, header %v", account, w.Code, w.Header())
		}
		var got map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got) != 1 {
			t.Fatalf("account %d: %v in %s", account, err, w.Body)
		}
		wantBody(t, get(s, qqtest.PathMe, "fmt=json&access_token="+got["code"]), `{"error":100013,"error_description":"access token is illegal"}`)

		exchange := "fmt=json&grant_type=authorization_code&client_id=" + game + "&client_secret=game-key&code=" + got["code"]
		var token map[string]string
		if err := json.Unmarshal(get(s, qqtest.PathToken, exchange).Body.Bytes(), &token); err != nil {
			t.Fatal(err)
		}
		wantBody(t, get(s, qqtest.PathMe, "fmt=json&access_token="+token["access_token"]),
			`{"client_id":"101000001","openid":"`+s.OpenID(game, account)+`"}`)
		wantBody(t, get(s, qqtest.PathToken, exchange), `{"error":100020,"error_description":"code is reused error"}`)
	}
}

func TestCodeRefused(t *testing.T) {
	s, _ := newServer(t, qqtest.Config{})
	form := func(app, openID string) string { return "app_id=" + app + "&open_id=" + openID }
	for _, tt := range []struct {
		name, form string
		want       int
	}{
		{"empty", "", http.StatusNotFound},
		{"unknown app", form("1", s.OpenID(game, 1)), http.StatusNotFound},
		{"open id of a sibling app", form(forum, s.OpenID(game, 1)), http.StatusNotFound},
		{"lower case", form(game, strings.ToLower(s.OpenID(game, 1))), http.StatusNotFound},
		{"too short", form(game, s.OpenID(game, 1)[2:]), http.StatusNotFound},
		{"no hex", form(game, strings.Repeat("X", 32)), http.StatusNotFound},
		{"invented", form(game, strings.Repeat("A", 32)), http.StatusNotFound},
		{"no form", "%zz", http.StatusBadRequest},
		{"too large", form(game, s.OpenID(game, 1)) + "&x=" + strings.Repeat("x", 4<<10), http.StatusBadRequest},
	} {
		if w := postCode(s, "", tt.form); w.Code != tt.want || strings.Contains(w.Body.String(), "{") {
			t.Errorf("%s: %d %s; want %d", tt.name, w.Code, w.Body, tt.want)
		}
	}
	// A link must not be enough to have one.
	if w := get(s, "/code", form(game, s.OpenID(game, 1))); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d, %v", w.Code, w.Header())
	}
	for query, body := range map[string]string{
		form(game, s.OpenID(game, 1)):  "",
		"app_id=" + game:               "open_id=" + s.OpenID(game, 1),
		"open_id=" + s.OpenID(game, 1): "app_id=" + game,
	} {
		if w := postCode(s, query, body); w.Code != http.StatusNotFound {
			t.Errorf("POST with %s in the URL: %d %s", query, w.Code, w.Body)
		}
	}
}

func TestPageTellsOfCodes(t *testing.T) {
	s, _ := newServer(t, qqtest.Config{})
	for lang, want := range map[string]string{"zh": "一次性 code", "en": "one-time code"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", lang)
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: no %q in %s", lang, want, w.Body)
		}
	}
}
