package authcore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/qqauth/qqauth/authcore"
)

// erasedOf picks who was erased out of what leaves a store.
func erasedOf(records []authcore.Record) (out []authcore.Record) {
	for _, r := range records {
		if r.Erased != nil {
			out = append(out, r)
		}
	}
	return out
}

// copied is another store with the same users, sessions and keys, at the same time.
func (w *world) copied(t *testing.T) *world {
	t.Helper()
	w.freeze(true)
	to := newWorldUnder(t, w)
	to.take(w.export(true), authcore.ImportConfig{Keys: w.ring()})
	w.freeze(false)
	to.ask(w.qq)
	return to
}

// takeErased takes in who was erased in another store.
func (w *world) takeErased(from *world) authcore.ImportReport {
	w.t.Helper()
	report, keys := w.take(erasedOf(from.export(false)), authcore.ImportConfig{Keys: from.ring()})
	if keys != authcore.KeysShared {
		w.t.Fatalf("keys %s", keys)
	}
	return report
}

// TestErasedStaysErased: no file brings back who was erased here.
func TestErasedStaysErased(t *testing.T) {
	w := newWorld(t)
	p, stays := w.newPlayer(), w.newPlayer()
	before := w.export(false)
	u := w.userRecord(p.user)
	want(t, "erase", w.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
	report, _ := w.take(before, authcore.ImportConfig{})
	if report.Created+report.Changed+report.Links != 0 || report.Unchanged != 1 || len(report.Conflicts) != 1 {
		t.Errorf("the file of before: %+v", report)
	}
	more := u
	more.Links = append(slices.Clone(u.Links), authcore.Link{App: secondApp, OpenID: "FREE", Since: w.clock.Now().Add(1)})
	if report, _ = w.take([]authcore.Record{{User: &more}}, authcore.ImportConfig{}); report.Created != 0 || len(report.Conflicts) != 1 {
		t.Errorf("the user, with an account that is free: %+v", report)
	}
	_, err := w.UserByID(t.Context(), p.user)
	want(t, "the user", err, authcore.ErrNoUser)

	// Under another id, or with another account beside it, it is the same person's.
	u.ID = strangerID
	report, _ = w.take([]authcore.Record{{User: &u}}, authcore.ImportConfig{})
	if report.Created != 0 || len(report.Conflicts) != 1 {
		t.Errorf("the account under another id: %+v", report)
	}
	u.Links = append(u.Links, authcore.Link{App: secondApp, OpenID: "FREE", Since: w.clock.Now()})
	report, _ = w.take([]authcore.Record{{User: &u}}, authcore.ImportConfig{})
	if report.Created != 1 || report.Links != 1 || len(report.Conflicts) != 1 {
		t.Errorf("the account and another one: %+v", report)
	}
	report, _ = w.take([]authcore.Record{{Account: &authcore.Account{App: mainApp, OpenID: p.openID}}}, authcore.ImportConfig{})
	if report.Created != 0 || len(report.Conflicts) != 1 {
		t.Errorf("the account on a list: %+v", report)
	}
	_, err = w.UserByOpenID(t.Context(), mainApp, p.openID)
	want(t, "by the account", err, authcore.ErrNoUser)
	if got := w.userRecord(stays.user); len(got.Links) != 1 {
		t.Errorf("the other user is %+v", got)
	}
	// A link that was made since is somebody's who came back, there.
	u = authcore.User{ID: "20220425140138519-BF1B-528B05552", Links: []authcore.Link{{App: mainApp, OpenID: p.openID, Since: w.clock.Now().Add(1)}}}
	if report, _ = w.take([]authcore.Record{{User: &u}}, authcore.ImportConfig{}); report.Created != 1 || report.Links != 1 {
		t.Errorf("the account of somebody who came back: %+v", report)
	}
}

// TestErasedElsewhere repeats in one store what was erased in another, as after a
// restore.
func TestErasedElsewhere(t *testing.T) {
	first := newWorld(t)
	p, stays := first.newPlayer(), first.newPlayer()
	second := first.copied(t)
	g := second.guard()
	live, err := g.Admit(t.Context(), p.session, "")
	want(t, "a request in flight", err, nil)
	defer live.Release()
	want(t, "erase", first.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)

	dry, _ := second.take(erasedOf(first.export(false)), authcore.ImportConfig{Keys: first.ring(), DryRun: true})
	if _, err := second.UserByID(t.Context(), p.user); err != nil || dry.Erased == 0 {
		t.Errorf("a dry run has erased: %v, %+v", err, dry)
	}
	report := second.takeErased(first)
	if report.Erased == 0 || report.Erased+report.Left != 2 || len(report.Conflicts) != 0 {
		t.Errorf("%+v", report)
	}
	_, err = second.UserByID(t.Context(), p.user)
	want(t, "the user", err, authcore.ErrNoUser)
	_, err = second.UserByOpenID(t.Context(), mainApp, p.openID)
	want(t, "by the account", err, authcore.ErrNoUser)
	want(t, "the session", second.admit(g, p.session), authcore.ErrSession)
	awaitEnd(t, live)
	_, err = second.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
	want(t, "with the QQ token of before", err, authcore.ErrQQToken)
	want(t, "the other user's session", second.admit(g, stays.session), nil)
	if got := second.takeErased(first); got.Erased != 0 || got.Left != 2 {
		t.Errorf("once more: %+v", got)
	}
	if diff := cmp.Diff(erasedOf(first.export(false)), erasedOf(second.export(false))); diff != "" {
		t.Errorf("who was erased: %s", diff)
	}
}

// TestErasedAndBack: who was erased elsewhere before they came here stays.
func TestErasedAndBack(t *testing.T) {
	first := newWorld(t)
	p := first.newPlayer()
	second := newWorldUnder(t, first)
	second.take(nil, authcore.ImportConfig{Keys: first.ring()})
	second.ask(first.qq)
	want(t, "erase", first.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
	second.clock.step(time.Hour)
	back := second.again(p)
	report := second.takeErased(first)
	if report.Erased != 2 {
		t.Errorf("%+v", report)
	}
	want(t, "the session", second.admit(second.guard(), back.session), nil)
	if u := second.userRecord(back.user); len(u.Links) != 1 || !second.erased(p.openID) {
		t.Errorf("the user is %+v", u)
	}
	// What was erased here last counts.
	want(t, "erase here", second.DeleteAccount(t.Context(), mainClient, phone, back.sid), nil)
	if report := second.takeErased(first); report.Erased != 0 || report.Left != 2 {
		t.Errorf("once more: %+v", report)
	}
}

// A user who had a phone alone was erased no less.
func TestErasedElsewhereWithoutAnAccount(t *testing.T) {
	first := newCodeWorld(t, func(cfg *authcore.Config) { clientOf(cfg, foreignClient).Unknown = authcore.UnknownBind },
		func(cfg *authcore.Config) { clientOf(cfg, foreignClient).Verify = []authcore.Way{authcore.WayPhone} })
	p := first.newPlayer()
	first.proved(p, "UPDATE_MOBILE_SMS", ownPhone)
	want(t, "unlink", first.Unlink(t.Context(), mainClient, phone, p.sid, first.social(mainClient, p)), nil)
	second := first.copied(t)
	want(t, "erase", first.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
	second.takeErased(first.world)
	_, err := second.UserByID(t.Context(), p.user)
	want(t, "the user", err, authcore.ErrNoUser)
	if id := second.holder(authcore.WayPhone, ownPhone); id != "" {
		t.Errorf("the phone is %s's", id)
	}
}

// What is counted does not hang on the order of hashes.
func TestErasedAreCountedAlikeInAnyOrder(t *testing.T) {
	first := newWorld(t)
	p := first.newPlayer()
	copies := []*world{first.copied(t), first.copied(t)}
	want(t, "erase", first.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
	records := erasedOf(first.export(false))
	var reports []authcore.ImportReport
	for _, to := range copies {
		report, _ := to.take(records, authcore.ImportConfig{Keys: first.ring()})
		reports = append(reports, report)
		slices.Reverse(records)
	}
	if diff := cmp.Diff(reports[0], reports[1]); diff != "" {
		t.Errorf("%s", diff)
	}
}

// The hashes of another ring stand for nobody here.
func TestErasedUnderOtherKeys(t *testing.T) {
	first, second := newWorld(t), newWorld(t)
	p := first.newPlayer()
	want(t, "erase", first.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
	report, _ := second.take(erasedOf(first.export(false)), authcore.ImportConfig{})
	if report.Erased != 0 || report.Left != 2 || len(erasedOf(second.export(false))) != 0 {
		t.Errorf("%+v", report)
	}
}

func TestImportRefusesErasedNobody(t *testing.T) {
	w := newWorld(t)
	report, _ := w.take([]authcore.Record{
		{Erased: &authcore.Erased{At: w.clock.Now()}}, {Erased: &authcore.Erased{Hash: authcore.ErasedHash{1}}},
	}, authcore.ImportConfig{})
	if len(report.Conflicts) != 2 || report.Erased != 0 {
		t.Errorf("%+v", report)
	}
}

// TestMoveWithErased: who was erased comes first, and an export goes on behind each.
func TestMoveWithErased(t *testing.T) {
	w := newWorld(t, idling(30*time.Minute))
	for range 3 {
		p := w.newPlayer()
		want(t, "erase", w.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
	}
	p := w.newPlayer()
	w.write(func(tx authcore.Tx) {
		tx.PutHandle(authcore.HandleHash(w.keys.Ring().Index("handle", "phone", ownPhone)), p.user)
	})
	w.changeUser(p.user, func(u *authcore.User) { u.Mobile, u.MobileVia = ownPhone, []authcore.ClientID{mainClient} })
	w.freeze(true)
	all := w.export(true)
	kinds := make([]string, 0, len(all))
	for _, r := range all {
		kinds = append(kinds, fmt.Sprint(r.Erased != nil, r.User != nil, r.Session != nil, r.Access != nil))
	}
	if !slices.IsSortedFunc(kinds, func(a, b string) int { return strings.Compare(b, a) }) || len(erasedOf(all)) != 6 || len(all) != 6+1+1+4 {
		t.Errorf("an export holds %v", kinds)
	}
	for n := range all {
		var rest []authcore.Record
		err := w.node.Export(t.Context(), all[n], true, func(r authcore.Record) error { rest = append(rest, r); return nil })
		if diff := cmp.Diff(all[n+1:], rest, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("after record %d: %v %s", n, err, diff)
		}
	}
	to := newWorldUnder(t, w)
	report, _ := to.take(all, authcore.ImportConfig{Keys: w.ring()})
	wanted := authcore.ImportReport{Created: 1, Links: 1, Sessions: 1, Accesses: 4, Erased: 6}
	if diff := cmp.Diff(wanted, report); diff != "" {
		t.Error(diff)
	}
	to.freeze(true)
	if diff := cmp.Diff(all, to.export(true)); diff != "" {
		t.Errorf("what leaves the new store differs: %s", diff)
	}
	if id := to.holder(authcore.WayPhone, ownPhone); id != p.user {
		t.Errorf("the phone is %q's", id)
	}
}
