package gamesparks

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// bufferSize is that of a connection's two buffers. The server's own have 4 KiB
// each, which ten thousand silent games would hold for nothing; what is longer
// goes past a buffer.
const bufferSize = 512

// wire is a WebSocket's connection below the frames. It knows when a byte last
// came, and bounds how long a message may be under way, also one whose sender
// drips it byte for byte into a frame's header.
type wire struct {
	net.Conn
	seen    atomic.Int64 // when a byte last came, in Unix nanoseconds
	whole   time.Duration
	pending *bufio.Reader // what came and is not read yet

	mu    sync.Mutex
	fixed bool // the deadline stays: of the handshake, or of the close
	begun bool // a message is under way
	// inside says that a message's first frame has been met: a control frame in
	// the midst of it does not end it.
	inside bool
}

// hijacker takes the connection over from the web server, with buffers of our own.
type hijacker struct {
	http.ResponseWriter
	wire *wire
}

// Hijack implements [http.Hijacker]. It goes past whatever others have put around
// the server's writer: what they count, they would go on counting while they report
// it, and each would keep the request for as long as the game is played.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	writer := h.ResponseWriter
	for {
		outer, ok := writer.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		writer = outer.Unwrap()
	}
	conn, theirs, err := http.NewResponseController(writer).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, _ := theirs.Reader.Peek(theirs.Reader.Buffered())
	h.wire.Conn = conn
	if len(early) > 0 {
		// A game that does not wait for our answer.
		h.wire.Conn = &earlyConn{Conn: conn, early: bytes.NewReader(bytes.Clone(early))}
	}
	h.wire.pending = bufio.NewReaderSize(h.wire, bufferSize)
	h.wire.seen.Store(time.Now().UnixNano())
	return h.wire, bufio.NewReadWriter(h.wire.pending, bufio.NewWriterSize(h.wire, bufferSize)), nil
}

// earlyConn is a connection of which some bytes were read already.
type earlyConn struct {
	net.Conn
	early *bytes.Reader
}

func (c *earlyConn) Read(p []byte) (int, error) {
	if n, err := c.early.Read(p); err != io.EOF {
		return n, err
	}
	return c.Conn.Read(p)
}

// Read notes that something came, and when what came must be whole.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		now := time.Now()
		w.seen.Store(now.UnixNano())
		w.mu.Lock()
		if !w.begun {
			w.begun = true
			w.deadline(now.Add(w.whole))
		}
		w.mu.Unlock()
	}
	if err == io.EOF {
		// The WebSocket library takes an EOF for the end of a message, and would
		// hand on what has come of one that was cut off.
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// enter says that a message's first frame has been met.
func (w *wire) enter() {
	w.mu.Lock()
	w.inside = true
	w.mu.Unlock()
}

// await says that the next message may begin.
func (w *wire) await() {
	w.mu.Lock()
	w.inside = false
	w.rest()
	w.mu.Unlock()
}

// control says that a control frame has been read to its end.
func (w *wire) control() {
	w.mu.Lock()
	if !w.inside {
		w.rest()
	}
	w.mu.Unlock()
}

// rest waits for as long as nothing comes. What has come already is the next
// message, whose time begins now.
func (w *wire) rest() {
	if w.fixed {
		return // and pending may be another goroutine's
	}
	if w.begun = w.pending.Buffered() > 0; w.begun {
		w.deadline(time.Now().Add(w.whole))
	} else {
		w.deadline(time.Time{})
	}
}

func (w *wire) deadline(t time.Time) {
	if !w.fixed {
		_ = w.SetReadDeadline(t) // fails on a closed connection only
	}
}

// fix sets a deadline that nothing moves.
func (w *wire) fix(after time.Duration) {
	w.mu.Lock()
	w.fixed = true
	_ = w.SetReadDeadline(time.Now().Add(after))
	w.mu.Unlock()
}

// unfix lifts it, until somebody says what to wait for.
func (w *wire) unfix() {
	w.mu.Lock()
	w.fixed = false
	w.mu.Unlock()
}

// silence is how long nothing has come.
func (w *wire) silence(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, w.seen.Load()))
}
