package authcore_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// ticket issues a ticket of a player's session to the main client itself.
func (w *world) ticket(p player) string {
	w.t.Helper()
	issued, err := w.IssueTicket(w.t.Context(), mainClient, phone, p.session, "")
	if err != nil {
		w.t.Fatalf("issue a ticket: %v", err)
	}
	return issued.Token.Reveal()
}

func TestTicketIsIssuedVolatileAndRedeemedDurable(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	w.store.takeCalls()
	issued, err := w.IssueTicket(t.Context(), mainClient, phone, p.session, receiverClient)
	if err != nil || issued.ExpiresIn != 5*time.Minute {
		t.Fatalf("ticket for %s, %v; want 5m", issued.ExpiresIn, err)
	}
	if got := w.store.takeCalls(); got != (calls{volatiles: 1}) {
		t.Errorf("issuing asked the store %+v; want one volatile update", got)
	}
	profile, err := w.RedeemTicket(t.Context(), receiverClient, phone, issued.Token.Reveal())
	if expected := (authcore.Profile{ID: p.user, Name: "nickname 1"}); err != nil || profile != expected {
		t.Errorf("redeemed %+v, %v; want %+v", profile, err, expected)
	}
	if got := w.store.takeCalls(); got != (calls{updates: 1}) {
		t.Errorf("redeeming asked the store %+v; want one update", got)
	}
}

func TestTicketOfARefreshedSessionNotesItsUseDurably(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	p.session = w.refreshed(p.session)
	w.store.takeCalls()
	w.ticket(p)
	if got := w.store.takeCalls(); got != (calls{volatiles: 1, updates: 1}) {
		t.Errorf("the first ticket asked the store %+v; want a volatile update that gives way to a durable one", got)
	}
	w.ticket(p)
	if got := w.store.takeCalls(); got != (calls{volatiles: 1}) {
		t.Errorf("the second ticket asked the store %+v; want one volatile update", got)
	}
}

func TestHundredRedemptionsOfOneTicket(t *testing.T) {
	w := newWorld(t)
	ticket := w.ticket(w.newPlayer())
	var redeemed atomic.Int64
	together(100, func(int) {
		_, err := w.RedeemTicket(t.Context(), mainClient, phone, ticket)
		if err == nil {
			redeemed.Add(1)
			return
		}
		want(t, "redemption", err, authcore.ErrTicket)
	})
	if n := redeemed.Load(); n != 1 {
		t.Errorf("redeemed %d times; want once", n)
	}
}

// TestFailedRedemptionBurnsTheTicket: a ticket that leaked is worth one try.
func TestFailedRedemptionBurnsTheTicket(t *testing.T) {
	thief := phone
	thief.Fingerprint = "another device"
	nameless := phone
	nameless.Fingerprint = ""
	for _, test := range []struct {
		name   string
		tenant authcore.ClientID
		caller authcore.Caller
		after  time.Duration
	}{
		{"another receiver", foreignClient, phone, 0},
		{"the issuer in place of the receiver", mainClient, phone, 0},
		{"another device", receiverClient, thief, 0},
		{"no device", receiverClient, nameless, 0},
		{"too late", receiverClient, phone, 5 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.newPlayer()
			issued, err := w.IssueTicket(t.Context(), mainClient, phone, p.session, receiverClient)
			if err != nil {
				t.Fatalf("issue: %v", err)
			}
			w.clock.step(test.after)
			_, err = w.RedeemTicket(t.Context(), test.tenant, test.caller, issued.Token.Reveal())
			want(t, "redemption", err, authcore.ErrTicket)
			w.clock.step(-test.after)
			_, err = w.RedeemTicket(t.Context(), receiverClient, phone, issued.Token.Reveal())
			want(t, "a good redemption after it", err, authcore.ErrTicket)
			if w.audit.count(authcore.AuditTicketRefused) != 1 {
				t.Error("the refusal is not audited")
			}
		})
	}
}

func TestUnknownTenantDoesNotBurnATicket(t *testing.T) {
	w := newWorld(t)
	ticket := w.ticket(w.newPlayer())
	_, err := w.RedeemTicket(t.Context(), "nobody", phone, ticket)
	want(t, "redemption", err, authcore.ErrUnknownClient)
	_, err = w.RedeemTicket(t.Context(), mainClient, phone, ticket)
	want(t, "redemption", err, nil)
}

func TestWhoMayIssueATicket(t *testing.T) {
	thief := phone
	thief.Fingerprint = "another device"
	w := newWorld(t)
	p := w.newPlayer()
	for _, test := range []struct {
		name     string
		tenant   authcore.ClientID
		caller   authcore.Caller
		receiver authcore.ClientID
		want     error
	}{
		{"for itself", mainClient, phone, "", nil},
		{"for itself by name", mainClient, phone, mainClient, nil},
		{"for one of its tickets_for", mainClient, phone, receiverClient, nil},
		{"for another", mainClient, phone, foreignClient, authcore.ErrDenied},
		{"of another client's session", foreignClient, phone, "", authcore.ErrSession},
		{"from another device", mainClient, thief, "", authcore.ErrSession},
		{"by nobody", "nobody", phone, "", authcore.ErrUnknownClient},
	} {
		_, err := w.IssueTicket(t.Context(), test.tenant, test.caller, p.session, test.receiver)
		want(t, "ticket "+test.name, err, test.want)
	}
}

func TestTicketEndsWithItsSession(t *testing.T) {
	for name, end := range map[string]func(*world, player) error{
		"log-out":        func(w *world, p player) error { return w.Logout(w.t.Context(), mainClient, p.session, "") },
		"log-out of all": func(w *world, p player) error { return w.EndSessions(w.t.Context(), p.user) },
		"disabling":      func(w *world, p player) error { return w.Disable(w.t.Context(), p.user) },
		"disabling and enabling": func(w *world, p player) error {
			if err := w.Disable(w.t.Context(), p.user); err != nil {
				return err
			}
			return w.Enable(w.t.Context(), p.user)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.newPlayer()
			ticket := w.ticket(p)
			want(t, name, end(w, p), nil)
			_, err := w.RedeemTicket(t.Context(), mainClient, phone, ticket)
			want(t, "redemption", err, authcore.ErrTicket)
		})
	}
}

func TestTicketEndsWhenItsSessionExpires(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	p.session, _ = w.raw(p.user, func(s *authcore.Session) { s.Expires = s.Issued.Add(time.Minute) })
	ticket, last := w.ticket(p), w.ticket(p)
	w.clock.step(time.Minute - 1)
	_, err := w.RedeemTicket(t.Context(), mainClient, phone, ticket)
	want(t, "redemption before the session's end", err, nil)
	w.clock.step(1)
	_, err = w.RedeemTicket(t.Context(), mainClient, phone, last)
	want(t, "redemption at the session's end", err, authcore.ErrTicket)
}

func TestTicketOutlivesARefresh(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	ticket := w.ticket(p)
	w.refreshed(p.session)
	_, err := w.RedeemTicket(t.Context(), mainClient, phone, ticket)
	want(t, "redemption", err, nil)
}

func TestTicketBindsTheFirstDevice(t *testing.T) {
	w := newWorld(t)
	p := w.newPlayer()
	p.session, _ = w.raw(p.user, func(*authcore.Session) {})
	w.ticket(p)
	thief := phone
	thief.Fingerprint = "another device"
	_, err := w.IssueTicket(t.Context(), mainClient, thief, p.session, "")
	want(t, "ticket on another device", err, authcore.ErrSession)
}

// TestStoreFailureDoesNotBurnATicket: nothing was decided, so nothing is used.
func TestStoreFailureDoesNotBurnATicket(t *testing.T) {
	w := newWorld(t)
	ticket := w.ticket(w.newPlayer())
	w.store.fail(authcore.ErrUnavailable)
	_, err := w.RedeemTicket(t.Context(), mainClient, phone, ticket)
	want(t, "redemption without a store", err, authcore.ErrUnavailable)
	w.store.fail(nil)
	_, err = w.RedeemTicket(t.Context(), mainClient, phone, ticket)
	want(t, "redemption", err, nil)
}
