package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/badgerstore"
	"github.com/qqauth/qqauth/authcore/qq/qqtest"
	"github.com/qqauth/qqauth/authcore/token"
)

// store is a store's files and the sessions in it: one for each of the
// simulator's accounts from 0 up.
type store struct {
	dir    string
	secret string // the file of its secret_key
	tokens []string
}

// makeStore returns the store of a name, and makes it if there is none yet. Its
// sessions come from logins through the core itself, as Caddy would carry them
// out; only QQ is left out, because a million HTTP calls would say nothing.
func (b *bench) makeStore(name string, sessions int) (*store, error) {
	if s := b.stores[name]; s != nil {
		return s, nil
	}
	s := &store{
		dir: filepath.Join(b.dir, name), secret: filepath.Join(b.dir, name+".key"),
		tokens: make([]string, sessions),
	}
	secret := token.NewKEK()
	if err := os.WriteFile(s.secret, []byte(secret.Reveal()), 0o600); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.fill(b.ctx, secret); err != nil {
		return nil, fmt.Errorf("make store %s: %w", name, err)
	}
	log.Printf("made %s sessions in %s", count(float64(sessions)), time.Since(began).Round(100*time.Millisecond))
	b.stores[name] = s
	return s, nil
}

func (s *store) fill(ctx context.Context, secret token.KEK) (err error) {
	// EdDSA is the quickest; Caddy makes the key that its own configuration
	// wants.
	keys := token.NewKeys(token.Config{Current: secret, Alg: token.EdDSA})
	opened, err := badgerstore.Open(ctx, badgerstore.Config{Dir: s.dir, Vault: keys})
	if err != nil {
		return err
	}
	node := authcore.NewNode(authcore.NodeConfig{Store: opened, Keys: keys})
	defer func() {
		if closed := node.Close(); err == nil {
			err = closed
		}
	}()
	service, err := authcore.NewService(node, authcore.Config{
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
	if err != nil {
		return err
	}
	simulator, err := newSimulator()
	if err != nil {
		return err
	}
	return s.logIn(ctx, service, simulator)
}

// logIn makes the sessions, with as many logins at a time as the store takes
// into one transaction.
func (s *store) logIn(ctx context.Context, service *authcore.Service, simulator *qqtest.Server) error {
	const atOnce = 256
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	caller := authcore.Caller{Fingerprint: fingerprint, OS: "Android13", Agent: "bench", Loopback: true}
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
