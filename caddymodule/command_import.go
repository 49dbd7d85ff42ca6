package caddymodule

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/transfer"
)

// stepRecords and stepBytes bound what is taken between two notes of the
// progress, and through a running server by one request.
const (
	stepRecords = 1000
	stepBytes   = maxImportBody / 2
)

// lines is a file that is imported.
type lines interface {
	// Next returns its next line, io.EOF after the last.
	Next() (transfer.Line, error)
	// Offset is where in the file the last line ends.
	Offset() int64
}

// importFile is a file that is imported, and how it is read.
type importFile struct {
	*os.File
	open func(io.Reader) (lines, error)
}

func openImport(flags caddycmd.Flags) (*importFile, error) {
	app := authcore.AppID(flags.String("app"))
	f := new(importFile)
	switch format := flags.String("format"); format {
	case "jsonl":
		f.open = func(r io.Reader) (lines, error) { return transfer.NewReader(r) }
	case "csv":
		f.open = func(r io.Reader) (lines, error) { return transfer.NewTable(r, app) }
	case "openids":
		f.open = func(r io.Reader) (lines, error) { return transfer.NewList(r, app) }
	default:
		return nil, fmt.Errorf("format %q is none of jsonl, csv and openids", format)
	}
	var err error
	f.File, err = os.Open(flags.Arg(0))
	return f, err
}

// fromStart reads the file from its first line.
func (f *importFile) fromStart() (lines, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return f.open(f.File)
}

// survey reads the whole file before any of it is taken, so that one that is cut
// or damaged changes nothing.
func (f *importFile) survey(ctx context.Context) (records int64, err error) {
	in, err := f.fromStart()
	if err != nil {
		return 0, err
	}
	for {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return 0, err
		}
		if line.Keys == nil {
			records++
		}
	}
}

func runImport(ctx context.Context, flags caddycmd.Flags) (err error) {
	file, err := openImport(flags)
	if err != nil {
		return err
	}
	defer file.Close()
	total, err := file.survey(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", file.Name(), err)
	}
	i := &importRun{file: file, dry: flags.Bool("dry-run"), withoutKeys: flags.Bool("without-keys")}
	if err := i.findNote(); err != nil {
		return err
	}
	if i.base, err = openAccounts(ctx, flags, true); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.base.close()) }()
	i.shown = newProgress("import", total)
	err = i.run(ctx)
	i.shown.end()
	if err != nil {
		return err
	}
	if _, mine := i.base.(*opened); mine && !i.dry {
		i.note.Report.audit(auditOfCommands())
	}
	if flags.Bool("json") {
		return json.NewEncoder(os.Stdout).Encode(i.note.Report)
	}
	i.note.Report.write(os.Stdout)
	return nil
}

// importRun is one run of an import, which an earlier one may have begun.
type importRun struct {
	file             *importFile
	base             accounts
	dry, withoutKeys bool
	noteless         bool // cannot be written
	note             importNote
	shown            *progress
}

// importNote is what the file <name>.progress holds.
type importNote struct {
	// Head is the SHA-256 of the file's first line, and Size its length: the note
	// is about that file.
	Head string `json:"head"`
	Size int64  `json:"size"`
	// Records have been taken, up to Line and Offset.
	Records int64        `json:"records"`
	Line    int          `json:"line"`
	Offset  int64        `json:"offset"`
	Report  importReport `json:"report"`
}

func (i *importRun) notePath() string { return i.file.Name() + ".progress" }

// findNote describes the file and goes on where an earlier run has ended.
func (i *importRun) findNote() error {
	if _, err := i.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	head, err := bufio.NewReader(i.file).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	info, err := i.file.Stat()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(head)
	i.note = importNote{Head: hex.EncodeToString(sum[:]), Size: info.Size(), Report: importReport{DryRun: i.dry}}
	text, err := os.ReadFile(i.notePath())
	var found importNote
	if i.dry || err != nil || json.Unmarshal(text, &found) != nil || found.Head != i.note.Head || found.Size != i.note.Size {
		return nil // none, or another file's
	}
	fmt.Fprintf(os.Stderr, "going on behind line %d, as %s says\n", found.Line, i.notePath())
	i.note = found
	return nil
}

// keep writes the note. A lost one costs time alone: what is imported twice
// changes nothing.
func (i *importRun) keep() {
	if i.dry || i.noteless {
		return
	}
	text, err := json.Marshal(i.note)
	next := i.notePath() + ".new"
	if err == nil {
		err = os.WriteFile(next, text, 0o600)
	}
	if err == nil {
		err = os.Rename(next, i.notePath())
	}
	if err != nil {
		i.noteless = true
		fmt.Fprintf(os.Stderr, "if this import is interrupted, it begins anew: %v\n", err)
	}
}

func (i *importRun) run(ctx context.Context) error {
	in, err := i.file.fromStart()
	if err != nil {
		return err
	}
	line, err := in.Next()
	cfg := authcore.ImportConfig{DryRun: i.dry}
	if !i.withoutKeys {
		cfg.Keys = line.Keys
	}
	keys, beginErr := i.base.begin(ctx, cfg)
	if errors.Is(beginErr, authcore.ErrWrongSecret) {
		return fmt.Errorf("%w: write that one as the second of secret_key, or leave keys and sessions out by --without-keys", beginErr)
	} else if beginErr != nil {
		return beginErr
	}
	i.note.Report.Keys = keys
	if line.Keys != nil {
		line, err = in.Next()
	}
	i.shown.add(i.note.Records)
	var next step
	for n := int64(0); err == nil; n++ {
		if n >= i.note.Records+int64(len(next.records)) {
			next.add(line, in.Offset())
		}
		if next.full() {
			if err := i.take(ctx, &next); err != nil {
				return err
			}
		}
		line, err = in.Next()
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	if err := i.take(ctx, &next); err != nil || i.dry || i.noteless {
		return err
	}
	if err := os.Remove(i.notePath()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// take takes a step's records and notes that.
func (i *importRun) take(ctx context.Context, s *step) error {
	if len(s.records) == 0 {
		return nil
	}
	report, err := i.base.take(ctx, s.records)
	if errors.Is(err, authcore.ErrFrozen) {
		return fmt.Errorf("%w since an export --final: open it by caddy qqauth reopen", err)
	}
	if err != nil {
		return fmt.Errorf("after line %d: %w", i.note.Line, err)
	}
	i.note.Report.add(report, func(record int) int { return s.numbers[record] })
	i.note.Records += int64(len(s.records))
	i.note.Line, i.note.Offset = s.numbers[len(s.numbers)-1], s.ends
	i.keep()
	i.shown.add(int64(len(s.records)))
	*s = step{begins: s.ends}
	return nil
}

// step is what is taken at once.
type step struct {
	records      []authcore.Record
	numbers      []int // of their lines
	begins, ends int64 // in the file
}

func (s *step) add(line transfer.Line, offset int64) {
	if len(s.records) == 0 && s.begins == 0 {
		s.begins = offset
	}
	s.records, s.numbers, s.ends = append(s.records, line.Record), append(s.numbers, line.Number), offset
}

func (s *step) full() bool { return len(s.records) == stepRecords || s.ends-s.begins > stepBytes }
