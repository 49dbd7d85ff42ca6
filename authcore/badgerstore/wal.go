package badgerstore

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qqauth/qqauth/authcore"
)

// The layout of Badger's write-ahead log (memtable.go, structs.go): a header of
// 20 bytes, then entries of two bytes of flags, key length, value length and
// expiry as varints, key, value and a CRC-32C of all that. A key ends in its
// transaction's number, counted down from the largest.
const (
	logHeader  = 20
	flagTxn    = 1 << 6
	flagEnd    = 1 << 7
	numberSize = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errBrokenLog = errors.New("a transaction cannot be read, later ones can")

// checkLogs looks for transactions that Badger would drop without a word. The
// newest log needs no look: what it loses, the sentinel misses. An older one is
// there only after a crash, and the sentinel in the newest hides its loss.
func checkLogs(dir string, files []os.DirEntry) error {
	logs := slices.DeleteFunc(slices.Clone(files), func(f os.DirEntry) bool {
		return filepath.Ext(f.Name()) != ".mem"
	})
	slices.SortFunc(logs, func(a, b os.DirEntry) int { // zero-padded numbers
		return cmp.Or(cmp.Compare(len(a.Name()), len(b.Name())), strings.Compare(a.Name(), b.Name()))
	})
	for _, log := range logs[:max(0, len(logs)-1)] {
		err := guard(func() error {
			data, unmap, err := mapFile(filepath.Join(dir, log.Name()))
			if err != nil {
				return err
			}
			defer unmap()
			return checkLog(data)
		})
		if err != nil {
			return fmt.Errorf("%w: log %s: %w", authcore.ErrDamaged, log.Name(), err)
		}
	}
	return nil
}

// checkLog finds readable transactions behind an unreadable one. The one that
// follows the last readable does not count: a power cut tears it.
func checkLog(data []byte) error {
	var last uint64
	at := min(logHeader, len(data))
	for {
		size, number := logEntry(data[at:])
		if size == 0 {
			break
		}
		at, last = at+size, number
	}
	for ; at < len(data); at++ {
		if size, number := logEntry(data[at:]); size > 0 && number > last+1 {
			return errBrokenLog
		}
	}
	return nil
}

// logEntry returns the size of the entry at the start of b and the number of its
// transaction; the size is 0 if there is none.
func logEntry(b []byte) (size int, number uint64) {
	if len(b) < 2 || b[0]&(flagTxn|flagEnd) == 0 {
		return 0, 0
	}
	at := 2
	var field [3]uint64 // key length, value length, expiry
	for i := range field {
		v, n := binary.Uvarint(b[at:])
		if n <= 0 {
			return 0, 0
		}
		field[i], at = v, at+n
	}
	key, value := field[0], field[1]
	if rest := uint64(len(b) - at); key < numberSize || key > rest || value > rest || key+value+crc32.Size > rest {
		return 0, 0
	}
	end := at + int(key+value)
	if crc32.Checksum(b[:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
		return 0, 0
	}
	number = ^binary.BigEndian.Uint64(b[at+int(key)-numberSize:])
	return end + crc32.Size, number
}
