package storetest

import (
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// testStamps is for stores whose transactions are Stamped.
func testStamps(t *testing.T, f *Fixture) {
	able := false
	view(t, f.Store, func(t *run, tx authcore.Tx) { _, able = tx.(authcore.Stamped) })
	if !able {
		t.Skip("optional: its transactions are not Stamped")
	}
	u, s := user("u"), session("s", "u", 1)
	other := session("other", "u", 2)
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(u); tx.PutUser(user("v")); tx.PutSession(s) })
	last, err := stampOf(t, f.Store, s.Token, "u")
	if err != nil || last == (authcore.Stamp{}) {
		t.Fatalf("Stamp: %v, error %v", last, err)
	}
	earlier := map[authcore.Stamp]string{last: "the first writing"}
	for _, step := range []struct {
		what    string
		write   func(*run, authcore.Tx)
		changes bool
	}{
		{"nothing", func(_ *run, _ authcore.Tx) {}, false},
		{"another user", func(_ *run, tx authcore.Tx) { tx.PutUser(user("v")) }, false},
		{"another session of the user", func(_ *run, tx authcore.Tx) { tx.PutSession(other) }, false},
		{"the end of that session", func(_ *run, tx authcore.Tx) { tx.DeleteSession("u", line(other)) }, false},
		{"a link of the user", func(_ *run, tx authcore.Tx) { tx.PutLink(link(hash("identity"), "101"), "u") }, false},
		{"the session", func(_ *run, tx authcore.Tx) { s.Used = false; tx.PutSession(s) }, true},
		{"the user", func(_ *run, tx authcore.Tx) { u.Epoch++; tx.PutUser(u) }, true},
		{"both", func(_ *run, tx authcore.Tx) { tx.PutUser(u); tx.PutSession(s) }, true},
		{"the session as it was", func(_ *run, tx authcore.Tx) { tx.PutSession(s) }, true},
	} {
		update(t, f.Store, step.write)
		stamp, err := stampOf(t, f.Store, s.Token, "u")
		switch came, again := earlier[stamp]; {
		case err != nil:
			t.Errorf("after %s: %v", step.what, err)
		case step.changes && again:
			t.Errorf("after %s: the stamp of %s", step.what, came)
		case !step.changes && stamp != last:
			t.Errorf("after %s: stamp %v, want still %v", step.what, stamp, last)
		}
		last, earlier[stamp] = stamp, step.what
	}
	testStampsOfAbsent(t, f, s)
}

func stampOf(t *testing.T, s authcore.Store, token authcore.TokenHash, id authcore.UserID) (stamp authcore.Stamp, err error) {
	err = s.View(t.Context(), func(tx authcore.Tx) error {
		stamp, err = tx.(authcore.Stamped).Stamp(token, id)
		return err
	})
	return stamp, err
}

// testStampsOfAbsent goes on with session s of user u.
func testStampsOfAbsent(t *testing.T, f *Fixture, s authcore.Session) {
	t.Helper()
	_, err := stampOf(t, f.Store, s.Token, "nobody")
	wantErr(t, "no user", err, authcore.ErrNotFound)
	_, err = stampOf(t, f.Store, hash("none"), "u")
	wantErr(t, "no session", err, authcore.ErrNotFound)
	before, err := stampOf(t, f.Store, s.Token, "u")
	if err != nil {
		t.Errorf("before the retirement: %v", err)
	}
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.RetireToken(s.Token, authcore.Retired{Session: s.ID, At: base, Expires: s.Expires})
	})
	_, err = stampOf(t, f.Store, s.Token, "u")
	wantErr(t, "retired", err, authcore.ErrNotFound)
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutSession(s) })
	if after, err := stampOf(t, f.Store, s.Token, "u"); err != nil || after == before {
		t.Errorf("written anew: stamp %v as before, error %v", after, err)
	}
}
