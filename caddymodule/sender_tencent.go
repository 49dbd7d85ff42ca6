package caddymodule

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/delivery"
	"github.com/qqauth/qqauth/authcore/opaque"
)

func init() {
	caddy.RegisterModule(TencentSender{})
}

// TencentSender sends messages by Tencent Cloud SMS.
type TencentSender struct {
	// SecretID and SecretKey are an API key that may call SendSms. Required;
	// placeholders.
	SecretID  string `json:"secret_id,omitempty"`
	SecretKey string `json:"secret_key,omitempty"`

	// App is the SdkAppId. Required.
	App string `json:"app,omitempty"`

	// Sign is the text of the approved signature. Required.
	Sign string `json:"sign,omitempty"`

	// Template is the id of the approved template for every type of message that
	// Templates, by type such as `REGISTER_SMS`, does not name. A template has two
	// parameters: the code, and how many minutes it is good.
	Template  string            `json:"template,omitempty"`
	Templates map[string]string `json:"templates,omitempty"`

	// Region defaults to `ap-guangzhou`.
	Region string `json:"region,omitempty"`

	// Endpoint is the URL of the API, without a path. Default:
	// `https://sms.tencentcloudapi.com`.
	Endpoint string `json:"endpoint,omitempty"`

	id, key opaque.Secret
	opened  *delivery.Tencent
}

// CaddyModule returns the Caddy module information.
func (TencentSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "qqauth.senders.tencent", New: func() caddy.Module { return new(TencentSender) }}
}

// Provision reads the API key. It connects to nothing.
func (s *TencentSender) Provision(caddy.Context) (err error) {
	for _, required := range []struct{ name, value, usage string }{
		{"secret_id", s.SecretID, "secret_id {env.NAME} or {file.PATH}"},
		{"secret_key", s.SecretKey, "secret_key {env.NAME} or {file.PATH}"},
		{"app", s.App, "app <sdk_app_id>"},
		{"sign", s.Sign, "sign <name>"},
	} {
		if required.value == "" {
			return missing(required.name, required.usage)
		}
	}
	for _, kind := range delivery.SMSTypes() {
		if s.Template == "" && s.Templates[kind] == "" {
			return missing("template for "+kind, "template <id>, or template "+kind+" <id>")
		}
	}
	if s.Endpoint != "" {
		if err := checkOrigin(s.Endpoint); err != nil {
			return fmt.Errorf("endpoint: %w", err)
		}
	}
	if s.id, err = provisionSecret(s.SecretID, "secret_id"); err != nil {
		return err
	}
	s.key, err = provisionSecret(s.SecretKey, "secret_key")
	return err
}

// Ways is SMS alone.
func (*TencentSender) Ways() []authcore.Way { return []authcore.Way{authcore.WayPhone} }

// Open makes the sender.
func (s *TencentSender) Open(*Config) (authcore.Sender, error) {
	var err error
	s.opened, err = delivery.NewTencent(delivery.TencentConfig{
		SecretID: s.id, SecretKey: s.key, App: s.App, Sign: s.Sign, Region: s.Region, Endpoint: s.Endpoint,
		Template: s.Template, Templates: s.Templates,
	})
	if err != nil {
		return nil, err // not a typed nil
	}
	return s.opened, nil
}

// Cleanup drops idle connections; messages under way go on.
func (s *TencentSender) Cleanup() error {
	if s.opened != nil {
		s.opened.Close()
	}
	return nil
}

// accept implements choosy.
func (s *TencentSender) accept(c *Config) error {
	switch {
	case onLoopback(c.PublicURL):
		return nil
	case !placeholder.MatchString(s.SecretID):
		return literal("tencent: secret_id")
	case !placeholder.MatchString(s.SecretKey):
		return literal("tencent: secret_key")
	case isPlain(s.Endpoint):
		return dangerous("tencent: endpoint: plain http, over which codes would travel", "https://…, or leave it out")
	}
	return nil
}

func (s *TencentSender) parse(d *caddyfile.Dispenser, owner string, _ []string) error {
	return parseBlock(d, owner, map[string]word{
		"secret_id":  {usage: "secret_id <secret>", min: 1, max: 1, set: text(&s.SecretID, checkSecret)},
		"secret_key": {usage: "secret_key <secret>", min: 1, max: 1, set: text(&s.SecretKey, checkSecret)},
		"app":        {usage: "app <sdk_app_id>", min: 1, max: 1, set: text(&s.App, checkName)},
		"sign":       {usage: "sign <name>", min: 1, max: 1, set: text(&s.Sign, checkName)},
		"template":   {usage: "template <id> or template <TYPE> <id>", min: 1, max: 2, many: true, set: s.setTemplate},
		"region":     {usage: "region <region>", min: 1, max: 1, set: text(&s.Region, checkName)},
		"endpoint":   {usage: "endpoint <url>", min: 1, max: 1, set: text(&s.Endpoint, checkOrigin)},
	})
}

func (s *TencentSender) setTemplate(args []string) error {
	if len(args) == 1 {
		if s.Template != "" {
			return errors.New("one for all stands twice: write template <TYPE> <id> for the others")
		}
		s.Template = args[0]
		return nil
	}
	if err := oneOf(delivery.SMSTypes()...)(args[0]); err != nil {
		return err
	}
	if s.Templates[args[0]] != "" {
		return fmt.Errorf("%s stands twice: write it once", args[0])
	}
	if s.Templates == nil {
		s.Templates = map[string]string{}
	}
	s.Templates[args[0]] = args[1]
	return nil
}

var (
	_ caddy.Provisioner  = (*TencentSender)(nil)
	_ caddy.CleanerUpper = (*TencentSender)(nil)
	_ Sender             = (*TencentSender)(nil)
	_ choosy             = (*TencentSender)(nil)
	_ senderWord         = (*TencentSender)(nil)
)
