package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
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

// familyTime is the CPU time of a process and its children, ended ones included;
// what these took is known to 10 ms alone.
func familyTime(pid int) (time.Duration, error) {
	sum, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	reaped, err := reapedTime(pid)
	if err != nil {
		return 0, err
	}
	children, err := childrenOf(pid)
	for _, child := range children {
		if one, err := cpuTime(child); err == nil { // otherwise it has ended meanwhile
			sum += one
		}
	}
	return sum + reaped, err
}

// reapedTime is the CPU time of children that a process has waited for.
func reapedTime(pid int) (time.Duration, error) {
	fields, err := statFields(pid)
	if err != nil {
		return 0, err
	}
	const tick = 10 * time.Millisecond // USER_HZ, the same on every architecture that Go runs on
	var sum time.Duration
	for _, field := range fields[13:15] { // cutime and cstime, proc_pid_stat(5)
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the CPU time of the children of process %d: %w", pid, err)
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, nil
}

// childrenOf lists a process's children.
func childrenOf(pid int) (children []int, err error) {
	all, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, entry := range all {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue // no process
		}
		if fields, err := statFields(child); err == nil && fields[1] == strconv.Itoa(pid) {
			children = append(children, child)
		}
	}
	return children, nil
}

// statFields are the fields of a process's /proc/<pid>/stat from its state on.
func statFields(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	// The name is in parentheses and may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 15 {
		return nil, fmt.Errorf("process %d: %d fields in stat", pid, len(fields))
	}
	return fields, nil
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

// openFiles raises the number of files that this process, and those that it starts
// from now on, may have open, to as many as is allowed, which it returns.
func openFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit on open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("raise the limit on open files: %w", err)
	}
	return int(min(limit.Max, math.MaxInt32)), nil
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
