package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCopiedStore looks for the key that wraps the store's key ring where a copy
// of the store would take it along.
func TestCopiedStore(t *testing.T) {
	w := newWorld(t)
	w.login(demoApp, w.account(0))
	w.stop()
	key := ""
	err := filepath.WalkDir(w.path("data"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.Contains(entry.Name(), "secret_key") {
			key = path
		}
		return err
	})
	if err != nil || key == "" {
		t.Fatalf("no secret_key was made: %v", err)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("secret_key: %v, %v", info, err)
	}
	if strings.HasPrefix(key, w.storeDir()+string(filepath.Separator)) {
		t.Errorf("whoever copies the store %s has its key: %s", w.storeDir(), key)
	}
}
