package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/pgstore"
)

func init() {
	caddy.RegisterModule(PostgresStore{})
}

// PostgresStore keeps the account base in a PostgreSQL database, for any number
// of nodes. Each of them needs the same `secret_key`.
type PostgresStore struct {
	// DSN is where: a URL, `postgres://user:password@host:port/database?word=value`,
	// or `word=value word=value`. Required. It may be a placeholder,
	// `{env.NAME}` or `{file.PATH}`, begin with one, or hold some in the place
	// of values; these are taken as they are, so that the password in a URL need
	// not be percent-encoded. `pool_max_conns` is the number of connections for
	// writes, and again for reads.
	DSN string `json:"dsn,omitempty"`

	target pgstore.Target
}

// CaddyModule returns the Caddy module information.
func (PostgresStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "qqauth.stores.postgres", New: func() caddy.Module { return new(PostgresStore) }}
}

// Provision reads the DSN and what it leads to. It connects to nothing.
func (s *PostgresStore) Provision(caddy.Context) error {
	if err := checkDSN(s.DSN); err != nil {
		return fmt.Errorf("dsn: %w", err)
	}
	dsn, err := resolveDSN(s.DSN)
	if err != nil {
		return err
	}
	if s.target, err = pgstore.ParseDSN(dsn); err != nil {
		if used := placeholderWithin.FindAllString(s.DSN, -1); used != nil {
			return fmt.Errorf("%s: %w", strings.Join(used, ", "), err)
		}
		return err
	}
	return nil
}

// Key tells DSNs apart, and nothing about them.
func (s *PostgresStore) Key() string { return "postgres:" + s.target.Key() }

// Open connects to the database, and makes its tables if there are none.
func (s *PostgresStore) Open(ctx context.Context, vault authcore.Vault, log *zap.Logger) (authcore.Store, error) {
	store, err := pgstore.Open(ctx, pgstore.Config{Target: s.target, Vault: vault, Logger: log})
	if err != nil {
		return nil, err // not a typed nil
	}
	return store, nil
}

// accept implements choosy.
func (s *PostgresStore) accept(c *Config) error {
	// One that we made would be this node's alone.
	if len(c.SecretKey) == 0 {
		return errors.New("secret_key is missing: store postgres needs one, the same on every node: make it with openssl rand -hex 32 and write secret_key {env.NAME} or {file.PATH}")
	}
	if onLoopback(c.PublicURL) {
		return nil
	}
	if hasLiteralPassword(s.DSN) {
		return dangerous("store postgres: a literal password, which ends up in caddy adapt, /config/ and autosave.json ({$NAME} becomes one)",
			"{env.NAME} or {file.PATH} in its place")
	}
	if hosts := s.target.Unverified(); len(hosts) > 0 {
		return dangerous(fmt.Sprintf("store postgres: a connection to %s, which is neither the loopback nor a socket, without sslmode=verify-full", s.naming(hosts)),
			"sslmode=verify-full into the DSN, and sslrootcert=<file> if the certificate is of a CA of your own")
	}
	return nil
}

// naming names of hosts what the configuration names, and not what a placeholder
// led to.
func (s *PostgresStore) naming(hosts []string) string {
	written := placeholderWithin.ReplaceAllString(s.DSN, "\n")
	hosts = slices.DeleteFunc(hosts, func(host string) bool { return !strings.Contains(written, host) })
	if len(hosts) == 0 {
		return "a host"
	}
	return strings.Join(hosts, ", ")
}

// checkDSN finds a DSN that cannot be meant as it is written.
func checkDSN(written string) error {
	if written == "" {
		return errors.New("it is missing: write store postgres <dsn>")
	}
	if strings.ContainsAny(placeholderWithin.ReplaceAllString(written, ""), "{}") {
		return errors.New("write its placeholders as {env.NAME} or {file.PATH}")
	}
	return nil
}

// resolveDSN puts what placeholders lead to in their place. The one at the
// beginning is DSN text. Any other is one value: what it holds must not end that
// value and begin another, be it by chance or by the will of who chose it.
func resolveDSN(written string) (string, error) {
	var dsn strings.Builder
	end := 0
	for _, at := range placeholderWithin.FindAllStringIndex(written, -1) {
		secret, err := resolveSecret(written[at[0]:at[1]], "dsn")
		if err != nil {
			return "", err
		}
		dsn.WriteString(written[end:at[0]])
		value := secret.Reveal()
		switch {
		case at[0] == 0:
		case isPostgresURL(dsn.String()):
			value = escapeURL(value)
		default:
			value = escapeWord.ReplaceAllString(value, `\$0`)
		}
		dsn.WriteString(value)
		end = at[1]
	}
	dsn.WriteString(written[end:])
	return dsn.String(), nil
}

func isPostgresURL(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// escapeURL percent-encodes everything but what a list of hosts and ports is
// made of, which no other value is ended by.
func escapeURL(value string) string {
	const kept = "-._~:,[]0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var out strings.Builder
	for _, b := range []byte(value) {
		if strings.IndexByte(kept, b) >= 0 {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

// escapeWord finds what needs a backslash in a value, in quotes or without.
var escapeWord = regexp.MustCompile(`[\\'\s\v]`)

// hasLiteralPassword reports whether a password in a DSN, as it is written, is
// anything but placeholders. None at all is none: there are certificates, peer
// authentication and passfiles.
func hasLiteralPassword(written string) bool {
	text := placeholderWithin.ReplaceAllString(written, secretMark)
	if !isPostgresURL(text) {
		for _, word := range passwordWord.FindAllStringSubmatch(text, -1) {
			if isLiteral(strings.Trim(word[1], "'")) {
				return true
			}
		}
		if !strings.HasPrefix(text, secretMark) {
			return false
		}
		// It may yet be a URL that begins with a placeholder.
	}
	return hasPasswordInURL(text)
}

// secretMark stands for a placeholder, which may hold "/", "@" and spaces. No
// DSN may hold it.
const secretMark = "\x00"

func isLiteral(value string) bool { return strings.Trim(value, secretMark) != "" }

// passwordWord finds passwords among words with values.
var passwordWord = regexp.MustCompile(`(?s)\b(?:ssl)?password[\s\v]*=[\s\v]*('(?:\\.|[^'\\])*'?|(?:\\.|[^\s\v\\])*)`)

func hasPasswordInURL(text string) bool {
	rest := text
	if isPostgresURL(text) {
		_, rest, _ = strings.Cut(text, "://")
	}
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		_, password, _ := strings.Cut(rest[:i], ":")
		if isLiteral(password) {
			return true
		}
		rest = rest[i+1:]
	}
	_, query, _ := strings.Cut(rest, "?")
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.PathUnescape(key); err == nil {
			key = decoded
		}
		if key = strings.Trim(key, " "); (key == "password" || key == "sslpassword") && isLiteral(value) {
			return true
		}
	}
	return false
}

var (
	_ caddy.Provisioner = (*PostgresStore)(nil)
	_ Store             = (*PostgresStore)(nil)
	_ choosy            = (*PostgresStore)(nil)
)
