package pgstore

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/qqauth/qqauth/authcore"
)

// claimed is the sealed part of a pending login: what QQ said of its account.
type claimed struct {
	OpenID   string `cbor:"1,keyasint,omitempty"`
	UnionID  string `cbor:"2,keyasint,omitempty"`
	Nickname string `cbor:"3,keyasint,omitempty"`
}

// Pending implements [authcore.Tx].
func (t *tx) Pending(id authcore.PendingID) (p authcore.Pending, err error) {
	if !isText(id) {
		return p, authcore.ErrNotFound
	}
	found := false
	err = t.read(statement{
		sql: `SELECT identity, status, app, coalesce(user_id, ''), epoch, methods, link, client, device, access, created, expires,
			personal, game FROM qqauth_pendings WHERE id = $1`,
		args: []any{string(id)},
		scan: func(rows pgx.Rows) error {
			found = true
			var identity, device, access, sealed, game []byte
			var status, app, user, client string
			var epoch int64
			var methods []string
			err := rows.Scan(&identity, &status, &app, &user, &epoch, &methods, &p.Link, &client, &device, &access,
				&p.Created, &p.Expires, &sealed, &game)
			if err != nil {
				return err
			}
			var c claimed
			p.ID, p.Status, p.Identity = id, authcore.Status(status), hash(identity)
			p.App, p.User, p.Client = authcore.AppID(app), userOf(user), authcore.ClientID(client)
			p.Epoch, p.Methods = uint32(epoch), methodsOf(methods)
			p.Device, p.Access = hash(device), hash(access)
			p.Created, p.Expires = p.Created.UTC(), p.Expires.UTC()
			if err := t.open("qqauth_pendings", []byte(id), sealed, &c); err != nil {
				return err
			}
			p.OpenID, p.UnionID, p.Nickname = c.OpenID, c.UnionID, c.Nickname
			return t.openPendingGame(&p, game)
		},
	})
	if err = none(found, err); err != nil {
		return authcore.Pending{}, err
	}
	return p, nil
}

// Pendings implements [authcore.Tx].
func (t *tx) Pendings(h authcore.IdentityHash) ([]authcore.PendingRef, error) {
	return t.pendings("identity = $1 ORDER BY created, id", h[:])
}

// PendingsOf implements [authcore.Tx].
func (t *tx) PendingsOf(id authcore.UserID) ([]authcore.PendingRef, error) {
	if !isText(id) {
		return nil, nil
	}
	return t.pendings("user_id = $1 ORDER BY created, id", userKey(id))
}

// maxWaiting is how many pending logins of one client on one device are listed.
const maxWaiting = 16

// Waiting implements [authcore.Tx].
func (t *tx) Waiting(client authcore.ClientID, device authcore.DeviceHash) (refs []authcore.PendingRef, err error) {
	const newest = " AND client = $1 ORDER BY created DESC, id DESC LIMIT $2"
	switch {
	case !isText(client):
		return nil, nil
	case device == (authcore.DeviceHash{}):
		refs, err = t.pendings("device IS NULL"+newest, string(client), maxWaiting)
	default:
		refs, err = t.pendings("device = $3"+newest, string(client), maxWaiting, device[:])
	}
	slices.Reverse(refs)
	return refs, err
}

func (t *tx) pendings(where string, args ...any) (refs []authcore.PendingRef, err error) {
	err = t.read(statement{
		sql:  "SELECT id, expires FROM qqauth_pendings WHERE " + where,
		args: args,
		scan: func(rows pgx.Rows) error {
			var id string
			var r authcore.PendingRef
			if err := rows.Scan(&id, &r.Expires); err != nil {
				return err
			}
			r.ID, r.Expires = authcore.PendingID(id), r.Expires.UTC()
			refs = append(refs, r)
			return nil
		},
	})
	return refs, err
}

// PutPending implements [authcore.Tx].
func (t *tx) PutPending(p authcore.Pending) {
	var user any
	if p.User != "" {
		user = userKey(p.User)
	}
	sealed := t.seal("qqauth_pendings", []byte(p.ID), &claimed{OpenID: p.OpenID, UnionID: p.UnionID, Nickname: p.Nickname})
	t.write(`INSERT INTO qqauth_pendings (id, identity, status, app, user_id, epoch, methods, link, client, device, access,
			created, expires, personal, game)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, status = excluded.status, app = excluded.app,
			user_id = excluded.user_id, epoch = excluded.epoch, methods = excluded.methods, link = excluded.link,
			client = excluded.client, device = excluded.device, access = excluded.access, created = excluded.created,
			expires = excluded.expires, personal = excluded.personal, game = excluded.game`,
		string(p.ID), p.Identity[:], string(p.Status), string(p.App), user, int64(p.Epoch), methodNames(p.Methods), p.Link,
		string(p.Client), orNull(p.Device), orNull(p.Access), p.Created, p.Expires, sealed, t.sealPendingGame(&p))
}

// DeletePending implements [authcore.Tx].
func (t *tx) DeletePending(h authcore.IdentityHash, id authcore.PendingID) {
	t.write("DELETE FROM qqauth_pendings WHERE id = $1 AND identity = $2", string(id), h[:])
}
