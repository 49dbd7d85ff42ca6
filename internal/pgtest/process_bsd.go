//go:build unix && !linux

package pgtest

import (
	"bytes"
	"fmt"
	"os/exec"
)

// processes lists what runs on this machine.
func processes() ([]entry, error) {
	out, err := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "state=").Output()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var all []entry
	for line := range bytes.Lines(out) {
		var e entry
		if _, err := fmt.Sscanf(string(line), "%d %d %c", &e.pid, &e.parent, &e.state); err != nil {
			return nil, fmt.Errorf("read the list of processes: %w", err)
		}
		all = append(all, e)
	}
	return all, nil
}
