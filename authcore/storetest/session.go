package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

func testSessions(t *testing.T, f *Fixture) {
	u := user("u")
	s := session("s", "u", 1)
	bare := authcore.Session{
		ID: "bare", Token: hash("bare"), User: "u", Client: "c", Methods: []authcore.Method{authcore.MethodQQ},
		AuthTime: base, Issued: base, Expires: base.Add(time.Hour),
	}
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(u); tx.PutSession(s); tx.PutSession(bare) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		for _, wanted := range []authcore.Session{s, bare} {
			got, owner, err := tx.Session(wanted.Token)
			want(t, "Session", got, err, wanted)
			want(t, "its user", owner, err, u)
			got, owner, err = tx.SessionByID(wanted.ID)
			want(t, "SessionByID", got, err, wanted)
			want(t, "its user", owner, err, u)
		}
		refs, err := tx.Sessions("u")
		slices.SortFunc(refs, func(a, b authcore.SessionRef) int { return strings.Compare(string(b.ID), string(a.ID)) })
		want(t, "Sessions", refs, err, []authcore.SessionRef{line(s), line(bare)})
	})
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.DeleteSession("u", line(s)) })
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.DeleteSession("u", line(s)) }) // missing parts are fine
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		_, _, err := tx.Session(s.Token)
		wantErr(t, "deleted, by token", err, authcore.ErrNotFound)
		_, _, err = tx.SessionByID(s.ID)
		wantErr(t, "deleted, by id", err, authcore.ErrNotFound)
		refs, err := tx.Sessions("u")
		want(t, "Sessions after", refs, err, []authcore.SessionRef{line(bare)})
		_, _, err = tx.Session(bare.Token)
		want(t, "the other", true, err, true)
	})
}

func testRefresh(t *testing.T, f *Fixture) {
	first := session("s", "u", 1)
	second := session("s", "u", 2)
	second.Previous, second.Issued = first.Token, base.Add(time.Minute)
	retired := authcore.Retired{Session: "s", At: base, Expires: base.Add(time.Hour), GoodUntil: base.Add(time.Minute)}
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutUser(user("u")); tx.PutSession(first) })
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.RetireToken(first.Token, retired); tx.PutSession(second) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		_, _, err := tx.Session(first.Token)
		wantErr(t, "retired token", err, authcore.ErrNotFound)
		got, err := tx.Retired(first.Token)
		want(t, "Retired", got, err, retired)
		_, err = tx.Retired(second.Token)
		wantErr(t, "Retired of the current token", err, authcore.ErrNotFound)
		current, _, err := tx.Session(second.Token)
		want(t, "new token", current, err, second)
		current, _, err = tx.SessionByID("s")
		want(t, "by id", current, err, second)
		refs, err := tx.Sessions("u")
		want(t, "one line", refs, err, []authcore.SessionRef{line(second)})
	})

	// A log-out that read the list before the refresh takes the session all the
	// same: whoever holds the new token is out.
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.DeleteSession("u", line(first)) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		_, _, err := tx.Session(second.Token)
		wantErr(t, "deleted by an old line", err, authcore.ErrNotFound)
		refs, err := tx.Sessions("u")
		want(t, "no line", len(refs), err, 0)
	})
}

func testSessionList(t *testing.T, f *Fixture) {
	old := session("old", "u", "old")
	old.Expires = base.Add(-time.Minute)
	mine, theirs := session("mine", "u", "mine"), session("theirs", "v", "theirs")
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(user("u"))
		tx.PutUser(user("v"))
		tx.PutSession(old)
		tx.PutSession(mine)
		tx.PutSession(theirs)
	})
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		refs, err := tx.Sessions("u")
		want(t, "Sessions", living(refs), err, []authcore.SessionRef{line(mine)})
		refs, err = tx.Sessions("v")
		want(t, "the other user's", refs, err, []authcore.SessionRef{line(theirs)})
	})
	mine.Used, mine.Expires = false, base.Add(2*time.Hour)
	update(t, f.Store, func(t *run, tx authcore.Tx) { tx.PutSession(mine) })
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		refs, err := tx.Sessions("u")
		want(t, "written again", living(refs), err, []authcore.SessionRef{line(mine)})
		got, _, err := tx.Session(mine.Token)
		want(t, "with its new content", got, err, mine)
	})
}

// living leaves out what a list may still name.
func living(refs []authcore.SessionRef) []authcore.SessionRef {
	return slices.DeleteFunc(refs, func(r authcore.SessionRef) bool { return !base.Before(r.Expires) })
}

// A session of nobody opens nothing. A store may also refuse to write it.
func testOrphan(t *testing.T, f *Fixture) {
	s := session("s", "nobody", 1)
	if f.Store.Update(t.Context(), func(tx authcore.Tx) error { tx.PutSession(s); return nil }) != nil {
		view(t, f.Store, func(t *run, tx authcore.Tx) {
			_, _, err := tx.Session(s.Token)
			wantErr(t, "a session that was refused", err, authcore.ErrNotFound)
		})
		return
	}
	err := f.Store.View(t.Context(), func(tx authcore.Tx) error {
		_, _, err := tx.Session(s.Token)
		return err
	})
	wantErr(t, "Session", err, authcore.ErrDamaged)
}
