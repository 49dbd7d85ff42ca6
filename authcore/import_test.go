package authcore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/token"
)

// newWorldUnder is another world with the same secret_key and time.
func newWorldUnder(t *testing.T, w *world) *world {
	t.Helper()
	other := newWorld(t)
	other.clock.nano.Store(w.clock.nano.Load())
	cfg := other.keyConfig()
	cfg.Current, cfg.Previous = w.kek, []token.KEK{other.kek}
	if err := other.node.Rekey(t.Context(), cfg); err != nil {
		t.Fatalf("rekey: %v", err)
	}
	other.kek = w.kek
	return other
}

// export is everything that leaves a world.
func (w *world) export(final bool) (records []authcore.Record) {
	w.t.Helper()
	err := w.node.Export(w.t.Context(), authcore.Record{}, final, func(r authcore.Record) error {
		records = append(records, r)
		return nil
	})
	if err != nil {
		w.t.Fatalf("export: %v", err)
	}
	return records
}

// ring is the world's wrapped key ring.
func (w *world) ring() []byte {
	w.t.Helper()
	ring, err := w.node.WrappedRing(w.t.Context())
	if err != nil {
		w.t.Fatalf("read the ring: %v", err)
	}
	return ring
}

// take takes records into a world, with their keys.
func (w *world) take(records []authcore.Record, cfg authcore.ImportConfig) (authcore.ImportReport, authcore.ImportedKeys) {
	w.t.Helper()
	i, err := w.node.NewImport(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatalf("begin an import: %v", err)
	}
	report, err := i.Take(w.t.Context(), records)
	if err != nil {
		w.t.Fatalf("import: %v", err)
	}
	return report, i.Keys()
}

// user reads a user's record.
func (w *world) userRecord(id authcore.UserID) authcore.User {
	w.t.Helper()
	u, err := w.UserByID(w.t.Context(), id)
	if err != nil {
		w.t.Fatalf("read user %s: %v", id, err)
	}
	return u
}

func (w *world) freeze(frozen bool) {
	w.t.Helper()
	if err := w.node.Freeze(w.t.Context(), frozen); err != nil {
		w.t.Fatalf("freeze: %v", err)
	}
}

// ask makes a world ask another's QQ.
func (w *world) ask(qq *fakeQQ) {
	w.qq, w.cfg.Apps[0].QQ = qq, qq
	w.Service = w.service(w.cfg)
}

// TestMove carries everything to a new store, to a third one and back to the
// first, and uses what was made before.
func TestMove(t *testing.T) {
	first := newWorld(t)
	player, banned, refreshed := first.newPlayer(), first.newPlayer(), first.newPlayer()
	want(t, "disable", first.Disable(t.Context(), banned.user), nil)
	want(t, "segments", first.SetSegments(t.Context(), player.user, map[string]string{"tier": "gold"}), nil)
	grant, err := first.Refresh(t.Context(), mainClient, phone, refreshed.session)
	want(t, "refresh", err, nil)
	spent := refreshed.session
	refreshed.session = grant.Token.Reveal()
	expired, _ := first.raw(player.user, func(s *authcore.Session) { s.Expires = first.clock.Now() })
	before := first.freshIDToken(player)

	first.freeze(true)
	moved := authcore.ImportReport{Created: 3, Links: 3, Sessions: 2, Retired: 1, Accesses: 3}
	from, all := first, first.export(true)
	for n := range 2 {
		to := newWorldUnder(t, from)
		got, keys := to.take(all, authcore.ImportConfig{Keys: from.ring()})
		if diff := cmp.Diff(moved, got); diff != "" || keys != authcore.KeysShared {
			t.Fatalf("move %d: keys %s, %s", n, keys, diff)
		}
		to.freeze(true)
		if diff := cmp.Diff(all, to.export(true)); diff != "" {
			t.Errorf("move %d: what leaves the new store differs: %s", n, diff)
		}
		to.freeze(false)
		to.ask(first.qq)
		want(t, "session", to.admit(to.guard(), player.session), nil)
		want(t, "refreshed session", to.admit(to.guard(), refreshed.session), nil)
		want(t, "expired session", to.admit(to.guard(), expired), authcore.ErrSession)
		want(t, "session of a disabled user", to.admit(to.guard(), banned.session), authcore.ErrSession)
		to.idToken(before)
		_, err = to.LoginQQ(t.Context(), mainClient, phone, banned.access, banned.openID)
		want(t, "login of a disabled user", err, authcore.ErrUserDisabled)
		to.freeze(true)
		from, all = to, to.export(true)
	}
	first.freeze(false)
	report, keys := first.take(all, authcore.ImportConfig{Keys: from.ring()})
	if keys != authcore.KeysShared || report.Unchanged != 3 || report.Created+report.Changed+report.Sessions+report.Accesses > 0 {
		t.Errorf("back in the first store: keys %s, %+v", keys, report)
	}
	from.freeze(false)
	_, err = from.Refresh(t.Context(), mainClient, phone, spent)
	want(t, "refresh with a token that was refreshed before", err, authcore.ErrSession)
	want(t, "the session that it was of", from.admit(from.guard(), refreshed.session), authcore.ErrSession)
	if got := from.again(player); got.user != player.user {
		t.Errorf("a login makes %s of %s", got.user, player.user)
	}
}

// A session does not move while the store that it is in can still end it.
func TestSessionsStayInAnOpenStore(t *testing.T) {
	w := newWorld(t)
	w.newPlayer()
	err := w.node.Export(t.Context(), authcore.Record{}, true, func(authcore.Record) error { return nil })
	want(t, "final export of an open store", err, authcore.ErrNotFrozen)
	for _, r := range w.export(false) {
		if r.Session != nil || r.Retired != nil {
			t.Errorf("an export that is not final holds %+v", r)
		}
	}
}

// TestExportGoesOn ends an export after each record and goes on behind it.
func TestExportGoesOn(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		p := w.newPlayer()
		_, err := w.Refresh(t.Context(), mainClient, phone, p.session)
		want(t, "refresh", err, nil)
	}
	w.freeze(true)
	all := w.export(true)
	if len(all) != 12 {
		t.Fatalf("%d records of 3 users, want 12", len(all))
	}
	for n := range all {
		var rest []authcore.Record
		err := w.node.Export(t.Context(), all[n], true, func(r authcore.Record) error { rest = append(rest, r); return nil })
		if diff := cmp.Diff(all[n+1:], rest, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("after record %d: %v %s", n, err, diff)
		}
	}
	full := errors.New("disk is full")
	want(t, "an export that cannot be written", w.node.Export(t.Context(), authcore.Record{}, false, func(authcore.Record) error { return full }), full)
}

// Many users: several pages, several transactions.
func TestMoveOfManyUsers(t *testing.T) {
	w := newWorld(t)
	var accounts []authcore.Record
	for n := range 1300 {
		accounts = append(accounts, authcore.Record{Account: &authcore.Account{App: mainApp, OpenID: fmt.Sprintf("%032X", n)}})
	}
	if report, _ := w.take(accounts, authcore.ImportConfig{}); report.Created != 1300 || report.Links != 1300 {
		t.Fatalf("%+v", report)
	}
	w.clock.step(time.Hour)
	if report, _ := w.take(accounts, authcore.ImportConfig{}); report.Unchanged != 1300 || report.Created > 0 {
		t.Errorf("once more: %+v", report)
	}
	all := w.export(false)
	to := newWorldUnder(t, w)
	if report, _ := to.take(all, authcore.ImportConfig{Keys: w.ring()}); report.Created != 1300 {
		t.Errorf("%+v", report)
	}
	if diff := cmp.Diff(all, to.export(false)); diff != "" {
		t.Errorf("what leaves the new store differs: %s", diff)
	}
}

// TestImportedSessionEndsOnce imports a file again after what came in has ended
// or gone on here.
func TestImportedSessionEndsOnce(t *testing.T) {
	w := newWorld(t)
	left, refreshed := w.newPlayer(), w.newPlayer()
	w.freeze(true)
	all, to := w.export(true), newWorldUnder(t, w)
	cfg := authcore.ImportConfig{Keys: w.ring()}
	to.take(all, cfg)
	want(t, "log-out", to.Logout(t.Context(), mainClient, left.session, ""), nil)
	_, err := to.Refresh(t.Context(), mainClient, phone, refreshed.session)
	want(t, "refresh", err, nil)
	if report, _ := to.take(all, cfg); report.Sessions != 0 || report.Unchanged != 2 {
		t.Errorf("once more: %+v", report)
	}
	want(t, "session after its log-out", to.admit(to.guard(), left.session), authcore.ErrSession)
	want(t, "token after its refresh", to.admit(to.guard(), refreshed.session), authcore.ErrSession)
	for _, r := range to.export(false) {
		if r.Access != nil && r.Access.User == "" {
			t.Error("the memory of sessions that came in leaves the store")
		}
	}
}

// Two stores with users of their own keep their keys, and what is signed verifies.
func TestImportIntoAUsedStore(t *testing.T) {
	from := newWorld(t)
	to := newWorldUnder(t, from)
	own, p := to.newPlayer(), from.newPlayer()
	to.qq, from.qq = from.qq, to.qq // nobody has a QQ account in both
	signed := from.freshIDToken(p)
	from.freeze(true)
	var all []authcore.Record
	for _, r := range from.export(true) {
		if r.User != nil {
			r.User.Links[0].OpenID = "ANOTHER"
		}
		all = append(all, r)
	}
	report, keys := to.take(all, authcore.ImportConfig{Keys: from.ring()})
	if keys != authcore.KeysVerifying || report.Created != 1 || report.Sessions+report.Accesses != 0 || report.Left != 2 {
		t.Errorf("keys %s, %+v", keys, report)
	}
	to.idToken(signed)
	want(t, "own session", to.admit(to.guard(), own.session), nil)
	want(t, "session of the other store", to.admit(to.guard(), p.session), authcore.ErrSession)
	if u, err := to.UserByOpenID(t.Context(), mainApp, "ANOTHER"); u.ID != p.user || err != nil {
		t.Errorf("the user is found by its QQ account as %q, %v", u.ID, err)
	}
}

func TestImportUnderAnotherSecret(t *testing.T) {
	from, to := newWorld(t), newWorld(t)
	from.newPlayer()
	before := to.ring()
	_, err := to.node.NewImport(t.Context(), authcore.ImportConfig{Keys: from.ring()})
	want(t, "keys under another secret_key", err, authcore.ErrWrongSecret)
	if !slices.Equal(before, to.ring()) {
		t.Error("the ring has changed")
	}
	if report, keys := to.take(from.export(false), authcore.ImportConfig{}); keys != authcore.KeysLeft || report.Created != 1 || report.Left != 1 {
		t.Errorf("without keys: %s, %+v", keys, report)
	}
}

func TestDryRun(t *testing.T) {
	from := newWorld(t)
	from.newPlayer()
	from.freeze(true)
	to := newWorldUnder(t, from)
	ring, all := to.ring(), from.export(true)
	dry, keys := to.take(all, authcore.ImportConfig{Keys: from.ring(), DryRun: true})
	if !slices.Equal(ring, to.ring()) || len(to.export(false)) != 0 {
		t.Error("a dry run has written")
	}
	wet, same := to.take(all, authcore.ImportConfig{Keys: from.ring()})
	if diff := cmp.Diff(wet, dry); diff != "" || keys != same {
		t.Errorf("the dry run foretold %s: %s", keys, diff)
	}
}

// both is a user as two stores know them.
type both struct{ here, coming, want authcore.User }

// TestImportOfAKnownUser: what is here stays, what is missing is added, and the
// word that keeps more out counts.
func TestImportOfAKnownUser(t *testing.T) {
	link := func(app authcore.AppID, openID string) authcore.Link { return authcore.Link{App: app, OpenID: openID} }
	segments := func(pairs ...string) map[string]string { return map[string]string{pairs[0]: pairs[1]} }
	for name, tt := range map[string]struct {
		both
		ends, changes bool
		conflicts     int
	}{
		"the same": {both: both{
			here: authcore.User{DisplayName: "n", Epoch: 2}, coming: authcore.User{DisplayName: "n", Epoch: 2}, want: authcore.User{DisplayName: "n", Epoch: 2},
		}},
		"less": {both: both{
			here: authcore.User{DisplayName: "n", Epoch: 2, Disabled: true, Mobile: "+86-15201657321"}, coming: authcore.User{Epoch: 1},
			want: authcore.User{DisplayName: "n", Epoch: 2, Disabled: true, Mobile: "+86-15201657321"},
		}},
		"disabled there": {changes: true, ends: true, both: both{
			here: authcore.User{Epoch: 2}, coming: authcore.User{Disabled: true}, want: authcore.User{Disabled: true, Epoch: 3},
		}},
		"disabled on both sides": {both: both{
			here: authcore.User{Disabled: true, Epoch: 2}, coming: authcore.User{Disabled: true, Epoch: 1}, want: authcore.User{Disabled: true, Epoch: 2},
		}},
		"logged out everywhere there": {changes: true, ends: true, both: both{
			here: authcore.User{Epoch: 1}, coming: authcore.User{Epoch: 4}, want: authcore.User{Epoch: 4},
		}},
		"what is empty": {changes: true, ends: true, both: both{
			here: authcore.User{Email: "a@example.com"}, coming: authcore.User{DisplayName: "n", Mobile: "+86-15201657321", Email: "b@example.com"},
			want: authcore.User{DisplayName: "n", Mobile: "+86-15201657321", Email: "a@example.com"},
		}},
		"segments": {changes: true, both: both{
			here: authcore.User{Segments: segments("a", "1")}, coming: authcore.User{Segments: map[string]string{"a": "2", "b": "3"}},
			want: authcore.User{Segments: map[string]string{"a": "1", "b": "3"}},
		}},
		"segments here alone": {both: both{
			here: authcore.User{Segments: segments("a", "1")}, want: authcore.User{Segments: segments("a", "1")},
		}},
		"segments there alone": {changes: true, both: both{
			coming: authcore.User{Segments: segments("a", "1")}, want: authcore.User{Segments: segments("a", "1")},
		}},
		"a link": {changes: true, ends: true, both: both{
			coming: authcore.User{Links: []authcore.Link{link(secondApp, "FREE")}},
			want:   authcore.User{Links: []authcore.Link{link(secondApp, "FREE")}},
		}},
		"a link of another user": {conflicts: 1, both: both{
			coming: authcore.User{Links: []authcore.Link{link(secondApp, "TAKEN")}},
		}},
		"another link in an application": {conflicts: 1, both: both{
			coming: authcore.User{Links: []authcore.Link{link(mainApp, "FREE")}},
		}},
	} {
		t.Run(name, func(t *testing.T) { tt.run(t, tt.changes, tt.ends, tt.conflicts) })
	}
}

func (b both) run(t *testing.T, changes, ends bool, conflicts int) {
	w := newWorld(t)
	w.take([]authcore.Record{{Account: &authcore.Account{App: secondApp, OpenID: "TAKEN"}}}, authcore.ImportConfig{})
	p := w.newPlayer()
	own := w.userRecord(p.user)
	b.here.ID, b.here.Created, b.here.Links = own.ID, own.Created, own.Links
	w.changeUser(p.user, func(u *authcore.User) { *u = b.here })
	session, _ := w.raw(p.user, func(s *authcore.Session) { s.Epoch = b.here.Epoch })
	b.coming.ID = p.user
	for n := range 2 {
		report, _ := w.take([]authcore.Record{{User: &b.coming}}, authcore.ImportConfig{})
		if n == 0 && (report.Changed == 1) != changes || n == 1 && report.Changed > 0 || len(report.Conflicts) != conflicts {
			t.Errorf("import %d: %+v", n, report)
		}
	}
	b.want.ID, b.want.Created, b.want.Links = own.ID, own.Created, append(own.Links, b.want.Links...)
	got := w.userRecord(p.user)
	if diff := cmp.Diff(b.want, got, cmpopts.IgnoreFields(authcore.Link{}, "Identity")); diff != "" {
		t.Errorf("the user: %s", diff)
	}
	for _, l := range got.Links {
		if u, err := w.UserByOpenID(t.Context(), l.App, l.OpenID); u.ID != p.user || err != nil {
			t.Errorf("by %s the user is %q, %v", l.OpenID, u.ID, err)
		}
	}
	wanted := error(nil)
	if ends || b.here.Disabled {
		wanted = authcore.ErrSession
	}
	want(t, "the user's session", w.admit(w.guard(), session), wanted)
}

// TestImportEndsLiveRequests: what an import decides holds at once.
func TestImportEndsLiveRequests(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	pass, err := w.guard().Admit(t.Context(), p.session, "")
	want(t, "admit", err, nil)
	defer pass.Release()
	u := w.userRecord(p.user)
	u.Disabled = true
	w.take([]authcore.Record{{User: &u}}, authcore.ImportConfig{})
	select {
	case <-pass.Context().Done():
	case <-time.After(10 * time.Second):
		t.Error("the request of a user whom an import disabled goes on")
	}
}

// A new user all of whose QQ accounts are others' would be nobody's.
func TestImportOfAUserWithoutAFreeLink(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	u := authcore.User{
		ID: "20220425140138519-BF1B-528B05551", Disabled: true,
		Links: []authcore.Link{{App: mainApp, OpenID: p.openID}, {App: mainApp, OpenID: "SECOND"}},
	}
	report, _ := w.take([]authcore.Record{{User: &u}}, authcore.ImportConfig{})
	if report.Created != 1 || report.Links != 1 || len(report.Conflicts) != 1 {
		t.Errorf("with one free link: %+v", report)
	}
	u.ID, u.Links = "20220425140138519-BF1B-528B05552", u.Links[:1]
	report, _ = w.take([]authcore.Record{{User: &u}}, authcore.ImportConfig{})
	if report.Created != 0 || len(report.Conflicts) != 1 {
		t.Errorf("without one: %+v", report)
	}
	if _, err := w.UserByID(t.Context(), u.ID); !errors.Is(err, authcore.ErrNoUser) {
		t.Errorf("the user: %v", err)
	}
	if got, _ := w.UserByOpenID(t.Context(), mainApp, p.openID); got.ID != p.user || got.Disabled {
		t.Errorf("the owner is %+v now", got)
	}
}

// TestImportJoins: an account that came in with a unionid is found by it.
func TestImportJoins(t *testing.T) {
	w := newWorld(t, func(cfg *authcore.Config) { cfg.Apps[1].UnionWith = []authcore.AppID{mainApp, secondApp} })
	w.take([]authcore.Record{{Account: &authcore.Account{App: mainApp, OpenID: "FIRST", UnionID: "UNION"}}}, authcore.ImportConfig{})
	w.qq2.know("access", qqAccount{openID: "SECOND", unionID: "UNION"})
	_, err := w.LoginQQ(t.Context(), secondClient, phone, "access", "SECOND")
	want(t, "login", err, nil)
	first, err1 := w.UserByOpenID(t.Context(), mainApp, "FIRST")
	second, err2 := w.UserByOpenID(t.Context(), secondApp, "SECOND")
	if err1 != nil || err2 != nil || first.ID != second.ID {
		t.Errorf("%q, %v and %q, %v: want one user", first.ID, err1, second.ID, err2)
	}
}

func TestImportRefusesWhatNoLoginMakes(t *testing.T) {
	w := newWorld(t)
	good := authcore.User{ID: "20220425140138519-BF1B-528B05551"}
	user := func(change func(*authcore.User)) authcore.Record {
		u := good
		change(&u)
		return authcore.Record{User: &u}
	}
	account := func(a authcore.Account) authcore.Record { return authcore.Record{Account: &a} }
	bad := []authcore.Record{
		{},
		user(func(u *authcore.User) { u.ID = "u" }),
		user(func(u *authcore.User) { u.DisplayName = "a\nb" }),
		user(func(u *authcore.User) { u.Mobile = "15201657321" }),
		user(func(u *authcore.User) { u.Email = "nobody" }),
		user(func(u *authcore.User) { u.Segments = map[string]string{"a b": ""} }),
		user(func(u *authcore.User) { u.Links = make([]authcore.Link, 65) }),
		account(authcore.Account{App: "app", OpenID: "A"}),
		account(authcore.Account{App: mainApp}),
		account(authcore.Account{App: mainApp, OpenID: "A B"}),
		account(authcore.Account{App: mainApp, OpenID: "A", UnionID: "\x00"}),
		{Session: &authcore.Session{ID: "s", User: good.ID}},
		{Retired: &authcore.RetiredToken{}},
		{Access: &authcore.KnownAccess{Hash: authcore.AccessHash{1}}},
	}
	report, _ := w.take(append(bad, user(func(*authcore.User) {})), authcore.ImportConfig{})
	if len(report.Conflicts) != len(bad) || report.Created != 1 {
		t.Errorf("%+v, want %d conflicts and a user", report, len(bad))
	}
	for n, c := range report.Conflicts {
		if c.Record != n || c.Reason == "" {
			t.Errorf("conflict %d is %+v", n, c)
		}
	}
}

func TestImportIntoAFrozenStore(t *testing.T) {
	w := newWorld(t)
	i, err := w.node.NewImport(t.Context(), authcore.ImportConfig{})
	want(t, "begin", err, nil)
	w.freeze(true)
	_, err = i.Take(t.Context(), nil)
	want(t, "take", err, authcore.ErrFrozen)
}

// A phone and an e-mail that nobody has proved would let in whoever has them.
func TestImportOfUnprovedWays(t *testing.T) {
	w := newWorld(t)
	for _, verified := range []bool{false, true} {
		openID := fmt.Sprint("VERIFIED-", verified)
		w.take([]authcore.Record{{Account: &authcore.Account{
			App: mainApp, OpenID: openID, Mobile: "+86-15201657321", Email: "a@example.com", Verified: verified,
		}}}, authcore.ImportConfig{})
		u, err := w.UserByOpenID(t.Context(), mainApp, openID)
		want(t, "the user", err, nil)
		if has := u.Mobile != "" && u.Email != ""; has != verified || !verified && u.Mobile+u.Email != "" {
			t.Errorf("verified %v: mobile %q, email %q", verified, u.Mobile, u.Email)
		}
	}
}
