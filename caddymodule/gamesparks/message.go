package gamesparks

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/coder/websocket"

	"github.com/qqauth/qqauth/authcore"
)

// firstBuffer is what a message gets when its first frame begins. It grows as the
// bytes come, whatever the frame says is to come.
const firstBuffer = 512

var (
	errTooLong  = errors.New("message is too long")
	errNoMemory = errors.New("too many unfinished messages")
)

// message is one that has been read. Its memory is counted until it is freed.
type message struct {
	bytes  []byte
	budget *budget
	site   netip.Addr // whom it is counted for
}

func (m *message) free() {
	m.budget.give(cap(m.bytes), m.site)
	m.bytes = nil
}

func (m *message) blank() bool { return len(bytes.TrimSpace(m.bytes)) == 0 }

// read reads one message of at most limit bytes, text or binary.
func (s *socket) read(limit int) (*message, error) {
	s.wire.await()
	// No deadline here: the wire has one, which begins when something comes.
	_, r, err := s.conn.Reader(context.Background())
	if err != nil {
		return nil, err
	}
	s.wire.enter()
	return s.sockets.readAll(r, limit, s.caller.Addr)
}

// readAll reads what somebody sends, at most limit bytes.
func (ss *Sockets) readAll(r io.Reader, limit int, from netip.Addr) (*message, error) {
	m := &message{budget: &ss.budget, site: authcore.Site(from)}
	if err := m.fill(r, limit); err != nil {
		m.free()
		return nil, err
	}
	return m, nil
}

func (m *message) fill(r io.Reader, limit int) error {
	for {
		if len(m.bytes) == cap(m.bytes) {
			if err := m.grow(limit + 1); err != nil {
				return err
			}
		}
		n, err := r.Read(m.bytes[len(m.bytes):cap(m.bytes)])
		m.bytes = m.bytes[:len(m.bytes)+n]
		switch {
		case len(m.bytes) > limit:
			return errTooLong
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// grow doubles the buffer, up to most bytes.
func (m *message) grow(most int) error {
	size := min(max(firstBuffer, 2*cap(m.bytes)), most)
	if !m.budget.take(size-cap(m.bytes), m.site) {
		return errNoMemory
	}
	bigger := make([]byte, len(m.bytes), size)
	copy(bigger, m.bytes)
	m.bytes = bigger
	return nil
}

// lost ends a socket whose next message cannot be had, and says why if that is
// the game's fault.
func (s *socket) lost(err error) {
	var f *fault
	code := websocket.StatusPolicyViolation
	switch {
	case errors.Is(err, errTooLong):
		code = websocket.StatusMessageTooBig
		f = &fault{status: http.StatusRequestEntityTooLarge, reasons: reasons{"request": "TOO_LARGE"}, why: err.Error()}
	case errors.Is(err, errNoMemory):
		code = websocket.StatusTryAgainLater
		f = &fault{status: http.StatusServiceUnavailable, reasons: reasons{"request": "LIMIT"}, why: err.Error()}
	case errors.Is(err, os.ErrDeadlineExceeded):
		f = &fault{status: http.StatusRequestTimeout, reasons: reasons{"request": "TIMEOUT"}, why: "message does not come to its end"}
	default:
		return // it is gone, or speaks no WebSocket
	}
	if s.isClosed() {
		return // the deadline was that of the close
	}
	s.logFault(new(call), f)
	s.refuseAndClose(farewell{nil, code})
}

func (s *socket) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// handle carries a message out and returns its answer.
func (s *socket) handle(body []byte) (answer any) {
	c := &call{client: s.client, caller: s.caller}
	s.mu.Lock()
	if s.player != nil {
		c.session, c.user = s.player.session, s.player.user
	}
	s.mu.Unlock()
	answer, err := s.carryOut(c, body)
	if err != nil {
		f := translate(err)
		s.logFault(c, f)
		return c.refusal(f)
	}
	return answer
}

func (s *socket) carryOut(c *call, body []byte) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, crash(p)
		}
	}()
	if err := c.read(body); err != nil {
		return nil, err
	}
	if err := c.named(); err != nil {
		return nil, err
	}
	service, done, err := s.handler.Load().open()
	if err != nil {
		return nil, err
	}
	defer done()
	c.service = service
	ctx, cancel := context.WithTimeout(context.Background(), s.sockets.times.work)
	defer cancel()
	s.working(cancel)
	answer, err = c.run(ctx)
	s.working(nil)
	if err != nil {
		return nil, err
	}
	if c.play != nil {
		ctx, cancel := context.WithTimeout(context.Background(), s.sockets.times.work)
		defer cancel()
		if err := s.become(ctx, service, c.play); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// maxLines is how many refusals of one connection a minute are logged: a flood of
// them is not to push everything else out of a log.
const maxLines = 60

func (s *socket) logFault(c *call, f *fault) {
	now := time.Now()
	if now.Sub(s.lines.since) > time.Minute {
		s.lines.since, s.lines.n = now, 0
	}
	if s.lines.n++; s.lines.n > maxLines && !f.ours {
		return
	}
	c.client = s.client
	c.logFault(context.Background(), s.handler.Load().log, f)
}
