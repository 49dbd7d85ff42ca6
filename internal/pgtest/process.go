package pgtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// patience is how long a server may take for anything that is not bounded by a
// context.
const patience = time.Minute

// entry is a line of the system's list of processes.
type entry struct {
	pid, parent int
	state       rune // T is stopped, Z has ended
}

// halted reports whether a process does nothing any more, by itself.
func (e entry) halted() bool { return e.state == 'T' || e.state == 'Z' }

// process is a postmaster and its children. Each of the children leads a process
// group of its own, so that a signal to a group reaches one of them only.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the last of them has ended
	err  error         // of the postmaster; to be read after done
}

// launch starts a postmaster. All its children inherit the pipe to the log, so
// that the wait for the pipe's end is one for them all.
func launch(cmd *exec.Cmd, log io.Writer) (*process, error) {
	pipe := struct{ io.Writer }{log} // hides an *os.File, which would be inherited itself
	cmd.Stdout, cmd.Stderr = pipe, pipe
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop halts all processes, the postmaster first so that none is added, and
// returns them.
func (p *process) stop() ([]int, error) {
	if err := p.cmd.Process.Signal(sigStop); err != nil {
		return nil, fmt.Errorf("stop postgres: %w", err)
	}
	if _, err := p.halted([]int{p.pid()}); err != nil {
		return nil, err
	}
	all, err := processes()
	if err != nil {
		return nil, err
	}
	family := []int{p.pid()}
	for _, e := range all {
		if e.parent == p.pid() {
			family = append(family, e.pid)
		}
	}
	// The postmaster cannot reap, so no number is given to another process.
	if err := sendAll(family[1:], sigStop); err != nil {
		return nil, err
	}
	return p.halted(family)
}

// halted waits until none of the processes does anything, and returns them.
func (p *process) halted(pids []int) ([]int, error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		all, err := processes()
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(e entry) bool { return slices.Contains(pids, e.pid) && !e.halted() }) {
			return pids, nil
		}
	}
	return nil, fmt.Errorf("stop postgres: processes %v go on", pids)
}

// resume lets stopped processes go on; their numbers are still theirs.
func (p *process) resume() error {
	all, err := processes()
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.parent == p.pid() && e.state == 'T' {
			if err := sendAll([]int{e.pid}, sigContinue); err != nil {
				return err
			}
		}
	}
	return sendAll([]int{p.pid()}, sigContinue)
}

// kill ends all processes without a word to any of them, and waits for it.
func (p *process) kill() error {
	family, err := p.stop()
	if errors.Is(err, os.ErrProcessDone) {
		family, err = nil, nil
	}
	if err = errors.Join(err, sendAll(family, syscall.SIGKILL)); err != nil {
		return err
	}
	return p.wait()
}

func (p *process) wait() error {
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		return errors.New("wait for postgres: it does not end")
	}
}

func sendAll(pids []int, sig syscall.Signal) error {
	for _, pid := range pids {
		if err := send(pid, sig); err != nil {
			return fmt.Errorf("signal process %d: %w", pid, err)
		}
	}
	return nil
}
