package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore/strictjson"
)

// body has a field of every kind that a wire format uses.
type body struct {
	Token  string   `json:"access_token"`
	Age    int      `json:"age"`
	On     bool     `json:"on,omitempty"`
	List   []string `json:"list"`
	Set    *string  `json:"set"`
	Inner  inner    `json:"inner"`
	Own    shout    `json:"own"`
	Hidden string   `json:"-"`
	Plain  string
}

type inner struct {
	Name string `json:"name"`
}

// shout is a type that reads itself.
type shout string

func (s *shout) UnmarshalJSON(raw []byte) error {
	if raw[0] != '"' {
		return errors.New("8B11C37B7894C5E2347E1606DC7CCFDC")
	}
	*s = shout(strings.ToUpper(string(raw)))
	return nil
}

func TestDecode(t *testing.T) {
	set := "x"
	for _, tt := range []struct {
		in   string
		want body
	}{
		{`{}`, body{}},
		{" \t\r\n{ \n} \n", body{}},
		{`{"access_token":"T","age":-7,"on":true}`, body{Token: "T", Age: -7, On: true}},
		{`{"access_token":"\u0041\"\\\/\b\n\ud83d\ude00"}`, body{Token: "A\"\\/\b\n😀"}},
		{`{"acce\u0073s_token":"T"}`, body{Token: "T"}},
		{`{"access_token":"林"}`, body{Token: "林"}},
		{`{"access_token":null,"age":null,"on":null,"own":null,"inner":null}`, body{}},
		{`{"list":["a","b"],"set":"x","own":"hey"}`, body{List: []string{"a", "b"}, Set: &set, Own: `"HEY"`}},
		{`{"inner":{"name":"n","other":[1,2.5e+3,{"a":[]}]}}`, body{Inner: inner{Name: "n"}}},
		{`{"inner":{"Name":"n"}}`, body{}},
		{`{"ACCESS_TOKEN":"T","Access_Token2":"T"}`, body{}},
		{`{"Hidden":"x","-":"x","plain":"x"}`, body{}},
		{`{"Plain":"x"}`, body{Plain: "x"}},
		{`{"":1,"0":0,"a":-0.5E-1,"b":false,"c":null}`, body{}},
	} {
		t.Run(tt.in, func(t *testing.T) {
			var got body
			if err := strictjson.Decode([]byte(tt.in), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := func(n int) string {
		return strings.Repeat(`{"a":`, n) + `1` + strings.Repeat(`}`, n)
	}
	for _, tt := range []struct {
		in   string
		want error
	}{
		{``, strictjson.ErrSyntax},
		{`null`, strictjson.ErrSyntax},
		{`[]`, strictjson.ErrSyntax},
		{`"a"`, strictjson.ErrSyntax},
		{`{`, strictjson.ErrSyntax},
		{`{}{}`, strictjson.ErrSyntax},
		{`{} x`, strictjson.ErrSyntax},
		{"{}\x00", strictjson.ErrSyntax},
		{"\ufeff{}", strictjson.ErrSyntax},
		{`{"a":1,}`, strictjson.ErrSyntax},
		{`{"a":[1,]}`, strictjson.ErrSyntax},
		{`{,}`, strictjson.ErrSyntax},
		{`{"a" 1}`, strictjson.ErrSyntax},
		{`{"a":}`, strictjson.ErrSyntax},
		{`{"a":1 "b":2}`, strictjson.ErrSyntax},
		{`{"a":[1 2]}`, strictjson.ErrSyntax},
		{`{a:1}`, strictjson.ErrSyntax},
		{`{'a':1}`, strictjson.ErrSyntax},
		{`{"a":01}`, strictjson.ErrSyntax},
		{`{"a":1.}`, strictjson.ErrSyntax},
		{`{"a":.5}`, strictjson.ErrSyntax},
		{`{"a":1e}`, strictjson.ErrSyntax},
		{`{"a":+1}`, strictjson.ErrSyntax},
		{`{"a":-}`, strictjson.ErrSyntax},
		{`{"a":NaN}`, strictjson.ErrSyntax},
		{`{"a":tru}`, strictjson.ErrSyntax},
		{`{"a":trues}`, strictjson.ErrSyntax},
		{`{"a":"` + "\x14" + `"}`, strictjson.ErrSyntax},
		{"{\"a\":\"\n\"}", strictjson.ErrSyntax},
		{`{"a":"\x41"}`, strictjson.ErrSyntax},
		{`{"a":"\u00g0"}`, strictjson.ErrSyntax},
		{`{"a":"\u+041"}`, strictjson.ErrSyntax},
		{`{"a":"\u00`, strictjson.ErrSyntax},
		{`{"a":"\`, strictjson.ErrSyntax},
		{`{"a":"\ud800"}`, strictjson.ErrSyntax},
		{`{"a":"\udc00"}`, strictjson.ErrSyntax},
		{`{"a":"\ud800\ud800"}`, strictjson.ErrSyntax},
		{`{"a":"\ud800\n"}`, strictjson.ErrSyntax},
		{"{\"a\":\"\xff\"}", strictjson.ErrSyntax},
		{"{\"a\":\"\xed\xa0\x80\"}", strictjson.ErrSyntax},
		{`{"a":1}// c`, strictjson.ErrSyntax},
		{deep(17), strictjson.ErrSyntax},
		{`{"a":` + strings.Repeat(`[`, 60000), strictjson.ErrSyntax},

		{`{"a":1,"a":1}`, strictjson.ErrDuplicate},
		{`{"access_token":"A","Access_Token":"B"}`, strictjson.ErrDuplicate},
		{`{"access_token":"A","access_to\u006ben":"B"}`, strictjson.ErrDuplicate},
		{`{"access_token":"A","access_to\u212aen":"B"}`, strictjson.ErrDuplicate}, // Kelvin sign
		{`{"acce\u017fs_token":"A","access_token":"B"}`, strictjson.ErrDuplicate}, // long s
		{`{"Σ":1,"ς":1}`, strictjson.ErrDuplicate},
		{`{"":1,"":1}`, strictjson.ErrDuplicate},
		{`{"x":{"a":1,"A":1}}`, strictjson.ErrDuplicate},
		{`{"x":[0,{"a":1,"A":1}]}`, strictjson.ErrDuplicate},
		{`{"inner":{"name":1,"NAME":1}}`, strictjson.ErrType},
		{`{"inner":{"name":"1","NAME":1}}`, strictjson.ErrDuplicate},

		{`{"access_token":1}`, strictjson.ErrType},
		{`{"access_token":{}}`, strictjson.ErrType},
		{`{"age":"1"}`, strictjson.ErrType},
		{`{"age":1.5}`, strictjson.ErrType},
		{`{"age":99999999999999999999}`, strictjson.ErrType},
		{`{"on":0}`, strictjson.ErrType},
		{`{"list":"a"}`, strictjson.ErrType},
		{`{"list":[1]}`, strictjson.ErrType},
		{`{"inner":"a"}`, strictjson.ErrType},
		{`{"inner":[]}`, strictjson.ErrType},
		{`{"own":1}`, strictjson.ErrType},
	} {
		t.Run(tt.in[:min(len(tt.in), 60)], func(t *testing.T) {
			if err := strictjson.Decode([]byte(tt.in), new(body)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if err := strictjson.Decode([]byte(deep(16)), new(body)); err != nil {
		t.Errorf("16 levels: %v", err)
	}
}

// A duplicate is found however many names stand between the two.
func TestDecodeManyNames(t *testing.T) {
	for _, n := range []int{14, 15, 16, 17, 18, 500} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"name%d":%d,`, i, i)
		}
		for _, tt := range []struct {
			first, last string
			want        error
		}{
			{"k", "l", nil},
			{"k", "\u212a", strictjson.ErrDuplicate},
			{"y", fmt.Sprintf("NAME%d", n-1), strictjson.ErrDuplicate},
		} {
			in := fmt.Sprintf(`{%q:0,%s%q:1}`, tt.first, b.String(), tt.last)
			if err := strictjson.Decode([]byte(in), new(body)); !errors.Is(err, tt.want) {
				t.Errorf("%d names, %s and %s: got %v, want %v", n, tt.first, tt.last, err, tt.want)
			}
		}
	}
}

// An error may reach a log; what the sender wrote must not.
func TestDecodeErrorsQuoteNothing(t *testing.T) {
	const secret = "8B11C37B7894C5E2347E1606DC7CCFDC"
	for _, in := range []string{
		secret,
		`{"a":` + secret + `}`,
		`{"` + secret + `":1,"` + secret + `":1}`,
		`{"age":"` + secret + `"}`,
		`{"list":{"` + secret + `":1}}`,
		`{"own":1}`,
	} {
		err := strictjson.Decode([]byte(in), new(body))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", in, err)
		}
	}
	err := strictjson.Decode([]byte(`{"age":"x"}`), new(body))
	if got, want := fmt.Sprint(err), "wrong JSON type in field age"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What Decode accepts, encoding/json accepts and reads alike; what it refuses
// as syntax is not JSON, or one of the few things it refuses beyond that.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"access_token":"T","age":1,"on":true,"list":["a"],"set":"x","inner":{"name":"n"},"Plain":"p"}`,
		`{"access_token":"\u0041\ud83d\ude00"}`, `{"a":1,"A":2}`, `{"a":[1.5e3,-0,{"b":null}]} `, `{"a":"\ud800"}`,
		`{"k":1,"\u212a":1}`, `{"a":01}`, "{\"a\":\"\x01\"}", `{"a":1,}`, `{"a":1}}`, `{"age":1.0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got body
		err := strictjson.Decode(data, &got)
		if err != nil {
			text := string(data)
			narrower := strings.Contains(text, `\u`) || !utf8.ValidString(text) ||
				strings.Count(text, "{")+strings.Count(text, "[") > 16
			var object map[string]json.RawMessage
			if errors.Is(err, strictjson.ErrSyntax) && !narrower && json.Unmarshal(data, &object) == nil && object != nil {
				t.Fatalf("refused %q", data)
			}
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(data, &members); err != nil {
			t.Fatalf("accepted %q: %v", data, err)
		}
		var want string
		if raw, ok := members["access_token"]; ok {
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatalf("accepted %q: %v", data, err)
			}
		}
		if got.Token != want {
			t.Fatalf("%q: got %q, want %q", data, got.Token, want)
		}
		var loose body // equal names are refused, so only case can make a difference
		if json.Unmarshal(data, &loose) == nil && loose.Age != got.Age && members["age"] != nil {
			t.Fatalf("%q: got %d, want %d", data, got.Age, loose.Age)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	data := []byte(`{"access_token":"8B11C37B7894C5E2347E1606DC7CCFDC","open_id":"D8924F7071DC1D29A6822C794D848D9C","other":{"a":[1,2,3]},"more":"0123456789012345678901234567890123456789"}`)
	b.ReportAllocs()
	for b.Loop() {
		var v struct {
			Token  string `json:"access_token"`
			OpenID string `json:"open_id"`
		}
		if err := strictjson.Decode(data, &v); err != nil {
			b.Fatal(err)
		}
	}
}

// The worst body that 64 KiB can hold costs milliseconds.
func BenchmarkDecodeManyNames(b *testing.B) {
	var s strings.Builder
	s.WriteString(`{"":0`)
	for i := 0; s.Len() < 64<<10-20; i++ {
		fmt.Fprintf(&s, `,"%x":0`, i)
	}
	s.WriteString(`}`)
	data := []byte(s.String())
	for b.Loop() {
		if err := strictjson.Decode(data, new(body)); err != nil {
			b.Fatal(err)
		}
	}
}
