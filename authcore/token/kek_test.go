package token_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore/token"
)

func TestParseKEK(t *testing.T) {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(255 - i) // its base64 has - and _
	}
	want := hex.EncodeToString(key)
	for name, s := range map[string]string{
		"hex":                want,
		"upper hex":          strings.ToUpper(want),
		"base64":             base64.StdEncoding.EncodeToString(key),
		"base64, raw":        base64.RawStdEncoding.EncodeToString(key),
		"base64url":          base64.URLEncoding.EncodeToString(key),
		"base64url, raw":     base64.RawURLEncoding.EncodeToString(key),
		"white space around": " \t" + want + "\r\n",
	} {
		k, err := token.ParseKEK(s)
		if err != nil || k.Reveal() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseKEKRefuses(t *testing.T) {
	long := base64.StdEncoding.EncodeToString([]byte("a passphrase that somebody made up, not a key"))
	for name, s := range map[string]string{
		"empty":             "",
		"white space":       " \n",
		"short hex":         strings.Repeat("ab", 31),
		"long hex":          strings.Repeat("ab", 33),
		"odd hex":           strings.Repeat("a", 63),
		"16 bytes":          base64.StdEncoding.EncodeToString([]byte("sixteen bytes ok")),
		"long base64":       long,
		"words":             "correct horse battery staple, correct horse",
		"two lines":         strings.Repeat("ab", 16) + "\n" + strings.Repeat("ab", 16),
		"base64, two lines": long[:20] + "\n" + long[20:43],
		"mixed alphabets":   strings.Repeat("+_", 21) + "A",
		"placeholder":       "{env.QQAUTH_SECRET_KEY}",
	} {
		k, err := token.ParseKEK(s)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if !k.IsZero() {
			t.Errorf("%s: returned a key along with an error", name)
		}
		if trimmed := strings.TrimSpace(s); trimmed != "" && strings.Contains(err.Error(), trimmed[:8]) {
			t.Errorf("%s: the error quotes the input: %v", name, err)
		}
	}
}

func TestKEKPrintsNothing(t *testing.T) {
	k := token.NewKEK()
	if got, _ := token.ParseKEK(k.Reveal()); !got.Equal(k.Secret) {
		t.Error("Reveal does not return what ParseKEK reads")
	}
	c := token.Config{Current: k, Previous: []token.KEK{k}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, c); strings.Contains(got, k.Reveal()) {
			t.Errorf("%s leaks: %s", verb, got)
		}
		if got := fmt.Sprintf(verb, k); got != "[redacted]" {
			t.Errorf("%s = %s", verb, got)
		}
	}
}
