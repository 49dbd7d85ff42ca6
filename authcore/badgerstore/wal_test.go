package badgerstore

import (
	"testing"
)

// FuzzLogEntry feeds the log reader what no log holds: it must stay in bounds
// and take nothing for an entry whose checksum is wrong.
func FuzzLogEntry(f *testing.F) {
	f.Add([]byte{flagTxn, 0, 8, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		size, _ := logEntry(b)
		if size == 0 {
			return
		}
		if size > len(b) {
			t.Fatalf("an entry of %d bytes in %d", size, len(b))
		}
		b[size-1] ^= 1
		if again, _ := logEntry(b); again != 0 {
			t.Fatal("a wrong checksum is accepted")
		}
	})
}
