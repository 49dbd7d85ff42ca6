package authcore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/qqauth/qqauth/authcore"
)

const (
	guestID authcore.UserID = "20220425140138519-BF1B-528B05552"

	// ownHash is a password in the form of argon2's own tools, and otherHash another.
	ownHash   = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	otherHash = "$argon2id$v=19$m=19456,t=2,p=1$BBBBBBBBBBBBBBBBBBBBBA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

func deviceOf(id string) authcore.Device {
	return authcore.Device{Client: mainClient, OS: "ios", ID: "device-" + id}
}

// found is whom a handle finds, nobody if nobody.
func (w *world) foundBy(handle authcore.HandleHash) (id authcore.UserID) {
	w.t.Helper()
	w.see(func(tx authcore.Tx) error {
		u, err := tx.UserByHandle(handle)
		if id = u.ID; errors.Is(err, authcore.ErrNotFound) {
			return nil
		}
		return err
	})
	return id
}

func (w *world) nameFinds(name string) authcore.UserID {
	w.t.Helper()
	return w.foundBy(authcore.UserNameHandle(w.keys.Ring(), name))
}

func (w *world) deviceFinds(d authcore.Device) authcore.UserID {
	w.t.Helper()
	return w.foundBy(authcore.DeviceHandle(w.keys.Ring(), &d))
}

// guests are those who are looked after.
func (w *world) guestsKept() (list []authcore.Guest) {
	w.t.Helper()
	w.see(func(tx authcore.Tx) (err error) {
		list, err = tx.Guests(w.clock.Now().Add(1000*time.Hour), 100)
		return err
	})
	return list
}

// reasons are the places and texts of conflicts.
func reasons(r authcore.ImportReport) (list []string) {
	for _, c := range r.Conflicts {
		list = append(list, string(rune('0'+c.Record))+" "+c.Reason)
	}
	return list
}

// TestMoveOfGameUsers carries what users have for games to a new store: it finds them
// there, and what leaves that store is the same.
func TestMoveOfGameUsers(t *testing.T) {
	first := newWorld(t)
	now := first.clock.Now().UTC()
	full := authcore.User{
		ID: strangerID, Created: now, UserName: "Jonny", Password: ownHash, DisplayName: "n", Home: mainClient,
		Requested: map[string]string{"vip": "yes"}, Devices: []authcore.Device{deviceOf("1"), deviceOf("2")},
		Links: []authcore.Link{{App: secondApp, OpenID: "A", Since: now, SyncName: true}, {App: mainApp, OpenID: "B", Since: now}},
	}
	guest := authcore.User{ID: guestID, Created: now, Home: secondClient, Devices: []authcore.Device{deviceOf("3")}}
	records := []authcore.Record{{User: &full}, {User: &guest}}
	from, all := first, records
	for n := range 2 {
		to := newWorldUnder(t, from)
		report, _ := to.take(all, authcore.ImportConfig{Keys: from.ring()})
		if diff := cmp.Diff(authcore.ImportReport{Created: 2, Links: 2}, report); diff != "" {
			t.Fatalf("move %d: %s", n, diff)
		}
		if again, _ := to.take(all, authcore.ImportConfig{}); again.Unchanged != 2 || len(again.Conflicts) != 0 {
			t.Errorf("move %d, once more: %+v", n, again)
		}
		all = to.export(false)
		if diff := cmp.Diff(records, all, cmpopts.IgnoreFields(authcore.Link{}, "Identity")); diff != "" {
			t.Errorf("move %d: what leaves the new store differs: %s", n, diff)
		}
		for what, id := range map[string]authcore.UserID{
			"the name": to.nameFinds("Jonny"), "the name in other letters": to.nameFinds("JONNY"),
			"a device": to.deviceFinds(deviceOf("1")), "the other device": to.deviceFinds(deviceOf("2")),
		} {
			if id != strangerID {
				t.Errorf("move %d: %s is %q's", n, what, id)
			}
		}
		if id := to.deviceFinds(deviceOf("3")); id != guestID {
			t.Errorf("move %d: the guest's device is %q's", n, id)
		}
		wanted := []authcore.Guest{{User: guestID, Due: to.clock.Now().Add(30 * 24 * time.Hour)}}
		if diff := cmp.Diff(wanted, to.guestsKept()); diff != "" {
			t.Errorf("move %d: the guests: %s", n, diff)
		}
		from = to
	}
}

// Whoever is more than a guest is nobody to be swept.
func TestImportedGuests(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*authcore.User)
		guest  bool
	}{
		"a device":    {func(*authcore.User) {}, true},
		"a name":      {func(u *authcore.User) { u.UserName, u.Password = "jonny", ownHash }, false},
		"a phone":     {func(u *authcore.User) { u.Mobile = ownPhone }, false},
		"a link":      {func(u *authcore.User) { u.Links = []authcore.Link{{App: mainApp, OpenID: "A"}} }, false},
		"no device":   {func(u *authcore.User) { u.Devices = nil }, false},
		"a taken one": {func(u *authcore.User) { u.Mobile, u.Email = "", ""; u.Devices[0] = deviceOf("taken") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			owner := authcore.User{ID: strangerID, Mobile: otherPhone, Devices: []authcore.Device{deviceOf("taken")}}
			u := authcore.User{ID: guestID, Devices: []authcore.Device{deviceOf("1")}}
			tt.change(&u)
			w.take([]authcore.Record{{User: &owner}, {User: &u}}, authcore.ImportConfig{})
			if got := len(w.guestsKept()) == 1; got != tt.guest {
				t.Errorf("guests: %+v", w.guestsKept())
			}
		})
	}
}

// TestImportOfTakenGameWays: who is here keeps what is theirs, and so does who came in
// before.
func TestImportOfTakenGameWays(t *testing.T) {
	w := newWorld(t)
	user := func(id authcore.UserID, name string, devices ...string) authcore.Record {
		u := authcore.User{ID: id, UserName: name, Password: ownHash, Mobile: ""}
		if name == "" {
			u.Password = ""
		}
		for _, d := range devices {
			u.Devices = append(u.Devices, deviceOf(d))
		}
		return authcore.Record{User: &u}
	}
	id := func(last string) authcore.UserID { return guestID[:len(guestID)-1] + authcore.UserID(last) }
	w.take([]authcore.Record{user(strangerID, "jonny", "1")}, authcore.ImportConfig{})
	w.write(func(tx authcore.Tx) {
		tx.PutErased(authcore.Erased{Hash: authcore.ErasedHash(authcore.UserNameHandle(w.keys.Ring(), "GONE")), At: w.clock.Now()})
	})
	report, _ := w.take([]authcore.Record{
		user(id("3"), "ＪONNY", "1", "2"),    // its second device is free
		user(id("4"), "free", "1", "2"),     // its name is
		user(id("5"), "gone", "5"),          // its device is
		user(id("6"), "xx", "6"),            // too short for a name
		user(id("7"), string(guestID), "7"), // an id
		user(id("8"), "another", "8", "8"),
	}, authcore.ImportConfig{})
	wanted := []string{
		"0 the user name belongs to another user", "0 the device belongs to another user",
		"1 the device belongs to another user", "1 the device belongs to another user",
		"2 the user name was given up", "3 a user name that nobody may have", "4 a user name that nobody may have",
	}
	if diff := cmp.Diff(wanted, reasons(report)); diff != "" || report.Created != 6 {
		t.Errorf("%d are created; conflicts: %s", report.Created, diff)
	}
	for last, want := range map[string]authcore.User{
		"3": {Devices: []authcore.Device{deviceOf("2")}}, "4": {UserName: "free", Password: ownHash},
		"5": {Devices: []authcore.Device{deviceOf("5")}}, "6": {Devices: []authcore.Device{deviceOf("6")}},
		"7": {Devices: []authcore.Device{deviceOf("7")}},
		"8": {UserName: "another", Password: ownHash, Devices: []authcore.Device{deviceOf("8")}},
	} {
		want.ID = id(last)
		if diff := cmp.Diff(want, w.userRecord(id(last)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("user %s: %s", last, diff)
		}
	}
	for what, got := range map[string]bool{
		"jonny": w.nameFinds("jonny") == strangerID, "device 1": w.deviceFinds(deviceOf("1")) == strangerID,
		"device 2": w.deviceFinds(deviceOf("2")) == id("3"), "free": w.nameFinds("free") == id("4"),
		"gone": w.nameFinds("gone") == "", "xx": w.nameFinds("xx") == "", "device 8": w.deviceFinds(deviceOf("8")) == id("8"),
	} {
		if !got {
			t.Errorf("%s finds another", what)
		}
	}
}

// A new user whose name and devices are all others' would be nobody's, unless there
// is something else to get in by. Users who never had any came in without, and do.
func TestImportOfAUserWithoutAFreeGameWay(t *testing.T) {
	owner := authcore.User{ID: strangerID, UserName: "jonny", Password: ownHash, Devices: []authcore.Device{deviceOf("1")}}
	devices := []authcore.Device{deviceOf("1")}
	for name, tt := range map[string]struct {
		user    authcore.User
		created int
	}{
		"a device":                 {authcore.User{Devices: devices}, 0},
		"a name and its password":  {authcore.User{UserName: "jonny", Password: otherHash}, 0},
		"both":                     {authcore.User{UserName: "jonny", Password: otherHash, Devices: devices}, 0},
		"a device and a free name": {authcore.User{UserName: "free", Devices: devices}, 0},
		"and a free phone":         {authcore.User{Mobile: ownPhone, Devices: devices}, 1},
		"and a free password":      {authcore.User{UserName: "free", Password: otherHash, Devices: devices}, 1},
		"and a free device":        {authcore.User{UserName: "jonny", Password: otherHash, Devices: []authcore.Device{deviceOf("2")}}, 1},
		"and a free link":          {authcore.User{Links: []authcore.Link{{App: mainApp, OpenID: "A"}}, Devices: devices}, 1},
		"a name":                   {authcore.User{UserName: "jonny"}, 1},
		"nothing":                  {authcore.User{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.take([]authcore.Record{{User: &owner}}, authcore.ImportConfig{})
			tt.user.ID = guestID
			after := authcore.User{ID: guestID[:len(guestID)-1] + "9", DisplayName: "who comes after"}
			report, _ := w.take([]authcore.Record{{User: &tt.user}, {User: &after}}, authcore.ImportConfig{})
			if report.Created != 1+tt.created {
				t.Errorf("%+v", report)
			}
			if _, err := w.UserByID(t.Context(), guestID); (err == nil) != (tt.created == 1) {
				t.Errorf("the user: %v", err)
			}
			for _, id := range []authcore.UserID{w.nameFinds("jonny"), w.deviceFinds(deviceOf("1"))} {
				if id != strangerID {
					t.Errorf("the owner's is %q's", id)
				}
			}
			if tt.created == 0 && w.nameFinds("free") != "" {
				t.Errorf("a name is %q's, who did not come in", w.nameFinds("free"))
			}
		})
	}
}

// A user does not come to have more devices by import than one can come in with.
func TestImportOfTooManyDevices(t *testing.T) {
	w := newWorld(t)
	var devices []authcore.Device
	for i := range 65 {
		devices = append(devices, deviceOf(strings.Repeat("x", 1+i)))
	}
	u := authcore.User{ID: guestID, Devices: devices[:64]}
	if report, _ := w.take([]authcore.Record{{User: &u}}, authcore.ImportConfig{}); report.Created != 1 {
		t.Errorf("%+v", report)
	}
	u.Devices = devices[1:]
	report, _ := w.take([]authcore.Record{{User: &u}}, authcore.ImportConfig{})
	if diff := cmp.Diff([]string{"0 more devices than a user may have"}, reasons(report)); diff != "" || report.Unchanged != 1 {
		t.Errorf("%+v, %s", report, diff)
	}
}

func TestImportRefusesGameUsersWhomNoLoginMakes(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 257)
	var bad []authcore.Record
	for _, change := range []func(*authcore.User){
		func(u *authcore.User) { u.Devices = make([]authcore.Device, 65) },
		func(u *authcore.User) { u.Devices[0].ID = "1234567" },
		func(u *authcore.User) { u.Devices[0].ID = long },
		func(u *authcore.User) { u.Devices[0].ID = "12345678\x00" },
		func(u *authcore.User) { u.Devices[0].ID = "12345678\xff" },
		func(u *authcore.User) { u.Devices[0].ID = "9774D56D682E549C" },
		func(u *authcore.User) { u.Devices[0].OS = long[:33] },
		func(u *authcore.User) { u.Devices[0].OS = "i\nos" },
		func(u *authcore.User) { u.Devices[0].Client = "" },
		func(u *authcore.User) { u.Devices[0].Client = authcore.ClientID(long) },
		func(u *authcore.User) { u.Home = authcore.ClientID(long) },
		func(u *authcore.User) { u.Home = "a\x00" },
		func(u *authcore.User) { u.Requested = map[string]string{long[:65]: ""} },
		func(u *authcore.User) { u.Requested = map[string]string{"a": long} },
		func(u *authcore.User) { u.Requested = map[string]string{"a\n": ""} },
		func(u *authcore.User) {
			for i := range 33 {
				u.Requested[long[:i+1]] = ""
			}
		},
		func(u *authcore.User) { u.Password = "secret" },
		func(u *authcore.User) { u.Password = strings.Replace(ownHash, "argon2id", "argon2i", 1) },
		func(u *authcore.User) { u.Password = strings.Replace(ownHash, "v=19", "v=16", 1) },
		func(u *authcore.User) { u.Password = strings.Replace(ownHash, "m=19456", "m=999999", 1) },
		func(u *authcore.User) { u.Password = strings.Replace(ownHash, "m=19456", "m=0", 1) },
		func(u *authcore.User) { u.Password = strings.Replace(ownHash, "t=2", "t=17", 1) },
		func(u *authcore.User) { u.Password = strings.Replace(ownHash, "p=1", "p=256", 1) },
		func(u *authcore.User) { u.Password = ownHash + "A" },
		func(u *authcore.User) { u.Password = ownHash + "\n" },
		func(u *authcore.User) { u.Password = strings.Replace(ownHash, "$AAAAAAAAAAAAAAAAAAAAAA$", "$AAAA$", 1) },
		func(u *authcore.User) { u.Password = strings.Replace(ownHash, "$AAA", "$AAA"+long, 1) },
	} {
		u := authcore.User{
			ID: guestID, UserName: "jonny", Password: ownHash, Devices: []authcore.Device{deviceOf("1")}, Requested: map[string]string{},
		}
		change(&u)
		bad = append(bad, authcore.Record{User: &u})
	}
	fit := authcore.User{
		ID: guestID, UserName: "jonny", Password: "$argon2id$v=19$m=262144,t=16,p=255$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		Devices:   []authcore.Device{{Client: mainClient, OS: long[:32], ID: long[:256]}, {Client: mainClient, OS: "x", ID: "12345678"}},
		Requested: map[string]string{long[:64]: long[:256]},
	}
	for _, r := range append(bad, authcore.Record{User: &fit}) {
		report, _ := w.take([]authcore.Record{r}, authcore.ImportConfig{})
		if isFit := r.User == &fit; (len(report.Conflicts) == 0) != isFit || (report.Created == 1) != isFit {
			t.Errorf("%+v: %+v", r.User, report)
		}
	}
}

// TestErasedUserName: a name that was given up elsewhere is kept for nobody, and whoever
// has it here goes on having it.
func TestErasedUserName(t *testing.T) {
	first := newWorld(t)
	second := newWorldUnder(t, first)
	second.take(nil, authcore.ImportConfig{Keys: first.ring()})
	erased := func(name string) authcore.Record {
		return authcore.Record{Erased: &authcore.Erased{
			Hash: authcore.ErasedHash(authcore.UserNameHandle(first.keys.Ring(), name)), At: first.clock.Now().UTC(),
		}}
	}
	owner := authcore.User{ID: strangerID, UserName: "jonny", Password: ownHash}
	second.take([]authcore.Record{{User: &owner}}, authcore.ImportConfig{})
	p := second.newPlayer()
	records := []authcore.Record{erased("jonny"), erased("gone")}
	report, keys := second.take(records, authcore.ImportConfig{Keys: first.ring()})
	if keys != authcore.KeysShared || report.Erased != 2 || len(report.Conflicts) != 0 {
		t.Fatalf("keys %s, %+v", keys, report)
	}
	want(t, "a session of somebody else", second.admit(second.guard(), p.session), nil)
	if id := second.nameFinds("jonny"); id != strangerID || second.userRecord(strangerID).Password != ownHash {
		t.Errorf("the name is %q's", id)
	}
	byHash := func(a, b authcore.Record) int { return slices.Compare(a.Erased.Hash[:], b.Erased.Hash[:]) }
	slices.SortFunc(records, byHash)
	if diff := cmp.Diff(records, erasedOf(second.export(false))); diff != "" {
		t.Errorf("what is kept: %s", diff)
	}
	late := authcore.User{ID: guestID, UserName: "GONE", Password: ownHash, Mobile: ownPhone}
	report, _ = second.take([]authcore.Record{{User: &owner}, {User: &late}}, authcore.ImportConfig{})
	if diff := cmp.Diff([]string{"1 the user name was given up"}, reasons(report)); diff != "" || report.Unchanged != 1 || report.Created != 1 {
		t.Errorf("%+v, %s", report, diff)
	}
}

// A token that a game resumed its session with is as good after a move, and as long.
func TestMoveOfAResumedToken(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	grant, err := w.Refresh(t.Context(), mainClient, phone, p.session)
	want(t, "refresh", err, nil)
	spent := authcore.HashToken(p.session)
	until := w.clock.Now().UTC().Add(time.Minute)
	w.write(func(tx authcore.Tx) {
		r, err := tx.Retired(spent)
		want(t, "the token of before", err, nil)
		r.GoodUntil = until
		tx.RetireToken(spent, r)
	})
	w.freeze(true)
	to := newWorldUnder(t, w)
	to.take(w.export(true), authcore.ImportConfig{Keys: w.ring()})
	to.see(func(tx authcore.Tx) error {
		r, err := tx.Retired(spent)
		if !r.GoodUntil.Equal(until) {
			t.Errorf("after the move: %+v", r)
		}
		return err
	})
	want(t, "the session", to.admit(to.guard(), grant.Token.Reveal()), nil)
}
