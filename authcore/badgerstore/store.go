package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
)

// closeWait bounds how long Close waits for a disk that does not answer.
const closeWait = 30 * time.Second

// Config says where a store is and how it behaves. Dir and Vault are required.
type Config struct {
	// Dir is the directory of the store; it is made, mode 0700, if it is absent.
	Dir string
	// Vault opens the key ring and seals the values. It must be good for one
	// store only.
	Vault authcore.Vault
	// Logger takes what an operator should know; nil discards it.
	Logger *zap.Logger
	// Now is the clock that the records' expiries are measured by; nil means
	// [time.Now].
	Now func() time.Time
	// LowWater is the free space in bytes below which Writable answers an error;
	// 0 means max(256 MiB, min(5 % of the disk, 1 GiB)).
	LowWater uint64
	// HardWater is the free space in bytes below which nothing is written and
	// no store is opened; 0 means a quarter of LowWater, at least 128 MiB.
	HardWater uint64
	// LockWait is how long Open waits for another process to let go of the
	// directory; 0 means 5 s.
	LockWait time.Duration
}

// Validate reports what is missing.
func (c *Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("badger store: no directory given")
	case c.Vault == nil:
		return errors.New("badger store: no vault given")
	case c.LowWater != 0 && c.HardWater > c.LowWater:
		return errors.New("badger store: the hard water mark is above the low one")
	}
	return nil
}

// Stats is what a store tells about itself.
type Stats struct {
	Free     uint64 // bytes free on the disk, 0 if unknown
	Batches  uint64 // transactions committed since Open
	Ops      uint64 // updates answered since Open, refused ones included
	Sequence uint64 // n of the last batch, over the life of the store
	Damages  uint64 // reads since Open that met a damaged record
	Healthy  bool   // reads and writes are possible
}

// Store is an [authcore.Store] in one directory. It is safe for concurrent use.
type Store struct {
	cfg  Config
	log  *zap.Logger
	lock *dirLock
	db   *badger.DB
	sync func() error // of the database
	mark *mark
	id   storeID

	queue chan *op
	disk  chan struct{} // full while a batch is committed and synced
	stop  chan struct{} // ends the writer and the maintenance
	loops sync.WaitGroup

	gate    sync.RWMutex // held shared by every call, exclusively to close
	closing sync.Once
	full    chan struct{} // closed when shutdown waits for room
	down    chan struct{} // closed when shutdown has ended
	downErr error         // of shutdown; read after down

	// readFault and writeFault are what stands against reading and writing;
	// once set they stay, because neither a failed sync nor a damaged table
	// heals by itself.
	readFault, writeFault atomic.Pointer[error]

	frozen atomic.Bool // as of the last batch

	sequence, batches, ops, damages atomic.Uint64
}

// View implements [authcore.Store].
func (s *Store) View(ctx context.Context, fn func(authcore.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.gate.RUnlock()
	if err := s.readable(); err != nil {
		return err
	}
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	return s.call(&tx{store: s, txn: txn}, fn)
}

// Ping implements [authcore.Store] by reading and opening the sentinel. A store
// that can be read but not written fails it, because no log-out reaches it.
func (s *Store) Ping(ctx context.Context) error {
	if f := s.writeFault.Load(); f != nil {
		return *f
	}
	return s.View(ctx, func(t authcore.Tx) error {
		_, err := t.(*tx).sentinel()
		if errors.Is(err, authcore.ErrNotFound) {
			return fmt.Errorf("%w: the sentinel is gone", authcore.ErrDamaged)
		}
		return err
	})
}

// Writable implements [authcore.Store].
func (s *Store) Writable() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.gate.RUnlock()
	if s.frozen.Load() {
		return authcore.ErrFrozen
	}
	return s.room(s.cfg.LowWater)
}

// Freeze implements [authcore.Store]. The sentinel, which every batch rewrites,
// remembers it.
func (s *Store) Freeze(ctx context.Context, frozen bool) error {
	return s.submit(ctx, &op{freeze: &frozen, durable: true, done: make(chan error, 1)})
}

// Stats tells how the store does.
func (s *Store) Stats() Stats {
	free, _, err := diskSpace(s.cfg.Dir)
	if err != nil {
		free = 0
	}
	return Stats{
		Free:     free,
		Batches:  s.batches.Load(),
		Ops:      s.ops.Load(),
		Sequence: s.sequence.Load(),
		Damages:  s.damages.Load(),
		Healthy:  s.readable() == nil && s.writeFault.Load() == nil,
	}
}

// Close implements [authcore.Store]. On a full disk, and after 30 s on one that
// hangs, it answers an error that wraps ErrUnavailable: the store takes no more
// calls, keeps its lock and goes on closing when it can. Nothing is lost if the
// process ends before.
func (s *Store) Close() error {
	s.closing.Do(func() { go s.shutdown() })
	select {
	case <-s.down:
		return s.downErr
	default:
	}
	select {
	case <-s.down:
		return s.downErr
	case <-s.full:
		return fmt.Errorf("%w: no room on the disk to close it", authcore.ErrUnavailable)
	case <-time.After(closeWait):
		return fmt.Errorf("%w: closing takes longer than %v", authcore.ErrUnavailable, closeWait)
	}
}

// shutdown ends what runs, in the order in which it depends on each other. The
// gate stays locked for ever after.
func (s *Store) shutdown() {
	s.gate.Lock()
	close(s.stop)
	s.loops.Wait()
	s.awaitRoom()
	err := s.db.Close()
	// Only now: closing wrote a table and its line in the MANIFEST.
	s.downErr = errors.Join(err, s.mark.close(s.cfg.Dir), s.lock.release())
	close(s.down)
}

// awaitRoom waits until Badger can write its logs as tables, which closing
// includes and which kills the process on a full disk.
func (s *Store) awaitRoom() {
	enough := func() bool {
		free, _, err := diskSpace(s.cfg.Dir)
		return err != nil || free >= 4*memTable
	}
	if enough() {
		return
	}
	close(s.full)
	s.log.Error("no room on the disk to close the store, waiting for it")
	for !enough() {
		time.Sleep(time.Second)
	}
}

// enter lets a call in, unless the store is closing: from then on TryRLock fails.
func (s *Store) enter() error {
	if !s.gate.TryRLock() {
		return fmt.Errorf("%w: closed", authcore.ErrUnavailable)
	}
	return nil
}

func (s *Store) readable() error {
	if f := s.readFault.Load(); f != nil {
		return *f
	}
	return nil
}

// room answers an error if the store may not be written or less than mark bytes
// are free.
func (s *Store) room(mark uint64) error {
	if err := s.readable(); err != nil {
		return err
	}
	if f := s.writeFault.Load(); f != nil {
		return *f
	}
	free, _, err := diskSpace(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("%w: read free space: %w", authcore.ErrUnavailable, err)
	}
	if free < mark {
		return fmt.Errorf("%w: %d MiB are free on its disk, %d MiB are needed",
			authcore.ErrUnavailable, free>>20, mark>>20)
	}
	return nil
}

// failWrites makes the store read-only: after a failed commit or sync nobody
// knows what is on the disk, and syncing again would only report success for
// pages that the kernel has dropped.
func (s *Store) failWrites(what string, cause error) error {
	err := fmt.Errorf("%w: %s: %w", authcore.ErrUnavailable, what, cause)
	if s.writeFault.CompareAndSwap(nil, &err) {
		s.log.Error("store is read-only until it is opened again", zap.String("during", what), zap.Error(cause))
	}
	return err
}

// failReads declares the store damaged.
func (s *Store) failReads(cause error) {
	err := fmt.Errorf("%w: %w", authcore.ErrDamaged, cause)
	if s.readFault.CompareAndSwap(nil, &err) {
		s.log.Error("store is damaged and answers no more", zap.Error(cause))
	}
}

var _ authcore.Store = (*Store)(nil)
