package e2e

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qqauth/qqauth/internal/pgtest"
)

// TestGameFleet plays at two nodes of one account base.
func TestGameFleet(t *testing.T) {
	dsn := pgtest.Database(t)
	f := newFleet(t)
	outbox := t.TempDir()
	f.pairs = append(append(f.pairs, "$OUTBOX", outbox), gameHoles...)
	people, things := new(atomic.Int64), new(atomic.Int64)
	node := func(dsn string) *gameWorld {
		return &gameWorld{&appWorld{f.nodeOf(t, gameFile, dsn), outbox, people}, things}
	}
	proxy, through := pgtest.Via(t, dsn)
	a, b := node(dsn), node(through)

	stays := b.dialGame(theGame)
	bystander := b.guest(stays)
	for _, tt := range endings {
		t.Run(tt.name, func(t *testing.T) {
			a, b := a.in(t), b.in(t)
			here := a.dialGame(theGame)
			connects(here, a.nextAccount())
			l := gameLogin{AuthToken: here.token(), User: detailsOf(here).User}
			there := b.dialGameAs(theGame, l.AuthToken)
			if there.first.UserID != l.User || there.token() == l.AuthToken {
				t.Fatalf("at the other node it is connected as %s", there.first.raw)
			}
			for _, w := range []*gameWorld{a, b} {
				w.admits(l.AuthToken, map[string]int{"APP": http.StatusOK})
				w.admits(there.token(), map[string]int{"APP": http.StatusOK})
			}
			tt.end(a, l)
			began := time.Now()
			here.terminated(endsWithin)
			there.terminated(closedWithin)
			t.Logf("ended at the other node after %v", time.Since(began))
			for _, token := range []string{l.AuthToken, there.first.AuthToken} {
				a.refused(token, began)
				b.refused(token, began)
			}
		})
	}
	t.Run("switch", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		owned := a.nextAccount()
		owner := connects(b.dialGame(theGame), owned)
		here := a.dialGame(theGame)
		guest := a.guest(here)
		there := b.dialGameAs(theGame, guest.AuthToken)
		if l := connects(here, owned); l.User != owner.User {
			t.Errorf("switched to %+v, want %+v", l, owner)
		}
		there.terminated(closedWithin)
		if d := detailsOf(here); d.User != owner.User {
			t.Errorf("the connection goes on as %+v", d)
		}
	})
	t.Run("one player of two nodes", func(t *testing.T) {
		for range 10 {
			who := a.nextAccount()
			device := a.device()
			for name, in := range map[string]fields{"QQConnectRequest": qqConnect(who), "DeviceAuthenticationRequest": device} {
				a.onePlayer(b, name, in)
			}
		}
	})
	t.Run("database away", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		here, there := a.dialGame(theGame), b.dialGame(theGame)
		a.guest(here)
		l := connects(there, a.nextAccount())
		proxy.Refuse(true)
		defer proxy.Refuse(false)
		there.request("AccountDetailsRequest", nil).refused("authentication", "UNAVAILABLE")
		there.request("QQConnectRequest", qqConnect(a.nextAccount())).refused("authentication", "UNAVAILABLE")
		b.rest(theGame, "AccountDetailsRequest", []byte(`{"authToken":"`+l.AuthToken+`"}`)).isAway()
		detailsOf(here)
		proxy.Refuse(false)
		b.await("the database is back", func() bool {
			got, err := there.tryRequest("AccountDetailsRequest", nil)
			return err == nil && got.members()["userId"] == l.User
		})
	})
	if d := detailsOf(stays); d.User != bystander.User {
		t.Errorf("a bystander is %+v", d)
	}
}

// onePlayer makes one request at two nodes at the same time, twice at each.
func (w *gameWorld) onePlayer(other *gameWorld, name string, in fields) {
	w.t.Helper()
	var wait sync.WaitGroup
	var mu sync.Mutex
	users, made := map[string]int{}, 0
	start := make(chan struct{})
	for _, at := range []*gameWorld{w, other, w, other} {
		wait.Go(func() {
			_, body := gameBody(name, in)
			<-start
			got, err := at.tryRest(gamesHTTP, theGame, name, body)
			if err != nil || got.status != http.StatusOK || !strings.Contains(got.text(), `"authToken"`) {
				w.t.Errorf("%s: %d %s, %v", name, got.status, got.body, err)
				return
			}
			var l gameLogin
			got.json(&l)
			mu.Lock()
			defer mu.Unlock()
			users[l.User]++
			if l.New {
				made++
			}
		})
	}
	close(start)
	wait.Wait()
	if len(users) != 1 || made != 1 {
		w.t.Fatalf("%s made %d players, who are %v", name, made, users)
	}
}
