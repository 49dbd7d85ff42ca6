package transfer

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/qqauth/qqauth/authcore"
)

// The columns of a table; segmentColumn begins the name of any number more.
const (
	columnApp      = "app_id"
	columnOpenID   = "open_id"
	columnUnionID  = "unionid"
	columnName     = "display_name"
	columnMobile   = "mobile"
	columnEmail    = "email"
	columnVerified = "verified"
	segmentColumn  = "segment."
)

// Table reads accounts from CSV (RFC 4180) whose first row names the columns.
type Table struct {
	rows    *csv.Reader
	bound   *bound
	app     authcore.AppID
	columns []string
}

// NewTable reads the first row. app is the application of rows without app_id.
func NewTable(r io.Reader, app authcore.AppID) (*Table, error) {
	t := &Table{bound: &bound{from: r}, app: app}
	t.bound.reset()
	t.rows = csv.NewReader(withoutBOM(t.bound))
	columns, err := t.rows.Read()
	if err != nil {
		return nil, fmt.Errorf("line 1: no row that names the columns")
	}
	for i, c := range columns {
		c = strings.TrimSpace(c)
		known := slices.Contains([]string{columnApp, columnOpenID, columnUnionID, columnName, columnMobile, columnEmail, columnVerified}, c)
		if !known && (!strings.HasPrefix(c, segmentColumn) || c == segmentColumn) {
			return nil, fmt.Errorf("line 1: column %d has an unknown name; write %s, %s, %s, %s, %s, %s, %s or %sNAME",
				i+1, columnApp, columnOpenID, columnUnionID, columnName, columnMobile, columnEmail, columnVerified, segmentColumn)
		}
		if slices.Contains(t.columns, c) {
			return nil, fmt.Errorf("line 1: column %d has the name of another", i+1)
		}
		t.columns = append(t.columns, c)
	}
	return t, t.check()
}

// check refuses tables that cannot be meant.
func (t *Table) check() error {
	has := func(c string) bool { return slices.Contains(t.columns, c) }
	switch {
	case !has(columnOpenID):
		return fmt.Errorf("line 1: there is no column %s", columnOpenID)
	case !has(columnApp) && t.app == "":
		return fmt.Errorf("line 1: there is no column %s, and no --app instead", columnApp)
	case (has(columnMobile) || has(columnEmail)) && !has(columnVerified):
		return fmt.Errorf("line 1: %s and %s are taken from rows alone whose column %s says true", columnMobile, columnEmail, columnVerified)
	}
	return nil
}

// Next reads a row; io.EOF after the last. Its errors hold nothing of the row.
func (t *Table) Next() (Line, error) {
	t.bound.reset()
	row, err := t.rows.Read()
	if errors.Is(err, io.EOF) {
		return Line{}, io.EOF
	}
	var malformed *csv.ParseError
	if errors.As(err, &malformed) {
		return Line{}, fmt.Errorf("line %d: %w", malformed.StartLine, malformed.Err)
	}
	if err != nil {
		return Line{}, err
	}
	number, _ := t.rows.FieldPos(0)
	a, err := t.account(row)
	if err != nil {
		return Line{}, fmt.Errorf("line %d: %w", number, err)
	}
	return Line{Number: number, Record: authcore.Record{Account: a}}, nil
}

// account reads a row, which has as many fields as there are columns.
func (t *Table) account(row []string) (*authcore.Account, error) {
	a := &authcore.Account{App: t.app}
	verified := ""
	fields := map[string]*string{
		columnOpenID: &a.OpenID, columnUnionID: &a.UnionID, columnName: &a.DisplayName,
		columnMobile: &a.Mobile, columnEmail: &a.Email, columnVerified: &verified,
	}
	for i, value := range row {
		value = strings.TrimSpace(value)
		segment, isSegment := strings.CutPrefix(t.columns[i], segmentColumn)
		switch {
		case value == "":
		case t.columns[i] == columnApp:
			a.App = authcore.AppID(value)
		case isSegment:
			if a.Segments == nil {
				a.Segments = map[string]string{}
			}
			a.Segments[segment] = value
		default:
			*fields[t.columns[i]] = value
		}
	}
	switch strings.ToLower(verified) {
	case "true", "yes", "1":
		a.Verified = true
	case "false", "no", "0", "":
	default:
		return nil, fmt.Errorf("%s is neither true nor false", columnVerified)
	}
	return a, nil
}

// Offset is where the last row read ends.
func (t *Table) Offset() int64 { return t.rows.InputOffset() }

// List reads accounts of one application, an openid a line.
type List struct {
	lines  *bufio.Scanner
	app    authcore.AppID
	number int
	offset int64
}

// NewList reads openids of an application.
func NewList(r io.Reader, app authcore.AppID) (*List, error) {
	if app == "" {
		return nil, errors.New("a list of openids needs --app")
	}
	l := &List{lines: bufio.NewScanner(withoutBOM(r)), app: app}
	l.lines.Buffer(nil, maxLine)
	return l, nil
}

// Next reads the next openid; io.EOF after the last. Empty lines are passed over.
func (l *List) Next() (Line, error) {
	for l.lines.Scan() {
		l.number++
		l.offset += int64(len(l.lines.Bytes())) + 1
		if id := strings.TrimSpace(l.lines.Text()); id != "" {
			return Line{Number: l.number, Record: authcore.Record{Account: &authcore.Account{App: l.app, OpenID: id}}}, nil
		}
	}
	if err := l.lines.Err(); err != nil {
		return Line{}, fmt.Errorf("line %d: %w", l.number+1, err)
	}
	return Line{}, io.EOF
}

// Offset is about where the last line read ends.
func (l *List) Offset() int64 { return l.offset }

// withoutBOM passes over the byte order mark that spreadsheets write.
func withoutBOM(r io.Reader) io.Reader {
	b := bufio.NewReader(r)
	if mark, _ := b.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = b.Discard(len(mark)) // they are there
	}
	return b
}

// bound refuses to read on for one row for ever: a quote that is never closed
// would bring the whole file into memory.
type bound struct {
	from io.Reader
	left int
}

// readAhead is more than the buffers between bound and its reader hold.
const readAhead = 64 << 10

func (b *bound) reset() { b.left = maxLine + readAhead }

func (b *bound) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("a row is longer than %d KiB", maxLine>>10)
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
