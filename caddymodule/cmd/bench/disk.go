package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	diskConns = 128
	// ristretto holds the call that Badger makes its log durable with.
	ristretto  = "github.com/dgraph-io/ristretto/v2"
	syncSource = "return unix.Msync(b, unix.MS_SYNC)"
	// A blocked thread, as a disk leaves it, and no timer of Go's.
	slowSource = "if err := unix.Nanosleep(&unix.Timespec{Nsec: 4_000_000}, nil); err != nil {\n\t\treturn err\n\t}\n\t" + syncSource
)

// diskRow is logins where every sync takes 4 ms longer.
func diskRow(b *bench) ([]result, error) {
	slowCaddy := filepath.Join(b.dir, "caddy-slow")
	if err := b.buildSlow(slowCaddy); err != nil {
		return nil, fmt.Errorf("build a caddy with slow syncs: %w", err)
	}
	fast, err := b.newLoginSite(b.badger("fast"), diskConns, guarded{alg: "ES256"})
	if err != nil {
		return nil, err
	}
	defer fast.discard()
	slow, err := b.newLoginSite(b.badger("slow"), diskConns, guarded{alg: "ES256", caddy: slowCaddy})
	if err != nil {
		return nil, err
	}
	defer slow.discard()
	n := b.roundSize(2000)
	c, err := b.compare(fast.side(n), slow.side(n))
	if err != nil {
		return nil, err
	}
	const enough, share = 5000.0, 0.9
	return []result{{
		what: "logins on a disk with 4 ms fsync, 128 clients, ES256", goal: "≥ 5,000 per second or 90 % of a fast disk",
		measured: fmt.Sprintf("%s a second, by %s on this machine's disk %s; each msync 4 ms longer, two a batch",
			count(rateOf(c.ours)), count(rateOf(c.base)), c.rate()),
		met: whether(rateOf(c.ours) >= enough || c.rate().median >= share),
	}}, nil
}

// buildSlow builds Caddy with a copy of ristretto whose msync takes its time.
func (b *bench) buildSlow(into string) error {
	out, err := exec.CommandContext(b.ctx, "go", "list", "-m", "-f", "{{.Dir}}", ristretto).Output()
	if err != nil {
		return fmt.Errorf("find %s: %w", ristretto, err)
	}
	dir := strings.TrimSpace(string(out))
	copied := filepath.Join(b.dir, "ristretto")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		return err
	}
	if err := replaceIn(filepath.Join(copied, "z", "mmap_linux.go"), syncSource, slowSource); err != nil {
		return err
	}
	modfile, err := b.modfile("replace " + ristretto + " => " + copied)
	if err != nil {
		return err
	}
	return b.build(into, "-modfile", modfile)
}

func replaceIn(file, old, new string) error {
	source, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Contains(source, []byte(old)) {
		return fmt.Errorf("%s no longer says %q", filepath.Base(file), old)
	}
	// The module cache is read-only, and so is what is copied from it.
	return errors.Join(os.Remove(file), os.WriteFile(file, bytes.ReplaceAll(source, []byte(old), []byte(new)), 0o600))
}

// modfile writes a go.mod like this module's with one line more.
func (b *bench) modfile(line string) (string, error) {
	out, err := exec.CommandContext(b.ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	file := filepath.Join(b.dir, "slow.mod")
	own := strings.TrimSpace(string(out))
	for from, to := range map[string]string{own: file, strings.TrimSuffix(own, ".mod") + ".sum": filepath.Join(b.dir, "slow.sum")} {
		text, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		if to == file {
			text = append(text, "\n"+line+"\n"...)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			return "", err
		}
	}
	return file, nil
}
