package authcore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/pgstore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// onPostgres opens a world's store in a database of its own.
func onPostgres(w *world) (authcore.Store, error) {
	target, err := pgstore.ParseDSN(pgtest.Database(w.t))
	if err != nil {
		return nil, err
	}
	return pgstore.Open(w.t.Context(), pgstore.Config{Target: target, Vault: w.keys})
}

// onBoth runs a test of races on either store: they order transactions in different
// ways.
func onBoth(t *testing.T, test func(t *testing.T, w *world, postgres bool)) {
	t.Run("badger", func(t *testing.T) {
		test(t, newWorldOn(t, onBadger, atGames, unlimited), false)
	})
	t.Run("postgres", func(t *testing.T) {
		pgtest.Require(t)
		test(t, newWorldOn(t, onPostgres, atGames, unlimited), true)
	})
}

func unlimited(cfg *authcore.Config) { cfg.Limits.Off = true }

// someOrder is the judge of races. Requests that run at once may be answered as if
// they had run one after the other, in any order: then each answer is the one that
// its place in the order gives, and what is there in the end is what the order
// leaves. The judge tries every order on a model that holds no more than the
// contract says: whose QQ account is whose, which sessions live, and which of them
// rest on a device alone.
type someOrder struct {
	w        *world
	players  []player // by session that is there before, so some of them more than once
	device   []bool   // by session, too: it rests on a device alone
	accounts []player
	asked    []request
	answers  []answer
}

// request is one request of a race. Players, sessions and accounts are numbers.
type request struct {
	disconnect, unlink bool // otherwise it connects
	account            int  // for unlink, too
	session            int  // -1 is none
	flags              authcore.LinkFlags
}

func (r request) String() string {
	switch {
	case r.disconnect:
		return fmt.Sprintf("disconnect(session %d)", r.session)
	case r.unlink:
		return fmt.Sprintf("unlink(account %d, session %d)", r.account, r.session)
	}
	return fmt.Sprintf("connect(account %d, session %d, L=%t E=%t W=%t N=%t)", r.account, r.session,
		r.flags.DoNotLink, r.flags.ErrorOnSwitch, r.flags.SwitchIfPossible, r.flags.DoNotCreate)
}

// nobody is the number of no player and no session.
const nobody = -1

// answer is what a request came to. A player who was there before has the number of
// the last of their sessions; whoever was made by request i is number newcomer+i.
type answer struct {
	player  int
	created bool
	refused authcore.Refusal
	owner   int // of whom a refusal tells
	err     error
}

const newcomer = 1000

// state is the model, or what it is compared with.
type state struct {
	owners   []int       // by account
	password []bool      // by session that was there before
	device   []bool      // by session that was there before: nothing else proves it
	sessions map[int]int // player by living session; newcomer+i is that of request i
}

func (s state) clone() state {
	return state{slices.Clone(s.owners), s.password, s.device, maps.Clone(s.sessions)}
}

// account is the QQ account of a player, or nobody.
func (s state) account(p int) int { return slices.Index(s.owners, p) }

// end ends the sessions of a player but one.
func (s state) end(p, but int) {
	maps.DeleteFunc(s.sessions, func(session, player int) bool { return player == p && session != but })
}

// apply answers request i, which comes next.
func (s state) apply(i int, r request) answer {
	switch current, ok := s.sessions[r.session]; {
	case !r.disconnect && !r.unlink:
		if !ok {
			current = nobody
		}
		return s.connect(i, r, current)
	case !ok:
		return answer{player: nobody, owner: nobody, err: authcore.ErrIDToken}
	default:
		return answer{player: nobody, owner: nobody, err: s.part(r, current)}
	}
}

// stale reports whether a session of a player changes no way in. All of them are
// young; but who is more than a guest needs more than a device.
func (s state) stale(session, p int) bool {
	return s.device[session] && (s.account(p) != nobody || s.password[p])
}

// part takes a player's account away. What can never be is told first, but where the
// account is named, which is the apps' way.
func (s state) part(r request, p int) error {
	account := s.account(p)
	switch {
	case r.unlink && s.stale(r.session, p):
		return authcore.ErrStale
	case r.disconnect && account == nobody:
		return authcore.ErrNotLinked
	case r.unlink && account != r.account:
		return authcore.ErrDenied
	case !s.password[p]:
		return authcore.ErrLastWay
	case s.stale(r.session, p):
		return authcore.ErrStale
	}
	s.owners[account] = nobody
	s.end(p, r.session)
	return nil
}

// connect is the decision of the table, whose rows have a test of their own, and
// what follows from it.
func (s state) connect(i int, r request, current int) answer {
	owner := s.owners[r.account]
	name := func(p int) authcore.UserID {
		if p == nobody {
			return ""
		}
		return authcore.UserID(fmt.Sprint("player ", p))
	}
	account := nobody
	if current != nobody {
		account = s.account(current)
	}
	action, refused, summary := authcore.DecideLink(name(current), name(owner), account != nobody && account != r.account, r.flags)
	a := answer{player: owner, refused: refused, owner: nobody}
	switch action {
	case "refuse":
		a.player = nobody
		if summary {
			a.owner = owner
		}
		return a
	case "link":
		a.player = current
		s.owners[r.account] = current
		s.end(current, r.session) // by which the next request finds the player linked
	case "create":
		a.player, a.created = newcomer+i, true
		s.owners[r.account] = a.player
		delete(s.sessions, r.session)
	case "switch":
		delete(s.sessions, r.session)
	}
	s.sessions[newcomer+i] = a.player
	return a
}

// run sends all requests at once.
func (o *someOrder) run(t *testing.T) {
	t.Helper()
	plays, errs := make([]authcore.Play, len(o.asked)), make([]error, len(o.asked))
	together(len(o.asked), func(i int) { plays[i], errs[i] = o.send(t.Context(), o.asked[i]) })

	numbers := make(map[authcore.UserID]int)
	for n, p := range o.players {
		numbers[p.user] = n
	}
	for i, p := range plays {
		if p.Created {
			if _, twice := numbers[p.User]; twice {
				t.Errorf("%s was made twice", p.User)
			}
			numbers[p.User] = newcomer + i
		}
	}
	number := func(id authcore.UserID) int {
		n, ok := numbers[id]
		if !ok {
			t.Errorf("an answer names %s, whom no request made", id)
			return -2
		}
		return n
	}
	before, made := state{sessions: make(map[int]int)}, 0
	for n, p := range o.players {
		before.sessions[n] = number(p.user)
		before.password = append(before.password, o.w.userRecord(p.user).Password != "")
	}
	before.device = o.device
	after := state{sessions: make(map[int]int)}
	for n, p := range o.players {
		if _, user, err := o.w.Playing(t.Context(), mainClient, p.session); err == nil {
			after.sessions[n] = number(user)
		}
	}
	o.answers = make([]answer, len(o.asked))
	for i, p := range plays {
		a := answer{player: nobody, created: p.Created, refused: p.Refused, owner: nobody, err: errs[i]}
		if p.Owner != nil {
			a.owner = number(p.Owner.User)
		}
		if p.Status == authcore.StatusSuccess {
			a.player = number(p.User)
			if _, user, err := o.w.Playing(t.Context(), mainClient, p.Grant.Token.Reveal()); err == nil {
				after.sessions[newcomer+i] = number(user)
			}
		}
		if p.Created {
			made++
		}
		o.answers[i] = a
	}
	s := o.w.snap(t) // checks that the two records of each link and its user agree
	for _, account := range o.accounts {
		owner := nobody
		if id := s.Links[o.w.identityOf(account)]; id != "" {
			owner = number(id)
		}
		after.owners = append(after.owners, owner)
	}
	o.judge(t, before, after)
	o.noOrphans(t, s, numbers)
}

func (o *someOrder) send(ctx context.Context, r request) (authcore.Play, error) {
	var session authcore.SessionID
	if r.session != nobody {
		session = o.players[r.session].sid
	}
	switch {
	case r.disconnect:
		return authcore.Play{}, o.w.Disconnect(ctx, mainClient, phone, session)
	case r.unlink:
		identity := o.w.identityOf(o.accounts[r.account])
		return authcore.Play{}, o.w.Unlink(ctx, mainClient, phone, session, fmt.Sprintf("%x", identity[:16]))
	}
	return o.w.ConnectQQ(ctx, mainClient, phone, authcore.QQConnect{
		Current: session, Token: o.accounts[r.account].access, LinkFlags: r.flags,
	})
}

// judge looks for an order.
func (o *someOrder) judge(t *testing.T, before, after state) {
	t.Helper()
	for _, a := range o.accounts {
		owner := nobody
		if a.user != "" {
			owner = before.sessions[slices.IndexFunc(o.players, func(p player) bool { return p.user == a.user })]
		}
		before.owners = append(before.owners, owner)
	}
	used := make([]bool, len(o.asked))
	var search func(s state, left int) bool
	search = func(s state, left int) bool {
		if left == 0 {
			return slices.Equal(s.owners, after.owners) && maps.Equal(s.sessions, after.sessions)
		}
		for i, r := range o.asked {
			if used[i] {
				continue
			}
			next := s.clone()
			if got := next.apply(i, r); !got.same(o.answers[i]) {
				continue
			}
			used[i] = true
			found := search(next, left-1)
			used[i] = false
			if found {
				return true
			}
		}
		return false
	}
	if !search(before, len(o.asked)) {
		t.Errorf("no order explains the answers\nfrom %+v\n  to %+v", before, after)
		for i, r := range o.asked {
			t.Errorf("%v = %+v", r, o.answers[i])
		}
	}
}

func (a answer) same(b answer) bool {
	if (a.err == nil) != (b.err == nil) || a.err != nil && !errors.Is(b.err, a.err) {
		return false
	}
	return a.player == b.player && a.created == b.created && a.refused == b.refused && a.owner == b.owner
}

// noOrphans wants no user who is neither of before nor made by an answer, and nobody
// to be gone.
func (o *someOrder) noOrphans(t *testing.T, s snapshot, numbers map[authcore.UserID]int) {
	t.Helper()
	for id, u := range s.Users {
		if _, ok := numbers[id]; !ok && !slices.Contains(o.w.bystanders, id) {
			t.Errorf("user %s is nobody's: %+v", id, u.Links)
		}
		if len(u.Links) > 1 {
			t.Errorf("user %s has %d accounts in one application", id, len(u.Links))
		}
	}
	for id := range numbers {
		if _, ok := s.Users[id]; !ok {
			t.Errorf("user %s is gone", id)
		}
		o.w.bystanders = append(o.w.bystanders, id) // of the next round
	}
}

// stagedPlayer is a player as a race finds them.
type stagedPlayer struct {
	account, password bool
	// How many sessions the player has that QQ or the password has proved, and how
	// many that a device has. Sessions are numbered in this order.
	proved, devices int
}

// stageRace makes players and accounts for a race. Each player who has an account
// gets the next, and those that are left are nobody's. Sessions are numbered from the
// first player's on.
func (w *world) stageRace(t *testing.T, accounts int, players ...stagedPlayer) *someOrder {
	t.Helper()
	o := &someOrder{w: w}
	for range accounts {
		o.accounts = append(o.accounts, w.newAccount())
	}
	next := 0
	for _, s := range players {
		device := w.newDevice()
		guest := w.onPhone(t, device)
		var again func() player // proves the player
		if s.account {
			account := o.accounts[next]
			w.play(t, account, guest.sid, authcore.LinkFlags{})
			o.accounts[next].user = guest.user
			again = func() player { return w.play(t, account, "", authcore.LinkFlags{}) }
			next++
		}
		if s.password {
			name := fmt.Sprintf("player_%d", w.players.Add(1))
			w.cheaply(guest.user, name, registeredPassword)
			if again == nil {
				again = func() player { return w.byPassword(t, player{openID: name}) }
			}
		}
		staged, err := w.Sessions(t.Context(), guest.user)
		want(t, "list the sessions", err, nil)
		for _, session := range staged { // which were only needed to set the stage
			want(t, "end a session", w.EndSession(t.Context(), session.ID), nil)
		}
		for range s.proved {
			o.players, o.device = append(o.players, again()), append(o.device, false)
		}
		for range s.devices {
			o.players, o.device = append(o.players, w.onPhone(t, device)), append(o.device, true)
		}
	}
	return o
}

// rounds is how often a race is run. One on its own shows little.
func rounds(postgres bool) int {
	switch {
	case raced:
		return 15
	case postgres:
		return 25
	}
	return 50
}

func TestSmallRaces(t *testing.T) {
	guest := stagedPlayer{devices: 1}
	twice := stagedPlayer{devices: 2}
	registered := stagedPlayer{account: true, password: true, proved: 2, devices: 1}
	connect := func(account, session int, flags authcore.LinkFlags) request {
		return request{account: account, session: session, flags: flags}
	}
	disconnect := func(session int) request { return request{disconnect: true, session: session} }
	unlink := func(account, session int) request {
		return request{unlink: true, account: account, session: session}
	}
	none := authcore.LinkFlags{}
	for _, test := range []struct {
		name     string
		accounts int
		players  []stagedPlayer
		asked    []request
	}{
		{"two accounts for one player", 2, []stagedPlayer{guest}, []request{connect(0, 0, none), connect(1, 0, none)}},
		{"two accounts for one player, and no account switches", 2, []stagedPlayer{guest}, []request{
			connect(0, 0, none), connect(1, 0, authcore.LinkFlags{SwitchIfPossible: true, ErrorOnSwitch: true}), connect(0, 0, none), connect(1, 0, none),
		}},
		{"two accounts for one player, by password", 2, []stagedPlayer{{password: true, proved: 1}}, []request{connect(0, 0, none), connect(1, 0, none)}},
		{"two accounts for one player, on two connections", 2, []stagedPlayer{twice}, []request{connect(0, 0, none), connect(1, 1, none)}},
		{"two accounts for one player, neither may create", 2, []stagedPlayer{twice}, []request{
			connect(0, 0, authcore.LinkFlags{DoNotCreate: true}), connect(1, 1, authcore.LinkFlags{DoNotCreate: true}),
		}},
		{"two accounts for one player, one of them known", 2, []stagedPlayer{{account: true, proved: 1}, twice}, []request{
			connect(1, 1, none), connect(0, 2, none), connect(0, 1, authcore.LinkFlags{ErrorOnSwitch: true}),
			connect(1, 2, authcore.LinkFlags{SwitchIfPossible: true}),
		}},
		{"a link, and a switch away from it", 2, []stagedPlayer{{account: true, proved: 1}, guest}, []request{
			connect(1, 1, none), connect(0, 1, authcore.LinkFlags{SwitchIfPossible: true}), connect(1, 1, authcore.LinkFlags{DoNotLink: true}),
		}},
		{"two accounts for a player who has one", 3, []stagedPlayer{registered}, []request{
			connect(1, 0, none), connect(2, 1, authcore.LinkFlags{DoNotLink: true}), connect(1, 1, authcore.LinkFlags{SwitchIfPossible: true}),
		}},
		{"link and disconnect", 1, []stagedPlayer{registered}, []request{connect(0, 0, none), disconnect(0), disconnect(1), connect(0, 1, none)}},
		{"another link and disconnect", 2, []stagedPlayer{registered}, []request{connect(1, 0, none), disconnect(0), disconnect(1), connect(1, 1, none)}},
		{"first link and disconnect", 1, []stagedPlayer{{password: true, proved: 2}}, []request{connect(0, 0, none), disconnect(1), disconnect(0)}},
		{"first link and disconnect by a device", 1, []stagedPlayer{{password: true, proved: 1, devices: 2}}, []request{
			connect(0, 1, none), disconnect(1), disconnect(2), unlink(0, 1),
		}},
		{"disconnect and disconnect", 1, []stagedPlayer{registered}, []request{disconnect(0), disconnect(1), disconnect(0), disconnect(2)}},
		{"disconnect and unlink", 1, []stagedPlayer{registered}, []request{disconnect(0), unlink(0, 1), unlink(0, 0), disconnect(1), unlink(0, 2)}},
		{"disconnect and unlink of the last way", 1, []stagedPlayer{{account: true, proved: 2, devices: 1}}, []request{
			disconnect(0), unlink(0, 1), disconnect(1), disconnect(2), unlink(0, 2),
		}},
		{"disconnect, and whoever comes by the account", 1, []stagedPlayer{registered, guest}, []request{
			disconnect(0), connect(0, 3, none), connect(0, nobody, none), connect(0, 1, authcore.LinkFlags{DoNotLink: true}),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world, postgres bool) {
				for range rounds(postgres) {
					o := w.stageRace(t, test.accounts, test.players...)
					o.asked = test.asked
					if o.run(t); t.Failed() {
						return
					}
				}
			})
		})
	}
}

// TestRacesOfAllSorts draws the requests.
func TestRacesOfAllSorts(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world, postgres bool) {
		seed := rand.Uint64()
		draw := rand.New(rand.NewPCG(seed, 0))
		for round := range 2 * rounds(postgres) {
			o := w.stageRace(t, 3, stagedPlayer{account: true, password: true, proved: 2, devices: 1}, stagedPlayer{devices: 1}, stagedPlayer{password: true, proved: 1, devices: 1})
			for range 6 {
				r := request{account: draw.IntN(3), session: draw.IntN(len(o.players)+1) - 1}
				switch draw.IntN(6) {
				case 0:
					r.disconnect, r.account, r.session = true, 0, max(r.session, 0)
				case 1:
					r.unlink, r.session = true, max(r.session, 0)
				default:
					r.flags = everyFlag()[draw.IntN(16)]
					if draw.IntN(2) == 0 {
						r.flags = authcore.LinkFlags{}
					}
				}
				o.asked = append(o.asked, r)
			}
			if o.run(t); t.Failed() {
				t.Fatalf("seed %d, round %d", seed, round)
			}
		}
	})
}

// TestDisconnectOfBothAtOnce: of two accounts in two applications that are taken
// away at once, one stays.
func TestDisconnectOfBothAtOnce(t *testing.T) {
	test := func(t *testing.T, w *world, postgres bool) {
		for round := range rounds(postgres) {
			unionID := fmt.Sprint("UID_", round)
			main, second := w.union(unionID, unionID)
			main = w.again(main) // the join has ended the session of before
			errs := make([]error, 4)
			social := w.social(secondClient, player{openID: main.openID, sid: second.sid})
			together(len(errs), func(i int) {
				switch i {
				case 0:
					errs[i] = w.Disconnect(t.Context(), mainClient, phone, main.sid)
				case 1:
					errs[i] = w.Disconnect(t.Context(), secondClient, phone, second.sid)
				case 2:
					errs[i] = w.Unlink(t.Context(), secondClient, phone, second.sid, social)
				case 3:
					errs[i] = w.Disconnect(t.Context(), mainClient, phone, main.sid)
				}
			})
			gone := 0
			for i, err := range errs {
				switch {
				case err == nil:
					gone++
				case !errors.Is(err, authcore.ErrLastWay) && !errors.Is(err, authcore.ErrIDToken) &&
					!errors.Is(err, authcore.ErrNotLinked) && !errors.Is(err, authcore.ErrDenied):
					t.Errorf("request %d = %v", i, err)
				}
			}
			s := w.snap(t)
			if u := s.Users[main.user]; gone != 1 || len(u.Links) != 1 || s.Links[u.Links[0].Identity] != u.ID {
				t.Fatalf("%v: %d accounts were taken away, and %+v are left", errs, gone, u.Links)
			}
		}
	}
	t.Run("badger", func(t *testing.T) { test(t, newWorldOn(t, onBadger, atGames, unlimited, joined), false) })
	t.Run("postgres", func(t *testing.T) {
		pgtest.Require(t)
		test(t, newWorldOn(t, onPostgres, atGames, unlimited, joined), true)
	})
}
