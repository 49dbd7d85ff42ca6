package authcore_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

// games makes the clients games, but for the foreign one, under the limits of the
// contract. The receiver shares the main client's application.
func games(cfg *authcore.Config) {
	for i := range cfg.Clients {
		c := &cfg.Clients[i]
		c.Games, c.Unknown = c.ID != foreignClient, authcore.UnknownCreate
	}
	cfg.Limits.Arrivals, cfg.Limits.Sockets = 300, 20
	cfg.Limits.PasswordHour, cfg.Limits.PasswordDay = 10, 100
}

// anyMethod is a guard that a device or a password suffices for.
func anyMethod(cfg *authcore.GuardConfig) {
	cfg.Allow = []authcore.Method{authcore.MethodDevice, authcore.MethodPassword}
	cfg.Clients = []authcore.ClientID{mainClient, receiverClient, secondClient}
}

// from is a caller at the n-th of many addresses.
func from(n int) authcore.Caller {
	c := phone
	c.Addr = netip.AddrFrom4([4]byte{198, byte(18 + n>>16), byte(n >> 8), byte(n)})
	return c
}

// aDevice is a device login with an id of its own.
func aDevice(id string) authcore.DeviceLogin {
	return authcore.DeviceLogin{OS: "IOS", ID: "device-" + id}
}

func credentials(name, password string) authcore.PasswordLogin {
	return authcore.PasswordLogin{UserName: name, Password: password}
}

// played is the player of a login that must have succeeded.
func (w *world) played(p authcore.Play, err error) player {
	w.t.Helper()
	if err != nil || p.Status != authcore.StatusSuccess || p.Grant.Token.IsZero() || p.Session == "" || p.User == "" {
		w.t.Fatalf("login = %+v, %v; want SUCCESS", p, err)
	}
	return player{session: p.Grant.Token.Reveal(), user: p.User, sid: p.Session}
}

// guest logs in by a device at the main client.
func (w *world) guest(id string) player {
	w.t.Helper()
	return w.played(w.LoginDevice(w.t.Context(), mainClient, phone, aDevice(id)))
}

// register registers a player at the main client.
func (w *world) register(name, password string) player {
	w.t.Helper()
	return w.played(w.RegisterPlayer(w.t.Context(), mainClient, phone, authcore.Registration{PasswordLogin: credentials(name, password)}))
}

// cheaply gives a user a name and a password that costs little to verify.
func (w *world) cheaply(id authcore.UserID, name, password string) {
	w.t.Helper()
	w.changeUser(id, func(u *authcore.User) { u.UserName, u.Password = name, authcore.CheapPassword(password) })
	w.write(func(tx authcore.Tx) { tx.PutHandle(w.UserNameHandle(name), id) })
}

// aNamed is a player of the main client, signed in by a name and a cheap password.
func (w *world) aNamed(name, password string) player {
	w.t.Helper()
	p := w.guest("of " + name)
	w.cheaply(p.user, name, password)
	want(w.t, "log-out of the guest", w.EndSession(w.t.Context(), p.sid), nil)
	return w.played(w.LoginPassword(w.t.Context(), mainClient, phone, credentials(name, password)))
}

// connected links the player's QQ account to whoever is signed in by a session, or
// logs in by it.
func (w *world) connected(current authcore.SessionID, qq player) player {
	w.t.Helper()
	p := w.played(w.ConnectQQ(w.t.Context(), mainClient, phone, authcore.QQConnect{Current: current, Token: qq.access}))
	p.openID, p.access = qq.openID, qq.access
	return p
}

// secretOf is a session token as the core takes it.
func secretOf(session string) authcore.SessionToken {
	return authcore.SessionToken{Secret: opaque.Of(session)}
}

// dump is everything that the store has of users and sessions.
func (w *world) dump() (users []authcore.User, sessions []authcore.Session, erased []authcore.Erased) {
	w.t.Helper()
	const all = 10000
	w.see(func(tx authcore.Tx) (err error) {
		archive := tx.(authcore.Archive)
		if users, err = archive.UsersAfter("", all); err != nil {
			return err
		}
		if sessions, err = archive.SessionsAfter("", all); err != nil {
			return err
		}
		erased, err = archive.ErasedAfter(authcore.ErasedHash{}, all)
		return err
	})
	return users, sessions, erased
}

// contents is dump in one word, to be compared.
func (w *world) contents() string {
	w.t.Helper()
	users, sessions, erased := w.dump()
	text, err := json.Marshal([]any{users, sessions, erased})
	if err != nil {
		w.t.Fatalf("marshal: %v", err)
	}
	return string(text)
}

// tellsNothing fails the test if one of the secrets stands in what was audited or in
// an error.
func (w *world) tellsNothing(err error, secrets ...string) {
	w.t.Helper()
	w.audit.mu.Lock()
	defer w.audit.mu.Unlock()
	told := fmt.Sprintf("%+v %v", w.audit.events, err)
	for _, s := range secrets {
		if strings.Contains(told, s) {
			w.t.Errorf("%q is told in %s", s, told)
		}
	}
}

// attention is what the game of a connection was told.
type attention struct{ terminated, gone atomic.Int64 }

func (a *attention) take(terminated bool) {
	if terminated {
		a.terminated.Add(1)
	} else {
		a.gone.Add(1)
	}
}

func (a *attention) told() int64 { return a.terminated.Load() + a.gone.Load() }

// attend opens a connection of a player at the main client.
func (w *world) attend(p player) (*attention, func()) {
	w.t.Helper()
	a := new(attention)
	leave, err := w.Attend(w.t.Context(), mainClient, secretOf(p.session), a.take)
	if err != nil {
		w.t.Fatalf("attend: %v", err)
	}
	w.t.Cleanup(leave)
	return a, leave
}

// loginName logs in by name and password at the main client.
func (w *world) loginName(caller authcore.Caller, name, password string) error {
	w.t.Helper()
	p, err := w.LoginPassword(w.t.Context(), mainClient, caller, credentials(name, password))
	if err == nil && p.Status != authcore.StatusSuccess {
		return fmt.Errorf("status %q", p.Status)
	}
	return err
}

// wrongly tries wrong passwords for a name, each of which must be taken for wrong.
func (w *world) wrongly(n int, client authcore.ClientID, caller authcore.Caller, name string) {
	w.t.Helper()
	for range n {
		_, err := w.LoginPassword(w.t.Context(), client, caller, credentials(name, "a wrong one"))
		want(w.t, "a wrong password", err, authcore.ErrDetails)
	}
}

// sole is what a list of one consists of.
func sole[T any](t testing.TB, list []T) (only T) {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("%d of %T; want one: %+v", len(list), only, list)
	}
	return list[0]
}
