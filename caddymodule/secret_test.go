package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResolveSecret(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return "{file." + path + "}"
	}
	t.Setenv("QQAUTH_TEST_PLAIN", "s3cret")
	t.Setenv("QQAUTH_TEST_EMPTY", "")
	t.Setenv("QQAUTH_TEST_BRACES", "{env.QQAUTH_TEST_PLAIN}")
	for _, tc := range []struct{ name, value, want string }{
		{"env", "{env.QQAUTH_TEST_PLAIN}", "s3cret"},
		{"what is found is not expanded", "{env.QQAUTH_TEST_BRACES}", "{env.QQAUTH_TEST_PLAIN}"},
		{"file", file("plain", "s3cret"), "s3cret"},
		{"file with newline", file("newline", "s3cret\n"), "s3cret"},
		{"file with crlf", file("crlf", "s3cret\r\n"), "s3cret"},
		{"file with spaces", file("spaces", " s3 cret \n"), " s3 cret "},
		{"literal", "s3cret", "s3cret"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := resolveSecret(tc.value, "client shop: secret")
			if err != nil || got.Reveal() != tc.want {
				t.Errorf("got %q, %v", got.Reveal(), err)
			}
		})
	}
	for _, value := range []string{
		"{env.QQAUTH_TEST_UNSET}", "{env.QQAUTH_TEST_EMPTY}", file("empty", ""), file("newlines", "\n\n"),
		"{file." + filepath.Join(dir, "absent") + "}", "{file." + dir + "}",
	} {
		got, err := resolveSecret(value, "client shop: secret")
		if err == nil || !strings.Contains(err.Error(), "client shop: secret: "+value+" holds nothing") {
			t.Errorf("%s: got %q, %v", value, got.Reveal(), err)
		}
	}
}

func TestCheckSecret(t *testing.T) {
	for value, ok := range map[string]bool{
		"{env.A}": true, "{file./run/secrets/a.txt}": true, "literal": true,
		"": false, "{$A}": false, "{env.}": false, "{file.}": false, "{env.A}{env.B}": false, "x{env.A}": false,
		"{http.request.host}": false, "{system.hostname}": false, "{env.{env.A}}": false, "{env.A": false,
	} {
		if err := checkSecret(value); (err == nil) != ok {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestResolveSecrets(t *testing.T) {
	const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	long := strings.Repeat("x", minClientSecret)
	t.Setenv("QQAUTH_TEST_KEY", key)
	t.Setenv("QQAUTH_TEST_APP", "app-key")
	t.Setenv("QQAUTH_TEST_SHOP", long)
	t.Setenv("QQAUTH_TEST_FORUM", long+"y")
	c := shopConfig(func(c *Config) {
		c.SecretKey = []string{"{env.QQAUTH_TEST_KEY}"}
		c.QQ[0].AppKey = "{env.QQAUTH_TEST_APP}"
	})
	found, err := c.resolveSecrets()
	if err != nil {
		t.Fatal(err)
	}
	if len(found.keys) != 1 || found.keys[0].Reveal() != key {
		t.Errorf("keys: got %d", len(found.keys))
	}
	if len(found.apps) != 1 || found.apps["1001"].Reveal() != "app-key" {
		t.Errorf("apps: got %d", len(found.apps))
	}
	if s := found.clients["forum"]; len(s) != 1 || s[0].Reveal() != long+"y" || found.clients["game"] != nil {
		t.Errorf("clients: got %d", len(found.clients))
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		out := fmt.Sprintf(verb, found)
		if strings.Contains(out, long) || strings.Contains(out, key) || strings.Contains(out, "app-key") ||
			strings.Contains(out, fmt.Sprintf("%x", "app-key")) {
			t.Errorf("%s prints a secret: %s", verb, out)
		}
	}
}

func TestResolveSecretsRefuses(t *testing.T) {
	short := strings.Repeat("q", minClientSecret-1)
	t.Setenv("QQAUTH_TEST_SHOP", short)
	t.Setenv("QQAUTH_TEST_FORUM", strings.Repeat("x", minClientSecret))
	t.Setenv("QQAUTH_TEST_KEY", "0123456789abcdef")

	_, err := shopConfig(nil).resolveSecrets()
	if err == nil || !strings.Contains(err.Error(), "client shop: secret: under 24 characters") || strings.Contains(err.Error(), short) {
		t.Errorf("a short secret: %v", err)
	}
	if _, err := shopConfig(func(c *Config) { c.PublicURL = "http://localhost" }).resolveSecrets(); err != nil {
		t.Errorf("a short secret on the loopback: %v", err)
	}
	_, err = shopConfig(func(c *Config) { c.SecretKey = []string{"{env.QQAUTH_TEST_KEY}"} }).resolveSecrets()
	if err == nil || !strings.Contains(err.Error(), "secret_key") || strings.Contains(err.Error(), "0123456789abcdef") {
		t.Errorf("a key of 8 bytes: %v", err)
	}
	_, err = shopConfig(func(c *Config) { c.QQ[2].AppKey = "{env.QQAUTH_TEST_UNSET}" }).resolveSecrets()
	if err == nil || !strings.Contains(err.Error(), "qq 1003: app_key: {env.QQAUTH_TEST_UNSET} holds nothing") {
		t.Errorf("an app_key that is unset: %v", err)
	}
}
