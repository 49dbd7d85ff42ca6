package pgstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// bareEnv takes away what the machine would add to a DSN.
func bareEnv(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "PG") {
			t.Setenv(name, value) // to have it back
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
}

func mustParse(t *testing.T, dsn string) Target {
	t.Helper()
	target, err := ParseDSN(dsn)
	if err != nil {
		t.Fatalf("%s: %v", dsn, err)
	}
	return target
}

// certificate writes a self-signed certificate and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("crt", "CERTIFICATE", der), write("key", "PRIVATE KEY", pkcs8)
}

func TestUnverified(t *testing.T) {
	bareEnv(t)
	ca, _ := certificate(t)
	const remote = "postgres://u@db.example.com/qq"
	for _, tc := range []struct {
		dsn  string
		want []string
	}{
		{remote, []string{"db.example.com"}}, // prefer is the default
		{remote + "?sslmode=disable", []string{"db.example.com"}},
		{remote + "?sslmode=allow", []string{"db.example.com"}},
		{remote + "?sslmode=prefer", []string{"db.example.com"}},
		{remote + "?sslmode=require", []string{"db.example.com"}},
		{remote + "?ssl=true", []string{"db.example.com"}},
		{remote + "?sslmode=require&sslrootcert=" + ca, []string{"db.example.com"}},
		{remote + "?sslmode=verify-ca", []string{"db.example.com"}},
		{remote + "?sslmode=verify-ca&sslrootcert=" + ca, []string{"db.example.com"}},
		{remote + "?sslmode=verify-full", nil},
		{remote + "?sslmode=verify-full&sslrootcert=" + ca, nil},
		{remote + "?sslmode=verify-full&sslsni=0", nil},
		{remote + "?sslmode=verify-full&sslnegotiation=direct", nil},
		{remote + "?sslnegotiation=direct", []string{"db.example.com"}},
		{remote + "?sslmode=verify-full&sslmode=require", []string{"db.example.com"}},
		{remote + "?sslrootcert=system", nil}, // implies verify-full
		{"host=db.example.com sslmode=verify-full", nil},
		{"host=db.example.com sslmode=require", []string{"db.example.com"}},
		{"postgres://10.1.2.3/qq?sslmode=verify-full", nil},
		{"postgres://10.1.2.3/qq?sslmode=require", []string{"10.1.2.3"}},
		{"postgres://[2001:db8::1]/qq", []string{"2001:db8::1"}},

		{"postgres://localhost/qq", nil},
		{"postgres://LocalHost/qq?sslmode=disable", nil},
		{"postgres://127.0.0.1/qq", nil},
		{"postgres://127.9.9.9/qq", nil},
		{"postgres://[::1]:5433/qq", nil},
		{"postgres://%2Fvar%2Frun%2Fpostgresql/qq", nil},
		{"host=/var/run/postgresql dbname=qq sslmode=disable", nil},
		{"postgres:///qq?host=/var/run/postgresql", nil},
		{"postgres://localhost/qq?host=db.example.com", []string{"db.example.com"}},
		{"host=localhost host=db.example.com", []string{"db.example.com"}},
		{"host=localhost.example.com", []string{"localhost.example.com"}},
		{"host=127.1", []string{"127.1"}},
		{"host=0.0.0.0", []string{"0.0.0.0"}},
		{"host=::ffff:127.0.0.1", []string{"::ffff:127.0.0.1"}},
		{"host=@abstract", []string{"@abstract"}},

		{"postgres://a.example.com,b.example.com/qq?sslmode=verify-full", nil},
		{"postgres://a.example.com,b.example.com/qq", []string{"a.example.com", "b.example.com"}},
		{"postgres://localhost,b.example.com/qq", []string{"b.example.com"}},
		{"postgres://b.example.com,[::1],%2Ftmp/qq?sslmode=verify-ca", []string{"b.example.com"}},
		{"postgres://localhost%2Cb.example.com/qq", []string{"b.example.com"}},
	} {
		if got := mustParse(t, tc.dsn).Unverified(); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", tc.dsn, got, tc.want)
		}
	}
}

// TestUnverifiedJudgesWhatIsResolved: the environment, a service file and what
// lies in the home directory decide with the DSN where connections go.
func TestUnverifiedJudgesWhatIsResolved(t *testing.T) {
	bareEnv(t)
	check := func(dsn string, want ...string) {
		t.Helper()
		if got := mustParse(t, dsn).Unverified(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", dsn, got, want)
		}
	}
	t.Setenv("PGHOST", "db.example.com")
	check("dbname=qq", "db.example.com")
	t.Setenv("PGSSLMODE", "verify-full")
	check("dbname=qq")
	check("dbname=qq sslmode=require", "db.example.com")

	services := filepath.Join(t.TempDir(), "services")
	if err := os.WriteFile(services, []byte("[id]\nhost=elsewhere.example.com\nsslmode=require\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGSERVICEFILE", services)
	check("service=id", "elsewhere.example.com")
	check("service=id sslmode=verify-full")
}

func TestTargetTakesWritesOnly(t *testing.T) {
	bareEnv(t)
	const two = "postgres://a.example.com,b.example.com/qq?"
	for dsn, want := range map[string]pgconn.ValidateConnectFunc{
		"host=localhost":                        pgconn.ValidateConnectTargetSessionAttrsReadWrite,
		two:                                     pgconn.ValidateConnectTargetSessionAttrsReadWrite,
		two + "target_session_attrs=read-write": pgconn.ValidateConnectTargetSessionAttrsReadWrite,
		two + "target_session_attrs=primary":    pgconn.ValidateConnectTargetSessionAttrsPrimary,
	} {
		if got := mustParse(t, dsn).poolConfig().ConnConfig.ValidateConnect; !same(got, want) {
			t.Errorf("%s: connections are not checked for writes", dsn)
		}
	}
	t.Setenv("PGTARGETSESSIONATTRS", "any")
	if got := mustParse(t, "host=localhost").poolConfig().ConnConfig.ValidateConnect; got == nil {
		t.Error("with PGTARGETSESSIONATTRS=any connections are not checked for writes")
	}
	t.Setenv("PGTARGETSESSIONATTRS", "standby")
	if _, err := ParseDSN("host=localhost"); err == nil || !strings.Contains(err.Error(), "target_session_attrs: the store writes") {
		t.Errorf("PGTARGETSESSIONATTRS=standby: got %v", err)
	}
	t.Setenv("PGTARGETSESSIONATTRS", "")
	for _, word := range []string{"any", "read-only", "standby", "prefer-standby"} {
		for _, dsn := range []string{two + "target_session_attrs=" + word, "host=localhost target_session_attrs='" + word + "'"} {
			if _, err := ParseDSN(dsn); err == nil || !strings.Contains(err.Error(), "target_session_attrs: the store writes") {
				t.Errorf("%s: got %v", dsn, err)
			}
		}
	}
}

func TestTargetSizesAndTimes(t *testing.T) {
	bareEnv(t)
	for dsn, want := range map[string]time.Duration{
		"host=localhost":                   connectWithin,
		"host=localhost connect_timeout=0": connectWithin,
		"host=a,b,localhost":               connectWithin / 2,
		"host=localhost connect_timeout=7": 7 * time.Second,
	} {
		if got := mustParse(t, dsn).poolConfig().ConnConfig.ConnectTimeout; got != want {
			t.Errorf("%s: got %v, want %v", dsn, got, want)
		}
	}
	cfg := mustParse(t, "postgres://localhost/qq?pool_max_conns=33&application_name=id&search_path=qq").poolConfig()
	if cfg.MaxConns != 33 {
		t.Errorf("got %d connections", cfg.MaxConns)
	}
	if p := cfg.ConnConfig.RuntimeParams; len(p) != 2 || p["application_name"] != "id" || p["search_path"] != "qq" {
		t.Errorf("the server is told %v", p)
	}
}

func TestPoolConfigIsAFreshCopy(t *testing.T) {
	bareEnv(t)
	target := mustParse(t, "postgres://localhost,127.0.0.1/qq")
	first := target.poolConfig()
	first.MaxConns = 99
	first.ConnConfig.RuntimeParams["application_name"] = "changed"
	first.ConnConfig.Fallbacks[0].Host = "changed"
	second := target.poolConfig()
	if second.MaxConns == 99 || second.ConnConfig.RuntimeParams["application_name"] != "" || second.ConnConfig.Fallbacks[0].Host == "changed" {
		t.Error("a change shows in the next copy")
	}
}

// TestParseDSNRefuses: no error holds anything of the DSN, however a password in
// it is mistaken for something else.
func TestParseDSNRefuses(t *testing.T) {
	bareEnv(t)
	const secret = "hunter2"
	for _, tc := range []struct{ dsn, want string }{
		{"mysql://u:hunter2@h/db", "write postgres://"},
		{"hunter2", "write postgres://"},
		{"host=h password='hunter2", "write postgres://"},
		{"host=h password=a hunter2=x", "an unknown word"},
		{"host=h password=a hunter2", "write postgres://"},
		{"host=h sslmod=verify-full password=hunter2", "an unknown word"},
		{"host=h hostaddr=10.0.0.1 password=hunter2", "an unknown word"},
		{"host=h synchronous_commit=hunter2", "an unknown word"},
		{"postgres://u:hunter2@h/db?SSLMODE=verify-full", "an unknown word"},
		{"postgres://u:hunter2@h/db?default_query_exec_mode=exec", "an unknown word"},
		{"postgres://u:hunter2@h/db?pool_min_conns=3", "only pool_max_conns is understood"},
		{"host=h pool_max_conn_lifetime=hunter2", "only pool_max_conns is understood"},
		{"postgres://u:hunter2@h/db?pool_max_conns=hunter2", "pool_max_conns: write a whole number"},
		{"postgres://u:hunter2@h/db?pool_max_conns=0", "pool_max_conns: write a whole number"},
		{"postgres://u:x@hunter2@h/db", "write % @ / and :"},
		{"postgres://u:1/hunter2@h/db?sslmode=verify-full", "write % @ / and :"},
		{"postgres://u:1%zzhunter2@h/db", "write % @ / and :"},
		{"postgres://u:hunter2/x", "port: write a number"},
		{"postgres://u:hunter2 y@h/db", "write % @ / and :"},
		{"postgres://h,i:1,2:3,4:hunter2/db", "port: write a number"},
		{"postgres://h:1,i:2/db?port=1,2,3&password=hunter2", "port: write one for all hosts"},
		{"postgres://h/db?sslmode=hunter2", "sslmode: write one of verify-full"},
		{"postgres://h/db?sslcertmode=hunter2", "sslcertmode: write one of"},
		{"postgres://h/db?sslrootcert=/hunter2", "sslrootcert: the file cannot be read"},
		{"postgres://h/db?sslcert=/hunter2", "sslcert, sslkey"},
		{"postgres://h/db?sslcert=/hunter2&sslkey=/hunter2", "sslcert, sslkey"},
		{"postgres://h/db?connect_timeout=hunter2", "connect_timeout: write whole seconds"},
		{"postgres://h/db?target_session_attrs=hunter2", "target_session_attrs: write read-write or primary"},
		{"postgres://h/db?min_protocol_version=hunter2", "write 3.0 or 3.2"},
		{"postgres://h/db?channel_binding=hunter2", "channel_binding: write one of"},
		{"postgres://h/db?require_auth=hunter2", "require_auth: "},
		{"postgres://h/db?service=hunter2", "service: "},
		{"postgres://u:hunter2@h\x00/db", "write % @ / and :"},
		{"host=h password=hunter2\x00", "write postgres://"},
	} {
		_, err := ParseDSN(tc.dsn)
		if err == nil || !strings.HasPrefix(err.Error(), "parse dsn: ") || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: got %v, want %s", tc.dsn, err, tc.want)
		}
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
			t.Errorf("%q: the error tells the secret: %v", tc.dsn, err)
		}
	}
}

func TestTargetKey(t *testing.T) {
	bareEnv(t)
	const dsn = "postgres://u:hunter2@localhost/qq"
	key := mustParse(t, dsn).Key()
	if mustParse(t, dsn).Key() != key || key == "" {
		t.Error("one DSN has two keys")
	}
	seen := map[string]string{dsn: key}
	for _, other := range []string{
		"postgres://u:hunter3@localhost/qq", "postgres://u:hunter2@localhost/q", "postgres://u:hunter2@localhost/qq?pool_max_conns=9",
		"postgres://u@localhost/qq", "host=localhost",
	} {
		k := mustParse(t, other).Key()
		for dsn, known := range seen {
			if k == known {
				t.Errorf("%s and %s have one key", dsn, other)
			}
		}
		seen[other] = k
	}
}

// TestTargetKeyFollowsCredentials: a reload after a change of credentials must
// open the store anew, though the DSN only says where they are.
func TestTargetKeyFollowsCredentials(t *testing.T) {
	bareEnv(t)
	passfile := filepath.Join(t.TempDir(), "pass")
	keyWith := func(password string) string {
		if err := os.WriteFile(passfile, []byte("*:*:*:*:"+password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return mustParse(t, "postgres://u@localhost/qq?passfile="+passfile).Key()
	}
	if a, b := keyWith("hunter2"), keyWith("hunter3"); a == b || keyWith("hunter2") != a {
		t.Error("the key does not follow the password in the passfile")
	}
	keyOf := func(cert, key string) string {
		for variable, from := range map[string]string{"PGSSLCERT": cert, "PGSSLKEY": key} {
			t.Setenv(variable, from)
		}
		return mustParse(t, "postgres:///qq?host=/tmp,localhost&sslmode=allow").Key()
	}
	certA, privateA := certificate(t)
	certB, privateB := certificate(t)
	if a, b := keyOf(certA, privateA), keyOf(certB, privateB); a == b || keyOf(certA, privateA) != a {
		t.Error("the key does not follow the client certificate")
	}
}

func TestTargetHidesSecrets(t *testing.T) {
	bareEnv(t)
	target := mustParse(t, "postgres://somebody:hunter2@localhost/qq")
	holder := struct{ target Target }{target}
	data, err := json.Marshal(map[string]any{"target": target})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		string(data), target.Key(), fmt.Sprintf("%v %+v %#v", target, target, target), fmt.Sprintf("%+v %+v", holder, &holder),
	} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "somebody") {
			t.Errorf("shows the secret: %s", shown)
		}
	}
}
