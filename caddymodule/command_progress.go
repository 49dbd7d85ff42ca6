package caddymodule

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// tellEvery is how often a command that has no terminal says how far it is.
const tellEvery = 10 * time.Second

// progress shows on stderr how far a command has come: a bar on a terminal, else
// a line now and then.
type progress struct {
	what  string
	total int64 // records, -1 if unknown
	done  int64
	bar   *progressbar.ProgressBar // nil without a terminal
	told  time.Time
}

func newProgress(what string, total int64) *progress {
	p := &progress{what: what, total: total, told: time.Now()}
	if isTerminal(os.Stderr) {
		p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(os.Stderr),
			progressbar.OptionSetDescription(what), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("records"), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionOnCompletion(func() { fmt.Fprintln(os.Stderr) }))
	}
	return p
}

func (p *progress) add(records int64) {
	p.done += records
	if p.bar != nil {
		_ = p.bar.Add64(records) // it can only fail to show
		return
	}
	if now := time.Now(); now.Sub(p.told) >= tellEvery {
		p.told = now
		if p.total < 0 {
			fmt.Fprintf(os.Stderr, "%s: %d records\n", p.what, p.done)
		} else {
			fmt.Fprintf(os.Stderr, "%s: %d of %d records\n", p.what, p.done, p.total)
		}
	}
}

// end leaves the bar as it stands.
func (p *progress) end() {
	if p.bar != nil && !p.bar.IsFinished() {
		_ = p.bar.Exit() // it can only fail to show
		fmt.Fprintln(os.Stderr)
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
