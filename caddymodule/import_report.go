package caddymodule

import (
	"fmt"
	"io"

	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
)

// importReport is what an import has come to, as it is shown.
type importReport struct {
	DryRun bool                  `json:"dry_run"`
	Keys   authcore.ImportedKeys `json:"keys"`

	Created   int `json:"created"` // users
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"`
	Disabled  int `json:"disabled"` // of those changed
	Links     int `json:"links"`
	Sessions  int `json:"sessions"`
	Retired   int `json:"retired"`
	Accesses  int `json:"accesses"`
	Erased    int `json:"erased"` // people, by the QQ account or the user they were
	Left      int `json:"left"`   // sessions, retired, accesses and erased that did not come in
	Conflicts int `json:"conflicts"`
	// Shown are the conflicts that came first.
	Shown []importConflict `json:"shown_conflicts,omitempty"`
}

// importConflict is a record, or a part of one, that was not taken.
type importConflict struct {
	Line   int    `json:"line"` // of the file; within a part, its record from 0
	Reason string `json:"reason"`
}

// maxShown bounds the conflicts that a report lists.
const maxShown = 1000

// reportOf is what a part of an import has come to. In place of lines it names
// the records of the part.
func reportOf(i *authcore.Import, part authcore.ImportReport) importReport {
	r := importReport{
		DryRun: i.DryRun(), Keys: i.Keys(), Created: part.Created, Changed: part.Changed, Unchanged: part.Unchanged,
		Disabled: part.Disabled, Links: part.Links, Sessions: part.Sessions, Retired: part.Retired,
		Accesses: part.Accesses, Erased: part.Erased, Left: part.Left, Conflicts: len(part.Conflicts),
	}
	for _, c := range part.Conflicts[:min(len(part.Conflicts), maxShown)] {
		r.Shown = append(r.Shown, importConflict{c.Record, c.Reason})
	}
	return r
}

// add counts a part; line tells where a record of it stands.
func (r *importReport) add(part importReport, line func(record int) int) {
	r.Created += part.Created
	r.Changed += part.Changed
	r.Unchanged += part.Unchanged
	r.Disabled += part.Disabled
	r.Links += part.Links
	r.Sessions += part.Sessions
	r.Retired += part.Retired
	r.Accesses += part.Accesses
	r.Erased += part.Erased
	r.Left += part.Left
	r.Conflicts += part.Conflicts
	for _, c := range part.Shown[:min(len(part.Shown), maxShown-len(r.Shown))] {
		r.Shown = append(r.Shown, importConflict{line(c.Line), c.Reason})
	}
}

func (r *importReport) audit(log *zap.Logger) {
	log.Info("import", zap.String("keys", string(r.Keys)), zap.Int("created", r.Created), zap.Int("changed", r.Changed),
		zap.Int("disabled", r.Disabled), zap.Int("links", r.Links), zap.Int("sessions", r.Sessions),
		zap.Int("erased", r.Erased), zap.Int("conflicts", r.Conflicts))
}

// write shows the report to a person.
func (r *importReport) write(w io.Writer) {
	if r.DryRun {
		fmt.Fprintln(w, "dry run: nothing was written")
	}
	meaning := map[authcore.ImportedKeys]string{
		authcore.KeysLeft:      "none taken: sessions and signatures stay where they were made",
		authcore.KeysShared:    "taken: what was made under them is good here",
		authcore.KeysVerifying: "taken to verify alone: this store has users under keys of its own",
	}
	for _, row := range []struct {
		name  string
		value any
	}{
		{"keys", meaning[r.Keys]}, {"users created", r.Created}, {"users changed", r.Changed}, {"  of them disabled", r.Disabled},
		{"users unchanged", r.Unchanged}, {"links added", r.Links}, {"sessions", r.Sessions}, {"refreshed tokens", r.Retired},
		{"used QQ tokens", r.Accesses}, {"erased", r.Erased}, {"left out", r.Left}, {"conflicts", r.Conflicts},
	} {
		fmt.Fprintf(w, "%-20s %v\n", row.name, row.value)
	}
	for _, c := range r.Shown {
		fmt.Fprintf(w, "  line %d: %s\n", c.Line, c.Reason)
	}
	if hidden := r.Conflicts - len(r.Shown); hidden > 0 {
		fmt.Fprintf(w, "  and %d more\n", hidden)
	}
}
