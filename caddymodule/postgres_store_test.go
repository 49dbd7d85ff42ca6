package caddymodule

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caddyserver/caddy/v2"
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

// postgresApp is shopConfig with a store in PostgreSQL.
func postgresApp(t *testing.T, dsn string, change func(*Config)) *App {
	t.Helper()
	bareEnv(t)
	t.Setenv("QQAUTH_TEST_KEY", strings.Repeat("0f", 32))
	t.Setenv("QQAUTH_TEST_SHOP", strings.Repeat("x", minClientSecret))
	t.Setenv("QQAUTH_TEST_FORUM", strings.Repeat("y", minClientSecret))
	raw, err := json.Marshal(map[string]string{"store": "postgres", "dsn": dsn})
	if err != nil {
		t.Fatal(err)
	}
	return &App{Config: *shopConfig(func(c *Config) {
		c.StoreRaw, c.SecretKey = raw, []string{"{env.QQAUTH_TEST_KEY}"}
		if change != nil {
			change(c)
		}
	})}
}

// provision does what `caddy validate` does.
func provision(t *testing.T, a *App) error {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	err := a.Provision(ctx)
	if cleanup := a.Cleanup(); cleanup != nil {
		t.Error(cleanup)
	}
	return err
}

// TestResolveDSN: what a placeholder in the midst of a DSN leads to stays one
// value, whatever it holds.
func TestResolveDSN(t *testing.T) {
	bareEnv(t)
	const odd = `p@s/s:w?&=%41 #'"\{env.QQAUTH_TEST_HOST}`
	t.Setenv("QQAUTH_TEST_ODD", odd)
	t.Setenv("QQAUTH_TEST_HOST", "db.example.com")
	t.Setenv("QQAUTH_TEST_HOSTS", "a.example.com:5433,[::1]:5434")
	t.Setenv("QQAUTH_TEST_SOCKET", "/var/run/postgresql")
	t.Setenv("QQAUTH_TEST_URL", "postgres://db.example.com/qq")
	t.Setenv("QQAUTH_TEST_WORDS", "host=db.example.com user=qq")
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(odd+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ written, host, password string }{
		{"postgres://u:{env.QQAUTH_TEST_ODD}@localhost/qq", "localhost", odd},
		{"postgres://u:{file." + path + "}@localhost/qq", "localhost", odd},
		{"postgresql://{env.QQAUTH_TEST_HOST}:{env.QQAUTH_TEST_ODD}@{env.QQAUTH_TEST_HOST}/qq", "db.example.com", odd},
		{"postgres://u:x@{env.QQAUTH_TEST_HOSTS}/qq", "a.example.com", "x"},
		{"postgres://{env.QQAUTH_TEST_SOCKET}/qq?password={env.QQAUTH_TEST_ODD}", "/var/run/postgresql", odd},
		{"{env.QQAUTH_TEST_URL}?password={env.QQAUTH_TEST_ODD}", "db.example.com", odd},
		{"{env.QQAUTH_TEST_URL}", "db.example.com", ""},
		{"host=localhost password={env.QQAUTH_TEST_ODD} user=qq", "localhost", odd},
		{"password='{env.QQAUTH_TEST_ODD}' host=localhost", "localhost", odd},
		{"password={file." + path + "} host={env.QQAUTH_TEST_SOCKET}", "/var/run/postgresql", odd},
		{"{env.QQAUTH_TEST_WORDS} password={env.QQAUTH_TEST_ODD}", "db.example.com", odd},
		{"host=localhost password=literal", "localhost", "literal"},
	} {
		dsn, err := resolveDSN(tc.written)
		if err != nil {
			t.Errorf("%s: %v", tc.written, err)
			continue
		}
		got, err := pgconn.ParseConfig(dsn)
		if err != nil {
			t.Errorf("%s: %v", tc.written, err)
			continue
		}
		if got.Host != tc.host || got.Password != tc.password {
			t.Errorf("%s: got host %q, password %q", tc.written, got.Host, got.Password)
		}
	}
	for _, written := range []string{"{env.QQAUTH_TEST_UNSET}", "postgres://u:{env.QQAUTH_TEST_UNSET}@h/qq", "host={env.QQAUTH_TEST_HOST} password={env.QQAUTH_TEST_UNSET}"} {
		if _, err := resolveDSN(written); err == nil || !strings.Contains(err.Error(), "dsn: {env.QQAUTH_TEST_UNSET} holds nothing") {
			t.Errorf("%s: got %v", written, err)
		}
	}
}

func TestCheckDSN(t *testing.T) {
	for written, ok := range map[string]bool{
		"postgres://localhost/qq": true, "{env.A}": true, "{file./run/dsn}": true, "postgres://{env.A}:{env.B}@h/{file./c}": true,
		"": false, "{$A}": false, "{env.}": false, "{env.A": false, "postgres://u:{@h/qq": false, "{http.request.host}": false,
		"{env.{env.A}}": false, "{env.A}}": false,
	} {
		if err := checkDSN(written); (err == nil) != ok {
			t.Errorf("%s: %v", written, err)
		}
	}
}

func TestHasLiteralPassword(t *testing.T) {
	for written, want := range map[string]bool{
		"postgres://u:hunter2@h/qq":                     true,
		"postgresql://u:hunter2@h/qq":                   true,
		"postgres://u:hunter2{env.A}@h/qq":              true,
		"postgres://u:{env.A}2@h/qq":                    true,
		"postgres://:hunter2@h":                         true,
		"postgres://u:p?x@h/qq":                         true,
		"postgres://h/qq?password=hunter2":              true,
		"postgres://h/qq?user=u&pass%77ord=hunter2":     true,
		"postgres://h?sslmode=require&password=hunter2": true,
		"postgres://h/qq?sslpassword=hunter2":           true,
		"postgres://u:{env.A}@h/qq?sslpassword=hunter2": true,
		"{env.URL}?password=hunter2":                    true,
		"{env.URL}?options=a://b&password=hunter2":      true,
		"{env.SCHEME}u:hunter2@h/qq":                    true,
		"{env.WORDS} password=hunter2":                  true,
		"host=h password=hunter2":                       true,
		"password=hunter2 host=h":                       true,
		"host=h password = hunter2":                     true,
		"host=h\tpassword\v=\nhunter2":                  true,
		"host=h password='hunter2'":                     true,
		"host=h password='{env.A} 2'":                   true,
		"host=h password={env.A}2":                      true,
		"host='h'password=hunter2":                      true,
		"host=h password=\\\nhunter2":                   true,
		"host=h sslpassword=hunter2":                    true,
		"host=h password={env.A} password=hunter2":      true,

		"postgres://h/qq":                               false,
		"postgres://u@h/qq":                             false,
		"postgres://u:@h/qq":                            false,
		"postgres://u:{env.A}@h:5432/qq":                false,
		"postgres://u:{file./run/pass word@x}@h/qq":     false,
		"postgres://u:{env.A}{env.B}@h/qq":              false,
		"postgres://{env.USERINFO}@h/qq":                false,
		"postgres://h:5432/qq?password={env.A}":         false,
		"postgres://h/qq?passfile=/run/passfile":        false,
		"postgres://u@h:5432/qq?application_name=a:b@c": false,
		"{env.URL}":                       false,
		"{file./run/secrets/dsn}":         false,
		"{env.URL}?sslmode=verify-full":   false,
		"{env.WORDS} sslmode=verify-full": false,
		"host=h password={env.A} user=u":  false,
		"host=h password='{env.A}'":       false,
		"host=h password='' user=u":       false,
		"host=h passfile=/run/passfile":   false,
		"host=h dbname=qq":                false,
	} {
		if got := hasLiteralPassword(written); got != want {
			t.Errorf("%q: got %v", written, got)
		}
	}
}

// TestPostgresDanger: each is refused in the world at large, and taken on the
// loopback.
func TestPostgresDanger(t *testing.T) {
	t.Setenv("QQAUTH_TEST_PG", "hunter2")
	t.Setenv("QQAUTH_TEST_DSN", "postgres://u:hunter2@secret.example.com/qq")
	const remote = "postgres://u:{env.QQAUTH_TEST_PG}@db.example.com/qq"
	for _, tc := range []struct{ dsn, want string }{
		{"postgres://u:hunter2@localhost/qq", "a literal password, which ends up in caddy adapt"},
		{"host=/tmp password=hunter2", "write {env.NAME} or {file.PATH} in its place"},
		{remote, "a connection to db.example.com, which is neither the loopback nor a socket, without sslmode=verify-full"},
		{remote + "?sslmode=require", "write sslmode=verify-full into the DSN"},
		{remote + "?sslmode=verify-ca", "a connection to db.example.com,"},
		{"postgres://localhost,b.example.com,c.example.com/qq", "a connection to b.example.com, c.example.com,"},
		{"{env.QQAUTH_TEST_DSN}", "a connection to a host,"},
	} {
		err := provision(t, postgresApp(t, tc.dsn, nil))
		if err == nil || !strings.Contains(err.Error(), "store postgres: ") || !strings.Contains(err.Error(), tc.want) ||
			!strings.Contains(err.Error(), "is allowed only while public_url is a loopback name") {
			t.Errorf("%s: got %v", tc.dsn, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "secret.example.com")) {
			t.Errorf("%s: the error tells the secret: %v", tc.dsn, err)
		}
		if err := provision(t, postgresApp(t, tc.dsn, func(c *Config) { c.PublicURL = "http://localhost:8080" })); err != nil {
			t.Errorf("%s: on the loopback: %v", tc.dsn, err)
		}
	}
	for _, dsn := range []string{
		remote + "?sslmode=verify-full", "{env.QQAUTH_TEST_DSN}?sslmode=verify-full", "postgres://u:{env.QQAUTH_TEST_PG}@localhost/qq",
		"host=/var/run/postgresql password={env.QQAUTH_TEST_PG}", "postgres://127.0.0.1,[::1]/qq",
	} {
		if err := provision(t, postgresApp(t, dsn, nil)); err != nil {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

func TestPostgresProvisionRefuses(t *testing.T) {
	t.Setenv("QQAUTH_TEST_PG", "postgres://u:x@hunter2@localhost/qq")
	for _, tc := range []struct {
		dsn    string
		change func(*Config)
		want   string
	}{
		{"postgres://localhost/qq", func(c *Config) { c.SecretKey = nil }, "secret_key is missing: store postgres needs one, the same on every node: make it with openssl rand -hex 32"},
		{"postgres://localhost/qq", func(c *Config) { c.SecretKey, c.PublicURL = nil, "http://localhost:8080" }, "openssl rand -hex 32"},
		{"", nil, "dsn: it is missing: write store postgres <dsn>"},
		{"postgres://u:{env.QQAUTH_TEST_UNSET}@localhost/qq", nil, "dsn: {env.QQAUTH_TEST_UNSET} holds nothing"},
		{"postgres://u:{http.request.host}@localhost/qq", nil, "dsn: write its placeholders as {env.NAME} or {file.PATH}"},
		{"{env.QQAUTH_TEST_PG}", nil, "{env.QQAUTH_TEST_PG}: parse dsn: it is no URL that PostgreSQL understands"},
		{"postgres://localhost/qq?sslmode={env.QQAUTH_TEST_PG}", nil, "{env.QQAUTH_TEST_PG}: parse dsn: sslmode: write one of"},
		{"postgres://localhost/qq?pool_min_conns=1", nil, "parse dsn: of the words that begin with pool_, only pool_max_conns is understood"},
	} {
		err := provision(t, postgresApp(t, tc.dsn, tc.change))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", tc.dsn, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the secret: %v", tc.dsn, err)
		}
	}
}

// TestPostgresStoreHidesSecrets: Caddy shows a module's exported fields to
// whoever asks for the configuration, and a careless line of ours may log it.
func TestPostgresStoreHidesSecrets(t *testing.T) {
	t.Setenv("QQAUTH_TEST_PG", "hunter2")
	t.Setenv("QQAUTH_TEST_PG_USER", "somebody")
	const written = "postgres://{env.QQAUTH_TEST_PG_USER}:{env.QQAUTH_TEST_PG}@localhost/qq"
	app := postgresApp(t, written, nil)
	if err := provision(t, app); err != nil {
		t.Fatal(err)
	}
	store := app.store.(*PostgresStore)
	if store.DSN != written {
		t.Errorf("the DSN is no longer what was written: %s", store.DSN)
	}
	config, err := json.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	module, err := json.Marshal(store)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		string(config), string(module), store.Key(),
		fmt.Sprintf("%+v", app), fmt.Sprintf("%+v", app.store), fmt.Sprintf("%#v", *store), fmt.Sprintf("%+v", &app.Config), fmt.Sprintf("%+v", app.secrets),
	} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "somebody") {
			t.Errorf("shows the secret: %s", shown)
		}
	}
}

func TestPostgresStoreKey(t *testing.T) {
	key := func(password string) string {
		t.Setenv("QQAUTH_TEST_PG", password)
		app := postgresApp(t, "postgres://u:{env.QQAUTH_TEST_PG}@localhost/qq", nil)
		if err := provision(t, app); err != nil {
			t.Fatal(err)
		}
		return app.store.Key()
	}
	first := key("hunter2")
	if key("hunter2") != first || key("hunter3") == first || !strings.HasPrefix(first, "postgres:") {
		t.Errorf("keys do not tell DSNs apart: %s", first)
	}
}
