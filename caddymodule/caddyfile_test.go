package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile" // the adapter
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/headers" // request_header
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

var update = flag.Bool("update", false, "rewrite the JSON of testdata/caddyfile")

const divider = "----------\n"

// TestAdapt compares what our words become. The Caddyfiles are also written as
// caddy fmt would write them.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/caddyfile/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("golden files: %v, found %d", err, len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(data), divider)
			got := adapt(t, input)
			if *update {
				if err := os.WriteFile(file, []byte(input+divider+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// adapt returns indented JSON, and fails for an error or a warning.
func adapt(t *testing.T, input string) string {
	t.Helper()
	result, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Errorf("warning: %s", w.String())
	}
	var out bytes.Buffer
	if err := json.Indent(&out, result, "", "\t"); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.String()
}

// TestAdaptErrors has one case for each way to get a word wrong.
func TestAdaptErrors(t *testing.T) {
	app := func(lines string) string { return "{\n\tqqauth {\n\t\t" + lines + "\n\t}\n}\n" }
	guard := func(lines string) string { return "example.com {\n\tqqauth_guard {\n\t\t" + lines + "\n\t}\n}\n" }
	in := func(owner string) func(string) string {
		return func(line string) string {
			return "{\n\tqqauth {\n\t\t" + owner + " {\n\t\t\t" + line + "\n\t\t}\n\t}\n}\n"
		}
	}
	qq, shop, lifetime, attempts := in("qq 1"), in("client shop"), in("lifetime"), in("attempts")
	for _, tc := range []struct {
		name, input, want string
		line              string
	}{
		{"app unknown word", app("public_ulr https://a.example"), `unknown word "public_ulr": did you mean public_url?`, "3"},
		{"app far word", app("xyzzy"), `unknown word "xyzzy": write one of admin_api, attempts, client, email, id_token_alg, lifetime, public_url, qq, secret_key, sms, sms_countries, store`, "3"},
		{"app argument", "{\n\tqqauth foo {\n\t}\n}\n", "qqauth takes no argument: write its settings in a block", "2"},
		{"app twice", "{\n\tqqauth {\n\t}\n\tqqauth {\n\t}\n}\n", "qqauth stands twice", "4"},
		{"public_url missing", app("public_url"), "write public_url <url>", "3"},
		{"public_url surplus", app("public_url https://a.example https://b.example"), "write public_url <url>", "3"},
		{"public_url empty", app(`public_url ""`), "an argument is empty", "3"},
		{"public_url twice", app("public_url https://a.example\n\t\tpublic_url https://b.example"), "public_url stands twice", "4"},
		{"public_url path", app("public_url https://a.example/id"), "write the origin alone", "3"},
		{"public_url block", app("public_url https://a.example {\n\t\t}"), "public_url takes no block", "3"},
		{"store missing", app("store"), "write store badger [<directory>]", "3"},
		{"store unknown", app("store bagder"), "did you mean badger?", "3"},
		{"store surplus", app("store badger a b"), "write store badger [<directory>]", "3"},
		{"store postgres missing", app("store postgres"), "dsn: it is missing: write store postgres <dsn>", "3"},
		{"store postgres unquoted", app("store postgres host=h dbname=qq"), `write store badger [<directory>] or store postgres "<dsn>"`, "3"},
		{"store postgres placeholder", app("store postgres postgres://{http.request.host}/qq"), "write its placeholders as {env.NAME} or {file.PATH}", "3"},
		{"store postgres brace", app("store postgres postgres://u:{env.A@h/qq"), "write its placeholders as {env.NAME} or {file.PATH}", "3"},
		{"store twice", app("store badger\n\t\tstore badger"), "store stands twice", "4"},
		{"secret_key missing", app("secret_key"), "write secret_key <secret> [<previous>]", "3"},
		{"secret_key surplus", app("secret_key {env.A} {env.B} {env.C}"), "write secret_key <secret> [<previous>]", "3"},
		{"secret_key mixed", app("secret_key prefix-{env.A}"), "write one placeholder, {env.NAME} or {file.PATH}", "3"},
		{"secret_key wrong kind", app("secret_key {http.request.host}"), "write one placeholder, {env.NAME} or {file.PATH}", "3"},
		{"qq missing", app("qq"), "write qq <app_id> { … } or qq simulator [<app_id>]", "3"},
		{"qq no number", app("qq simulater"), "an app id is 1 to 20 digits", "3"},
		{"qq surplus", app("qq 1 2"), "write qq <app_id> { … } or qq simulator [<app_id>]", "3"},
		{"qq simulator number", app("qq simulator abc"), "an app id is 1 to 20 digits", "3"},
		{"qq simulator twice", app("qq simulator\n\t\tqq simulator"), "qq simulator stands twice", "4"},
		{"qq simulator block", app("qq simulator {\n\t\t\tunionid\n\t\t}"), "qq takes no block", "3"},
		{"qq unknown word", qq("union_id"), "did you mean unionid?", "4"},
		{"qq app_key missing", qq("app_key"), "write app_key <secret>", "4"},
		{"qq endpoint", qq("endpoint graph.qq.com"), "write an absolute URL", "4"},
		{"qq timeout", qq("timeout soon"), "write one such as 90s", "4"},
		{"qq timeout zero", qq("timeout 0"), "write one such as 90s", "4"},
		{"qq unionid surplus", qq("unionid on"), "write unionid", "4"},
		{"qq join missing", qq("join"), "write join <app_id> …", "4"},
		{"qq join no number", qq("join shop"), "an app id is 1 to 20 digits", "4"},
		{"client missing", app("client"), "write client <client_id> { … }", "3"},
		{"client id", app("client sh/op"), "a client id is 1 to 64", "3"},
		{"client unknown word", shop("unknown_users create"), "did you mean unknown_user?", "4"},
		{"client name long", shop("name " + strings.Repeat("x", 65)), "write at most 64 characters", "4"},
		{"client secret surplus", shop("secret {env.A} {env.B} {env.C}"), "write secret <secret> [<previous>]", "4"},
		{"client qq", shop("qq simulator"), "an app id is 1 to 20 digits", "4"},
		{"client unknown_user", shop("unknown_user creat"), "did you mean create?", "4"},
		{"client verify", shop("verify fax"), "write one of phone, email", "4"},
		{"client verify twice", shop("verify phone phone"), "stands twice", "4"},
		{"client mfa missing", shop("mfa"), "write mfa off|phone|email …", "4"},
		{"client mfa mixed", shop("mfa off email"), "off stands alone: write mfa off, or the ways without it", "4"},
		{"client mfa mixed behind", shop("mfa phone off"), "off stands alone", "4"},
		{"client mfa off twice", shop("mfa off off"), `"off" stands twice`, "4"},
		{"client mfa way twice", shop("mfa email email"), `"email" stands twice`, "4"},
		{"client mfa twice", shop("mfa phone\n\t\t\tmfa email"), "mfa stands twice", "5"},
		{"client mfa unknown", shop("mfa of"), "write one of off, phone, email", "4"},
		{"client claims", shop("claims mobil"), "did you mean mobile?", "4"},
		{"client tickets_for", shop("tickets_for a/b"), "a client id is 1 to 64", "4"},
		{"client claims missing", shop("claims"), "write claims name|mobile|email …", "4"},
		{"client redirect_uri missing", shop("redirect_uri"), "write redirect_uri <url> …", "4"},
		{"client redirect_uri relative", shop("redirect_uri https://a.example/cb /cb"), "redirect_uri: write an absolute URL", "4"},
		{"client redirect_uri fragment", shop("redirect_uri https://a.example/cb#top"), "redirect_uri: write an absolute URL", "4"},
		{"client redirect_uri twice", shop("redirect_uri https://a.example/cb\n\t\t\tredirect_uri https://a.example/cb"), `"https://a.example/cb" stands twice`, "5"},
		{"client gamesparks missing", shop("gamesparks a device"), "write gamesparks <api_key> <credential> <secret>", "4"},
		{"client gamesparks surplus", shop("gamesparks a device {env.A} {env.B}"), "write gamesparks <api_key> <credential> <secret>", "4"},
		{"client gamesparks empty", shop(`gamesparks "" device {env.A}`), "an argument is empty", "4"},
		{"client gamesparks api_key", shop("gamesparks a/b device {env.A}"), "gamesparks: api_key: write 1 to 64 of letters", "4"},
		{"client gamesparks credential", shop("gamesparks a .. {env.A}"), "gamesparks: credential: write 1 to 64 of letters", "4"},
		{"client gamesparks swapped", shop("gamesparks {env.A} device b"), "gamesparks: api_key: write 1 to 64 of letters", "4"},
		{"client gamesparks secret", shop("gamesparks a device {http.request.host}"), "gamesparks: secret: write one placeholder, {env.NAME} or {file.PATH}", "4"},
		{"client gamesparks twice", shop("gamesparks a device {env.A}\n\t\t\tgamesparks b device {env.B}"), "gamesparks stands twice", "5"},
		{"client gamesparks block", shop("gamesparks a device {env.A} {\n\t\t\t}"), "gamesparks takes no block", "4"},
		{"lifetime argument", app("lifetime 1h"), "write lifetime { … }", "3"},
		{"lifetime unknown", lifetime("sesion 1h"), "did you mean session?", "4"},
		{"lifetime session", lifetime("session -1h"), "write one such as 90s", "4"},
		{"lifetime session twice", lifetime("session 1h\n\t\t\tsession 2h"), "session stands twice", "5"},
		{"lifetime idle missing", lifetime("idle"), "write idle <duration>", "4"},
		{"lifetime idle", lifetime("idle never"), "write one such as 90s", "4"},
		{"lifetime idle negative", lifetime("idle -1h"), "write one such as 90s", "4"},
		{"lifetime code", lifetime("code 0"), "write one such as 90s", "4"},
		{"id_token_alg", app("id_token_alg RS265"), "did you mean RS256?", "3"},
		{"attempts unknown argument", app("attempts on"), "write one of off", "3"},
		{"attempts off block", app("attempts off {\n\t\t}"), "attempts takes no block", "3"},
		{"attempts unknown", attempts("qq_refuse 1"), "did you mean qq_refused?", "4"},
		{"attempts number", attempts("qq_refused many"), "whole number above 0", "4"},
		{"attempts zero", attempts("state_tokens 0"), "whole number above 0", "4"},
		{"attempts code_tries", attempts("code_tries -5"), "whole number above 0", "4"},
		{"attempts target_sends short", attempts("target_sends 1 5"), "write target_sends <minute> <hour> <day>", "4"},
		{"attempts target_sends surplus", attempts("target_sends 1 5 10 20"), "write target_sends <minute> <hour> <day>", "4"},
		{"attempts target_sends zero", attempts("target_sends 1 0 10"), "whole number above 0", "4"},
		{"attempts total_sends twice", attempts("total_sends 1\n\t\t\ttotal_sends 2"), "total_sends stands twice", "5"},
		{"attempts passwords short", attempts("passwords 10"), "write passwords <hour> <day>", "4"},
		{"attempts passwords surplus", attempts("passwords 10 100 1000"), "write passwords <hour> <day>", "4"},
		{"attempts passwords zero", attempts("passwords 10 0"), "whole number above 0", "4"},
		{"attempts guests missing", attempts("guests"), "write guests <number>", "4"},
		{"attempts guests", attempts("guests off"), "whole number above 0", "4"},
		{"attempts websockets", attempts("websockets 0"), "whole number above 0", "4"},
		{"attempts websockets unknown", attempts("websocket 20"), "did you mean websockets?", "4"},
		{"admin_api surplus", app("admin_api on"), "write admin_api", "3"},
		{"sms_countries missing", app("sms_countries"), "write sms_countries <code> …", "3"},
		{"sms_countries name", app("sms_countries CN"), "a calling code is 1 to 3 digits, such as 86", "3"},
		{"sms_countries plus", app("sms_countries +86"), "a calling code is 1 to 3 digits, such as 86", "3"},
		{"sms_countries zero", app("sms_countries 086"), "a calling code is 1 to 3 digits, such as 86", "3"},
		{"sms_countries long", app("sms_countries 86 1000"), "a calling code is 1 to 3 digits, such as 86", "3"},
		{"sms_countries code twice", app("sms_countries 86 852 86"), "calling code 86 is given twice", "3"},
		{"sms_countries unknown", app("sms_countries 86 999"), "sms_countries: list countries: no country has the calling code 999", "3"},
		{"sms_countries twice", app("sms_countries 86\n\t\tsms_countries 852"), "sms_countries stands twice", "4"},

		{"login argument", "example.com {\n\tqqauth_login on\n}\n", "takes no matcher, no argument and no block", "2"},
		{"login matcher", "example.com {\n\tqqauth_login /a/*\n}\n", "takes no matcher, no argument and no block", "2"},
		{"login block", "example.com {\n\tqqauth_login {\n\t}\n}\n", "takes no matcher, no argument and no block", "2"},
		{"guard matcher", "example.com {\n\tqqauth_guard /a/* {\n\t}\n}\n", "write it inside handle", "2"},
		{"guard named matcher", "example.com {\n\t@m path /a/*\n\tqqauth_guard @m\n}\n", "write it inside handle", "3"},
		{"guard unknown", guard("audiance a"), "did you mean audience?", "3"},
		{"guard audience missing", guard("audience"), "write audience <string>", "3"},
		{"guard audience twice", guard("audience a\n\t\taudience b"), "audience stands twice", "4"},
		{"guard client", guard("client a/b"), "a client id is 1 to 64", "3"},
		{"guard client twice", guard("client a\n\t\tclient a"), "stands twice", "4"},
		{"guard public relative", guard("public assets/*"), "write a path pattern such as /assets/*", "3"},
		{"guard public placeholder", guard("public /{env.X}"), "holds a placeholder", "3"},
		{"guard public ambiguous", guard("public /a/%2fb"), "never public", "3"},
		{"guard allow", guard("allow devices"), "did you mean device?", "3"},
		{"guard require", guard("require segments a b"), "did you mean segment?", "3"},
		{"guard require segment", guard("require segment a"), "write require segment <name> <value>", "3"},
		{"guard require mfa surplus", guard("require mfa phone"), "write require segment <name> <value>", "3"},
		{"guard require mfa twice", guard("require mfa\n\t\trequire mfa"), "mfa stands twice", "4"},
		{"guard require device twice", guard("require device\n\t\trequire device"), "device stands twice", "4"},
		{"guard require segment twice", guard("require segment a b\n\t\trequire segment a c"), "nobody has two values", "4"},
		{"guard cross_origin", guard("cross_origin https://a.example/x"), "write an origin without a path", "3"},
		{"guard unauthenticated", guard("unauthenticated 403"), "did you mean 401?", "3"},
		{"guard unauthenticated later", guard("unauthenticated redirect"), "redirect is not built yet: write unauthenticated auto", "3"},
		{"guard ticket_header", guard("ticket_header Authorization"), "write a name of your own", "3"},
		{"guard header missing", guard("header X-A"), "write header <name> <value>", "3"},
		{"guard header unquoted", guard("header X-A a b"), "write header <name> <value>", "3"},
		{"guard header field", guard("header X-A {http.request.host}"), "write one of {user.id}", "3"},
		{"guard header twice", guard("header X-A a\n\t\theader x_a b"), "is set twice", "4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(tc.input), nil)
			if err == nil {
				t.Fatalf("no error for\n%s", tc.input)
			}
			if !strings.Contains(err.Error(), tc.want) || !strings.HasSuffix(err.Error(), ", at Caddyfile:"+tc.line) {
				t.Errorf("got  %s\nwant %s, at Caddyfile:%s", err, tc.want, tc.line)
			}
		})
	}
}

// TestSecretStaysOutOfErrors: a line break before a secret makes it a word, a
// space in it makes it a surplus argument, and errors end up in logs.
func TestSecretStaysOutOfErrors(t *testing.T) {
	const secret = "b3JkaW5hcnk0c2VjcmV0"
	for name, lines := range map[string]string{
		"own line":     "secret\n" + secret,
		"surplus":      "secret {env.A} {env.B} " + secret,
		"with a brace": "secret " + secret + "{env.A}",
		"in mfa":       "mfa " + secret,

		"games on their own":     "gamesparks a device\n" + secret,
		"games with a surplus":   "gamesparks a device {env.A} " + secret,
		"games with a brace":     "gamesparks a device " + secret + "{env.A}",
		"games in another order": "gamesparks " + secret + "/ device a",
		"games swapped":          "gamesparks a " + secret + "? device",

		"dsn for a store":    "}\nstore postgres://u:" + secret + "@h/db\nclient forum {",
		"dsn on its own":     "}\nstore postgres\npostgres://u:" + secret + "@h/db\nclient forum {",
		"dsn in pieces":      "}\nstore postgres host=h password=" + secret + "\nclient forum {",
		"dsn with a brace":   "}\nstore postgres postgres://u:" + secret + "{@h/db\nclient forum {",
		"dsn of that name":   "}\nstore postgers postgres://u:" + secret + "@h/db\nclient forum {",
		"dsn with a surplus": "}\nstore postgres postgres://u:" + secret + "@h/db x\nclient forum {",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("{\nqqauth {\nclient shop {\n"+lines+"\n}\n}\n}\n"), nil)
			if err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v", err)
			}
		})
	}
}
