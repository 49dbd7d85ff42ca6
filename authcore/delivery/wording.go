package delivery

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

//go:embed template
var templates embed.FS

var (
	texts = texttemplate.Must(texttemplate.ParseFS(templates, "template/*.txt"))
	pages = htmltemplate.Must(htmltemplate.ParseFS(templates, "template/*.html"))
)

// wording is what mails say in one language, but for the templates named after
// it.
type wording struct {
	lang                     string
	subject                  string // of the site and the action
	minute, minutes, seconds string // of a number
	actions                  map[authcore.Purpose]string
}

var chinese = wording{
	lang: "zh", subject: "%s：%s的验证码",
	minute: "%d 分钟", minutes: "%d 分钟", seconds: "%d 秒",
	actions: map[authcore.Purpose]string{
		authcore.PurposeRegister: "登录或注册",
		authcore.PurposeBind:     "绑定 QQ 账号",
		authcore.PurposeMFA:      "登录的二次验证",
		authcore.PurposeUpdate:   "更换账号的邮箱",
	},
}

var english = wording{
	lang: "en", subject: "%s: your code to %s",
	minute: "%d minute", minutes: "%d minutes", seconds: "%d seconds",
	actions: map[authcore.Purpose]string{
		authcore.PurposeRegister: "sign in or register",
		authcore.PurposeBind:     "link a QQ account to yours",
		authcore.PurposeMFA:      "confirm your sign-in as its second step",
		authcore.PurposeUpdate:   "change the e-mail address of your account",
	},
}

// text is what a mail says.
type text struct{ subject, plain, html string }

// write says a message in its language, in Chinese if that is none of ours.
func write(site string, m *authcore.Message) (text, error) {
	w := &chinese
	if m.Lang == english.lang {
		w = &english
	}
	fields := struct{ Site, Action, Code, Validity string }{
		site, w.actions[m.Purpose], m.Code.Reveal(), w.validity(m.ExpiresIn),
	}
	var plain, html strings.Builder
	if err := texts.ExecuteTemplate(&plain, w.lang+".txt", fields); err != nil {
		return text{}, fmt.Errorf("write text: %w", err)
	}
	if err := pages.ExecuteTemplate(&html, w.lang+".html", fields); err != nil {
		return text{}, fmt.Errorf("write page: %w", err)
	}
	return text{fmt.Sprintf(w.subject, site, fields.Action), plain.String(), html.String()}, nil
}

func (w *wording) validity(d time.Duration) string {
	switch {
	case d == time.Minute:
		return fmt.Sprintf(w.minute, 1)
	case d%time.Minute == 0:
		return fmt.Sprintf(w.minutes, d/time.Minute)
	default:
		return fmt.Sprintf(w.seconds, d/time.Second)
	}
}
