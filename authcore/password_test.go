package authcore_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/qqauth/qqauth/authcore"
)

// storedForm is design decision 14: argon2id at 19 MiB, t=2.
var storedForm = regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$`)

func TestStoredFormOfAPassword(t *testing.T) {
	first, second := authcore.HashPassword("a password"), authcore.HashPassword("a password")
	parts := storedForm.FindStringSubmatch(first)
	if parts == nil || !storedForm.MatchString(second) {
		t.Fatalf("stored as %q", first)
	}
	if parts[1] == storedForm.FindStringSubmatch(second)[1] {
		t.Error("two passwords have one salt")
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[1])
	want(t, "the salt", err, nil)
	key := argon2.IDKey([]byte("a password"), salt, 2, 19<<10, 1, 32)
	if base64.RawStdEncoding.EncodeToString(key) != parts[2] {
		t.Error("it is not what argon2id makes of the password")
	}
	// Whoever is nobody costs the same.
	if !storedForm.MatchString(authcore.NobodysPassword) {
		t.Errorf("nobody's is %q", authcore.NobodysPassword)
	}
}

func TestVerifyPassword(t *testing.T) {
	stored := authcore.HashPassword("Passwort 名 é")
	for password, right := range map[string]bool{
		"Passwort 名 é": true, "Passwort 名 e\u0301": true, // composed, and by a mark
		"passwort 名 é": false, "Passwort 名 e": false, "Passwort 名 é ": false, "Passwort\u00a0名 é": false, "": false,
	} {
		if got := authcore.VerifyPassword(stored, password); got != right {
			t.Errorf("%+q: %t; want %t", password, got, right)
		}
	}
	if ligature := authcore.CheapPassword("ﬁsh"); authcore.VerifyPassword(ligature, "fish") || !authcore.VerifyPassword(ligature, "ﬁsh") {
		t.Error("a password is folded as a name is")
	}
	imported := fmt.Sprintf("$argon2id$v=19$m=4096,t=3,p=4$%s$%s", base64.RawStdEncoding.EncodeToString([]byte("some salt")),
		base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte("pw"), []byte("some salt"), 3, 4096, 4, 32)))
	if !authcore.VerifyPassword(imported, "pw") || authcore.VerifyPassword(imported, "pW") {
		t.Error("a hash of other cost is not verified")
	}
}

// TestNobodysPasswordIsNobodys: what stands in for a user without a password lets
// nobody in.
func TestNobodysPasswordIsNobodys(t *testing.T) {
	for _, password := range []string{"", "a password", authcore.NobodysPassword, "\x00"} {
		if authcore.VerifyPassword("", password) {
			t.Errorf("%q is let in without a password", password)
		}
	}
}

// TestGarbageIsNoPassword: what cannot be a hash verifies nothing, and one that would
// cost too much is not begun.
func TestGarbageIsNoPassword(t *testing.T) {
	good := authcore.CheapPassword("pw")
	fields := strings.Split(good, "$")
	with := func(i int, s string) string {
		changed := append([]string(nil), fields...)
		changed[i] = s
		return strings.Join(changed, "$")
	}
	if !authcore.VerifyPassword(with(3, "m=8,t=1,p=1"), "pw") {
		t.Fatal("the good one is refused")
	}
	for name, stored := range map[string]string{
		"a plain word": "pw", "dollars": "$$$$$", "too few": strings.Join(fields[:5], "$"), "too many": good + "$",
		"before it": "x" + good[1:], "argon2i": with(1, "argon2i"), "argon2d": with(1, "argon2d"), "bcrypt": "$2b$10$abcdefghijklmnopqrstuv",
		"an old version": with(2, "v=16"), "no version": with(2, ""), "no cost": with(3, ""), "a word for a cost": with(3, "m=x,t=1,p=1"),
		"another order": with(3, "t=1,m=8,p=1"), "a negative cost": with(3, "m=-8,t=1,p=1"), "no passes": with(3, "m=8,t=0,p=1"),
		"no lanes": with(3, "m=8,t=1,p=0"), "too many lanes": with(3, "m=8,t=1,p=256"), "no base64 of a salt": with(4, "*"),
		"padding": with(5, fields[5]+"="), "a short hash": with(5, fields[5][:40]), "no hash": with(5, ""), "a long hash": with(5, fields[5]+"AAAA"),
		"no base64":        with(5, strings.Repeat("*", 43)),
		"256 MiB and more": with(3, "m=262145,t=1,p=1"), "4 TiB": with(3, "m=4294967295,t=1,p=1"), "beyond 32 bits": with(3, "m=4294967304,t=1,p=1"),
		"17 passes": with(3, "m=8,t=17,p=1"), "4294967295 passes": with(3, "m=8,t=4294967295,p=1"),
	} {
		began := time.Now()
		if authcore.VerifyPassword(stored, "pw") {
			t.Errorf("%s verifies", name)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}

func TestPasswordsThatAreNone(t *testing.T) {
	for name, password := range map[string]string{
		"nothing": "", "1025 bytes": strings.Repeat("x", 1025), "342 of 3 bytes": strings.Repeat("密", 342), "no UTF-8": "pw\xff",
	} {
		want(t, name, authcore.CheckPassword(password), authcore.ErrPassword)
	}
	for name, password := range map[string]string{
		"one character": "x", "1024 bytes": strings.Repeat("x", 1024), "spaces": "   ", "a control": "a\tb", "an emoji": "😀",
	} {
		want(t, name, authcore.CheckPassword(password), nil)
	}
}

// TestHashingIsAdmitted is design decision 14: as many at a time as there are
// processors, and of one address no more waiting than there is room for. Others find
// room, however many of one address wait.
func TestHashingIsAdmitted(t *testing.T) {
	w := newWorld(t, games)
	w.aNamed("alice", "right")
	held, release := w.node.HoldHashes()
	if held != runtime.GOMAXPROCS(0) {
		t.Errorf("%d at a time; want %d", held, runtime.GOMAXPROCS(0))
	}
	var ended, admitted atomic.Int64
	login := func(caller authcore.Caller) {
		_, err := w.LoginPassword(t.Context(), mainClient, caller, credentials("alice", "right"))
		if err == nil {
			admitted.Add(1)
		} else {
			t.Errorf("login: %v", err)
		}
		ended.Add(1)
	}
	refused := func(what string, s *authcore.Service, caller authcore.Caller) {
		t.Helper()
		_, err := s.LoginPassword(t.Context(), mainClient, caller, credentials("alice", "right"))
		want(t, what, err, authcore.ErrLimited)
		if after, ok := authcore.RetryAfter(err); !ok || after != time.Second {
			t.Errorf("%s: retry after %s, %t", what, after, ok)
		}
	}
	began := 0
	begin := func(n int, caller authcore.Caller) {
		for range n {
			go login(caller)
		}
		began += n
		await(t, "the logins to wait", func() bool { return w.node.Hashing() == began })
	}
	begin(2*held+256, phone)
	refused("one more of an address", w.Service, phone)
	begin(1, from(1))
	if ended.Load() != 0 {
		t.Errorf("%d did not wait", ended.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg := w.cfg
	cfg.Limits.Off = true
	lax := w.service(cfg)
	if _, err := lax.LoginPassword(ctx, mainClient, phone, credentials("alice", "right")); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever hangs up while there is no room: %v", err)
	}
	if n := w.node.Hashing(); n != began {
		t.Errorf("%d wait after one has hung up; want %d", n, began)
	}
	release()
	await(t, "the logins to end", func() bool { return ended.Load() == int64(began) })
	if n := w.node.Hashing(); n != 0 || admitted.Load() != int64(began) {
		t.Errorf("%d admitted, %d still hashing; want %d and none", admitted.Load(), n, began)
	}
}

// TestTheSameWorkForEverybody: that a name is nobody's, or a user's who has no
// password, shows neither in what it costs nor in the answer. What it costs is one
// hash, and the same use of the store.
func TestTheSameWorkForEverybody(t *testing.T) {
	w := newWorld(t, games)
	count := w.node.CountHashes()
	w.register("alice", "right")
	w.register("banned", "right")
	want(t, "ban", w.Disable(t.Context(), w.userNamed("banned")), nil)
	w.played(w.RegisterPlayer(t.Context(), secondClient, phone, authcore.Registration{PasswordLogin: credentials("elsewhere", "right")}))
	want(t, "a name without a password", w.name(w.guest("nameless"), "nameless"), nil)
	given := w.guest("given up")
	want(t, "a name", w.name(given, "given up"), nil)
	want(t, "another", w.name(given, "new name"), nil)
	erased := w.guest("erased")
	want(t, "a name", w.name(erased, "erased"), nil)
	want(t, "erasure", w.DeleteAccount(t.Context(), mainClient, phone, erased.sid), nil)
	for _, test := range []struct {
		name, password string
		want           error
	}{
		{"alice", "right", nil}, {"alice", "wrong", authcore.ErrDetails}, {"nobody", "right", authcore.ErrDetails},
		{"nameless", "right", authcore.ErrDetails}, {"elsewhere", "right", authcore.ErrDetails},
		{"given up", "right", authcore.ErrDetails}, {"erased", "right", authcore.ErrDetails}, {"banned", "wrong", authcore.ErrDetails}, {"banned", "right", authcore.ErrUserDisabled},
		{"alice", strings.Repeat("x", 1024), authcore.ErrDetails}, {"nobody", strings.Repeat("x", 1024), authcore.ErrDetails},
	} {
		count.Store(0)
		w.store.takeCalls()
		_, err := w.LoginPassword(t.Context(), mainClient, phone, credentials(test.name, test.password))
		want(t, test.name, err, test.want)
		if errors.Is(err, authcore.ErrDetails) && err.Error() != authcore.ErrDetails.Error() {
			t.Errorf("%s is told %v", test.name, err)
		}
		if got := w.store.takeCalls(); count.Load() != 1 || got != (calls{views: 1, updates: 1}) {
			t.Errorf("%s: %d hashes, %+v; want one, one View and one Update", test.name, count.Load(), got)
		}
	}
	// What nobody can have costs nothing, whoever asks.
	count.Store(0)
	for _, c := range []authcore.PasswordLogin{
		{UserName: "x", Password: "right"}, {UserName: "alice", Password: ""}, {UserName: "alice", Password: strings.Repeat("x", 1025)},
		{UserName: "nobody", Password: strings.Repeat("x", 1025)}, {UserName: "alice\u200b", Password: "right"},
	} {
		_, err := w.LoginPassword(t.Context(), mainClient, phone, c)
		want(t, "what nobody has", err, authcore.ErrDetails)
	}
	if count.Load() != 0 {
		t.Errorf("%d hashes", count.Load())
	}
}

// userNamed is the user whom a name finds.
func (w *world) userNamed(name string) (id authcore.UserID) {
	w.t.Helper()
	w.see(func(tx authcore.Tx) error {
		u, err := tx.UserByHandle(w.UserNameHandle(name))
		id = u.ID
		return err
	})
	return id
}
