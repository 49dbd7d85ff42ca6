package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/delivery"
)

func init() {
	caddy.RegisterModule(FileSender{})
}

// FileSender appends messages to a file of mode 0600, one JSON object a line. It
// is for development: who reads the file can log in as anybody.
type FileSender struct {
	// Path is where. Required. The file is made when there is a message.
	Path string `json:"path,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (FileSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "qqauth.senders.file", New: func() caddy.Module { return new(FileSender) }}
}

// Provision finds what is missing.
func (s *FileSender) Provision(caddy.Context) error {
	if s.Path == "" {
		return missing("path", "file <path>")
	}
	return nil
}

// Ways are both.
func (*FileSender) Ways() []authcore.Way { return []authcore.Way{authcore.WayPhone, authcore.WayEmail} }

// Open makes the sender, and touches no file.
func (s *FileSender) Open(*Config) (authcore.Sender, error) {
	sender, err := delivery.NewFile(s.Path)
	if err != nil {
		return nil, err // not a typed nil
	}
	return sender, nil
}

// accept implements choosy.
func (s *FileSender) accept(c *Config) error {
	if onLoopback(c.PublicURL) {
		return nil
	}
	return dangerous("file: it shows every code to whoever reads the file", "a sender that delivers, such as webhook <url> { secret <secret> }")
}

func (s *FileSender) parse(_ *caddyfile.Dispenser, _ string, args []string) error {
	s.Path = args[0]
	return nil
}

var (
	_ caddy.Provisioner = (*FileSender)(nil)
	_ Sender            = (*FileSender)(nil)
	_ choosy            = (*FileSender)(nil)
	_ senderWord        = (*FileSender)(nil)
)
