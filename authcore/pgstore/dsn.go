package pgstore

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// connectWithin is how long all hosts but the last may take together to
	// connect where nobody names a connect_timeout: the driver would wait for
	// ever. The last one gets its turn within callLimit.
	connectWithin = 2 * time.Second
	// poolSize is pool_max_conns where nobody names one.
	poolSize = 16
)

// words are what a DSN may hold. The driver would pass any other on to the
// server, as a setting that the server then refuses, or that changes what a
// transaction of ours means.
var words = []string{
	"host", "port", "dbname", "user", "password", "passfile", "service", "servicefile",
	"connect_timeout", "target_session_attrs", "application_name", "search_path", "options",
	"sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcertmode", "sslsni", "sslnegotiation",
	"channel_binding", "require_auth", "min_protocol_version", "max_protocol_version", "pool_max_conns",
}

// Target is a database and how to connect to it. Neither fmt nor encoding/json
// finds a secret in it. The zero Target is none, and must not be used.
type Target struct {
	// A pointer, because fmt prints what it finds in an unexported field, and of
	// a pointer only the address.
	cfg *pgxpool.Config
	key string
}

// ParseDSN reads a DSN: a URL, or words with values. What it leaves out comes,
// as with every client of PostgreSQL, from the PG* variables, a service file and
// ~/.postgresql; a target is what all of these make together. pool_max_conns is
// the number of connections for writes, and again for reads; default 16.
//
// Connections are made to a server that takes writes, whether the DSN says so or
// not; a DSN that asks for another is an error. No error holds anything of the
// DSN.
func ParseDSN(dsn string) (Target, error) {
	if misplacedAt(dsn) {
		return Target{}, errors.New("parse dsn: " + hintURL)
	}
	if _, err := parseWords(dsn, words); err != nil {
		return Target{}, explain(err)
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return Target{}, explain(err)
	}
	if err := demandWrites(dsn, &cfg.ConnConfig.Config); err != nil {
		return Target{}, err
	}
	if !names(dsn, "pool_max_conns") {
		cfg.MaxConns = poolSize
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectWithin / time.Duration(max(1, hosts(&cfg.ConnConfig.Config)-1))
	}
	return Target{cfg: cfg, key: targetKey(dsn, &cfg.ConnConfig.Config)}, nil
}

// hosts is how many servers there are to try.
func hosts(cfg *pgconn.Config) int {
	tried := map[string]bool{fmt.Sprint(cfg.Host, " ", cfg.Port): true}
	for _, f := range cfg.Fallbacks {
		tried[fmt.Sprint(f.Host, " ", f.Port)] = true
	}
	return len(tried)
}

func parseWords(dsn string, allowed []string) (*pgconn.Config, error) {
	return pgconn.ParseConfigWithOptions(dsn, pgconn.ParseConfigOptions{ConnStringAllowedKeys: allowed})
}

// demandWrites sees to it that no connection ends at a standby: what a store
// reads there may be revoked already.
func demandWrites(dsn string, cfg *pgconn.Config) error {
	switch {
	case cfg.ValidateConnect == nil && !names(dsn, "target_session_attrs"):
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		return nil
	case same(cfg.ValidateConnect, pgconn.ValidateConnectTargetSessionAttrsReadWrite),
		same(cfg.ValidateConnect, pgconn.ValidateConnectTargetSessionAttrsPrimary):
		return nil
	}
	return errors.New("parse dsn: target_session_attrs: the store writes: write read-write or primary, or leave it out")
}

// names reports whether a DSN that holds none but known words holds this one.
func names(dsn, word string) bool {
	others := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == word })
	_, err := parseWords(dsn, others)
	return err != nil
}

// same compares functions, which is all that the driver leaves of the word.
func same(a, b pgconn.ValidateConnectFunc) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

const hintURL = "it is no URL that PostgreSQL understands: write % @ / and : in a user name or password as %25 %40 %2F and %3A"

// misplacedAt finds an "@" behind the one that ends user name and password, or
// without any. It is the rest of a password whose first half is about to be
// taken for a host name: to be looked up, and told to whoever runs the resolver.
func misplacedAt(dsn string) bool {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return false
	}
	_, rest, _ := strings.Cut(dsn, "://")
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		rest = rest[i+1:]
	}
	rest, _, _ = strings.Cut(rest, "?")
	return strings.Contains(rest, "@")
}

// reasons are what the driver says of a DSN, and what we say instead: its own
// errors quote the DSN and hide of the passwords in it what they recognize.
var reasons = []struct{ said, reason string }{
	{`connection string key "pool_`, "of the words that begin with pool_, only pool_max_conns is understood"},
	{"is not in ConnStringAllowedKeys", "it holds an unknown word: write none but " + strings.Join(words, ", ")},
	{"failed to parse as URL", hintURL},
	{"failed to parse as keyword/value", "write postgres://user:password@host:port/database?word=value, or word=value word=value, with values that hold spaces in single quotes"},
	{"failed to read service", "service: it is not in the service file, or that cannot be read"},
	{"connect_timeout", "connect_timeout: write whole seconds"},
	{"could not match", "port: write one for all hosts, or one for each"},
	{"invalid port", "port: write a number up to 65535, and in a URL : in a user name or password as %3A"},
	{"sslmode is invalid", "sslmode: write one of verify-full, verify-ca, require, prefer, allow, disable"},
	{"invalid sslcertmode", "sslcertmode: write one of allow, disable, require"},
	{" CA ", "sslrootcert: the file cannot be read, or holds no certificate"},
	{"failed to configure TLS", "sslcert, sslkey, sslpassword: certificate and key cannot be read, or do not belong together"},
	{"target_session_attrs", "target_session_attrs: write read-write or primary, or leave it out"},
	{"protocol_version", "min_protocol_version, max_protocol_version: write 3.0 or 3.2"},
	{"channel_binding", "channel_binding: write one of prefer, require, disable"},
	{"invalid require_auth", "require_auth: write authentication methods such as scram-sha-256"},
	{"pool_max_conns", "pool_max_conns: write a whole number above 0"},
}

// explain says why the driver refuses a DSN, in words that are ours alone.
func explain(err error) error {
	said := err.Error()
	said = said[strings.LastIndexByte(said, '`')+1:] // what comes before quotes the DSN
	for _, r := range reasons {
		if strings.Contains(said, r.said) {
			return errors.New("parse dsn: " + r.reason)
		}
	}
	return errors.New("parse dsn: PostgreSQL's driver does not take it")
}

// Unverified lists the hosts that a connection may go to without their
// certificate being checked for their name, but for sockets and the loopback:
// localhost, 127.0.0.0/8, ::1. A host may have been part of a secret.
func (t Target) Unverified() []string {
	var hosts []string
	judge := func(host string, port uint16, c *tls.Config) {
		network, _ := pgconn.NetworkAddress(host, port)
		verified := c != nil && !c.InsecureSkipVerify // also what verify-ca sets
		if network != "unix" && !isLoopback(host) && !verified && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	c := t.cfg.ConnConfig
	judge(c.Host, c.Port, c.TLSConfig)
	for _, f := range c.Fallbacks {
		judge(f.Host, f.Port, f.TLSConfig)
	}
	return hosts
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.Is4() && addr.IsLoopback() || addr == netip.IPv6Loopback())
}

// Key is the same for two targets of this process if they come from one DSN and
// lead to one password and client certificate, and tells nothing of these.
func (t Target) Key() string { return t.key }

// keyedBy makes a key useless to whoever would try passwords on it.
var keyedBy = func() []byte {
	key := make([]byte, sha256.Size)
	rand.Read(key)
	return key
}()

func targetKey(dsn string, cfg *pgconn.Config) string {
	mac := hmac.New(sha256.New, keyedBy)
	// Lengths, or one's end could be another's beginning.
	fmt.Fprintf(mac, "%d:%s %d:%s", len(dsn), dsn, len(cfg.Password), cfg.Password)
	for _, c := range certificates(cfg) {
		fmt.Fprintf(mac, " %d:%s", len(c), c)
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// certificates are what cfg shows of this side to a server, which is the same
// for every host but for those that are given no TLS.
func certificates(cfg *pgconn.Config) [][]byte {
	all := []*tls.Config{cfg.TLSConfig}
	for _, f := range cfg.Fallbacks {
		all = append(all, f.TLSConfig)
	}
	for _, c := range all {
		if c != nil && len(c.Certificates) > 0 {
			return c.Certificates[0].Certificate
		}
	}
	return nil
}

// poolConfig returns a configuration of its own for each caller.
func (t Target) poolConfig() *pgxpool.Config { return t.cfg.Copy() }
