package badgerstore

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// recorder is compiled into the copy of ristretto that the power cut runs on. It
// copies what a sync of a memory map covers to a shadow directory: the disk as a
// power cut would leave it.
const recorder = `package z

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

var (
	powercutMu    sync.Mutex
	powercutNames = map[*byte]string{}
	powercutDisks = map[string]*powercutDisk{}
	powercutDir   = os.Getenv("POWERCUT_SHADOW")
	powercutBlind = os.Getenv("POWERCUT_BLIND") != ""
)

type powercutDisk struct {
	file *os.File
	kept []byte
	at   int // the page that changed last; logs grow from there
}

func powercutMap(data []byte, name string) {
	if len(data) > 0 {
		powercutMu.Lock()
		powercutNames[&data[0]] = name
		powercutMu.Unlock()
	}
}

func powercutName(data []byte) string {
	powercutMu.Lock()
	defer powercutMu.Unlock()
	return powercutNames[&data[0]]
}

func powercutSync(name string, data []byte) error {
	if err := msync(data); err != nil {
		return err
	}
	log := strings.HasSuffix(name, ".mem")
	if powercutDir == "" || strings.HasSuffix(name, ".vlog") || log && powercutBlind {
		return nil
	}
	powercutMu.Lock()
	disk := powercutDisks[name]
	if disk == nil {
		f, err := os.Create(filepath.Join(powercutDir, filepath.Base(name)))
		if err != nil {
			panic(err)
		}
		disk = &powercutDisk{file: f, kept: make([]byte, len(data))}
		powercutDisks[name] = disk
	}
	powercutMu.Unlock()
	const page = 4096
	same := 0
	for at := disk.at; at < len(data) && (!log || same < 512); at += page {
		now := data[at:min(at+page, len(data))]
		if at+page > len(disk.kept) {
			disk.kept = append(disk.kept, make([]byte, at+page-len(disk.kept))...)
		}
		was := disk.kept[at : at+len(now)]
		if bytes.Equal(now, was) {
			same++
			continue
		}
		same = 0
		copy(was, now)
		if _, err := disk.file.WriteAt(was, int64(at)); err != nil {
			panic(err)
		}
		if log {
			disk.at = at
		}
	}
	return nil
}
`

// buildPowercut builds this test with a recording ristretto.
func buildPowercut(t *testing.T) (program string) {
	t.Helper()
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	const module = "github.com/dgraph-io/ristretto/v2"
	modfile := filepath.Join(filepath.Dir(run("env", "GOMOD")), "go.mod")
	source := run("list", "-m", "-f", "{{.Dir}}", module)
	patched := filepath.Join(dir, "ristretto")
	if err := os.CopyFS(patched, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	patch(t, filepath.Join(patched, "z", "file.go"), "return Msync(m.Data)", "return powercutSync(m.Fd.Name(), m.Data)")
	patch(t, filepath.Join(patched, "z", "mmap.go"),
		"return mmap(fd, writable, size)", "b, err := mmap(fd, writable, size)\n\tpowercutMap(b, fd.Name())\n\treturn b, err",
		"return msync(b)", "return powercutSync(powercutName(b), b)")
	if err := os.WriteFile(filepath.Join(patched, "z", "powercut.go"), []byte(recorder), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(modfile), name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "go.mod" {
			text = append(text, "\nreplace "+module+" => "+patched+"\n"...)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "powercut.test")
	run("test", "-c", "-modfile="+filepath.Join(dir, "go.mod"), "-o", program, ".")
	return program
}

// patch replaces strings that are in a file exactly once.
func patch(t *testing.T, path string, pairs ...string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(string(text), pairs[i]) != 1 {
			t.Fatalf("%s has not exactly one %q", path, pairs[i])
		}
	}
	out := strings.NewReplacer(pairs...).Replace(string(text))
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte(out), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// disk puts together what a power cut leaves: of memory maps what a sync has
// covered, of other files everything, because Badger syncs them as it writes.
func disk(t *testing.T, live, shadow string) string {
	t.Helper()
	left := t.TempDir()
	copyDir(t, live, left)
	for _, pattern := range []string{"*.mem", "*.sst", "DISCARD"} {
		paths, err := filepath.Glob(filepath.Join(left, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			data := make([]byte, info.Size()) // never synced: zeros
			if synced, err := os.ReadFile(filepath.Join(shadow, filepath.Base(path))); err == nil {
				copy(data, synced)
			}
			writeSparse(t, path, data)
		}
	}
	return left
}

// What Update has acknowledged outlives a power cut, changes of the log
// included. The control leaves the syncs of the log out: then the mark notices,
// and writes are lost.
func TestPowerCutLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a second test program")
	}
	program := buildPowercut(t)
	for _, test := range []struct {
		name  string
		blind string
	}{{"synced", ""}, {"control", "1"}} {
		t.Run(test.name, func(t *testing.T) {
			live, shadow := t.TempDir(), t.TempDir()
			durable, volatile := writeAndKill(t, program, live, 12000,
				"POWERCUT_SHADOW="+shadow, "POWERCUT_BLIND="+test.blind)
			left := disk(t, live, shadow)
			s, err := tryOpen(t, left)
			if test.blind == "" {
				if err != nil {
					t.Fatalf("open: %v", err)
				}
				if lost := missing(t, s, durable); lost > 0 {
					t.Errorf("%d of %d acknowledged writes are lost", lost, len(durable))
				}
				t.Logf("kept %d durable writes, lost %d of %d volatile ones", len(durable), missing(t, s, volatile), len(volatile))
				return
			}
			if !errors.Is(err, authcore.ErrDamaged) {
				t.Errorf("without syncs: got error %v, want ErrDamaged", err)
			}
			remove(markName)(t, left)
			if lost := missing(t, openIn(t, left), durable); lost == 0 {
				t.Error("without syncs nothing is lost: the power cut is not simulated")
			}
		})
	}
}
