package authcore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// stored is what a fault of the store must not change by half.
type stored struct {
	Users    []authcore.User
	Sessions []authcore.Session
	Accesses []authcore.KnownAccess
	Pending  bool
	Phone    authcore.UserID // the owner of ownPhone
}

// stored reads the store.
func (w *codeWorld) stored(login authcore.PendingID) (s stored) {
	w.t.Helper()
	err := w.store.Store.View(w.t.Context(), func(tx authcore.Tx) (err error) {
		archive := tx.(authcore.Archive)
		if s.Users, err = archive.UsersAfter("", 100); err != nil {
			return err
		}
		if s.Sessions, err = archive.SessionsAfter("", 100); err != nil {
			return err
		}
		s.Accesses, err = archive.AccessesAfter(authcore.AccessHash{}, 100)
		return err
	})
	if err != nil {
		w.t.Fatalf("read the store: %v", err)
	}
	_, err = w.pending(string(login))
	s.Pending = err == nil
	if u, err := w.owner(ownPhone); err == nil {
		s.Phone = u.ID
	}
	return s
}

// mostReads is more than any decision reads.
const mostReads = 50

// TestFaultsOfTheStore lets each read of each decision fail in turn, and then its
// end: nothing is done by half, and it can be done afterwards.
func TestFaultsOfTheStore(t *testing.T) {
	type try func(context.Context) (authcore.Outcome, error)
	for _, test := range []struct {
		name    string
		prepare func(testing.TB) (*codeWorld, authcore.PendingID, try)
		status  authcore.Status
	}{
		{"register", func(t testing.TB) (*codeWorld, authcore.PendingID, try) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
			login := w.state(w.login(w.newAccount(), authcore.StatusUserRegister))
			code, to := w.code("REGISTER_SMS", ownPhone), w.contact(ownPhone)
			return w, login, func(ctx context.Context) (authcore.Outcome, error) {
				return w.Register(ctx, mainClient, phone, login, to, code)
			}
		}, authcore.StatusSuccess},
		{"bind", func(t testing.TB) (*codeWorld, authcore.PendingID, try) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownBind))
			w.elsewhere(ownPhone)
			login := w.state(w.login(w.newAccount(), authcore.StatusSocialBind))
			code, to := w.code("BIND_MOBILE_SMS", ownPhone), w.contact(ownPhone)
			return w, login, func(ctx context.Context) (authcore.Outcome, error) {
				return w.Bind(ctx, mainClient, phone, login, to, code)
			}
		}, authcore.StatusSuccess},
		{"bind that goes on to MFA", func(t testing.TB) (*codeWorld, authcore.PendingID, try) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownBind), bothFactors)
			w.elsewhere(ownPhone, ownEmail)
			login := w.state(w.login(w.newAccount(), authcore.StatusSocialBind))
			code, to := w.code("BIND_MOBILE_SMS", ownPhone), w.contact(ownPhone)
			return w, login, func(ctx context.Context) (authcore.Outcome, error) {
				return w.Bind(ctx, mainClient, phone, login, to, code)
			}
		}, authcore.StatusMFAAuth},
		{"mfa", func(t testing.TB) (*codeWorld, authcore.PendingID, try) {
			w := newCodeWorld(t, mfa(authcore.WayPhone))
			login := w.state(w.login(w.known(ownPhone), authcore.StatusMFAAuth))
			code, to := w.code("MFA_AUTH_SMS", ownPhone), w.contact(ownPhone)
			return w, login, func(ctx context.Context) (authcore.Outcome, error) {
				return w.FinishMFA(ctx, mainClient, phone, login, to, code)
			}
		}, authcore.StatusSuccess},
		{"enrolment", func(t testing.TB) (*codeWorld, authcore.PendingID, try) {
			w := newCodeWorld(t, mfa(authcore.WayPhone))
			login := w.state(w.login(w.known(), authcore.StatusUserRegister))
			code, to := w.code("REGISTER_SMS", ownPhone), w.contact(ownPhone)
			return w, login, func(ctx context.Context) (authcore.Outcome, error) {
				return w.Register(ctx, mainClient, phone, login, to, code)
			}
		}, authcore.StatusSuccess},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, login, finish := test.prepare(t)
			before := w.stored(login)
			unchanged := func(what string) {
				t.Helper()
				if diff := cmp.Diff(before, w.stored(login)); diff != "" {
					t.Fatalf("%s changed the store: %s", what, diff)
				}
			}
			w.store.fail(authcore.ErrDamaged)
			_, err := finish(t.Context())
			want(t, "finish in a damaged store", err, authcore.ErrUnavailable)
			w.store.fail(nil)
			w.store.undone.Store(true)
			_, err = finish(t.Context())
			want(t, "finish without a commit", err, authcore.ErrUnavailable)
			w.store.undone.Store(false)
			unchanged("finish without a commit")
			reads := int64(0)
			for ; ; reads++ {
				if reads > mostReads {
					t.Fatal("it never succeeds")
				}
				w.store.tripAt(reads)
				out, err := finish(t.Context())
				w.store.tripAt(-1)
				if err == nil {
					if out.Status != test.status {
						t.Errorf("finish in the end = %s; want %s", out.Status, test.status)
					}
					break
				}
				want(t, "finish with a read that fails", err, authcore.ErrUnavailable)
				unchanged("finish with a read that fails")
			}
			if reads < 4 {
				t.Errorf("only %d reads can fail", reads)
			}
			if w.audit.count(authcore.AuditCodeRefused) != 0 {
				t.Error("a fault is audited as a wrong code")
			}
			if got := w.audit.audited(authcore.AuditLoginRefused); len(got) == 0 || got[len(got)-1].Status != "store_unavailable" {
				t.Errorf("login_refused audited as %+v", got)
			}
		})
	}
}

// TestFaultsWhileSending: what is not counted is not sent, and a pass that was not
// used is still good.
func TestFaultsWhileSending(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayPhone))
	w.login(w.known(ownPhone), authcore.StatusMFAAuth)
	pass, to := w.pass(ownPhone), w.contact(ownPhone)
	send := func() error {
		return w.SendCode(t.Context(), mainClient, phone, authcore.CodeRequest{Type: "MFA_AUTH_SMS", To: to, Pass: pass})
	}
	w.store.undone.Store(true)
	want(t, "send without a commit", send(), authcore.ErrUnavailable)
	w.store.undone.Store(false)
	w.store.refuseWrites(authcore.ErrUnavailable)
	want(t, "send in a full store", send(), authcore.ErrUnavailable)
	w.store.refuseWrites(nil)
	reads := int64(0)
	for ; ; reads++ {
		if reads > mostReads {
			t.Fatal("it never succeeds")
		}
		w.store.tripAt(reads)
		err := send()
		w.store.tripAt(-1)
		if err == nil {
			break
		}
		want(t, "send with a read that fails", err, authcore.ErrUnavailable)
		if n := w.messages(); n != 0 {
			t.Fatalf("%d messages in spite of a fault", n)
		}
	}
	if n := w.messages(); n != 1 || reads < 4 {
		t.Errorf("%d messages in the end, after %d faults", n, reads)
	}
}

func TestFaultsOfPuzzles(t *testing.T) {
	w := newCodeWorld(t)
	p, x := w.puzzle()
	to := w.contact(ownPhone)
	for _, fault := range []error{authcore.ErrUnavailable, authcore.ErrDamaged} {
		w.store.fail(fault)
		_, err := w.NewPuzzle(t.Context(), mainClient, phone)
		want(t, "puzzle", err, authcore.ErrUnavailable)
		want(t, "solve", w.SolvePuzzle(t.Context(), mainClient, phone, p, x, to), authcore.ErrUnavailable)
		w.store.fail(nil)
	}
	w.store.undone.Store(true)
	want(t, "solve without a commit", w.solve(p, x), authcore.ErrUnavailable)
	w.store.undone.Store(false)
	w.store.tripAt(0)
	want(t, "solve with a read that fails", w.solve(p, x), authcore.ErrUnavailable)
	w.store.tripAt(-1)
	want(t, "solve", w.solve(p, x), nil)
	w.store.refuseWrites(authcore.ErrUnavailable)
	_, err := w.NewPuzzle(t.Context(), mainClient, phone)
	want(t, "puzzle in a full store", err, authcore.ErrUnavailable)
	w.store.refuseWrites(nil)
}

func TestFaultsOfStateTokens(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayPhone))
	out := w.as(mainClient, authcore.Caller{Loopback: true}).login(w.known(ownPhone), authcore.StatusMFAAuth)
	var login authcore.PendingID
	for read := int64(0); ; read++ {
		if read > mostReads {
			t.Fatal("it never succeeds")
		}
		w.store.tripAt(read)
		id, err := w.CheckState(t.Context(), mainClient, phone, out.StateToken)
		w.store.tripAt(-1)
		if login = id; err == nil {
			break
		}
		want(t, "check with a read that fails", err, authcore.ErrUnavailable)
	}
	for read := int64(0); ; read++ {
		if read > mostReads {
			t.Fatal("it never succeeds")
		}
		w.store.tripAt(read)
		_, err := w.MobileOf(t.Context(), mainClient, phone, login)
		w.store.tripAt(-1)
		if err == nil {
			break
		}
		want(t, "the starred number with a read that fails", err, authcore.ErrUnavailable)
	}
	_, err := w.MobileOf(t.Context(), foreignClient, phone, login)
	want(t, "the starred number for another client", err, authcore.ErrState)
	_, err = w.MobileOf(t.Context(), "nobody", phone, login)
	want(t, "the starred number for an unknown client", err, authcore.ErrUnknownClient)
}

// TestFaultsOfLogins that end in a state_token.
func TestFaultsOfLogins(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayPhone))
	p := w.known(ownPhone)
	before := w.stored("")
	for read := int64(0); ; read++ {
		if read > mostReads {
			t.Fatal("it never succeeds")
		}
		w.store.tripAt(read)
		out, err := w.LoginQQ(t.Context(), mainClient, phone, p.access, p.openID)
		w.store.tripAt(-1)
		if err == nil {
			if out.Status != authcore.StatusMFAAuth {
				t.Errorf("login = %s", out.Status)
			}
			return
		}
		if !errors.Is(err, authcore.ErrUnavailable) || out.StateToken != "" {
			t.Errorf("login with a read that fails = %+v, %v", out, err)
		}
		if diff := cmp.Diff(before, w.stored("")); diff != "" {
			t.Fatalf("it changed the store: %s", diff)
		}
	}
}
