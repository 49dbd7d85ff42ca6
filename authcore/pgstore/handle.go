package pgstore

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/qqauth/qqauth/authcore"
)

// UserByHandle implements [authcore.Tx]. It follows the record only if its mirror
// agrees and the user is there.
func (t *tx) UserByHandle(h authcore.HandleHash) (authcore.User, error) {
	var handle, mirror *string
	var row userRow
	err := t.read(statement{
		sql: `SELECT h.user_id, m.user_id, ` + userColumns + ` FROM (SELECT $1::bytea AS handle) q
			LEFT JOIN qqauth_handles h ON h.handle = q.handle
			LEFT JOIN qqauth_handle_mirrors m ON m.handle = q.handle
			LEFT JOIN qqauth_users u ON u.id = h.user_id`,
		args: []any{h[:]},
		scan: func(rows pgx.Rows) error { return rows.Scan(append([]any{&handle, &mirror}, row.targets()...)...) },
	})
	switch {
	case err != nil:
		return authcore.User{}, err
	case handle == nil && mirror == nil:
		return authcore.User{}, authcore.ErrNotFound
	case handle == nil || mirror == nil || *handle != *mirror:
		return authcore.User{}, t.damaged("qqauth_handles", "is without its mirror")
	case row.id == nil:
		return authcore.User{}, t.damaged("qqauth_handles", "names a user that is absent")
	}
	return t.user(&row)
}

// PutHandle implements [authcore.Tx].
func (t *tx) PutHandle(h authcore.HandleHash, id authcore.UserID) {
	t.write(`INSERT INTO qqauth_handle_mirrors (handle, user_id) VALUES ($1, $2)
		ON CONFLICT (handle) DO UPDATE SET user_id = excluded.user_id`, h[:], userKey(id))
	t.write(`INSERT INTO qqauth_handles (handle, user_id) VALUES ($1, $2)
		ON CONFLICT (handle) DO UPDATE SET user_id = excluded.user_id`, h[:], userKey(id))
}

// DeleteHandle implements [authcore.Tx].
func (t *tx) DeleteHandle(h authcore.HandleHash) {
	t.write("DELETE FROM qqauth_handles WHERE handle = $1", h[:])
	t.write("DELETE FROM qqauth_handle_mirrors WHERE handle = $1", h[:])
}

// DeleteUser implements [authcore.Tx]. The database refuses it while a link or a
// handle names the user.
func (t *tx) DeleteUser(id authcore.UserID) {
	t.write("DELETE FROM qqauth_users WHERE id = $1", userKey(id))
}

// Erased implements [authcore.Tx].
func (t *tx) Erased(h authcore.ErasedHash) (e authcore.Erased, err error) {
	found := false
	err = t.read(statement{
		sql:  "SELECT at FROM qqauth_erased WHERE erased = $1",
		args: []any{h[:]},
		scan: func(rows pgx.Rows) error {
			found = true
			var at time.Time
			err := rows.Scan(&at)
			e = authcore.Erased{Hash: h, At: at.UTC()}
			return err
		},
	})
	return e, none(found, err)
}

// PutErased implements [authcore.Tx].
func (t *tx) PutErased(e authcore.Erased) {
	t.write("INSERT INTO qqauth_erased (erased, at) VALUES ($1, $2) ON CONFLICT (erased) DO UPDATE SET at = excluded.at",
		e.Hash[:], e.At)
}
