package opaque_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore/opaque"
)

// A token in a log is a token lost: whoever reads the log is logged in.
func TestSecretPrintsNothing(t *testing.T) {
	const text = "Pm3xV0aSecretSecretSecretQ9z8y7w"
	type hidden struct {
		Name  string
		token opaque.Secret
	}
	type named struct{ opaque.Secret }
	s := opaque.Of(text)
	values := map[string]any{
		"value":            s,
		"pointer":          &s,
		"embedded":         named{s},
		"unexported field": hidden{"x", s},
		"pointer to it":    &hidden{"x", s},
		"slice":            []opaque.Secret{s},
		"map":              map[string]opaque.Secret{"k": s},
		"any":              []any{hidden{"x", s}, s},
	}
	clean := func(t *testing.T, got string) {
		t.Helper()
		lower := strings.ToLower(got)
		for _, leak := range []string{text, hex.EncodeToString([]byte(text)), fmt.Sprint([]byte(text))} {
			if strings.Contains(lower, strings.Trim(strings.ToLower(leak), "[]")) {
				t.Errorf("leaks: %s", got)
			}
		}
	}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%U", "%e", "%p"} {
				clean(t, fmt.Sprintf(verb, v))
			}
			clean(t, fmt.Sprint(v))
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			clean(t, string(b))
			var out bytes.Buffer
			slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
			clean(t, out.String())
		})
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, s); got != "[redacted]" {
			t.Errorf("%s = %s", verb, got)
		}
	}
	if b, _ := json.Marshal(s); string(b) != `"[redacted]"` {
		t.Errorf("json = %s", b)
	}
}

func TestSecretCompares(t *testing.T) {
	for _, tt := range []struct {
		a, b opaque.Secret
		want bool
	}{
		{opaque.Of("abc"), opaque.Of("abc"), true},
		{opaque.Of("abc"), opaque.Of("abd"), false},
		{opaque.Of("abc"), opaque.Of("abcd"), false},
		{opaque.Of("abc"), opaque.Secret{}, false},
		{opaque.Of(""), opaque.Secret{}, true},
	} {
		if got := tt.a.Equal(tt.b); got != tt.want {
			t.Errorf("%q, %q: %t", tt.a.Reveal(), tt.b.Reveal(), got)
		}
	}
	if !(opaque.Secret{}).IsZero() || !opaque.Of("").IsZero() || opaque.Of("x").IsZero() {
		t.Error("IsZero is wrong")
	}
	// SHA-256 of "abc", FIPS 180-2 appendix B.1.
	sum := opaque.Of("abc").Hash()
	if got := hex.EncodeToString(sum[:]); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("Hash = %s", got)
	}
}
