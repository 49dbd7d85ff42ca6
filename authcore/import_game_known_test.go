package authcore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/qqauth/qqauth/authcore"
)

// TestImportOfGameWaysOfAKnownUser: what is here stays, what is missing is added, and
// a new way in ends the user's sessions.
func TestImportOfGameWaysOfAKnownUser(t *testing.T) {
	devices := func(ids ...string) (list []authcore.Device) {
		for _, id := range ids {
			list = append(list, deviceOf(id))
		}
		return list
	}
	for name, tt := range map[string]struct {
		both
		unfound   bool // here, the user is found by neither name nor device
		ends      bool
		changes   bool
		conflicts int
	}{
		"the same": {both: both{
			here:   authcore.User{UserName: "jonny", Password: ownHash, Devices: devices("1")},
			coming: authcore.User{UserName: "Jonny", Password: ownHash, Devices: devices("1", "1")},
			want:   authcore.User{UserName: "jonny", Password: ownHash, Devices: devices("1")},
		}},
		"another name and password": {both: both{
			here:   authcore.User{UserName: "jonny", Password: ownHash},
			coming: authcore.User{UserName: "johnny", Password: otherHash}, want: authcore.User{UserName: "jonny", Password: ownHash},
		}},
		"another password": {both: both{
			here:   authcore.User{UserName: "jonny", Password: ownHash},
			coming: authcore.User{UserName: "jonny", Password: otherHash}, want: authcore.User{UserName: "jonny", Password: ownHash},
		}},
		"another name's password": {both: both{
			here: authcore.User{UserName: "jonny"}, coming: authcore.User{UserName: "johnny", Password: otherHash}, want: authcore.User{UserName: "jonny"},
		}},
		"a password without a name": {both: both{
			here: authcore.User{UserName: "jonny"}, coming: authcore.User{Password: otherHash}, want: authcore.User{UserName: "jonny"},
		}},
		"the password of the name": {changes: true, ends: true, both: both{
			here:   authcore.User{UserName: "jonny"},
			coming: authcore.User{UserName: "JONNY", Password: otherHash}, want: authcore.User{UserName: "jonny", Password: otherHash},
		}},
		"a name": {changes: true, both: both{
			coming: authcore.User{UserName: "jonny"}, want: authcore.User{UserName: "jonny"},
		}},
		"a name and a password": {changes: true, ends: true, both: both{
			coming: authcore.User{UserName: "jonny", Password: ownHash}, want: authcore.User{UserName: "jonny", Password: ownHash},
		}},
		"a name that was given up": {conflicts: 1, both: both{coming: authcore.User{UserName: "gone", Password: ownHash}}},
		"one's own name that was given up": {unfound: true, changes: true, both: both{
			here: authcore.User{UserName: "gone"}, coming: authcore.User{UserName: "gone"}, want: authcore.User{UserName: "gone"},
		}},
		"a name and a device of another user": {conflicts: 2, both: both{
			here: authcore.User{Devices: devices("1")}, coming: authcore.User{UserName: "taken", Password: ownHash, Devices: devices("taken")},
			want: authcore.User{Devices: devices("1")},
		}},
		"a device": {changes: true, ends: true, both: both{
			here: authcore.User{Devices: devices("1")}, coming: authcore.User{Devices: devices("2", "1")}, want: authcore.User{Devices: devices("1", "2")},
		}},
		"what was asked for": {both: both{
			coming: authcore.User{Home: mainClient, Requested: map[string]string{"vip": "yes"}},
		}},
		"ways by which the user was not found": {unfound: true, changes: true, both: both{
			here:   authcore.User{UserName: "jonny", Devices: devices("1")},
			coming: authcore.User{UserName: "Jonny", Devices: devices("1")}, want: authcore.User{UserName: "jonny", Devices: devices("1")},
		}},
		"a name of before that nobody may have": {unfound: true, both: both{
			here: authcore.User{UserName: "xx"}, coming: authcore.User{UserName: "xx", Password: ownHash}, want: authcore.User{UserName: "xx"},
		}},
	} {
		t.Run(name, func(t *testing.T) { tt.runGame(t, tt.unfound, tt.changes, tt.ends, tt.conflicts) })
	}
}

func (b both) runGame(t *testing.T, unfound, changes, ends bool, conflicts int) {
	w := newWorld(t)
	w.take([]authcore.Record{{User: &authcore.User{
		ID: strangerID, UserName: "taken", Password: ownHash, Devices: []authcore.Device{deviceOf("taken")},
	}}}, authcore.ImportConfig{})
	p := w.newPlayer()
	own := w.userRecord(p.user)
	b.here.ID, b.here.Created, b.here.Links = own.ID, own.Created, own.Links
	w.changeUser(p.user, func(u *authcore.User) { *u = b.here })
	w.write(func(tx authcore.Tx) {
		ring := w.keys.Ring()
		tx.PutErased(authcore.Erased{Hash: authcore.ErasedHash(authcore.UserNameHandle(ring, "gone")), At: w.clock.Now()})
		if unfound {
			return
		}
		if b.here.UserName != "" {
			tx.PutHandle(authcore.UserNameHandle(ring, b.here.UserName), p.user)
		}
		for _, d := range b.here.Devices {
			tx.PutHandle(authcore.DeviceHandle(ring, &d), p.user)
		}
	})
	b.coming.ID = p.user
	for n := range 2 {
		report, _ := w.take([]authcore.Record{{User: &b.coming}}, authcore.ImportConfig{})
		if n == 0 && (report.Changed == 1) != changes || n == 1 && report.Changed > 0 || len(report.Conflicts) != conflicts {
			t.Errorf("import %d: %+v", n, report)
		}
	}
	b.want.ID, b.want.Created, b.want.Links = own.ID, own.Created, own.Links
	got := w.userRecord(p.user)
	if diff := cmp.Diff(b.want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the user: %s", diff)
	}
	if len(got.UserName) > 2 && w.nameFinds(got.UserName) != p.user {
		t.Errorf("%s finds %q", got.UserName, w.nameFinds(got.UserName))
	}
	for _, d := range got.Devices {
		if id := w.deviceFinds(d); id != p.user {
			t.Errorf("a device finds %q", id)
		}
	}
	wanted := error(nil)
	if ends {
		wanted = authcore.ErrSession
	}
	want(t, "the user's session", w.admit(w.guard(), p.session), wanted)
}
