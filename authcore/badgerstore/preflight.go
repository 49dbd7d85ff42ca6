package badgerstore

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/qqauth/qqauth/authcore"
)

// verifyBudget is how many bytes of tables have every block checked before the
// store opens, the smallest tables first: where there is little data, one block
// can hold both records of a link. It costs about 0.1 s; the background check
// reads the rest.
const verifyBudget = 64 << 20

// findings is what a look at the directory tells without changing it.
type findings struct {
	fresh  bool // no store has been here
	marked bool // MARK is there and says:
	mark   progress
	tag    []byte
}

// preflight looks for damage that Badger would not survive or would not notice.
func preflight(dir string) (findings, error) {
	var f findings
	var err error
	if f.mark, f.tag, f.marked, err = readMark(dir); err != nil {
		return f, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return f, fmt.Errorf("%w: list the store's directory: %w", authcore.ErrUnavailable, err)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		// Badger would make a new one and delete every table.
		if f.marked || slices.ContainsFunc(files, isData) {
			return f, fmt.Errorf("%w: %s is missing", authcore.ErrDamaged, badger.ManifestFilename)
		}
		f.fresh = true
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("%w: read %s: %w", authcore.ErrUnavailable, badger.ManifestFilename, err)
	}
	if err := checkManifest(dir, manifest, f); err != nil || !f.marked {
		return f, err
	}
	return f, checkLogs(dir, files) // without a mark its loss is accepted
}

func isData(file fs.DirEntry) bool {
	switch filepath.Ext(file.Name()) {
	case ".sst", ".vlog", ".mem":
		return true
	}
	return false
}

// checkManifest reads the MANIFEST as Badger does and checks what it names.
func checkManifest(dir string, content []byte, f findings) error {
	file, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if err != nil {
		return fmt.Errorf("%w: open %s: %w", authcore.ErrUnavailable, badger.ManifestFilename, err)
	}
	defer file.Close()
	var m badger.Manifest
	var end int64
	err = guard(func() (err error) {
		m, end, err = badger.ReplayManifestFile(file, 0, badger.Options{})
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %s: %w", authcore.ErrDamaged, badger.ManifestFilename, err)
	}
	// Badger takes a broken end for a write that a crash cut short.
	if f.marked && f.mark.shortened(content[:end]) {
		return fmt.Errorf("%w: the end of %s is missing", authcore.ErrDamaged, badger.ManifestFilename)
	}
	return checkTables(dir, m.Tables)
}

// checkTables opens every table here first: Badger opens them in goroutines of
// its own, where a panic over a damaged one ends the process.
func checkTables(dir string, named map[uint64]badger.TableManifest) error {
	type candidate struct {
		id   uint64
		path string
		size int64
	}
	tables := make([]candidate, 0, len(named))
	for id := range named {
		path := table.NewFilename(id, dir)
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("%w: table %d: %w", authcore.ErrDamaged, id, err)
		}
		tables = append(tables, candidate{id, path, info.Size()})
	}
	slices.SortFunc(tables, func(a, b candidate) int { return cmp.Compare(a.size, b.size) })
	budget := int64(verifyBudget)
	for _, c := range tables {
		budget -= c.size
		err := guard(func() error { return checkTable(c.path, c.id, named[c.id].Compression, budget >= 0) })
		if err != nil {
			return fmt.Errorf("%w: table %d: %w", authcore.ErrDamaged, c.id, err)
		}
	}
	return nil
}

func checkTable(path string, id uint64, compression options.CompressionType, every bool) error {
	data, unmap, err := mapFile(path)
	if err != nil {
		return err
	}
	defer unmap()
	if err := checkFooter(data); err != nil {
		return err
	}
	// Opening reads the index, by its checksum, and the first and the last block.
	t, err := table.OpenInMemoryTable(data, id, &table.Options{Compression: compression})
	if err != nil || !every {
		return err
	}
	return t.VerifyChecksum()
}

// checkFooter checks the lengths at a table's end, on which Badger would call
// log.Fatal: checksum, its length, index, its length, read backwards.
func checkFooter(data []byte) error {
	rest := data
	for range 2 {
		if len(rest) < 4 {
			return io.ErrUnexpectedEOF
		}
		length := binary.BigEndian.Uint32(rest[len(rest)-4:])
		rest = rest[:len(rest)-4]
		if uint64(length) >= uint64(len(rest)) {
			return io.ErrUnexpectedEOF
		}
		rest = rest[:len(rest)-int(length)]
	}
	return nil
}

// guard runs fn and turns a panic, and a fault in a memory map, into an error.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			// Not the value: it quotes what was read.
			err = errors.New("reading it panics")
		}
	}()
	return fn()
}

// dropEmptyLogs removes logs of no bytes. A crash leaves them between the two
// steps in which Badger makes or deletes one, and then Badger refuses to open.
func dropEmptyLogs(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if ext := filepath.Ext(file.Name()); ext != ".mem" && ext != ".vlog" {
			continue
		}
		if info, err := file.Info(); err != nil || info.Size() > 0 {
			continue
		}
		if err := os.Remove(filepath.Join(dir, file.Name())); err != nil {
			return err
		}
	}
	return nil
}
