package authcore_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// atGames makes games of the main and the second client.
func atGames(cfg *authcore.Config) {
	for _, id := range []authcore.ClientID{mainClient, secondClient, receiverClient} {
		clientOf(cfg, id).Games, clientOf(cfg, id).Unknown = true, authcore.UnknownCreate
	}
}

// lax runs fn under a configuration that demands no second factor and makes users
// of QQ accounts that are nobody's, in which a test can make its players.
func (w *world) lax(fn func()) {
	w.t.Helper()
	strict, cfg := w.Service, w.config()
	atGames(&cfg)
	cfg.Limits.Off = true
	w.Service = w.service(cfg)
	defer func() { w.Service = strict }()
	fn()
}

// playing is who plays now, if a login at a game has succeeded.
func playing(t testing.TB, p authcore.Play, err error) player {
	t.Helper()
	if err != nil || p.Refused != "" || p.Status != authcore.StatusSuccess {
		t.Fatalf("login = %q, refused %q, %v; want SUCCESS", p.Status, p.Refused, err)
	}
	return player{session: p.Grant.Token.Reveal(), user: p.User, sid: p.Session}
}

// newDevice is an id of a device that nobody has seen.
func (w *world) newDevice() string { return fmt.Sprintf("device-number-%d", w.players.Add(1)) }

// onPhone logs whoever plays on a device in.
func (w *world) onPhone(t testing.TB, id string) player {
	t.Helper()
	p, err := w.LoginDevice(t.Context(), mainClient, phone, authcore.DeviceLogin{OS: "ANDROID", ID: id})
	return playing(t, p, err)
}

// newGuest is a player whom only a device knows.
func (w *world) newGuest(t testing.TB) player {
	t.Helper()
	return w.onPhone(t, w.newDevice())
}

// registeredPassword is every registered player's.
const registeredPassword = "correct horse battery staple"

// registeredPlayer is a player with a name and a password. In openID is the name.
func (w *world) registeredPlayer(t testing.TB) player {
	t.Helper()
	name := fmt.Sprintf("player_%d", w.players.Add(1))
	p, err := w.RegisterPlayer(t.Context(), mainClient, phone, authcore.Registration{
		PasswordLogin: authcore.PasswordLogin{UserName: name, Password: registeredPassword},
	})
	registered := playing(t, p, err)
	registered.openID = name
	return registered
}

// byPassword logs a registered player in once more.
func (w *world) byPassword(t testing.TB, p player) player {
	t.Helper()
	again, err := w.LoginPassword(t.Context(), mainClient, phone, authcore.PasswordLogin{
		UserName: p.openID, Password: registeredPassword,
	})
	return playing(t, again, err)
}

// tryQQ logs a QQ account in at the game.
func (w *world) tryQQ(t testing.TB, account player, current authcore.SessionID, flags authcore.LinkFlags) (authcore.Play, error) {
	t.Helper()
	return w.ConnectQQ(t.Context(), mainClient, phone, authcore.QQConnect{
		Current: current, Token: account.access, LinkFlags: flags,
	})
}

// play is tryQQ for what has to succeed.
func (w *world) play(t testing.TB, account player, current authcore.SessionID, flags authcore.LinkFlags) player {
	t.Helper()
	p, err := w.tryQQ(t, account, current, flags)
	now := playing(t, p, err)
	now.openID, now.access = account.openID, account.access
	return now
}

// wantPlaying wants a token to be good for a session of a user.
func (w *world) wantPlaying(t testing.TB, what, token string, sid authcore.SessionID, user authcore.UserID) {
	t.Helper()
	gotSession, gotUser, err := w.Playing(t.Context(), mainClient, token)
	if err != nil || gotSession != sid || gotUser != user {
		t.Errorf("%s is %s of %s, %v; want %s of %s", what, gotSession, gotUser, err, sid, user)
	}
}

// wantAlive wants a session to live on, or to have ended.
func (w *world) wantAlive(t testing.TB, what string, p player, alive bool) {
	t.Helper()
	if alive {
		w.wantPlaying(t, what, p.session, p.sid, p.user)
		return
	}
	_, _, err := w.Playing(t.Context(), mainClient, p.session)
	want(t, what, err, authcore.ErrSession)
}

// snapshot is everything that the store holds of users and of what they log in with.
type snapshot struct {
	Users    map[authcore.UserID]authcore.User
	Sessions map[authcore.SessionID]authcore.Session
	Accesses map[authcore.AccessHash]authcore.Access
	Links    map[authcore.IdentityHash]authcore.UserID
	Pendings map[authcore.IdentityHash][]authcore.PendingRef
}

// snap reads the store. Of a link it reads both records: one without the other
// fails the test.
func (w *world) snap(t testing.TB) (s snapshot) {
	t.Helper()
	err := w.store.Store.View(t.Context(), func(tx authcore.Tx) error {
		s = snapshot{
			make(map[authcore.UserID]authcore.User), make(map[authcore.SessionID]authcore.Session),
			make(map[authcore.AccessHash]authcore.Access), make(map[authcore.IdentityHash]authcore.UserID),
			make(map[authcore.IdentityHash][]authcore.PendingRef),
		}
		archive := tx.(authcore.Archive)
		const all = 100_000
		users, err := archive.UsersAfter("", all)
		if err != nil {
			return err
		}
		for _, u := range users {
			s.Users[u.ID] = u
		}
		sessions, err := archive.SessionsAfter("", all)
		if err != nil {
			return err
		}
		for _, session := range sessions {
			s.Sessions[session.ID] = session
		}
		accesses, err := archive.AccessesAfter(authcore.AccessHash{}, all)
		if err != nil {
			return err
		}
		for _, a := range accesses {
			s.Accesses[a.Hash] = a.Access
		}
		return s.readLinks(tx, w.identities())
	})
	if err != nil {
		t.Fatalf("read everything: %v", err)
	}
	for identity, owner := range s.Links {
		if owner != "" && !namedOnce(s.Users[owner], identity) {
			t.Errorf("a QQ account is %s's, who says %+v", owner, s.Users[owner].Links)
		}
	}
	for id, u := range s.Users {
		for _, l := range u.Links {
			if owner, known := s.Links[l.Identity]; known && owner != id {
				t.Errorf("%s and %s both have one QQ account", id, owner)
			}
		}
	}
	return s
}

func namedOnce(u authcore.User, identity authcore.IdentityHash) bool {
	n := 0
	for _, l := range u.Links {
		if l.Identity == identity {
			n++
		}
	}
	return n == 1
}

// readLinks reads whose some QQ accounts are.
func (s *snapshot) readLinks(tx authcore.Tx, identities []authcore.IdentityHash) error {
	for _, identity := range identities {
		record, err := tx.Login(authcore.LoginQuery{Identity: identity})
		if err != nil {
			return err
		}
		// Login reads the link and its mirror, and that its user names it.
		owner, err := tx.UserByIdentity(identity)
		if errors.Is(err, authcore.ErrNotFound) == record.Linked || record.Linked && owner.ID != record.User.ID {
			return fmt.Errorf("two reads of a link: %s and %s, %w", record.User.ID, owner.ID, err)
		}
		if s.Links[identity] = owner.ID; !record.Linked {
			s.Links[identity] = ""
		}
		pendings, err := tx.Pendings(identity)
		if err != nil {
			return err
		}
		s.Pendings[identity] = pendings
	}
	return nil
}

// identities are those of all QQ accounts that tests have made.
func (w *world) identities() (all []authcore.IdentityHash) {
	for _, qq := range []*fakeQQ{w.qq, w.qq2} {
		qq.mu.Lock()
		for _, a := range qq.accounts {
			all = append(all, w.keys.Ring().Index("identity", string(qq.app), a.openID))
		}
		qq.mu.Unlock()
	}
	return all
}
