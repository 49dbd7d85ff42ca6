package main

import (
	"errors"
	"fmt"
	"log"
	"time"
)

// side is one of two things that are compared.
type side struct {
	pid   int // whose CPU time counts
	n     int // operations in a round
	round func(n int) error
	// database is the PostgreSQL whose CPU time counts apart; nil if there is
	// none.
	database *database
	// most is how many rounds there are operations for; 0 is any number.
	most int
}

// sample is what one round took.
type sample struct {
	cpu      float64 // seconds an operation
	database float64 // the same of the PostgreSQL
	rate     float64 // operations a second
}

func (s side) sample() (sample, error) {
	before, err := s.used()
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	if err := s.round(s.n); err != nil {
		return sample{}, err
	}
	took := time.Since(began)
	after, err := s.used()
	return sample{
		cpu:      (after[0] - before[0]).Seconds() / float64(s.n),
		database: (after[1] - before[1]).Seconds() / float64(s.n),
		rate:     float64(s.n) / took.Seconds(),
	}, err
}

// used is the CPU time of the process, and of the PostgreSQL.
func (s side) used() (spent [2]time.Duration, err error) {
	if spent[0], err = cpuTime(s.pid); err == nil && s.database != nil {
		spent[1], err = familyTime(s.database.pid)
	}
	return spent, err
}

// comparison is how one side did against another, in pairs of rounds.
type comparison struct{ base, ours []sample }

// minPairs is the least that medianInterval can make something of.
const minPairs = 6

// compare runs rounds of both sides in turn for the bench's span. Which one is
// first changes from pair to pair, so that what drifts weighs on both alike.
func (b *bench) compare(base, ours side) (comparison, error) {
	var c comparison
	for _, s := range []side{base, ours} { // connections, pools and the heap grow to size
		if _, err := s.sample(); err != nil {
			return c, err
		}
	}
	enough := func() bool { // of the operations that some side has
		return base.most > 0 && len(c.base)+1 >= base.most || ours.most > 0 && len(c.base)+1 >= ours.most
	}
	for until := time.Now().Add(b.span); len(c.base) < minPairs || time.Now().Before(until) && !enough(); {
		if err := b.ctx.Err(); err != nil {
			return c, err
		}
		var pair [2]sample
		sides := [2]side{base, ours}
		for i := range pair {
			which := (i + len(c.base)) % 2
			var err error
			if pair[which], err = sides[which].sample(); err != nil {
				return c, err
			}
		}
		c.base, c.ours = append(c.base, pair[0]), append(c.ours, pair[1])
	}
	log.Printf("CPU ratio %s; rate ratio %s; base %s, ours %s", c.cpu(), c.rate(),
		describe(c.base), describe(c.ours))
	return c, nil
}

func describe(samples []sample) string {
	return fmt.Sprintf("%s an operation, %s/s", micros(cpuOf(samples)), count(rateOf(samples)))
}

// ratio is the median of pairs' ratios and how sure that is.
type ratio struct {
	median, low, high float64
	pairs             int
}

// ratioOf divides pair by pair.
func ratioOf(ours, base []float64) ratio {
	var ratios []float64
	for i := range ours {
		ratios = append(ratios, ours[i]/base[i])
	}
	low, high := medianInterval(ratios)
	return ratio{median: median(ratios), low: low, high: high, pairs: len(ratios)}
}

func (r ratio) String() string {
	return fmt.Sprintf("%.3f (95 %% CI %.3f–%.3f, %d pairs)", r.median, r.low, r.high, r.pairs)
}

// cpu is ours by base in CPU time an operation, and rate in operations a second.
func (c comparison) cpu() ratio { return ratioOf(cpus(c.ours), cpus(c.base)) }

func (c comparison) rate() ratio { return ratioOf(rates(c.ours), rates(c.base)) }

// repeat runs rounds of one side for the bench's span.
func (b *bench) repeat(s side) (samples []sample, err error) {
	if _, err := s.sample(); err != nil {
		return nil, err
	}
	for until := time.Now().Add(b.span); len(samples) < minPairs || time.Now().Before(until); {
		one, err := s.sample()
		if err := errors.Join(err, b.ctx.Err()); err != nil {
			return nil, err
		}
		samples = append(samples, one)
	}
	return samples, nil
}

func cpuOf(samples []sample) float64  { return median(cpus(samples)) }
func rateOf(samples []sample) float64 { return median(rates(samples)) }

// databaseOf is the PostgreSQL's CPU time an operation.
func databaseOf(samples []sample) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, s.database)
	}
	return median(all)
}

func cpus(samples []sample) (all []float64) {
	for _, s := range samples {
		all = append(all, s.cpu)
	}
	return all
}

func rates(samples []sample) (all []float64) {
	for _, s := range samples {
		all = append(all, s.rate)
	}
	return all
}

func micros(seconds float64) string { return fmt.Sprintf("%.1f µs", seconds*1e6) }

// count is a whole number with commas.
func count(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
