package authcore

import (
	"slices"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/qqauth/qqauth/authcore/token"
)

// Counter counts what a limit is about.
type Counter struct {
	Key CounterHash `cbor:"1,keyasint"`
	// Slots are in the order of time.
	Slots   []Slot    `cbor:"2,keyasint"`
	Expires time.Time `cbor:"3,keyasint"`
}

// Slot is how much a Counter counted in one stretch of time.
type Slot struct {
	At int64  `cbor:"1,keyasint"` // the number of the stretch
	N  uint32 `cbor:"2,keyasint"`
}

// quotaSlots is how many stretches a quota's window is counted in. What happened
// in one counts until all of it is out of the window, so a quota is never
// exceeded, and up to a sixtieth of the window stricter than it says.
const quotaSlots = 60

// quota is a limit that is counted in the store, where it outlives a restart and
// holds for all nodes: at most so many in any window.
type quota struct {
	key    CounterHash
	most   int // 0 is no limit
	window time.Duration
	look   bool // this attempt is not counted
}

// quotas are the limits that one attempt is counted under.
type quotas []quota

// add adds a limit on what the parts name together.
func (q *quotas) add(ring *token.Ring, most int, window time.Duration, name string, parts ...string) {
	if most > 0 {
		parts = append([]string{name, window.String()}, parts...)
		*q = append(*q, quota{key: CounterHash(ring.Index("quota", parts...)), most: most, window: window})
	}
}

// counting is where counters are kept: a transaction, or a node's memory.
type counting interface {
	Counters(...CounterHash) ([]Counter, error)
	PutCounter(Counter)
}

// read reads the counters of the limits. verdict is ErrLimited, with the time at
// which there is room again, if one of them is reached; full says which are.
func (q quotas) read(tx counting, now time.Time) (counters []Counter, full []bool, verdict, err error) {
	if len(q) == 0 {
		return nil, nil, nil, nil
	}
	keys := make([]CounterHash, len(q))
	for i := range q {
		keys[i] = q[i].key
	}
	if counters, err = tx.Counters(keys...); err != nil {
		return nil, nil, nil, err
	}
	full = make([]bool, len(q))
	var longest time.Duration
	for i := range q {
		wait := q[i].wait(&counters[i], now)
		full[i], longest = wait > 0, max(longest, wait)
	}
	if longest > 0 {
		verdict = retryLater{ErrLimited, longest}
	}
	return counters, full, verdict, nil
}

// count counts one attempt under each of the limits.
func (q quotas) count(tx counting, counters []Counter, now time.Time) {
	for i := range q {
		if q[i].look {
			continue
		}
		c := counters[i]
		at := q[i].slot(now)
		if n := len(c.Slots); n > 0 && c.Slots[n-1].At >= at {
			c.Slots[n-1].N++
		} else {
			c.Slots = append(c.Slots, Slot{At: at, N: 1})
		}
		c.Key, c.Expires = q[i].key, now.Add(q[i].window+q[i].stretch())
		tx.PutCounter(c)
	}
}

func (q *quota) stretch() time.Duration { return q.window / quotaSlots }

func (q *quota) slot(at time.Time) int64 { return at.UnixNano() / int64(q.stretch()) }

// wait forgets what is out of the window and tells how long it takes until there
// is room for one more, 0 if there is.
func (q *quota) wait(c *Counter, now time.Time) time.Duration {
	first := q.slot(now) - quotaSlots
	c.Slots = slices.DeleteFunc(slices.Clone(c.Slots), func(s Slot) bool { return s.At < first })
	n := 0
	for _, s := range c.Slots {
		n += int(s.N)
	}
	var out time.Time // when enough of it is out of the window
	for _, s := range c.Slots {
		if n < q.most {
			break
		}
		n -= int(s.N)
		out = time.Unix(0, (s.At+1)*int64(q.stretch())).Add(q.window)
	}
	return max(0, out.Sub(now))
}

// memoryCounters are counters of this node alone, for what must not be written
// down for the asking. The oldest are forgotten when there are too many.
type memoryCounters struct {
	mu    sync.Mutex
	cache *otter.Cache[CounterHash, Counter]
}

func newMemoryCounters() *memoryCounters {
	return &memoryCounters{cache: otter.Must(&otter.Options[CounterHash, Counter]{
		MaximumSize:      limitedAddresses,
		ExpiryCalculator: otter.ExpiryWriting[CounterHash, Counter](25 * time.Hour),
	})}
}

func (m *memoryCounters) close() {
	m.cache.InvalidateAll()
	m.cache.StopAllGoroutines()
}

// take counts an attempt under limits, or answers ErrLimited.
func (m *memoryCounters) take(q quotas, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	counters, _, verdict, _ := q.read(m, now) // memory has no errors
	if verdict == nil {
		q.count(m, counters, now)
	}
	return verdict
}

// Counters implements counting.
func (m *memoryCounters) Counters(keys ...CounterHash) ([]Counter, error) {
	counters := make([]Counter, len(keys))
	for i, key := range keys {
		counters[i], _ = m.cache.GetIfPresent(key)
	}
	return counters, nil
}

// PutCounter implements counting.
func (m *memoryCounters) PutCounter(c Counter) { m.cache.Set(c.Key, c) }
