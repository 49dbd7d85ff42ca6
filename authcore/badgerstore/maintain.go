package badgerstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
)

const (
	checkpointEvery = 5 * time.Second
	verifyAfter     = 10 * time.Second
	verifyEvery     = 24 * time.Hour
)

// maintain keeps the mark on the disk, looks for damage and lets go of what has
// expired.
func (s *Store) maintain() {
	defer s.loops.Done()
	checkpoint := time.NewTicker(checkpointEvery)
	defer checkpoint.Stop()
	verify := time.NewTimer(verifyAfter)
	defer verify.Stop()
	erase := time.NewTimer(verifyAfter)
	defer erase.Stop()
	for first := true; ; {
		select {
		case <-s.stop:
			return
		case <-checkpoint.C:
			if err := s.mark.checkpoint(s.cfg.Dir); err != nil {
				s.failWrites("checkpoint", err)
			}
		case <-verify.C:
			verify.Reset(verifyEvery)
			s.verify()
			if !first {
				s.compact()
			}
			first = false
		case <-erase.C:
			s.erase()
			erase.Reset(eraseEvery)
		}
	}
}

// verify reads every block of every table. It costs about 0.4 s for 250 MB.
func (s *Store) verify() {
	if err := guard(s.db.VerifyChecksum); err != nil {
		s.failReads(err)
	}
}

// compact drops what has expired or was deleted, which Badger by itself does
// not do in a store that grows no more.
func (s *Store) compact() {
	if err := s.flatten(); err != nil {
		s.log.Warn("compacting the store failed", zap.Error(err))
	}
}

// flatten brings all tables to one level.
func (s *Store) flatten() error {
	if err := s.roomToFlatten(); err != nil {
		return err
	}
	if err := s.db.Flatten(1); err != nil && !errors.Is(err, badger.ErrDBClosed) {
		return fmt.Errorf("flatten: %w", err)
	}
	return nil
}

// roomToFlatten answers an error if there is no room for a copy of the tables.
func (s *Store) roomToFlatten() error {
	var size uint64
	for _, t := range s.db.Tables() {
		size += uint64(t.OnDiskSize)
	}
	return s.room(s.cfg.LowWater + size)
}
