package gamesparks_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// game is a WebSocket client that was written from RFC 6455 and the vendor's SDKs
// and shares no code with what it tests.
type game struct {
	net.Conn
	in *bufio.Reader
}

// The opcodes: RFC 6455 section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

const openingHandshake = "GET /ws/" + knownCred + "/" + knownKey + " HTTP/1.1\r\nHost: id.example.com\r\n" +
	"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://elsewhere.example\r\n\r\n"

// dial opens a WebSocket of the known client; early is sent in the same packet.
func (w *world) dial(t testing.TB, early ...byte) *game {
	t.Helper()
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	g := &game{conn, bufio.NewReader(conn)}
	if _, err := conn.Write(append([]byte(openingHandshake), early...)); err != nil {
		t.Fatal(err)
	}
	g.patient(t)
	resp, err := http.ReadResponse(g.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("opening handshake was answered %d %v", resp.StatusCode, resp.Header)
	}
	if extensions := resp.Header.Get("Sec-WebSocket-Extensions"); extensions != "" {
		t.Fatalf("extensions %s", extensions)
	}
	return g
}

func (g *game) patient(t testing.TB) {
	t.Helper()
	if err := g.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

// frame is one frame, masked as a client's must be.
func frame(fin bool, op byte, payload string) []byte {
	b := []byte{op}
	if fin {
		b[0] |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	var mask [4]byte
	rand.Read(mask[:])
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

func (g *game) write(t testing.TB, b []byte) {
	t.Helper()
	if _, err := g.Write(b); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// send sends a message.
func (g *game) send(t testing.TB, text string) {
	t.Helper()
	g.write(t, frame(true, opText, text))
}

// read reads one frame of the server's.
func (g *game) read() (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(g.in, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xF0 != 0x80 || head[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("frame begins %x", head)
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var long [2]byte
		_, err = io.ReadFull(g.in, long[:])
		n = uint64(binary.BigEndian.Uint16(long[:]))
	case 127:
		var long [8]byte
		_, err = io.ReadFull(g.in, long[:])
		n = binary.BigEndian.Uint64(long[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(g.in, payload)
	return head[0] & 0x0F, payload, err
}

// receive waits for a message.
func (g *game) receive(t testing.TB) string {
	t.Helper()
	g.patient(t)
	op, payload, err := g.read()
	if err != nil || op != opText {
		t.Fatalf("opcode %d %q, %v; want a text message", op, payload, err)
	}
	return string(payload)
}

// closes waits for a close frame with the code and answers it, and then for the
// end of the connection.
func (g *game) closes(t testing.TB, code int) {
	t.Helper()
	g.patient(t)
	op, payload, err := g.read()
	if err != nil || op != opClose || len(payload) < 2 {
		t.Fatalf("opcode %d %q, %v; want a close", op, payload, err)
	}
	if got := int(binary.BigEndian.Uint16(payload)); got != code {
		t.Errorf("closed with %d, want %d", got, code)
	}
	_, _ = g.Write(frame(true, opClose, string(payload[:2])))
	g.isGone(t)
}

// isGone waits for the end of the connection.
func (g *game) isGone(t testing.TB) {
	t.Helper()
	g.patient(t)
	if op, payload, err := g.read(); err == nil {
		t.Fatalf("opcode %d %q after the end", op, payload)
	} else if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Fatal("the connection stays open")
	}
}

// nonce waits for the server's first message.
func (g *game) nonce(t testing.TB) string {
	t.Helper()
	first := g.receive(t)
	nonce, ok := strings.CutPrefix(first, `{"@class":".AuthenticatedConnectResponse","nonce":"`)
	nonce, end := strings.CutSuffix(nonce, `"}`)
	if !ok || !end || len(nonce) < 22 {
		t.Fatalf("first message is %s", first)
	}
	return nonce
}

// proof is what a game that knows secret makes of a nonce.
func proof(nonce, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(nonce))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// connectBody is what the C++ SDK answers a nonce with.
func connectBody(nonce, secret, authToken string) string {
	token := ""
	if authToken != "" {
		token = `,"authToken":"` + authToken + `"`
	}
	return `{"@class":".AuthenticatedConnectRequest","hmac":"` + proof(nonce, secret) + `","os":"Android","platform":"Android",` +
		`"deviceId":"SECRETDEVICE","deviceStats":{"gssdk":"1.0","memory":"2 GB"}` + token + `,"sessionId":"earlier"}`
}

// connected is the end of a handshake.
type connected struct {
	Class     string `json:"@class"`
	SessionID string `json:"sessionId"`
	AuthToken string `json:"authToken"`
	UserID    string `json:"userId"`
}

// handshake ends as the SDKs do it.
func (g *game) handshake(t testing.TB, authToken string) connected {
	t.Helper()
	g.send(t, connectBody(g.nonce(t), knownSecret, authToken))
	text := g.receive(t)
	var c connected
	if err := json.Unmarshal([]byte(text), &c); err != nil || c.Class != ".AuthenticatedConnectResponse" || c.SessionID == "" {
		t.Fatalf("handshake ends in %s", text)
	}
	return c
}
