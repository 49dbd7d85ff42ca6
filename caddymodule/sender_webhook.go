package caddymodule

import (
	"fmt"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/delivery"
	"github.com/qqauth/qqauth/authcore/opaque"
)

func init() {
	caddy.RegisterModule(WebhookSender{})
}

// WebhookSender posts messages to a server of your own, which sends them on.
type WebhookSender struct {
	// URL is that server's, without user, query and fragment. Required.
	URL string `json:"url,omitempty"`

	// Secret signs what is posted, in the header `X-Qqauth-Signature`. Required;
	// a placeholder.
	Secret string `json:"secret,omitempty"`

	secret opaque.Secret
	opened *delivery.Webhook
}

// CaddyModule returns the Caddy module information.
func (WebhookSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "qqauth.senders.webhook", New: func() caddy.Module { return new(WebhookSender) }}
}

// Provision reads the secret. It connects to nothing.
func (s *WebhookSender) Provision(caddy.Context) (err error) {
	if s.URL == "" {
		return missing("url", "webhook <url> { secret <secret> }")
	}
	if err := checkBase(s.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if s.Secret == "" {
		return missing("secret", "secret {env.NAME} or {file.PATH}")
	}
	s.secret, err = provisionSecret(s.Secret, "secret")
	return err
}

// Ways are both.
func (*WebhookSender) Ways() []authcore.Way {
	return []authcore.Way{authcore.WayPhone, authcore.WayEmail}
}

// Open makes the sender.
func (s *WebhookSender) Open(*Config) (authcore.Sender, error) {
	var err error
	if s.opened, err = delivery.NewWebhook(delivery.WebhookConfig{URL: s.URL, Secret: s.secret}); err != nil {
		return nil, err // not a typed nil
	}
	return s.opened, nil
}

// Cleanup drops idle connections; messages under way go on.
func (s *WebhookSender) Cleanup() error {
	if s.opened != nil {
		s.opened.Close()
	}
	return nil
}

// accept implements choosy.
func (s *WebhookSender) accept(c *Config) error {
	switch {
	case onLoopback(c.PublicURL):
		return nil
	case !placeholder.MatchString(s.Secret):
		return literal("webhook: secret")
	case utf8.RuneCountInString(s.secret.Reveal()) < minClientSecret:
		return fmt.Errorf("webhook: secret: under %d characters: make one with openssl rand -hex 24", minClientSecret)
	case isPlain(s.URL):
		return dangerous("webhook: plain http, over which codes would travel", "https://…")
	}
	return nil
}

func (s *WebhookSender) parse(d *caddyfile.Dispenser, owner string, args []string) error {
	s.URL = args[0]
	if err := checkBase(s.URL); err != nil {
		return wrapErr(d, owner, err)
	}
	return parseBlock(d, owner, map[string]word{
		"secret": {usage: "secret <secret>", min: 1, max: 1, set: text(&s.Secret, checkSecret)},
	})
}

var (
	_ caddy.Provisioner  = (*WebhookSender)(nil)
	_ caddy.CleanerUpper = (*WebhookSender)(nil)
	_ Sender             = (*WebhookSender)(nil)
	_ choosy             = (*WebhookSender)(nil)
	_ senderWord         = (*WebhookSender)(nil)
)
