package pgtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// processes lists what runs on this machine.
func processes() ([]entry, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The name is in parentheses and may hold anything.
		e, end := entry{}, bytes.LastIndexByte(text, ')')
		if _, err := fmt.Sscan(string(text), &e.pid); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		if _, err := fmt.Sscanf(string(text[end+1:]), " %c %d", &e.state, &e.parent); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		all = append(all, e)
	}
	return all, nil
}
