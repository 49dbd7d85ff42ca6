package caddymodule

import (
	"strings"
	"testing"
)

func TestOnLoopback(t *testing.T) {
	for url, want := range map[string]bool{
		"http://localhost":              true,
		"http://LocalHost:8080":         true,
		"https://id.localhost":          true,
		"http://127.0.0.1:9080":         true,
		"http://127.255.3.4":            true,
		"http://[::1]:9080":             true,
		"http://localhost.example.com":  false,
		"http://notlocalhost":           false,
		"http://localhost@evil.example": false,
		"http://128.0.0.1":              false,
		"http://0.0.0.0":                false,
		"http://[::]":                   false,
		"http://[::ffff:127.0.0.1]":     false,
		"http://[::1%25lo]":             false,
		"http://127.1":                  false,
		"http://0177.0.0.1":             false,
		"http://127.0.0.1.example.com":  false,
		"http://192.168.1.1":            false,
		"":                              false,
	} {
		if got := onLoopback(url); got != want {
			t.Errorf("onLoopback(%q) = %v", url, got)
		}
	}
}

// TestDanger: each setting is refused in the world at large, and taken on the
// loopback.
func TestDanger(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"plain public_url", func(c *Config) { c.PublicURL = "http://id.example.com" }, "write https://id.example.com"},
		{"literal secret_key", func(c *Config) { c.SecretKey = []string{strings.Repeat("ab", 32)} }, "secret_key: a literal secret"},
		{"literal app_key", func(c *Config) { c.QQ[0].AppKey = "hunter2" }, "qq 1001: app_key: a literal secret"},
		{"literal client secret", func(c *Config) { c.Clients[0].Secret[0] = strings.Repeat("s", 30) }, "client shop: secret: a literal secret"},
		{"literal previous secret", func(c *Config) { c.Clients[0].Secret = append(c.Clients[0].Secret, strings.Repeat("s", 30)) }, "write {env.NAME} or {file.PATH}"},
		{"literal games' secret", func(c *Config) { c.Clients[2].GameSparks = &GameSparks{"key", "device", strings.Repeat("s", 30)} }, "client game: gamesparks: secret: a literal secret"},
		{"plain endpoint", func(c *Config) { c.QQ[0].Endpoint = "http://graph.qq.com" }, "qq 1001: endpoint: plain http"},
		{"plain redirect_uri", func(c *Config) { c.Clients[2].RedirectURIs = []string{"https://a.example/cb", "HTTP://a.example/cb"} }, "client game: redirect_uri: plain http"},
		{"simulator", func(c *Config) { c.Simulator = "100000000" }, "qq simulator: it lets in anybody"},
		{"attempts off", func(c *Config) { c.Attempts.Off = true }, "attempts off is allowed only while public_url is a loopback name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := shopConfig(tc.change).check()
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "abab") || strings.Contains(err.Error(), "ssss")) {
				t.Errorf("the error tells the secret: %v", err)
			}
			local := func(c *Config) { tc.change(c); c.PublicURL = "http://localhost:8080" }
			if err := shopConfig(local).check(); err != nil {
				t.Errorf("on the loopback: %v", err)
			}
		})
	}
}
