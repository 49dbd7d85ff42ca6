package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

func pending(id authcore.PendingID, life time.Duration) authcore.Pending {
	return authcore.Pending{
		ID: id, Status: authcore.StatusMFAAuth, Identity: hash("identity"), App: "101", OpenID: "OPENID", UnionID: "UNIONID",
		Nickname: "昵称", Access: hash("access"), User: "u", Epoch: 3,
		Methods: []authcore.Method{authcore.MethodQQ, authcore.MethodSMS}, Link: true,
		Leave: "session that is left", Requested: map[string]string{"vip": "yes"}, SyncName: true,
		Client: "client", Device: hash("device"), Created: base, Expires: base.Add(life),
	}
}

func ref(p authcore.Pending) authcore.PendingRef {
	return authcore.PendingRef{ID: p.ID, Expires: p.Expires}
}

func testPendings(t *testing.T, f *Fixture) {
	h := authcore.IdentityHash(hash("identity"))
	one, two := pending("one", 2*time.Hour), pending("two", time.Hour)
	two.Created, two.User = base.Add(time.Second), "" // with nothing that may be absent
	two.Epoch, two.Methods, two.Link, two.Device, two.Access = 0, nil, false, authcore.DeviceHash{}, authcore.AccessHash{}
	two.Leave, two.Requested, two.SyncName = "", nil, false
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(user("u"))
		tx.PutPending(one)
		tx.PutPending(two)
		tx.PutPending(one)
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.Pending("one")
		want(t, "Pending", got, err, one)
		got, err = tx.Pending("two")
		want(t, "Pending of nobody", got, err, two)
		refs, err := tx.Pendings(h)
		want(t, "Pendings, the oldest first", refs, err, []authcore.PendingRef{ref(one), ref(two)})
		refs, err = tx.Pendings(hash("another"))
		want(t, "another identity's", len(refs), err, 0)
	})
	one.Leave, one.Requested = "", nil
	two.Leave = "session that is left"
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutPending(one); tx.PutPending(two) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		for _, p := range []authcore.Pending{one, two} {
			got, err := tx.Pending(p.ID)
			want(t, "Pending written again", got, err, p)
		}
	})
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.DeletePending(h, "one"); tx.DeletePending(h, "never there") })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		_, err := tx.Pending("one")
		wantErr(t, "deleted", err, authcore.ErrNotFound)
		refs, err := tx.Pendings(h)
		want(t, "the other", refs, err, []authcore.PendingRef{ref(two)})
	})
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.DeletePending(h, "two") })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		refs, err := tx.Pendings(h)
		want(t, "none left", len(refs), err, 0)
	})
}

// unexpired leaves out what a list may still name.
func unexpired(refs []authcore.PendingRef) (living []authcore.PendingRef) {
	for _, r := range refs {
		if base.Before(r.Expires) {
			living = append(living, r)
		}
	}
	return living
}

func testPendingsOf(t *testing.T, f *Fixture) {
	one, two, link, nobodys := pending("one", time.Hour), pending("two", time.Hour), pending("link", time.Hour), pending("nobody's", time.Hour)
	two.Created = base.Add(time.Second)
	link.Created, link.Identity = base.Add(2*time.Second), hash("an identity to be linked")
	nobodys.User = ""
	theirs := pending("theirs", time.Hour)
	theirs.User = "v"
	of := func(t *run, tx authcore.Tx, id authcore.UserID) []authcore.PendingRef {
		refs, err := tx.PendingsOf(id)
		if err != nil {
			t.Errorf("PendingsOf: %v", err)
		}
		return unexpired(refs)
	}
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(user("u"))
		tx.PutUser(user("v"))
		for _, p := range []authcore.Pending{one, two, link, nobodys, theirs, two} {
			tx.PutPending(p)
		}
		want(t, "in the transaction", of(t, tx, "u"), nil, []authcore.PendingRef{ref(one), ref(two), ref(link)})
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		want(t, "the user's", of(t, tx, "u"), nil, []authcore.PendingRef{ref(one), ref(two), ref(link)})
		want(t, "another user's", of(t, tx, "v"), nil, []authcore.PendingRef{ref(theirs)})
	})
	nobodys.User, one.User = "u", "v"
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutPending(nobodys)
		tx.PutPending(one)
		tx.DeletePending(link.Identity, link.ID)
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		want(t, "after changes, in any order", sortedRefs(of(t, tx, "u")), nil, sortedRefs([]authcore.PendingRef{ref(nobodys), ref(two)}))
		want(t, "another user's after changes", sortedRefs(of(t, tx, "v")), nil, sortedRefs([]authcore.PendingRef{ref(one), ref(theirs)}))
	})
}

func sortedRefs(refs []authcore.PendingRef) []authcore.PendingRef {
	return slices.SortedFunc(slices.Values(refs), func(a, b authcore.PendingRef) int { return strings.Compare(string(a.ID), string(b.ID)) })
}
