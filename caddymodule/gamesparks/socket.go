package gamesparks

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/qqauth/qqauth/authcore"
)

// socket is one WebSocket. One goroutine reads its messages and answers them, one
// after the other; others may end it.
type socket struct {
	sockets *Sockets
	handler atomic.Pointer[Handler] // of the newest configuration
	conn    *websocket.Conn
	wire    *wire

	gate     gateID
	path     string // with credential and key
	client   authcore.ClientID
	caller   authcore.Caller
	lobby    func()    // gives the place in the lobby back; nil afterwards
	pinged   time.Time // under the lock of sockets
	greeting *gate     // until the handshake is over
	lines    struct {  // logged
		since time.Time
		n     int
	}

	mu       sync.Mutex
	player   *player // who is signed in, nil if nobody is
	busy     bool    // a message is being handled
	stop     func()  // ends the core's work on it; nil when that is done
	closed   bool    // somebody ends it
	bye      *farewell
	reviewed uint64 // the newest review that it has been through
}

// player is somebody who is signed in on a socket.
type player struct {
	session authcore.SessionID
	user    authcore.UserID
	leave   func()

	// Under the lock of the socket: the player's session or their node is over.
	over, terminated bool
}

func newSocket(h *Handler, g *gate, caller authcore.Caller) *socket {
	s := &socket{
		sockets: h.sockets, gate: g.id, greeting: g, client: g.Client, caller: caller,
		path: (&url.URL{Path: socketPrefix + "/" + g.Credential + "/" + g.APIKey}).EscapedPath(),
		wire: &wire{whole: h.sockets.times.whole},
	}
	s.handler.Store(h)
	return s
}

func (s *socket) pingReceived(context.Context, []byte) bool {
	s.wire.control()
	return true
}

func (s *socket) pongReceived(context.Context, []byte) { s.wire.control() }

// live is the socket's life.
func (s *socket) live() {
	defer s.leave()
	defer func() {
		if p := recover(); p != nil {
			s.logFault(new(call), translate(crash(p)))
		}
	}()
	if s.greet() {
		for s.next() {
		}
	}
}

// leave gives everything back.
func (s *socket) leave() {
	s.mu.Lock()
	p := s.player
	s.player, s.closed = nil, true
	s.mu.Unlock()
	if p != nil {
		p.leave()
	}
	s.leaveLobby()
	_ = s.conn.CloseNow()
	s.sockets.remove(s)
}

func (s *socket) leaveLobby() {
	if s.lobby != nil {
		s.lobby()
		s.lobby = nil
	}
}

// next reads one message and answers it. It reports whether there may be another.
func (s *socket) next() bool {
	m, err := s.read(maxMessage)
	if err != nil {
		s.lost(err)
		return false
	}
	defer m.free()
	if m.blank() {
		return true // SDKs keep their connection alive with a space
	}
	if !s.begin() {
		return false
	}
	ok := s.write(s.handle(m.bytes)) == nil
	return s.end(ok)
}

// begin says that a message is being handled, unless somebody ends the socket.
func (s *socket) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = !s.closed
	return s.busy
}

// end says that it has been answered; ok is false if that was impossible. What
// should have ended the socket meanwhile does so now, if it still should: a player
// may have been replaced.
func (s *socket) end(ok bool) bool {
	s.mu.Lock()
	s.busy = false
	f := s.due()
	s.closed = s.closed || f != nil || !ok
	s.mu.Unlock()
	if f != nil && ok {
		s.finish(*f)
	}
	return f == nil && ok
}

// due is how the socket must end now, nil if it need not. The lock is held.
func (s *socket) due() *farewell {
	switch p := s.player; {
	case p != nil && p.over && p.terminated:
		return &farewell{terminated, websocket.StatusNormalClosure}
	case p != nil && p.over:
		return &farewell{nil, websocket.StatusGoingAway}
	default:
		return s.bye
	}
}

// goIfDue ends the socket if it must end. If it is busy for a player who is signed
// in no longer, the core's work is ended first: nobody waits for QQ in vain. The lock
// is held.
func (s *socket) goIfDue() {
	f := s.due()
	switch {
	case f == nil || s.closed:
	case !s.busy:
		s.closed = true
		go s.finish(*f)
	case s.stop != nil && s.player != nil && s.player.over:
		s.stop()
	}
}

// working says how the core's work on the message can be stopped, nil when it is
// done: what was decided by then is carried out.
func (s *socket) working(stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = stop
}

// finish says farewell. Whoever calls it has set closed.
func (s *socket) finish(f farewell) {
	if f.message != nil && s.write(f.message) != nil {
		_ = s.conn.CloseNow()
		return
	}
	// The close handshake reads, and a frame that never ends must not hold it up.
	s.wire.fix(s.sockets.times.closing)
	_ = s.conn.Close(f.code, "")
}

// refuseAndClose ends the socket from the goroutine that reads.
func (s *socket) refuseAndClose(f farewell) {
	s.mu.Lock()
	mine := !s.closed
	s.closed = true
	s.mu.Unlock()
	if mine {
		s.finish(f)
	}
}

// write sends a message. A game that does not take it in time loses the
// connection, which is all that its error means.
func (s *socket) write(v any) error {
	text, err := encode(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.sockets.times.taken)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, text)
}

// terminatedMessage tells a game that its player is signed in no longer. SDKs
// forget their token when they get another, and "0" is none.
type terminatedMessage struct {
	Class     string `json:"@class"`
	AuthToken string `json:"authToken"`
}

var terminated = terminatedMessage{".SessionTerminatedMessage", "0"}

// review takes the socket to another configuration, or ends it.
func (s *socket) review(h *Handler, review uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if review < s.reviewed {
		return
	}
	s.reviewed = review
	switch {
	case h == nil:
		s.bye = &farewell{s.comeBack(), websocket.StatusGoingAway}
	case h.has(s.gate):
		s.handler.Store(h)
		s.bye = nil
	default:
		s.bye = &farewell{nil, websocket.StatusGoingAway}
	}
	s.goIfDue()
}

// comeBack sends a game to where this API will be reached again.
func (s *socket) comeBack() any {
	base := strings.TrimSuffix(s.handler.Load().publicURL, "/")
	return connectAnswer{Class: connectClass, ConnectURL: "ws" + strings.TrimPrefix(base, "http") + s.path}
}

// become signs a player in, in place of whoever was.
func (s *socket) become(ctx context.Context, service Service, play *authcore.Play) error {
	p := &player{session: play.Session, user: play.User}
	leave, err := service.Attend(ctx, s.client, play.Grant.Token, func(terminated bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		p.over, p.terminated = true, terminated
		s.goIfDue()
	})
	if err != nil {
		return err
	}
	p.leave = leave
	s.mu.Lock()
	left := s.player
	s.player = p
	s.mu.Unlock()
	if left != nil {
		left.leave()
	}
	s.leaveLobby()
	return nil
}
