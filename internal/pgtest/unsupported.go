//go:build !unix

package pgtest

import (
	"errors"
	"os/exec"
	"syscall"
)

const (
	sigStop     = syscall.Signal(0)
	sigContinue = syscall.Signal(0)
)

func detach(*exec.Cmd, *account) {}

func send(int, syscall.Signal) error { return errors.ErrUnsupported }

func processes() ([]entry, error) { return nil, errors.ErrUnsupported }
