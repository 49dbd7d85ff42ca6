package gamesparks

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// upgrade lets a WebSocket in. It goes on in a goroutine of its own: the stack of
// the web server's handlers below us would otherwise stay for as long as the game
// is played, and so would the request.
func (e *exchange) upgrade() error {
	parts, err := segments(e.r, socketPrefix, 2)
	if err != nil {
		return err
	}
	if err := e.method(http.MethodGet); err != nil {
		return err
	}
	gate := e.gateByKey(parts[0], parts[1])
	if gate == nil {
		return refuse(http.StatusForbidden, "credentials", "REFUSED", "wrong credential or api key")
	}
	e.call.client = gate.Client
	if err := e.upgradable(); err != nil {
		return err
	}
	service, done, err := e.open()
	if err != nil {
		return err
	}
	defer done()
	s := newSocket(e.Handler, gate, e.whoCalls(e.r))
	if s.lobby, err = service.EnterLobby(s.caller); err != nil {
		return err
	}
	in := false
	defer func() {
		if !in {
			s.leaveLobby()
		}
	}()
	s.conn, err = websocket.Accept(&hijacker{e.w, s.wire}, e.r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // of the Origin: nothing here reads cookies
		OnPingReceived:     s.pingReceived,
		OnPongReceived:     s.pongReceived,
	})
	if err != nil {
		e.log.WarnContext(e.r.Context(), "websocket not accepted", "client_id", string(gate.Client))
		return nil // it has been answered, as far as that was possible
	}
	s.conn.SetReadLimit(-1) // read has one
	in = true
	e.sockets.add(s)
	go s.live()
	return nil
}

// upgradable reports what is wrong with an opening handshake: RFC 6455 section 4.2.
func (e *exchange) upgradable() error {
	h := e.r.Header
	switch {
	case !hasToken(h["Connection"], "upgrade"), !hasToken(h["Upgrade"], "websocket"):
		if e.r.ProtoMajor == 1 { // later ones forbid these headers
			e.w.Header().Set("Connection", "Upgrade")
			e.w.Header().Set("Upgrade", "websocket")
		}
		return refuse(http.StatusUpgradeRequired, "request", "UPGRADE_REQUIRED", "no websocket")
	case h.Get("Sec-Websocket-Version") != "13":
		e.w.Header().Set("Sec-WebSocket-Version", "13")
		return refuse(http.StatusUpgradeRequired, "request", "UPGRADE_REQUIRED", "another version of websocket")
	}
	if keys := h["Sec-Websocket-Key"]; len(keys) == 1 {
		if key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0])); err == nil && len(key) == 16 {
			return nil
		}
	}
	return malformed("no websocket key")
}

// hasToken reports whether a comma-separated header has a token, in whatever case.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
