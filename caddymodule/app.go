package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/authcore/qq"
	"github.com/qqauth/qqauth/authcore/qq/qqtest"
	"github.com/qqauth/qqauth/authcore/token"
	"github.com/qqauth/qqauth/caddymodule/gamesparks"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App is the app `qqauth`: one account base, its QQ applications and its
// clients. The handlers `qqauth_login` and `qqauth_guard` use it.
type App struct {
	Config

	ctx       caddy.Context
	log       *zap.Logger
	auditLog  *zap.Logger
	accessLog *zap.Logger
	metrics   *metrics

	store     Store
	senders   map[authcore.Way]authcore.Sender
	secrets   secrets
	apps      []authcore.App
	clients   []*qq.Client // to close with the configuration
	simulator http.Handler // nil if there is none
	games     *gamesparks.Handler

	mu         sync.Mutex
	held       *hold // nil until the store was asked for
	holdFailed error // a fault of configuration, which stops the start
	audiences  []string
	origins    origins
	running    atomic.Pointer[running]
}

// running is what serves requests once the store is open.
type running struct {
	node    *authcore.Node
	service *authcore.Service
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "qqauth", New: func() caddy.Module { return new(App) }}
}

// Provision reads the configuration and its secrets. It opens nothing and writes
// nothing: `caddy validate` does this beside a running server.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.log = ctx.Logger()
	a.auditLog = a.log.Named("audit")
	a.accessLog = ctx.Logger(accessLogModule{})
	a.setDefaults()
	if err := a.check(); err != nil {
		return err
	}
	for i := range a.Clients {
		for _, warning := range a.Clients[i].unfinished(&a.Config) {
			a.log.Warn(warning)
		}
	}
	var err error
	if a.secrets, err = a.resolveSecrets(); err != nil {
		return err
	}
	if err := a.loadStore(); err != nil {
		return err
	}
	if err := a.loadSenders(); err != nil {
		return err
	}
	if err := a.addRedirectOrigins(); err != nil {
		return err
	}
	if a.metrics, err = newMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	a.games = a.newGames()
	return a.provisionQQ()
}

// loadStore readies the store module.
func (a *App) loadStore() error {
	store, err := a.ctx.LoadModule(a, "StoreRaw")
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	a.store = store.(Store)
	if store, ok := a.store.(choosy); ok {
		return store.accept(&a.Config)
	}
	return nil
}

// provisionQQ makes the clients that speak to QQ, and the simulator.
func (a *App) provisionQQ() error {
	for _, q := range a.QQ {
		client, err := qq.New(qq.Config{
			App: q.AppID, Key: a.secrets.apps[q.AppID], Endpoint: q.Endpoint, Timeout: time.Duration(q.Timeout), UnionID: q.UnionID,
			Observe: a.metrics.observeQQ(q.AppID),
		})
		if err != nil {
			return fmt.Errorf("qq %s: %w", q.AppID, err)
		}
		a.clients = append(a.clients, client)
		a.apps = append(a.apps, authcore.App{ID: q.AppID, QQ: client, UnionWith: a.joined(q.AppID)})
	}
	if a.Simulator == "" {
		return nil
	}
	key := opaque.Of(opaque.Random(32)) // nobody else's: a code is exchanged through us, as at QQ
	simulator, err := qqtest.New(qqtest.Config{Apps: []qqtest.App{{ID: string(a.Simulator), Key: key.Reveal()}}})
	if err != nil {
		return fmt.Errorf("qq simulator: %w", err)
	}
	a.simulator = simulator
	client, err := qq.New(qq.Config{
		App: a.Simulator, Key: key, Endpoint: "http://qq-simulator.localhost", Transport: simulator.Transport(),
		Observe: a.metrics.observeQQ(a.Simulator),
	})
	if err != nil {
		return fmt.Errorf("qq simulator: %w", err)
	}
	a.apps = append(a.apps, authcore.App{ID: a.Simulator, QQ: client, LoopbackOnly: true})
	return nil
}

// Start opens the store, if no other configuration of this process holds it, and
// takes it over. It fails for faults of configuration; for a store that cannot
// answer it starts, and requests are answered 503 until it can.
func (a *App) Start() error {
	err := a.hold(a.ctx)
	if err != nil {
		return err
	}
	if _, err := a.current(); err != nil {
		a.log.Error("store is not open: answering 503 until it is", zap.Error(err))
	}
	return nil
}

// Stop does nothing: requests in flight still need what Cleanup lets go.
func (a *App) Stop() error { return nil }

// Cleanup lets the store go. It closes when no other configuration holds it.
func (a *App) Cleanup() error {
	a.reviewSockets()
	for _, client := range a.clients {
		client.Close()
	}
	a.mu.Lock()
	held := a.held
	a.held, a.holdFailed = nil, errors.New("this configuration has been replaced")
	a.mu.Unlock()
	if held == nil {
		return nil
	}
	return held.release()
}

// hold opens the store or joins those who have; the first Start or request
// comes here, whichever is earlier: Caddy starts its apps in no order.
func (a *App) hold(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.held != nil || a.holdFailed != nil {
		return a.holdFailed
	}
	keys, err := a.keyConfig(ctx)
	if err != nil {
		a.holdFailed = err
		return err
	}
	a.held, a.holdFailed = holdStore(ctx, a.store, keys, a.log)
	return a.holdFailed
}

// current returns what serves requests, or why nothing does yet; the error wraps
// authcore.ErrUnavailable.
func (a *App) current() (*running, error) {
	if r := a.running.Load(); r != nil {
		return r, nil
	}
	return a.begin()
}

// begin makes the service as soon as the store is open.
func (a *App) begin() (*running, error) {
	if err := a.hold(a.ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", authcore.ErrUnavailable, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.running.Load(); r != nil {
		return r, nil
	}
	if a.held == nil {
		return nil, fmt.Errorf("%w: %w", authcore.ErrUnavailable, a.holdFailed)
	}
	node, err := a.held.node()
	if err != nil {
		return nil, err
	}
	service, err := authcore.NewService(node, a.coreConfig())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", authcore.ErrUnavailable, err)
	}
	r := &running{node: node, service: service}
	a.running.Store(r)
	return r, nil
}

// keyConfig says how the store's key ring is wrapped and what it must hold.
func (a *App) keyConfig(ctx context.Context) (token.Config, error) {
	keks := a.secrets.keys
	if len(keks) == 0 {
		own, err := ownSecretKey(ctx, a.ctx.Storage())
		if err != nil {
			return token.Config{}, fmt.Errorf("secret_key: %w", err)
		}
		keks = []token.KEK{own}
	}
	return token.Config{
		Current: keks[0], Previous: keks[1:], Alg: token.Alg(a.IDTokenAlg),
		Keep: time.Duration(max(a.Lifetime.IDToken, a.Lifetime.Assertion, a.Lifetime.StateToken)) + clockSkew,
	}, nil
}

// clockSkew is how far a verifier's clock may be from ours.
const clockSkew = 10 * time.Minute

// coreConfig is this configuration in the core's words.
func (a *App) coreConfig() authcore.Config {
	cfg := authcore.Config{
		Issuer: a.PublicURL,
		Apps:   a.apps,
		Alg:    token.Alg(a.IDTokenAlg),
		Lifetimes: authcore.Lifetimes{
			Session: time.Duration(a.Lifetime.Session), IDToken: time.Duration(a.Lifetime.IDToken),
			Ticket: time.Duration(a.Lifetime.Ticket), Assertion: time.Duration(a.Lifetime.Assertion),
			StateToken: time.Duration(a.Lifetime.StateToken), Code: time.Duration(a.Lifetime.Code),
			Idle: time.Duration(a.Lifetime.Idle),
		},
		Limits:    a.Attempts.limits(),
		Senders:   a.senders,
		Countries: a.SMSCountries,
		Audit:     a.audit,
	}
	for _, c := range a.Clients {
		client := authcore.Client{
			ID: c.ID, Name: c.Name, App: c.QQ, Unknown: c.UnknownUser, Verify: c.Verify, MFA: c.MFA,
			TicketsFor: c.TicketsFor, Games: c.GameSparks != nil,
		}
		client.Claims, client.ClaimProved = c.claims()
		for _, secret := range a.secrets.clients[c.ID] {
			client.Secrets = append(client.Secrets, secret.Reveal())
		}
		cfg.Clients = append(cfg.Clients, client)
	}
	return cfg
}

// addAudience notes a guard's audience as it was written and compares it with
// those of the guards before it.
func (a *App) addAudience(written string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.audiences = append(a.audiences, written)
	if err := checkAudiences(a.audiences, &a.Config); err != nil {
		return err
	}
	if origin, err := parseOrigin(cmp.Or(written, a.PublicURL)); err == nil {
		a.origins.add(origin)
	}
	return nil
}

// addRedirectOrigins notes where the clients' pages are.
func (a *App) addRedirectOrigins() error {
	for _, client := range a.Clients {
		for _, uri := range client.RedirectURIs {
			origin, err := parseRedirectURI(uri)
			if err != nil {
				return fmt.Errorf("client %s: redirect_uri: %w", client.ID, err)
			}
			a.origins.add(origin)
		}
	}
	return nil
}

// allowedOrigin reports whether pages from an origin, as browsers write it, may
// call the API: it is one of a client's redirect_uris or the audience of a guard.
// What it says of a guard's is final only when the whole configuration has been
// provisioned.
func (a *App) allowedOrigin(origin string) bool { return a.origins.has(origin) }

var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
