package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// memory is what a server holds, in bytes.
type memory struct {
	anonymous float64 // resident
	heap      float64 // live objects
	stacks    float64 // of goroutines
}

// minus is the difference for each of n.
func (m memory) minus(other memory, n int) memory {
	return memory{
		anonymous: (m.anonymous - other.anonymous) / float64(n),
		heap:      (m.heap - other.heap) / float64(n),
		stacks:    (m.stacks - other.stacks) / float64(n),
	}
}

const (
	// calmAfter is how many readings in a row that tell about the same show that
	// memory has settled.
	calmAfter = 3
	// settleIn is how long it may take.
	settleIn = 3 * time.Minute
)

// settled is what a server holds when its garbage is collected and given back.
// Go collects what an idle process holds every two minutes, and gives it back
// bit by bit; each reading here begins with a collection, so that waiting takes
// less. A stack that a goroutine no longer needs takes several to shrink.
func (b *bench) settled(s *server) (memory, error) {
	apart := 2 * time.Second
	if b.quick {
		apart = 100 * time.Millisecond
	}
	var last float64
	for until, calm := time.Now().Add(settleIn), 0; time.Now().Before(until); {
		if err := s.tell("/debug/pprof/heap?gc=1", func(io.Reader) error { return nil }); err != nil {
			return memory{}, err
		}
		now, err := anonymous(s.pid())
		if err != nil {
			return memory{}, err
		}
		if calm++; !alike(last, float64(now)) {
			calm = 1
		}
		if last = float64(now); calm >= calmAfter {
			return s.memory(last)
		}
		select {
		case <-b.ctx.Done():
			return memory{}, b.ctx.Err()
		case <-time.After(apart):
		}
	}
	return memory{}, fmt.Errorf("memory does not settle within %s", settleIn)
}

// alike reports whether two readings are within 1 % of each other.
func alike(a, b float64) bool { return max(a, b) <= 1.01*min(a, b) }

// memory adds what the server tells about itself.
func (s *server) memory(anonymous float64) (memory, error) {
	m := memory{anonymous: anonymous}
	var err error
	if m.heap, err = s.metric("go_memstats_heap_alloc_bytes"); err == nil {
		m.stacks, err = s.metric("go_memstats_stack_inuse_bytes")
	}
	return m, err
}

// metric is the value of one without labels.
func (s *server) metric(name string) (value float64, err error) {
	err = s.tell("/metrics", func(body io.Reader) error {
		lines := bufio.NewScanner(body)
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
				value, err = strconv.ParseFloat(text, 64)
				return err
			}
		}
		return errors.Join(fmt.Errorf("no metric %s", name), lines.Err())
	})
	return value, err
}

// tell asks Caddy's admin endpoint.
func (s *server) tell(path string, read func(io.Reader) error) error {
	client := http.Client{Timeout: patience}
	response, err := client.Get("http://" + s.admin + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s was answered %s", path, response.Status)
	}
	err = read(response.Body)
	_, rest := io.Copy(io.Discard, response.Body) // so that the connection is kept
	return errors.Join(err, rest)
}

// kib is a size in KiB.
func kib(bytes float64) float64 { return bytes / (1 << 10) }

func (m memory) String() string {
	return fmt.Sprintf("%.1f KiB anonymous, %.1f KiB live heap, %.1f KiB stacks", kib(m.anonymous), kib(m.heap), kib(m.stacks))
}
