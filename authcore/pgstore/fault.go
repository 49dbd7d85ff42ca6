package pgstore

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/qqauth/qqauth/authcore"
)

// verdict is what a failed flight means for the transaction it was part of.
type verdict int

const (
	lost    verdict = iota // the connection is gone, or the server is
	late                   // no answer came in time; another try would take as long
	again                  // the database chose another transaction over this one
	refused                // a constraint stands against it
	failed                 // anything else that the server said
	verdicts
)

// judge tells what an error of a flight means. In a flight with a COMMIT only an
// error that names the transaction's own fault proves that it was not committed.
func judge(err error) verdict {
	var said *pgconn.PgError
	switch {
	case errors.Is(err, errLate):
		return late
	case !errors.As(err, &said):
		return lost
	}
	switch said.Code {
	case "40001", "40P01":
		return again
	case "25006", "40003": // the server has become a standby; the outcome is unknown
		return lost
	}
	switch class(said) {
	case "08", "57", "58", "53":
		return lost
	case "23":
		return refused
	}
	return failed
}

// class is the first half of an SQLSTATE. What stands before a database may send
// an error without one.
func class(said *pgconn.PgError) string { return said.Code[:min(2, len(said.Code))] }

// fault is an error of the database in our words. What PostgreSQL says may quote
// keys and values, so only its code and names of ours are repeated.
func fault(what string, err error) error {
	var said *pgconn.PgError
	switch {
	case !errors.As(err, &said):
		return fmt.Errorf("%w: %s: the connection is lost", authcore.ErrUnavailable, what)
	case said.Code == "XX001" || said.Code == "XX002":
		return fmt.Errorf("%w: %s: postgresql finds corrupted data (%s)", authcore.ErrDamaged, what, said.Code)
	case said.ConstraintName != "":
		return fmt.Errorf("%s: constraint %s refuses it (%s)", what, said.ConstraintName, said.Code)
	}
	return fmt.Errorf("%w: %s: postgresql answers %s", authcore.ErrUnavailable, what, said.Code)
}
