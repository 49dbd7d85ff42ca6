package pgstore

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/qqauth/qqauth/authcore"
)

// Guests implements [authcore.Tx].
func (t *tx) Guests(before time.Time, limit int) (due []authcore.Guest, err error) {
	err = t.read(statement{
		sql:  "SELECT user_id, due FROM qqauth_guests WHERE due < $1 ORDER BY due LIMIT $2",
		args: []any{before, limit},
		scan: func(rows pgx.Rows) error {
			var user string
			var g authcore.Guest
			if err := rows.Scan(&user, &g.Due); err != nil {
				return err
			}
			g.User, g.Due = userOf(user), g.Due.UTC()
			due = append(due, g)
			return nil
		},
	})
	return due, err
}

// PutGuest implements [authcore.Tx].
func (t *tx) PutGuest(g authcore.Guest) {
	t.write("INSERT INTO qqauth_guests (user_id, due) VALUES ($1, $2) ON CONFLICT (user_id) DO UPDATE SET due = excluded.due",
		userKey(g.User), g.Due)
}

// DeleteGuest implements [authcore.Tx]. It goes with its user, too.
func (t *tx) DeleteGuest(id authcore.UserID) {
	t.write("DELETE FROM qqauth_guests WHERE user_id = $1", userKey(id))
}
