package badgerstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
)

// memTable is the size of Badger's write buffer. It is no setting: a log written
// under a larger one kills the process that opens it under a smaller one.
const memTable = 8 << 20

// lockName is where the holder of the directory writes its pid, as Badger does.
const lockName = "LOCK"

// Open opens the store in cfg.Dir, or makes one there. Its error wraps ErrLocked
// if another process holds the directory, the vault's ErrWrongSecret if the
// secret is wrong, ErrDamaged if an operator has to decide (see the package
// comment) and ErrUnavailable if it may be tried again. What ErrDamaged is
// answered for before Badger runs, it leaves as it was found.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := errors.Join(supported(), cfg.Validate()); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.LockWait = cmp.Or(cfg.LockWait, 5*time.Second)
	if err := makeDir(cfg.Dir); err != nil {
		return nil, err
	}
	if err := cfg.setMarks(); err != nil {
		return nil, err
	}
	lock, err := lockDir(ctx, cfg.Dir, cfg.LockWait)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, log: cfg.Logger, lock: lock,
		queue: make(chan *op, maxBatch), disk: make(chan struct{}, 1), stop: make(chan struct{}),
		full: make(chan struct{}), down: make(chan struct{}),
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	return s, nil
}

// start opens the locked directory and starts the store's goroutines.
func (s *Store) start() error {
	found, err := preflight(s.cfg.Dir)
	if err != nil {
		return err
	}
	// Opening may rewrite the log as tables; a full disk would kill the process.
	if err := s.room(s.cfg.HardWater); err != nil {
		return err
	}
	if err := dropEmptyLogs(s.cfg.Dir); err != nil {
		return fmt.Errorf("%w: tidy the store's directory: %w", authcore.ErrUnavailable, err)
	}
	if s.db, err = openBadger(s.cfg); err != nil {
		return err
	}
	s.sync = s.db.Sync
	if err := s.identify(found); err != nil {
		return errors.Join(err, s.db.Close())
	}
	s.loops.Add(2)
	go s.write(nil)
	go s.maintain()
	return nil
}

// makeDir makes the directory, and says plainly why it cannot be used.
func makeDir(dir string) error {
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			err = syncDir(filepath.Dir(dir))
		}
	}
	if err != nil {
		return fmt.Errorf("%w: make the store's directory: %w", authcore.ErrUnavailable, err)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("%w: the store's directory cannot be written: %w", authcore.ErrUnavailable, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// setMarks fills in the marks of free space.
func (c *Config) setMarks() error {
	if c.LowWater == 0 {
		_, total, err := diskSpace(c.Dir)
		if err != nil {
			return fmt.Errorf("%w: read the size of the disk: %w", authcore.ErrUnavailable, err)
		}
		c.LowWater = max(256<<20, min(total/20, 1<<30), c.HardWater)
	}
	if c.HardWater == 0 {
		// What Badger may write in the background without asking: the full logs
		// as tables, and beside its input the output of two compactions, one of
		// them of up to six such tables into a level of about as much.
		c.HardWater = min(c.LowWater, max(c.LowWater/4, 16*memTable))
	}
	return nil
}

// openBadger opens the database. Its directory is locked and has been checked.
func openBadger(cfg Config) (db *badger.DB, err error) {
	opt := badger.DefaultOptions(cfg.Dir).
		WithLogger(logger{cfg.Logger}).
		WithBypassLockGuard(true). // locked already
		WithSyncWrites(false).     // the writer syncs
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithMemTableSize(memTable).
		WithNumMemtables(2).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(6).
		WithNumCompactors(2).
		WithBaseTableSize(2 << 20).
		WithCompression(options.None). // tables are read from their maps
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithValueLogFileSize(16 << 20).
		WithValueThreshold(512 << 10)
	err = guard(func() (err error) {
		db, err = badger.Open(opt)
		return err
	})
	var errno syscall.Errno
	switch {
	case err == nil:
		return db, nil
	case errors.As(err, &errno):
		return nil, fmt.Errorf("%w: open badger: %w", authcore.ErrUnavailable, err)
	default:
		return nil, fmt.Errorf("%w: open badger: %w", authcore.ErrDamaged, err)
	}
}

// identify unlocks the vault and finds out whether this is the store that the
// mark knows, as new as the mark knows it.
func (s *Store) identify(found findings) error {
	empty := found.fresh
	if !found.marked && !found.fresh {
		var err error
		if empty, err = s.empty(); err != nil {
			return err
		}
	}
	if empty {
		return s.create()
	}
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	t := &tx{store: s, txn: txn}
	replace, err := s.unlock(t)
	if err != nil {
		return err
	}
	now, err := t.sentinel()
	if errors.Is(err, authcore.ErrNotFound) {
		return fmt.Errorf("%w: the sentinel is gone", authcore.ErrDamaged)
	}
	if err != nil {
		return err
	}
	s.id = now.Store
	s.sequence.Store(now.Sequence)
	s.frozen.Store(now.Frozen)
	if err := s.compare(found); err != nil {
		return err
	}
	if replace != nil {
		if err := s.writeRing(replace); err != nil {
			return err
		}
	}
	s.mark, err = newMark(s.cfg.Dir, s.cfg.Vault, progress{store: s.id, sequence: s.sequence.Load()})
	return unavailable("mark", err)
}

// unlock gives the vault its ring, and returns the one to write instead.
func (s *Store) unlock(t *tx) (replace []byte, err error) {
	ring, err := t.Ring()
	if errors.Is(err, authcore.ErrNotFound) {
		return nil, fmt.Errorf("%w: the key ring is gone", authcore.ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	return s.cfg.Vault.Unlock(ring)
}

// compare holds the mark against the database. Without a mark the operator has
// accepted that something may be lost, log-outs among it.
func (s *Store) compare(found findings) error {
	switch m := found.mark; {
	case !found.marked:
		s.log.Error("MARK is missing: every session, ticket and pending login is void")
		return unavailable("void sessions", s.db.DropPrefix(loginState...))
	case !m.authentic(s.cfg.Vault, found.tag) || m.store != s.id:
		return fmt.Errorf("%w: %s belongs to another store", authcore.ErrDamaged, markName)
	case m.sequence > s.sequence.Load():
		return fmt.Errorf("%w: it ends at batch %d, but %s knows batch %d: acknowledged writes are lost",
			authcore.ErrDamaged, s.sequence.Load(), markName, m.sequence)
	}
	return nil
}

// empty reports whether the database holds nothing at all: its first batch was
// never written.
func (s *Store) empty() (bool, error) {
	if len(s.db.Tables()) > 0 {
		return false, nil
	}
	none := true
	err := guard(func() error {
		return s.db.View(func(txn *badger.Txn) error {
			it := txn.NewIterator(badger.IteratorOptions{})
			defer it.Close()
			it.Rewind()
			none = !it.Valid()
			return nil
		})
	})
	return none, unavailable("read", err)
}

// create makes a new store: ring and sentinel in one batch, then the mark.
func (s *Store) create() error {
	ring, err := s.cfg.Vault.Unlock(nil)
	if err != nil {
		return err
	}
	rand.Read(s.id[:])
	if err := s.writeRing(ring); err != nil {
		return err
	}
	s.mark, err = newMark(s.cfg.Dir, s.cfg.Vault, progress{store: s.id, sequence: s.sequence.Load()})
	return unavailable("mark", err)
}

// writeRing writes the ring in a batch of its own, before the writer runs.
func (s *Store) writeRing(ring []byte) error {
	b := newBatch(s)
	b.begin()
	defer b.txn.Discard()
	o := &op{fn: func(t authcore.Tx) error { t.PutRing(ring); return nil }}
	b.run(o)
	seq := s.sequence.Load() + 1
	if err := errors.Join(o.err, b.flush(seq), s.sync()); err != nil {
		return unavailable("write the key ring", err)
	}
	s.sequence.Store(seq)
	return nil
}

func unavailable(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", authcore.ErrUnavailable, what, err)
}
