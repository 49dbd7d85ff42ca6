package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// hold blocks the writer in a function until release is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- s.UpdateVolatile(context.Background(), func(authcore.Tx) error { close(entered); <-leave; return nil })
	}()
	<-entered
	return sync.OnceFunc(func() {
		close(leave)
		if err := <-done; err != nil {
			t.Errorf("the update that held the writer: %v", err)
		}
	})
}

// An update whose caller has left is not begun.
func TestUpdateDropsWhatItsCallerLeft(t *testing.T) {
	s := openIn(t, t.TempDir())
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var ran atomic.Bool
	go func() {
		done <- s.Update(ctx, func(authcore.Tx) error { ran.Store(true); return nil })
	}()
	await(t, "the update to queue", func() bool { return len(s.queue) == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want context.Canceled", err)
	}
	release()
	if err := logIn(s, 0); err != nil { // behind it in the queue
		t.Fatal(err)
	}
	if ran.Load() {
		t.Error("it ran")
	}
}

// A caller does not leave while its function runs: both use the same variables.
func TestUpdateWaitsForItsFunction(t *testing.T) {
	s := openIn(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	var shared int // the race detector watches it
	err := s.Update(ctx, func(tx authcore.Tx) error {
		cancel()
		for range 1000 {
			shared++
			runtime.Gosched()
		}
		return nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	shared++
}

// A batch is one commit, and one sync if something durable is in it; what is in
// it reads what came before it and is dropped alone.
func TestBatch(t *testing.T) {
	s := openIn(t, t.TempDir())
	before := s.Stats()
	release := hold(t, s)
	refuse := errors.New("refused")
	var callers sync.WaitGroup
	const updates = 100
	for i := range updates {
		callers.Go(func() {
			err := s.Update(t.Context(), func(tx authcore.Tx) error {
				u, err := tx.User("counter")
				if err != nil && !errors.Is(err, authcore.ErrNotFound) {
					return err
				}
				tx.PutUser(authcore.User{ID: "counter", Epoch: u.Epoch + 1})
				if i%2 == 1 {
					return refuse
				}
				return nil
			})
			if (i%2 == 1) != errors.Is(err, refuse) {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	await(t, "the updates to queue", func() bool { return len(s.queue) == updates })
	release()
	callers.Wait()
	after := s.Stats()
	if n := after.Batches - before.Batches; n != 1 {
		t.Errorf("%d batches, want 1", n)
	}
	if n := after.Ops - before.Ops; n != updates+1 {
		t.Errorf("%d ops, want %d", n, updates+1)
	}
	err := s.View(t.Context(), func(tx authcore.Tx) error {
		u, err := tx.User("counter")
		if u.Epoch != updates/2 {
			t.Errorf("counted %d, want %d", u.Epoch, updates/2)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What changes nothing is not committed.
func TestReadingUpdateCommitsNothing(t *testing.T) {
	s := openIn(t, t.TempDir())
	before := s.Stats()
	err := s.Update(t.Context(), func(tx authcore.Tx) error { _, err := tx.Sessions("u"); return err })
	if err != nil {
		t.Fatal(err)
	}
	if after := s.Stats(); after.Batches != before.Batches || after.Sequence != before.Sequence {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// Updates that do not fit into one of Badger's transactions go into several; one
// that fits into none is refused alone.
func TestLargeUpdates(t *testing.T) {
	s := openIn(t, t.TempDir())
	large := func(id string, records int) error {
		return s.Update(t.Context(), func(tx authcore.Tx) error {
			for i := range records {
				tx.PutUser(authcore.User{
					ID: authcore.UserID(fmt.Sprint(id, "-", i)), DisplayName: strings.Repeat("x", 100<<10),
				})
			}
			return nil
		})
	}
	release := hold(t, s)
	var callers sync.WaitGroup
	for i := range 10 {
		callers.Go(func() {
			if err := large(fmt.Sprint(i), 4); err != nil {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	callers.Go(func() {
		if err := large("too many", 20); !errors.Is(err, errTooMuch) {
			t.Errorf("too many records: got error %v, want errTooMuch", err)
		}
	})
	callers.Go(func() {
		err := s.Update(t.Context(), func(tx authcore.Tx) error {
			tx.PutUser(authcore.User{ID: "u", DisplayName: strings.Repeat("x", maxRecord)})
			return nil
		})
		if !errors.Is(err, errTooLarge) {
			t.Errorf("too large a record: got error %v, want errTooLarge", err)
		}
	})
	await(t, "the updates to queue", func() bool { return len(s.queue) == 12 })
	release()
	callers.Wait()
	for i := range 10 {
		if n := missing(t, s, []string{fmt.Sprint(i, "-0"), fmt.Sprint(i, "-3")}); n > 0 {
			t.Errorf("update %d: %d records are missing", i, n)
		}
	}
}

// A function that ends its goroutine, as t.Fatal does, ends no store.
func TestGoexit(t *testing.T) {
	s := openIn(t, t.TempDir())
	if err := s.Update(t.Context(), func(authcore.Tx) error { runtime.Goexit(); return nil }); !errors.Is(err, errAborted) {
		t.Errorf("got error %v, want errAborted", err)
	}
	if err := logIn(s, 0); err != nil {
		t.Errorf("after it: %v", err)
	}
	// In a crowd it happens at every step of a batch, with the disk in hand too.
	var crowd sync.WaitGroup
	for i := range 64 {
		crowd.Go(func() {
			if i%4 == 0 {
				_ = s.Update(t.Context(), func(authcore.Tx) error { runtime.Goexit(); return nil })
			} else {
				_ = logIn(s, i)
			}
		})
	}
	crowd.Wait()
	if err := logIn(s, 0); err != nil {
		t.Errorf("after a crowd: %v", err)
	}
}

// Close under load loses nothing that was acknowledged, hangs nobody and leaves
// no goroutine behind.
func TestCloseUnderLoad(t *testing.T) {
	before := goroutines()
	dir := t.TempDir()
	var kept []string
	for round := range 5 {
		s, err := childOpen(dir)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var callers sync.WaitGroup
		for w := range 16 {
			callers.Go(func() {
				for i := 0; ; i++ {
					id := fmt.Sprint(round, "-", w, "-", i)
					err := s.Update(context.Background(), putUser(id))
					if err == nil {
						mu.Lock()
						kept = append(kept, id)
						mu.Unlock()
						err = s.View(context.Background(), func(tx authcore.Tx) error {
							_, err := tx.User(authcore.UserID(id))
							return err
						})
					}
					if errors.Is(err, authcore.ErrUnavailable) {
						return
					}
					if err != nil {
						t.Errorf("before the close: %v", err)
					}
				}
			})
		}
		await(t, "some writes", func() bool { return s.Stats().Ops > 500 })
		var closers sync.WaitGroup
		for range 3 {
			closers.Go(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		closers.Wait()
		callers.Wait()
	}
	await(t, "its goroutines to end", func() bool { return goroutines() <= before })
	if n := missing(t, openIn(t, dir), kept); n > 0 {
		t.Errorf("%d of %d acknowledged writes are lost", n, len(kept))
	}
}
