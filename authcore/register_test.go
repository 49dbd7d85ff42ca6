package authcore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

func registration(name, password string) authcore.Registration {
	return authcore.Registration{PasswordLogin: credentials(name, password)}
}

func TestRegistration(t *testing.T) {
	w := newWorld(t, games)
	in := registration("Alice", "a password")
	in.Name, in.Segments = "爱丽丝", map[string]string{"tier": "gold"}
	play, err := w.RegisterPlayer(t.Context(), mainClient, phone, in)
	p := w.played(play, err)
	if !play.Created || play.Name != "爱丽丝" || play.Grant.IDToken != "" {
		t.Errorf("told: %+v", play)
	}
	if s := w.session(p.sid); !slices.Equal(s.Methods, []authcore.Method{authcore.MethodPassword}) || s.Client != mainClient {
		t.Errorf("the session is %+v", s)
	}
	u := w.userRecord(p.user)
	if u.UserName != "Alice" || u.Home != mainClient || u.DisplayName != "爱丽丝" || u.Requested["tier"] != "gold" ||
		len(u.Segments)+len(u.Links)+len(u.Devices) != 0 || !u.Created.Equal(w.clock.Now()) {
		t.Errorf("the user is %+v", u)
	}
	if !storedForm.MatchString(u.Password) || !authcore.VerifyPassword(u.Password, "a password") {
		t.Errorf("the password is stored as %q", u.Password)
	}
	want(t, "a guard", w.admit(w.guard(), p.session), authcore.ErrDenied)
	want(t, "one that allows passwords", w.admit(w.guard(anyMethod), p.session), nil)
	if got := w.played(w.LoginPassword(t.Context(), mainClient, phone, credentials("alice", "a password"))).user; got != p.user {
		t.Errorf("the password is %s's; want %s's", got, p.user)
	}
	if got := sole(t, w.audit.audited(authcore.AuditUserCreated)); got.User != p.user || got.Client != mainClient {
		t.Errorf("audited as %+v", got)
	}
	if len(w.notes()) != 0 {
		t.Error("looked after as a guest")
	}
	w.tellsNothing(nil, "a password", "Alice", "爱丽丝")
}

// TestRefusedRegistrations cost no hashing and leave nothing.
func TestRefusedRegistrations(t *testing.T) {
	w := newWorld(t, games)
	count := w.node.CountHashes()
	for name, test := range map[string]struct {
		change func(*authcore.Registration)
		want   error
	}{
		"a short name":      {func(r *authcore.Registration) { r.UserName = "ab" }, authcore.ErrUserName},
		"no name":           {func(r *authcore.Registration) { r.UserName = "" }, authcore.ErrUserName},
		"a user id":         {func(r *authcore.Registration) { r.UserName = "20220425140138519-BF1B-528B05551" }, authcore.ErrUserName},
		"no password":       {func(r *authcore.Registration) { r.Password = "" }, authcore.ErrPassword},
		"a long password":   {func(r *authcore.Registration) { r.Password = strings.Repeat("x", 1025) }, authcore.ErrPassword},
		"a long nickname":   {func(r *authcore.Registration) { r.Name = strings.Repeat("x", 65) }, authcore.ErrName},
		"too long segments": {func(r *authcore.Registration) { r.Segments = map[string]string{"a": strings.Repeat("x", 257)} }, authcore.ErrSegments},
	} {
		in := registration("alice", "a password")
		test.change(&in)
		p, err := w.RegisterPlayer(t.Context(), mainClient, phone, in)
		want(t, name, err, test.want)
		if p.User != "" || !p.Grant.Token.IsZero() {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if users, _, _ := w.dump(); len(users) != 0 || count.Load() != 0 {
		t.Errorf("%d users, %d hashes", len(users), count.Load())
	}
	cfg := w.cfg
	cfg.Limits.Arrivals = 1
	strict := w.service(cfg)
	_, err := strict.RegisterPlayer(t.Context(), mainClient, phone, registration("alice", "a password"))
	want(t, "the first", err, nil)
	_, err = strict.RegisterPlayer(t.Context(), mainClient, phone, registration("bobby", "a password"))
	want(t, "one too many", err, authcore.ErrLimited)
	_, err = strict.LoginDevice(t.Context(), mainClient, phone, aDevice("one"))
	want(t, "a guest too many", err, authcore.ErrLimited)
	if users, _, _ := w.dump(); len(users) != 1 || count.Load() != 1 {
		t.Errorf("%d users, %d hashes; want one of each", len(users), count.Load())
	}
}

// TestTakenName leaves everything as it was.
func TestTakenName(t *testing.T) {
	w := newWorld(t, games)
	alice, current := w.register("alice", "a password"), w.guest("current")
	before := w.contents()
	for _, name := range []string{"alice", "ALICE", "ａｌｉｃｅ"} {
		in := registration(name, "another password")
		in.Current = current.sid
		p, err := w.RegisterPlayer(t.Context(), mainClient, phone, in)
		want(t, name, err, authcore.ErrTaken)
		if p.User != "" || p.Created || !p.Grant.Token.IsZero() {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if w.contents() != before {
		t.Error("what was refused has left something")
	}
	want(t, "the player who is signed in", w.admit(w.guard(anyMethod), current.session), nil)
	want(t, "the owner's password", w.loginName(phone, "alice", "a password"), nil)
	want(t, "the other one", w.loginName(phone, "alice", "another password"), authcore.ErrDetails)
	if w.audit.count(authcore.AuditUserCreated) != 2 || w.userNamed("alice") != alice.user {
		t.Error("somebody was created")
	}
}

// TestRegistrationBesideAPlayer leaves their session.
func TestRegistrationBesideAPlayer(t *testing.T) {
	w := newWorld(t, games)
	current := w.guest("current")
	in := registration("alice", "a password")
	in.Current = current.sid
	p := w.played(w.RegisterPlayer(t.Context(), mainClient, phone, in))
	want(t, "the session left", w.admit(w.guard(anyMethod), current.session), authcore.ErrSession)
	want(t, "the new one", w.admit(w.guard(anyMethod), p.session), nil)
	if got := sole(t, w.audit.audited(authcore.AuditPlayerSwitched)); got.From != current.user || got.User != p.user {
		t.Errorf("audited as %+v", got)
	}
	if !w.exists(current.user) || w.guest("current").user != current.user {
		t.Error("the guest is gone")
	}
}

// TestOneNameRegisteredByMany at once is one's.
func TestOneNameRegisteredByMany(t *testing.T) {
	w := newWorld(t, games)
	for round := range 3 {
		name := fmt.Sprint("wanted", round)
		var got atomic.Int64
		together(12, func(i int) {
			spelt := name
			if i%2 == 1 {
				spelt = strings.ToUpper(name)
			}
			_, err := w.RegisterPlayer(t.Context(), mainClient, from(i), registration(spelt, fmt.Sprint("password ", i)))
			if err == nil {
				got.Add(1)
			} else if !errors.Is(err, authcore.ErrTaken) {
				t.Errorf("register: %v", err)
			}
		})
		if users, _, _ := w.dump(); got.Load() != 1 || len(users) != round+1 {
			t.Errorf("%d got the name, and there are %d users; want one more", got.Load(), len(users))
		}
	}
}

// TestTransactionOfARegistrationRunsAgain: what it decided first does not count.
func TestTransactionOfARegistrationRunsAgain(t *testing.T) {
	w := newWorld(t, games)
	w.store.twice.Store(true)
	p := w.register("alice", "a password")
	if users, sessions, erased := w.dump(); len(users) != 1 || len(sessions) != 1 || len(erased) != 0 {
		t.Errorf("%d users, %d sessions, %d erased; want one, one and none", len(users), len(sessions), len(erased))
	}
	w.store.undone.Store(true)
	_, err := w.RegisterPlayer(t.Context(), mainClient, phone, registration("bobby", "a password"))
	want(t, "a store that forgets", err, authcore.ErrUnavailable)
	if w.audit.count(authcore.AuditUserCreated) != 1 {
		t.Error("a user is audited who was not created")
	}
	want(t, "the first player", w.admit(w.guard(anyMethod), p.session), nil)
}
