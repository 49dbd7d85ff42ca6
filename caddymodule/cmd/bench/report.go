package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// result is a line of the table.
type result struct {
	what     string
	goal     string
	measured string
	met      verdict
}

// verdict says whether a goal is met; it is unclear where the confidence
// interval holds the goal.
type verdict string

const (
	yes     verdict = "yes"
	no      verdict = "no"
	unclear verdict = "unclear"
)

// whether is the verdict on what was counted rather than estimated.
func whether(met bool) verdict {
	if met {
		return yes
	}
	return no
}

// within judges an estimate whose goal is an upper bound, and beyond one whose
// goal is a lower bound.
func within(goal, low, high float64) verdict {
	if low <= goal && goal < high {
		return unclear
	}
	return whether(high <= goal)
}

func beyond(goal, low, high float64) verdict {
	if low < goal && goal <= high {
		return unclear
	}
	return whether(low >= goal)
}

// report prints the table and the machine that it is about, as Markdown.
func (b *bench) report(w io.Writer, table []result) error {
	fmt.Fprintf(w, "\n| what | goal | measured | met |\n|---|---|---|---|\n")
	for _, r := range table {
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", r.what, r.goal, r.measured, r.met)
	}
	processor, kernel := system()
	sync, err := syncTime(b.dir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nMeasured with `go run ./caddymodule/cmd/bench` on %s, %d cores (GOMAXPROCS %d, shared by Caddy, "+
		"the upstream, the QQ simulator and the load), %s, %s, fsync %s; pairs of rounds for %s a comparison.\n",
		processor, runtime.NumCPU(), runtime.GOMAXPROCS(0), kernel, runtime.Version(), sync.Round(10*time.Microsecond), b.span)
	return err
}

// syncTime is how long the disk below dir takes to keep 4 KiB: the median of
// some.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var took []float64
	for range 50 {
		if _, err := f.Write(make([]byte, 4<<10)); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(began)))
	}
	return time.Duration(median(took)), nil
}
