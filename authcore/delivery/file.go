package delivery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/qqauth/qqauth/authcore"
)

// File appends messages to a file, one JSON object a line. It is for development:
// whoever reads the file can log in as anybody.
type File struct{ path string }

var errNoFile = errors.New("it is no regular file: name one, or one that does not exist yet")

// NewFile returns a sender that opens the file anew for each message, so that
// the file may be moved away. It touches nothing.
func NewFile(path string) (*File, error) {
	if path == "" {
		return nil, errors.New("open file: the path is empty")
	}
	return &File{path: path}, nil
}

// Send appends the message with a single write: lines of several senders and
// processes do not mix.
func (f *File) Send(ctx context.Context, m authcore.Message) error {
	line, err := encodeNotice(&m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("open file: %w", err)
	}
	file, err := f.open()
	if err != nil {
		return fmt.Errorf("open file: %w", err)
	}
	if _, err := file.Write(append(line, '\n')); err != nil {
		file.Close()
		return fmt.Errorf("append to file: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("close file: %w", err)
	}
	return nil
}

// open makes the file, or takes one that is ours alone. In a directory that
// others may write to, such as /tmp, somebody may have put another file, or a
// link to one of ours, in its place.
func (f *File) open() (*os.File, error) {
	// Opening a pipe would wait for a reader.
	if info, err := os.Lstat(f.path); err == nil && !info.Mode().IsRegular() {
		return nil, errNoFile
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := claim(file, f.path); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// claim makes sure that an open file is the one at path, ours, and readable to
// nobody else.
func claim(file *os.File, path string) error {
	opened, err := file.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !opened.Mode().IsRegular() || !os.SameFile(opened, named) {
		return errNoFile
	}
	if !ownedByUs(opened) {
		return errors.New("it belongs to another user: remove it, or name another")
	}
	if opened.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return file.Chmod(0o600)
}

var _ authcore.Sender = (*File)(nil)
