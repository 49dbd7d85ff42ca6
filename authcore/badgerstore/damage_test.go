package badgerstore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fill makes the users and logs the odd ones out.
func fill(t *testing.T, s *Store) {
	t.Helper()
	var workers sync.WaitGroup
	for w := range 32 {
		workers.Go(func() {
			for i := w; i < logins; i += 32 {
				if err := logIn(s, i); err != nil {
					t.Errorf("log in: %v", err)
				}
				if i%2 == 0 {
					continue
				}
				if err := logOut(s, i); err != nil {
					t.Errorf("log out: %v", err)
				}
			}
		})
	}
	workers.Wait()
}

// copyDir copies a store's files, holes included, but for its lock.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == lockName {
			continue
		}
		if filepath.Ext(f.Name()) == ".vlog" { // large, and always empty
			copyHead(t, filepath.Join(from, f.Name()), filepath.Join(to, f.Name()))
			continue
		}
		data, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		writeSparse(t, filepath.Join(to, f.Name()), data)
	}
}

// copyHead copies the first page of a file and the size of the rest.
func copyHead(t *testing.T, from, to string) {
	t.Helper()
	f, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := f.Read(head)
	if err != nil {
		t.Fatal(err)
	}
	size := must(f.Stat()).Size()
	if err := errors.Join(os.WriteFile(to, head[:n], 0o600), os.Truncate(to, size)); err != nil {
		t.Fatal(err)
	}
}

// writeSparse writes a file without the zeros at its end.
func writeSparse(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, bytes.TrimRight(data, "\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(data))); err != nil {
		t.Fatal(err)
	}
}

// fingerprint changes with any change of the directory.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintln(sum, path, len(data))
		sum.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(sum.Sum(nil))
}

// largest is the largest file of a kind.
func largest(t *testing.T, dir, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s in the directory: %v", pattern, err)
	}
	return slices.MaxFunc(paths, func(a, b string) int {
		x, y := must(os.Stat(a)), must(os.Stat(b))
		return int(x.Size() - y.Size())
	})
}

// edit changes the content of the largest file of a kind.
func edit(pattern string, change func([]byte) []byte) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := largest(t, dir, pattern)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		writeSparse(t, path, change(data))
	}
}

func remove(pattern string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(largest(t, dir, pattern)); err != nil {
			t.Fatal(err)
		}
	}
}

// cut keeps a part of the content, flip changes a bit there, scribble 64 bytes.
func cut(part float64) func([]byte) []byte {
	return func(b []byte) []byte { return b[:int(part*float64(len(b)))] }
}

func flip(part float64) func([]byte) []byte {
	return func(b []byte) []byte {
		used := len(bytes.TrimRight(b, "\x00"))
		b[int(part*float64(used-1))] ^= 0x10
		return b
	}
}

func scribble(part float64) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[int(part*float64(len(b)-64)):], bytes.Repeat([]byte{0xff}, 64))
		return b
	}
}

func less(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }

// What may become of a store with a damaged file.
const (
	refused   = "refused"   // before anything is changed
	reported  = "reported"  // refused, though Badger has run
	harmless  = "harmless"  // nothing is lost
	tolerated = "tolerated" // refused, or damaged, or harmless
)

type damageCase struct {
	name   string
	from   string
	damage func(*testing.T, string) // nil: while the store is open
	want   string
}

// damages are done to a store that was closed and to one that was killed.
func damages(clean, killed string) []damageCase {
	return []damageCase{
		{"nothing", clean, func(*testing.T, string) {}, harmless},
		{"nothing, killed", killed, func(*testing.T, string) {}, harmless},
		{"MANIFEST missing", clean, remove("MANIFEST"), refused},
		{"MANIFEST empty", clean, edit("MANIFEST", cut(0)), refused},
		{"MANIFEST without its last bytes", clean, edit("MANIFEST", less(3)), refused},
		{"MANIFEST half", clean, edit("MANIFEST", cut(0.5)), refused},
		{"MANIFEST header alone", clean, edit("MANIFEST", func(b []byte) []byte { return b[:16] }), refused},
		{"MANIFEST magic", clean, edit("MANIFEST", flip(0)), refused},
		{"MANIFEST flipped", clean, edit("MANIFEST", flip(0.9)), refused},
		{"MANIFEST length grown", clean, edit("MANIFEST", func(b []byte) []byte { b[19] |= 1; return b }), refused},
		{"MANIFEST missing, killed", killed, remove("MANIFEST"), refused},
		{"everything but MARK missing", clean, func(t *testing.T, dir string) {
			for _, pattern := range []string{"MANIFEST", "*.sst", "*.vlog", "KEYREGISTRY", "DISCARD"} {
				remove(pattern)(t, dir)
			}
		}, refused},
		{"table missing", clean, remove("*.sst"), refused},
		{"table empty", clean, edit("*.sst", cut(0)), refused},
		{"table cut by a byte", clean, edit("*.sst", less(1)), refused},
		{"table cut by a page", clean, edit("*.sst", less(4096)), refused},
		{"table half", clean, edit("*.sst", cut(0.5)), refused},
		{"table end flipped", clean, edit("*.sst", flip(1)), refused},
		{"table index", clean, edit("*.sst", scribble(0.995)), refused},
		{"table end scribbled", clean, edit("*.sst", scribble(1)), refused},
		{"table block", clean, edit("*.sst", scribble(0.5)), refused},
		{"table bit", clean, edit("*.sst", flip(0.3)), refused},
		{"table start", clean, edit("*.sst", scribble(0)), refused},
		{"table block, while open", clean, nil, tolerated},
		{"log flipped", killed, edit("*.mem", flip(0.5)), reported},
		{"log flipped early", killed, edit("*.mem", flip(0.001)), reported},
		{"log header", killed, edit("*.mem", flip(0)), reported},
		{"log cut", killed, edit("*.mem", cut(0.01)), reported},
		{"log empty", killed, edit("*.mem", cut(0)), reported},
		{"log missing", killed, remove("*.mem"), reported},
		{"older log flipped", killed, func(t *testing.T, dir string) {
			edit("*.mem", flip(0.5))(t, dir)
			writeSparse(t, filepath.Join(dir, "99999.mem"), make([]byte, 2*memTable))
		}, refused},
		{"newer log empty", killed, func(t *testing.T, dir string) {
			writeSparse(t, filepath.Join(dir, "99999.mem"), nil)
		}, harmless},
		{"value log flipped", clean, edit("*.vlog", flip(1)), tolerated},
		{"value log cut", clean, edit("*.vlog", cut(0.1)), tolerated},
		{"value log empty", clean, edit("*.vlog", cut(0)), harmless},
		{"value log missing", clean, remove("*.vlog"), harmless},
		{"KEYREGISTRY flipped", clean, edit("KEYREGISTRY", flip(0.9)), tolerated},
		{"KEYREGISTRY cut", clean, edit("KEYREGISTRY", cut(0.5)), tolerated},
		{"DISCARD scribbled", clean, edit("DISCARD", scribble(0)), tolerated},
		{"DISCARD cut", clean, edit("DISCARD", cut(0.00001)), tolerated},
		{"MARK garbage", clean, edit("MARK", func(b []byte) []byte { return bytes.Repeat([]byte{7}, len(b)) }), refused},
		{"MARK empty", clean, edit("MARK", cut(0)), refused},
		{"MARK one slot torn", clean, edit("MARK", flip(0.001)), harmless},
		{"MARK other slot torn", clean, edit("MARK", flip(0.999)), harmless},
	}
}

// With a damaged file the store may refuse to open or refuse some of its users.
// It must not take a known user for a new one, let anybody in who was logged
// out, or end the process.
func TestDamage(t *testing.T) {
	live, clean, killed := t.TempDir(), t.TempDir(), t.TempDir()
	s := openIn(t, live)
	fill(t, s)
	copyDir(t, live, killed) // what a killed process leaves
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	copyDir(t, live, clean)
	for _, test := range damages(clean, killed) {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t)
		})
	}
}

func (test damageCase) run(t *testing.T) {
	dir := t.TempDir()
	copyDir(t, test.from, dir)
	var env []string
	if test.damage == nil {
		env = append(env, damageVar+"=blocks")
	} else {
		test.damage(t, dir)
	}
	var before string
	if test.want == refused {
		before = fingerprint(t, dir)
	}
	verdicts := examine(t, dir, env...)
	t.Log(verdicts)
	if n := verdicts["unknown"] + verdicts["somebody else"] + verdicts["alive"]; n > 0 {
		t.Errorf("%d users are taken for others: %v", n, verdicts)
	}
	isRefused := verdicts["refused"] == 1
	switch test.want {
	case refused:
		if !isRefused || fingerprint(t, dir) != before {
			t.Errorf("not refused as it was found: %v", verdicts)
		}
	case reported:
		if !isRefused {
			t.Errorf("not refused: %v", verdicts)
		}
	case harmless:
		if verdicts["linked"] != logins {
			t.Errorf("not all there: %v", verdicts)
		}
	case tolerated:
		if !isRefused && verdicts["linked"]+verdicts["damaged"] != logins {
			t.Errorf("neither refused nor answered: %v", verdicts)
		}
	}
}

// examine looks at a store in a process of its own and counts what it says.
func examine(t *testing.T, dir string, env ...string) map[string]int {
	t.Helper()
	cmd, out := startChild(t, os.Args[0], "look", dir, env...)
	verdicts := make(map[string]int)
	for out.Scan() {
		if reason, ok := strings.CutPrefix(out.Text(), "refused true "); ok {
			t.Log(reason)
			verdicts["refused"]++
			continue
		}
		_, verdict, _ := strings.Cut(out.Text(), " ")
		verdicts[verdict]++
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the process died: %v", err)
	}
	return verdicts
}

// damage scribbles into every second block of every table of an open store, so
// that the maps change under it.
func damage(s *Store, what string) {
	if what != "blocks" {
		return
	}
	paths, _ := filepath.Glob(filepath.Join(s.cfg.Dir, "*.sst"))
	for _, path := range paths {
		f := must(os.OpenFile(path, os.O_WRONLY, 0))
		size := must(f.Stat()).Size()
		for at := int64(0); at < size*8/10; at += 8192 {
			must(f.WriteAt(bytes.Repeat([]byte{0xff}, 4096), at))
		}
		_ = f.Close()
	}
}

// must is for steps of a child process, which has no test to fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
