package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// Fixture is one new, empty store.
type Fixture struct {
	Store authcore.Store
	// Reopen closes Store and opens what it kept again, as a new process would;
	// it sets Store and returns it. The opener closes what it opened when its
	// test ends.
	Reopen func(t *testing.T) authcore.Store
}

// Run runs the suite. open makes a new, empty store for the test it is given.
func Run(t *testing.T, open func(t *testing.T) *Fixture) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *Fixture)
	}{
		{"absent records", testAbsent},
		{"users", testUsers},
		{"links", testLinks},
		{"link faults", testLinkFaults},
		{"handles", testHandles},
		{"handle faults", testHandleFaults},
		{"access tokens", testAccess},
		{"unions", testUnions},
		{"sessions", testSessions},
		{"session refresh", testRefresh},
		{"session list", testSessionList},
		{"sessions without a user", testOrphan},
		{"sessions at a device", testSessionsAt},
		{"stamps", testStamps},
		{"archive", testArchive},
		{"tickets", testTickets},
		{"pending logins", testPendings},
		{"waiting logins", testWaiting},
		{"pending logins of a user", testPendingsOf},
		{"codes", testCodes},
		{"captchas", testCaptchas},
		{"counters", testCounters},
		{"the erased", testErased},
		{"guests", testGuests},
		{"many guests", testManyGuests},
		{"deleting a user", testDeleteUser},
		{"deleting a user with old sessions", testDeleteUserWithOldSessions},
		{"ring", testRing},
		{"ownership", testOwnership},
		{"rollback", testRollback},
		{"read your writes", testReadYourWrites},
		{"functions run again", testRunAgain},
		{"writing in a view", testWriteInView},
		{"panics", testPanic},
		{"contexts", testContext},
		{"snapshots", testSnapshot},
		{"volatile", testVolatile},
		{"reopen", testReopen},
		{"freezing", testFreeze},
		{"after close", testClosed},
		{"one user for one identity", testFirstLogins},
		{"one user for one handle", testClaims},
		{"one redemption for one ticket", testRedemptions},
		{"no lost update", testTransfers},
		{"no write skew", testWriteSkew},
		{"no phantom", testPhantom},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// base is the time that the records are made at: now, because a store may let go
// of what has expired.
var base = time.Now().UTC().Truncate(time.Microsecond)

func hash(parts ...any) (h [32]byte) { return sha256.Sum256([]byte(fmt.Sprint(parts...))) }

func user(id authcore.UserID, identities ...authcore.IdentityHash) authcore.User {
	u := authcore.User{
		ID: id, Created: base, Epoch: 2,
		UserName: "name-" + string(id), DisplayName: "显示名", Mobile: "+86-15201657321", Email: "a@example.com",
		MobileVia: []authcore.ClientID{"client", "another"}, EmailVia: []authcore.ClientID{"client"},
		Segments: map[string]string{"tier": "gold"},
		Password: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", Home: "client", Requested: map[string]string{"vip": "yes"},
		Devices: []authcore.Device{
			{Client: "client", OS: "ios", ID: "device-" + string(id), Since: base},
			{Client: "another", OS: "android", ID: "device-" + string(id), Since: base.Add(time.Minute)},
		},
	}
	for i, h := range identities {
		l := link(h, authcore.AppID(fmt.Sprint(101+i)))
		l.SyncName = i == 0
		u.Links = append(u.Links, l)
	}
	return u
}

func link(h authcore.IdentityHash, app authcore.AppID) authcore.Link {
	return authcore.Link{Identity: h, App: app, OpenID: "OPENID", UnionID: "UNIONID", Since: base}
}

func session(id authcore.SessionID, owner authcore.UserID, token any) authcore.Session {
	return authcore.Session{
		ID: id, Token: hash("token", token), User: owner, Client: "client", Device: hash("device"),
		Methods: []authcore.Method{authcore.MethodQQ}, AuthTime: base, Issued: base, Expires: base.Add(time.Hour),
		Epoch: 2, Parent: "parent", Previous: hash("previous"), Used: true, Idle: time.Hour + time.Nanosecond,
		LastUse: base.Add(-time.Minute), OS: "os", Agent: "agent", IP: "192.0.2.1", DeviceIP: "192.0.2.2",
	}
}

func line(s authcore.Session) authcore.SessionRef {
	return authcore.SessionRef{
		ID: s.ID, Token: s.Token, Client: s.Client, Issued: s.Issued, Expires: s.Expires, Parent: s.Parent,
	}
}

// run is one run of a function in a store, which may run it again: only what the
// last run finds wrong counts.
type run struct {
	reporter
	found []string
}

func (r *run) Errorf(format string, args ...any) {
	r.found = append(r.found, fmt.Sprintf(format, args...))
}

// reporter is a test, or one run.
type reporter interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func update(t reporter, s authcore.Store, fn func(*run, authcore.Tx)) {
	t.Helper()
	inside(t, "Update", s.Update, fn)
}

func view(t reporter, s authcore.Store, fn func(*run, authcore.Tx)) {
	t.Helper()
	inside(t, "View", s.View, fn)
}

// inside reports what the last run of fn found wrong.
func inside(t reporter, what string, call func(context.Context, func(authcore.Tx) error) error, fn func(*run, authcore.Tx)) {
	t.Helper()
	var last *run
	err := call(t.Context(), func(tx authcore.Tx) error {
		last = &run{reporter: t}
		fn(last, tx)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for _, found := range last.found {
		t.Errorf("%s", found)
	}
}

// want compares what a read answered. It does not end the test, because it runs
// inside transactions.
func want[T any](t reporter, what string, got T, err error, wanted T) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// wantErr checks an error that must be target.
func wantErr(t reporter, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got error %v, want %v", what, err, target)
	}
}
