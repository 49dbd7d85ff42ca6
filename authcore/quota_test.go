package authcore_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/qqauth/qqauth/authcore"
)

// counters is a store of one counter.
type counters struct {
	authcore.Tx
	counter authcore.Counter
}

func (c *counters) Counters(keys ...authcore.CounterHash) ([]authcore.Counter, error) {
	stored := c.counter
	stored.Key, stored.Slots = keys[0], slices.Clone(stored.Slots)
	return []authcore.Counter{stored}, nil
}

func (c *counters) PutCounter(counter authcore.Counter) { c.counter = counter }

// TestQuota is the property of a limit: in no window is there more than it allows,
// it refuses nothing for longer than a sixtieth of the window beyond that, and
// when it says that there is room again, there is.
func TestQuota(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 12).Draw(t, "most")
		window := rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "window")
		now := newClock()
		now.step(time.Duration(rapid.Int64Range(0, int64(window)).Draw(t, "begin")))
		var tx counters
		var allowed []time.Time
		within := func(span time.Duration) (n int) {
			for _, at := range allowed {
				if now.Now().Sub(at) < span {
					n++
				}
			}
			return n
		}
		for range rapid.IntRange(1, 60).Draw(t, "attempts") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0: // at the same time
			case 1:
				now.step(time.Duration(rapid.Int64Range(0, int64(2*window)).Draw(t, "long")))
			default:
				now.step(time.Duration(rapid.Int64Range(0, int64(window/10)).Draw(t, "short")))
			}
			err := authcore.TakeQuota(&tx, now.Now(), most, window)
			if err == nil {
				if allowed = append(allowed, now.Now()); within(window) > most {
					t.Fatalf("%d within a window; at most %d are allowed", within(window), most)
				}
				continue
			}
			if !errors.Is(err, authcore.ErrLimited) {
				t.Fatalf("take = %v", err)
			}
			if within(window+window/60) < most {
				t.Fatalf("refused with %d in the window; %d are allowed", within(window+window/60), most)
			}
			wait := authcore.RetryAfterExactly(err)
			if wait <= 0 || wait > window+window/60 {
				t.Fatalf("retry after %s", wait)
			}
			if rapid.Bool().Draw(t, "come back") {
				now.step(wait)
				if err := authcore.TakeQuota(&tx, now.Now(), most, window); err != nil {
					t.Fatalf("when there should be room again: %v", err)
				}
				if allowed = append(allowed, now.Now()); within(window) > most {
					t.Fatalf("%d within a window; at most %d are allowed", within(window), most)
				}
			}
			if len(tx.counter.Slots) > 62 {
				t.Fatalf("%d slots", len(tx.counter.Slots))
			}
			if out := now.Now().Add(window); tx.counter.Expires.Before(out) && len(allowed) > 0 && allowed[len(allowed)-1].Equal(now.Now()) {
				t.Fatalf("the counter expires at %s, before %s", tx.counter.Expires, out)
			}
		}
	})
}

func TestQuotaAtOnce(t *testing.T) {
	var tx counters
	for range 1000 {
		want(t, "take", authcore.TakeQuota(&tx, newClock().Now(), 1000, time.Minute), nil)
	}
	want(t, "one more", authcore.TakeQuota(&tx, newClock().Now(), 1000, time.Minute), authcore.ErrLimited)
}
