package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/qqauth/qqauth/authcore"
)

// TestCodesAreExchanged: the simulator's application has a key that only we
// know, and each other one the key that its placeholder leads to, or none.
func TestCodesAreExchanged(t *testing.T) {
	const key = "app-key-of-1003"
	var secret string
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret = r.URL.Query().Get("client_secret")
		fmt.Fprint(w, `{"access_token":"T"}`)
	}))
	defer outside.Close()
	t.Setenv("QQAUTH_TEST_APP", key)
	app := senderApp(t, "", "", func(c *Config) {
		local(c)
		c.QQ[1].Endpoint, c.QQ[2].Endpoint = outside.URL, outside.URL
		c.QQ[2].AppKey = "{env.QQAUTH_TEST_APP}"
		c.Simulator = "9999"
	})
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	if err := app.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	defer app.Cleanup()
	exchangers := map[authcore.AppID]authcore.CodeExchanger{}
	for _, a := range app.coreConfig().Apps {
		exchangers[a.ID] = a.QQ.(authcore.CodeExchanger)
	}

	if _, err := exchangers["1003"].Exchange(t.Context(), "C"); err != nil || secret != key {
		t.Errorf("1003: %v; the key that was configured came: %v", err, secret == key)
	}
	secret = ""
	if _, err := exchangers["1002"].Exchange(t.Context(), "C"); err == nil || secret != "" {
		t.Errorf("1002 has no key: %v; a key came: %v", err, secret != "")
	}

	id := authcore.Identity{App: "9999"}
	id.OpenID = firstAccount(t, app.simulator)
	form := httptest.NewRequest(http.MethodPost, "/code", strings.NewReader(url.Values{"app_id": {"9999"}, "open_id": {id.OpenID}}.Encode()))
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	app.simulator.ServeHTTP(w, form)
	var answer struct{ Code string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v: %d %s", err, w.Code, w.Body)
	}
	token, err := exchangers["9999"].Exchange(t.Context(), answer.Code)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := exchangers["9999"].(authcore.QQ).Prove(t.Context(), token.Reveal(), ""); err != nil || got != id {
		t.Errorf("got %v, %v; want %v", got, err, id)
	}
}

// firstAccount is the open id of the simulator's first account.
func firstAccount(t *testing.T, simulator http.Handler) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	simulator.ServeHTTP(w, r)
	var accounts []struct {
		OpenID string `json:"open_id"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &accounts); err != nil || len(accounts) == 0 {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return accounts[0].OpenID
}
