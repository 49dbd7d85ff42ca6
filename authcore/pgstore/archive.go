package pgstore

import (
	"github.com/jackc/pgx/v5"

	"github.com/qqauth/qqauth/authcore"
)

// UsersAfter implements [authcore.Archive].
func (t *tx) UsersAfter(after authcore.UserID, limit int) (users []authcore.User, err error) {
	err = t.read(statement{
		sql:  "SELECT " + userColumns + " FROM qqauth_users u WHERE u.id > $1 ORDER BY u.id LIMIT $2",
		args: []any{userKey(after), limit},
		scan: func(rows pgx.Rows) error {
			var r userRow
			if err := rows.Scan(r.targets()...); err != nil {
				return err
			}
			u, err := t.user(&r)
			users = append(users, u)
			return err
		},
	})
	return users, err
}

// SessionsAfter implements [authcore.Archive].
func (t *tx) SessionsAfter(after authcore.SessionID, limit int) (sessions []authcore.Session, err error) {
	err = t.read(statement{
		sql:  "SELECT " + sessionColumns + " FROM qqauth_sessions s WHERE s.id > $1 AND s.token IS NOT NULL ORDER BY s.id LIMIT $2",
		args: []any{string(after), limit},
		scan: func(rows pgx.Rows) error {
			var r sessionRow
			if err := rows.Scan(r.targets()...); err != nil {
				return err
			}
			s, err := t.session(&r)
			sessions = append(sessions, s)
			return err
		},
	})
	return sessions, err
}

// RetiredAfter implements [authcore.Archive].
func (t *tx) RetiredAfter(after authcore.TokenHash, limit int) (list []authcore.RetiredToken, err error) {
	err = t.read(statement{
		sql: `SELECT token, session_id, at, expires, good_until FROM qqauth_retired_tokens
			WHERE token > $1 ORDER BY token LIMIT $2`,
		args: []any{after[:], limit},
		scan: func(rows pgx.Rows) error {
			var token []byte
			var r authcore.RetiredToken
			if err := scanRetired(rows, &r.Retired, &token); err != nil {
				return err
			}
			r.Token = hash(token)
			list = append(list, r)
			return nil
		},
	})
	return list, err
}

// AccessesAfter implements [authcore.Archive].
func (t *tx) AccessesAfter(after authcore.AccessHash, limit int) (list []authcore.KnownAccess, err error) {
	err = t.read(statement{
		sql: `SELECT access, user_id, epoch, expires FROM qqauth_access_tokens
			WHERE access > $1 ORDER BY access LIMIT $2`,
		args: []any{after[:], limit},
		scan: func(rows pgx.Rows) error {
			var access []byte
			var k authcore.KnownAccess
			if err := scanAccess(rows, &k.Access, &access); err != nil {
				return err
			}
			k.Hash = hash(access)
			list = append(list, k)
			return nil
		},
	})
	return list, err
}

// ErasedAfter implements [authcore.Archive].
func (t *tx) ErasedAfter(after authcore.ErasedHash, limit int) (list []authcore.Erased, err error) {
	err = t.read(statement{
		sql:  "SELECT erased, at FROM qqauth_erased WHERE erased > $1 ORDER BY erased LIMIT $2",
		args: []any{after[:], limit},
		scan: func(rows pgx.Rows) error {
			var erased []byte
			var e authcore.Erased
			if err := rows.Scan(&erased, &e.At); err != nil {
				return err
			}
			e.Hash, e.At = hash(erased), e.At.UTC()
			list = append(list, e)
			return nil
		},
	})
	return list, err
}
