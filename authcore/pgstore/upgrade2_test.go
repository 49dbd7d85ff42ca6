package pgstore

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// via2 is what version 2 seals beside what version 1 does, and reads strictly.
type via2 struct {
	Mobile     []authcore.ClientID `cbor:"1,keyasint,omitempty"`
	Email      []authcore.ClientID `cbor:"2,keyasint,omitempty"`
	DisabledBy authcore.ClientID   `cbor:"3,keyasint,omitempty"`
}

func sealed2(u authcore.User) via2 { return via2{u.MobileVia, u.EmailVia, u.DisabledBy} }

// node2 speaks to the tables as a node of version 2 does, whose sessions are like
// those of version 1 but for what may be absent.
type node2 struct{ *node1 }

func (n *node2) putUser(u authcore.User) {
	n.t.Helper()
	n.run(`INSERT INTO qqauth_users (id, created, disabled, epoch, personal, via, version) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET created = excluded.created, disabled = excluded.disabled, epoch = excluded.epoch,
			personal = excluded.personal, via = excluded.via, version = excluded.version`,
		string(u.ID), u.Created, u.Disabled, int64(u.Epoch), n.seal("qqauth_users", string(u.ID), sealed1(u)),
		n.seal("qqauth_users.via", string(u.ID), sealed2(u)), newVersion())
}

func (n *node2) putPending(p authcore.Pending) {
	n.t.Helper()
	n.run(`INSERT INTO qqauth_pendings (id, identity, status, app, user_id, epoch, methods, link, client, device, access,
			created, expires, personal)
		VALUES ($1, $2, $3, $4, NULL, $5, $6, $7, $8, $9, NULL, $10, $11, $12)
		ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, status = excluded.status, app = excluded.app,
			user_id = excluded.user_id, epoch = excluded.epoch, methods = excluded.methods, link = excluded.link,
			client = excluded.client, device = excluded.device, access = excluded.access, created = excluded.created,
			expires = excluded.expires, personal = excluded.personal`,
		string(p.ID), p.Identity[:], string(p.Status), string(p.App), int64(p.Epoch), methodNames(p.Methods), p.Link,
		string(p.Client), p.Device[:], p.Created, p.Expires, n.seal("qqauth_pendings", string(p.ID), claimed1{p.OpenID, p.UnionID, p.Nickname}))
}

func (n *node2) retire(token authcore.TokenHash, r authcore.Retired) {
	n.t.Helper()
	n.run(`INSERT INTO qqauth_retired_tokens (token, session_id, at, expires) VALUES ($1, $2, $3, $4)
		ON CONFLICT (token) DO UPDATE SET session_id = excluded.session_id, at = excluded.at, expires = excluded.expires`,
		token[:], string(r.Session), r.At, r.Expires)
}

// wantRetired checks what is left of a token.
func wantRetired(t *testing.T, s *Store, token authcore.TokenHash, wanted authcore.Retired) {
	t.Helper()
	err := s.View(t.Context(), func(tx authcore.Tx) error {
		got, err := tx.Retired(token)
		if diff := cmp.Diff(wanted, got); err == nil && diff != "" {
			t.Errorf("Retired (-want +got):\n%s", diff)
		}
		return err
	})
	if err != nil {
		t.Errorf("Retired: %v", err)
	}
}

// The tables of version 2 are taken over with what is in them. Nodes of version 2 go
// on beside those of this one, and take nothing away that they do not know.
func TestTablesOfVersion2(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	n := &node2{begin1(t, dsn, 2)}
	u, live, p := old.user, old.session, old.pending
	u.MobileVia, u.DisabledBy = []authcore.ClientID{"client"}, "shop"
	p.Epoch, p.Methods, p.Link = 3, []authcore.Method{authcore.MethodQQ}, true
	n.putUser(u)
	n.putPending(p)
	retired := authcore.Retired{Session: "s", At: u.Created, Expires: live.Expires}
	n.retire(digest("retired by version 2"), retired)
	s := open(t, dsn)
	if got := ask[int](n.aside, "SELECT version * 10 + oldest FROM qqauth_schema"); got != 10*version+1 {
		t.Errorf("the tables have version and oldest %d, want %d", got, 10*version+1)
	}
	wantRead(t, s, "as version 2 left it", u, live, p)
	wantRetired(t, s, digest("retired by version 2"), retired)

	u.Password, u.Home, u.Requested = "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA", "game", map[string]string{"vip": "yes"}
	u.Devices = []authcore.Device{{Client: "game", OS: "ios", ID: "0123456789", Since: u.Created}}
	second := authcore.Link{Identity: digest("second"), App: "102", OpenID: "OPENID3", Since: u.Created}
	u.Links = []authcore.Link{u.Links[0], second}
	u.Links[0].SyncName = true
	p.Leave, p.Requested, p.SyncName = "s", map[string]string{"vip": "no"}, true
	write(t, s, func(tx authcore.Tx) {
		tx.PutUser(u)
		tx.PutLink(second, "u")
		tx.PutPending(p)
		tx.PutGuest(authcore.Guest{User: "u", Due: u.Created})
	})
	wantRead(t, s, "written by this version", u, live, p)
	n.wantOpened("qqauth_users", "u", sealed1(u))
	n.wantOpenedAs("qqauth_users.via", "qqauth_users", "via", "u", sealed2(u))
	n.wantOpened("qqauth_pendings", "p", claimed1{p.OpenID, p.UnionID, p.Nickname})

	u.DisplayName, u.DisabledBy, p.Nickname = "another", "", "another"
	n.putUser(u)
	n.putPending(p)
	wantRead(t, s, "written again by version 2", u, live, p)
	testTokensOfVersion2(t, n, s, live)
	for _, sql := range []string{
		"DELETE FROM qqauth_pendings", "DELETE FROM qqauth_sessions", "DELETE FROM qqauth_identities",
		"DELETE FROM qqauth_identity_mirrors", "DELETE FROM qqauth_users WHERE id = 'u'",
	} {
		n.run(sql)
	}
	if left := ask[int](n.aside, "SELECT count(*) FROM qqauth_guests"); left != 0 {
		t.Errorf("%d guests are left of a user whom version 2 has deleted", left)
	}
}

// testTokensOfVersion2 has a token resumed by this version and retired once more by
// version 2.
func testTokensOfVersion2(t *testing.T, n *node2, s *Store, live authcore.Session) {
	t.Helper()
	resumed := authcore.Retired{Session: "s", At: live.Issued, Expires: live.Expires, GoodUntil: live.Issued.Add(time.Minute)}
	write(t, s, func(tx authcore.Tx) {
		tx.RetireToken(digest("resumed"), resumed)
		tx.PutSession(live)
	})
	wantRetired(t, s, digest("resumed"), resumed)
	n.retire(digest("resumed"), resumed)
	wantRetired(t, s, digest("resumed"), resumed)
}
