package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/qqauth/qqauth/authcore"
)

// maxBatch is how many updates share one commit and one sync.
const maxBatch = 256

// sealing is the most that sealing adds to a value, and Badger to an entry.
const sealing = 128

var (
	errTooMuch = errors.New("transaction is too large for the store")
	errAborted = fmt.Errorf("%w: a transaction of the batch ended its goroutine", authcore.ErrUnavailable)
)

// op is an update on its way through the writer.
type op struct {
	fn      func(authcore.Tx) error
	freeze  *bool // in place of fn: closes the store for writing, or opens it
	upkeep  bool  // the store's own, in a frozen one, too
	durable bool
	done    chan error // takes one answer, never blocks

	running sync.Mutex // held while fn runs
	begun   bool       // fn has run once; guarded by running, like gone
	gone    bool       // the caller has left before

	wrote bool  // fn has writes in the batch
	err   error // what fn answered
}

// Update implements [authcore.Store].
func (s *Store) Update(ctx context.Context, fn func(authcore.Tx) error) error {
	return s.submit(ctx, &op{fn: fn, durable: true, done: make(chan error, 1)})
}

// UpdateVolatile implements [authcore.Store].
func (s *Store) UpdateVolatile(ctx context.Context, fn func(authcore.Tx) error) error {
	return s.submit(ctx, &op{fn: fn, done: make(chan error, 1)})
}

func (s *Store) submit(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.gate.RUnlock()
	select {
	case s.queue <- o:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
	}
	o.running.Lock()
	o.gone = !o.begun
	gone := o.gone
	o.running.Unlock()
	if gone {
		return ctx.Err()
	}
	return <-o.done // what has begun has an outcome, and the caller must know it
}

// write is the one goroutine that decides and commits, left first if it is not
// nil. It decides a batch while the disk syncs the one before, and commits it
// only then: a sync that ran beside a commit would miss what was committed before
// the log was rotated.
func (s *Store) write(left *op) {
	b := newBatch(s)
	b.left = left
	ended := false
	defer func() {
		if ended {
			s.loops.Done()
			return
		}
		// A function ended this goroutine (runtime.Goexit), or what is below it
		// panicked. The batch is refused and another goroutine goes on.
		fault := errAborted
		if p := recover(); p != nil {
			fault = s.failWrites("write", fmt.Errorf("panic: %T", p))
		}
		b.txn.Discard()
		if b.disk {
			<-s.disk
		}
		s.answer(b.ops, fault)
		go s.write(b.left)
	}()
	for {
		o := b.left
		if o == nil {
			select {
			case o = <-s.queue:
			case <-s.stop:
				ended = true
				return
			}
		}
		b.begin()
		s.gather(b, o)
		s.commit(b)
	}
}

// gather runs first and what comes behind it until the disk is free and nobody
// waits, and leaves with the disk.
func (s *Store) gather(b *batch, first *op) {
	b.take(first)
	for busy := true; busy; {
		select {
		case o := <-b.more():
			b.take(o)
		case s.disk <- struct{}{}:
			busy, b.disk = false, true
		}
	}
	// The callers just answered come back now; without a turn they would miss
	// this batch, and two half crowds would take turns at the disk.
	runtime.Gosched()
	for {
		select {
		case o := <-b.more():
			b.take(o)
		default:
			return
		}
	}
}

// commit commits a batch. If one of its ops asks for it, the disk is left to the
// sync; those that do not wait for that are answered.
func (s *Store) commit(b *batch) {
	defer b.txn.Discard()
	syncing := false
	defer func() {
		if b.disk = false; !syncing {
			<-s.disk
		}
	}()
	// Not before: the sync of the last batch may have failed while this one was
	// decided, on writes that never were.
	if err := s.room(s.cfg.HardWater); err != nil {
		s.answer(b.ops, err)
		return
	}
	if len(b.all) == 0 && b.frozen == s.frozen.Load() {
		s.answer(b.ops, nil)
		return
	}
	seq := s.sequence.Load() + 1
	if err := b.flush(seq); err != nil {
		s.answer(b.ops, s.failWrites("commit", err))
		return
	}
	s.sequence.Store(seq)
	s.frozen.Store(b.frozen)
	s.batches.Add(1)
	syncing = slices.ContainsFunc(b.ops, func(o *op) bool { return o.wrote && o.durable })
	var waiting []*op
	for _, o := range b.ops {
		if syncing && o.durable { // even if it only read: what it saw must not be taken back
			waiting = append(waiting, o)
		} else {
			s.reply(o, nil)
		}
	}
	if syncing {
		s.loops.Go(func() { s.settle(waiting, seq) })
	}
}

// settle syncs batch seq, answers the ops that wait for it and frees the disk.
func (s *Store) settle(waiting []*op, seq uint64) {
	defer func() {
		if p := recover(); p != nil {
			s.answer(waiting, s.failWrites("sync", fmt.Errorf("panic: %T", p)))
		}
		<-s.disk
	}()
	if err := s.sync(); err != nil {
		s.answer(waiting, s.failWrites("sync", err))
		return
	}
	if err := s.mark.advance(seq); err != nil {
		s.failWrites("mark", err) // the batch itself is safe
	}
	s.answer(waiting, nil)
}

// answer ends ops with fault, or with what each function said if that is nil.
// What a function decided in a batch that failed, it decided on writes that
// never were.
func (s *Store) answer(ops []*op, fault error) {
	for _, o := range ops {
		s.reply(o, fault)
	}
}

func (s *Store) reply(o *op, fault error) {
	s.ops.Add(1)
	if fault == nil {
		fault = o.err
	}
	select {
	case o.done <- fault:
	default: // answered before the writer panicked
	}
}

// batch is one transaction of the writer. Its maps are used again and again.
type batch struct {
	store *Store
	txn   *badger.Txn
	ops   []*op
	left  *op              // did not fit, and comes first in the next one
	disk  bool             // the disk is this batch's
	own   map[string]entry // writes of the op that runs
	all   map[string]entry // writes of the ops before it
	seen  map[string]entry // what they have read
	bytes int64            // at most what all takes in the transaction

	frozen bool // whether the store is closed for writing after the ops so far
}

func newBatch(s *Store) *batch {
	return &batch{
		store: s, own: make(map[string]entry), all: make(map[string]entry), seen: make(map[string]entry),
	}
}

func (b *batch) begin() {
	b.txn = b.store.db.NewTransaction(true)
	clear(b.all)
	clear(b.seen)
	b.ops, b.left, b.bytes = b.ops[:0], nil, 0
	b.frozen = b.store.frozen.Load()
}

// more is where further ops come from, nil if there is no place for any.
func (b *batch) more() <-chan *op {
	if b.left != nil || len(b.ops) == maxBatch {
		return nil
	}
	return b.store.queue
}

// take runs an op, to be answered with the batch if its writes fit.
func (b *batch) take(o *op) {
	b.ops = append(b.ops, o) // before it runs, which may be the end of this goroutine
	if !b.run(o) {
		b.ops = b.ops[:len(b.ops)-1]
		b.left = o
	}
}

// run runs an op and keeps its writes, if it succeeds. It reports false if they
// do not fit beside those that are there: the op then runs again in the next
// batch.
func (b *batch) run(o *op) bool {
	o.running.Lock()
	defer o.running.Unlock()
	o.wrote, o.err = false, nil
	if o.gone {
		return true
	}
	o.begun = true
	if o.freeze != nil {
		o.wrote, b.frozen = b.frozen != *o.freeze, *o.freeze
		return true
	}
	if b.frozen && !o.upkeep {
		o.err = authcore.ErrFrozen
		return true
	}
	clear(b.own)
	o.err = b.store.call(&tx{store: b.store, txn: b.txn, own: b.own, batch: b.all, seen: b.seen}, o.fn)
	if o.err != nil || len(b.own) == 0 {
		return true
	}
	var size int64
	for key, e := range b.own {
		size += int64(len(key) + len(e.plain) + sealing)
	}
	if !b.fits(size) {
		if len(b.all) > 0 {
			return false
		}
		o.err = errTooMuch
		return true
	}
	for key, e := range b.own {
		b.all[key] = e
	}
	b.bytes += size
	o.wrote = true
	return true
}

// fits leaves room for the sentinel and for Badger's own end mark.
func (b *batch) fits(size int64) bool {
	const spare = 4
	return b.bytes+size+spare*sealing < b.store.db.MaxBatchSize() &&
		int64(len(b.all)+len(b.own)+spare) < b.store.db.MaxBatchCount()
}

// flush commits the batch as number seq.
func (b *batch) flush(seq uint64) error {
	e, err := b.store.sentinelEntry(seq, b.frozen)
	if err != nil {
		return err
	}
	b.all[string(e.key)] = e
	for _, e := range b.all {
		if err := b.set(e); err != nil {
			return fmt.Errorf("write a record of kind %#x: %w", e.key[0], err)
		}
	}
	return b.txn.Commit()
}

func (b *batch) set(e entry) error {
	if e.plain == nil {
		return b.txn.Delete(e.key)
	}
	return b.txn.SetEntry(&badger.Entry{
		Key: e.key, Value: b.store.seal(e.key, e.plain), ExpiresAt: e.expires,
	})
}
