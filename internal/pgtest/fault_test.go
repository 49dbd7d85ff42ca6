package pgtest

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// once gives the fault to the first flight that it is asked about.
func once(f Fault) func() Fault {
	var asked atomic.Bool
	return func() Fault {
		if asked.Swap(true) {
			return Fault{}
		}
		return f
	}
}

func TestFaultAtCommit(t *testing.T) {
	tests := map[string]struct {
		fault Fault
		rows  int
		check func(error) bool
	}{
		"none":        {Fault{}, 1, func(err error) bool { return err == nil }},
		"cut before":  {Fault{CutBefore: true}, 0, func(err error) bool { return err != nil && sqlState(err) == "" }},
		"cut after":   {Fault{CutAfter: true}, 1, func(err error) bool { return err != nil && sqlState(err) == "" }},
		"failed":      {Fault{Fail: "40001"}, 0, func(err error) bool { return sqlState(err) == "40001" }},
		"late":        {Fault{Delay: 50 * time.Millisecond}, 1, func(err error) bool { return err == nil }},
		"late answer": {Fault{DelayAnswer: 50 * time.Millisecond}, 1, func(err error) bool { return err == nil }},
	}
	ways := map[string]func(*world, pgx.Tx) error{
		"simple": func(w *world, tx pgx.Tx) error { return tx.Commit(w.Context()) },
		"prepared": func(w *world, _ pgx.Tx) error {
			_, err := w.through.Exec(w.Context(), "ending")
			return err
		},
		"batched": func(w *world, _ pgx.Tx) error {
			batch := &pgx.Batch{}
			batch.Queue("SELECT $1::int", 1)
			batch.Queue("ending")
			return w.through.SendBatch(w.Context(), batch).Close()
		},
	}
	for name, test := range tests {
		for way, commit := range ways {
			t.Run(name+", "+way, func(t *testing.T) {
				w := newWorld(t)
				_, err := w.through.Prepare(t.Context(), "ending", "commit")
				must(t, err)
				var asked atomic.Int32
				w.proxy.OnCommit(func() Fault { asked.Add(1); return test.fault })
				tx := w.insert()
				if asked.Load() != 0 {
					t.Error("asked about a flight without COMMIT")
				}
				started := time.Now()
				if err := commit(w, tx); !test.check(err) {
					t.Errorf("commit: got error %v", err)
				}
				if took := time.Since(started); took < test.fault.Delay+test.fault.DelayAnswer {
					t.Errorf("it took %v", took)
				}
				if n := asked.Load(); n != 1 {
					t.Errorf("asked %d times; want once", n)
				}
				w.settled()
				if got := w.rows(); got != test.rows {
					t.Errorf("%d rows are committed; want %d", got, test.rows)
				}
				if cut := test.fault.CutBefore || test.fault.CutAfter; cut != w.through.IsClosed() {
					t.Errorf("the connection is closed: %v", !cut)
				} else if !cut {
					if status := w.through.PgConn().TxStatus(); status != 'I' {
						t.Errorf("the transaction's status is %c", status)
					}
					w.run(w.through, "SELECT 1")
				}
			})
		}
	}
}

// While the answer is held back the commit is already there; while the flight is
// held back it is not.
func TestDelayIsBeforeOrAfter(t *testing.T) {
	for _, after := range []bool{true, false} {
		w := newWorld(t)
		fault, hold := Fault{Delay: time.Hour}, make(chan struct{})
		if after {
			fault = Fault{DelayAnswer: time.Hour}
		}
		w.proxy.OnCommit(func() Fault { close(hold); return fault })
		tx, ended := w.insert(), make(chan error, 1)
		go func() { ended <- tx.Commit(t.Context()) }()
		<-hold
		if after {
			await(t, "the commit", func() bool { return w.rows() == 1 })
		}
		select {
		case err := <-ended:
			t.Fatalf("the commit ended: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		w.proxy.Cut()
		if err := <-ended; err == nil {
			t.Error("a commit that was cut succeeded")
		}
		w.settled()
		if got, want := w.rows() == 1, after; got != want {
			t.Errorf("committed: %v; want %v", got, want)
		}
	}
}

func TestFaultAtRead(t *testing.T) {
	w := newWorld(t)
	w.proxy.OnRead(once(Fault{Fail: "57P03"}))
	if _, err := w.through.Begin(t.Context()); sqlState(err) != "57P03" || w.through.PgConn().TxStatus() != 'I' {
		t.Errorf("begin: got error %v, status %c", err, w.through.PgConn().TxStatus())
	}

	w.proxy.OnRead(once(Fault{Fail: "53300"}))
	if _, err := w.through.Exec(t.Context(), "SELECT $1::int", 1); sqlState(err) != "53300" || w.through.PgConn().TxStatus() != 'I' {
		t.Errorf("outside a transaction: got error %v, status %c", err, w.through.PgConn().TxStatus())
	}
	w.run(w.through, "SELECT $1::int", 1)

	tx := w.insert()
	w.proxy.OnRead(once(Fault{Fail: "40001"}))
	if _, err := tx.Exec(t.Context(), "SELECT $1::int", 1); sqlState(err) != "40001" || w.through.PgConn().TxStatus() != 'E' {
		t.Errorf("in a transaction: got error %v, status %c", err, w.through.PgConn().TxStatus())
	}
	if _, err := tx.Exec(t.Context(), "SELECT 1"); sqlState(err) != "25P02" {
		t.Errorf("after a fault: got error %v", err)
	}
	must(t, tx.Rollback(t.Context()))
	if status := w.through.PgConn().TxStatus(); status != 'I' {
		t.Errorf("after ROLLBACK the status is %c", status)
	}

	w.run(w.through, "SELECT 1") // pgx forgets the statement that failed
	w.proxy.OnRead(once(Fault{Fail: "40001"}))
	if _, err := w.through.Exec(t.Context(), "BEGIN; SELECT 1"); sqlState(err) != "40001" || w.through.PgConn().TxStatus() != 'E' {
		t.Errorf("beginning a transaction: got error %v, status %c", err, w.through.PgConn().TxStatus())
	}
	w.run(w.through, "ROLLBACK")

	// The server begins to answer long before it is through.
	const long = "SELECT repeat('x', 100000) FROM generate_series(1, 50); INSERT INTO rows VALUES (1)"
	for _, fault := range []Fault{{CutBefore: true}, {CutAfter: true}} {
		w.proxy.OnRead(once(fault))
		if _, err := w.through.Exec(t.Context(), long); err == nil || sqlState(err) != "" {
			t.Errorf("cut: got error %v", err)
		}
		w.settled()
		if got := w.rows() == 1; got != fault.CutAfter {
			t.Errorf("%+v: written: %v", fault, got)
		}
		w.through = w.connect(w.dsn)
	}
}
