//go:build unix

package delivery_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/delivery"
)

func newFile(t *testing.T, path string) *delivery.File {
	t.Helper()
	f, err := delivery.NewFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFileLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "codes")
	f := newFile(t, path)
	if _, err := os.Lstat(path); err == nil {
		t.Error("the file was made before there was a message")
	}
	odd := email(authcore.PurposeRegister, "en")
	odd.To = `"a<b>&c\u0001"@mail.example`
	for _, m := range []authcore.Message{sms(authcore.PurposeMFA), odd} {
		if err := f.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	const want = `{"time":"2026-03-01T12:30:15Z","channel":"sms","to":"+86-15201657321","type":"MFA_AUTH_SMS","code":"402817","lang":"zh","expires_in":300}
{"time":"2026-03-01T12:30:15Z","channel":"email","to":"\"a<b>&c\\u0001\"@mail.example","type":"REGISTER_EMS","code":"402817","lang":"en","expires_in":300}
`
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}

func TestFileIsOursAlone(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]fs.FileMode{"new": 0, "narrow": 0o600, "readable": 0o644, "writable": 0o666, "read by group": 0o640} {
		path := filepath.Join(dir, name)
		if mode != 0 {
			if err := os.WriteFile(path, []byte("before\n"), mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := newFile(t, path).Send(t.Context(), sms(authcore.PurposeBind)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, mode %o", name, err, info.Mode())
		}
	}
}

// TestFileRefuses: whoever may write to the directory puts something in the
// file's place, to read the codes or to have another file of ours spoiled.
func TestFileRefuses(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	link, dirLink, pipe := filepath.Join(dir, "link"), filepath.Join(dir, "dirlink"), filepath.Join(dir, "pipe")
	for _, err := range []error{os.Symlink(target, link), os.Symlink(dir, dirLink), syscall.Mkfifo(pipe, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ path, want string }{
		{link, "it is no regular file"},
		{dirLink, "it is no regular file"},
		{dir, "it is no regular file"},
		{pipe, "it is no regular file"},
		{filepath.Join(dir, "absent", "codes"), "no such file or directory"},
	} {
		wantFault(t, newFile(t, tc.path).Send(t.Context(), sms(authcore.PurposeBind)), tc.want)
	}
	if info, err := os.Stat(target); err != nil || info.Size() != 0 || info.Mode() != 0o644 {
		t.Errorf("the link's target was touched: %v, %v", info, err)
	}
	if _, err := delivery.NewFile(""); err == nil {
		t.Error("took an empty path")
	}
}

// TestFileIsExchanged: a link takes the file's place between two looks at it.
func TestFileIsExchanged(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	file, err := os.Create(target)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	wantFault(t, delivery.Claim(file, link), "it is no regular file")
	if err := delivery.Claim(file, target); err != nil {
		t.Error(err)
	}
}

func TestFileOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 { // who cannot give files away meets those of others
		info, err := os.Stat("/")
		if err != nil || delivery.OwnedByUs(info) {
			t.Errorf("root's directory counts as ours: %v", err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "codes")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 1, 1); err != nil {
		t.Fatal(err)
	}
	wantFault(t, newFile(t, path).Send(t.Context(), sms(authcore.PurposeBind)), "it belongs to another user")
}

func TestFileIsSharedByWriters(t *testing.T) {
	const writers, each = 20, 10
	path := filepath.Join(t.TempDir(), "codes")
	var all sync.WaitGroup
	for range writers {
		f := newFile(t, path)
		all.Go(func() {
			for range each {
				if err := f.Send(t.Context(), sms(authcore.PurposeUpdate)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	if len(lines) != writers*each {
		t.Errorf("got %d lines", len(lines))
	}
	for _, line := range lines {
		if !json.Valid(line) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestFileRefusesTypes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "codes")
	wantFault(t, newFile(t, path).Send(t.Context(), sms("guess")), "no such type of message")
	if _, err := os.Lstat(path); err == nil {
		t.Error("the file was made")
	}
}
