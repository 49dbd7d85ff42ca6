package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCleanRequest(t *testing.T) {
	clean := newCleaner(&guardRules{ticketHeader: "X-Assertion", headers: []headerRule{{name: "X-User-Id"}}})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = http.Header{
		"X-Qqauth-Ticket": {"forged"}, "x-qqauth-ticket": {"forged"}, "X_qqauth.ticket": {"forged"},
		"X-Assertion": {"forged"}, "X-User-Id": {"forged"}, "x_user_id": {"forged"}, "X.user-ID": {"forged"},
		"Session-Token": {tokenA}, "X-State-Token": {"state"},
		"X-User-Name":   {"kept"},
		"Connection":    {"close, X-Assertion", "x_user-id , Upgrade"},
		"Authorization": {"Bearer " + tokenA, "Basic eDp5"},
		"Cookie":        {"a=1; __Host-qqauth=" + tokenA + "; b=2", "qqauth-8080=" + tokenB, "c=3"},
	}
	clean.request(r)
	want := http.Header{
		"X-User-Name":   {"kept"},
		"Connection":    {"close, Upgrade"},
		"Authorization": {"Basic eDp5"},
		"Cookie":        {"a=1; b=2", "c=3"},
	}
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Error(diff)
	}
}

// An upstream that could set our cookie could put a user into another's session.
func TestCleanResponse(t *testing.T) {
	set := http.Header{"Set-Cookie": {
		"a=1", "__Host-qqauth=" + tokenA + "; Secure", " =__Host-qqauth=" + tokenA, "QQAUTH-8080=x", "b=2",
	}}
	for name, answer := range map[string]func(http.ResponseWriter){
		"a status":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) },
		"a body":        func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) },
		"a flush":       func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"an early hint": func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints); w.WriteHeader(http.StatusOK) },
	} {
		t.Run(name, func(t *testing.T) {
			record := httptest.NewRecorder()
			w := newCleaner(&guardRules{}).response(record)
			for key, values := range set {
				w.Header()[key] = values
			}
			answer(w)
			if diff := cmp.Diff([]string{"a=1", "b=2"}, record.Result().Header["Set-Cookie"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}
