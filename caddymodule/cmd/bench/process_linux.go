package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the CPU time that a process has used, in user and in kernel mode,
// all its threads that are or were included. The kernel's clock of a process has
// nanoseconds; /proc/<pid>/stat has ticks of 10 ms, and its schedstat forgets
// threads that have ended.
func cpuTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED, <linux/posix-timers.h>
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// anonymous is a process's anonymous resident memory in bytes: what it holds
// itself, without the files that it has mapped and the kernel can drop.
func anonymous(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := bytes.Cut(status, []byte("RssAnon:"))
	field, _, _ := strings.Cut(strings.TrimSpace(string(after)), " ")
	kib, err := strconv.ParseInt(field, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("process %d: no RssAnon: %w", pid, err)
	}
	return kib << 10, nil
}

// system names the processor and the kernel.
func system() (processor, kernel string) {
	info, _ := os.ReadFile("/proc/cpuinfo")
	_, after, _ := strings.Cut(string(info), "model name")
	line, _, _ := strings.Cut(after, "\n")
	var name unix.Utsname
	_ = unix.Uname(&name)
	return strings.Trim(line, "\t :"), "Linux " + unix.ByteSliceToString(name.Release[:])
}
