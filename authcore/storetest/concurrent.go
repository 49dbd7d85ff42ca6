package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// crowd is how many goroutines race.
const crowd = 100

// race runs fn in a crowd, all at once, and reports what they answered.
func race(t *testing.T, fn func(i int) error) []error {
	t.Helper()
	errs := make([]error, crowd)
	start := make(chan struct{})
	var done sync.WaitGroup
	for i := range crowd {
		done.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	done.Wait()
	return errs
}

// The lost race of a first login becomes an ordinary login.
func testFirstLogins(t *testing.T, f *Fixture) {
	h := authcore.IdentityHash(hash("identity"))
	got := make([]authcore.UserID, crowd)
	var made atomic.Int32
	errs := race(t, func(i int) error {
		var created bool
		err := f.Store.Update(t.Context(), func(tx authcore.Tx) error {
			created = false
			record, err := tx.Login(authcore.LoginQuery{Identity: h})
			if err != nil {
				return err
			}
			if !record.Linked {
				created = true
				record.User = user(authcore.UserID("user-"+strconv.Itoa(i)), h)
				tx.PutUser(record.User)
				tx.PutLink(record.User.Links[0], record.User.ID)
			}
			got[i] = record.User.ID
			tx.PutSession(session(authcore.SessionID("session-"+strconv.Itoa(i)), record.User.ID, i))
			return nil
		})
		if err == nil && created {
			made.Add(1)
		}
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("logins: %v", err)
	}
	if made.Load() != 1 {
		t.Errorf("%d logins made a user, want 1", made.Load())
	}
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		u, err := tx.UserByIdentity(h)
		want(t, "UserByIdentity", u, err, user(got[0], h))
		for i, id := range got {
			if id != u.ID {
				t.Errorf("login %d ended in user %s, the link names %s", i, id, u.ID)
			}
			if _, err := tx.User(authcore.UserID("user-" + strconv.Itoa(i))); err == nil && got[i] != authcore.UserID("user-"+strconv.Itoa(i)) {
				t.Errorf("a second user, %d, exists", i)
			}
		}
		refs, err := tx.Sessions(u.ID)
		want(t, "sessions in the list", len(refs), err, crowd)
	})
}

// A phone number that many register at once gets one user.
func testClaims(t *testing.T, f *Fixture) {
	h := authcore.HandleHash(hash("phone"))
	winner := make([]authcore.UserID, crowd)
	errs := race(t, func(i int) error {
		id := authcore.UserID("user-" + strconv.Itoa(i))
		return f.Store.Update(t.Context(), func(tx authcore.Tx) error {
			winner[i] = ""
			_, err := tx.UserByHandle(h)
			if !errors.Is(err, authcore.ErrNotFound) {
				return err
			}
			winner[i] = id
			tx.PutUser(user(id))
			tx.PutHandle(h, id)
			return nil
		})
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("claim: %v", err)
	}
	winners := slices.DeleteFunc(winner, func(id authcore.UserID) bool { return id == "" })
	if len(winners) != 1 {
		t.Fatalf("%d of %d claims won, want 1", len(winners), crowd)
	}
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		got, err := tx.UserByHandle(h)
		want(t, "UserByHandle", got, err, user(winners[0]))
	})
}

func testRedemptions(t *testing.T, f *Fixture) {
	ticket := authcore.Ticket{Token: hash("ticket"), Session: "s", Expires: base.Add(time.Hour)}
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		tx.PutUser(user("u"))
		tx.PutSession(session("s", "u", 1))
		tx.PutTicket(ticket)
	})
	errs := race(t, func(int) error {
		return f.Store.Update(t.Context(), func(tx authcore.Tx) error {
			if _, err := tx.Ticket(ticket.Token); err != nil {
				return err
			}
			tx.DeleteTicket(ticket.Token)
			return nil
		})
	})
	redeemed := 0
	for _, err := range errs {
		switch {
		case err == nil:
			redeemed++
		case !errors.Is(err, authcore.ErrNotFound):
			t.Errorf("redeem: %v", err)
		}
	}
	if redeemed != 1 {
		t.Errorf("redeemed %d times, want 1", redeemed)
	}
}

// Accounts are users: the epoch is the balance, the display name counts what was
// sent. A lost update changes the sum; so does a view that sees half a transfer.
func testTransfers(t *testing.T, f *Fixture) {
	const accounts, balance = 8, 1000
	account := func(i int) authcore.UserID { return authcore.UserID(fmt.Sprint("account-", i)) }
	sum := func(tx authcore.Tx) (total uint32, err error) {
		for i := range accounts {
			u, err := tx.User(account(i))
			if err != nil {
				return 0, err
			}
			total += u.Epoch
		}
		return total, nil
	}
	update(t, f.Store, func(t *run, tx authcore.Tx) {
		for i := range accounts {
			tx.PutUser(authcore.User{ID: account(i), Created: base, Epoch: balance, DisplayName: "0"})
		}
	})
	var transfers atomic.Int32
	errs := race(t, func(i int) error {
		for range 5 {
			from, to := rand.IntN(accounts), rand.IntN(accounts-1)
			if to >= from {
				to++
			}
			err := f.Store.Update(t.Context(), func(tx authcore.Tx) error {
				a, errA := tx.User(account(from))
				b, errB := tx.User(account(to))
				if err := errors.Join(errA, errB); err != nil {
					return err
				}
				sent, err := strconv.Atoi(a.DisplayName)
				if err != nil {
					return err
				}
				a.Epoch, a.DisplayName, b.Epoch = a.Epoch-1, strconv.Itoa(sent+1), b.Epoch+1
				tx.PutUser(a)
				tx.PutUser(b)
				return nil
			})
			if err != nil {
				return err
			}
			transfers.Add(1)
			var seen uint32
			if err := f.Store.View(t.Context(), func(tx authcore.Tx) (err error) { seen, err = sum(tx); return err }); err != nil {
				return err
			}
			if seen != accounts*balance {
				return fmt.Errorf("a view sees %d in all, want %d", seen, accounts*balance)
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("transfers: %v", err)
	}
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		total, err := sum(tx)
		want(t, "the sum", total, err, accounts*balance)
		sent := 0
		for i := range accounts {
			u, err := tx.User(account(i))
			want(t, "account", u.ID, err, account(i))
			n, err := strconv.Atoi(u.DisplayName)
			want(t, "its count", n >= 0, err, true)
			sent += n
		}
		want(t, "transfers that are kept", sent, nil, int(transfers.Load()))
	})
}

// Two users may not both leave: each may only while the other stays. Each
// transaction writes a record that the other one only reads.
func testWriteSkew(t *testing.T, f *Fixture) {
	for round := range 20 {
		id := func(i int) authcore.UserID { return authcore.UserID(fmt.Sprint(round, "-", i%2)) }
		update(t, f.Store, func(t *run, tx authcore.Tx) {
			for i := range 2 {
				tx.PutUser(authcore.User{ID: id(i), Created: base})
			}
		})
		start := make(chan struct{})
		errs := make([]error, 2)
		var done sync.WaitGroup
		for i := range 2 {
			done.Go(func() {
				<-start
				errs[i] = f.Store.Update(t.Context(), func(tx authcore.Tx) error {
					other, err := tx.User(id(i + 1))
					if err != nil || other.Disabled {
						return err
					}
					tx.PutUser(authcore.User{ID: id(i), Created: base, Disabled: true})
					return nil
				})
			})
		}
		close(start)
		done.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatalf("leave: %v", err)
		}
		view(t, f.Store, func(t *run, tx authcore.Tx) {
			a, errA := tx.User(id(0))
			b, errB := tx.User(id(1))
			want(t, "one of two has left", a.Disabled != b.Disabled, errors.Join(errA, errB), true)
		})
	}
}

// A transaction that reads an empty list and inserts into it is the first; no
// other one may think so too.
func testPhantom(t *testing.T, f *Fixture) {
	h := authcore.IdentityHash(hash("identity"))
	var first atomic.Int32
	errs := race(t, func(i int) error {
		var alone bool
		err := f.Store.Update(t.Context(), func(tx authcore.Tx) error {
			refs, err := tx.Pendings(h)
			if err != nil {
				return err
			}
			alone = len(refs) == 0
			tx.PutPending(authcore.Pending{
				ID: authcore.PendingID(strconv.Itoa(i)), Status: authcore.StatusSocialBind, Identity: h,
				Created: base, Expires: base.Add(time.Hour),
			})
			return nil
		})
		if err == nil && alone {
			first.Add(1)
		}
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("insert: %v", err)
	}
	if first.Load() != 1 {
		t.Errorf("%d transactions were the first, want 1", first.Load())
	}
	view(t, f.Store, func(t *run, tx authcore.Tx) {
		refs, err := tx.Pendings(h)
		want(t, "lines", len(refs), err, crowd)
	})
}
