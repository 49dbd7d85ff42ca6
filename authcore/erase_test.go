package authcore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// social is how the player's QQ account is named among the user's own.
func (w *world) social(client authcore.ClientID, p player) string {
	w.t.Helper()
	list, err := w.Socials(w.t.Context(), client, p.sid)
	if err != nil {
		w.t.Fatalf("list the accounts: %v", err)
	}
	for _, s := range list {
		if s.OpenID == p.openID {
			return s.ID
		}
	}
	w.t.Fatalf("%s is none of %+v", p.openID, list)
	return ""
}

// members lists who was seen with a unionid.
func (w *world) members(unionID string) (list []authcore.UnionMember) {
	w.t.Helper()
	hash := authcore.UnionHash(w.keys.Ring().Index("unionid", unionID))
	w.see(func(tx authcore.Tx) (err error) { list, err = tx.Union(hash); return err })
	return list
}

// holder is whom a phone number or an address finds.
func (w *world) holder(way authcore.Way, value string) (id authcore.UserID) {
	w.t.Helper()
	hash := authcore.HandleHash(w.keys.Ring().Index("handle", string(way), value))
	w.see(func(tx authcore.Tx) error {
		u, err := tx.UserByHandle(hash)
		if errors.Is(err, authcore.ErrNotFound) {
			return nil
		}
		id = u.ID
		return err
	})
	return id
}

// erased reports whether it is remembered that a QQ account's user was erased.
func (w *world) erased(openID string) (known bool) {
	w.t.Helper()
	hash := authcore.ErasedHash(w.keys.Ring().Index("identity", string(mainApp), openID))
	w.see(func(tx authcore.Tx) error {
		_, err := tx.Erased(hash)
		if known = err == nil; errors.Is(err, authcore.ErrNotFound) {
			return nil
		}
		return err
	})
	return known
}

// see reads the store behind the core's back, and without being counted.
func (w *world) see(read func(authcore.Tx) error) {
	w.t.Helper()
	if err := w.store.Store.View(w.t.Context(), read); err != nil {
		w.t.Fatalf("read the store: %v", err)
	}
}

// TestDeleteAccount takes everything of a user out that the store has, and lets the
// same person begin anew.
func TestDeleteAccount(t *testing.T) {
	w := newCodeWorld(t)
	p := w.newAccount()
	w.qq.know(p.access, qqAccount{openID: p.openID, unionID: "UID"})
	p = w.again(p)
	w.proved(p, "UPDATE_MOBILE_SMS", ownPhone)
	w.proved(p, "UPDATE_EMAIL_EMS", ownEmail)
	other, elsewhere := w.again(p), w.loginAt(foreignClient, p)
	stranger := w.newPlayer()
	g := w.guard(func(cfg *authcore.GuardConfig) { cfg.Clients = append(cfg.Clients, foreignClient) })
	var live []*authcore.Pass
	for _, session := range []string{p.session, other.session, elsewhere.session} {
		pass, err := g.Admit(t.Context(), session, "")
		want(t, "a request in flight", err, nil)
		defer pass.Release()
		live = append(live, pass)
	}
	want(t, "by another client", w.DeleteAccount(t.Context(), foreignClient, phone, p.sid), authcore.ErrIDToken)
	ticket := w.ticket(other)
	want(t, "erase", w.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
	if n := w.audit.count(authcore.AuditUserErased); n != 1 {
		t.Errorf("%d erased users are audited; want 1", n)
	}

	for i, session := range []string{p.session, other.session, elsewhere.session} {
		want(t, "a session", w.admit(g, session), authcore.ErrSession)
		awaitEnd(t, live[i])
	}
	_, err := w.RedeemTicket(t.Context(), mainClient, phone, ticket)
	want(t, "a ticket", err, authcore.ErrTicket)
	want(t, "once more", w.DeleteAccount(t.Context(), mainClient, phone, p.sid), authcore.ErrIDToken)
	_, err = w.UserByID(t.Context(), p.user)
	want(t, "the user", err, authcore.ErrNoUser)
	_, err = w.UserByOpenID(t.Context(), mainApp, p.openID)
	want(t, "by the QQ account", err, authcore.ErrNoUser)
	if id := w.holder(authcore.WayPhone, ownPhone) + w.holder(authcore.WayEmail, ownEmail); id != "" {
		t.Errorf("the phone or the address is %s's", id)
	}
	if list := w.members("UID"); len(list) > 0 {
		t.Errorf("seen with the unionid: %+v", list)
	}
	if !w.erased(p.openID) || w.erased(stranger.openID) {
		t.Error("it is not remembered who was erased, and who alone")
	}

	_, err = w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
	want(t, "with the QQ token of before", err, authcore.ErrQQToken)
	w.qq.know("a new token", qqAccount{openID: p.openID, nickname: "n"})
	back := p
	back.access = "a new token"
	if back = w.again(back); back.user == p.user {
		t.Error("the user is back")
	}
	_, err = w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
	want(t, "with the QQ token of before, by the new user", err, authcore.ErrQQToken)
	want(t, "the stranger", w.admit(g, stranger.session), nil)
	w.proved(back, "UPDATE_MOBILE_SMS", ownPhone)
}

func TestDeleteAccountWantsAFreshLogin(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.clock.step(10*time.Minute + 1)
	want(t, "after ten minutes", w.DeleteAccount(t.Context(), mainClient, phone, p.sid), authcore.ErrStale)
	want(t, "the session", w.admit(w.guard(), p.session), nil)
	if got := w.userRecord(p.user); len(got.Links) != 1 || w.erased(p.openID) {
		t.Errorf("the user is %+v", got)
	}
	w.clock.step(-1)
	want(t, "within ten minutes", w.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
}

// A unionid that QQ told before it told another names the user, too.
func TestErasedUserIsInNoUnion(t *testing.T) {
	w := newWorld(t)
	p := w.newAccount()
	for _, unionID := range []string{"FIRST", "SECOND"} {
		w.qq.know(p.access, qqAccount{openID: p.openID, unionID: unionID})
		p = w.again(p)
	}
	want(t, "erase", w.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
	for _, unionID := range []string{"FIRST", "SECOND"} {
		if list := w.members(unionID); len(list) > 0 {
			t.Errorf("seen with %s: %+v", unionID, list)
		}
	}
}

// TestErasingEndsUnfinishedLogins: what waits for a second factor, and what waits to
// link another QQ account.
func TestErasingEndsUnfinishedLogins(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownBind), verify(authcore.WayPhone), func(cfg *authcore.Config) {
		clientOf(cfg, foreignClient).MFA = []authcore.Way{authcore.WayPhone}
		clientOf(cfg, receiverClient).Unknown = authcore.UnknownCreate
	})
	p := w.loginAt(receiverClient, w.newAccount())
	w.as(receiverClient, phone).proved(p, "UPDATE_MOBILE_SMS", ownPhone)
	there := w.as(foreignClient, phone)
	second := there.login(p, authcore.StatusMFAAuth)
	mfa := there.state(second)
	code := there.code("MFA_AUTH_SMS", ownPhone)
	want(t, "erase", w.DeleteAccount(t.Context(), receiverClient, phone, p.sid), nil)
	_, err := w.CheckState(t.Context(), foreignClient, phone, second.StateToken)
	want(t, "the state_token", err, authcore.ErrState)
	_, err = w.FinishMFA(t.Context(), foreignClient, phone, mfa, w.contact(ownPhone), code)
	want(t, "the second factor", err, authcore.ErrState)
	if _, err := w.pending(string(mfa)); !errors.Is(err, authcore.ErrNotFound) {
		t.Errorf("the unfinished login: %v", err)
	}
}

// A login that began before its account was anybody's is the user's, too, to whom
// the account belongs since.
func TestErasingEndsALoginOfBefore(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownBind), verify(authcore.WayPhone), func(cfg *authcore.Config) {
		clientOf(cfg, receiverClient).Unknown = authcore.UnknownCreate
	})
	p := w.newAccount()
	out := w.login(p, authcore.StatusSocialBind)
	p = w.loginAt(receiverClient, p)
	want(t, "erase", w.DeleteAccount(t.Context(), receiverClient, phone, p.sid), nil)
	_, err := w.CheckState(t.Context(), mainClient, phone, out.StateToken)
	want(t, "the state_token", err, authcore.ErrState)
}

// A login that waits for a second factor, to link the account it came with, is
// the user's although the account is not yet.
func TestErasingEndsALoginThatLinks(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownBind), verify(authcore.WayPhone), func(cfg *authcore.Config) {
		clientOf(cfg, mainClient).MFA = []authcore.Way{authcore.WayEmail}
		clientOf(cfg, secondClient).Unknown = authcore.UnknownCreate
	})
	p := w.second("")
	w.as(secondClient, phone).proved(p, "UPDATE_MOBILE_SMS", ownPhone)
	w.as(secondClient, phone).proved(p, "UPDATE_EMAIL_EMS", ownEmail)
	out := w.login(w.newAccount(), authcore.StatusSocialBind)
	out = w.finish(w.Bind, out, ownPhone, w.code("BIND_MOBILE_SMS", ownPhone), authcore.StatusMFAAuth)
	login := w.state(out)
	want(t, "erase", w.DeleteAccount(t.Context(), secondClient, phone, p.sid), nil)
	_, err := w.CheckState(t.Context(), mainClient, phone, out.StateToken)
	want(t, "the state_token", err, authcore.ErrState)
	if _, err := w.pending(string(login)); !errors.Is(err, authcore.ErrNotFound) {
		t.Errorf("the unfinished login: %v", err)
	}
}

// TestErasingOnTwoNodes: another node hears of it, and nobody who is erased gets in
// there, nor goes on.
func TestErasingOnTwoNodes(t *testing.T) {
	w := newWorld(t)
	b := w.secondNode()
	p, other := w.newPlayer(), w.newPlayer()
	want(t, "erase at the second node", b.DeleteAccount(t.Context(), mainClient, phone, other.sid), nil)
	ended := []authcore.Event{{User: other.user, Session: other.sid, Ended: true}, {User: other.user, Ended: true}}
	told := b.store.takeTold()
	if diff := cmp.Diff(ended, told); diff != "" {
		t.Errorf("announced: %s", diff)
	}
	live, err := b.guard.Admit(t.Context(), p.session, "")
	want(t, "admission", err, nil)
	defer live.Release()
	want(t, "erase at the first node", w.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
	b.store.change(t, func() { b.store.heard = []authcore.Event{{User: p.user, Ended: true}} })
	want(t, "a session at the second node", w.admit(b.guard, p.session), authcore.ErrSession)
	awaitEnd(t, live)
}

// The list of sessions helps to find them; nobody may stay in because it has lost
// one.
func TestErasedSessionThatEscapesTheList(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	other := w.again(p)
	g := w.guard()
	want(t, "admission", w.admit(g, other.session), nil)
	w.store.forgetful.Store(true)
	want(t, "erase", w.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
	for _, session := range []string{p.session, other.session} {
		if w.admit(g, session) == nil {
			t.Error("a session of nobody gets in")
		}
	}
}

// A login, a code and an erasing at the same moment end in a user with all that
// belongs to one, or in none.
func TestErasingWhileTheUserLogsIn(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		p := w.newPlayer()
		together(4, func(i int) {
			if i == 0 {
				want(t, "erase", w.DeleteAccount(t.Context(), mainClient, phone, p.sid), nil)
				return
			}
			_, err := w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
			if err != nil {
				want(t, "login", err, authcore.ErrQQToken)
			}
		})
		_, err := w.UserByID(t.Context(), p.user)
		want(t, "the user", err, authcore.ErrNoUser)
		_, err = w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
		want(t, "the QQ token of before", err, authcore.ErrQQToken)
	}
}
