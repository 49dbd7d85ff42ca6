package pgstore

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/qqauth/qqauth/authcore"
)

// personal is the sealed part of a user.
type personal struct {
	UserName    string            `cbor:"1,keyasint,omitempty"`
	DisplayName string            `cbor:"2,keyasint,omitempty"`
	Mobile      string            `cbor:"3,keyasint,omitempty"`
	Email       string            `cbor:"4,keyasint,omitempty"`
	Segments    map[string]string `cbor:"5,keyasint,omitempty"`
	Links       []authcore.Link   `cbor:"6,keyasint,omitempty"`
}

// via is a sealed part of its own, because nodes of version 1 read personal, too:
// the clients through which something became so.
type via struct {
	Mobile     []authcore.ClientID `cbor:"1,keyasint,omitempty"`
	Email      []authcore.ClientID `cbor:"2,keyasint,omitempty"`
	DisabledBy authcore.ClientID   `cbor:"3,keyasint,omitempty"`
}

// viaColumn is what via is sealed for.
const viaColumn = "qqauth_users.via"

const userColumns = "u.id, u.created, u.disabled, u.epoch, u.personal, u.via, u.game, u.version"

// userRow takes the columns of a user, which are null where there is none.
type userRow struct {
	id       *string
	created  *time.Time
	disabled *bool
	epoch    *int64
	personal []byte
	via      []byte
	game     []byte
	version  *int64
}

func (r *userRow) targets() []any {
	return []any{&r.id, &r.created, &r.disabled, &r.epoch, &r.personal, &r.via, &r.game, &r.version}
}

// user makes a user of a row that is there.
func (t *tx) user(r *userRow) (authcore.User, error) {
	u := authcore.User{
		ID: userOf(*r.id), Created: r.created.UTC(), Disabled: *r.disabled, Epoch: uint32(*r.epoch),
	}
	var p personal
	if err := t.open("qqauth_users", []byte(u.ID), r.personal, &p); err != nil {
		return authcore.User{}, err
	}
	u.UserName, u.DisplayName, u.Mobile, u.Email = p.UserName, p.DisplayName, p.Mobile, p.Email
	u.Segments, u.Links = p.Segments, p.Links
	if err := t.openUserGame(&u, r.game); err != nil {
		return authcore.User{}, err
	}
	if r.via == nil {
		return u, nil
	}
	var v via
	if err := t.open(viaColumn, []byte(u.ID), r.via, &v); err != nil {
		return authcore.User{}, err
	}
	u.MobileVia, u.EmailVia, u.DisabledBy = v.Mobile, v.Email, v.DisabledBy
	return u, nil
}

// User implements [authcore.Tx].
func (t *tx) User(id authcore.UserID) (u authcore.User, err error) {
	if !isText(id) {
		return u, authcore.ErrNotFound
	}
	found := false
	err = t.read(statement{
		sql:  "SELECT " + userColumns + " FROM qqauth_users u WHERE u.id = $1",
		args: []any{userKey(id)},
		scan: func(rows pgx.Rows) (err error) {
			var r userRow
			if err = rows.Scan(r.targets()...); err == nil {
				found = true
				u, err = t.user(&r)
			}
			return err
		},
	})
	return u, none(found, err)
}

// userKey is a user's id as the columns have it: what is random in it comes first.
// Ids begin with the time, and users who come at the same moment would share a
// page of each index, over which SERIALIZABLE transactions refuse each other.
func userKey(id authcore.UserID) string {
	time, random, ok := strings.Cut(string(id), "-")
	if !ok {
		return time
	}
	return random + "-" + time
}

// userOf undoes userKey.
func userOf(key string) authcore.UserID {
	i := strings.LastIndexByte(key, '-')
	if i < 0 {
		return authcore.UserID(key)
	}
	return authcore.UserID(key[i+1:] + "-" + key[:i])
}

// isText reports whether a column of text can hold a key. Callers choose some of
// those that are asked for.
func isText[K ~string](key K) bool {
	return utf8.ValidString(string(key)) && !strings.Contains(string(key), "\x00")
}

// PutUser implements [authcore.Tx].
func (t *tx) PutUser(u authcore.User) {
	game, links := t.sealUserGame(&u)
	p := personal{
		UserName: u.UserName, DisplayName: u.DisplayName, Mobile: u.Mobile, Email: u.Email,
		Segments: u.Segments, Links: links,
	}
	var proved []byte
	if len(u.MobileVia)+len(u.EmailVia)+len(u.DisabledBy) > 0 {
		proved = t.seal(viaColumn, []byte(u.ID), &via{Mobile: u.MobileVia, Email: u.EmailVia, DisabledBy: u.DisabledBy})
	}
	t.write(`INSERT INTO qqauth_users (id, created, disabled, epoch, personal, via, game, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET created = excluded.created, disabled = excluded.disabled, epoch = excluded.epoch,
			personal = excluded.personal, via = excluded.via, game = excluded.game, version = excluded.version`,
		userKey(u.ID), u.Created, u.Disabled, int64(u.Epoch), t.seal("qqauth_users", []byte(u.ID), &p), proved, game, newVersion())
}

// Login implements [authcore.Tx].
func (t *tx) Login(q authcore.LoginQuery) (authcore.LoginRecord, error) {
	var r authcore.LoginRecord
	link, linked := t.linked(q.Identity)
	flight := []statement{link, sessionsOf(&r.Sessions, `qqauth_identities i JOIN qqauth_sessions s ON s.user_id = i.user_id
		WHERE i.identity = $1 ORDER BY s.issued, s.id`, q.Identity[:])}
	if q.Access != (authcore.AccessHash{}) {
		flight = append(flight, readAccess(q.Access, &r.Access, &r.Seen))
	}
	if err := t.read(flight...); err != nil {
		return authcore.LoginRecord{}, err
	}
	var err error
	if r.User, r.Linked, err = linked(); err != nil {
		return authcore.LoginRecord{}, err
	}
	return r, nil
}

// UserByIdentity implements [authcore.Tx].
func (t *tx) UserByIdentity(h authcore.IdentityHash) (authcore.User, error) {
	link, linked := t.linked(h)
	if err := t.read(link); err != nil {
		return authcore.User{}, err
	}
	u, found, err := linked()
	return u, none(found, err)
}

// linked reads a link with its mirror and its user, and follows it only if they
// and the user's own word agree.
func (t *tx) linked(h authcore.IdentityHash) (statement, func() (authcore.User, bool, error)) {
	var link, mirror *string
	var row userRow
	read := statement{
		sql: `SELECT i.user_id, m.user_id, ` + userColumns + ` FROM (SELECT $1::bytea AS identity) q
			LEFT JOIN qqauth_identities i ON i.identity = q.identity
			LEFT JOIN qqauth_identity_mirrors m ON m.identity = q.identity
			LEFT JOIN qqauth_users u ON u.id = i.user_id`,
		args: []any{h[:]},
		scan: func(rows pgx.Rows) error { return rows.Scan(append([]any{&link, &mirror}, row.targets()...)...) },
	}
	return read, func() (authcore.User, bool, error) {
		switch {
		case link == nil && mirror == nil:
			return authcore.User{}, false, nil
		case link == nil || mirror == nil || *link != *mirror:
			return authcore.User{}, false, t.damaged("qqauth_identities", "is without its mirror")
		case row.id == nil:
			return authcore.User{}, false, t.damaged("qqauth_identities", "names a user that is absent")
		}
		u, err := t.user(&row)
		if err == nil && !slices.ContainsFunc(u.Links, func(l authcore.Link) bool { return l.Identity == h }) {
			err = t.damaged("qqauth_identities", "names a user that does not name it")
		}
		if err != nil {
			return authcore.User{}, false, err
		}
		return u, true, nil
	}
}

// PutLink implements [authcore.Tx].
func (t *tx) PutLink(l authcore.Link, id authcore.UserID) {
	t.write(`INSERT INTO qqauth_identity_mirrors (identity, user_id) VALUES ($1, $2)
		ON CONFLICT (identity) DO UPDATE SET user_id = excluded.user_id`, l.Identity[:], userKey(id))
	t.write(`INSERT INTO qqauth_identities (identity, user_id, app, since) VALUES ($1, $2, $3, $4)
		ON CONFLICT (identity) DO UPDATE SET user_id = excluded.user_id, app = excluded.app, since = excluded.since`,
		l.Identity[:], userKey(id), string(l.App), l.Since)
}

// DeleteLink implements [authcore.Tx]. It leaves a link to another user alone.
func (t *tx) DeleteLink(l authcore.Link, id authcore.UserID) {
	t.write("DELETE FROM qqauth_identities WHERE identity = $1 AND user_id = $2", l.Identity[:], userKey(id))
	t.write("DELETE FROM qqauth_identity_mirrors WHERE identity = $1 AND user_id = $2", l.Identity[:], userKey(id))
}

func readAccess(h authcore.AccessHash, a *authcore.Access, seen *bool) statement {
	return statement{
		sql:  "SELECT user_id, epoch, expires FROM qqauth_access_tokens WHERE access = $1",
		args: []any{h[:]},
		scan: func(rows pgx.Rows) error {
			*seen = true
			return scanAccess(rows, a)
		},
	}
}

// scanAccess reads the columns user_id, epoch and expires, behind others.
func scanAccess(rows pgx.Rows, a *authcore.Access, before ...any) error {
	var user string
	var epoch int64
	if err := rows.Scan(append(before, &user, &epoch, &a.Expires)...); err != nil {
		return err
	}
	a.User, a.Epoch, a.Expires = userOf(user), uint32(epoch), a.Expires.UTC()
	return nil
}

// PutAccess implements [authcore.Tx].
func (t *tx) PutAccess(h authcore.AccessHash, a authcore.Access) {
	t.write(`INSERT INTO qqauth_access_tokens (access, user_id, epoch, expires) VALUES ($1, $2, $3, $4)
		ON CONFLICT (access) DO UPDATE SET user_id = excluded.user_id, epoch = excluded.epoch, expires = excluded.expires`,
		h[:], userKey(a.User), int64(a.Epoch), a.Expires)
}

// Union implements [authcore.Tx].
func (t *tx) Union(h authcore.UnionHash) (members []authcore.UnionMember, err error) {
	err = t.read(statement{
		sql:  "SELECT app, user_id FROM qqauth_unions WHERE unionid = $1 ORDER BY position",
		args: []any{h[:]},
		scan: func(rows pgx.Rows) error {
			var app, user string
			if err := rows.Scan(&app, &user); err != nil {
				return err
			}
			members = append(members, authcore.UnionMember{App: authcore.AppID(app), User: userOf(user)})
			return nil
		},
	})
	return members, err
}

// PutUnion implements [authcore.Tx].
func (t *tx) PutUnion(h authcore.UnionHash, members []authcore.UnionMember) {
	t.write("DELETE FROM qqauth_unions WHERE unionid = $1", h[:])
	for i, m := range members {
		t.write("INSERT INTO qqauth_unions (unionid, position, app, user_id) VALUES ($1, $2, $3, $4)",
			h[:], i, string(m.App), userKey(m.User))
	}
}

// Ring implements [authcore.Tx].
func (t *tx) Ring() (ring []byte, err error) {
	err = t.read(readRing(&ring))
	return ring, none(ring != nil, err)
}

func readRing(to *[]byte) statement {
	return statement{
		sql:  "SELECT ring FROM qqauth_keys WHERE id = 1",
		scan: func(rows pgx.Rows) error { return rows.Scan(to) },
	}
}

// PutRing implements [authcore.Tx].
func (t *tx) PutRing(ring []byte) {
	t.write(`INSERT INTO qqauth_keys (id, ring) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET ring = excluded.ring`,
		slices.Clone(ring))
}
