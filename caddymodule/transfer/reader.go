package transfer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/strictjson"
)

var (
	// ErrIncomplete says that a file ends before its last line: its export did
	// not.
	ErrIncomplete = errors.New("the file is incomplete")
	// ErrCut says that it ends within a line. It wraps ErrIncomplete.
	ErrCut = fmt.Errorf("%w: its last line is cut off", ErrIncomplete)
)

// Line is one line of a file: the wrapped key ring, or a record.
type Line struct {
	Number int // from 1
	Keys   []byte
	Record authcore.Record
}

// Reader reads an export, line by line.
type Reader struct {
	Header Header

	from   *bufio.Reader
	number int
	offset int64
	counts Counts
	keys   bool // were read
	ended  bool
}

// NewReader reads the first line. ErrIncomplete: there is none.
func NewReader(r io.Reader) (*Reader, error) {
	in := &Reader{from: bufio.NewReaderSize(r, maxLine)}
	text, err := in.line()
	if errors.Is(err, io.EOF) {
		return nil, ErrIncomplete
	} else if err != nil {
		return nil, err
	}
	var first struct {
		Kind    string `json:"qqauth"`
		Version int    `json:"version"`
	}
	if err := strictjson.Decode(text, &first); err != nil || first.Kind != "export" {
		return nil, in.fault("not the header of an export of qqauth")
	}
	if first.Version != version {
		return nil, in.fault(fmt.Sprintf("version %d of the format; this qqauth reads version %d", first.Version, version))
	}
	var h headerLine
	if err := decode(text, &h, &h.Created); err != nil {
		return nil, in.fault(err.Error())
	}
	in.Header = Header{Created: h.Created, Final: h.Final}
	return in, nil
}

// Next reads the next line; io.EOF after the last one. Any other error is final:
// ErrIncomplete if there is no last line, or what is wrong with the line that it
// names.
func (r *Reader) Next() (Line, error) {
	text, err := r.line()
	if errors.Is(err, io.EOF) {
		if r.ended {
			return Line{}, io.EOF
		}
		return Line{}, ErrIncomplete
	} else if err != nil {
		return Line{}, err
	}
	if r.ended {
		return Line{}, r.fault("it follows the last line")
	}
	var any struct {
		Type string `json:"type"`
	}
	if err := strictjson.Decode(text, &any); err != nil {
		return Line{}, r.fault(err.Error())
	}
	switch any.Type {
	case typeEnd:
		return Line{}, r.end(text)
	case typeKeys:
		return r.readKeys(text)
	}
	record, err := recordOf(any.Type, text)
	if err != nil {
		return Line{}, r.fault(err.Error())
	}
	r.counts.add(record)
	return Line{Number: r.number, Record: record}, nil
}

// Counts are the records read so far.
func (r *Reader) Counts() Counts { return r.counts }

// Offset is where the last line read ends.
func (r *Reader) Offset() int64 { return r.offset }

func (r *Reader) readKeys(text []byte) (Line, error) {
	var l keysLine
	if err := unmarshal(text, &l); err != nil {
		return Line{}, r.fault(err.Error())
	}
	if r.keys || r.counts != (Counts{}) || len(l.Ring) == 0 {
		return Line{}, r.fault("keys are empty or out of place")
	}
	r.keys = true
	return Line{Number: r.number, Keys: l.Ring}, nil
}

// end checks the last line and that nothing follows.
func (r *Reader) end(text []byte) error {
	var l endLine
	if err := unmarshal(text, &l); err != nil {
		return r.fault(err.Error())
	}
	if l.Counts != r.counts {
		return r.fault("it counts other records than the file holds")
	}
	r.ended = true
	_, err := r.Next()
	return err
}

// line reads a line without its end.
func (r *Reader) line() ([]byte, error) {
	text, err := r.from.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		r.number++
		return nil, r.fault(fmt.Sprintf("longer than %d KiB", maxLine>>10))
	case errors.Is(err, io.EOF) && len(text) > 0:
		return nil, ErrCut
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("read line %d: %w", r.number+1, err)
	}
	r.number++
	r.offset += int64(len(text))
	return text[:len(text)-1], nil
}

func (r *Reader) fault(what string) error { return fmt.Errorf("line %d: %s", r.number, what) }

// unmarshal reads a JSON object that has passed strictjson, and refuses fields
// that v has not. Its errors hold nothing of the object.
func unmarshal(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return errors.New("an unknown field, or a value of the wrong type")
	}
	return nil
}
