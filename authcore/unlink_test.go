package authcore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

func TestUnlink(t *testing.T) {
	w := newWorld(t, joined)
	p, second := w.union("UID", "UID")
	w.clock.step(time.Second)
	own, other := w.loginAt(secondClient, second), w.loginAt(mainClient, p)
	g := w.guard(func(cfg *authcore.GuardConfig) { cfg.Clients = append(cfg.Clients, secondClient) })
	want(t, "the own session before", w.admit(g, own.session), nil)
	live, err := g.Admit(t.Context(), other.session, "")
	want(t, "a request in flight", err, nil)
	defer live.Release()
	id := w.social(secondClient, player{openID: p.openID, sid: own.sid})
	for _, unknown := range []string{"", "none", id[:len(id)-1], id + "0"} {
		want(t, "an unknown account", w.Unlink(t.Context(), secondClient, phone, own.sid, unknown), authcore.ErrDenied)
	}
	want(t, "by another client", w.Unlink(t.Context(), mainClient, phone, own.sid, id), authcore.ErrIDToken)
	w.clock.step(10*time.Minute + 1)
	want(t, "after ten minutes", w.Unlink(t.Context(), secondClient, phone, own.sid, id), authcore.ErrStale)
	want(t, "the other session after what was refused", w.admit(g, other.session), nil)
	w.clock.step(-1)
	want(t, "within ten minutes", w.Unlink(t.Context(), secondClient, phone, own.sid, id), nil)
	if n := w.audit.count(authcore.AuditWayRemoved); n != 1 {
		t.Errorf("%d ways removed are audited; want 1", n)
	}

	want(t, "the own session", w.admit(g, own.session), nil)
	want(t, "the other session", w.admit(g, other.session), authcore.ErrSession)
	awaitEnd(t, live)
	wanted := []authcore.UnionMember{{App: secondApp, User: second.user}}
	if diff := cmp.Diff(wanted, w.members("UID")); diff != "" {
		t.Errorf("seen with the unionid: %s", diff)
	}
	want(t, "once more", w.Unlink(t.Context(), secondClient, phone, own.sid, id), authcore.ErrDenied)
	want(t, "the last one", w.Unlink(t.Context(), secondClient, phone, own.sid, w.social(secondClient, own)), authcore.ErrLastWay)

	// Without a unionid nothing joins them again: the account is anybody's.
	w.qq.know(p.access, qqAccount{openID: p.openID})
	if again := w.again(p); again.user == second.user {
		t.Error("the account still logs the user in")
	}
}

func TestUnlinkedAccountIsLinkedAnew(t *testing.T) {
	w := newWorld(t, joined)
	p, second := w.union("UID", "UID")
	id := w.social(secondClient, player{openID: p.openID, sid: second.sid})
	want(t, "unlink", w.Unlink(t.Context(), secondClient, phone, second.sid, id), nil)
	if again := w.again(p); again.user != second.user {
		t.Errorf("the account makes %s; by its unionid it is %s", again.user, second.user)
	}
	if u := w.userRecord(second.user); len(u.Links) != 2 {
		t.Errorf("the user is %+v", u)
	}
}

// TestLastWayIn: a QQ account may go only if the user can get in by another way.
func TestLastWayIn(t *testing.T) {
	bind := func(rule authcore.UnknownUser, ways ...authcore.Way) func(*authcore.Config) {
		return func(cfg *authcore.Config) {
			for i := range cfg.Clients {
				cfg.Clients[i].Verify = nil
			}
			clientOf(cfg, foreignClient).Unknown, clientOf(cfg, foreignClient).Verify = rule, ways
		}
	}
	const phone1, email = authcore.WayPhone, authcore.WayEmail
	for _, test := range []struct {
		name      string
		configure func(*authcore.Config)
		user      func(*authcore.User)
		want      error
	}{
		{"nothing else", bind(authcore.UnknownBind, phone1), func(*authcore.User) {}, authcore.ErrLastWay},
		{"a phone, to bind by", bind(authcore.UnknownBind, phone1), func(u *authcore.User) { u.Mobile = ownPhone }, nil},
		{"a phone, to register by", bind(authcore.UnknownRegister, phone1), func(u *authcore.User) { u.Mobile = ownPhone }, nil},
		{"an address, to bind by", bind(authcore.UnknownBind, phone1, email), func(u *authcore.User) { u.Email = ownEmail }, nil},
		{"an address, where phones bind", bind(authcore.UnknownBind, phone1), func(u *authcore.User) { u.Email = ownEmail }, authcore.ErrLastWay},
		{"a phone, where addresses bind", bind(authcore.UnknownBind, email), func(u *authcore.User) { u.Mobile = ownPhone }, authcore.ErrLastWay},
		{"a phone, where nobody binds", bind(authcore.UnknownCreate, phone1), func(u *authcore.User) { u.Mobile = ownPhone }, authcore.ErrLastWay},
		{"a phone, where strangers are denied", bind(authcore.UnknownDeny, phone1), func(u *authcore.User) { u.Mobile = ownPhone }, authcore.ErrLastWay},
		{"another QQ account", bind(authcore.UnknownCreate), func(u *authcore.User) {
			u.Links = append(slices.Clone(u.Links), authcore.Link{Identity: authcore.IdentityHash{1}, App: secondApp, OpenID: "O"})
		}, nil},
		{"a QQ account in an application that no client has", bind(authcore.UnknownCreate), func(u *authcore.User) {
			u.Links = append(slices.Clone(u.Links), authcore.Link{Identity: authcore.IdentityHash{1}, App: "101000009", OpenID: "O"})
		}, authcore.ErrLastWay},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newCodeWorld(t, test.configure)
			p := w.newPlayer()
			id := w.social(mainClient, p)
			w.changeUser(p.user, test.user)
			for _, l := range w.userRecord(p.user).Links[1:] {
				w.write(func(tx authcore.Tx) { tx.PutLink(l, p.user) })
			}
			links := len(w.userRecord(p.user).Links)
			other := w.again(p)
			want(t, "unlink", w.Unlink(t.Context(), mainClient, phone, p.sid, id), test.want)
			if test.want == nil {
				links--
			}
			if got := len(w.userRecord(p.user).Links); got != links {
				t.Errorf("%d links are left; want %d", got, links)
			}
			var ended error
			if test.want == nil {
				ended = authcore.ErrSession
			}
			want(t, "the other session", w.admit(w.guard(), other.session), ended)
		})
	}
}

// Of two QQ accounts that are taken away at once, one stays.
func TestUnlinkOfBothAtOnce(t *testing.T) {
	w := newWorld(t, joined)
	p, second := w.union("UID", "UID")
	ids := []string{w.social(secondClient, player{openID: p.openID, sid: second.sid}), w.social(secondClient, second)}
	errs := make([]error, len(ids))
	together(len(ids), func(i int) { errs[i] = w.Unlink(t.Context(), secondClient, phone, second.sid, ids[i]) })
	if errs[0] == nil {
		slices.Reverse(errs)
	}
	want(t, "the first", errs[1], nil)
	want(t, "the last", errs[0], authcore.ErrLastWay)
	if u := w.userRecord(second.user); len(u.Links) != 1 {
		t.Errorf("the user is %+v", u)
	}
}
