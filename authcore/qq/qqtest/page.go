package qqtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/text/language"
)

// style is the one style of the pages; the policy admits it by its hash.
const style = `body{font-family:sans-serif;margin:2em auto;max-width:60em;padding:0 1em}` +
	`table{border-collapse:collapse}td,th{border:1px solid;padding:.4em;text-align:left}` +
	`code{overflow-wrap:anywhere}`

var contentPolicy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// words are the texts of the pages in one language.
type words struct {
	Lang, Title, Double, Heading, Choose, Cancel, Closed string
	Nickname, AppID, OpenID, AccessToken, Code           string
}

var (
	languages = language.NewMatcher([]language.Tag{language.Chinese, language.English})
	texts     = []words{{
		Lang: "zh", Title: "QQ 模拟器", Double: "这不是 QQ,只是离线测试替身:任何人都能以这里的任何账号登录。",
		Heading: "账号", Choose: "选择登录的账号", Cancel: "关闭(不登录)", Closed: "窗口已关闭,QQ 不会回调。",
		Nickname: "昵称", AppID: "应用", OpenID: "open_id", AccessToken: "access_token",
		Code: `一次性 code(相当于 SDK 的 server-side 登录):向本页之下的 code 发送 POST 表单 app_id、open_id,返回 {"code":"…"}。`,
	}, {
		Lang: "en", Title: "QQ simulator", Double: "This is not QQ but an offline test double: anybody can log in as any account here.",
		Heading: "Accounts", Choose: "Choose the account to log in with", Cancel: "Close (do not log in)", Closed: "The window is closed; QQ calls nobody back.",
		Nickname: "Nickname", AppID: "Application", OpenID: "open_id", AccessToken: "access_token",
		Code: `A one-time code, as the SDK's server-side login gives: POST a form with app_id and open_id to "code" below this page; the answer is {"code":"…"}.`,
	}}
)

// choice is a line of the page that stands in for QQ's login page.
type choice struct{ Nickname, Link string }

// view is what a page shows; what is zero is left out.
type view struct {
	words
	Style    template.CSS
	Accounts []Account
	Choices  []choice
	Close    string
	Message  string
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title><style>{{.Style}}</style></head>
<body><h1>{{.Title}}</h1><p><strong>{{.Double}}</strong></p>
{{with .Message}}<p>{{.}}</p>{{end}}
{{if .Accounts}}<h2>{{.Heading}}</h2><table><tr><th>{{.Nickname}}</th><th>{{.AppID}}</th><th>{{.OpenID}}</th><th>{{.AccessToken}}</th></tr>
{{range .Accounts}}<tr><td>{{.Nickname}}</td><td>{{.AppID}}</td><td><code>{{.OpenID}}</code></td><td><code>{{.AccessToken}}</code></td></tr>
{{end}}</table><p>{{.Code}}</p>{{end}}
{{if .Choices}}<h2>{{.Choose}}</h2><ul>{{range .Choices}}<li><a href="{{.Link}}">{{.Nickname}}</a></li>
{{end}}<li><a href="{{.Close}}">{{.Cancel}}</a></li></ul>{{end}}
</body></html>
`))

func render(w http.ResponseWriter, r *http.Request, fill func(*view)) {
	tags, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	_, i, _ := languages.Match(tags...)
	v := view{words: texts[i], Style: style}
	fill(&v)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	_ = page.Execute(w, v) // fails only when the reader is gone
}

// accounts answers / with the accounts that have a nickname of their own.
func (s *Server) accounts(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "application/json") {
		render(w, r, func(v *view) { v.Accounts = s.Accounts() })
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(s.Accounts()) // fails only when the reader is gone
}

// choose lists the accounts to log in with, each a link to the same request.
func (s *Server) choose(w http.ResponseWriter, r *http.Request, a *app) {
	link := func(account string) string {
		q := r.URL.Query()
		q.Set("account", account)
		return "?" + q.Encode()
	}
	render(w, r, func(v *view) {
		for n, nickname := range s.nicknames {
			v.Choices = append(v.Choices, choice{nickname, link(strconv.Itoa(n))})
		}
		v.Close = link("none")
	})
}

// refuse shows the page on which a bad authorize ends: the number in brackets
// is what was seen (OBS), the markup is not known.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, row Row) {
	f := s.failure(row)
	render(w, r, func(v *view) { v.Message = fmt.Sprintf("%s(%d)", f.Text, f.Number) })
}

func (s *Server) closed(w http.ResponseWriter, r *http.Request) {
	render(w, r, func(v *view) { v.Message = v.Closed })
}
