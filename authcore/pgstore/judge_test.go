package pgstore

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/qqauth/qqauth/authcore"
)

func TestJudge(t *testing.T) {
	for code, want := range map[string]verdict{
		"40001": again, "40P01": again, "23505": refused, "23503": refused,
		"57P01": lost, "08006": lost, "53300": lost, "25006": lost, "40003": lost,
		"42P01": failed, "22021": failed,
		"": failed, "4": failed, // no SQLSTATE, of whatever stands in between
	} {
		err := &pgconn.PgError{Code: code}
		if got := judge(err); got != want {
			t.Errorf("%q: verdict %d, want %d", code, got, want)
		}
		if err := connectFault(err, 0); err == nil {
			t.Errorf("%q: no fault of a connection", code)
		}
	}
	if got := judge(errors.New("reset")); got != lost {
		t.Errorf("no answer: verdict %d", got)
	}
	if err := fault("read", &pgconn.PgError{Code: "XX001"}); !errors.Is(err, authcore.ErrDamaged) {
		t.Errorf("corrupted data: %v", err)
	}
}
