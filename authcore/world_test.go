package authcore_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/badgerstore"
	"github.com/qqauth/qqauth/authcore/token"
)

// The parties of every test.
const (
	issuer   = "https://id.example.com"
	audience = "https://app.example.com"

	mainApp   authcore.AppID = "101000001"
	secondApp authcore.AppID = "101000002"

	mainClient     authcore.ClientID = "main"
	receiverClient authcore.ClientID = "receiver" // may receive the main client's tickets
	foreignClient  authcore.ClientID = "foreign"
	secondClient   authcore.ClientID = "second" // of the second application
)

var phone = authcore.Caller{
	Fingerprint: "fingerprint-of-a-phone", OS: "Android 16", Agent: "app/1.0",
	DeviceIP: "192.0.2.7", Addr: netip.MustParseAddr("203.0.113.9"), Loopback: true,
}

// clock is the only time there is.
type clock struct{ nano atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nano.Store(time.Date(2026, 5, 4, 3, 2, 1, 987e6, time.UTC).UnixNano())
	return c
}

func (c *clock) Now() time.Time       { return time.Unix(0, c.nano.Load()).UTC() }
func (c *clock) step(d time.Duration) { c.nano.Add(int64(d)) }

// auditLog is everything that was audited.
type auditLog struct {
	mu     sync.Mutex
	events []authcore.AuditEvent
}

func (l *auditLog) take(e authcore.AuditEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// count is how many events of a name there were.
func (l *auditLog) count(name string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Name == name {
			n++
		}
	}
	return n
}

// world is a node on a real store, with a clock and a QQ that tests command.
type world struct {
	*authcore.Service
	t       testing.TB
	clock   *clock
	dir     string
	kek     token.KEK
	keys    *token.Keys
	store   *faultStore
	node    *authcore.Node
	qq, qq2 *fakeQQ
	audit   *auditLog
	cfg     authcore.Config
	players atomic.Int64
	// bystanders are users of races that are over.
	bystanders []authcore.UserID
}

func newWorld(t testing.TB, change ...func(*authcore.Config)) *world {
	t.Helper()
	return newWorldOn(t, onBadger, change...)
}

// onBadger opens a world's store in its directory.
func onBadger(w *world) (authcore.Store, error) {
	return badgerstore.Open(w.t.Context(), badgerstore.Config{
		Dir: w.dir, Vault: w.keys, Now: w.clock.Now, LowWater: 1, HardWater: 1,
	})
}

// newWorldOn is newWorld on another store.
func newWorldOn(t testing.TB, open func(*world) (authcore.Store, error), change ...func(*authcore.Config)) *world {
	t.Helper()
	w := &world{
		t: t, clock: newClock(), dir: t.TempDir(), kek: token.NewKEK(), audit: new(auditLog),
		qq: newFakeQQ(mainApp), qq2: newFakeQQ(secondApp),
	}
	w.keys = token.NewKeys(w.keyConfig())
	store, err := open(w)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	w.store = &faultStore{Store: store}
	w.node = authcore.NewNode(authcore.NodeConfig{
		Store: w.store, Keys: w.keys, Now: w.clock.Now,
		OnFault: func(err error) {
			if !errors.Is(err, authcore.ErrUnavailable) && !errors.Is(err, errGateway) {
				t.Errorf("fault of the node: %v", err)
			}
		},
	})
	t.Cleanup(func() {
		if err := w.node.Close(); err != nil {
			t.Errorf("close the node: %v", err)
		}
	})
	await(t, "the node's first look at the ring", func() bool { return w.store.views.Load() > 0 })
	w.store.takeCalls()
	w.cfg = w.config()
	for _, c := range change {
		c(&w.cfg)
	}
	w.Service = w.service(w.cfg)
	return w
}

func (w *world) keyConfig() token.Config {
	return token.Config{Current: w.kek, Alg: token.ES256, Now: w.clock.Now, Keep: 3 * time.Hour}
}

// config is the contract's defaults for four clients and two applications.
func (w *world) config() authcore.Config {
	return authcore.Config{
		Issuer: issuer, Alg: token.ES256, Audit: w.audit.take,
		Apps: []authcore.App{{ID: mainApp, QQ: w.qq}, {ID: secondApp, QQ: w.qq2}},
		Clients: []authcore.Client{
			{
				ID: mainClient, App: mainApp, Secrets: []string{"main-secret-0123456789abcdef"},
				Claims: []authcore.Claim{authcore.ClaimName}, Verify: []authcore.Way{authcore.WayPhone},
				TicketsFor: []authcore.ClientID{receiverClient},
			},
			{ID: receiverClient, App: mainApp, Claims: []authcore.Claim{authcore.ClaimName}},
			{ID: foreignClient, App: mainApp},
			{ID: secondClient, App: secondApp, Claims: []authcore.Claim{authcore.ClaimName}},
		},
		Lifetimes: authcore.Lifetimes{
			Session: 168 * time.Hour, IDToken: 2 * time.Hour, Ticket: 5 * time.Minute,
			Assertion: 5 * time.Minute, StateToken: 30 * time.Minute,
		},
		Limits: authcore.Limits{QQRefused: 60, Pendings: 3}, Countries: []int{86},
	}
}

// clientOf is the configuration of one client, to be changed.
func clientOf(cfg *authcore.Config, id authcore.ClientID) *authcore.Client {
	i := slices.IndexFunc(cfg.Clients, func(c authcore.Client) bool { return c.ID == id })
	return &cfg.Clients[i]
}

// unknownUser sets what the main client does with QQ accounts of nobody.
func unknownUser(rule authcore.UnknownUser) func(*authcore.Config) {
	return func(cfg *authcore.Config) { clientOf(cfg, mainClient).Unknown = rule }
}

// service is another configuration on the same node, as a reload makes it.
func (w *world) service(cfg authcore.Config) *authcore.Service {
	w.t.Helper()
	s, err := authcore.NewService(w.node, cfg)
	if err != nil {
		w.t.Fatalf("make a service: %v", err)
	}
	return s
}

// guard makes a guard for the main client.
func (w *world) guard(change ...func(*authcore.GuardConfig)) *authcore.Guard {
	w.t.Helper()
	cfg := authcore.GuardConfig{Audience: audience, Clients: []authcore.ClientID{mainClient}}
	for _, c := range change {
		c(&cfg)
	}
	g, err := w.NewGuard(cfg)
	if err != nil {
		w.t.Fatalf("make a guard: %v", err)
	}
	return g
}

// player is a user with a QQ account and a session.
type player struct {
	openID, access string // what QQ knows
	session        string
	user           authcore.UserID
	sid            authcore.SessionID
}

// newAccount makes a QQ account that is new here.
func (w *world) newAccount() player {
	n := w.players.Add(1)
	p := player{openID: fmt.Sprintf("%032X", n), access: fmt.Sprintf("access-token-%d", n)}
	w.qq.know(p.access, qqAccount{openID: p.openID, nickname: fmt.Sprintf("nickname %d", n)})
	return p
}

// newPlayer is a user who has just logged in for the first time.
func (w *world) newPlayer() player {
	w.t.Helper()
	return w.again(w.newAccount())
}

// again logs a player's QQ account in once more.
func (w *world) again(p player) player {
	w.t.Helper()
	return w.loginAt(mainClient, p)
}

func (w *world) loginAt(client authcore.ClientID, p player) player {
	w.t.Helper()
	out, err := w.LoginQQ(w.t.Context(), client, phone, p.access, p.openID)
	if err != nil || out.Status != authcore.StatusSuccess {
		w.t.Fatalf("login = %q, %v; want SUCCESS", out.Status, err)
	}
	claims := w.idToken(out.Grant.IDToken)
	p.session, p.user, p.sid = out.Grant.Token.Reveal(), authcore.UserID(claims.Subject), authcore.SessionID(claims.Session)
	return p
}

// idToken verifies an id_token.
func (w *world) idToken(raw string) token.IDClaims {
	w.t.Helper()
	claims, err := w.keys.Ring().VerifyIDToken(raw, issuer, w.clock.Now())
	if err != nil {
		w.t.Fatalf("verify id_token: %v", err)
	}
	return claims
}

// assertion admits a session, releases it and verifies what the upstream got.
func (w *world) assertion(g *authcore.Guard, session string) (raw string, claims token.AssertionClaims) {
	w.t.Helper()
	p, err := g.Admit(w.t.Context(), session, "")
	if err != nil {
		w.t.Fatalf("admit: %v", err)
	}
	p.Release()
	claims, err = w.keys.Ring().VerifyAssertion(p.Assertion, issuer, audience, w.clock.Now())
	if err != nil {
		w.t.Fatalf("verify the assertion: %v", err)
	}
	return p.Assertion, claims
}

// admit is what a guard says to a session at this moment.
func (w *world) admit(g *authcore.Guard, session string) error {
	w.t.Helper()
	p, err := g.Admit(w.t.Context(), session, "")
	if err == nil {
		p.Release()
	}
	return err
}

// raw writes a session that no login makes yet.
func (w *world) raw(user authcore.UserID, change func(*authcore.Session)) (string, authcore.SessionID) {
	w.t.Helper()
	secret := w.keys.Ring().NewOpaque(authcore.KindSession)
	now := w.clock.Now()
	s := authcore.Session{
		ID: authcore.SessionID(secret.Reveal()[:22]), Token: secret.Hash(), User: user, Client: mainClient,
		Methods: []authcore.Method{authcore.MethodQQ}, AuthTime: now, Issued: now, Expires: now.Add(168 * time.Hour),
	}
	change(&s)
	w.write(func(tx authcore.Tx) { tx.PutSession(s); tx.ListSession(s) })
	return secret.Reveal(), s.ID
}

// write changes the store behind the core's back, and without being counted.
func (w *world) write(change func(authcore.Tx)) {
	w.t.Helper()
	err := w.store.Store.Update(w.t.Context(), func(tx authcore.Tx) error { change(tx); return nil })
	if err != nil {
		w.t.Fatalf("write: %v", err)
	}
}

// changeUser rewrites a user's record.
func (w *world) changeUser(id authcore.UserID, change func(*authcore.User)) {
	w.t.Helper()
	err := w.store.Store.Update(w.t.Context(), func(tx authcore.Tx) error {
		u, err := tx.User(id)
		if err != nil {
			return err
		}
		change(&u)
		tx.PutUser(u)
		return nil
	})
	if err != nil {
		w.t.Fatalf("change the user: %v", err)
	}
}

// await waits until a condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// together runs fn n times at once and waits for all.
func together(n int, fn func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	group.Wait()
}

// want fails the test if an error is not the expected one.
func want(t testing.TB, what string, got, expected error) {
	t.Helper()
	if !errors.Is(got, expected) {
		t.Errorf("%s = %v; want %v", what, got, expected)
	}
}
