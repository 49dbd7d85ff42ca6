package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// word is one that may stand in a block.
type word struct {
	usage    string // how it is written, for errors
	min, max int    // how many arguments it takes
	many     bool   // whether it may stand more than once
	// set takes the arguments. Its errors need not say where.
	set func(args []string) error
	// open takes the arguments and the block after them, in place of set. A
	// word without it takes no block. Its errors say where.
	open func(d *caddyfile.Dispenser, args []string) error
}

// unlimited is the max of a word that takes a list.
const unlimited = 1 << 10

// parseBlock reads the words of the block that opens on the current line, if one
// does. owner is the word that the block belongs to.
func parseBlock(d *caddyfile.Dispenser, owner string, words map[string]word) error {
	seen := map[string]bool{}
	last := owner
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		w, known := words[name]
		switch {
		case name == "{":
			return d.Errf("%s takes no block: remove the braces", last)
		case !known:
			return d.Errf("%s: %s", owner, unknown(name, slices.Sorted(maps.Keys(words))))
		case seen[name] && !w.many:
			return d.Errf("%s: %s stands twice: write it once", owner, name)
		}
		seen[name], last = true, name
		if err := w.parse(d, owner, name); err != nil {
			return err
		}
	}
	return nil
}

func (w word) parse(d *caddyfile.Dispenser, owner, name string) error {
	args := d.RemainingArgs()
	if len(args) < w.min || len(args) > w.max {
		return d.Errf("%s: wrong number of arguments after %s: write %s", owner, name, w.usage)
	}
	for _, arg := range args {
		// JSON has no other strings; it would silently hold something else.
		if arg == "" || !utf8.ValidString(arg) {
			return d.Errf("%s: %s: an argument is empty or not UTF-8: write %s", owner, name, w.usage)
		}
	}
	if w.open != nil {
		return w.open(d, args)
	}
	return wrapErr(d, owner+": "+name, w.set(args))
}

// wrapErr says of an error, if there is one, what it is about and where.
func wrapErr(d *caddyfile.Dispenser, what string, err error) error {
	if err == nil {
		return nil
	}
	return d.WrapErr(fmt.Errorf("%s: %w", what, err))
}

// parseDirective reads a directive or global option that takes no argument, its
// block, and nothing after it. instead says what to write in place of an
// argument.
func parseDirective(d *caddyfile.Dispenser, instead string, words map[string]word) error {
	d.Next()
	name := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes no argument: %s", name, instead)
	}
	if err := parseBlock(d, name, words); err != nil {
		return err
	}
	if d.Next() {
		return d.Errf("something follows the block of %s: begin a new line", name)
	}
	return nil
}

// text sets a word's only argument if it passes the check.
func text[T ~string](target *T, check func(T) error) func([]string) error {
	return func(args []string) error {
		*target = T(args[0])
		return check(*target)
	}
}

// list appends a word's arguments if all pass the check and none stands twice.
func list[T ~string](target *[]T, check func(T) error) func([]string) error {
	return func(args []string) error {
		for _, arg := range args {
			if err := check(T(arg)); err != nil {
				return err
			}
			*target = append(*target, T(arg))
		}
		return distinct(*target)
	}
}

// secretList appends secrets, of which no error may say anything.
func secretList(target *[]string) func([]string) error {
	return func(args []string) error {
		for _, arg := range args {
			if err := checkSecret(arg); err != nil {
				return err
			}
		}
		*target = append(*target, args...)
		return nil
	}
}

// toggle sets a word without arguments.
func toggle(target *bool) func([]string) error {
	return func([]string) error {
		*target = true
		return nil
	}
}

// duration sets a duration above 0: in a configuration, 0 is one left out.
func duration(target *caddy.Duration) func([]string) error {
	return func(args []string) error {
		d, err := caddy.ParseDuration(args[0])
		if err != nil || d <= 0 {
			return errors.New("that is no duration above 0: write one such as 90s, 5m, 2h or 7d")
		}
		*target = caddy.Duration(d)
		return nil
	}
}

// number sets a whole number above 0.
func number(target *int) func([]string) error {
	return func(args []string) error {
		n, err := strconv.Atoi(args[0])
		if err != nil || n <= 0 {
			return errors.New("that is no whole number above 0")
		}
		*target = n
		return nil
	}
}
