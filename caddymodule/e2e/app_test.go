package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// appFile has two QQ applications, so that a user of one can be bound at the
// other, and a client for each thing that a login can go on with. Its senders
// write to a directory of the test's.
const appFile = `{
	qqauth {
		public_url http://localhost:$LOGIN
		$CORE
		qq 101234567 {
			endpoint $QQ
		}
		qq 101999999 {
			endpoint $QQ
		}
		client creates {
			secret creates-secret-for-loopback
			qq 101234567
		}
		client registers {
			secret registers-secret-for-loopback
			qq 101234567
			unknown_user register
			verify phone email
			redirect_uri http://pages.localhost:3000/callback?from=qq
		}
		client vault {
			qq 101234567
			mfa phone email
		}
		client binds {
			secret binds-secret-for-loopback
			qq 101999999
			unknown_user bind
			verify phone email
			claims name
		}
		client strict {
			qq 101999999
			unknown_user bind
			verify phone email
			mfa phone
		}
		$SENDERS
		sms_countries 86 852
		$ATTEMPTS
		admin_api
	}
}
http://localhost:$LOGIN {
	qqauth_login
	respond "passed on" 418
}
http://localhost:$APP {
	qqauth_guard {
		audience http://localhost:$APP
		client creates registers vault binds strict
		header X-User-Id {user.id}
		header X-Mobile {user.mobile}
		header X-Email {user.email}
	}
	reverse_proxy $UPSTREAM
}
http://localhost:$OTHER {
	qqauth_guard {
		audience http://localhost:$OTHER
		client creates registers vault binds strict
		require mfa
	}
	reverse_proxy $UPSTREAM
}
`

const (
	fileSenders = "sms file $OUTBOX/sms.jsonl\n\t\temail file $OUTBOX/email.jsonl"
	// manyAttempts leaves the limits of what one test never does twice.
	manyAttempts = "attempts {\n captchas 10000\n address_sends 10000\n target_sends 100 100 100\n }"
)

// appWorld is a Caddy with appFile, whose codes are in a directory.
type appWorld struct {
	*world
	outbox string
	people *atomic.Int64
}

func newAppWorld(t *testing.T, pairs ...string) *appWorld {
	t.Helper()
	w := prepareAppWorld(t, pairs...)
	w.server = newHome(t).start(appFile, w.pairs...)
	return w
}

// prepareAppWorld is an appWorld without its Caddy.
func prepareAppWorld(t *testing.T, pairs ...string) *appWorld {
	t.Helper()
	w := &appWorld{prepareWorld(t, pairs...), t.TempDir(), new(atomic.Int64)}
	senders := strings.ReplaceAll(fileSenders, "$OUTBOX", w.outbox)
	w.pairs = append(w.pairs, "$SENDERS", senders, "$ATTEMPTS", manyAttempts)
	return w
}

func (w *appWorld) in(t *testing.T) *appWorld {
	return &appWorld{w.world.in(t), w.outbox, w.people}
}

// person has a QQ account at both applications, a phone and a mailbox, and is
// known to nobody.
type person struct {
	qq, other account
	phone     string // as people write it
	email     string
}

func (p *person) mobile() string { return "+86-" + p.phone }

func (w *appWorld) person() *person {
	n := int(w.people.Add(1))
	return &person{
		qq:    w.account(n),
		other: account{w.qq.Nickname(n), otherApp, w.qq.OpenID(otherApp, n), w.qq.Issue(otherApp, n)},
		phone: fmt.Sprintf("152016%05d", n), email: fmt.Sprintf("somebody.%05d@example.com", n),
	}
}

// app is an app of a client on a device.
type app struct {
	*home
	client, fingerprint, language string
	outbox                        string
}

func (w *appWorld) app(client string) *app {
	return &app{w.home, client, fingerprint, "en", w.outbox}
}

// on is the app on another device.
func (a app) on(fingerprint string) *app {
	a.fingerprint = fingerprint
	return &a
}

// as is another client's app on this device.
func (a app) as(client string) *app {
	a.client = client
	return &a
}

// speaking is the app in another language.
func (a app) speaking(language string) *app {
	a.language = language
	return &a
}

func (a *app) headers() []string {
	header := device(a.client)
	for i := 0; i < len(header); i += 2 {
		switch header[i] {
		case "X-device-fingerprint":
			header[i+1] = a.fingerprint
		case "X-L":
			header[i+1] = a.language
		}
	}
	return header
}

// call makes a call of the SDK; in is nil for one without a body.
func (a *app) call(method, path string, in any, header ...string) answer {
	a.t.Helper()
	var body []byte
	header = append(a.headers(), header...)
	if in != nil {
		body = a.encode(in)
		header = append(header, "Content-Type", "application/json")
	}
	return a.ask(method, a.url("LOGIN", "/api/v2/sdk"+path), body, header...)
}

func (a *app) tryLogin(with account) answer {
	a.t.Helper()
	return a.call("POST", "/login/qq", qqLogin{with.AccessToken, with.OpenID})
}

// waits logs in and expects to go on in some way; flow is the `data` of the
// answer.
func (a *app) waits(with account, status, flow string) (stateToken string) {
	a.t.Helper()
	var g grant
	a.tryLogin(with).want(http.StatusOK, "").json(&g)
	if g.Status != status || g.Data != flow || g.StateToken == "" || g.Session != "" || g.IDToken != "" {
		a.t.Fatalf("login ended in %+v, want %s and %s", g, status, flow)
	}
	return g.StateToken
}

// The `data` of logins that wait, for both ways.
const (
	flowOfBoth = `{"socialBindOrRegisterFlow":["VERIFY_PHONE","VERIFY_EMAIL"]}`
	mfaBySMS   = `["SMS"]`
	mfaByEmail = `["EMAIL"]`
)

// finish goes on with a login, by a code that was sent.
func (a *app) finish(path, stateToken, to, code string) answer {
	a.t.Helper()
	return a.call("POST", path, map[string]string{fieldOf(to): to, "verify_code": code}, "X-state-token", stateToken)
}

// succeeds is finish, and expects a session.
func (a *app) succeeds(path, stateToken, to, code string) (g grant) {
	a.t.Helper()
	got := a.finish(path, stateToken, to, code).want(http.StatusOK, "")
	got.json(&g)
	var members map[string]any
	got.json(&members)
	if g.Status != "SUCCESS" || len(g.Session) != 32 || g.IDToken == "" || g.Expire != 604800 || len(members) != 4 {
		a.t.Fatalf("%s answered %s", path, got.body)
	}
	return g
}

// register makes a user of a person at the client registers, who proves one way.
func (w *appWorld) register(p *person, to string) grant {
	w.t.Helper()
	a := w.app("registers")
	state := a.waits(p.qq, "USER_REGISTER", flowOfBoth)
	kind := "REGISTER_SMS"
	if isEmail(to) {
		kind = "REGISTER_EMS"
	}
	return a.succeeds("/social/register-bind", state, to, a.code(kind, to, state))
}

// admitted demands that guards admit a session as proved in certain ways: one
// that wants a second factor, too, if there is one.
func (w *appWorld) admitted(g grant, methods ...string) claims {
	w.t.Helper()
	c := w.verifyAssertion(w.guarded("/", g.Session).seen().Header.Get("X-Qqauth-Ticket"), w.url("APP", ""))
	if !slices.Equal(c.Methods, methods) {
		w.t.Errorf("amr is %v, want %v", c.Methods, methods)
	}
	var inToken struct {
		Methods []string `json:"amr"`
	}
	payload(w.t, g.IDToken, &inToken)
	if !slices.Equal(inToken.Methods, methods) {
		w.t.Errorf("amr of the id_token is %v, want %v", inToken.Methods, methods)
	}
	strict := w.ask("GET", w.url("OTHER", "/"), nil, "Authorization", "Bearer "+g.Session)
	if len(methods) > 1 {
		strict.want(http.StatusOK, "")
	} else {
		strict.want(http.StatusForbidden, "IDAAS.SDK.AUTH.0001")
	}
	return c
}

// dead demands that a session gets in nowhere.
func (w *appWorld) dead(g grant) {
	w.t.Helper()
	w.guarded("/", g.Session).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
}
