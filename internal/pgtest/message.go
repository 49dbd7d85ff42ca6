package pgtest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Types of messages, PostgreSQL "Message Formats".
const (
	msgBind          = 'B'
	msgClose         = 'C'
	msgErrorResponse = 'E' // from the server
	msgExecute       = 'E' // from the client
	msgFlush         = 'H'
	msgParse         = 'P'
	msgPassword      = 'p'
	msgQuery         = 'Q'
	msgReadyForQuery = 'Z'
	msgSync          = 'S'
)

// Codes of the packets that begin a connection.
const (
	codeCancel = 1234<<16 | 5678
	codeTLS    = 1234<<16 | 5679
	codeGSS    = 1234<<16 | 5680
)

// maxMessage is PostgreSQL's own limit.
const maxMessage = 1 << 30

// readMessage appends a message to buf: type, length and body.
func readMessage(r *bufio.Reader, buf []byte) ([]byte, error) {
	head, err := r.Peek(5)
	if err != nil {
		return buf, err
	}
	return readLength(r, buf, 1+int64(binary.BigEndian.Uint32(head[1:])), 5)
}

// readPacket appends a packet of the beginning to buf, which has no type.
func readPacket(r *bufio.Reader, buf []byte) ([]byte, error) {
	head, err := r.Peek(4)
	if err != nil {
		return buf, err
	}
	return readLength(r, buf, int64(binary.BigEndian.Uint32(head)), 8)
}

func readLength(r *bufio.Reader, buf []byte, n, least int64) ([]byte, error) {
	if n < least || n > maxMessage {
		return buf, fmt.Errorf("read a message: its length is %d", n)
	}
	buf = slices.Grow(buf, int(n))
	got, err := io.ReadFull(r, buf[len(buf):len(buf)+int(n)])
	if err != nil {
		return buf, err
	}
	return buf[:len(buf)+got], nil
}

// queryMessage is a simple query.
func queryMessage(text string) []byte {
	m := binary.BigEndian.AppendUint32([]byte{msgQuery}, uint32(4+len(text)+1))
	return append(append(m, text...), 0)
}

// text cuts a zero-terminated string off a body.
func text(body []byte) (string, []byte) {
	s, rest, _ := bytes.Cut(body, []byte{0})
	return string(s), rest
}

// verbs are what the proxy wants to know of statements: whether BEGIN, COMMIT or
// any other is among them.
type verbs struct{ begin, commit, other bool }

func (v verbs) with(w verbs) verbs {
	return verbs{v.begin || w.begin, v.commit || w.commit, v.other || w.other}
}

// verbsOf looks at the first word of each statement; strings with semicolons in
// them are not understood.
func verbsOf(query string) (v verbs) {
	for statement := range strings.SplitSeq(query, ";") {
		words := strings.Fields(statement)
		if len(words) == 0 {
			continue
		}
		switch strings.ToUpper(words[0]) {
		case "BEGIN", "START":
			v.begin = true
		case "COMMIT", "END":
			v.commit = true
		default:
			v.other = true
		}
	}
	return v
}

// dictionary remembers the statements and portals of a connection by their names.
type dictionary struct{ statements, portals map[string]verbs }

// flight is what a client sends before it waits for an answer: all up to a Sync, a
// simple Query, a Flush or a password. What is none of these nor prepares one,
// such as the data of a COPY, is a flight of its own that nobody waits for.
type flight struct {
	bytes      []byte
	verbs      verbs
	statements int // executed
	fault      Fault
	awaited    bool // the client waits for an answer
	answers    int  // ReadyForQuery messages that the server has yet to send; 0 is an unsynced flight
}

// add notes the message that begins at an offset of the flight's bytes, and
// reports whether it is the last one.
func (f *flight) add(d *dictionary, from int) (last bool) {
	kind, body := f.bytes[from], f.bytes[from+5:]
	switch kind {
	case msgParse:
		name, rest := text(body)
		query, _ := text(rest)
		d.statements[name] = verbsOf(query)
	case msgBind:
		portal, rest := text(body)
		name, _ := text(rest)
		d.portals[portal] = d.statements[name]
	case msgClose:
		if name, _ := text(body[min(1, len(body)):]); len(body) > 0 && body[0] == 'S' {
			delete(d.statements, name)
		}
	case msgExecute:
		portal, _ := text(body)
		f.verbs = f.verbs.with(d.portals[portal])
		f.statements++
	case msgQuery:
		query, _ := text(body)
		f.verbs = f.verbs.with(verbsOf(query))
		f.statements++
		f.awaited, f.answers = true, 1
	case msgSync:
		f.awaited, f.answers = true, 1
	case msgFlush, msgPassword:
		f.awaited = true
	}
	return !slices.Contains([]byte{msgParse, msgBind, msgClose, msgExecute, 'D'}, kind) // D is Describe
}
