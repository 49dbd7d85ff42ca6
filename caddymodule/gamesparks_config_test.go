package caddymodule

import (
	"fmt"
	"strings"
	"testing"
)

// gamesConfig opens the GameSparks API to two clients of shopConfig, under the
// credentials and secrets given.
func gamesConfig(t *testing.T, shopCredential, shopSecret, gameCredential, gameSecret string) *Config {
	t.Helper()
	t.Setenv("QQAUTH_TEST_SHOP", strings.Repeat("y", minClientSecret))
	t.Setenv("QQAUTH_TEST_FORUM", strings.Repeat("y", minClientSecret))
	t.Setenv("QQAUTH_TEST_SHOP_GAMES", shopSecret)
	t.Setenv("QQAUTH_TEST_GAME_GAMES", gameSecret)
	c := shopConfig(func(c *Config) {
		c.Clients[0].GameSparks = &GameSparks{"k-shop", shopCredential, "{env.QQAUTH_TEST_SHOP_GAMES}"}
		c.Clients[2].GameSparks = &GameSparks{"k-game", gameCredential, "{env.QQAUTH_TEST_GAME_GAMES}"}
	})
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestResolveGames(t *testing.T) {
	long := strings.Repeat("x", minClientSecret)
	// One secret under two credentials is two paths, and so are two secrets under
	// one credential.
	for _, tc := range []struct{ shopCredential, shopSecret, gameCredential, gameSecret string }{
		{"device", long, "server", long},
		{"device", long + "1", "device", long + "2"},
		// All that is allowed in a path's segment (RFC 3986 §3.3), unescaped.
		{"device", "aZ09-._~!$&'()*+,;=:@" + long, "device", long},
	} {
		found, err := gamesConfig(t, tc.shopCredential, tc.shopSecret, tc.gameCredential, tc.gameSecret).resolveSecrets()
		if err != nil {
			t.Errorf("%+v: %v", tc, err)
		}
		if len(found.games) != 2 || found.games["shop"].Reveal() != tc.shopSecret || found.games["game"].Reveal() != tc.gameSecret {
			t.Errorf("%+v: found %d", tc, len(found.games))
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if out := fmt.Sprintf(verb, found); strings.Contains(out, long) || strings.Contains(out, fmt.Sprintf("%x", long)) {
				t.Errorf("%s prints a secret: %s", verb, out)
			}
		}
	}
}

func TestResolveGamesRefuses(t *testing.T) {
	const long = "b3JkaW5hcnk0c2VjcmV0LWdhbWU"
	for _, tc := range []struct{ name, shop, game, want string }{
		{"unset", "", long, "client shop: gamesparks: secret: {env.QQAUTH_TEST_SHOP_GAMES} holds nothing"},
		{"short", long, long[:minClientSecret-1], "client game: gamesparks: secret: under 24 characters"},
		{"one of two", long, long, "client game: gamesparks: secret: client shop has the same one and the same credential"},
		{"slash", long + "/", long, "client shop: gamesparks: secret: it stands in the path of URLs"},
		{"backslash", long + `\`, long, "it stands in the path of URLs"},
		{"question mark", "?" + long, long, "it stands in the path of URLs"},
		{"hash", "a#" + long, long, "it stands in the path of URLs"},
		{"percent", "%41" + long, long, "it stands in the path of URLs"},
		{"space", "a " + long, long, "it stands in the path of URLs"},
		{"tab", "a\t" + long, long, "it stands in the path of URLs"},
		{"line break", "a\n" + long, long, "it stands in the path of URLs"},
		{"delete", "a\x7f" + long, long, "it stands in the path of URLs"},
		{"no-break space", "a\u00a0" + long, long, "it stands in the path of URLs"},
		{"not UTF-8", "a\xff" + long, long, "it stands in the path of URLs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := gamesConfig(t, "device", tc.shop, "device", tc.game).resolveSecrets()
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), long[:minClientSecret-1]) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// TestResolveGamesOnLoopback: there a secret may be short, and is still one
// segment of a path, and nobody else's.
func TestResolveGamesOnLoopback(t *testing.T) {
	for secret, want := range map[string]string{
		"s3cret": "", "a/b": "it stands in the path", "..": "it stands in the path",
		"k-game": "it is the api_key or the credential, too", "device": "it is the api_key or the credential, too",
		"shop-s": "client shop has the same one",
	} {
		c := gamesConfig(t, "device", "shop-s", "device", secret)
		c.PublicURL = "http://localhost:8080"
		_, err := c.resolveSecrets()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", secret, err)
		}
	}
}

// TestGamesSecretIsNothingElse: every copy of a game holds its secret, so whatever
// else it opened would be open.
func TestGamesSecretIsNothingElse(t *testing.T) {
	key := strings.Repeat("0f", 32)
	t.Setenv("QQAUTH_TEST_SECRET_KEY", key)
	for secret, want := range map[string]string{
		strings.Repeat("y", minClientSecret): "client game: gamesparks: secret: it is the secret of client shop",
		key:                                  "client game: gamesparks: secret: it is secret_key",
		strings.ToUpper(key):                 "client game: gamesparks: secret: it is secret_key",
		strings.Repeat("z", minClientSecret): "",
	} {
		for _, loopback := range []bool{false, true} {
			c := gamesConfig(t, "device", strings.Repeat("x", minClientSecret), "device", secret)
			c.SecretKey = []string{"{env.QQAUTH_TEST_SECRET_KEY}"}
			if loopback {
				c.PublicURL = "http://localhost:8080"
			}
			_, err := c.resolveSecrets()
			if refused := want != "" && !loopback; refused != (err != nil) || refused && !strings.Contains(err.Error(), want) {
				t.Errorf("on loopback %t: %v; want %q", loopback, err, want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells the secret: %v", err)
			}
		}
	}
}
