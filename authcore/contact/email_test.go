package contact_test

import (
	"errors"
	"net/mail"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore/contact"
)

func TestParseEmail(t *testing.T) {
	for in, want := range map[string]string{
		"zhangsan@qq.com":                   "zhangsan@qq.com",
		" ZhangSan@QQ.com\n":                "zhangsan@qq.com",
		"10001@qq.com":                      "10001@qq.com",
		"a.b-c_d+tag@mail.qq.com":           "a.b-c_d+tag@mail.qq.com",
		"!#$%&'*+-/=?^_`{|}~@q.cn":          "!#$%&'*+-/=?^_`{|}~@q.cn",
		"san@例子.中国":                         "san@xn--fsqu00a.xn--fiqs8s",
		"san@ＱＱ。com":                        "san@qq.com",
		"san@Bücher.example":                "san@xn--bcher-kva.example",
		"san@xn--bcher-kva.Example":         "san@xn--bcher-kva.example",
		"san@163.com":                       "san@163.com",
		strings.Repeat("a", 64) + "@qq.com": strings.Repeat("a", 64) + "@qq.com",
		longest:                             longest,
	} {
		if got, err := contact.ParseEmail(in); got != want || err != nil {
			t.Errorf("ParseEmail(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

// longest has 254 characters, the most that there may be.
var longest = strings.Repeat("a", 62) + "@" + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 60) + ".cn"

func TestParseEmailRefuses(t *testing.T) {
	for _, in := range []string{
		"", "@", "a", "a@", "@qq.com", "a@qq", "a@localhost", "a@.com", "a@qq.com.", "a@qq..com", "a@.", "a@qq.。",
		"a@@qq.com", "a@b@qq.com", "a＠qq.com", "a@b＠qq.com", ".a@qq.com", "a.@qq.com", "a..b@qq.com",
		`"a"@qq.com`, `"a b"@qq.com`, "a b@qq.com", "a@qq .com", "(x)a@qq.com", "a@qq.com(x)", "A <a@qq.com>", "<a@qq.com>",
		"a@[10.0.0.1]", "a@10.0.0.1", "a@[IPv6:::1]", "a@qq.123", "a@-qq.com", "a@qq-.com", "a@q_q.com", "a@qq.com:25",
		"a@xn--.com", "a@xn--qq.com", "a@xn--a-ecp.ru", "ä@qq.com", "张三@qq.com", "а@qq.com", "a\u200b@qq.com", "a@qq\u00ad",
		"a\x00@qq.com", "a\r\nBcc: b@qq.com", "a@qq.com\r\nBcc: b", "a@qq.com, b@qq.com", "a@qq.com\x7f.cn", "\xff@qq.com", "a@\xff.com", "a@\ufffd.com",
		strings.Repeat("a", 65) + "@qq.com", "a@" + strings.Repeat("b", 64) + ".com", "a" + longest,
		strings.Repeat("a@", 1<<16), "a@" + strings.Repeat("例.", 1<<16) + "cn",
	} {
		if got, err := contact.ParseEmail(in); got != "" || !errors.Is(err, contact.ErrMalformed) {
			t.Errorf("ParseEmail(%.40q) = %q, %v; want ErrMalformed", in, got, err)
		}
	}
}

// FuzzParseEmail: what is returned is printable ASCII within the bounds, parses
// to itself, and is read as the same bare address by another parser.
func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{
		"zhangsan@qq.com", " A.B+c@Mail.QQ.com", "san@例子.中国", "san@ＱＱ。com", "san@xn--bcher-kva.example",
		`"a b"@qq.com`, "A <a@qq.com>", "a@[10.0.0.1]", "a@10.0.0.1", "a@א.com", "a@ß.de", "a@a\u200d.com",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		email, err := contact.ParseEmail(s)
		if err != nil {
			return
		}
		local, domain, _ := strings.Cut(email, "@")
		if len(local) > 64 || len(email) > 254 || !strings.Contains(domain, ".") ||
			strings.ContainsFunc(email, func(r rune) bool { return r <= ' ' || r > '~' || 'A' <= r && r <= 'Z' }) {
			t.Fatalf("ParseEmail(%q) = %q", s, email)
		}
		if again, err := contact.ParseEmail(email); again != email || err != nil {
			t.Fatalf("ParseEmail(%q) = %q, then %q, %v", s, email, again, err)
		}
		if read, err := mail.ParseAddress(email); err != nil || read.Address != email {
			t.Fatalf("ParseEmail(%q) = %q, and net/mail reads %v, %v", s, email, read, err)
		}
	})
}
