package pgstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/record"
)

// mode is what a transaction is for.
type mode int

const (
	modeRead     mode = iota // one statement, which needs no transaction
	modeSnapshot             // reads that see one state
	modeDurable
	modeVolatile
	modeFreeze // writes to a frozen store, too
)

var (
	errReadOnly  = errors.New("write in a read-only transaction")
	errReadsMore = errors.New("view reads more than once")
)

// tx is one run of one function given to View or Update.
type tx struct {
	store *Store
	conn  *conn
	mode  mode

	begun      bool
	read1      bool        // something has been read
	queue      []statement // writes that wait for the next flight
	flushed    bool        // writes have been sent
	committing bool        // COMMIT has been sent
	frozen     bool        // as the transaction found the store
	events     []authcore.Event

	// fault is what ended the transaction; it is refused even if the function
	// goes on in spite of it.
	fault   error
	verdict verdict

	last lastSession
}

// call runs fn on t.
func (s *Store) call(t *tx, fn func(authcore.Tx) error) error {
	err := authcore.Call(t, fn)
	if errors.Is(t.fault, errReadsMore) {
		return t.fault // whatever the function made of it
	}
	var p *authcore.PanicError
	if errors.As(err, &p) {
		s.log.Error("panic in a transaction", zap.String("panic", p.What), zap.ByteString("stack", p.Stack))
	}
	if err != nil {
		return err
	}
	return t.fault
}

// read sends statements in one round trip, behind all writes before them.
func (t *tx) read(statements ...statement) error {
	if t.fault != nil {
		return t.fault
	}
	if t.mode == modeRead && (t.read1 || len(statements) > 1) {
		return t.refuse(errReadsMore)
	}
	t.read1 = true
	flight := append(t.opening(), t.queue...)
	t.flushed = t.flushed || len(t.queue) > 0
	t.queue = nil
	if err := t.fly("read", t.store.limits.call, append(flight, statements...)...); err != nil {
		return err
	}
	if t.frozen {
		t.store.frozen.Store(true)
		return t.refuse(authcore.ErrFrozen)
	}
	return nil
}

// opening is what the first flight of a transaction begins with.
func (t *tx) opening() []statement {
	if t.begun || t.mode == modeRead {
		return nil
	}
	t.begun = true
	switch t.mode {
	case modeSnapshot:
		return []statement{{sql: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}}
	case modeFreeze:
		return []statement{{sql: "BEGIN ISOLATION LEVEL SERIALIZABLE"}}
	case modeVolatile:
		return []statement{
			{sql: "BEGIN ISOLATION LEVEL SERIALIZABLE"}, {sql: "SET LOCAL synchronous_commit = off"}, readFrozen(&t.frozen),
		}
	}
	return []statement{{sql: "BEGIN ISOLATION LEVEL SERIALIZABLE"}, readFrozen(&t.frozen)}
}

func readFrozen(to *bool) statement {
	return statement{
		sql:  "SELECT frozen FROM qqauth_store WHERE id = 1",
		scan: func(rows pgx.Rows) error { return rows.Scan(to) },
	}
}

// write queues a write.
func (t *tx) write(sql string, args ...any) {
	if t.mode < modeDurable {
		t.refuse(errReadOnly)
		return
	}
	t.queue = append(t.queue, statement{sql: sql, args: args})
}

// refuse ends the transaction, unless it has ended.
func (t *tx) refuse(err error) error {
	if t.fault == nil {
		t.fault, t.verdict = err, failed
	}
	return err
}

// fly sends a flight. Its failure is the transaction's.
func (t *tx) fly(what string, limit time.Duration, flight ...statement) error {
	err := t.conn.fly(limit, flight...)
	switch {
	case err == nil:
		return nil
	case t.fault != nil: // a row that cannot be true
		return t.fault
	}
	t.fault, t.verdict = fault(what, err), judge(err)
	return t.fault
}

// finish ends a transaction whose function answered err. What a function decided
// not to do rests on what it read, so that is committed, too: only then is it
// known to be of one state.
func (t *tx) finish(err error) error {
	if err != nil && t.flushed {
		return err // and what was sent is rolled back
	}
	if err != nil {
		t.queue, t.events = nil, nil
	}
	if !t.begun {
		if len(t.queue)+len(t.events) == 0 {
			return err
		}
		if err := t.read(); err != nil { // it wrote blindly, perhaps to a frozen store
			return err
		}
	}
	announced, ids := announcements(t.events)
	t.committing = true
	sent := time.Now()
	flight := append(append(t.queue, announced...), statement{sql: "COMMIT"})
	if err := t.fly("commit", t.store.limits.commit, flight...); err != nil {
		if t.verdict <= late && len(ids) > 0 {
			t.store.feed.doubt(t.events, ids[0])
		}
		return err
	}
	t.store.feed.own(ids)
	if len(ids) > 0 && time.Since(sent) > t.store.limits.announce {
		return t.announceAgain()
	}
	return err
}

// end ends a transaction without an effect, for better or worse.
func (t *tx) end(sql string) {
	if t.conn.fly(t.store.limits.call, statement{sql: sql}) != nil {
		t.conn.drop()
		_ = t.conn.Conn.Conn().Close(context.Background()) // or the pool would keep it
	}
}

// outcome is what becomes of a try that ended in err.
func (t *tx) outcome(err error) outcome {
	switch {
	case t.fault == nil:
		return outcome{err: err}
	case t.verdict == again:
		t.store.refusals.Add(1)
		err = fmt.Errorf("%w: too many transactions are in each other's way", authcore.ErrUnavailable)
		return outcome{err, again, 1000}
	case t.verdict == refused: // perhaps by what another has just written
		return outcome{err, refused, 2}
	case t.verdict == lost && !t.committing:
		t.store.writes.Reset()
		return outcome{err, lost, 1}
	case t.verdict <= late && t.committing:
		return outcome{err: fmt.Errorf("%w: nobody knows whether the last write holds", authcore.ErrUnavailable)}
	}
	return outcome{err: err}
}

// none is the error for a read that found nothing.
func none(found bool, err error) error {
	if err == nil && !found {
		return authcore.ErrNotFound
	}
	return err
}

// damaged ends the transaction over a row that cannot be true. It names the table
// alone: keys may lead to a user.
func (t *tx) damaged(table, what string) error {
	return t.refuse(fmt.Errorf("%w: a row of %s %s", authcore.ErrDamaged, table, what))
}

// place is what a sealed column is sealed for: nothing opens in another row.
func place(table string, key []byte) []byte {
	return append([]byte("1 "+table+" "), key...)
}

// seal makes the sealed column of a row.
func (t *tx) seal(table string, key []byte, v any) []byte {
	plain, err := record.Encode(v)
	if err != nil {
		t.refuse(fmt.Errorf("encode a row of %s: %w", table, err))
		return nil
	}
	return t.store.vault.Seal(plain, place(table, key))
}

// open undoes seal.
func (t *tx) open(table string, key, sealed []byte, v any) error {
	plain, err := t.store.vault.Open(sealed, place(table, key))
	if err != nil {
		return t.damaged(table, "does not open")
	}
	if err := record.Decode(plain, v); err != nil {
		return t.damaged(table, "cannot be decoded")
	}
	return nil
}

// newVersion tells this writing of a row from every other.
func newVersion() int64 { return rand.Int64() }

// orNull is the value of a column that may be absent.
func orNull(h [32]byte) []byte {
	if h == ([32]byte{}) {
		return nil
	}
	return h[:]
}

// timeOrNull is orNull for a time.
func timeOrNull(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at
}

// hash reads a column of 32 bytes or none.
func hash(b []byte) (h [32]byte) {
	copy(h[:], b)
	return h
}

var (
	_ authcore.Tx      = (*tx)(nil)
	_ authcore.Stamped = (*tx)(nil)
	_ authcore.Archive = (*tx)(nil)
)
