package main

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// A child's CPU time counts while it runs and after it was waited for.
func TestFamilyTime(t *testing.T) {
	before := mustFamilyTime(t)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo; read end")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	end, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadByte(); err != nil {
		t.Fatal(err)
	}
	children, err := childrenOf(os.Getpid())
	if err != nil || !slices.Contains(children, cmd.Process.Pid) {
		t.Errorf("childrenOf = %v, %v, without %d", children, err, cmd.Process.Pid)
	}
	spent, err := cpuTime(cmd.Process.Pid)
	if err != nil || spent < 50*time.Millisecond {
		t.Fatalf("the child has taken %v, %v, too little to be seen", spent, err)
	}
	if got := mustFamilyTime(t) - before; got < spent {
		t.Errorf("the family has taken %v while the child alone took %v", got, spent)
	}
	if err := end.Close(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // read fails at the end of the input
	const ticks = 20 * time.Millisecond
	if got := mustFamilyTime(t) - before; got < spent-ticks {
		t.Errorf("after its end the family has taken %v while the child alone took %v", got, spent)
	}
}

func mustFamilyTime(t *testing.T) time.Duration {
	t.Helper()
	spent, err := familyTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return spent
}
