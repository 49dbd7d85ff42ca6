package pgstore

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/record"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// What version 1 seals, and reads strictly.
type (
	personal1 struct {
		UserName    string            `cbor:"1,keyasint,omitempty"`
		DisplayName string            `cbor:"2,keyasint,omitempty"`
		Mobile      string            `cbor:"3,keyasint,omitempty"`
		Email       string            `cbor:"4,keyasint,omitempty"`
		Segments    map[string]string `cbor:"5,keyasint,omitempty"`
		Links       []link1           `cbor:"6,keyasint,omitempty"`
	}
	link1 struct {
		Identity authcore.IdentityHash `cbor:"1,keyasint"`
		App      authcore.AppID        `cbor:"2,keyasint"`
		OpenID   string                `cbor:"3,keyasint"`
		UnionID  string                `cbor:"4,keyasint,omitempty"`
		Since    time.Time             `cbor:"5,keyasint"`
	}
	device1 struct {
		OS       string `cbor:"1,keyasint,omitempty"`
		Agent    string `cbor:"2,keyasint,omitempty"`
		IP       string `cbor:"3,keyasint,omitempty"`
		DeviceIP string `cbor:"4,keyasint,omitempty"`
	}
	claimed1 struct {
		OpenID   string `cbor:"1,keyasint,omitempty"`
		UnionID  string `cbor:"2,keyasint,omitempty"`
		Nickname string `cbor:"3,keyasint,omitempty"`
	}
)

// sealed1 is what version 1 makes of a user.
func sealed1(u authcore.User) personal1 {
	p := personal1{u.UserName, u.DisplayName, u.Mobile, u.Email, u.Segments, nil}
	for _, l := range u.Links {
		p.Links = append(p.Links, link1{l.Identity, l.App, l.OpenID, l.UnionID, l.Since})
	}
	return p
}

// node1 speaks to the tables as a node of version 1 does.
type node1 struct {
	*aside
	vault testVault
}

// begin1 makes the tables of a version with a key ring, and with user u, a link, a
// session and a pending login as version 1 writes them.
func begin1(t *testing.T, dsn string, version int) *node1 {
	t.Helper()
	n := &node1{aside: beside(t, dsn)}
	n.run("CREATE TABLE qqauth_schema (id INT PRIMARY KEY CHECK (id = 1), version INT NOT NULL, oldest INT NOT NULL)")
	for v := 1; v <= version; v++ {
		file, err := schemas.ReadFile(fmt.Sprintf("schema/%d.sql", v))
		if err != nil {
			t.Fatal(err)
		}
		for sql := range strings.SplitSeq(string(file), ";\n") {
			n.run(sql)
		}
	}
	n.run("INSERT INTO qqauth_schema VALUES (1, $1, 1)", version)
	ring, err := n.vault.Unlock(nil)
	if err != nil {
		t.Fatal(err)
	}
	n.run("INSERT INTO qqauth_keys VALUES (1, $1)", ring)
	n.putUser(old.user)
	identity := old.user.Links[0].Identity[:]
	n.run("INSERT INTO qqauth_identity_mirrors (identity, user_id) VALUES ($1, 'u')", identity)
	n.run("INSERT INTO qqauth_identities (identity, user_id, app, since) VALUES ($1, 'u', '101', $2)", identity, old.user.Created)
	n.putSession(old.session)
	n.putPending(old.pending)
	return n
}

// old is what is in the tables of version 1.
var old = func() (all struct {
	user    authcore.User
	session authcore.Session
	pending authcore.Pending
}) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	all.user = authcore.User{
		ID: "u", Created: now, Epoch: 3, UserName: "name", DisplayName: "林小雨", Mobile: "+86-15201657321", Email: "lin@example.com",
		Segments: map[string]string{"tier": "gold"},
		Links:    []authcore.Link{{Identity: digest("identity"), App: "101", OpenID: "OPENID", Since: now}},
	}
	all.session = authcore.Session{
		ID: "s", Token: digest("token"), User: "u", Client: "client", Device: digest("device"),
		Methods: []authcore.Method{authcore.MethodQQ}, AuthTime: now, Issued: now, Expires: now.Add(time.Hour),
		Epoch: 3, OS: "os", Agent: "agent", IP: "192.0.2.1", DeviceIP: "192.0.2.2",
	}
	all.pending = authcore.Pending{
		ID: "p", Status: authcore.StatusSocialBind, Identity: digest("another identity"), App: "101", OpenID: "OPENID2",
		Nickname: "小雨点", Client: "client", Device: digest("device"), Created: now, Expires: now.Add(time.Hour),
	}
	return all
}()

func (n *node1) seal(table, key string, v any) []byte {
	n.t.Helper()
	plain, err := record.Encode(v)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.vault.Seal(plain, place(table, []byte(key)))
}

// wantOpened checks that the column personal is one that version 1 can read.
func (n *node1) wantOpened(table, key string, wanted any) {
	n.t.Helper()
	n.wantOpenedAs(table, table, "personal", key, wanted)
}

// wantOpenedAs checks that a column which is sealed for a place is one that an older
// version can read.
func (n *node1) wantOpenedAs(sealedFor, table, column, key string, wanted any) {
	n.t.Helper()
	sealed := ask[[]byte](n.aside, "SELECT "+column+" FROM "+table+" WHERE id = $1", key)
	got := reflect.New(reflect.TypeOf(wanted))
	plain, err := n.vault.Open(sealed, place(sealedFor, []byte(key)))
	if err == nil {
		err = record.Decode(plain, got.Interface())
	}
	if diff := cmp.Diff(wanted, got.Elem().Interface()); err != nil || diff != "" {
		n.t.Errorf("an older version reads %s of %s: error %v (-want +got):\n%s", column, table, err, diff)
	}
}

func (n *node1) putUser(u authcore.User) {
	n.t.Helper()
	n.run(`INSERT INTO qqauth_users (id, created, disabled, epoch, personal, version) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET created = excluded.created, disabled = excluded.disabled, epoch = excluded.epoch,
			personal = excluded.personal, version = excluded.version`,
		string(u.ID), u.Created, u.Disabled, int64(u.Epoch), n.seal("qqauth_users", string(u.ID), sealed1(u)), newVersion())
}

func (n *node1) putSession(s authcore.Session) {
	n.t.Helper()
	n.run(`INSERT INTO qqauth_sessions (id, token, user_id, client, device, methods, auth_time, issued, expires,
			epoch, parent, previous, used, personal, version)
		VALUES ($1, $2, $3, $4, $5, ARRAY['qq'], $6, $7, $8, $9, '', NULL, FALSE, $10, $11)
		ON CONFLICT (id) DO UPDATE SET token = excluded.token, user_id = excluded.user_id, client = excluded.client,
			device = excluded.device, methods = excluded.methods, auth_time = excluded.auth_time, issued = excluded.issued,
			expires = excluded.expires, epoch = excluded.epoch, parent = excluded.parent, previous = excluded.previous,
			used = excluded.used, personal = excluded.personal, version = excluded.version`,
		string(s.ID), s.Token[:], string(s.User), string(s.Client), s.Device[:], s.AuthTime, s.Issued, s.Expires, int64(s.Epoch),
		n.seal("qqauth_sessions", string(s.ID), device1{s.OS, s.Agent, s.IP, s.DeviceIP}), newVersion())
}

func (n *node1) putPending(p authcore.Pending) {
	n.t.Helper()
	n.run(`INSERT INTO qqauth_pendings (id, identity, status, app, user_id, client, device, access, created, expires, personal)
		VALUES ($1, $2, $3, $4, NULL, $5, $6, NULL, $7, $8, $9)
		ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, status = excluded.status, app = excluded.app,
			user_id = excluded.user_id, client = excluded.client, device = excluded.device, access = excluded.access,
			created = excluded.created, expires = excluded.expires, personal = excluded.personal`,
		string(p.ID), p.Identity[:], string(p.Status), string(p.App), string(p.Client), p.Device[:], p.Created, p.Expires,
		n.seal("qqauth_pendings", string(p.ID), claimed1{p.OpenID, p.UnionID, p.Nickname}))
}

// wantRead checks what this version reads.
func wantRead(t *testing.T, s *Store, when string, u authcore.User, live authcore.Session, p authcore.Pending) {
	t.Helper()
	for _, read := range []func(authcore.Tx) (got, wanted any, err error){
		func(tx authcore.Tx) (any, any, error) {
			got, err := tx.UserByIdentity(u.Links[0].Identity)
			return got, u, err
		},
		func(tx authcore.Tx) (any, any, error) { got, _, err := tx.Session(live.Token); return got, live, err },
		func(tx authcore.Tx) (any, any, error) { got, err := tx.Pending(p.ID); return got, p, err },
		func(tx authcore.Tx) (any, any, error) {
			got, err := tx.SessionsAt(live.Client, live.Device)
			return len(got), 1, err
		},
		func(tx authcore.Tx) (any, any, error) {
			got, err := tx.Waiting(p.Client, p.Device)
			return got, []authcore.PendingRef{{ID: p.ID, Expires: p.Expires}}, err
		},
	} {
		err := s.View(t.Context(), func(tx authcore.Tx) error {
			got, wanted, err := read(tx)
			if diff := cmp.Diff(wanted, got); err == nil && diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
}

// The tables of version 1 are taken over with what is in them, and nodes of
// version 1 go on beside those of this one.
func TestTablesOfVersion1(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	n := begin1(t, dsn, 1)
	s := open(t, dsn)
	if got := ask[int](n.aside, "SELECT version * 10 + oldest FROM qqauth_schema"); got != 10*version+1 {
		t.Errorf("the tables have version and oldest %d, want %d", got, 10*version+1)
	}
	if ring := ask[[]byte](n.aside, "SELECT ring FROM qqauth_keys"); !bytes.Equal(ring, n.vault.ring) {
		t.Error("another key ring")
	}
	wantRead(t, s, "as version 1 left it", old.user, old.session, old.pending)

	u, live, p := old.user, old.session, old.pending
	u.MobileVia, u.EmailVia = []authcore.ClientID{"client"}, []authcore.ClientID{"client", "another"}
	live.Idle, live.LastUse = time.Hour, old.user.Created
	p.User, p.Epoch, p.Methods, p.Link = "u", 3, []authcore.Method{authcore.MethodQQ}, true
	write(t, s, func(tx authcore.Tx) { tx.PutUser(u); tx.PutSession(live); tx.PutPending(p) })
	wantRead(t, s, "written by this version", u, live, p)
	n.wantOpened("qqauth_users", "u", sealed1(u))
	n.wantOpened("qqauth_sessions", "s", device1{live.OS, live.Agent, live.IP, live.DeviceIP})
	n.wantOpened("qqauth_pendings", "p", claimed1{p.OpenID, p.UnionID, p.Nickname})

	u.DisplayName, live.Token, p.User, p.Nickname = "another", digest("next token"), "", "another"
	n.putUser(u)
	n.putSession(live)
	n.putPending(p)
	wantRead(t, s, "written again by version 1", u, live, p)
	n.run("DELETE FROM qqauth_pendings")
	n.run("DELETE FROM qqauth_sessions")
	n.putSession(old.session)
	n.putPending(old.pending)
	wantRead(t, s, "made anew by version 1", u, old.session, old.pending)
}
