package main

import (
	"os"
	"testing"
	"time"
)

// A side whose operations are used up ends the comparison before its time.
func TestCompareEndsWithTheOperations(t *testing.T) {
	const most = 9
	var rounds [2]int
	of := func(i, most int) side {
		return side{pid: os.Getpid(), n: 1, most: most, round: func(int) error {
			rounds[i]++
			return nil
		}}
	}
	b := &bench{ctx: t.Context(), span: time.Hour}
	if _, err := b.compare(of(0, 0), of(1, most)); err != nil {
		t.Fatal(err)
	}
	if rounds != [2]int{most, most} {
		t.Errorf("%v rounds, want %d of each side", rounds, most)
	}
}
