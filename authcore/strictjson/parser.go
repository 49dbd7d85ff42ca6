package strictjson

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
)

// parser walks over data once. Its methods leave pos after what they read.
type parser struct {
	data []byte
	pos  int
}

// peek returns the next byte, 0 at the end; a 0 in the data fits no rule.
func (p *parser) peek() byte {
	if p.pos < len(p.data) {
		return p.data[p.pos]
	}
	return 0
}

func (p *parser) skip(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// value checks one value. escaped tells a string that is not its own spelling.
func (p *parser) value(depth int) (escaped bool, err error) {
	switch c := p.peek(); c {
	case '{':
		return false, p.object(reflect.Value{}, depth+1)
	case '[':
		return false, p.array(depth + 1)
	case '"':
		return p.text()
	case 't':
		return false, p.literal("true")
	case 'f':
		return false, p.literal("false")
	case 'n':
		return false, p.literal("null")
	default:
		return false, p.number()
	}
}

func (p *parser) array(depth int) error {
	if depth > maxDepth {
		return ErrSyntax
	}
	p.pos++ // the bracket
	if p.space(); p.skip(']') {
		return nil
	}
	for {
		if _, err := p.value(depth); err != nil {
			return err
		}
		if p.space(); p.skip(']') {
			return nil
		}
		if !p.skip(',') {
			return ErrSyntax
		}
		p.space()
	}
}

// text checks a string, quotes included.
func (p *parser) text() (escaped bool, err error) {
	for p.pos++; p.pos < len(p.data); p.pos++ {
		switch c := p.data[p.pos]; {
		case c == '"':
			p.pos++
			return escaped, nil
		case c == '\\':
			escaped = true
			if !p.escape() {
				return escaped, ErrSyntax
			}
		case c < ' ':
			return escaped, ErrSyntax
		}
	}
	return escaped, ErrSyntax
}

// escape checks the escape that begins at pos and leaves pos on its last byte.
// Half a surrogate pair names no character, and readers differ in what they
// make of it.
func (p *parser) escape() bool {
	p.pos++
	if c := p.peek(); c != 'u' {
		return strings.IndexByte(`"\/bfnrt`, c) >= 0
	}
	switch u, ok := p.hex4(); {
	case !ok, u >= 0xDC00 && u < 0xE000:
		return false
	case u < 0xD800 || u >= 0xE000:
		return true
	}
	if !bytes.HasPrefix(p.data[p.pos+1:], []byte(`\u`)) {
		return false
	}
	p.pos += 2
	low, ok := p.hex4()
	return ok && low >= 0xDC00 && low < 0xE000
}

// hex4 reads the four digits after pos.
func (p *parser) hex4() (uint64, bool) {
	if len(p.data)-p.pos < 5 {
		return 0, false
	}
	p.pos += 4
	u, err := strconv.ParseUint(string(p.data[p.pos-3:p.pos+1]), 16, 16)
	return u, err == nil
}

func (p *parser) literal(word string) error {
	if !bytes.HasPrefix(p.data[p.pos:], []byte(word)) {
		return ErrSyntax
	}
	p.pos += len(word)
	return nil
}

// number checks a number: RFC 8259 §6.
func (p *parser) number() error {
	p.skip('-')
	if !p.skip('0') && p.digits() == 0 {
		return ErrSyntax
	}
	if p.skip('.') && p.digits() == 0 {
		return ErrSyntax
	}
	if p.skip('e') || p.skip('E') {
		if !p.skip('+') {
			p.skip('-')
		}
		if p.digits() == 0 {
			return ErrSyntax
		}
	}
	return nil
}

func (p *parser) digits() (n int) {
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.pos++
		n++
	}
	return n
}
