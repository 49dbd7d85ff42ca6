package pgtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
)

// account is whom the server runs as.
type account struct{ uid, gid int }

// unprivileged returns an account for the server, which refuses to run as root;
// nil is our own.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, fmt.Errorf("read the uid of %s: %w", name, err)
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return nil, fmt.Errorf("read the gid of %s: %w", name, err)
		}
		return &account{uid: uid, gid: gid}, nil
	}
	return nil, errors.New("find an account: postgres does not run as root, and there is neither postgres nor nobody")
}

// give makes a file or directory the account's.
func (a *account) give(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Chown(path, a.uid, a.gid); err != nil {
		return fmt.Errorf("change an owner: %w", err)
	}
	return nil
}

// reaches checks that the account gets to a directory, because the server's own
// message would be about its program.
func (a *account) reaches(dir string) error {
	for a != nil && dir != filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("look at the directory: %w", err)
		}
		if info.Mode()&0o001 == 0 {
			return fmt.Errorf("reach %s as another user than root: it must be open to others (chmod o+x)", dir)
		}
		dir = filepath.Dir(dir)
	}
	return nil
}

// vigil holds the guard's orders: when its input ends, because it was closed or
// this process ended, it kills what the last line names and removes the
// directory and the block of shared memory that a killed server leaves behind,
// whose number is in line 7 of its postmaster.pid.
const vigil = `pids=
while read -r line; do pids=$line; done
[ -z "$pids" ] || kill -KILL $pids
block=$(sed -n '7s/.* //p' "$1/data/postmaster.pid" 2>/dev/null)
for try in 1 2 3 4 5 6 7 8 9 10; do
	rm -rf -- "$1" && break
	sleep 1
done
[ -z "$block" ] || ipcrm -m "$block" 2>/dev/null
[ ! -e "$1" ]
`

// guard is a process that outlives this one, to leave nothing behind.
type guard struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
}

func newGuard(dir string, as *account) (*guard, error) {
	g := &guard{cmd: exec.Command("/bin/sh", "-c", vigil, "guard", dir)}
	g.cmd.Dir = "/"
	detach(g.cmd, as)
	var err error
	if g.orders, err = g.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("make a guard: %w", err)
	}
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a guard: %w", err)
	}
	return g, nil
}

// watch tells the guard what to kill.
func (g *guard) watch(pids ...int) error {
	var line []byte
	for _, pid := range pids {
		line = fmt.Append(line, pid, " ")
	}
	if _, err := g.orders.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("tell the guard: %w", err)
	}
	return nil
}

// dismiss makes the guard do its work now.
func (g *guard) dismiss() error {
	if err := errors.Join(g.orders.Close(), g.cmd.Wait()); err != nil {
		return fmt.Errorf("remove the server's directory: %w", err)
	}
	return nil
}
