package main

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"testing"
)

// loop is a connection that gives back what was sent, without the mask, as a
// server would.
type loop struct {
	net.Conn
	sent bytes.Buffer
}

func (l *loop) Write(p []byte) (int, error) {
	header := 2
	if p[1]&^masked == twoBytes {
		header = 4
	}
	if p[1]&masked == 0 || !bytes.Equal(p[header:header+4], make([]byte, 4)) {
		return 0, net.ErrClosed
	}
	l.sent.Write([]byte{p[0], p[1] &^ masked})
	l.sent.Write(p[2:header])
	l.sent.Write(p[header+4:])
	return len(p), nil
}

// Messages arrive whole, whichever way their length is written.
func TestSocketFrames(t *testing.T) {
	l := new(loop)
	s := socket{&conn{Conn: l, in: bufio.NewReader(&l.sent)}}
	for _, n := range []int{0, 1, 125, 126, 127, 300, 1<<16 - 1} {
		text := strings.Repeat("x", n)
		if err := s.send(text); err != nil {
			t.Fatal(err)
		}
		got, err := s.receive()
		if err != nil || string(got) != text {
			t.Errorf("%d bytes became %d, %v", n, len(got), err)
		}
	}
	if s.send(strings.Repeat("x", 1<<16)) == nil {
		t.Error("a message that is too long was sent")
	}
}

// A ping, a close and a part of a message are not taken for one.
func TestSocketTakesNothingElse(t *testing.T) {
	for _, frame := range []string{"\x89\x00", "\x88\x00", "\x01\x00", "\x80\x00", "\x81\x7f" + strings.Repeat("x", 200), "\x81", "\x81\x01"} {
		s := socket{&conn{in: bufio.NewReader(strings.NewReader(frame))}}
		if got, err := s.receive(); err == nil {
			t.Errorf("%x was taken for the message %q", frame, got)
		}
	}
}
