package pgtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Standby copies the running server and starts the copy as its hot standby, with
// a replication slot. The name is that of the slot (a-z, 0-9 and _) and the
// application_name. The settings of s hold for the standby too, where config
// does not say otherwise. The caller must close it.
func (s *Server) Standby(ctx context.Context, name string, config Config) (*Server, error) {
	settings := maps.Clone(s.config.Settings)
	if settings == nil {
		settings = make(map[string]string)
	}
	maps.Copy(settings, config.Settings)
	config.Settings = settings
	standby, err := prepare(config)
	if err != nil {
		return nil, err
	}
	standby.password = s.password
	if err = standby.copy(ctx, s, name); err == nil {
		err = standby.open(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, standby.Close())
	}
	return standby, nil
}

// copy makes the server's data a standby's of a primary.
func (s *Server) copy(ctx context.Context, primary *Server, name string) error {
	err := s.run(ctx, "pg_basebackup", "--pgdata="+s.data(), "--dbname="+primary.DSN("postgres", "application_name="+name),
		"--write-recovery-conf", "--create-slot", "--slot="+name, "--wal-method=stream", "--checkpoint=fast", "--no-sync")
	if err != nil {
		return err
	}
	// Once promoted it would wait for standbys that are not its own.
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("configure the standby: %w", err)
	}
	_, err = f.WriteString("synchronous_standby_names = ''\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("configure the standby: %w", err)
	}
	return nil
}

// Promote makes a standby a primary and waits until it takes writes.
func (s *Server) Promote() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done, err := s.SQL(ctx, "postgres", fmt.Sprintf("SELECT pg_promote(true, %d)", int(patience.Seconds())))
	if err != nil {
		return fmt.Errorf("promote the standby: %w", err)
	}
	if done != "t" {
		return errors.New("promote the standby: it does not take writes")
	}
	return nil
}

// SetSynchronous makes every later commit wait for one of the named standbys, or
// for none without names, and waits until that is so: the standbys have to be
// connected.
func (s *Server) SetSynchronous(names ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	setting := ""
	if len(names) > 0 {
		setting = `ANY 1 ("` + strings.Join(names, `", "`) + `")`
	}
	for _, query := range []string{
		"ALTER SYSTEM SET synchronous_standby_names = '" + setting + "'",
		"SELECT pg_reload_conf()",
	} {
		if _, err := s.SQL(ctx, "postgres", query); err != nil {
			return fmt.Errorf("set the synchronous standbys: %w", err)
		}
	}
	names = slices.Sorted(slices.Values(names))
	arrived := fmt.Sprintf(`SELECT current_setting('synchronous_standby_names') = '%s' AND
		coalesce(string_agg(application_name, ',' ORDER BY application_name), '') = '%s'
		FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')`, setting, strings.Join(names, ","))
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		yes, err := s.SQL(ctx, "postgres", arrived)
		if err != nil {
			return fmt.Errorf("await the synchronous standbys: %w", err)
		}
		if yes == "t" {
			break
		}
	}
	// That shows what a new session has read. Commits wait only when the
	// checkpointer has read it too, which it does before a checkpoint.
	if _, err := s.SQL(ctx, "postgres", "CHECKPOINT"); err != nil {
		return fmt.Errorf("await the checkpointer: %w", err)
	}
	return nil
}
