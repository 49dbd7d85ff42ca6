package caddymodule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/authcore/token"
)

// GameSparks opens the GameSparks API to a client. Its three words stand in the
// URLs that the game calls: `/rs/{credential}/{secret}/…` and
// `/ws/{credential}/{api_key}`.
type GameSparks struct {
	// APIKey names the game where it opens a WebSocket: 1 to 64 of letters,
	// digits, `.`, `_` and `-`. Required.
	APIKey string `json:"api_key,omitempty"`

	// Credential is what GameSparks called the kind of access, such as `device`:
	// 1 to 64 of letters, digits, `.`, `_` and `-`. No two clients have the same
	// one together with the same APIKey or Secret. Required.
	Credential string `json:"credential,omitempty"`

	// Secret is a placeholder for what the game signs in with, at least 24
	// characters long. It holds nothing that a URL's path would need to escape.
	// Required.
	Secret string `json:"secret,omitempty"`
}

func (g *GameSparks) check() error {
	if err := checkPathWord(g.APIKey); err != nil {
		return fmt.Errorf("api_key: %w", err)
	}
	if err := checkPathWord(g.Credential); err != nil {
		return fmt.Errorf("credential: %w", err)
	}
	return nil
}

var pathWord = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// checkPathWord takes what every client and proxy leaves as it is in a path. Its
// errors do not repeat the word: with two arguments swapped, it is the secret.
func checkPathWord(word string) error {
	if !pathWord.MatchString(word) || isDots(word) {
		return errors.New("write 1 to 64 of letters, digits, '.', '_' and '-', and not dots alone")
	}
	return nil
}

// isDots reports whether a path's segment is one that is resolved away.
func isDots(segment string) bool { return segment == "." || segment == ".." }

// checkGames finds clients that one WebSocket's path would name both.
func (c *Config) checkGames() error {
	type path struct{ credential, apiKey string }
	taken := map[path]authcore.ClientID{}
	for _, client := range c.Clients {
		if client.GameSparks == nil {
			continue
		}
		if err := client.GameSparks.check(); err != nil {
			return fmt.Errorf("client %s: gamesparks: %w", client.ID, err)
		}
		at := path{client.GameSparks.Credential, client.GameSparks.APIKey}
		if other, ok := taken[at]; ok {
			return fmt.Errorf("client %s: gamesparks: client %s has the same api_key and credential: write another api_key", client.ID, other)
		}
		taken[at] = client.ID
	}
	return nil
}

// resolveGames reads the secrets of the GameSparks API, and finds clients that
// one request's path would name both.
func (c *Config) resolveGames() (map[authcore.ClientID]opaque.Secret, error) {
	type path struct{ credential, secret string }
	found, taken := map[authcore.ClientID]opaque.Secret{}, map[path]authcore.ClientID{}
	for _, client := range c.Clients {
		if client.GameSparks == nil {
			continue
		}
		name := gamesName(client.ID)
		secret, err := resolveLong(client.GameSparks.Secret, name, onLoopback(c.PublicURL))
		if err != nil {
			return nil, err
		}
		if err := checkInPath(secret); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if value := secret.Reveal(); value == client.GameSparks.APIKey || value == client.GameSparks.Credential {
			// Those two are shown in /config/, and the credential in access logs.
			return nil, fmt.Errorf("%s: it is the api_key or the credential, too: make another with openssl rand -hex 24", name)
		}
		at := path{client.GameSparks.Credential, secret.Reveal()}
		if other, ok := taken[at]; ok {
			return nil, fmt.Errorf("%s: client %s has the same one and the same credential: make another with openssl rand -hex 24", name, other)
		}
		taken[at], found[client.ID] = client.ID, secret
	}
	return found, nil
}

// checkGames finds a secret of games that is something else, too: every copy of a
// game holds it.
func (s *secrets) checkGames() error {
	for id, secret := range s.games {
		another := func(what string) error {
			return fmt.Errorf("%s: it is %s, too, and every game shows it: make another with openssl rand -hex 24", gamesName(id), what)
		}
		for client, list := range s.clients {
			if slices.ContainsFunc(list, secret.Equal) {
				return another(fmt.Sprintf("the secret of client %s", client))
			}
		}
		for app, key := range s.apps {
			if key.Equal(secret) {
				return another(fmt.Sprintf("the app_key of qq %s", app))
			}
		}
		if kek, err := token.ParseKEK(secret.Reveal()); err == nil && slices.ContainsFunc(s.keys, func(k token.KEK) bool { return k.Equal(kek.Secret) }) {
			return another("secret_key")
		}
	}
	return nil
}

// gamesName is what errors call the secret of a client's games.
func gamesName(id authcore.ClientID) string { return fmt.Sprintf("client %s: gamesparks: secret", id) }

// checkInPath refuses a secret that is not one segment of a path as it stands: a
// game that does not escape it would send another path, and a part of it to
// where the rest of a path or a query goes.
func checkInPath(secret opaque.Secret) error {
	value := secret.Reveal()
	odd := func(c rune) bool { return c <= ' ' || c >= utf8.RuneSelf || c == 0x7f }
	if strings.ContainsAny(value, `/\?#%`) || strings.ContainsFunc(value, odd) || isDots(value) {
		return errors.New(`it stands in the path of URLs, where / \ ? # %, spaces, control characters and what is not ASCII do not belong: make one with openssl rand -hex 24`)
	}
	return nil
}
