package caddymodule

import (
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/authcore/token"
)

// minClientSecret is the length below which a client's secret can be guessed.
const minClientSecret = 24

// secrets is what a Config's placeholders lead to. It is kept apart from the
// Config, whose exported fields Caddy shows to whoever asks for them.
type secrets struct {
	// keys is secret_key, the current one first. None means that the operator
	// leaves it to us.
	keys    []token.KEK
	apps    map[authcore.AppID]opaque.Secret
	clients map[authcore.ClientID][]opaque.Secret // the current one first
	games   map[authcore.ClientID]opaque.Secret   // of the GameSparks API
}

// resolveSecrets reads the secrets of a configuration that has passed check. It
// reads files and the environment, and fails for what it finds nothing in.
func (c *Config) resolveSecrets() (secrets, error) {
	found := secrets{
		apps:    map[authcore.AppID]opaque.Secret{},
		clients: map[authcore.ClientID][]opaque.Secret{},
	}
	for _, value := range c.SecretKey {
		secret, err := resolveSecret(value, "secret_key")
		if err != nil {
			return secrets{}, err
		}
		key, err := token.ParseKEK(secret.Reveal())
		if err != nil {
			return secrets{}, err
		}
		found.keys = append(found.keys, key)
	}
	for _, q := range c.QQ {
		if q.AppKey == "" {
			continue
		}
		secret, err := resolveSecret(q.AppKey, fmt.Sprintf("qq %s: app_key", q.AppID))
		if err != nil {
			return secrets{}, err
		}
		found.apps[q.AppID] = secret
	}
	for i := range c.Clients {
		list, err := c.Clients[i].resolve(onLoopback(c.PublicURL))
		if err != nil {
			return secrets{}, err
		}
		found.clients[c.Clients[i].ID] = list
	}
	var err error
	if found.games, err = c.resolveGames(); err != nil {
		return secrets{}, err
	}
	if onLoopback(c.PublicURL) {
		return found, nil
	}
	return found, found.checkGames()
}

func (c *Client) resolve(loopback bool) ([]opaque.Secret, error) {
	var list []opaque.Secret
	for _, value := range c.Secret {
		secret, err := resolveLong(value, fmt.Sprintf("client %s: secret", c.ID), loopback)
		if err != nil {
			return nil, err
		}
		list = append(list, secret)
	}
	return list, nil
}

// resolveLong resolves a secret that nobody may guess.
func resolveLong(value, name string, loopback bool) (opaque.Secret, error) {
	secret, err := resolveSecret(value, name)
	if err != nil {
		return opaque.Secret{}, err
	}
	if !loopback && utf8.RuneCountInString(secret.Reveal()) < minClientSecret {
		return opaque.Secret{}, fmt.Errorf("%s: under %d characters: make one with openssl rand -hex 24", name, minClientSecret)
	}
	return secret, nil
}

var (
	placeholderWithin = regexp.MustCompile(`\{(?:env|file)\.[^{}]+\}`)
	placeholder       = regexp.MustCompile("^" + placeholderWithin.String() + "$")
)

// resolveSecret returns what a placeholder leads to, or a literal as it is;
// where a literal is dangerous, check has refused it before. Only the
// placeholder may appear in the error.
func resolveSecret(value, name string) (opaque.Secret, error) {
	if !placeholder.MatchString(value) {
		return opaque.Of(value), nil
	}
	// One look-up, no expansion: what is found may itself contain braces.
	secret, _ := caddy.NewReplacer().GetString(value[1 : len(value)-1])
	secret = strings.TrimRight(secret, "\r\n")
	if secret == "" {
		return opaque.Secret{}, fmt.Errorf("%s: %s holds nothing: set the variable, or make the file readable to Caddy", name, value)
	}
	return opaque.Of(secret), nil
}

// placeholders are the places of a configuration that hold a secret's
// placeholder, under the names that errors use.
func (c *Config) placeholders() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, value := range c.SecretKey {
			if !yield("secret_key", value) {
				return
			}
		}
		for _, q := range c.QQ {
			if q.AppKey != "" && !yield(fmt.Sprintf("qq %s: app_key", q.AppID), q.AppKey) {
				return
			}
		}
		for _, client := range c.Clients {
			for _, value := range client.Secret {
				if !yield(fmt.Sprintf("client %s: secret", client.ID), value) {
					return
				}
			}
			if client.GameSparks != nil && !yield(gamesName(client.ID), client.GameSparks.Secret) {
				return
			}
		}
	}
}

// checkPlaceholders finds secrets that can be neither a placeholder nor a
// literal, and those that are too many.
func (c *Config) checkPlaceholders() error {
	for name, value := range c.placeholders() {
		if err := checkSecret(value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(c.SecretKey) > 2 {
		return errors.New("secret_key: write the current one and at most one previous one")
	}
	for _, client := range c.Clients {
		if len(client.Secret) > 2 {
			return fmt.Errorf("client %s: secret: write the current one and at most one previous one", client.ID)
		}
	}
	return nil
}

func checkSecret(value string) error {
	if value == "" || strings.ContainsAny(value, "{}") && !placeholder.MatchString(value) {
		return errors.New("write one placeholder, {env.NAME} or {file.PATH}")
	}
	return nil
}
