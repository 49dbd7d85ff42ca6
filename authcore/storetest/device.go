package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// There are more records at a device than a list has to name, made neither in the
// order of their ids nor in that of their age.
const atDevice = 40

// testWaiting has logins of many identities: whoever invents them cannot push out
// those of another device.
func testWaiting(t *testing.T, f *Fixture) {
	made := make([]authcore.Pending, atDevice)
	for i := range made {
		made[i] = pending(authcore.PendingID(fmt.Sprintf("%03d", atDevice-i)), time.Hour)
		made[i].Identity, made[i].Created = hash(i), base.Add(time.Duration(i)*time.Second)
	}
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(user("u"))
		putAside(tx, made[0])
		for _, p := range made {
			tx.PutPending(p)
		}
	})
	newest := func(n int, of []authcore.Pending) (refs []authcore.PendingRef) {
		for _, p := range of[max(0, len(of)-n):] {
			refs = append(refs, ref(p))
		}
		return refs
	}
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got := waiting(t, tx, "client", hash("device"))
		want(t, "the newest", got, nil, newest(max(16, len(got)), made))
		for id, got := range map[authcore.PendingID][]authcore.PendingRef{
			"other device": waiting(t, tx, "client", hash("other device")),
			"no device":    waiting(t, tx, "client", authcore.DeviceHash{}),
			"at clien":     waiting(t, tx, "clien", hash("device")),
			"at client2":   waiting(t, tx, "client2", hash("device")),
			"at ":          waiting(t, tx, "", hash("device")),
		} {
			want(t, "that of "+string(id), got, nil, []authcore.PendingRef{{ID: id, Expires: made[0].Expires}})
		}
	})
	last := made[atDevice-1]
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutPending(made[atDevice-2]) // keeps its place
		tx.DeletePending(last.Identity, last.ID)
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got := waiting(t, tx, "client", hash("device"))
		want(t, "after one was deleted", got, nil, newest(max(15, len(got)), made[:atDevice-1]))
	})
}

// putAside writes what is not to be found at the client and device of p: that of
// other clients and devices, and what has expired.
func putAside(tx authcore.Tx, p authcore.Pending) {
	for _, client := range []authcore.ClientID{"clien", "client2", ""} {
		other := p
		other.ID, other.Client = authcore.PendingID("at "+client), client
		tx.PutPending(other)
	}
	other, none, old := p, p, p
	other.ID, other.Device = "other device", hash("other device")
	none.ID, none.Device = "no device", authcore.DeviceHash{}
	old.ID, old.Created, old.Expires = "old", base.Add(-time.Hour), base.Add(-time.Minute)
	for _, p := range []authcore.Pending{other, none, old} {
		tx.PutPending(p)
	}
}

// waiting lists what waits, without what has expired.
func waiting(t reporter, tx authcore.Tx, client authcore.ClientID, device authcore.DeviceHash) []authcore.PendingRef {
	t.Helper()
	refs, err := tx.Waiting(client, device)
	if err != nil {
		t.Errorf("Waiting: %v", err)
	}
	return unexpired(refs)
}

func testSessionsAt(t *testing.T, f *Fixture) {
	made := make([]authcore.Session, atDevice)
	for i := range made {
		made[i] = session(authcore.SessionID(fmt.Sprintf("%03d", atDevice-i)), []authcore.UserID{"u", "v"}[i%2], i)
		made[i].Issued = base.Add(time.Duration(i) * time.Second)
	}
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(user("u"))
		tx.PutUser(user("v"))
		tx.PutSession(made[atDevice-1])
		tx.ListSession(made[atDevice-1])
		for _, s := range made[:atDevice-1] {
			tx.PutSession(s)
			tx.ListSession(s)
		}
		putSessionsAside(tx)
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		var newest []authcore.SessionRef
		got := sessionsAt(t, tx, "client", hash("device"))
		for _, s := range made[atDevice-max(8, min(len(got), atDevice)):] {
			newest = append(newest, line(s))
		}
		want(t, "the newest", got, nil, newest)
		want(t, "another client's", len(sessionsAt(t, tx, "clien", hash("device"))), nil, 1)
		want(t, "another device's", len(sessionsAt(t, tx, "client", hash("other device"))), nil, 1)
		want(t, "no device's", len(sessionsAt(t, tx, "client", authcore.DeviceHash{})), nil, 0)
	})
	testSessionsAtGo(t, f, made[atDevice-2], made[atDevice-1])
}

// testSessionsAtGo refreshes and then deletes the second newest of the sessions.
func testSessionsAtGo(t *testing.T, f *Fixture, s, newest authcore.Session) {
	t.Helper()
	again := s
	again.Token, again.Issued = hash("refreshed"), base.Add(time.Hour)
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.RetireToken(s.Token, authcore.Retired{Session: s.ID, At: base, Expires: s.Expires})
		tx.PutSession(again)
		tx.ListSession(again)
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got := sessionsAt(t, tx, "client", hash("device"))
		want(t, "the newest after a refresh", got[max(0, len(got)-2):], nil, []authcore.SessionRef{line(newest), line(again)})
	})
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.DeleteSession(s.User, line(s)) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		for _, r := range sessionsAt(t, tx, "client", hash("device")) {
			_, _, err := tx.SessionByID(r.ID)
			if gone := r.ID == s.ID; gone != errors.Is(err, authcore.ErrNotFound) || err != nil && !gone {
				t.Errorf("session %s of the list: got error %v", r.ID, err)
			}
		}
	})
}

// putSessionsAside writes what is not to be found at the client and device of the
// sessions of this suite.
func putSessionsAside(tx authcore.Tx) {
	for what, change := range map[string]func(*authcore.Session){
		"client":    func(s *authcore.Session) { s.Client = "clien" },
		"device":    func(s *authcore.Session) { s.Device = hash("other device") },
		"no device": func(s *authcore.Session) { s.Device = authcore.DeviceHash{} },
		"expired":   func(s *authcore.Session) { s.Issued, s.Expires = base.Add(-time.Hour), base.Add(-time.Minute) },
	} {
		s := session(authcore.SessionID(what), "u", what)
		change(&s)
		tx.PutSession(s)
		tx.ListSession(s)
	}
}

// sessionsAt lists sessions, without those that have expired.
func sessionsAt(t reporter, tx authcore.Tx, client authcore.ClientID, device authcore.DeviceHash) []authcore.SessionRef {
	t.Helper()
	refs, err := tx.SessionsAt(client, device)
	if err != nil {
		t.Errorf("SessionsAt: %v", err)
	}
	return living(refs)
}
