package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// Each count is shown, and is the sum of its parts.
func TestImportReport(t *testing.T) {
	part := reportOf(new(authcore.Import), authcore.ImportReport{
		Created: 1, Changed: 2, Unchanged: 3, Disabled: 4, Links: 5, Sessions: 6, Retired: 7, Accesses: 8, Erased: 9, Left: 10,
		Conflicts: []authcore.Conflict{{Record: 1, Reason: "taken"}},
	})
	var sum importReport
	for range 11 {
		sum.add(part, func(record int) int { return record + 20 })
	}
	raw, err := json.Marshal(&sum)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "shown_conflicts")
	want := map[string]any{
		"dry_run": false, "keys": "", "created": 11.0, "changed": 22.0, "unchanged": 33.0, "disabled": 44.0, "links": 55.0,
		"sessions": 66.0, "retired": 77.0, "accesses": 88.0, "erased": 99.0, "left": 110.0, "conflicts": 11.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var text strings.Builder
	sum.write(&text)
	for _, number := range []string{"11", "22", "33", "44", "55", "66", "77", "88", "99", "110", "line 21: taken"} {
		if !strings.Contains(text.String(), " "+number) {
			t.Errorf("%s is not shown:\n%s", number, text.String())
		}
	}
}
