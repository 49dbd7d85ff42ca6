package qqtest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

// The applications of the tests: two of one developer, one of another.
const (
	game    = "101000001"
	forum   = "101000002" // same developer, without the grant of unionids
	foreign = "102000003"
	back    = "https://id.example.com/login/qq/callback"
)

// clock is a time that a test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func newServer(t *testing.T, c qqtest.Config) (*qqtest.Server, *clock) {
	t.Helper()
	at := &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	c.Now = at.now
	c.Apps = []qqtest.App{
		{ID: game, Key: "game-key", Developer: "dev", UnionID: true, RedirectURIs: []string{back, back + "?a=1"}},
		{ID: forum, Key: "forum-key", Developer: "dev", Unreviewed: true, RedirectURIs: []string{back}},
		{ID: foreign, Key: "foreign-key", Developer: "other", UnionID: true},
	}
	s, err := qqtest.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, at
}

func get(s http.Handler, path qqtest.Path, query string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, string(path)+"?"+query, nil))
	return w
}

// wantBody fails unless the answer is exactly body with QQ's status and type.
func wantBody(t *testing.T, w *httptest.ResponseRecorder, body string) {
	t.Helper()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("got status %d, type %q", w.Code, w.Header().Get("Content-Type"))
	}
	if got := w.Body.String(); got != body {
		t.Errorf("got  %q\nwant %q", got, body)
	}
}

func TestMe(t *testing.T) {
	s, at := newServer(t, qqtest.Config{})
	expired, revoked := s.Issue(game, 3), s.Issue(game, 3)
	s.Revoke(revoked)
	at.Time = at.Add(60 * 24 * time.Hour)
	ended := s.Issue(game, 3)
	s.Expire(ended)
	id, foreignID := s.OpenID(game, 3), s.OpenID(foreign, 3)
	for _, tt := range []struct{ name, query, want string }{
		{"M1", "access_token=" + s.Token(game, 3), `callback( {"client_id":"101000001","openid":"` + id + `"} );` + "\n"},
		{"M1 json", "fmt=json&access_token=" + s.Token(game, 3), `{"client_id":"101000001","openid":"` + id + `"}`},
		{"M1 names the token's own app", "client_id=" + game + "&fmt=json&access_token=" + s.Token(foreign, 3),
			`{"client_id":"102000003","openid":"` + foreignID + `"}`},
		{"M2", "unionid=1&fmt=json&access_token=" + s.Token(game, 3),
			`{"client_id":"101000001","openid":"` + id + `","unionid":"` + s.UnionID(game, 3) + `"}`},
		{"M3", "unionid=1&fmt=json&access_token=" + s.Token(forum, 3), `{"error":100048,"error_description":"CompanyID not set"}`},
		{"M4", "", `callback( {"error":100007,"error_description":"param access token is wrong or lost "} );` + "\n"},
		{"M5", "fmt=json&access_token=invalid", `{"error":100013,"error_description":"access token is illegal"}`},
		{"M5 code", "fmt=json&access_token=" + s.Code(game, 3, ""), `{"error":100013,"error_description":"access token is illegal"}`},
		{"M5 case", "fmt=json&access_token=" + strings.ToLower(s.Token(game, 3)), `{"error":100013,"error_description":"access token is illegal"}`},
		{"M6", "fmt=json&access_token=" + expired, `{"error":100016,"error_description":"access token check failed"}`},
		{"M6 hook", "fmt=json&access_token=" + ended, `{"error":100016,"error_description":"access token check failed"}`},
		{"M7", "fmt=json&access_token=" + revoked, `{"error":100015,"error_description":"access token is revoked"}`},
	} {
		t.Run(tt.name, func(t *testing.T) { wantBody(t, get(s, qqtest.PathMe, tt.query), tt.want) })
	}
	if got, want := s.Calls(qqtest.PathMe), 12; got != want {
		t.Errorf("counted %d calls, want %d", got, want)
	}
}

func TestToken(t *testing.T) {
	s, at := newServer(t, qqtest.Config{})
	late := s.Code(game, 1, back)
	at.Time = at.Add(10 * time.Minute)
	form := func(change ...string) string {
		q := url.Values{"grant_type": {"authorization_code"}, "client_id": {game}, "client_secret": {"game-key"},
			"code": {s.Code(game, 1, back)}, "redirect_uri": {back}, "fmt": {"json"}}
		for i := 0; i < len(change); i += 2 {
			q.Set(change[i], change[i+1])
		}
		return q.Encode()
	}
	used := s.Code(game, 1, back)
	get(s, qqtest.PathToken, form("code", used))
	for _, tt := range []struct{ name, query, want string }{
		{"T3", form("client_id", ""), `{"error":100001,"error_description":"param client_id is wrong or lost "}`},
		{"T3 framed", form("client_id", "", "fmt", ""), `callback( {"error":100001,"error_description":"param client_id is wrong or lost "} );` + "\n"},
		{"T3 unknown", form("client_id", "1"), `{"error":100008,"error_description":"client request's app is not existed"}`},
		{"T4", form("grant_type", "password"), `{"error":100004,"error_description":"param grant_type is wrong or lost "}`},
		{"T5", form("client_secret", "x"), `{"error":100009,"error_description":"client secret is illegal"}`},
		{"T6", form("redirect_uri", back+"/"), `{"error":100010,"error_description":"redirect uri is illegal"}`},
		{"T7", form("code", "x"), `{"error":100019,"error_description":"code to access token error"}`},
		{"T7 other app", form("code", s.Code(forum, 1, back)), `{"error":100019,"error_description":"code to access token error"}`},
		{"T7 expired", form("code", late), `{"error":100019,"error_description":"code to access token error"}`},
		{"T8", form("code", used), `{"error":100020,"error_description":"code is reused error"}`},
		{"T9", form("grant_type", "refresh_token", "refresh_token", "x"), `{"error":100021,"error_description":"get access token error"}`},
		{"T10 secret", form("client_secret", ""), `{"error":100002,"error_description":"param client_secret is wrong or lost "}`},
		{"T10 code", form("code", ""), `{"error":100005,"error_description":"param code is wrong or lost "}`},
		{"T10 refresh", form("grant_type", "refresh_token"), `{"error":100006,"error_description":"param refresh_token is wrong or lost "}`},
	} {
		t.Run(tt.name, func(t *testing.T) { wantBody(t, get(s, qqtest.PathToken, tt.query), tt.want) })
	}

	for _, tt := range []struct{ name, query, pattern string }{
		{"T1", form("fmt", ""), `^access_token=([0-9A-F]{32})&expires_in=5184000&refresh_token=([0-9A-F]{32})$`},
		{"T2", form(), `^{"access_token":"([0-9A-F]{32})","expires_in":"5184000","refresh_token":"([0-9A-F]{32})"}$`},
		{"T2 mobile", form("code", s.Code(game, 1, ""), "redirect_uri", ""), `^{"access_token":"([0-9A-F]{32})","expires_in":"5184000","refresh_token":"([0-9A-F]{32})"}$`},
		{"T2 openid", form("need_openid", "1"), `^{"access_token":"([0-9A-F]{32})","expires_in":"5184000","refresh_token":"([0-9A-F]{32})","openid":"` + s.OpenID(game, 1) + `"}$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := get(s, qqtest.PathToken, tt.query)
			m := regexp.MustCompile(tt.pattern).FindStringSubmatch(w.Body.String())
			if m == nil {
				t.Fatalf("got %q, want %s", w.Body, tt.pattern)
			}
			wantBody(t, get(s, qqtest.PathMe, "fmt=json&access_token="+m[1]), `{"client_id":"101000001","openid":"`+s.OpenID(game, 1)+`"}`)
			again := form("grant_type", "refresh_token", "refresh_token", m[2])
			if body := get(s, qqtest.PathToken, again).Body.String(); !strings.HasPrefix(body, `{"access_token":"`) {
				t.Errorf("refresh: %s", body)
			}
			wantBody(t, get(s, qqtest.PathToken, again), `{"error":100021,"error_description":"get access token error"}`)
		})
	}
}

func TestUserInfo(t *testing.T) {
	s, _ := newServer(t, qqtest.Config{})
	query := func(app, token, openID string) string {
		return "oauth_consumer_key=" + app + "&access_token=" + token + "&openid=" + openID
	}
	for _, tt := range []struct{ name, query, want string }{
		{"U2", query(game, s.Token(game, 1), "x"), `{"ret":-1,"msg":"client request's parameters are invalid, invalid openid"}`},
		{"U3", query(game, s.Token(game, 1), s.OpenID(game, 2)), `{"ret":-22,"msg":"openid is invalid"}`},
		{"U4", query(game, "x", s.OpenID(game, 1)), `{"ret":-23,"msg":"token is invalid"}`},
		{"U5", query("", s.Token(game, 1), s.OpenID(game, 1)), `{"ret":100008,"msg":"client request's app is not existed"}`},
		{"U6", query(game, s.Token(foreign, 1), s.OpenID(foreign, 1)), `{"ret":-23,"msg":"token is invalid"}`},
	} {
		t.Run(tt.name, func(t *testing.T) { wantBody(t, get(s, qqtest.PathUserInfo, tt.query), tt.want) })
	}
	good := query(game, s.Token(game, 1), s.OpenID(game, 1))
	for row, want := range map[qqtest.Row]string{
		qqtest.U7: `{"ret":1002,"msg":"请先登录"}`,
		qqtest.U8: `{"ret":100030,"msg":"this api without user authorization"}`,
		qqtest.U9: `{"ret":13002,"msg":"get qq info err"}`,
	} {
		s.Behave(qqtest.Behavior{UserInfo: row})
		wantBody(t, get(s, qqtest.PathUserInfo, good), want)
	}

	for _, tt := range []struct {
		variant qqtest.Variant
		has     string
	}{
		{"", `"is_lost":0,` + "\n" + `  "nickname": "Jonny",` + "\n" + `  "gender": "男",` + "\n" + `  "gender_type": 2,`},
		{"", `"figureurl": "http:\/\/qzapp.qlogo.cn\/qzapp\/101000001\/` + s.OpenID(game, 1) + `\/30",`},
		{"", `"figureurl_qq_2": "http://thirdqq.qlogo.cn/g?b=oidb&k=`},
		{qqtest.NoLargeAvatar, `"figureurl_qq_2": "",`},
		{qqtest.NoNickname, `"nickname": "",`},
		{qqtest.DotNickname, `"nickname": ".",`},
		{qqtest.Placeholder, `"nickname": "qzuser",`},
		{qqtest.EmojiNickname, "👩‍🚀"},
		{qqtest.Hostile, "\x14"},
		{qqtest.Lost, `"is_lost":1,`},
		{qqtest.ExtraFields, `"userTags"`},
		{qqtest.NoGenderType, `"男",` + "\n" + `  "province"`},
	} {
		s.Behave(qqtest.Behavior{Profile: tt.variant})
		if body := get(s, qqtest.PathUserInfo, good).Body.String(); !strings.Contains(body, tt.has) {
			t.Errorf("variant %q: no %s in %s", tt.variant, tt.has, body)
		}
	}
}

func TestAuthorize(t *testing.T) {
	s, _ := newServer(t, qqtest.Config{})
	query := func(app, redirect, state, more string) string {
		return "response_type=code&client_id=" + app + "&redirect_uri=" + url.QueryEscape(redirect) + "&state=" + url.QueryEscape(state) + more
	}
	for _, tt := range []struct{ name, query, want string }{
		{"A2", query(game, back, "s", "&account=none"), "QQ calls nobody back"},
		{"A3", query("1", back, "s", "&account=1"), "param client_id is wrong or lost (100001)"},
		{"A4", query(game, back+"/", "s", "&account=1"), "redirect uri is illegal(100010)"},
		{"A4 state", query(game, back, strings.Repeat("s", 501), "&account=1"), "redirect uri is illegal(100010)"},
		{"unreviewed", query(forum, back, "s", "&account=1"), "(100011)"},
		{"implicit", strings.Replace(query(game, back, "s", "&account=1"), "=code", "=token", 1), "(100000)"},
		{"choice", query(game, back, "s", ""), `<a href="?account=0&amp;client_id=101000001&amp;redirect_uri=https%3A%2F%2F`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, string(qqtest.PathAuthorize)+"?"+tt.query, nil)
			r.Header.Set("Accept-Language", "en-GB,en;q=0.9")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("status %d, no %q in %s", w.Code, tt.want, w.Body)
			}
		})
	}
	for _, tt := range []struct{ name, query, pattern string }{
		{"A1", query(game, back, "a b&c", "&account=1"), `^` + regexp.QuoteMeta(back) + `\?code=([0-9A-F]{32})&state=a\+b%26c$`},
		{"A1 query", query(game, back+"?a=1", "s", "&account=1"), `^` + regexp.QuoteMeta(back) + `\?a=1&code=([0-9A-F]{32})&state=s$`},
		{"developer's own", query(forum, back, "s", "&account=0"), `code=([0-9A-F]{32})`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := get(s, qqtest.PathAuthorize, tt.query)
			if got := w.Header().Get("Location"); w.Code != http.StatusFound || !regexp.MustCompile(tt.pattern).MatchString(got) {
				t.Errorf("status %d, to %q", w.Code, got)
			}
		})
	}
}

func TestReplace(t *testing.T) {
	s, _ := newServer(t, qqtest.Config{Replace: map[qqtest.Row]qqtest.Failure{
		qqtest.M7: {Number: 100013, Text: "access token is illegal"},
		qqtest.U6: {Number: -71, Text: "mismatch"},
	}})
	token := s.Issue(game, 1)
	s.Revoke(token)
	wantBody(t, get(s, qqtest.PathMe, "fmt=json&access_token="+token), `{"error":100013,"error_description":"access token is illegal"}`)
	wantBody(t, get(s, qqtest.PathUserInfo, "oauth_consumer_key="+game+"&access_token="+s.Token(foreign, 1)+"&openid="+s.OpenID(foreign, 1)),
		`{"ret":-71,"msg":"mismatch"}`)
	for _, row := range []qqtest.Row{qqtest.M5, qqtest.U7, "X1"} {
		_, err := qqtest.New(qqtest.Config{Apps: []qqtest.App{{ID: game}}, Replace: map[qqtest.Row]qqtest.Failure{row: {}}})
		if err == nil {
			t.Errorf("row %s could be replaced", row)
		}
	}
}
