package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// addGoldens seeds a fuzz test with the blocks of the golden files that begin
// with a word.
func addGoldens(f *testing.F, word string) {
	files, err := filepath.Glob("testdata/caddyfile/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		f.Fatalf("golden files: %v, found %d", err, len(files))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(data), divider)
		if _, block, ok := strings.Cut(input, "\t"+word); ok {
			block, _, _ = strings.Cut(block, "\n\t}")
			f.Add(word + block + "\n\t}")
		}
	}
}

// roundTrip is the property of both fuzz tests: an error says where, and what
// parses becomes JSON that Caddy's strict decoder reads back as the same.
func roundTrip[T any](t *testing.T, input string, parse func(*T, *caddyfile.Dispenser) error) *T {
	t.Helper()
	tokens, err := caddyfile.Tokenize([]byte(input), "Testfile")
	if err != nil || len(tokens) == 0 {
		return nil
	}
	var before, after T
	if err := parse(&before, caddyfile.NewDispenser(tokens)); err != nil {
		if !strings.Contains(err.Error(), ", at Testfile:") {
			t.Fatalf("error without a line: %v", err)
		}
		return nil
	}
	data, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.StrictUnmarshalJSON(data, &after); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Fatalf("-before +after\n%s", diff)
	}
	return &before
}

func FuzzConfigUnmarshalCaddyfile(f *testing.F) {
	addGoldens(f, "qqauth ")
	f.Fuzz(func(t *testing.T, input string) {
		c := roundTrip(t, input, (*Config).UnmarshalCaddyfile)
		if c == nil {
			return
		}
		c.setDefaults()
		// A secret that was written down passes no check in the world at large.
		if err := c.check(); err == nil && !onLoopback(c.PublicURL) {
			for name, value := range c.placeholders() {
				if !strings.HasPrefix(value, "{env.") && !strings.HasPrefix(value, "{file.") {
					t.Fatalf("%s is literal", name)
				}
			}
		}
	})
}

func FuzzGuardConfigUnmarshalCaddyfile(f *testing.F) {
	addGoldens(f, "qqauth_guard ")
	app := shopConfig(nil)
	f.Fuzz(func(t *testing.T, input string) {
		g := roundTrip(t, input, (*GuardConfig).UnmarshalCaddyfile)
		if g == nil {
			return
		}
		rules, err := g.check(app)
		if err != nil {
			return
		}
		// No two of the headers are one to an upstream that takes "_" for "-".
		names := map[string]bool{normalName(rules.ticketHeader): true}
		for _, header := range rules.headers {
			if name := normalName(header.name); names[name] {
				t.Fatalf("%s is set twice", header.name)
			} else {
				names[name] = true
			}
		}
	})
}
