//go:build !linux

package main

import (
	"errors"
	"runtime"
	"time"
)

var errNotLinux = errors.New("the benchmark reads CPU clocks and memory of other processes as Linux tells them")

func cpuTime(int) (time.Duration, error) { return 0, errNotLinux }

func familyTime(int) (time.Duration, error) { return 0, errNotLinux }

func childrenOf(int) ([]int, error) { return nil, errNotLinux }

func anonymous(int) (int64, error) { return 0, errNotLinux }

func openFiles() (int, error) { return 0, errNotLinux }

func system() (processor, kernel string) { return runtime.GOARCH, runtime.GOOS }
