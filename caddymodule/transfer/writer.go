package transfer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// Writer writes an export: Header, Keys, Records, End, each line with one Write.
type Writer struct {
	// Counts are the records written. Whoever goes on with a file sets those that
	// it holds.
	Counts Counts

	to   io.Writer
	line bytes.Buffer
	enc  *json.Encoder
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer {
	out := &Writer{to: w}
	out.enc = json.NewEncoder(&out.line)
	out.enc.SetEscapeHTML(false)
	return out
}

// Header writes the first line.
func (w *Writer) Header(h Header) error {
	return w.write(headerLine{"export", version, h.Created.UTC().Truncate(time.Second), h.Final})
}

// Keys writes the wrapped key ring.
func (w *Writer) Keys(ring []byte) error { return w.write(keysLine{typeKeys, ring}) }

// Record writes a record. One that a Reader would refuse for its length is an
// error.
func (w *Writer) Record(r authcore.Record) error {
	line, err := lineOf(r)
	if err == nil {
		err = w.write(line)
	}
	if err == nil {
		w.Counts.add(r)
	}
	return err
}

// End writes the last line.
func (w *Writer) End() error { return w.write(endLine{typeEnd, w.Counts}) }

func (w *Writer) write(v any) error {
	w.line.Reset()
	if err := w.enc.Encode(v); err != nil {
		return fmt.Errorf("encode a line: %w", err)
	}
	if w.line.Len() > maxLine {
		return fmt.Errorf("encode a line: it is over %d KiB", maxLine>>10)
	}
	if _, err := w.to.Write(w.line.Bytes()); err != nil {
		return fmt.Errorf("write a line: %w", err)
	}
	return nil
}
