package authcore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// TestDeviceIdentity: whoever plays on a device is found by client, OS and id, and
// by nothing that looks like the three put together.
func TestDeviceIdentity(t *testing.T) {
	w := newWorld(t, games)
	type identity struct {
		client authcore.ClientID
		os, id string
	}
	users := make(map[authcore.UserID]identity)
	for _, i := range []identity{
		{mainClient, "IOS", "an id of a device"}, {receiverClient, "IOS", "an id of a device"},
		{secondClient, "IOS", "an id of a device"}, {mainClient, "ANDROID", "an id of a device"},
		{mainClient, "ios", "an id of a device"}, {mainClient, "IOS", "another id of a device"},
		{mainClient, "IOSa", "n id of a device"}, {mainClient, "IO", "San id of a device"},
		{mainClient, "IOS", "AN ID OF A DEVICE"},
	} {
		var first authcore.UserID
		for n := range 3 {
			p, err := w.LoginDevice(t.Context(), i.client, phone, authcore.DeviceLogin{OS: i.os, ID: i.id})
			w.played(p, err)
			if n == 0 {
				first = p.User
			}
			if p.User != first || p.Created != (n == 0) {
				t.Errorf("login %d by %+v is %s, created %t; want %s", n, i, p.User, p.Created, first)
			}
			w.clock.step(time.Hour)
		}
		if other, taken := users[first]; taken {
			t.Errorf("%+v and %+v are one user", i, other)
		}
		users[first] = i
	}
	if got := w.audit.count(authcore.AuditUserCreated); got != len(users) {
		t.Errorf("%d users audited as created; want %d", got, len(users))
	}
}

func TestRefusedDevices(t *testing.T) {
	w := newWorld(t, games)
	for name, d := range map[string]authcore.DeviceLogin{
		"7 characters":       {OS: "IOS", ID: "1234567"},
		"3 of 3 bytes":       {OS: "IOS", ID: "设备号"},
		"none":               {OS: "IOS"},
		"257 bytes":          {OS: "IOS", ID: strings.Repeat("x", 257)},
		"no UTF-8":           {OS: "IOS", ID: "12345678\xff"},
		"a control":          {OS: "IOS", ID: "1234\x005678"},
		"a control of C1":    {OS: "IOS", ID: "1234\u00855678"},
		"no system":          {ID: "a good device id"},
		"a long system":      {OS: strings.Repeat("x", 33), ID: "a good device id"},
		"a control system":   {OS: "I\nOS", ID: "a good device id"},
		"a broken system":    {OS: "\xff", ID: "a good device id"},
		"shared":             {OS: "ANDROID", ID: "9774d56d682e549c"},
		"shared, in capital": {OS: "IOS", ID: "9774D56D682E549C"},
		"zeros":              {OS: "IOS", ID: "00000000"},
		"a UUID of zeros":    {OS: "IOS", ID: "00000000-0000-0000-0000-000000000000"},
		"a MAC of zeros":     {OS: "IOS", ID: "00:00:00:00:00:00"},
		"hyphens":            {OS: "IOS", ID: "--------"},
		"spaces":             {OS: "IOS", ID: "        "},
		"wide zeros":         {OS: "IOS", ID: "００００００００"},
		"a UUID of ones":     {OS: "IOS", ID: "FFFFFFFF-ffff-ffff-ffff-ffffffffffff"},
		"the MAC of all":     {OS: "ANDROID", ID: "02:00:00:00:00:00"},
		"a serial of all":    {OS: "ANDROID", ID: "0123456789ABCDEF"},
		"no id":              {OS: "IOS", ID: "undefined"},
		"no text":            {OS: "IOS", ID: "[object Object]"},
	} {
		before := w.audit.count(authcore.AuditLoginRefused)
		p, err := w.LoginDevice(t.Context(), mainClient, phone, d)
		want(t, name, err, authcore.ErrDevice)
		if p.Status != "" || !p.Grant.Token.IsZero() || p.User != "" {
			t.Errorf("%s: %+v", name, p)
		}
		refused := w.audit.audited(authcore.AuditLoginRefused)
		if len(refused) != before+1 || refused[before].Status != "device" || refused[before].Client != mainClient {
			t.Errorf("%s is audited as %+v", name, refused)
		}
		if len(d.ID) > 6 {
			w.tellsNothing(err, d.ID)
		}
	}
	if users, sessions, _ := w.dump(); len(users)+len(sessions) != 0 {
		t.Errorf("what was refused left %+v, %+v", users, sessions)
	}
	for name, d := range map[string]authcore.DeviceLogin{
		"8 characters": {OS: "IOS", ID: "12345678"},
		"8 of 3 bytes": {OS: "IOS", ID: "一台设备的编号哦"},
		"256 bytes":    {OS: strings.Repeat("x", 32), ID: strings.Repeat("x", 256)},
		"almost zeros": {OS: "IOS", ID: "00000000-0000-0000-0000-000000000001"},
		"a space":      {OS: "Windows Phone", ID: "an id of 系统"},
	} {
		_, err := w.LoginDevice(t.Context(), mainClient, phone, d)
		want(t, name, err, nil)
	}
}

// TestDeviceProvesTheDevice: whoever the player is by now, a login by the device
// opens no guard that does not allow it.
func TestDeviceProvesTheDevice(t *testing.T) {
	w := newWorld(t, games)
	first := w.guest("one")
	linked := w.connected(first.sid, w.newAccount())
	if linked.user != first.user {
		t.Fatalf("linked as %s; want %s", linked.user, first.user)
	}
	want(t, "the session that QQ proved", w.admit(w.guard(), linked.session), nil)
	p := w.guest("one")
	if p.user != first.user {
		t.Fatalf("the device is %s's; want %s's", p.user, first.user)
	}
	if got := w.session(p.sid).Methods; !slices.Equal(got, []authcore.Method{authcore.MethodDevice}) {
		t.Errorf("amr = %v", got)
	}
	allow := func(m authcore.Method) *authcore.Guard {
		return w.guard(func(cfg *authcore.GuardConfig) { cfg.Allow = []authcore.Method{m} })
	}
	want(t, "a guard", w.admit(w.guard(), p.session), authcore.ErrDenied)
	want(t, "one that allows passwords", w.admit(allow(authcore.MethodPassword), p.session), authcore.ErrDenied)
	want(t, "one that allows devices", w.admit(allow(authcore.MethodDevice), p.session), nil)
	_, err := w.guard().Identify(t.Context(), p.session, "")
	want(t, "identifying", err, authcore.ErrDenied)
	if _, claims := w.assertion(allow(authcore.MethodDevice), p.session); !slices.Equal(claims.Methods, []string{"device"}) {
		t.Errorf("the assertion says %v", claims.Methods)
	}
	strict := w.guard(anyMethod, func(cfg *authcore.GuardConfig) { cfg.RequireMFA = true })
	want(t, "one that wants a second factor", w.admit(strict, p.session), authcore.ErrDenied)
}

// TestArrivalsAreLimited is contract 8.
func TestArrivalsAreLimited(t *testing.T) {
	w := newWorld(t, games)
	arrive := func(caller authcore.Caller, id string) error {
		_, err := w.LoginDevice(t.Context(), mainClient, caller, aDevice(id))
		return err
	}
	for n := range 300 {
		want(t, "an arrival", arrive(phone, fmt.Sprint(n)), nil)
	}
	users, _, _ := w.dump()
	err := arrive(phone, "one more")
	want(t, "the 301st", err, authcore.ErrLimited)
	after, ok := authcore.RetryAfter(err)
	if !ok || after < 59*time.Minute || after > 61*time.Minute {
		t.Errorf("retry after %s, %t; want an hour", after, ok)
	}
	if now, _, _ := w.dump(); len(now) != len(users) {
		t.Error("what was refused has left a user")
	}
	_, err = w.RegisterPlayer(t.Context(), mainClient, phone, authcore.Registration{PasswordLogin: credentials("alice", "pw")})
	want(t, "a registration from there", err, authcore.ErrLimited)
	_, err = w.LoginDevice(t.Context(), secondClient, phone, aDevice("at another client"))
	want(t, "an arrival at another client", err, authcore.ErrLimited)
	for n := range 300 {
		want(t, "a known device", arrive(phone, fmt.Sprint(n)), nil)
	}
	want(t, "an arrival from elsewhere", arrive(from(1), "one more"), nil)
	want(t, "an arrival by QQ", func() error {
		_, err := w.ConnectQQ(t.Context(), mainClient, phone, authcore.QQConnect{Token: w.newAccount().access})
		return err
	}(), nil)
	cfg := w.cfg
	cfg.Limits.Off = true
	_, err = w.service(cfg).LoginDevice(t.Context(), mainClient, phone, aDevice("without limits"))
	want(t, "an arrival without limits", err, nil)
	w.clock.step(after)
	want(t, "when there is room again", arrive(phone, "later"), nil)
}

// TestArrivalsInAnyWindow: whenever they come, there are no more in an hour.
func TestArrivalsInAnyWindow(t *testing.T) {
	const most = 4
	w := newWorld(t, games, func(cfg *authcore.Config) { cfg.Limits.Arrivals = most })
	random := rand.New(rand.NewPCG(4, 2))
	home := phone
	home.Addr = netip.MustParseAddr("2001:db8::1")
	var came []time.Time
	refused := 0
	for n := range 300 {
		w.clock.step(time.Duration(random.Int64N(int64(20 * time.Minute))))
		home.Addr = home.Addr.Next() // whoever has one has the /64
		_, err := w.LoginDevice(t.Context(), mainClient, home, aDevice(fmt.Sprint(n)))
		if errors.Is(err, authcore.ErrLimited) {
			refused++
			continue
		}
		want(t, "an arrival", err, nil)
		came = append(came, w.clock.Now())
		if i := len(came) - 1 - most; i >= 0 && came[i+most].Sub(came[i]) < time.Hour {
			t.Fatalf("%d arrivals in %s", most+1, came[i+most].Sub(came[i]))
		}
	}
	if refused == 0 || len(came) < 100 {
		t.Errorf("%d came, %d were refused", len(came), refused)
	}
}

// TestDeviceArrivesOnce: a game that sends everything twice makes one user.
func TestDeviceArrivesOnce(t *testing.T) {
	w := newWorld(t, games)
	plays := make([]authcore.Play, 50)
	together(len(plays), func(i int) {
		var err error
		plays[i], err = w.LoginDevice(t.Context(), mainClient, phone, aDevice("one"))
		want(t, "login", err, nil)
	})
	created := 0
	for _, p := range plays {
		if p.User != plays[0].User {
			t.Errorf("users %s and %s", p.User, plays[0].User)
		}
		if p.Created {
			created++
		}
	}
	if users, _, _ := w.dump(); len(users) != 1 || created != 1 || w.audit.count(authcore.AuditUserCreated) != 1 {
		t.Errorf("%d users, %d times created", len(users), created)
	}
}

// TestWhoTakesNoArrivals: where QQ's word is not enough to become a user, a device is
// no way around it.
func TestWhoTakesNoArrivals(t *testing.T) {
	for name, change := range map[string]func(*authcore.Config){
		"register": unknownUser(authcore.UnknownRegister), "bind": unknownUser(authcore.UnknownBind),
		"deny": unknownUser(authcore.UnknownDeny), "refuse": unknownUser(authcore.UnknownRefuse),
		"a second factor": mfa(authcore.WayPhone),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, games)
			known := w.guest("known")
			cfg := w.cfg
			cfg.Clients = slices.Clone(cfg.Clients)
			change(&cfg)
			w.Service = w.service(cfg)
			before := w.contents()
			for _, current := range []authcore.SessionID{"", known.sid} {
				in := aDevice("new")
				in.Current = current
				p, err := w.LoginDevice(t.Context(), mainClient, phone, in)
				if err != nil || p.Status != authcore.StatusAccessDenied || !p.Grant.Token.IsZero() || p.Created || p.StateToken != "" {
					t.Errorf("a new device: %+v, %v", p, err)
				}
				reg := authcore.Registration{PasswordLogin: credentials("alice", "pw")}
				reg.Current = current
				p, err = w.RegisterPlayer(t.Context(), mainClient, phone, reg)
				if err != nil || p.Status != authcore.StatusAccessDenied || !p.Grant.Token.IsZero() || p.Created {
					t.Errorf("a registration: %+v, %v", p, err)
				}
			}
			if w.contents() != before {
				t.Error("what was denied has left something")
			}
			p, err := w.LoginDevice(t.Context(), mainClient, phone, aDevice("known"))
			wanted := authcore.StatusSuccess
			if name == "a second factor" {
				wanted = authcore.StatusAccessDenied // there is none yet, and QQ has not spoken
			}
			if err != nil || p.Status != wanted {
				t.Errorf("a known device: %+v, %v; want %s", p, err, wanted)
			}
		})
	}
}

// TestDeviceWithASecondFactor: nothing happens before it.
func TestDeviceWithASecondFactor(t *testing.T) {
	w := newCodeWorld(t, games)
	p, other := w.guest("one"), w.guest("other")
	w.give(p.user, ownPhone)
	cfg := w.cfg
	cfg.Clients = slices.Clone(cfg.Clients)
	mfa(authcore.WayPhone)(&cfg)
	w.Service = w.service(cfg)
	in := aDevice("one")
	in.Current = other.sid
	play, err := w.LoginDevice(t.Context(), mainClient, phone, in)
	if err != nil || play.Status != authcore.StatusMFAAuth || !play.Grant.Token.IsZero() || play.Session != "" || play.User != "" {
		t.Fatalf("login = %+v, %v", play, err)
	}
	want(t, "the player who was signed in", w.admit(w.guard(anyMethod), other.session), nil)
	done := w.finish(w.FinishMFA, play.Outcome, ownPhone, w.code("MFA_AUTH_SMS", ownPhone), authcore.StatusSuccess)
	if got := w.methods(done); got != "device sms" || w.idToken(done.Grant.IDToken).Subject != string(p.user) {
		t.Errorf("the session is proved by %q", got)
	}
	want(t, "the player who was signed in, afterwards", w.admit(w.guard(anyMethod), other.session), authcore.ErrSession)
	want(t, "a guard that wants a second factor", w.admit(w.guard(func(cfg *authcore.GuardConfig) {
		cfg.RequireMFA = true
	}), done.Grant.Token.Reveal()), nil)
}

func TestDisabledPlayerOnADevice(t *testing.T) {
	w := newWorld(t, games)
	p, current := w.guest("one"), w.guest("current")
	want(t, "disable", w.Disable(t.Context(), p.user), nil)
	in := aDevice("one")
	in.Current = current.sid
	play, err := w.LoginDevice(t.Context(), mainClient, phone, in)
	want(t, "login", err, authcore.ErrUserDisabled)
	if play.User != "" || !play.Grant.Token.IsZero() {
		t.Errorf("told: %+v", play)
	}
	want(t, "the player who was signed in", w.admit(w.guard(anyMethod), current.session), nil)
	if got := sole(t, w.audit.audited(authcore.AuditLoginRefused)); got.Status != "disabled" {
		t.Errorf("audited as %+v", got)
	}
	want(t, "enable", w.Enable(t.Context(), p.user), nil)
	if w.guest("one").user != p.user {
		t.Error("the device is somebody else's now")
	}
}

// TestSwitchByDevice ends the session that was left, if it is another player's of
// this client.
func TestSwitchByDevice(t *testing.T) {
	w := newWorld(t, games)
	g := w.guard(anyMethod)
	known := w.guest("known")
	elsewhere := w.played(w.LoginDevice(t.Context(), receiverClient, phone, aDevice("elsewhere")))
	for _, test := range []struct {
		name, device string
		current      func() player
		want         error // of the session that was current
		left         int
	}{
		{"another player", "known", func() player { return w.guest("one") }, authcore.ErrSession, 1},
		{"a new one", "new", func() player { return w.guest("two") }, authcore.ErrSession, 1},
		{"the same", "known", func() player { return known }, nil, 0},
		{"of another client", "known", func() player { return elsewhere }, nil, 0},
	} {
		current, before := test.current(), w.audit.count(authcore.AuditPlayerSwitched)
		live, err := g.Admit(t.Context(), current.session, "")
		want(t, "a request of the current one", err, nil)
		in := aDevice(test.device)
		in.Current = current.sid
		p := w.played(w.LoginDevice(t.Context(), mainClient, phone, in))
		want(t, test.name+": the session left", w.admit(g, current.session), test.want)
		want(t, test.name+": the new session", w.admit(g, p.session), nil)
		switched := w.audit.audited(authcore.AuditPlayerSwitched)[before:]
		if len(switched) != test.left || test.left == 1 && (switched[0].From != current.user || switched[0].User != p.user) {
			t.Errorf("%s is audited as %+v", test.name, switched)
		}
		if test.want != nil {
			awaitEnd(t, live)
		}
		live.Release()
	}
}

// TestNameOfAGuest is given once, when the user is made, and as far as it is good.
func TestNameOfAGuest(t *testing.T) {
	w := newWorld(t, games)
	for name, bad := range map[string]string{
		"65 characters": strings.Repeat("名", 65), "a control": "a\nb", "no UTF-8": "\xff",
	} {
		in := aDevice("one")
		in.Name = bad
		_, err := w.LoginDevice(t.Context(), mainClient, phone, in)
		want(t, name, err, authcore.ErrName)
	}
	in := aDevice("one")
	in.Name = strings.Repeat("名", 64)
	p, err := w.LoginDevice(t.Context(), mainClient, phone, in)
	if w.played(p, err); p.Name != in.Name || !p.Created {
		t.Errorf("the guest is %+v; want %s", p, in.Name)
	}
	again := aDevice("one")
	again.Name = "another"
	if p, err = w.LoginDevice(t.Context(), mainClient, phone, again); err != nil || p.Name != in.Name {
		t.Errorf("a known guest is %q, %v; want the name of before", p.Name, err)
	}
	if p = w.mustPlay(w.LoginDevice(t.Context(), mainClient, phone, aDevice("nameless"))); p.Name != "" {
		t.Errorf("without a name: %q", p.Name)
	}
	cfg := w.cfg
	cfg.Clients = slices.Clone(cfg.Clients)
	clientOf(&cfg, mainClient).Claims = nil
	if p, err = w.service(cfg).LoginDevice(t.Context(), mainClient, phone, aDevice("one")); err != nil || p.Name != "" {
		t.Errorf("a client without the claim gets %q, %v", p.Name, err)
	}
}

// mustPlay is a login that must have succeeded.
func (w *world) mustPlay(p authcore.Play, err error) authcore.Play {
	w.t.Helper()
	w.played(p, err)
	return p
}

// TestSegmentsThatADeviceAsksFor go back to the game and to nobody else.
func TestSegmentsThatADeviceAsksFor(t *testing.T) {
	w := newWorld(t, games)
	many := make(map[string]string)
	for i := range 33 {
		many[fmt.Sprint("n", i)] = "v"
	}
	for name, bad := range map[string]map[string]string{
		"33 of them": many, "an empty name": {"": "v"}, "a name of 65": {strings.Repeat("n", 65): "v"},
		"a long value": {"n": strings.Repeat("v", 257)}, "a control": {"n": "a\nb"}, "a control in a name": {"a\nb": "v"},
		"no UTF-8": {"n": "\xff"},
	} {
		in := aDevice("one")
		in.Segments = bad
		_, err := w.LoginDevice(t.Context(), mainClient, phone, in)
		want(t, name, err, authcore.ErrSegments)
	}
	in := aDevice("one")
	in.Segments = map[string]string{"tier": "gold", "名 前": strings.Repeat("v", 256)}
	p := w.played(w.LoginDevice(t.Context(), mainClient, phone, in))
	in.Segments = map[string]string{"tier": "platinum"}
	p = w.played(w.LoginDevice(t.Context(), mainClient, phone, in)) // asked for too late
	account, err := w.Account(t.Context(), mainClient, p.sid)
	if err != nil || len(account.Requested) != 2 || account.Requested["tier"] != "gold" {
		t.Errorf("the game gets %+v, %v", account, err)
	}
	if u := w.userRecord(p.user); len(u.Segments) != 0 || u.Home != mainClient {
		t.Errorf("the user is %+v", u)
	}
	golden := w.guard(anyMethod, func(cfg *authcore.GuardConfig) { cfg.Segments = map[string]string{"tier": "gold"} })
	want(t, "a guard that wants the segment", w.admit(golden, p.session), authcore.ErrDenied)
	if _, claims := w.assertion(w.guard(anyMethod), p.session); len(claims.Segments) != 0 {
		t.Errorf("the assertion says %v", claims.Segments)
	}
	want(t, "the administrator's", w.SetSegments(t.Context(), p.user, map[string]string{"tier": "gold"}), nil)
	want(t, "the guard afterwards", w.admit(golden, p.session), nil)
}

func TestDeviceLoginIsForGames(t *testing.T) {
	w := newWorld(t, games)
	for client, expected := range map[authcore.ClientID]error{
		foreignClient: authcore.ErrDenied, "nobody": authcore.ErrUnknownClient, mainClient: nil,
	} {
		_, err := w.LoginDevice(t.Context(), client, phone, aDevice("one"))
		want(t, string(client)+", by device", err, expected)
		_, err = w.RegisterPlayer(t.Context(), client, phone, authcore.Registration{PasswordLogin: credentials("alice", "pw")})
		want(t, string(client)+", registering", err, expected)
		if expected != nil {
			_, err = w.LoginPassword(t.Context(), client, phone, credentials("alice", "pw"))
			want(t, string(client)+", by password", err, expected)
		}
	}
	w.store.refuseWrites(authcore.ErrUnavailable)
	_, err := w.LoginDevice(t.Context(), mainClient, phone, aDevice("one"))
	want(t, "a store without room", err, authcore.ErrUnavailable)
	w.store.refuseWrites(nil)
	w.store.fail(authcore.ErrUnavailable)
	_, err = w.LoginDevice(t.Context(), mainClient, phone, aDevice("one"))
	want(t, "a store that is away", err, authcore.ErrUnavailable)
}

// TestDeviceWhoseOwnerDoesNotSaySo: one record without the other is damage, and opens
// nothing.
func TestDeviceWhoseOwnerDoesNotSaySo(t *testing.T) {
	w := newWorld(t, games)
	p := w.guest("one")
	for name, change := range map[string]func(*authcore.User){
		"none":              func(u *authcore.User) { u.Devices = nil },
		"of another client": func(u *authcore.User) { u.Devices[0].Client = receiverClient },
		"another system":    func(u *authcore.User) { u.Devices[0].OS = "ANDROID" },
		"another id":        func(u *authcore.User) { u.Devices[0].ID += "x" },
	} {
		u := w.userRecord(p.user)
		w.changeUser(p.user, change)
		_, err := w.LoginDevice(t.Context(), mainClient, phone, aDevice("one"))
		want(t, name, err, authcore.ErrDamaged)
		w.write(func(tx authcore.Tx) { tx.PutUser(u) })
	}
	w.guest("one")
}

// TestTransactionOfADeviceLoginRunsAgain: what it decided first does not count.
func TestTransactionOfADeviceLoginRunsAgain(t *testing.T) {
	w := newWorld(t, games)
	w.store.twice.Store(true)
	p, err := w.LoginDevice(t.Context(), mainClient, phone, aDevice("one"))
	if w.played(p, err); !p.Created {
		t.Error("not created")
	}
	if p = w.mustPlay(w.LoginDevice(t.Context(), mainClient, phone, aDevice("one"))); p.Created {
		t.Error("created twice")
	}
	if users, sessions, _ := w.dump(); len(users) != 1 || len(sessions) != 2 {
		t.Errorf("%d users, %d sessions; want 1 and 2", len(users), len(sessions))
	}
}
