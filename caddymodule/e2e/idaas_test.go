package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
)

// The clients of the Caddyfiles of these tests, as of Caddyfile.example.
const (
	demoApp    = "demo-app"
	demoShop   = "demo-shop"
	demoSecret = "demo-secret-for-loopback-only"
	shopSecret = "shop-secret-for-loopback-only"
)

// fingerprint is the device that these tests log in from.
const fingerprint = "156aysdna213sc50"

// device are the headers that every SDK call carries.
func device(clientID string) []string {
	return []string{
		"X-operating-sys-version", "windows10.1.1", "X-device-fingerprint", fingerprint,
		"X-agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X)", "X-L", "en", "X-client-id", clientID,
	}
}

// account is an account of the simulator.
type account struct {
	Nickname    string `json:"nickname"`
	App         string `json:"app_id"`
	OpenID      string `json:"open_id"`
	AccessToken string `json:"access_token"`
}

func (h *home) accounts() (all []account) {
	h.t.Helper()
	h.ask("GET", h.url("LOGIN", "/qq-simulator/"), nil, "Accept", "application/json").want(http.StatusOK, "").json(&all)
	return all
}

// grant is what a login ends in.
type grant struct {
	Session    string `json:"session_token"`
	Expire     int64  `json:"expire"`
	Status     string `json:"status"`
	IDToken    string `json:"id_token"`
	StateToken string `json:"state_token"`
	Data       string `json:"data"`
}

// sdk makes a call of the SDK; in is nil for one without a body.
func (h *home) sdk(method, path, clientID string, in any, header ...string) answer {
	h.t.Helper()
	var body []byte
	header = append(device(clientID), header...)
	if in != nil {
		body = h.encode(in)
		header = append(header, "Content-Type", "application/json")
	}
	return h.ask(method, h.url("LOGIN", "/api/v2/sdk"+path), body, header...)
}

func (h *home) encode(v any) []byte {
	h.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

type qqLogin struct {
	AccessToken string `json:"access_token"`
	OpenID      string `json:"open_id"`
}

// tryLogin logs an account in at a client, or is refused.
func (h *home) tryLogin(clientID string, a account) answer {
	h.t.Helper()
	return h.sdk("POST", "/login/qq", clientID, qqLogin{a.AccessToken, a.OpenID})
}

// attempt logs an account in, from any goroutine, at a server that may be gone.
// The session is empty unless the answer is 200 and a success.
func (h *home) attempt(a account) (session string, got answer, err error) {
	body, _ := json.Marshal(qqLogin{a.AccessToken, a.OpenID}) // strings always encode
	got, err = try(h.t, "POST", h.url("LOGIN", "/api/v2/sdk/login/qq"), body, append(device(demoApp), "Content-Type", "application/json")...)
	var g grant
	if err == nil && got.status == http.StatusOK && json.Unmarshal(got.body, &g) == nil && g.Status == "SUCCESS" {
		session = g.Session
	}
	return session, got, err
}

// login logs an account in at a client.
func (h *home) login(clientID string, a account) (g grant) {
	h.t.Helper()
	h.tryLogin(clientID, a).want(http.StatusOK, "").json(&g)
	if g.Status != "SUCCESS" || len(g.Session) != 32 {
		h.t.Fatalf("login ended in %+v", g)
	}
	return g
}

// bearer gets a client's backend its token.
func (h *home) bearer(clientID, secret string) string {
	h.t.Helper()
	query := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {secret}}
	var got struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	h.ask("POST", h.url("LOGIN", "/api/v2/tenant/token?"+query.Encode()), nil).want(http.StatusOK, "").json(&got)
	if got.AccessToken == "" || got.TokenType != "Bearer" || got.ExpiresIn != 1800 {
		h.t.Fatalf("tenant token: %+v", got)
	}
	return got.AccessToken
}

// tenant makes a call of a client's backend about a token, from a device.
func (h *home) tenant(path, bearer string, in map[string]string) answer {
	h.t.Helper()
	a, err := h.tryTenant(path, bearer, in)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// tryTenant is tenant for any goroutine, and for a server that may be gone.
func (h *home) tryTenant(path, bearer string, in map[string]string) (answer, error) {
	body := map[string]string{
		"operating_sys_version": "windows10.1.1", "device_ip": "192.168.1.1", "device_fingerprint": fingerprint, "agent": "agent",
	}
	maps.Copy(body, in)
	encoded, _ := json.Marshal(body) // strings always encode
	return try(h.t, "POST", h.url("LOGIN", "/api/v2/tenant/sso"+path), encoded,
		"Content-Type", "application/json", "Authorization", "Bearer "+bearer)
}

// ticket asks for a one-time ticket of a session.
func (h *home) ticket(bearer, session, receiver string) string {
	h.t.Helper()
	in := map[string]string{"session_token": session}
	if receiver != "" {
		in["client_id"] = receiver
	}
	var got struct {
		Ticket string `json:"sso_ticket"`
		Expire int    `json:"expire"`
	}
	h.tenant("/session-token/sso-ticket", bearer, in).want(http.StatusOK, "").json(&got)
	if got.Expire != 300 {
		h.t.Errorf("ticket: expire %d, want 300", got.Expire)
	}
	return got.Ticket
}

func (h *home) redeem(bearer, ticket string) answer {
	h.t.Helper()
	return h.tenant("/sso-ticket/verify", bearer, map[string]string{"sso_ticket": ticket})
}

// guarded asks for a path behind the guard with a session.
func (h *home) guarded(path, session string, header ...string) answer {
	h.t.Helper()
	return h.ask("GET", h.url("APP", path), nil, append([]string{"Authorization", "Bearer " + session}, header...)...)
}

// admin makes a call of the admin API.
func (h *home) admin(method, path string, in any) answer {
	h.t.Helper()
	var body []byte
	if in != nil {
		body = h.encode(in)
	}
	return h.ask(method, h.url("ADMIN", "/qqauth"+path), body, "Content-Type", "application/json")
}

// adminUser is a user as the admin API shows them.
type adminUser struct {
	ID       string            `json:"id"`
	Disabled bool              `json:"disabled"`
	Segments map[string]string `json:"segments"`
	Links    []struct {
		App    string `json:"app_id"`
		OpenID string `json:"open_id"`
	} `json:"links"`
}

func (h *home) userOf(a account) (u adminUser) {
	h.t.Helper()
	h.admin("GET", "/users?app_id="+a.App+"&open_id="+a.OpenID, nil).want(http.StatusOK, "").json(&u)
	return u
}

// sessionsOf lists the public ids of a user's live sessions.
func (h *home) sessionsOf(user string) (ids []string) {
	h.t.Helper()
	var all []struct {
		ID string `json:"sid"`
	}
	h.admin("GET", "/users/"+user+"/sessions", nil).want(http.StatusOK, "").json(&all)
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	return ids
}
