package e2e

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// gameGate is where the games of a client come in: the words of a Caddyfile.
type gameGate struct{ client, key, credential, secret string }

// fields are the members of a request or a message.
type fields map[string]any

// gameAnswer is the answer to a request, over either transport.
type gameAnswer struct {
	answer // its status is 0 over a WebSocket
	name   string
	id     string // the requestId
}

// members decodes the answer, which must be one JSON object.
func (a gameAnswer) members() (m fields) {
	a.t.Helper()
	a.json(&m)
	return m
}

// gameClass is the @class of the answer to a request.
func gameClass(name string) string {
	switch name {
	case "QQConnectRequest", "DeviceAuthenticationRequest", "AuthenticationRequest":
		return ".AuthenticationResponse"
	}
	return "." + strings.TrimSuffix(name, "Request") + "Response"
}

// has demands that the answer is the request's and has these members, and no
// others besides @class and requestId.
func (a gameAnswer) has(want ...string) fields {
	a.t.Helper()
	got := a.members()
	keys := slices.Sorted(maps.Keys(got))
	want = slices.Sorted(slices.Values(append(want, "@class", "requestId")))
	if a.status != 0 && a.status != http.StatusOK || !slices.Equal(keys, want) || got["@class"] != gameClass(a.name) || got["requestId"] != a.id {
		a.t.Fatalf("%s %s was answered %d %s, want the members %v", a.name, a.id, a.status, a.body, want)
	}
	return got
}

// refused demands a refusal for one reason, with no members but those of every
// refusal and some more.
func (a gameAnswer) refused(key, value string, more ...string) fields {
	a.t.Helper()
	got := a.has(append(more, "error", "newPlayer")...)
	reasons, _ := got["error"].(map[string]any)
	if len(reasons) != 1 || reasons[key] != value || got["newPlayer"] != false {
		a.t.Fatalf("%s was refused with %s, want %s %s", a.name, a.body, key, value)
	}
	return got
}

// gameLogin is who a login signed in.
type gameLogin struct {
	AuthToken string `json:"authToken"`
	Name      string `json:"displayName"`
	New       bool   `json:"newPlayer"`
	User      string `json:"userId"`
}

// signsIn demands a success.
func (a gameAnswer) signsIn() (l gameLogin) {
	a.t.Helper()
	a.has("authToken", "displayName", "newPlayer", "userId")
	a.json(&l)
	if len(l.AuthToken) != 32 || len(l.User) != len("20220425140138519-BF1B-528B05551") {
		a.t.Fatalf("%s was answered %s", a.name, a.body)
	}
	return l
}

// game is a game on a device, over either transport. It keeps the authToken that
// an answer brings.
type game interface {
	request(name string, in fields) gameAnswer
	token() string
}

// gameRequests numbers requests over all games.
var gameRequests atomic.Int64

// gameBody is a request as the SDKs write it.
func gameBody(name string, in fields) (id string, body []byte) {
	id = fmt.Sprintf("%d_%d", time.Now().UnixMilli(), gameRequests.Add(1))
	all := fields{"@class": "." + name, "requestId": id}
	maps.Copy(all, in)
	id, _ = all["requestId"].(string)
	body, _ = json.Marshal(all) // what tests send encodes
	return id, body
}

// gameHTTP reaches a server from one of the loopback's addresses.
func gameHTTP(from string) *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
		},
	}}
}

// gamesFrom is where games call from unless a test says otherwise.
const gamesFrom = "127.0.0.1"

var gamesHTTP = gameHTTP(gamesFrom)

// restGame is a game whose server speaks for it.
type restGame struct {
	*home
	gate      gameGate
	authToken string
	from      *http.Client // nil is gamesHTTP
}

func (g *restGame) token() string { return g.authToken }

func (g *restGame) request(name string, in fields) gameAnswer {
	g.t.Helper()
	all := fields{}
	if g.authToken != "" {
		all["authToken"] = g.authToken
	}
	maps.Copy(all, in)
	id, body := gameBody(name, all)
	a, err := g.tryRest(cmp.Or(g.from, gamesHTTP), g.gate, name, body)
	if err != nil {
		g.t.Fatal(err)
	}
	got := gameAnswer{a, name, id}
	var l gameLogin
	if json.Unmarshal(got.body, &l) == nil && l.AuthToken != "" {
		g.authToken = l.AuthToken
	}
	return got
}

// rest posts a body as it is.
func (h *home) rest(at gameGate, name string, body []byte) answer {
	h.t.Helper()
	a, err := h.tryRest(gamesHTTP, at, name, body)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *home) tryRest(from *http.Client, at gameGate, name string, body []byte) (answer, error) {
	return send(h.t, from, newRequest(h.t, "POST", h.url("LOGIN", "/rs/"+at.credential+"/"+at.secret+"/"+name), body))
}

// gameMessage is a message of the server.
type gameMessage struct {
	Class      string `json:"@class"`
	RequestID  string `json:"requestId"`
	ConnectURL string `json:"connectUrl"`
	Nonce      string `json:"nonce"`
	AuthToken  string `json:"authToken"`
	SessionID  string `json:"sessionId"`
	UserID     string `json:"userId"`
	Error      any    `json:"error"`
	raw        []byte
}

func readGame(ctx context.Context, conn *websocket.Conn) (m gameMessage, err error) {
	kind, text, err := conn.Read(ctx)
	if err != nil {
		return m, err
	}
	if kind != websocket.MessageText {
		return m, fmt.Errorf("a message is no text: %q", text)
	}
	m.raw = text
	return m, json.Unmarshal(text, &m)
}

func writeGame(ctx context.Context, conn *websocket.Conn, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, text)
}

// gameProof is what a game answers a nonce with.
func gameProof(secret, nonce string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(nonce))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// connectedClass is the @class of every message of the server's in the handshake.
const connectedClass = ".AuthenticatedConnectResponse"

// shakeHands connects to a WebSocket as the SDKs do: it goes wherever a connectUrl
// says, proves that it knows the secret, and names the player and the connection
// that it had before, if there were any.
func shakeHands(ctx context.Context, from *http.Client, at, secret, authToken, sessionID string) (*websocket.Conn, gameMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, at, &websocket.DialOptions{HTTPClient: from})
	if err != nil {
		return nil, gameMessage{}, err
	}
	for {
		m, err := readGame(ctx, conn)
		if err == nil && m.Class != connectedClass {
			err = fmt.Errorf("the handshake brought %s", m.raw)
		}
		switch {
		case err != nil:
			_ = conn.CloseNow()
			return nil, m, err
		case m.ConnectURL != "":
			_ = conn.CloseNow()
			return shakeHands(ctx, from, m.ConnectURL, secret, authToken, sessionID)
		case m.Nonce != "":
			in := fields{
				"@class": ".AuthenticatedConnectRequest", "hmac": gameProof(secret, m.Nonce), "os": "LINUX", "platform": "Linux",
				"deviceId": "an id that is none of a player's", "deviceStats": fields{"memory": 1024},
			}
			if authToken != "" {
				in["authToken"] = authToken
			}
			if sessionID != "" {
				in["sessionId"] = sessionID
			}
			if err := writeGame(ctx, conn, in); err != nil {
				return nil, m, err
			}
		default:
			return conn, m, nil
		}
	}
}

// gameClient is a game on a WebSocket.
type gameClient struct {
	t    *testing.T
	gate gameGate
	from *http.Client
	at   string // where it connects to

	*gameConn
	first gameMessage // what the handshake ended in

	mu                           sync.Mutex
	authToken, sessionID, player string
}

// gameConn is one connection of a gameClient.
type gameConn struct {
	conn   *websocket.Conn
	pushes chan gameMessage // what answers no request
	ended  chan struct{}
	err    error // of its end; read after ended

	mu     sync.Mutex
	awaits map[string]chan gameMessage
}

// dialGame connects a game that nobody has played on.
func (h *home) dialGame(at gameGate) *gameClient {
	h.t.Helper()
	return h.dialGameAs(at, "")
}

// dialGameAs connects a game that keeps an authToken.
func (h *home) dialGameAs(at gameGate, authToken string) *gameClient {
	h.t.Helper()
	return h.dialGameFrom(gamesHTTP, at, authToken)
}

// dialGameFrom connects a game from an address.
func (h *home) dialGameFrom(from *http.Client, at gameGate, authToken string) *gameClient {
	h.t.Helper()
	c := &gameClient{t: h.t, gate: at, from: from, at: h.socketURL(at), authToken: authToken}
	c.connect()
	return c
}

func (h *home) socketURL(at gameGate) string {
	return "ws://" + h.host("LOGIN") + "/ws/" + at.credential + "/" + at.key
}

// connect connects, again if need be.
func (c *gameClient) connect() {
	c.t.Helper()
	if err := c.tryConnect(); err != nil {
		c.t.Fatal(err)
	}
	if c.first.Error != nil || c.first.SessionID == "" {
		c.t.Fatalf("the handshake ended in %s", c.first.raw)
	}
}

func (c *gameClient) tryConnect() error {
	c.t.Helper()
	if c.gameConn != nil {
		_ = c.conn.CloseNow()
		<-c.ended
	}
	conn, first, err := shakeHands(c.t.Context(), c.from, c.at, c.gate.secret, c.token(), c.sessionID)
	if err != nil {
		return err
	}
	c.t.Cleanup(func() { _ = conn.CloseNow() })
	c.first = first
	// No authToken in the last message means that nobody is signed in.
	c.mu.Lock()
	c.authToken, c.sessionID, c.player = first.AuthToken, first.SessionID, first.UserID
	c.mu.Unlock()
	c.gameConn = &gameConn{conn: conn, pushes: make(chan gameMessage, 16), ended: make(chan struct{}), awaits: map[string]chan gameMessage{}}
	go c.read(c.gameConn)
	return nil
}

// read takes what comes: whoever asked gets their answer, wherever the token or
// the address of the server has changed it is kept.
func (c *gameClient) read(on *gameConn) {
	defer close(on.ended)
	for {
		m, err := readGame(c.t.Context(), on.conn)
		if err != nil {
			on.err = err
			return
		}
		c.mu.Lock()
		if m.AuthToken != "" {
			c.authToken = m.AuthToken
		}
		if m.ConnectURL != "" {
			c.at = m.ConnectURL
		}
		c.mu.Unlock()
		on.mu.Lock()
		asked := on.awaits[m.RequestID]
		delete(on.awaits, m.RequestID)
		on.mu.Unlock()
		if asked == nil {
			asked = on.pushes
		}
		select {
		case asked <- m:
		case <-c.t.Context().Done():
		}
	}
}

func (c *gameClient) token() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.authToken
}

func (c *gameClient) request(name string, in fields) gameAnswer {
	c.t.Helper()
	got, err := c.tryRequest(name, in)
	if err != nil {
		c.t.Fatalf("%s: %v", name, err)
	}
	return got
}

// tryRequest is request for any goroutine, and for a connection that may end.
func (c *gameClient) tryRequest(name string, in fields) (gameAnswer, error) {
	id, body := gameBody(name, in)
	return c.ask(name, id, body)
}

// ask sends a message as it is and waits for the answer with a requestId.
func (c *gameClient) ask(name, id string, body []byte) (gameAnswer, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	answered := make(chan gameMessage, 1)
	c.gameConn.mu.Lock()
	c.awaits[id] = answered
	c.gameConn.mu.Unlock()
	if err := c.conn.Write(ctx, websocket.MessageText, body); err != nil {
		return gameAnswer{}, err
	}
	got := func(m gameMessage) (gameAnswer, error) {
		return gameAnswer{answer{t: c.t, body: m.raw}, name, id}, nil
	}
	select {
	case m := <-answered:
		return got(m)
	case <-c.ended:
		select {
		case m := <-answered: // the last thing that came
			return got(m)
		default:
			return gameAnswer{}, c.err
		}
	case <-ctx.Done():
		return gameAnswer{}, fmt.Errorf("no answer within %v", patience)
	}
}

// says sends a message as it is and waits for an answer that nobody asked for.
func (c *gameClient) says(text string) (got answer) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
	return answer{t: c.t, body: c.next(patience).raw}
}

// next is the next message that answers no request.
func (c *gameClient) next(within time.Duration) gameMessage {
	c.t.Helper()
	select {
	case m := <-c.pushes:
		return m
	case <-time.After(within):
		c.t.Fatalf("no message within %v", within)
		return gameMessage{}
	case <-c.ended:
		select {
		case m := <-c.pushes:
			return m
		default:
			c.t.Fatalf("no message before the end: %v", c.err)
			return gameMessage{}
		}
	}
}

// closes waits until the server ends the connection, and returns its code; nothing
// may come before.
func (c *gameClient) closes(within time.Duration) websocket.StatusCode {
	c.t.Helper()
	select {
	case <-c.ended:
	case m := <-c.pushes:
		c.t.Fatalf("before the end came %s", m.raw)
	case <-time.After(within):
		c.t.Fatalf("the connection is open after %v", within)
	}
	return websocket.CloseStatus(c.err)
}

// terminated demands that the server tells the game that its player is signed in
// no longer, and then ends the connection.
func (c *gameClient) terminated(within time.Duration) {
	c.t.Helper()
	began := time.Now()
	m := c.next(within)
	if !bytes.Equal(m.raw, []byte(`{"@class":".SessionTerminatedMessage","authToken":"0"}`)) {
		c.t.Fatalf("got %s, want a SessionTerminatedMessage", m.raw)
	}
	if code := c.closes(within - time.Since(began)); code != websocket.StatusNormalClosure {
		c.t.Errorf("closed with %v", code)
	}
}

// keepsAlive sends what the SDKs send every 30 s.
func (c *gameClient) keepsAlive() {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(" ")); err != nil {
		c.t.Fatal(err)
	}
}

// dialRefused connects where that is refused, and returns the answer to the
// opening handshake.
func (h *home) dialRefused(from *http.Client, at string) answer {
	h.t.Helper()
	conn, response, err := websocket.Dial(h.t.Context(), at, &websocket.DialOptions{HTTPClient: from})
	if err == nil {
		_ = conn.CloseNow()
		h.t.Fatalf("%s was let in", at)
	}
	if response == nil {
		h.t.Fatal(err)
	}
	return readBody(h.t, response)
}

func readBody(t *testing.T, response *http.Response) answer {
	t.Helper()
	var body bytes.Buffer
	if response.Body != nil {
		_, _ = body.ReadFrom(response.Body) // as much as there is
		_ = response.Body.Close()
	}
	return answer{t, response.StatusCode, response.Header, body.Bytes()}
}
