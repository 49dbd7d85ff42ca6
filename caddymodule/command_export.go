package caddymodule

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/transfer"
)

func runExport(ctx context.Context, flags caddycmd.Flags) (err error) {
	output, final := flags.String("output"), flags.Bool("final")
	if output == "" {
		return errors.New("write --output <file>")
	}
	file, err := openExport(output, flags.Bool("resume"), final)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.close()) }()
	if file.fresh && final && !flags.Bool("yes") {
		if err := confirmFinal(); err != nil {
			return err
		}
	}
	if !file.complete {
		if err := fill(ctx, flags, file); err != nil {
			return err
		}
	}
	if err := file.finish(output); err != nil {
		return err
	}
	return reportExport(output, file, flags.Bool("json"))
}

// fill brings the records that the file does not have.
func fill(ctx context.Context, flags caddycmd.Flags, file *exportFile) (err error) {
	base, err := openAccounts(ctx, flags, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, base.close()) }()
	if file.fresh && file.header.Final {
		if err := base.freeze(ctx, true); err != nil {
			return fmt.Errorf("close the store for writing: %w", err)
		}
		fmt.Fprintln(os.Stderr, frozenNotice)
	}
	shown := newProgress("export", -1)
	defer shown.end()
	err = base.export(ctx, file.last, file.header.Final, file.keys, func(r authcore.Record) error {
		shown.add(1)
		return file.out.Record(r)
	})
	if errors.Is(err, authcore.ErrNotFrozen) {
		return fmt.Errorf("%w: it was opened again since this export began; remove %s and begin anew", err, file.name())
	}
	return err
}

const frozenNotice = `The store is closed for writing: logins, log-outs and every other change answer 503
from now on, guards go on. To open it again: caddy qqauth reopen`

// confirmFinal asks whether the store is to be closed.
func confirmFinal() error {
	if !isTerminal(os.Stdin) {
		return errors.New("--final closes the store for writing: say --yes as well")
	}
	fmt.Fprint(os.Stderr, "This closes the store for writing: logins and log-outs will answer 503 until\n"+
		"\"caddy qqauth reopen\". Go on? [y/N] ")
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return errors.New("not confirmed, nothing done")
	}
	return nil
}

// exportFile is an export on its way into a file, which has its name only when
// it is complete.
type exportFile struct {
	file     *os.File
	buffer   *bufio.Writer
	out      *transfer.Writer
	header   transfer.Header
	last     authcore.Record // that the file holds
	hasKeys  bool
	fresh    bool // holds nothing yet
	complete bool
}

// openExport makes <output>.partial, or goes on with the one that is there.
func openExport(output string, resume, final bool) (*exportFile, error) {
	if _, err := os.Lstat(output); err == nil {
		return nil, fmt.Errorf("%s exists: name a new file", output)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	how := os.O_CREATE | os.O_EXCL
	if resume {
		how = 0
	}
	file, err := os.OpenFile(output+".partial", os.O_RDWR|how, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s.partial exists: go on with it by --resume, or remove it", output)
	} else if err != nil {
		return nil, err
	}
	e := &exportFile{file: file, buffer: bufio.NewWriterSize(file, 64<<10), header: transfer.Header{Created: time.Now(), Final: final}}
	e.out = transfer.NewWriter(e.buffer)
	if err = file.Chmod(0o600); err == nil && resume {
		err = e.goOn(final)
	}
	if err == nil && !resume {
		e.fresh = true
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return e, nil
}

// goOn reads what the file holds and drops a line that was cut off.
func (e *exportFile) goOn(final bool) error {
	reader, err := transfer.NewReader(e.file)
	if errors.Is(err, transfer.ErrIncomplete) {
		e.fresh = true
		return e.rewindTo(0)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e.name(), err)
	}
	for err == nil {
		var line transfer.Line
		if line, err = reader.Next(); err != nil {
			break
		}
		if line.Keys != nil {
			e.hasKeys = true
		} else {
			e.last = line.Record
		}
	}
	if e.complete = errors.Is(err, io.EOF); !e.complete && !errors.Is(err, transfer.ErrIncomplete) {
		return fmt.Errorf("%s: %w", e.name(), err)
	}
	if final && !reader.Header.Final {
		return fmt.Errorf("%s was not begun with --final", e.name())
	}
	e.header, e.out.Counts = reader.Header, reader.Counts()
	return e.rewindTo(reader.Offset())
}

func (e *exportFile) rewindTo(offset int64) error {
	if err := e.file.Truncate(offset); err != nil {
		return err
	}
	_, err := e.file.Seek(offset, 0)
	return err
}

func (e *exportFile) name() string { return e.file.Name() }

// keys writes the lines before the records, as far as they are missing.
func (e *exportFile) keys(ring []byte) error {
	if e.fresh {
		if err := e.out.Header(e.header); err != nil {
			return err
		}
	}
	if e.hasKeys {
		return nil
	}
	return e.out.Keys(ring)
}

// finish makes the export durable and gives it its name.
func (e *exportFile) finish(output string) error {
	if !e.complete {
		if err := e.out.End(); err != nil {
			return err
		}
	}
	if err := errors.Join(e.buffer.Flush(), e.file.Sync()); err != nil {
		return fmt.Errorf("write %s: %w", e.name(), err)
	}
	if err := os.Rename(e.name(), output); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(output))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// close keeps what has been written for --resume, unless that is nothing.
func (e *exportFile) close() error {
	err := e.buffer.Flush()
	if info, statErr := e.file.Stat(); statErr == nil && info.Size() == 0 {
		err = errors.Join(err, os.Remove(e.name()))
	}
	return errors.Join(err, e.file.Close())
}

func reportExport(output string, file *exportFile, inJSON bool) error {
	counts := file.out.Counts
	if inJSON {
		return json.NewEncoder(os.Stdout).Encode(struct {
			File  string `json:"file"`
			Final bool   `json:"final"`
			transfer.Counts
		}{output, file.header.Final, counts})
	}
	fmt.Printf("%-20s %s\n%-20s %d\n", "file", output, "users", counts.Users)
	if file.header.Final {
		fmt.Printf("%-20s %d\n%-20s %d\n", "sessions", counts.Sessions, "refreshed tokens", counts.Retired)
	}
	fmt.Printf("%-20s %d\n%-20s %d\n", "used QQ tokens", counts.Accesses, "erased", counts.Erased)
	return nil
}
