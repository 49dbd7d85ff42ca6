package badgerstore

import (
	"errors"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// One of two records that belong together is no record, and no absent one.
func TestHalfPairs(t *testing.T) {
	s := openIn(t, t.TempDir())
	user, access, union := userID(0), authcore.AccessHash{1}, authcore.UnionHash{2}
	handle, erased := authcore.HandleHash{3}, authcore.ErasedHash{4}
	if err := errors.Join(logIn(s, 0), s.Update(t.Context(), func(tx authcore.Tx) error {
		tx.PutAccess(access, authcore.Access{User: user, Expires: aSession(0).Expires})
		tx.PutUnion(union, []authcore.UnionMember{{App: "101", User: user}})
		tx.PutHandle(handle, user)
		tx.PutErased(authcore.Erased{Hash: erased})
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		key  []byte
		read func(authcore.Tx) error
	}{
		"link": {kindLink.hash(identity(0)), func(t authcore.Tx) error {
			_, err := t.Login(authcore.LoginQuery{Identity: identity(0)})
			return err
		}},
		"access": {kindAccess.hash(access), func(t authcore.Tx) error {
			_, err := t.Login(authcore.LoginQuery{Identity: identity(1), Access: access})
			return err
		}},
		"handle": {kindHandle.hash(handle), func(t authcore.Tx) error { _, err := t.UserByHandle(handle); return err }},
		"erased": {kindErased.hash(erased), func(t authcore.Tx) error { _, err := t.Erased(erased); return err }},
		"union":  {kindUnion.hash(union), func(t authcore.Tx) error { _, err := t.Union(union); return err }},
		"list":   {kindList.key(string(user)), func(t authcore.Tx) error { _, err := t.Sessions(user); return err }},
		"ring":   {kindRing.key(""), func(t authcore.Tx) error { _, err := t.Ring(); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, key := range [][]byte{test.key, mirror(test.key)} {
				var kept entry
				err := s.Update(t.Context(), func(tx authcore.Tx) error {
					if err := test.read(tx); err != nil {
						return err
					}
					raw := rawTx(tx)
					plain, expires, err := raw.get(key)
					kept = entry{key: key, plain: plain, expires: expires}
					raw.delete(key)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, run := range []func() error{
					func() error { return s.View(t.Context(), test.read) },
					func() error {
						return s.Update(t.Context(), func(tx authcore.Tx) error { _ = test.read(tx); return nil })
					},
				} {
					if err := run(); !errors.Is(err, authcore.ErrDamaged) {
						t.Errorf("without kind %#x: got error %v, want ErrDamaged", key[0], err)
					}
				}
				if err := s.Update(t.Context(), func(tx authcore.Tx) error { rawTx(tx).set(kept); return nil }); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if s.Stats().Damages == 0 {
		t.Error("no damage is counted")
	}
}

func rawTx(t authcore.Tx) *tx { return t.(*tx) }

// A value is good for its own key only.
func TestSwappedValue(t *testing.T) {
	s := openIn(t, t.TempDir())
	if err := errors.Join(logIn(s, 0), logIn(s, 1)); err != nil {
		t.Fatal(err)
	}
	txn := s.db.NewTransaction(true)
	defer txn.Discard()
	item, err := txn.Get(kindUser.key(string(userID(1))))
	if err != nil {
		t.Fatal(err)
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(txn.Set(kindUser.key(string(userID(0))), value), txn.Commit()); err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(tx authcore.Tx) error { _, err := tx.User(userID(0)); return err })
	if !errors.Is(err, authcore.ErrDamaged) {
		t.Errorf("got error %v, want ErrDamaged", err)
	}
}
