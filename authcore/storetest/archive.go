package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// archived is what is in a store.
type archived struct {
	users    []authcore.User
	sessions []authcore.Session
	retired  []authcore.RetiredToken
	accesses []authcore.KnownAccess
	erased   []authcore.Erased
	// reduced says that sessions were deleted, and that their retired tokens may
	// have gone with them.
	reduced bool
}

// testArchive is for stores whose transactions are an Archive.
func testArchive(t *testing.T, f *Fixture) {
	able := false
	view(t, f.Store, func(t *run, tx authcore.Tx) { _, able = tx.(authcore.Archive) })
	if !able {
		t.Skip("optional: its transactions are no Archive")
	}
	wantArchived(t, f.Store, "empty", archived{})

	var all archived
	// Upper and lower case, of which a language may make one.
	for i, id := range []string{"d", "B", "a", "C-1", "c-1", "C", "A"} {
		all.add(t, f.Store, i, id)
	}
	all.sort()
	wantArchived(t, f.Store, "full", all)

	all.users[2].DisplayName = "another"
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(all.users[2])
		for _, i := range []int{0, 3, 6} {
			tx.DeleteSession(all.sessions[i].User, line(all.sessions[i]))
		}
	})
	deleted := all.sessions[3].ID
	all.sessions = []authcore.Session{all.sessions[1], all.sessions[2], all.sessions[4], all.sessions[5]}
	all.reduced = true
	wantArchived(t, f.Store, "after deletion", all)
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.(authcore.Archive).SessionsAfter(deleted, 10)
		want(t, "after a deleted session", got, err, all.sessions[2:])
	})
	wantArchived(t, f.Reopen(t), "opened again", all)
}

// add writes a user with a link, a refreshed session and an access token.
func (a *archived) add(t *testing.T, s authcore.Store, i int, id string) {
	t.Helper()
	u := user(authcore.UserID(id), hash("identity", id))
	first := session(authcore.SessionID("s-"+id), u.ID, id)
	current := first
	current.Token, current.Previous = hash("current", id), first.Token
	retired := authcore.Retired{Session: first.ID, At: base, Expires: base.Add(time.Hour)}
	if i%2 == 0 {
		retired.GoodUntil = base.Add(time.Minute)
	}
	known := authcore.KnownAccess{
		Hash:   hash("access", id),
		Access: authcore.Access{User: u.ID, Epoch: uint32(i), Expires: base.Add(90 * 24 * time.Hour)},
	}
	erased := authcore.Erased{Hash: hash("erased", id), At: base}
	update(t, s, func(t *run, tx authcore.Tx) {
		tx.PutUser(u)
		tx.PutLink(u.Links[0], u.ID)
		tx.PutHandle(hash("handle", id), u.ID)
		tx.PutErased(erased)
		tx.PutSession(first)
		tx.PutAccess(known.Hash, known.Access)
	})
	update(t, s, func(t *run, tx authcore.Tx) { tx.RetireToken(first.Token, retired); tx.PutSession(current) })
	a.users, a.sessions = append(a.users, u), append(a.sessions, current)
	a.retired = append(a.retired, authcore.RetiredToken{Token: first.Token, Retired: retired})
	a.accesses, a.erased = append(a.accesses, known), append(a.erased, erased)
}

func (a *archived) sort() {
	slices.SortFunc(a.users, func(x, y authcore.User) int { return strings.Compare(string(x.ID), string(y.ID)) })
	slices.SortFunc(a.sessions, func(x, y authcore.Session) int { return strings.Compare(string(x.ID), string(y.ID)) })
	slices.SortFunc(a.retired, func(x, y authcore.RetiredToken) int { return slices.Compare(x.Token[:], y.Token[:]) })
	slices.SortFunc(a.erased, func(x, y authcore.Erased) int { return slices.Compare(x.Hash[:], y.Hash[:]) })
	slices.SortFunc(a.accesses, func(x, y authcore.KnownAccess) int { return slices.Compare(x.Hash[:], y.Hash[:]) })
}

// wantArchived goes through the store in pages of several sizes, among them that
// of all there is, after which an empty page has to come.
func wantArchived(t *testing.T, s authcore.Store, when string, wanted archived) {
	t.Helper()
	for _, limit := range []int{1, 2, 3, 4, 7, 8, 1000} {
		wantPages(t, s, when+": users", limit, wanted.users, authcore.Archive.UsersAfter,
			func(u authcore.User) authcore.UserID { return u.ID })
		wantPages(t, s, when+": sessions", limit, wanted.sessions, authcore.Archive.SessionsAfter,
			func(s authcore.Session) authcore.SessionID { return s.ID })
		if !wanted.reduced {
			wantPages(t, s, when+": retired tokens", limit, wanted.retired, authcore.Archive.RetiredAfter,
				func(r authcore.RetiredToken) authcore.TokenHash { return r.Token })
		}
		wantPages(t, s, when+": access tokens", limit, wanted.accesses, authcore.Archive.AccessesAfter,
			func(a authcore.KnownAccess) authcore.AccessHash { return a.Hash })
		wantPages(t, s, when+": the erased", limit, wanted.erased, authcore.Archive.ErasedAfter,
			func(e authcore.Erased) authcore.ErasedHash { return e.Hash })
	}
}

// wantPages demands of each page, not of them all together, what has to be in it.
func wantPages[K, R any](t *testing.T, s authcore.Store, what string, limit int, wanted []R,
	next func(authcore.Archive, K, int) ([]R, error), key func(R) K) {
	t.Helper()
	var after K
	wanted = slices.Clone(wanted)
	for page := 1; ; page++ {
		n := min(limit, len(wanted))
		var got []R
		err := s.View(t.Context(), func(tx authcore.Tx) (err error) {
			got, err = next(tx.(authcore.Archive), after, limit)
			return err
		})
		if err != nil {
			t.Errorf("%s, page %d of %d: %v", what, page, limit, err)
			return
		}
		if len(got) != n {
			t.Errorf("%s, page %d of %d: %d records, want %d", what, page, limit, len(got), n)
			return
		}
		for _, record := range got {
			i := slices.IndexFunc(wanted, func(w R) bool { return cmp.Equal(w, record) })
			if i < 0 {
				t.Errorf("%s, page %d of %d: %+v, which has come or is not there", what, page, limit, record)
				return
			}
			wanted = slices.Delete(wanted, i, i+1)
		}
		if n < limit {
			return
		}
		after = key(got[n-1])
	}
}
