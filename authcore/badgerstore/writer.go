package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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
	durable bool
	done    chan error // takes one answer, never blocks

	running sync.Mutex // held while fn runs
	gone    bool       // the caller has left; guarded by running

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
		// fn works on the caller's variables: it must not be running, nor run
		// again, once the caller has gone.
		o.running.Lock()
		o.gone = true
		o.running.Unlock()
		return ctx.Err()
	}
}

// write is the one goroutine that writes. Commit and sync stay together in it:
// a sync shared by several committers misses what was committed before the log
// was rotated.
func (s *Store) write() {
	b := newBatch(s)
	ops := make([]*op, 0, maxBatch)
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
		s.answer(ops, fault)
		go s.write()
	}()
	for {
		select {
		case o := <-s.queue:
			ops = append(ops[:0], o)
		case <-s.stop:
			ended = true
			return
		}
		// The callers just answered come back now; without a turn they would miss
		// this batch, and two half crowds would take turns at the disk.
		runtime.Gosched()
		for waiting := true; waiting && len(ops) < maxBatch; {
			select {
			case o := <-s.queue:
				ops = append(ops, o)
			default:
				waiting = false
			}
		}
		for len(ops) > 0 {
			n := s.commit(b, ops)
			ops = ops[:copy(ops, ops[n:])]
		}
	}
}

// commit runs as many of the ops as fit into one transaction, at least one, makes
// it durable if one of them asks for it, and answers them. It returns how many.
func (s *Store) commit(b *batch, ops []*op) int {
	if err := s.room(s.cfg.HardWater); err != nil {
		s.answer(ops, err)
		return len(ops)
	}
	b.begin()
	defer b.txn.Discard()
	n, durable := 0, false
	for _, o := range ops {
		if !b.run(o) {
			break
		}
		n++
		durable = durable || o.wrote && o.durable
	}
	ops = ops[:n]
	if len(b.all) == 0 {
		s.answer(ops, nil)
		return n
	}
	seq := s.sequence.Load() + 1
	if err := b.flush(seq); err != nil {
		s.answer(ops, s.failWrites("commit", err))
		return n
	}
	s.sequence.Store(seq)
	s.batches.Add(1)
	if durable {
		s.settle(ops, seq)
	} else {
		s.answer(ops, nil)
	}
	return n
}

// settle answers the ops of a committed batch: at once those that wait for no
// disk, the others after the sync.
func (s *Store) settle(ops []*op, seq uint64) {
	waiting := ops[:0:0]
	for _, o := range ops {
		if o.wrote && o.durable {
			waiting = append(waiting, o)
		} else {
			s.reply(o, nil)
		}
	}
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
	own   map[string]entry // writes of the op that runs
	all   map[string]entry // writes of the ops before it
	seen  map[string]entry // what they have read
	bytes int64            // at most what all takes in the transaction
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
	b.bytes = 0
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
	e, err := b.store.sentinelEntry(seq)
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
