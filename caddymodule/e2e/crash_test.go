package e2e

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// acknowledged are the sessions that were answered with 200.
type acknowledged struct {
	mu       sync.Mutex
	sessions map[int][]string // by account
	count    int
}

func (k *acknowledged) add(account int, session string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sessions[account] = append(k.sessions[account], session)
	k.count++
}

func (k *acknowledged) total() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.count
}

// TestKill kills Caddy among concurrent logins, several of which are the first
// of one QQ account. What was answered holds afterwards, and nobody is two users.
func TestKill(t *testing.T) {
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	h := newHome(t)
	w := prepareWorld(t)
	known := &acknowledged{sessions: map[int][]string{}}
	users := map[int]string{}
	for round := range rounds {
		w.server = h.start(worldFile, w.pairs...)
		w.checkAcknowledged(known, users)
		before := known.total()
		stop := w.logInForever(round, known)
		w.await("a login is answered", func() bool { return known.total() > before })
		pause := rand.N(300 * time.Millisecond)
		time.Sleep(pause) // a random moment is what this is about
		w.kill()
		stop()
		t.Logf("round %d: killed %v after the first of %d logins", round, pause, known.total()-before)
	}
	w.server = h.start(worldFile, w.pairs...)
	w.checkAcknowledged(known, users)
}

// logInForever logs in from several goroutines until the server is gone. Each
// account is used by few, and some by every round.
func (w *world) logInForever(round int, known *acknowledged) (stop func()) {
	const workers, sharedAccounts = 12, 5
	var wait sync.WaitGroup
	for worker := range workers {
		wait.Go(func() {
			for n := 0; w.t.Context().Err() == nil; n++ {
				number := 1000 + 100_000*round + 10*n + worker%3 // four workers race for each
				if n == 0 {
					number = worker % sharedAccounts
				}
				session, got, err := w.attempt(w.account(number))
				if err != nil {
					return // killed
				}
				if session == "" {
					w.t.Errorf("login: %d %s", got.status, got.body)
					return
				}
				known.add(number, session)
			}
		})
	}
	return wait.Wait
}

// checkAcknowledged demands that every session that was answered gets in, and
// that all of one account are of one user, who is the account's owner.
func (w *world) checkAcknowledged(known *acknowledged, users map[int]string) {
	w.t.Helper()
	lost := 0
	for number, sessions := range known.sessions {
		for _, session := range sessions {
			a := w.guarded("/", session)
			if a.status != http.StatusOK {
				lost++
				w.t.Logf("account %d: %d %s", number, a.status, a.body)
				continue
			}
			id := a.seen().Header.Get("X-User-Id")
			if users[number] == "" {
				users[number] = id
			}
			if users[number] != id {
				w.t.Errorf("account %d is user %s and user %s", number, users[number], id)
			}
		}
		if owner := w.userOf(account{App: qqApp, OpenID: w.qq.OpenID(qqApp, number)}).ID; users[number] != "" && users[number] != owner {
			w.t.Errorf("account %d: its sessions are of %s, its owner is %s", number, users[number], owner)
		}
	}
	if lost > 0 {
		w.t.Errorf("%d of %d acknowledged sessions are lost", lost, known.count)
	}
}
