package authcore

import (
	"context"
	"errors"
	"fmt"
)

// exportPage is how many records one View of an export reads.
const exportPage = 500

// ErrNotFrozen says that a store which has to be closed for writing is not.
var ErrNotFrozen = errors.New("store is open for writing")

// Record is one record of an account base on its way to another. Exactly one of
// its fields is set.
type Record struct {
	Erased  *Erased
	User    *User
	Session *Session
	Retired *RetiredToken
	Access  *KnownAccess
	// Account comes from another system; no export has one.
	Account *Account
}

// Freeze durably closes the node's store for writing, or opens it again: logins,
// log-outs and whatever else has to be written are refused with ErrFrozen, on
// every node, while guards go on letting sessions in.
func (n *Node) Freeze(ctx context.Context, frozen bool) error { return n.store.Freeze(ctx, frozen) }

// Frozen reports whether the store is closed for writing.
func (n *Node) Frozen() bool { return errors.Is(n.store.Writable(), ErrFrozen) }

// WrappedRing returns the store's key ring, wrapped by its secret_key.
func (n *Node) WrappedRing(ctx context.Context) ([]byte, error) { return n.storedRing(ctx) }

// Export hands every record that outlives a move to take, one after the other:
// who was erased and which user names were given up, users, then sessions and refreshed
// tokens if the export is final, then access tokens of QQ. What has expired is left
// out. after is the last record that an earlier export has taken, of which only the
// key counts; the zero Record begins with the first. An error of take ends the export
// and is returned.
//
// Only a store that is closed for writing can be exported finally, else
// ErrNotFrozen: a session that has moved must not be ended where it no longer
// is. Without it, what changes meanwhile may be in the export or not.
func (n *Node) Export(ctx context.Context, after Record, final bool, take func(Record) error) error {
	if final && !n.Frozen() {
		return ErrNotFrozen
	}
	now := n.now()
	if after == (Record{}) || after.Erased != nil {
		if err := exportErased(ctx, n.store, after.Erased, take); err != nil {
			return err
		}
		after = Record{}
	}
	if after == (Record{}) || after.User != nil {
		if err := exportUsers(ctx, n.store, after.User, take); err != nil {
			return err
		}
	}
	if final && after.Retired == nil && after.Access == nil {
		err := pages(ctx, n.store, after.Session, func(a Archive, last *Session) ([]Session, error) {
			return a.SessionsAfter(keyOf(last, func(s *Session) SessionID { return s.ID }), exportPage)
		}, func(s *Session) error {
			if !now.Before(s.Expires) {
				return nil
			}
			return take(Record{Session: s})
		})
		if err != nil {
			return err
		}
	}
	if final && after.Access == nil {
		err := pages(ctx, n.store, after.Retired, func(a Archive, last *RetiredToken) ([]RetiredToken, error) {
			return a.RetiredAfter(keyOf(last, func(r *RetiredToken) TokenHash { return r.Token }), exportPage)
		}, func(r *RetiredToken) error {
			if !now.Before(r.Expires) {
				return nil
			}
			return take(Record{Retired: r})
		})
		if err != nil {
			return err
		}
	}
	return pages(ctx, n.store, after.Access, func(a Archive, last *KnownAccess) ([]KnownAccess, error) {
		return a.AccessesAfter(keyOf(last, func(k *KnownAccess) AccessHash { return k.Hash }), exportPage)
	}, func(k *KnownAccess) error {
		if !now.Before(k.Expires) || k.User == "" { // the latter marks a session that came in
			return nil
		}
		return take(Record{Access: k})
	})
}

func exportErased(ctx context.Context, store Store, after *Erased, take func(Record) error) error {
	return pages(ctx, store, after, func(a Archive, last *Erased) ([]Erased, error) {
		return a.ErasedAfter(keyOf(last, func(e *Erased) ErasedHash { return e.Hash }), exportPage)
	}, func(e *Erased) error { return take(Record{Erased: e}) })
}

func exportUsers(ctx context.Context, store Store, after *User, take func(Record) error) error {
	return pages(ctx, store, after, func(a Archive, last *User) ([]User, error) {
		return a.UsersAfter(keyOf(last, func(u *User) UserID { return u.ID }), exportPage)
	}, func(u *User) error { return take(Record{User: u}) })
}

// keyOf is the key of a record, zero if there is none.
func keyOf[T, K any](record *T, key func(*T) K) (k K) {
	if record != nil {
		k = key(record)
	}
	return k
}

// pages goes through the records of one kind after last. Each page is a View of
// its own: one over millions of records would keep a store from tidying up.
func pages[T any](ctx context.Context, store Store, last *T, list func(Archive, *T) ([]T, error), use func(*T) error) error {
	for {
		page, err := viewArchive(ctx, store, func(a Archive) ([]T, error) { return list(a, last) })
		if err != nil {
			return fmt.Errorf("read the store: %w", err)
		}
		for i := range page {
			if err := use(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < exportPage {
			return nil
		}
		last = &page[len(page)-1]
	}
}

// viewArchive reads from a store that can be gone through.
func viewArchive[T any](ctx context.Context, store Store, read func(Archive) (T, error)) (v T, err error) {
	err = store.View(ctx, func(tx Tx) error {
		archive, ok := tx.(Archive)
		if !ok {
			return errors.New("store cannot be gone through")
		}
		v, err = read(archive)
		return err
	})
	return v, err
}
