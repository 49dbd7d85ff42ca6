package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

// Sender is a module in the namespace `qqauth.senders`: it delivers codes.
type Sender interface {
	// Ways are those by which it can deliver.
	Ways() []authcore.Way
	// Open makes what delivers, under a configuration that has passed check. It
	// connects to nothing. It is called once, after provisioning.
	Open(c *Config) (authcore.Sender, error)
}

// loadSenders readies the sender modules.
func (a *App) loadSenders() error {
	a.senders = map[authcore.Way]authcore.Sender{}
	for _, word := range []struct {
		name, field string
		way         authcore.Way
	}{
		{"sms", "SMSRaw", authcore.WayPhone},
		{"email", "EmailRaw", authcore.WayEmail},
	} {
		if !a.sends(word.way) {
			continue
		}
		module, err := a.ctx.LoadModule(a, word.field)
		if err != nil {
			return fmt.Errorf("%s: %w", word.name, err)
		}
		if a.senders[word.way], err = a.openSender(module, word.way); err != nil {
			return fmt.Errorf("%s: %w", word.name, err)
		}
	}
	return nil
}

func (a *App) openSender(module any, way authcore.Way) (authcore.Sender, error) {
	sender, ok := module.(Sender)
	if !ok {
		return nil, errors.New("the module is no sender")
	}
	if !slices.Contains(sender.Ways(), way) {
		return nil, errors.New("this sender cannot deliver there: write another one")
	}
	if sender, ok := module.(choosy); ok {
		if err := sender.accept(&a.Config); err != nil {
			return nil, err
		}
	}
	return sender.Open(&a.Config)
}

// senderWord is a sender that the Caddyfile knows.
type senderWord interface {
	// parse reads the arguments after the sender's name, which are as many as
	// the usage says, and the block after them. owner is for errors.
	parse(d *caddyfile.Dispenser, owner string, args []string) error
}

// senders are those that the Caddyfile knows, and how what follows their name
// is written.
var senders = map[string]struct {
	usage string
	args  int
	make  func() senderWord
}{
	"file":    {"<path>", 1, func() senderWord { return new(FileSender) }},
	"smtp":    {"<host:port> { … }", 1, func() senderWord { return new(SMTPSender) }},
	"tencent": {"{ … }", 0, func() senderWord { return new(TencentSender) }},
	"webhook": {"<url> { secret <secret> }", 1, func() senderWord { return new(WebhookSender) }},
}

var (
	smsSenders   = []string{"webhook", "tencent", "file"}
	emailSenders = []string{"smtp", "webhook", "file"}
)

// senderUsage says how a word that names one of some senders is written.
func senderUsage(word string, names []string) string {
	usages := make([]string, len(names))
	for i, name := range names {
		usages[i] = word + " " + name + " " + senders[name].usage
	}
	return strings.Join(usages, " or ")
}

func (c *Config) openSMS(d *caddyfile.Dispenser, args []string) (err error) {
	c.SMSRaw, err = openSender(d, "sms", smsSenders, args)
	return err
}

func (c *Config) openEmail(d *caddyfile.Dispenser, args []string) (err error) {
	c.EmailRaw, err = openSender(d, "email", emailSenders, args)
	return err
}

func openSender(d *caddyfile.Dispenser, word string, names, args []string) ([]byte, error) {
	name := args[0]
	if err := oneOf(names...)(name); err != nil {
		return nil, wrapErr(d, word, err)
	}
	kind := senders[name]
	if len(args) != 1+kind.args {
		return nil, d.Errf("%s %s: wrong number of arguments: write %[1]s %[2]s %[3]s", word, name, kind.usage)
	}
	sender := kind.make()
	if err := sender.parse(d, word+" "+name, args[1:]); err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(sender, "sender", name, nil), nil
}

// literal says of a secret that it is one, which is dangerous.
func literal(name string) error {
	return dangerous(name+": a literal secret, which ends up in caddy adapt, /config/ and autosave.json ({$NAME} becomes one)",
		"{env.NAME} or {file.PATH}")
}

// missing says what a module needs and how it is written.
func missing(name, usage string) error {
	return fmt.Errorf("%s is missing: write %s", name, usage)
}

// provisionSecret reads a secret of a module's.
func provisionSecret(value, name string) (opaque.Secret, error) {
	if err := checkSecret(value); err != nil {
		return opaque.Secret{}, fmt.Errorf("%s: %w", name, err)
	}
	return resolveSecret(value, name)
}
