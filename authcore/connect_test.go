package authcore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// everyFlag is every combination of the flags.
func everyFlag() (all []authcore.LinkFlags) {
	for n := range 16 {
		all = append(all, authcore.LinkFlags{
			DoNotLink: n&1 != 0, ErrorOnSwitch: n&2 != 0, SwitchIfPossible: n&4 != 0, DoNotCreate: n&8 != 0,
		})
	}
	return all
}

// TestDisabledOwner is contract 4: a disabled owner is refused before the current
// player is left, whatever the game asks for, and is not described to it.
func TestDisabledOwner(t *testing.T) {
	w := newWorld(t, atGames, joined)
	a := w.newAccount()
	owner := w.play(t, a, "", authcore.LinkFlags{})
	// Another account of the same person would be joined to the owner.
	b := w.newAccount()
	w.qq2.know(b.access, qqAccount{openID: b.openID, unionID: "UID"})
	other := w.loginAt(secondClient, b)
	c := w.newAccount()
	w.qq.know(c.access, qqAccount{openID: c.openID, unionID: "UID"})
	for _, p := range []player{owner, other} {
		want(t, "disable", w.Disable(t.Context(), p.user), nil)
	}
	guest := w.newGuest(t)
	for _, account := range []player{a, c} {
		for _, current := range []authcore.SessionID{"", guest.sid} {
			for _, flags := range everyFlag() {
				before := w.snap(t)
				p, err := w.tryQQ(t, account, current, flags)
				want(t, "connect", err, authcore.ErrUserDisabled)
				if diff := cmp.Diff(authcore.Play{}, p, cmp.Comparer(sameGrant)); diff != "" {
					t.Errorf("%+v tells: %s", flags, diff)
				}
				if diff := cmp.Diff(before, w.snap(t)); diff != "" {
					t.Errorf("%+v changed the store: %s", flags, diff)
				}
			}
		}
	}
	w.wantAlive(t, "the guest's session", guest, true)
	for _, e := range w.audit.audited(authcore.AuditLoginRefused) {
		if e.Status != "disabled" {
			t.Errorf("refused for %q", e.Status)
		}
	}
}

func sameGrant(a, b authcore.Grant) bool {
	return a.Token.Equal(b.Token.Secret) && a.ExpiresIn == b.ExpiresIn && a.IDToken == b.IDToken
}

// TestSpentTokenAtGames: after a log-out everywhere QQ's access token logs nobody in
// and links nothing, even if it is nobody's by then.
func TestSpentTokenAtGames(t *testing.T) {
	for _, test := range []struct {
		name  string
		spend func(w *world, owner player)
	}{
		{"logged out", func(w *world, owner player) {
			want(w.t, "log-out of all", w.EndSessions(w.t.Context(), owner.user), nil)
		}},
		{"parted with the account and logged out", func(w *world, owner player) {
			w.cheapPassword(owner.user)
			want(w.t, "disconnect", w.Disconnect(w.t.Context(), mainClient, phone, owner.sid), nil)
			want(w.t, "log-out of all", w.EndSessions(w.t.Context(), owner.user), nil)
		}},
		{"erased", func(w *world, owner player) {
			want(w.t, "erase", w.DeleteAccount(w.t.Context(), mainClient, phone, owner.sid), nil)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, atGames)
			a := w.newAccount()
			owner := w.play(t, a, "", authcore.LinkFlags{})
			test.spend(w, owner)
			guest := w.newGuest(t)
			before := w.snap(t)
			for _, current := range []authcore.SessionID{"", guest.sid} {
				for _, flags := range everyFlag() {
					_, err := w.tryQQ(t, a, current, flags)
					want(t, "connect with the spent token", err, authcore.ErrQQToken)
				}
			}
			if diff := cmp.Diff(before, w.snap(t)); diff != "" {
				t.Errorf("the store has changed: %s", diff)
			}
			w.wantAlive(t, "the guest's session", guest, true)
			w.qq.know("a fresh token", qqAccount{openID: a.openID, nickname: "nickname"})
			a.access = "a fresh token"
			w.play(t, a, guest.sid, authcore.LinkFlags{})
		})
	}
}

// cheapPassword gives a user a name and something that stands for a password.
func (w *world) cheapPassword(id authcore.UserID) {
	w.t.Helper()
	w.changeUser(id, func(u *authcore.User) {
		u.UserName, u.Password, u.Home = "name of "+string(id[len(id)-9:]), "$argon2id$", mainClient
	})
}

// TestNobodyIsSignedIn: a session that is another client's, dead or unknown is
// nobody's, and is left as it is.
func TestNobodyIsSignedIn(t *testing.T) {
	for _, test := range []struct {
		name    string
		current func(w *world) player
		live    bool
	}{
		{"none", func(*world) player { return player{} }, false},
		{"an unknown one", func(*world) player { return player{sid: "AAAAAAAAAAAAAAAAAAAAAA"} }, false},
		{"a session token", func(w *world) player { g := w.newGuest(w.t); g.sid = authcore.SessionID(g.session); return g }, false},
		{"another client's", func(w *world) player { return w.loginAt(receiverClient, w.newAccount()) }, true},
		{"another application's", func(w *world) player { return w.second("") }, true},
		{"one that was ended", func(w *world) player {
			g := w.newGuest(w.t)
			want(w.t, "end", w.EndSession(w.t.Context(), g.sid), nil)
			return g
		}, false},
		{"one that has expired", func(w *world) player {
			g := w.newGuest(w.t)
			w.clock.step(168 * time.Hour)
			return g
		}, false},
		{"a disabled player's", func(w *world) player {
			g := w.newGuest(w.t)
			want(w.t, "disable", w.Disable(w.t.Context(), g.user), nil)
			return g
		}, false},
		{"an erased player's", func(w *world) player {
			g := w.newGuest(w.t)
			want(w.t, "erase", w.DeleteAccount(w.t.Context(), mainClient, phone, g.sid), nil)
			return g
		}, false},
		{"one of before a log-out of all", func(w *world) player {
			g := w.newGuest(w.t)
			want(w.t, "log-out", w.EndSessions(w.t.Context(), g.user), nil)
			return g
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, atGames)
			current := test.current(w)
			var was authcore.Session
			if test.live {
				was = w.session(current.sid)
			}
			a := w.newAccount()
			p, err := w.tryQQ(t, a, current.sid, authcore.LinkFlags{ErrorOnSwitch: true})
			owner := playing(t, p, err)
			if !p.Created || owner.user == current.user {
				t.Errorf("the account went to %s", p.User)
			}
			p, err = w.tryQQ(t, a, current.sid, authcore.LinkFlags{ErrorOnSwitch: true})
			if again := playing(t, p, err); p.Created || again.user != owner.user {
				t.Errorf("the next login is %s; want %s", again.user, owner.user)
			}
			if test.live {
				if diff := cmp.Diff(was, w.session(current.sid)); diff != "" {
					t.Errorf("the session has changed: %s", diff)
				}
			}
			if n := w.audit.count(authcore.AuditPlayerSwitched); n != 0 {
				t.Errorf("player_switched audited %d times", n)
			}
		})
	}
}

// TestSwitchIsAudited names both players, and the session is the one that is left by
// no more than itself.
func TestSwitchIsAudited(t *testing.T) {
	for name, known := range map[string]bool{"to a known player": true, "to a new player": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, atGames)
			a := w.newAccount()
			if known {
				w.play(t, a, "", authcore.LinkFlags{})
			}
			g := w.guard(func(cfg *authcore.GuardConfig) { cfg.Allow = []authcore.Method{authcore.MethodDevice} })
			guest := w.newGuest(t)
			live, err := g.Admit(t.Context(), guest.session, "")
			want(t, "a request in flight", err, nil)
			defer live.Release()
			now := w.play(t, a, guest.sid, authcore.LinkFlags{DoNotLink: true})
			awaitEnd(t, live)
			want(t, "the session that was left", w.admit(g, guest.session), authcore.ErrSession)
			switches := w.audit.audited(authcore.AuditPlayerSwitched)
			wanted := authcore.AuditEvent{
				Name: authcore.AuditPlayerSwitched, User: now.user, From: guest.user, Client: mainClient,
				Session: now.sid, App: mainApp, Addr: phone.Addr,
			}
			if len(switches) != 1 || switches[0] != wanted {
				t.Errorf("audited %+v; want %+v", switches, wanted)
			}
			if n := w.audit.count(authcore.AuditWayAdded); n != 0 {
				t.Errorf("way_added audited %d times", n)
			}
			if n := w.audit.count(authcore.AuditUserCreated); n != 2 { // the guest's, and whoever was switched to
				t.Errorf("user_created audited %d times", n)
			}
		})
	}
}

// TestRefusalIsAudited without the token, and with the reason.
func TestRefusalIsAudited(t *testing.T) {
	w := newWorld(t, atGames)
	guest := w.newGuest(t)
	for _, test := range []struct {
		account player
		flags   authcore.LinkFlags
		refused authcore.Refusal
	}{
		{w.newAccount(), authcore.LinkFlags{DoNotLink: true, DoNotCreate: true}, authcore.RefusedCreation},
		{w.play(t, w.newAccount(), "", authcore.LinkFlags{}), authcore.LinkFlags{ErrorOnSwitch: true}, authcore.RefusedSwitch},
	} {
		before := w.audit.count(authcore.AuditLoginRefused)
		p, err := w.tryQQ(t, test.account, guest.sid, test.flags)
		if err != nil || p.Refused != test.refused {
			t.Fatalf("refused %q, %v; want %q", p.Refused, err, test.refused)
		}
		all := w.audit.audited(authcore.AuditLoginRefused)
		if len(all) != before+1 {
			t.Fatalf("%d refusals audited; want one more than %d", len(all), before)
		}
		last := all[len(all)-1]
		if last.User != guest.user || last.Client != mainClient || last.Status != "link_"+string(test.refused) {
			t.Errorf("audited as %+v", last)
		}
	}
}

// TestLinkIsAudited as a way in that was added. It ends what hangs on the player's
// other sessions, too, and nothing of the session that it came with, which is still
// proved by a device alone.
func TestLinkIsAudited(t *testing.T) {
	w := newWorld(t, atGames)
	g := w.guard(func(cfg *authcore.GuardConfig) { cfg.Allow = []authcore.Method{authcore.MethodDevice} })
	device := w.newDevice()
	other, guest := w.onPhone(t, device), w.onPhone(t, device)
	var lives []*authcore.Pass
	var tickets []string
	for _, p := range []player{other, guest} {
		live, err := g.Admit(t.Context(), p.session, "")
		want(t, "a request in flight", err, nil)
		defer live.Release()
		lives = append(lives, live)
	}
	// The first link needs no fresh login: the vendor's games rely on it.
	w.clock.step(time.Hour)
	for _, p := range []player{other, guest} {
		ticket, err := w.IssueTicket(t.Context(), mainClient, phone, p.session, "")
		want(t, "issue a ticket", err, nil)
		tickets = append(tickets, ticket.Token.Reveal())
	}
	now := w.play(t, w.newAccount(), guest.sid, authcore.LinkFlags{})
	if now.user != guest.user {
		t.Fatalf("the player is %s; want %s", now.user, guest.user)
	}
	awaitEnd(t, lives[0])
	want(t, "the request of the session that the link came with", lives[1].Context().Err(), nil)
	for i, expected := range []error{authcore.ErrTicket, nil} {
		_, err := w.RedeemTicket(t.Context(), mainClient, phone, tickets[i])
		want(t, fmt.Sprintf("ticket %d", i), err, expected)
	}
	want(t, "the other session", w.admit(g, other.session), authcore.ErrSession)
	want(t, "the session that the link came with", w.admit(g, guest.session), nil)
	want(t, "the same where a device does not suffice", w.admit(w.guard(), guest.session), authcore.ErrDenied)
	added := w.audit.audited(authcore.AuditWayAdded)
	if len(added) != 1 || added[0].User != guest.user || added[0].Client != mainClient || added[0].App != mainApp {
		t.Errorf("way_added audited as %+v", added)
	}
	if n := w.audit.count(authcore.AuditPlayerSwitched); n != 0 {
		t.Errorf("player_switched audited %d times", n)
	}
	if s := w.session(now.sid); !slices.Equal(s.Methods, []authcore.Method{authcore.MethodQQ}) {
		t.Errorf("the session is proved by %v", s.Methods)
	}
	account, err := w.Account(t.Context(), mainClient, now.sid)
	if err != nil || account.OpenID != now.openID {
		t.Errorf("the account is %+v, %v", account, err)
	}
}

// TestRequestedSegments are a word of whoever holds the game's public secret: they
// are given to users who are created, go back to games, and let nobody in.
func TestRequestedSegments(t *testing.T) {
	w := newWorld(t, atGames)
	requested := map[string]string{"tier": "gold"}
	ask := func(account player, current authcore.SessionID, segments map[string]string) player {
		p, err := w.ConnectQQ(t.Context(), mainClient, phone, authcore.QQConnect{
			Current: current, Token: account.access, Segments: segments,
		})
		return playing(t, p, err)
	}
	a := w.newAccount()
	p := ask(a, "", requested)
	requested["tier"] = "changed by the caller"
	if u := w.userRecord(p.user); u.Requested["tier"] != "gold" || len(u.Segments) != 0 {
		t.Errorf("the user has segments %v, requested %v", u.Segments, u.Requested)
	}
	account, err := w.Account(t.Context(), mainClient, p.sid)
	if err != nil || account.Requested["tier"] != "gold" || len(account.Requested) != 1 {
		t.Errorf("the game gets %v, %v", account.Requested, err)
	}
	gold := w.guard(func(cfg *authcore.GuardConfig) { cfg.Segments = map[string]string{"tier": "gold"} })
	want(t, "a guard that wants the segment", w.admit(gold, p.session), authcore.ErrDenied)
	any := w.guard()
	pass, err := any.Admit(t.Context(), p.session, "")
	want(t, "a guard that wants none", err, nil)
	if value, ok := pass.Segment("tier"); ok || value != "" {
		t.Errorf("the pass has the segment %q", value)
	}
	pass.Release()
	raw, claims := w.assertion(any, p.session)
	if len(claims.Segments) != 0 || strings.Contains(fmt.Sprint(payload(t, raw)), "gold") {
		t.Errorf("the assertion says %v", payload(t, raw))
	}
	want(t, "set segments", w.SetSegments(t.Context(), p.user, map[string]string{"tier": "gold"}), nil)
	want(t, "the same by an administrator", w.admit(gold, p.session), nil)

	// Another game of the same QQ application, which the player enters, gets none.
	elsewhere, err := w.ConnectQQ(t.Context(), receiverClient, phone, authcore.QQConnect{Token: a.access, Segments: requested})
	want(t, "login at another game", err, nil)
	account, err = w.Account(t.Context(), receiverClient, elsewhere.Session)
	if err != nil || account.User != p.user || len(account.Requested) != 0 {
		t.Errorf("another game gets %+v, %v", account, err)
	}

	// They are for users who are created, and for no others.
	again := ask(a, "", map[string]string{"tier": "platinum"})
	guest := w.newGuest(t)
	linked := ask(w.newAccount(), guest.sid, map[string]string{"tier": "platinum"})
	if u := w.userRecord(again.user); u.Requested["tier"] != "gold" {
		t.Errorf("a later login requests %v", u.Requested)
	}
	if u := w.userRecord(linked.user); linked.user != guest.user || len(u.Requested) != 0 {
		t.Errorf("a link requests %v", u.Requested)
	}
}

func TestRefusedSegments(t *testing.T) {
	w := newWorld(t, atGames)
	many := make(map[string]string)
	for i := range 33 {
		many[strings.Repeat("x", i+1)] = ""
	}
	before := w.snap(t)
	for name, segments := range map[string]map[string]string{
		"too many": many, "no name": {"": "x"}, "a long name": {strings.Repeat("x", 65): ""},
		"a long value": {"x": strings.Repeat("x", 257)}, "no text": {"x": "\x00"}, "no UTF-8": {"x": "\xff"},
	} {
		_, err := w.ConnectQQ(t.Context(), mainClient, phone, authcore.QQConnect{
			Token: w.newAccount().access, Segments: segments,
		})
		want(t, name, err, authcore.ErrSegments)
	}
	if proves, _ := w.qq.takeCalls(); proves != 0 {
		t.Errorf("QQ was asked %d times", proves)
	}
	after := w.snap(t)
	if diff := cmp.Diff(before.Users, after.Users); diff != "" {
		t.Errorf("users: %s", diff)
	}
}

func TestConnectAtNoGame(t *testing.T) {
	w := newWorld(t, atGames)
	_, err := w.ConnectQQ(t.Context(), "nobody", phone, authcore.QQConnect{Token: w.newAccount().access})
	want(t, "an unknown client", err, authcore.ErrUnknownClient)
	w.store.refuseWrites(authcore.ErrUnavailable)
	_, err = w.tryQQ(t, w.newAccount(), "", authcore.LinkFlags{})
	want(t, "a full store", err, authcore.ErrUnavailable)
	if proves, _ := w.qq.takeCalls(); proves != 0 {
		t.Errorf("QQ was asked %d times for what could not succeed", proves)
	}
}
