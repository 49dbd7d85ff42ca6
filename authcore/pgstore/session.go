package pgstore

import (
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/qqauth/qqauth/authcore"
)

// device is the sealed part of a session: what the caller's device said of itself
// and where it called from.
type device struct {
	OS       string `cbor:"1,keyasint,omitempty"`
	Agent    string `cbor:"2,keyasint,omitempty"`
	IP       string `cbor:"3,keyasint,omitempty"`
	DeviceIP string `cbor:"4,keyasint,omitempty"`
}

const sessionColumns = `s.id, s.token, s.user_id, s.client, s.device, s.methods, s.auth_time, s.issued, s.expires,
	s.epoch, s.parent, s.previous, s.used, s.idle, s.last_use, s.personal, s.version`

// sessionRow takes the columns of a session.
type sessionRow struct {
	id, user, client, parent        string
	token, device, previous, sealed []byte
	methods                         []string
	authTime, issued, expires       time.Time
	epoch, version, idle            int64
	used                            bool
	lastUse                         *time.Time
}

func (r *sessionRow) targets() []any {
	return []any{&r.id, &r.token, &r.user, &r.client, &r.device, &r.methods, &r.authTime, &r.issued, &r.expires,
		&r.epoch, &r.parent, &r.previous, &r.used, &r.idle, &r.lastUse, &r.sealed, &r.version}
}

// session makes a session of a row.
func (t *tx) session(r *sessionRow) (authcore.Session, error) {
	s := authcore.Session{
		ID: authcore.SessionID(r.id), Token: hash(r.token), User: userOf(r.user), Client: authcore.ClientID(r.client),
		Device: hash(r.device), AuthTime: r.authTime.UTC(), Issued: r.issued.UTC(), Expires: r.expires.UTC(),
		Epoch: uint32(r.epoch), Parent: authcore.SessionID(r.parent), Previous: hash(r.previous), Used: r.used,
		Methods: methodsOf(r.methods), Idle: time.Duration(r.idle),
	}
	if r.lastUse != nil {
		s.LastUse = r.lastUse.UTC()
	}
	var d device
	if err := t.open("qqauth_sessions", []byte(s.ID), r.sealed, &d); err != nil {
		return authcore.Session{}, err
	}
	s.OS, s.Agent, s.IP, s.DeviceIP = d.OS, d.Agent, d.IP, d.DeviceIP
	return s, nil
}

// Session implements [authcore.Tx].
func (t *tx) Session(h authcore.TokenHash) (authcore.Session, authcore.User, error) {
	s, u, stamp, err := t.findSession("s.token = $1", h[:])
	if err == nil {
		t.last = lastSession{h, u.ID, stamp}
	}
	return s, u, err
}

// SessionByID implements [authcore.Tx].
func (t *tx) SessionByID(id authcore.SessionID) (authcore.Session, authcore.User, error) {
	if !isText(id) {
		return authcore.Session{}, authcore.User{}, authcore.ErrNotFound
	}
	s, u, _, err := t.findSession("s.id = $1 AND s.token IS NOT NULL", string(id))
	return s, u, err
}

func (t *tx) findSession(where string, key any) (s authcore.Session, u authcore.User, stamp authcore.Stamp, err error) {
	found := false
	var session sessionRow
	var user userRow
	err = t.read(statement{
		sql: "SELECT " + sessionColumns + ", " + userColumns +
			" FROM qqauth_sessions s LEFT JOIN qqauth_users u ON u.id = s.user_id WHERE " + where,
		args: []any{key},
		scan: func(rows pgx.Rows) error {
			found = true
			return rows.Scan(append(session.targets(), user.targets()...)...)
		},
	})
	if err = none(found, err); err != nil {
		return s, u, stamp, err
	}
	if user.id == nil {
		return s, u, stamp, t.damaged("qqauth_sessions", "names a user that is absent")
	}
	if s, err = t.session(&session); err == nil {
		u, err = t.user(&user)
	}
	if err != nil {
		return authcore.Session{}, authcore.User{}, stamp, err
	}
	return s, u, authcore.Stamp{uint64(session.version), uint64(*user.version)}, nil
}

// lastSession is the stamp of the session that was read last.
type lastSession struct {
	token authcore.TokenHash
	user  authcore.UserID
	stamp authcore.Stamp
}

// Stamp implements [authcore.Stamped] by the versions of both rows.
func (t *tx) Stamp(h authcore.TokenHash, user authcore.UserID) (stamp authcore.Stamp, err error) {
	if t.last.token == h && t.last.user == user {
		return t.last.stamp, nil // read a moment ago
	}
	found := false
	err = t.read(statement{
		sql:  "SELECT s.version, u.version FROM qqauth_sessions s CROSS JOIN qqauth_users u WHERE s.token = $1 AND u.id = $2",
		args: []any{h[:], userKey(user)},
		scan: func(rows pgx.Rows) error {
			found = true
			var session, user int64
			err := rows.Scan(&session, &user)
			stamp = authcore.Stamp{uint64(session), uint64(user)}
			return err
		},
	})
	return stamp, none(found, err)
}

// Sessions implements [authcore.Tx].
func (t *tx) Sessions(id authcore.UserID) (refs []authcore.SessionRef, err error) {
	if !isText(id) {
		return nil, nil
	}
	err = t.read(sessionsOf(&refs, "qqauth_sessions s WHERE s.user_id = $1 ORDER BY s.issued, s.id", userKey(id)))
	return refs, err
}

// maxAtDevice is how many sessions of one client on one device are listed.
const maxAtDevice = 8

// ListSession implements [authcore.Tx]. An index lists all of them.
func (t *tx) ListSession(authcore.Session) {}

// SessionsAt implements [authcore.Tx].
func (t *tx) SessionsAt(client authcore.ClientID, device authcore.DeviceHash) (refs []authcore.SessionRef, err error) {
	if !isText(client) {
		return nil, nil
	}
	err = t.read(sessionsOf(&refs, `qqauth_sessions s WHERE s.device = $1 AND s.client = $2 AND s.token IS NOT NULL
		ORDER BY s.issued DESC, s.id DESC LIMIT $3`, device[:], string(client), maxAtDevice))
	slices.Reverse(refs)
	return refs, err
}

// sessionsOf reads the lines of a list.
func sessionsOf(refs *[]authcore.SessionRef, from string, args ...any) statement {
	return statement{
		sql:  "SELECT s.id, s.token, s.client, s.issued, s.expires, s.parent FROM " + from,
		args: args,
		scan: func(rows pgx.Rows) error {
			var id, client, parent string
			var token []byte
			var r authcore.SessionRef
			if err := rows.Scan(&id, &token, &client, &r.Issued, &r.Expires, &parent); err != nil {
				return err
			}
			r.ID, r.Token, r.Client, r.Parent = authcore.SessionID(id), hash(token), authcore.ClientID(client), authcore.SessionID(parent)
			r.Issued, r.Expires = r.Issued.UTC(), r.Expires.UTC()
			*refs = append(*refs, r)
			return nil
		},
	}
}

// PutSession implements [authcore.Tx].
func (t *tx) PutSession(s authcore.Session) {
	sealed := t.seal("qqauth_sessions", []byte(s.ID), &device{OS: s.OS, Agent: s.Agent, IP: s.IP, DeviceIP: s.DeviceIP})
	t.write(`INSERT INTO qqauth_sessions (id, token, user_id, client, device, methods, auth_time, issued, expires,
			epoch, parent, previous, used, idle, last_use, personal, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (id) DO UPDATE SET token = excluded.token, user_id = excluded.user_id, client = excluded.client,
			device = excluded.device, methods = excluded.methods, auth_time = excluded.auth_time, issued = excluded.issued,
			expires = excluded.expires, epoch = excluded.epoch, parent = excluded.parent, previous = excluded.previous,
			used = excluded.used, idle = excluded.idle, last_use = excluded.last_use, personal = excluded.personal,
			version = excluded.version`,
		string(s.ID), s.Token[:], userKey(s.User), string(s.Client), orNull(s.Device), methodNames(s.Methods), s.AuthTime, s.Issued, s.Expires,
		int64(s.Epoch), string(s.Parent), orNull(s.Previous), s.Used, int64(s.Idle), timeOrNull(s.LastUse), sealed, newVersion())
}

// methodNames is the value of a column of methods, which is not null.
func methodNames(methods []authcore.Method) []string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = string(m)
	}
	return names
}

// methodsOf undoes methodNames.
func methodsOf(names []string) (methods []authcore.Method) {
	for _, name := range names {
		methods = append(methods, authcore.Method(name))
	}
	return methods
}

// DeleteSession implements [authcore.Tx]. Its tickets and retired tokens go with
// it.
func (t *tx) DeleteSession(user authcore.UserID, ref authcore.SessionRef) {
	t.write("DELETE FROM qqauth_sessions WHERE id = $1 AND user_id = $2", string(ref.ID), userKey(user))
}

// Retired implements [authcore.Tx].
func (t *tx) Retired(h authcore.TokenHash) (r authcore.Retired, err error) {
	found := false
	err = t.read(statement{
		sql:  "SELECT session_id, at, expires, good_until FROM qqauth_retired_tokens WHERE token = $1",
		args: []any{h[:]},
		scan: func(rows pgx.Rows) error {
			found = true
			return scanRetired(rows, &r)
		},
	})
	return r, none(found, err)
}

// scanRetired reads the columns session_id, at, expires and good_until, behind others.
func scanRetired(rows pgx.Rows, r *authcore.Retired, before ...any) error {
	var id string
	var goodUntil *time.Time
	if err := rows.Scan(append(before, &id, &r.At, &r.Expires, &goodUntil)...); err != nil {
		return err
	}
	if goodUntil != nil {
		r.GoodUntil = goodUntil.UTC()
	}
	r.Session, r.At, r.Expires = authcore.SessionID(id), r.At.UTC(), r.Expires.UTC()
	return nil
}

// RetireToken implements [authcore.Tx]. The session's row stays, for what refers
// to it, without a token until its successor is written.
func (t *tx) RetireToken(h authcore.TokenHash, r authcore.Retired) {
	t.write("UPDATE qqauth_sessions SET token = NULL WHERE token = $1", h[:])
	t.write(`INSERT INTO qqauth_retired_tokens (token, session_id, at, expires, good_until) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (token) DO UPDATE SET session_id = excluded.session_id, at = excluded.at, expires = excluded.expires,
			good_until = excluded.good_until`,
		h[:], string(r.Session), r.At, r.Expires, timeOrNull(r.GoodUntil))
}
