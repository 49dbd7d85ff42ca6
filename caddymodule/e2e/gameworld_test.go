package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

// gameFile has a game for each thing that a login can go on with. Its guards take
// what the first of them takes by itself; everybody; and everybody who is an
// administrator.
const gameFile = `{
	$GLOBAL
	qqauth {
		public_url http://localhost:$LOGIN
		$CORE
		qq 101234567 {
			endpoint $QQ
		}
		qq 101999999 {
			endpoint $QQ
		}
		qq simulator 100000000
		client game {
			secret game-tenant-secret-for-loopback
			qq 101234567
			gamesparks game-key device game-secret-for-loopback-only
			$GAME
		}
		client arcade {
			qq 100000000
			gamesparks arcade-key device arcade-secret-for-loopback-only
		}
		$CLIENTS
		sms file $OUTBOX/sms.jsonl
		email file $OUTBOX/email.jsonl
		$ATTEMPTS
		admin_api
	}
}
http://localhost:$LOGIN {
	$SITE
	qqauth_login
	respond "passed on" 418
}
http://localhost:$APP {
	$SITE
	qqauth_guard {
		audience http://localhost:$APP
		client game arcade
		header X-User-Id {user.id}
		header X-Role {segment.role}
	}
	reverse_proxy $UPSTREAM
}
http://localhost:$OTHER {
	qqauth_guard {
		audience http://localhost:$OTHER
		client game arcade
		allow device password
		header X-Role {segment.role}
	}
	reverse_proxy $UPSTREAM
}
http://localhost:$PLAIN {
	qqauth_guard {
		audience http://localhost:$PLAIN
		client game arcade
		allow device password
		require segment role admin
		header X-Role {segment.role}
	}
	reverse_proxy $UPSTREAM
}
`

// waitingClients are the games where a login may not end at once. The vault
// shares its QQ with registers, as an app and its game do.
const waitingClients = `
		client registers {
			qq 101234567
			unknown_user register
			verify phone email
			gamesparks registers-key device registers-secret-for-loopback
		}
		client vault {
			qq 101234567
			mfa phone
			gamesparks vault-key device vault-secret-for-loopback-only
		}
		client binds {
			qq 101999999
			unknown_user bind
			gamesparks binds-key device binds-secret-for-loopback-only
		}
		client denies {
			qq 101234567
			unknown_user deny
			gamesparks denies-key device denies-secret-for-loopback-only
		}
		client refuses {
			qq 101234567
			unknown_user refuse
			gamesparks refuses-key server refuses-secret-for-loopback-only
		}
		client silent {
			qq 101234567
		}`

// The gates of gameFile.
var (
	theGame   = gameGate{"game", "game-key", "device", "game-secret-for-loopback-only"}
	arcade    = gameGate{"arcade", "arcade-key", "device", "arcade-secret-for-loopback-only"}
	registers = gameGate{"registers", "registers-key", "device", "registers-secret-for-loopback"}
	vault     = gameGate{"vault", "vault-key", "device", "vault-secret-for-loopback-only"}
	binds     = gameGate{"binds", "binds-key", "device", "binds-secret-for-loopback-only"}
	denies    = gameGate{"denies", "denies-key", "device", "denies-secret-for-loopback-only"}
	refuses   = gameGate{"refuses", "refuses-key", "server", "refuses-secret-for-loopback-only"}
)

// gameWorld is a Caddy with gameFile. Its people are those of an appWorld.
type gameWorld struct {
	*appWorld
	things *atomic.Int64 // devices and names given out
}

// gameHoles are what may be left out of gameFile.
var gameHoles = []string{"$GAME", "", "$CLIENTS", waitingClients, "$ATTEMPTS", "attempts {\n guests 10000\n captchas 10000\n address_sends 10000\n target_sends 100 100 100\n }"}

func prepareGameWorld(t *testing.T, pairs ...string) *gameWorld {
	t.Helper()
	outbox := t.TempDir()
	w := prepareWorld(t, append(pairs, "$OUTBOX", outbox)...)
	w.pairs = append(w.pairs, gameHoles...)
	return &gameWorld{&appWorld{w, outbox, new(atomic.Int64)}, new(atomic.Int64)}
}

func newGameWorld(t *testing.T, pairs ...string) *gameWorld {
	t.Helper()
	w := prepareGameWorld(t, pairs...)
	w.server = newHome(t).start(gameFile, w.pairs...)
	return w
}

func (w *gameWorld) in(t *testing.T) *gameWorld { return &gameWorld{w.appWorld.in(t), w.things} }

// device is a device that nobody has played on.
func (w *gameWorld) device() fields {
	return fields{"deviceId": fmt.Sprintf("device-%08d-%s", w.things.Add(1), randomHex(4)), "deviceOS": "ANDROID", "displayName": "Guest"}
}

// userName is a name that nobody has.
func (w *gameWorld) userName() string { return fmt.Sprintf("player.%d", w.things.Add(1)) }

// opening is how a game gets to a server.
type opening struct {
	name string
	open func(*gameWorld, gameGate) game
}

// bothWays are the transports.
var bothWays = []opening{
	{"REST", func(w *gameWorld, at gameGate) game { return &restGame{home: w.home, gate: at} }},
	{"WebSocket", func(w *gameWorld, at gameGate) game { return w.dialGame(at) }},
}

// qqConnect is a QQConnectRequest for an account.
func qqConnect(a account, more ...fields) fields {
	in := fields{"accessToken": a.AccessToken}
	for _, m := range more {
		for name, value := range m {
			in[name] = value
		}
	}
	return in
}

// connects signs an account's player in.
func connects(g game, a account) gameLogin {
	return g.request("QQConnectRequest", qqConnect(a)).signsIn()
}

// guest signs a new guest in.
func (w *gameWorld) guest(g game) gameLogin {
	return g.request("DeviceAuthenticationRequest", w.device()).signsIn()
}

// details are what a game may see of its player.
type details struct {
	User     string            `json:"userId"`
	Name     string            `json:"displayName"`
	External map[string]string `json:"externalIds"`
	Segments map[string]string `json:"segments"`
}

func detailsOf(g game) (d details) {
	got := g.request("AccountDetailsRequest", nil)
	got.has("achievements", "displayName", "externalIds", "segments", "userId", "virtualGoods")
	got.json(&d)
	return d
}

// nobody demands that a game has nobody signed in.
func nobody(g game) {
	g.request("AccountDetailsRequest", nil).refused("authentication", "NOTAUTHORIZED")
}

// nextAccount is a QQ account that is known to nobody.
func (w *gameWorld) nextAccount() account { return w.account(int(w.people.Add(1))) }

// at asks a guard with an authToken.
func (w *gameWorld) at(port, authToken string) answer {
	w.t.Helper()
	return w.ask("GET", w.url(port, "/"), nil, "Authorization", "Bearer "+authToken)
}

// admits demands what each of the guards says to an authToken.
func (w *gameWorld) admits(authToken string, want map[string]int) {
	w.t.Helper()
	codes := map[int]string{http.StatusForbidden: "IDAAS.SDK.AUTH.0001", http.StatusUnauthorized: "IDAAS.SDK.PARAM.0023"}
	for port, status := range want {
		got := w.at(port, authToken)
		if got.status != status || got.code() != codes[status] {
			w.t.Errorf("the guard %s answered %d %s, want %d", port, got.status, got.body, status)
		}
	}
}

// answersAs has QQ take one text for the token of an account: one of a document,
// which no simulator makes.
func (w *gameWorld) answersAs(token string, openID, nickname string) {
	w.t.Helper()
	w.qq.Behave(qqtest.Behavior{Fault: func(out http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.RawQuery, "access_token=") || r.URL.Query().Get("access_token") != token {
			return false
		}
		switch qqtest.Path(r.URL.Path) {
		case qqtest.PathMe:
			fmt.Fprintf(out, `{"client_id":%q,"openid":%q}`, qqApp, openID)
		case qqtest.PathUserInfo:
			fmt.Fprintf(out, `{"ret":0,"msg":"","nickname":%q}`, nickname)
		default:
			return false
		}
		return true
	}})
	w.t.Cleanup(func() { w.qq.Behave(qqtest.Behavior{}) })
}
