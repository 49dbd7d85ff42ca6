package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// row measures one row of the table, or several that share a set-up.
type row struct {
	name    string
	measure func(*bench) ([]result, error)
}

var rows = []row{
	{"guard", guardRow},
	{"sessions", sessionsRow},
	{"login", loginRow},
	{"ticket", ticketRow},
	{"disk", diskRow},
	{"start", startRow},
	{"reload", reloadRow},
	{"games", gamesRow},
	{"postgres", postgresRow},
	{"sizing", sizingRow},
}

// bench is one run and what its rows share.
type bench struct {
	ctx context.Context
	dir string // everything that is written; removed in the end
	// caddy is the program that is measured.
	caddy string
	// upstream and qq are the addresses of the helper processes.
	upstream, qq string
	// sessions is how many are stored in the rows about many sessions.
	sessions int
	// span is how long each comparison goes on; quick runs check that the
	// benchmark works, and their numbers mean nothing.
	span   time.Duration
	quick  bool
	stores map[string]*store
	// database is nil until a row needs one.
	database *database
}

func main() {
	log.SetFlags(log.Ltime)
	if len(os.Args) == 2 && helpers[os.Args[1]] != nil {
		if err := serveHelper(helpers[os.Args[1]]); err != nil {
			log.Fatalf("%s: %v", os.Args[1], err)
		}
		return
	}
	b := &bench{stores: make(map[string]*store)}
	flag.BoolVar(&b.quick, "quick", false, "check in two minutes that the benchmark works; leaves out the row disk")
	flag.IntVar(&b.sessions, "sessions", 1_000_000, "sessions in the rows about many of them")
	seconds := flag.Int("seconds", 60, "seconds that each comparison takes")
	only := flag.String("only", "", "comma-separated rows to measure: "+strings.Join(rowNames(), ", "))
	flag.Parse()
	b.span = time.Duration(*seconds) * time.Second
	if b.quick {
		b.span, b.sessions = 2*time.Second, min(b.sessions, 20_000)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b.ctx = ctx
	if err := b.run(*only); err != nil {
		log.Fatal(err)
	}
}

func rowNames() []string {
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
	}
	return names
}

// choose returns the rows to measure.
func (b *bench) choose(only string) ([]row, error) {
	if only == "" {
		// A second Caddy takes a minute to build.
		return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return b.quick && r.name == "disk" }), nil
	}
	var chosen []row
	for name := range strings.SplitSeq(only, ",") {
		i := slices.Index(rowNames(), name)
		if i < 0 {
			return nil, fmt.Errorf("-only: no row %q: there are %s", name, strings.Join(rowNames(), ", "))
		}
		chosen = append(chosen, rows[i])
	}
	return chosen, nil
}

func (b *bench) run(only string) (err error) {
	chosen, err := b.choose(only)
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "qqauth-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.database.end(), os.RemoveAll(b.dir)) }()
	b.caddy = filepath.Join(b.dir, "caddy")
	log.Print("building Caddy")
	if err := b.build(b.caddy); err != nil {
		return err
	}
	helpersDone, err := b.startHelpers()
	if err != nil {
		return err
	}
	defer helpersDone()
	var table []result
	for _, r := range chosen {
		log.Printf("measuring: %s", r.name)
		results, err := r.measure(b)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		for _, r := range results {
			log.Printf("%s: %s", r.what, r.measured)
		}
		table = append(table, results...)
	}
	return b.report(os.Stdout, table)
}
