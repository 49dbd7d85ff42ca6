package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

const (
	// knownUsers log in again and again, each seldom enough that his sessions
	// stay few.
	knownUsers = 20_000
	loginConns = 64
)

// loginSite is a Caddy whose known users log in over HTTP.
type loginSite struct {
	*server
	*client
	requests [][]byte // one of each user
}

// newLoginSite starts one on a store of its own.
func (b *bench) newLoginSite(e engine, conns int, g guarded) (*loginSite, error) {
	users := knownUsers
	if b.quick {
		users = knownUsers / 10
	}
	var err error
	if g.store, err = b.makeStore(e, users); err != nil {
		return nil, err
	}
	s := &loginSite{}
	if s.server, err = g.start(b); err != nil {
		return nil, err
	}
	if s.client, err = newClient(s.login, conns); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	simulator, err := newSimulator()
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	for i := range users {
		s.requests = append(s.requests, loginRequest(s.login, simulator, i))
	}
	return s, nil
}

// deviceHeaders are those of a client's calls.
const deviceHeaders = "Content-Type: application/json\r\nX-Client-Id: " + clientID + "\r\n" +
	"X-Operating-Sys-Version: Android13\r\nX-Agent: bench\r\nX-Device-Fingerprint: " + fingerprint + "\r\n"

// loginRequest is the login of one of the simulator's accounts.
func loginRequest(host string, simulator *qqtest.Server, account int) []byte {
	return post(nil, host, "/api/v2/sdk/login/qq", deviceHeaders,
		fmt.Sprintf(`{"access_token":%q,"open_id":%q}`, simulator.Token(qqApp, account), simulator.OpenID(qqApp, account)))
}

func (s *loginSite) discard() {
	s.close()
	s.server.discard()
}

// side is rounds of n logins.
func (s *loginSite) side(n int) side {
	return side{pid: s.pid(), n: n, round: func(n int) error {
		return s.drive(n, func(c *conn, i int) error {
			// Users do not log in as they were registered, next to next.
			status, body, err := c.roundTrip(s.requests[spread(i, len(s.requests))])
			if err == nil && status != 200 {
				err = fmt.Errorf("answered %d: %s", status, body)
			}
			return err
		})
	}}
}

// signatures is rounds of n RSA-2048 signatures in this process, on all
// processors, as the logins are.
func signatures(n int) (side, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return side{}, err
	}
	digest := sha256.Sum256([]byte("as long as any"))
	return side{pid: os.Getpid(), n: n, round: func(n int) error {
		processors := runtime.GOMAXPROCS(0)
		faults := make([]error, processors)
		var workers sync.WaitGroup
		for p := range processors {
			workers.Go(func() {
				for i := p; i < n && faults[p] == nil; i += processors {
					_, faults[p] = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
				}
			})
		}
		workers.Wait()
		return errors.Join(faults...)
	}}, nil
}

// loginRow is logins of known users: what one costs beside the signature in its
// answer, and how many there are if that signature is quick.
func loginRow(b *bench) ([]result, error) {
	rs256, err := b.newLoginSite(b.badger("rs256"), loginConns, guarded{alg: "RS256", alone: true})
	if err != nil {
		return nil, err
	}
	defer rs256.discard()
	es256, err := b.newLoginSite(b.badger("es256"), loginConns, guarded{alg: "ES256", alone: true})
	if err != nil {
		return nil, err
	}
	defer es256.discard()
	n := b.roundSize(500)
	signing, err := signatures(n)
	if err != nil {
		return nil, err
	}
	cost, err := b.compare(signing, rs256.side(n))
	if err != nil {
		return nil, err
	}
	speed, err := b.compare(rs256.side(n), es256.side(4*n))
	if err != nil {
		return nil, err
	}
	const most, least = 1.25, 5.0
	return []result{{
		what: "login of a known user, RS256, durable: CPU by one RSA-2048 signature", goal: fmt.Sprintf("≤ %.2f", most),
		measured: fmt.Sprintf("%s; %s against %s", cost.cpu(), micros(cpuOf(cost.ours)), micros(cpuOf(cost.base))),
		met:      within(most, cost.cpu().low, cost.cpu().high),
	}, {
		what: "logins per second, ES256 by RS256, 64 connections, Caddy on one processor", goal: fmt.Sprintf("≥ %.0f", least),
		measured: fmt.Sprintf("%s; %s against %s a second; by CPU time %.2f (%s a login)", speed.rate(),
			count(rateOf(speed.ours)), count(rateOf(speed.base)), 1/speed.cpu().median, micros(cpuOf(speed.ours))),
		met: beyond(least, speed.rate().low, speed.rate().high),
	}}, nil
}
