package badgerstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/qqauth/qqauth/authcore"
)

// markName is the file beside the database that remembers how far the store had
// come. See the package comment before deleting one.
const markName = "MARK"

const (
	markMagic    = "qqmark01"
	slotSize     = 512  // at most what a disk writes at once
	slotDistance = 4096 // so that a bad sector takes one slot only
	slotBody     = len(markMagic) + len(storeID{}) + 3*8 + headSize + 2
	headSize     = 64
)

// progress is what the mark says. It has to be read before the database is
// opened, so it is in clear, with a checksum against torn writes and, for when
// the vault is open, a tag against forgery.
type progress struct {
	store    storeID
	writes   uint64 // of the mark, so that the newer slot is known
	sequence uint64 // of the last batch that was synced
	// manifest is how long the MANIFEST was, and head its first bytes: a shorter
	// one with the same head has lost its end, and Badger would delete the tables
	// that the end named. Badger rewrites the file from time to time; then the
	// head differs.
	manifest uint64
	head     [headSize]byte
}

// mark is the file. Its two slots are written in turn.
type mark struct {
	vault authcore.Vault
	file  *os.File

	mu    sync.Mutex
	now   progress
	dirty bool // written since the last fsync
}

// readMark returns what the mark in dir says, with its tag. ok is false if there
// is none.
func readMark(dir string) (p progress, tag []byte, ok bool, err error) {
	data, err := os.ReadFile(filepath.Join(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return progress{}, nil, false, nil
	}
	if err != nil {
		return progress{}, nil, false, fmt.Errorf("%w: read %s: %w", authcore.ErrUnavailable, markName, err)
	}
	for slot := range 2 {
		from := slot * slotDistance
		if len(data) < from+slotSize {
			continue
		}
		if q, t, good := decodeSlot(data[from : from+slotSize]); good && (!ok || q.writes > p.writes) {
			p, tag, ok = q, t, true
		}
	}
	if !ok {
		return progress{}, nil, false, fmt.Errorf("%w: %s cannot be read", authcore.ErrDamaged, markName)
	}
	return p, tag, true, nil
}

func (p *progress) body() []byte {
	b := append(make([]byte, 0, slotSize), markMagic...)
	b = append(b, p.store[:]...)
	b = binary.BigEndian.AppendUint64(b, p.writes)
	b = binary.BigEndian.AppendUint64(b, p.sequence)
	b = binary.BigEndian.AppendUint64(b, p.manifest)
	return append(b, p.head[:]...)
}

// encodeSlot lays out body, length of the tag, tag, padding and checksum.
func encodeSlot(p progress, tag []byte) ([]byte, error) {
	if slotBody+len(tag)+crc32.Size > slotSize {
		return nil, fmt.Errorf("vault adds %d bytes, too many for %s", len(tag), markName)
	}
	b := append(binary.BigEndian.AppendUint16(p.body(), uint16(len(tag))), tag...)
	b = b[:slotSize-crc32.Size]
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)), nil
}

func decodeSlot(b []byte) (p progress, tag []byte, ok bool) {
	rest, sum := b[:slotSize-crc32.Size], b[slotSize-crc32.Size:]
	if crc32.ChecksumIEEE(rest) != binary.BigEndian.Uint32(sum) || !bytes.HasPrefix(rest, []byte(markMagic)) {
		return progress{}, nil, false
	}
	rest = rest[len(markMagic):]
	rest = rest[copy(p.store[:], rest):]
	p.writes, rest = binary.BigEndian.Uint64(rest), rest[8:]
	p.sequence, rest = binary.BigEndian.Uint64(rest), rest[8:]
	p.manifest, rest = binary.BigEndian.Uint64(rest), rest[8:]
	rest = rest[copy(p.head[:], rest):]
	size, rest := int(binary.BigEndian.Uint16(rest)), rest[2:]
	if size > len(rest) {
		return progress{}, nil, false
	}
	return p, rest[:size], true
}

// authentic reports whether the store itself wrote p.
func (p *progress) authentic(vault authcore.Vault, tag []byte) bool {
	plain, err := vault.Open(tag, p.body())
	return err == nil && len(plain) == 0
}

// newMark writes p into a new file in the place of the old one. At no moment is
// there a file that cannot be read.
func newMark(dir string, vault authcore.Vault, p progress) (*mark, error) {
	path := filepath.Join(dir, markName)
	file, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", markName, err)
	}
	m := &mark{vault: vault, file: file, now: p}
	if err = m.advance(p.sequence); err == nil {
		err = m.checkpoint(dir)
	}
	if err == nil {
		err = errors.Join(os.Rename(path+".new", path), syncDir(dir))
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("write %s: %w", markName, err)
	}
	return m, nil
}

// advance says that batch seq is on the disk. It leaves the file to the page
// cache: checkpoint syncs it.
func (m *mark) advance(seq uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.sequence = seq
	return m.write()
}

func (m *mark) write() error {
	m.now.writes++
	slot, err := encodeSlot(m.now, m.vault.Seal(nil, m.now.body()))
	if err != nil {
		return err
	}
	if _, err := m.file.WriteAt(slot, int64(m.now.writes%2)*slotDistance); err != nil {
		return err
	}
	m.dirty = true
	return nil
}

// checkpoint takes note of the MANIFEST and syncs the file, if there is news.
// The writer does not wait for the disk.
func (m *mark) checkpoint(dir string) error {
	if err := m.measure(filepath.Join(dir, badger.ManifestFilename)); err != nil {
		return err
	}
	m.mu.Lock()
	dirty := m.dirty
	m.dirty = false
	m.mu.Unlock()
	if !dirty {
		return nil
	}
	return m.file.Sync()
}

// measure takes note of the MANIFEST, which Badger may just be writing, once it
// is sure that what it measured is on the disk.
func (m *mark) measure(manifest string) error {
	f, err := os.Open(manifest)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := uint64(info.Size())
	m.mu.Lock()
	known := m.now.manifest
	m.mu.Unlock()
	if size == known {
		return nil
	}
	var head [headSize]byte
	if _, err := f.ReadAt(head[:min(headSize, size)], 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.manifest, m.now.head = size, head
	return m.write()
}

func (m *mark) close(dir string) error {
	return errors.Join(m.checkpoint(dir), m.file.Close())
}

// shortened reports whether the MANIFEST with this content is the one that the
// mark knew, without its end.
func (p *progress) shortened(manifest []byte) bool {
	known := p.head[:min(headSize, p.manifest)]
	head := manifest[:min(len(known), len(manifest))]
	return uint64(len(manifest)) < p.manifest && bytes.HasPrefix(known, head)
}
