package transfer_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/transfer"
)

type accounts interface {
	Next() (transfer.Line, error)
}

func all(from accounts) (lines []transfer.Line, err error) {
	for {
		line, err := from.Next()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
}

func account(number int, a authcore.Account) transfer.Line {
	return transfer.Line{Number: number, Record: authcore.Record{Account: &a}}
}

func TestTable(t *testing.T) {
	table, err := transfer.NewTable(strings.NewReader("\xef\xbb\xbf"+strings.Join([]string{
		"open_id,app_id, display_name,mobile,email,verified,segment.tier,unionid",
		`A,101,"林, ""小雨""",+86-15201657321,a@example.com,TRUE,gold,U`,
		`B,,"two`,
		`lines",+86-15201657322,b@example.com,no,,`,
		"",
		"C,,,,,,,",
	}, "\r\n")), "102")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := all(table)
	want := []transfer.Line{
		account(2, authcore.Account{
			App: "101", OpenID: "A", UnionID: "U", DisplayName: `林, "小雨"`, Mobile: "+86-15201657321", Email: "a@example.com",
			Verified: true, Segments: map[string]string{"tier": "gold"},
		}),
		account(3, authcore.Account{App: "102", OpenID: "B", DisplayName: "two\nlines", Mobile: "+86-15201657322", Email: "b@example.com"}),
		account(6, authcore.Account{App: "102", OpenID: "C"}),
	}
	if diff := cmp.Diff(want, lines); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestTableRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":           {"", "line 1"},
		"no openid":         {"app_id\n", "column open_id"},
		"no application":    {"open_id\nA\n", "--app"},
		"unknown column":    {"open_id,app_id,SECRET\n", "column 3"},
		"nameless segment":  {"open_id,app_id,segment.\n", "column 3"},
		"a column twice":    {"open_id,app_id,open_id\n", "column 3"},
		"unproved mobile":   {"open_id,app_id,mobile\n", "verified"},
		"too few fields":    {"open_id,app_id\nA,1\nSECRET\n", "line 3"},
		"an open quote":     {"open_id,app_id\nA,1\n\"SECRET,1\n", "line 3"},
		"neither nor":       {"open_id,app_id,verified\nA,1,SECRET\n", "line 2"},
		"a row without end": {"open_id,app_id\n\"" + strings.Repeat("SECRET", 1<<20), "longer"},
	} {
		table, err := transfer.NewTable(strings.NewReader(tt.text), "")
		if err == nil {
			_, err = all(table)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

func TestList(t *testing.T) {
	list, err := transfer.NewList(strings.NewReader("\xef\xbb\xbfA\r\n\n B\nC"), "101")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := all(list)
	want := []transfer.Line{
		account(1, authcore.Account{App: "101", OpenID: "A"}), account(3, authcore.Account{App: "101", OpenID: "B"}),
		account(4, authcore.Account{App: "101", OpenID: "C"}),
	}
	if diff := cmp.Diff(want, lines); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := transfer.NewList(strings.NewReader("A"), ""); err == nil {
		t.Error("a list without an application is read")
	}
	long, err := transfer.NewList(strings.NewReader(strings.Repeat("A", 1<<20)), "101")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := long.Next(); err == nil {
		t.Error("a line of 1 MiB is read")
	}
}
