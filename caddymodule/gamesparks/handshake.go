package gamesparks

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/coder/websocket"

	"github.com/qqauth/qqauth/authcore"
)

// maxHandshake bounds in bytes what somebody may send who has not yet shown that
// they are a game of ours.
const maxHandshake = 4 << 10

// connectClassOfRequest is the @class of what a game answers a nonce with.
const connectClassOfRequest = ".AuthenticatedConnectRequest"

type (
	connectRequest struct {
		HMAC      string `json:"hmac"`
		AuthToken string `json:"authToken"`
		OS        loose  `json:"os"`
		Platform  loose  `json:"platform"`
	}
	// connectAnswer is what is sent during the handshake, keys in the alphabet's
	// order.
	connectAnswer struct {
		Class      string          `json:"@class"`
		AuthToken  string          `json:"authToken,omitempty"`
		ConnectURL string          `json:"connectUrl,omitempty"`
		Nonce      string          `json:"nonce,omitempty"`
		SessionID  string          `json:"sessionId,omitempty"`
		User       authcore.UserID `json:"userId,omitempty"`
	}
)

// connection is the refusal of a handshake.
var connection = &request{name: "AuthenticatedConnectRequest", answer: connectClass}

// greet is the handshake. It reports whether messages may follow.
func (s *socket) greet() bool {
	s.wire.fix(s.sockets.times.handshake)
	nonce := random128()
	if s.write(connectAnswer{Class: connectClass, Nonce: nonce}) != nil {
		return false
	}
	for {
		m, err := s.read(maxHandshake)
		if err != nil {
			s.lost(err)
			return false
		}
		if m.blank() {
			m.free()
			continue
		}
		if !s.begin() {
			m.free()
			return false
		}
		ok := s.admit(m.bytes, nonce)
		m.free()
		if ok {
			s.greeting = nil
			s.wire.unfix()
		}
		return s.end(ok)
	}
}

// admit decides about what a game answered the nonce with.
func (s *socket) admit(body []byte, nonce string) (ok bool) {
	c := &call{client: s.client, caller: s.caller}
	answers, err := s.connect(c, body, nonce)
	if err != nil {
		f := translate(err)
		s.logFault(c, f)
		code := websocket.StatusPolicyViolation
		if f.ours {
			code = websocket.StatusTryAgainLater
		}
		s.refuseAndClose(farewell{c.refusal(f), code})
		return false
	}
	for _, a := range answers {
		if s.write(a) != nil {
			return false
		}
	}
	return true
}

// connect checks the proof and resumes the player who is named, if that can be.
// It returns what is to be sent: a player who cannot go on without more is
// connected without being signed in, and told why.
func (s *socket) connect(c *call, body []byte, nonce string) (answers []any, err error) {
	defer func() {
		if p := recover(); p != nil {
			answers, err = nil, crash(p)
		}
	}()
	if err := c.read(body); err != nil {
		return nil, err
	}
	if c.envelope.Class == nil || *c.envelope.Class != connectClassOfRequest {
		if err := c.named(); err != nil {
			return nil, err
		}
		return nil, notAuthorized("a request before the handshake is over")
	}
	c.request = connection
	var in connectRequest
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	if !proves(in.HMAC, nonce, s.greeting.Secret.Reveal()) {
		return nil, refuse(http.StatusForbidden, "credentials", "REFUSED", "wrong hmac")
	}
	s.caller.OS, s.caller.Agent = spaced(in.OS), spaced(in.Platform)
	c.caller = s.caller
	connected := connectAnswer{Class: connectClass, SessionID: random128()}
	if isNoToken(in.AuthToken) {
		return []any{connected}, nil
	}
	play, err := s.resume(c, in.AuthToken)
	if err == nil {
		connected.AuthToken, connected.User = play.Grant.Token.Reveal(), play.User
	}
	if err == nil || errors.Is(err, authcore.ErrSession) { // a dead token: the game logs in anew
		return []any{connected}, nil
	}
	f := translate(err)
	if f.status >= http.StatusInternalServerError {
		return nil, err // the game comes back, with its token
	}
	s.logFault(c, f)
	login := &call{request: &request{answer: loginClass}}
	return []any{connected, login.refusal(f)}, nil
}

// resume signs the player of an authToken in.
func (s *socket) resume(c *call, authToken string) (*authcore.Play, error) {
	service, done, err := s.handler.Load().open()
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), s.sockets.times.work)
	defer cancel()
	play, err := service.Resume(ctx, s.client, c.caller, authToken)
	if err == nil {
		err = unfinished(play)
	}
	if err == nil {
		err = s.become(ctx, service, &play)
	}
	return &play, err
}

// proves reports whether a game knows the secret: the nonce's HMAC in base64. It
// takes the same time for every proof of the right length.
func proves(proof, nonce, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(nonce))
	return hmac.Equal([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), []byte(proof))
}

// random128 is 128 random bits.
func random128() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}
