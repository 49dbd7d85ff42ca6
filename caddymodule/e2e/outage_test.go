package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/internal/pgtest"
)

const (
	// cachedFor is how long a cached session certainly goes on while the store is
	// silent, and refusedAfter when it certainly does not: around the 30 s that
	// it may.
	cachedFor    = 15 * time.Second
	refusedAfter = 45 * time.Second
	// promptly bounds the answers until the node has found the database away,
	// which take the time of a call and of a connection; atOnce those after it.
	promptly = 10 * time.Second
	atOnce   = 2 * time.Second
)

// come demands the answer of a store that is away.
func (a answer) come() answer {
	a.t.Helper()
	after, err := strconv.Atoi(a.header.Get("Retry-After"))
	if a.status != http.StatusServiceUnavailable || a.code() != "IDAAS.SDK.COM.0002" || err != nil || after < 1 {
		a.t.Errorf("got %d %s, Retry-After %q, want to be told to come back", a.status, a.body, a.header.Get("Retry-After"))
	}
	return a
}

// TestOutage takes the database from one node of a fleet, while the other goes on.
func TestOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until cached sessions may not go on")
	}
	dsn := pgtest.Database(t)
	f := newFleet(t)
	a := f.node(t, dsn)
	for i, tt := range []struct {
		name  string
		fault func(p *pgtest.Proxy, on bool)
		brief bool
	}{
		{"refuses", (*pgtest.Proxy).Refuse, false},
		{"hangs", (*pgtest.Proxy).Hang, false},
		{"refuses briefly", (*pgtest.Proxy).Refuse, true},
		{"hangs briefly", (*pgtest.Proxy).Hang, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // nearly all of it is waiting
			proxy, through := pgtest.Via(t, dsn)
			o := &outage{a: a.in(t), b: f.node(t, through)}
			o.prepare(10 * i)
			tt.fault(proxy, true)
			o.began = time.Now()
			o.refuseLogins()
			o.goOn()
			if !tt.brief {
				o.giveUp()
			}
			tt.fault(proxy, false)
			if came := time.Now(); tt.brief {
				// It may be let in until the node hears again.
				t.Logf("what ended is refused %v after the database came", o.b.refused(o.gone, came))
			}
			o.recover()
		})
	}
}

// outage is node b's: cached there are kept, and gone, which ends at a meanwhile;
// fresh is not.
type outage struct {
	a, b              *world
	began             time.Time
	owner             account
	kept, gone, fresh string
}

// prepare logs in three accounts, from the first number on.
func (o *outage) prepare(first int) {
	o.b.t.Helper()
	o.owner = o.a.account(first + 1)
	o.kept = o.a.login(demoApp, o.a.account(first)).Session
	o.gone = o.a.login(demoApp, o.owner).Session
	o.fresh = o.a.login(demoApp, o.a.account(first+2)).Session
	for _, session := range []string{o.kept, o.gone} {
		o.b.guarded("/", session).want(http.StatusOK, "")
	}
}

// refuseLogins logs in at b, at the moment of the fault and when it is known.
func (o *outage) refuseLogins() {
	t := o.b.t
	t.Helper()
	who := o.b.account(0)
	for range 3 {
		began := time.Now()
		o.b.tryLogin(demoApp, who).come()
		took := time.Since(began)
		t.Logf("a login was refused after %v", took)
		if took > promptly || took > atOnce && time.Since(o.began) > promptly {
			t.Errorf("that is too late, %v after the fault", time.Since(o.began))
		}
	}
	o.a.admin("DELETE", "/users/"+o.a.userOf(o.owner).ID+"/sessions", nil).want(http.StatusNoContent, "")
	o.a.guarded("/", o.gone).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
}

// goOn demands of b what it answers while it may rely on its cache.
func (o *outage) goOn() {
	t := o.b.t
	t.Helper()
	o.b.guarded("/", o.fresh).come()
	o.b.guarded("/", strings.Repeat("A", 32)).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	reloaded, slowest := false, time.Duration(0)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for time.Since(o.began) < cachedFor {
		began := time.Now()
		if a := o.b.guarded("/", o.kept); a.status != http.StatusOK {
			t.Fatalf("a cached session got %d %s after %v", a.status, a.body, time.Since(o.began))
		}
		slowest = max(slowest, time.Since(began))
		if !reloaded && time.Since(o.began) > cachedFor/2 {
			o.b.reload(worldFile, o.b.pairs...)
			reloaded = true
		}
		<-tick.C
	}
	if slowest > atOnce {
		t.Errorf("a cached session waited %v", slowest)
	}
	t.Logf("a cached session waited %v at most", slowest)
	o.b.guarded("/", o.fresh).come()
	began := time.Now()
	o.b.tryLogin(demoApp, o.b.account(0)).come()
	if took := time.Since(began); took > atOnce {
		t.Errorf("a login was refused after %v", took)
	}
	if up := o.b.metric("qqauth_store_up"); up != 0 {
		t.Errorf("qqauth_store_up is %v", up)
	}
}

// giveUp waits until b refuses what it has in its cache.
func (o *outage) giveUp() {
	t := o.b.t
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ; o.b.guarded("/", o.kept).status == http.StatusOK; <-tick.C {
		if time.Since(o.began) > refusedAfter {
			t.Fatalf("a cached session is let in %v after the database went away", time.Since(o.began))
		}
	}
	t.Logf("a cached session went on for %v", time.Since(o.began))
	for _, session := range []string{o.kept, o.gone, o.fresh} {
		o.b.guarded("/", session).come()
	}
}

// recover waits until b works again. What ended meanwhile is let in at no moment.
func (o *outage) recover() {
	t := o.b.t
	t.Helper()
	came := time.Now()
	for _, session := range []string{o.kept, o.fresh} {
		o.b.await("the session is let in", func() bool {
			if a := o.b.guarded("/", o.gone); a.status != http.StatusUnauthorized {
				a.come()
			}
			return o.b.guarded("/", session).status == http.StatusOK
		})
	}
	t.Logf("works %v after the database came", time.Since(came))
	o.b.guarded("/", o.gone).want(http.StatusUnauthorized, "IDAAS.SDK.PARAM.0023")
	o.a.guarded("/", o.b.login(demoApp, o.b.account(0)).Session).want(http.StatusOK, "")
	o.b.ask("GET", o.b.url("LOGIN", "/.qqauth/health"), nil).want(http.StatusOK, "")
	if up := o.b.metric("qqauth_store_up"); up != 1 {
		t.Errorf("qqauth_store_up is %v", up)
	}
}
