package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/badgerstore"
	"github.com/qqauth/qqauth/authcore/token"
)

// engine is a place for a store of a name.
type engine struct {
	name      string // unlike those of other engines
	caddyfile string // what stands behind "store" in a Caddyfile
	atOnce    int    // how many logins at a time fill it soonest
	// open makes the store.
	open func(context.Context, authcore.Vault) (authcore.Store, error)
}

// badger is a directory of the bench's own.
func (b *bench) badger(name string) engine {
	dir := filepath.Join(b.dir, name)
	return engine{
		name: name, caddyfile: fmt.Sprintf("badger %q", dir), atOnce: 256, // as many as it takes into one transaction
		open: func(ctx context.Context, vault authcore.Vault) (authcore.Store, error) {
			return badgerstore.Open(ctx, badgerstore.Config{Dir: dir, Vault: vault})
		},
	}
}

// store is a store that is not open, and the sessions in it: one for each of the
// simulator's accounts from 0 up.
type store struct {
	caddyfile string
	secret    string // the file of its secret_key
	kek       token.KEK
	tokens    []string
}

// makeStore returns the store of an engine, and makes it if there is none yet.
// Its sessions come from logins through the core itself, as Caddy would carry them
// out; only QQ is left out, because a million HTTP calls would say nothing.
func (b *bench) makeStore(e engine, sessions int) (*store, error) {
	if s := b.stores[e.name]; s != nil {
		return s, nil
	}
	s := &store{
		caddyfile: e.caddyfile, secret: filepath.Join(b.dir, e.name+".key"), kek: token.NewKEK(),
		tokens: make([]string, sessions),
	}
	if err := os.WriteFile(s.secret, []byte(s.kek.Reveal()), 0o600); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.fill(b.ctx, e); err != nil {
		return nil, fmt.Errorf("make store %s: %w", e.name, err)
	}
	log.Printf("made %s sessions in %s", count(float64(sessions)), time.Since(began).Round(100*time.Millisecond))
	b.stores[e.name] = s
	return s, nil
}

func (s *store) fill(ctx context.Context, e engine) error {
	keys := s.keys()
	opened, err := e.open(ctx, keys)
	if err != nil {
		return err
	}
	node := authcore.NewNode(authcore.NodeConfig{Store: opened, Keys: keys})
	return errors.Join(s.logIn(ctx, node, e.atOnce), node.Close())
}

// keys are new ones, which a store has to unlock. EdDSA is the quickest; Caddy
// makes the key that its own configuration wants.
func (s *store) keys() *token.Keys {
	return token.NewKeys(token.Config{Current: s.kek, Alg: token.EdDSA})
}

// newService is the core as Caddy would run it, with a QQ that believes
// everything.
func newService(node *authcore.Node) (*authcore.Service, error) {
	return authcore.NewService(node, authcore.Config{
		Issuer: "http://localhost",
		Clients: []authcore.Client{{
			ID: clientID, App: qqApp, Unknown: authcore.UnknownCreate, Claims: []authcore.Claim{authcore.ClaimName},
		}},
		Apps: []authcore.App{{ID: qqApp, QQ: credulousQQ{}}},
		Lifetimes: authcore.Lifetimes{
			Session: 168 * time.Hour, IDToken: 2 * time.Hour, Ticket: 5 * time.Minute,
			Assertion: 5 * time.Minute, StateToken: 30 * time.Minute,
		},
		Alg:    token.EdDSA,
		Limits: authcore.Limits{Off: true},
	})
}

// caller is whose device logs in.
var caller = authcore.Caller{Fingerprint: fingerprint, OS: "Android13", Agent: "bench", Loopback: true}

// logIn makes the sessions.
func (s *store) logIn(ctx context.Context, node *authcore.Node, atOnce int) error {
	service, err := newService(node)
	if err != nil {
		return err
	}
	simulator, err := newSimulator()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= len(s.tokens) {
					return
				}
				out, err := service.LoginQQ(ctx, clientID, caller, simulator.Token(qqApp, i), simulator.OpenID(qqApp, i))
				if err != nil {
					cancel(err)
					return
				}
				s.tokens[i] = out.Grant.Token.Reveal()
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// credulousQQ believes every open id.
type credulousQQ struct{}

func (credulousQQ) Prove(_ context.Context, _, openID string) (authcore.Identity, error) {
	return authcore.Identity{App: qqApp, OpenID: openID}, nil
}

func (credulousQQ) Profile(context.Context, string, authcore.Identity) (authcore.QQProfile, error) {
	return authcore.QQProfile{Nickname: "林小雨"}, nil
}

var _ authcore.QQ = credulousQQ{}
