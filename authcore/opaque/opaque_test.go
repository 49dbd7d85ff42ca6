package opaque_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore/opaque"
)

var key = &[32]byte{1, 2, 3}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func TestNewIsValid(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		s := opaque.New(key, "session").Reveal()
		if !opaque.Shaped(s) || !opaque.Valid(key, "session", s) {
			t.Fatalf("%s is not valid", s)
		}
		if seen[s] {
			t.Fatalf("%s came twice", s)
		}
		seen[s] = true
	}
}

// Tokens outlive the program that made them: another checksum would end every
// session at an upgrade.
func TestChecksumIsFixed(t *testing.T) {
	const made = "AAAAAAAAAAAAAAAAAAAAAAAAAAkNKARS"
	if !opaque.Valid(key, "session", made) {
		t.Errorf("%s is no longer valid", made)
	}
}

func TestValidRefuses(t *testing.T) {
	good := opaque.New(key, "session").Reveal()
	for name, ok := range map[string]bool{
		"another key":  opaque.Valid(&[32]byte{9}, "session", good),
		"another kind": opaque.Valid(key, "ticket", good),
		"kind cut":     opaque.Valid(key, "sessio", "n"+good[:31]),
		"empty":        opaque.Valid(key, "session", ""),
		"short":        opaque.Valid(key, "session", good[:31]),
		"long":         opaque.Valid(key, "session", good+"A"),
		"space":        opaque.Valid(key, "session", " "+good[1:]),
	} {
		if ok {
			t.Errorf("%s: accepted", name)
		}
	}
	for i := range good {
		for _, c := range alphabet {
			if bad := good[:i] + string(c) + good[i+1:]; bad != good && opaque.Valid(key, "session", bad) {
				t.Errorf("accepted with another character at %d", i)
			}
		}
	}
}

func TestShaped(t *testing.T) {
	good := strings.Repeat("aZ09", 8)
	for s, want := range map[string]bool{
		good:                          true,
		"":                            false,
		good[1:]:                      false,
		good + "a":                    false,
		good[:31] + "-":               false,
		good[:31] + "\x00":            false,
		good[:31] + "\xff":            false,
		strings.Repeat("é", 16):       false,
		"@" + good[1:]:                false,
		"[" + good[1:]:                false,
		"`" + good[1:]:                false,
		"{" + good[1:]:                false,
		"/" + good[1:]:                false,
		":" + good[1:]:                false,
		"eyJhbGciOiJIUzI1NiJ9.e30.AA": false,
	} {
		if got := opaque.Shaped(s); got != want {
			t.Errorf("Shaped(%q) = %t", s, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { opaque.Shaped(good) }); n != 0 {
		t.Errorf("Shaped allocates %v times", n)
	}
}

// Every character must be as likely as every other: chi-squared with 61 degrees
// of freedom exceeds 160 once in 1e10 runs, and modulo bias gives thousands.
func TestRandomIsUniform(t *testing.T) {
	const n = 200_000
	count := map[rune]int{}
	for _, c := range opaque.Random(n) {
		count[c]++
	}
	expect, chi := float64(n)/float64(len(alphabet)), 0.0
	for _, c := range alphabet {
		d := float64(count[c]) - expect
		chi += d * d / expect
	}
	if chi > 160 {
		t.Errorf("chi-squared is %.0f", chi)
	}
	for _, n := range []int{0, 1, 13, 22, 64} {
		if got := opaque.Random(n); len(got) != n {
			t.Errorf("Random(%d) has %d characters", n, len(got))
		}
	}
}

func FuzzValid(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAVWHJdF", byte(31), byte('A'))
	f.Add("", byte(0), byte(0))
	shape := regexp.MustCompile(`^[A-Za-z0-9]{32}$`)
	f.Fuzz(func(t *testing.T, s string, at, c byte) {
		if opaque.Shaped(s) != (shape.MatchString(s) && len(s) == 32) {
			t.Errorf("Shaped(%q) = %t", s, opaque.Shaped(s))
		}
		if !opaque.Valid(key, "k", s) {
			return
		}
		// What is valid has one spelling of its checksum and belongs to one kind.
		b := []byte(s)
		if b[26+at%6] = c; string(b) != s && opaque.Valid(key, "k", string(b)) {
			t.Errorf("%q and %q are both valid", s, b)
		}
		if opaque.Valid(key, "l", s) {
			t.Errorf("%q is valid for two kinds", s)
		}
	})
}

func BenchmarkShaped(b *testing.B) {
	s := opaque.New(key, "session").Reveal()
	for b.Loop() {
		opaque.Shaped(s)
	}
}

func BenchmarkHash(b *testing.B) {
	s := opaque.New(key, "session").Reveal()
	b.ReportAllocs()
	for b.Loop() {
		_ = opaque.Of(s).Hash()
	}
}

func BenchmarkValid(b *testing.B) {
	s := opaque.New(key, "session").Reveal()
	b.ReportAllocs()
	for b.Loop() {
		opaque.Valid(key, "session", s)
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		opaque.New(key, "session")
	}
}
