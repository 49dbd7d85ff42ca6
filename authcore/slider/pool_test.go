package slider_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/qqauth/qqauth/authcore/slider"
)

// A pool holds 64 puzzles, and 20 are drawn within a second.
const (
	held     = 64
	inSecond = 20
	refill   = 2 * held / inSecond * time.Second
)

// easel draws blank puzzles, and notes when.
type easel struct {
	mu   sync.Mutex
	took time.Duration // by each
	at   []time.Time
}

func (e *easel) draw() *slider.Puzzle {
	e.mu.Lock()
	e.at = append(e.at, time.Now())
	took := e.took
	e.mu.Unlock()
	time.Sleep(took)
	return new(slider.Puzzle)
}

func (e *easel) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.at)
}

// check reports if more was drawn within any second than may be.
func (e *easel) check(t *testing.T) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := inSecond; i < len(e.at); i++ {
		if within := e.at[i].Sub(e.at[i-inSecond]); within < time.Second {
			t.Fatalf("%d puzzles drawn within %v", inSecond+1, within)
		}
	}
}

// counted is how often each puzzle was handed out.
type counted map[*slider.Puzzle]int

func (c counted) take(pool *slider.Pool, n int) {
	for range n {
		c[pool.Next()]++
	}
}

// pooled runs a test on a pool in a bubble of its own, which ends only if
// closing the pool has left no goroutine.
func pooled(t *testing.T, test func(*testing.T, *slider.Pool, *easel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := &easel{took: 5 * time.Millisecond}
		pool := slider.NewOf(e.draw)
		defer pool.Close()
		test(t, pool, e)
		e.check(t)
	})
}

// TestPuzzlesAreHandedOutOnce if they are asked for no faster than they are
// drawn.
func TestPuzzlesAreHandedOutOnce(t *testing.T) {
	pooled(t, func(t *testing.T, pool *slider.Pool, e *easel) {
		got := make(counted)
		for range 10 * held {
			got.take(pool, 1)
			time.Sleep(time.Second/inSecond + 2*e.took)
		}
		if len(got) != 10*held {
			t.Errorf("%d puzzles for %d who asked", len(got), 10*held)
		}
	})
}

func TestPoolFills(t *testing.T) {
	pooled(t, func(t *testing.T, pool *slider.Pool, e *easel) {
		time.Sleep(refill)
		if drawn := e.count(); drawn != held {
			t.Errorf("an idle pool has drawn %d, want %d", drawn, held)
		}
		got := make(counted)
		got.take(pool, held+inSecond)
		if len(got) != held+inSecond {
			t.Errorf("%d puzzles from a full pool and what may be drawn at once, want %d", len(got), held+inSecond)
		}
		time.Sleep(refill)
		again := make(counted)
		again.take(pool, 2*held)
		if len(again) != held+inSecond {
			t.Errorf("%d puzzles from a pool that is full again, want %d", len(again), held+inSecond)
		}
		for p := range again {
			if got[p] > 0 {
				t.Fatal("a puzzle that had been handed out was kept instead of a new one")
			}
		}
	})
}

// TestFloodDrawsNoFaster: a stranger who asks without end gets the same puzzles
// again, each as often as the others, or his asking would take the processor
// from those who are logged in.
func TestFloodDrawsNoFaster(t *testing.T) {
	pooled(t, func(t *testing.T, pool *slider.Pool, e *easel) {
		time.Sleep(e.took) // the first is there
		synctest.Wait()
		got := make(counted)
		for range 10 * inSecond {
			got.take(pool, 5)
			time.Sleep(time.Millisecond)
		}
		if len(got) != inSecond {
			t.Errorf("%d puzzles at once, want %d", len(got), inSecond)
		}
		for _, n := range got {
			if n < 49 || n > 51 {
				t.Errorf("a puzzle was handed out %d times, want 50", n)
			}
		}
		const seconds = 10
		for range seconds * 100 {
			got.take(pool, 5)
			time.Sleep(10 * time.Millisecond)
		}
		if len(got) < seconds*inSecond {
			t.Errorf("%d puzzles in %d seconds: it draws no more", len(got), seconds)
		}
	})
}

// TestManyAskAtOnce, just after the start, when there is nothing to hand out
// again.
func TestManyAskAtOnce(t *testing.T) {
	pooled(t, func(t *testing.T, pool *slider.Pool, e *easel) {
		start := time.Now()
		var mu sync.Mutex
		var all sync.WaitGroup
		got := make(counted)
		for range 10 * inSecond {
			all.Go(func() {
				p := pool.Next()
				mu.Lock()
				defer mu.Unlock()
				got[p]++
			})
		}
		all.Wait()
		if got[nil] > 0 || len(got) > inSecond {
			t.Errorf("%d puzzles at once, %d times none", len(got), got[nil])
		}
		if waited := time.Since(start); waited > e.took {
			t.Errorf("somebody waited %v, longer than it takes to draw one", waited)
		}
	})
}

func TestNextWaitsForNobodyWhoDraws(t *testing.T) {
	pooled(t, func(t *testing.T, pool *slider.Pool, e *easel) {
		pool.Next()
		time.Sleep(e.took)
		e.mu.Lock()
		e.took = time.Hour
		e.mu.Unlock()
		time.Sleep(2 * time.Second)
		var all sync.WaitGroup
		for range 2 * inSecond { // more than may draw
			all.Go(func() { pool.Next() })
		}
		synctest.Wait()
		start := time.Now()
		pool.Next()
		if waited := time.Since(start); waited > 0 {
			t.Errorf("waited %v for what others draw", waited)
		}
		all.Wait()
	})
}

func TestClosedPoolGoesOn(t *testing.T) {
	pooled(t, func(t *testing.T, idle *slider.Pool, e *easel) {
		free := new(easel)
		busy := slider.NewOf(free.draw)
		start := time.Now()
		busy.Close()
		if waited := time.Since(start); waited > 0 || free.count() > 1 {
			t.Errorf("closed after %v and %d more puzzles", waited, free.count())
		}
		time.Sleep(refill)
		idle.Close()
		idle.Close()
		drawn := e.count()
		got := make(counted)
		got.take(idle, held)
		got.take(busy, 1)
		time.Sleep(refill)
		if more := e.count() - drawn; len(got) != held+1 || more > 0 {
			t.Errorf("%d puzzles from closed pools, %d drawn for nobody", len(got), more)
		}
	})
}
