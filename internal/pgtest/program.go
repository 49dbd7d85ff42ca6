package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// command is one of the server's programs, run as the server is: elsewhere than
// here, where it may not be allowed to look, and knowing no other server.
func (s *Server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PG") }),
		"HOME="+s.dir, "LC_ALL=C")
	detach(cmd, s.as)
	return cmd
}

// run runs a program that makes the server's data.
func (s *Server) run(ctx context.Context, program string, args ...string) error {
	var out bytes.Buffer
	cmd := s.command(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	watching := s.guard.watch(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("run %s: %w: %s", program, err, bytes.TrimSpace(out.Bytes()))
	}
	return watching
}

// SQL runs statements in a database with psql and returns what they print: rows
// by line, columns separated by "|". Several statements are one transaction.
func (s *Server) SQL(ctx context.Context, database, query string) (string, error) {
	return s.psql(ctx, s.DSN(database), query)
}

func (s *Server) psql(ctx context.Context, dsn, query string) (string, error) {
	var out, problem bytes.Buffer
	cmd := s.command(ctx, "psql", "-AtXq", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-c", query)
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run psql: %w: %s", err, bytes.TrimSpace(problem.Bytes()))
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
