package pgstore

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// Benchmarks run on a server that syncs. Its processor counts here, as it shares
// the machine.

func BenchmarkKnownLogin(b *testing.B) {
	s := benchStore(b)
	const users = 2000
	for i := range users {
		firstLogin(b, s, i)
	}
	var n atomic.Int64
	b.ResetTimer()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(n.Add(1))
			err := s.Update(b.Context(), func(tx authcore.Tx) error {
				r, err := tx.Login(authcore.LoginQuery{Identity: digest("identity", i%users), Access: digest("access", i%users)})
				if err != nil {
					return err
				}
				if len(r.Sessions) > 19 {
					tx.DeleteSession(r.User.ID, r.Sessions[0])
					tx.Announce(authcore.Event{User: r.User.ID, Session: r.Sessions[0].ID, Ended: true})
				}
				tx.PutSession(aSession(r.User.ID, fmt.Sprint("again-", i)))
				return nil
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(s.refusals.Load())/float64(b.N), "refusals/op")
}

func BenchmarkFirstLogin(b *testing.B) {
	s := benchStore(b)
	var n atomic.Int64
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			firstLogin(b, s, int(n.Add(1)))
		}
	})
	b.ReportMetric(float64(s.refusals.Load())/float64(b.N), "refusals/op")
}

func BenchmarkGuardRead(b *testing.B) {
	s := benchStore(b)
	const users = 2000
	for i := range users {
		firstLogin(b, s, i)
	}
	var n atomic.Int64
	b.ResetTimer()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(n.Add(1)) % users
			err := s.View(b.Context(), func(tx authcore.Tx) error {
				_, _, err := tx.Session(digest("token", fmt.Sprint("first-", i)))
				return err
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
}

func benchStore(b *testing.B) *Store {
	server := pgtest.New(b, pgtest.Config{})
	return open(b, server.DSN("postgres", "pool_max_conns=16"))
}

func firstLogin(b *testing.B, s *Store, i int) {
	err := s.Update(b.Context(), func(tx authcore.Tx) error {
		h := authcore.IdentityHash(digest("identity", i))
		r, err := tx.Login(authcore.LoginQuery{Identity: h, Access: digest("access", i)})
		if err != nil {
			return err
		}
		if !r.Linked {
			id := authcore.UserID(fmt.Sprintf("%s-%09X", time.Now().UTC().Format("20060102150405000"), i))
			if _, err := tx.User(id); err == nil {
				return fmt.Errorf("user exists")
			}
			l := authcore.Link{Identity: h, App: "101", OpenID: "0123456789ABCDEF0123456789ABCDEF", Since: time.Now()}
			r.User = authcore.User{ID: id, Created: time.Now(), DisplayName: "林小雨", Links: []authcore.Link{l}}
			tx.PutUser(r.User)
			tx.PutLink(l, id)
		}
		tx.PutAccess(digest("access", i), authcore.Access{User: r.User.ID, Expires: time.Now().Add(time.Hour)})
		tx.PutSession(aSession(r.User.ID, fmt.Sprint("first-", i)))
		return nil
	})
	if err != nil {
		b.Error(err)
	}
}

func digest(parts ...any) [32]byte { return sha256.Sum256([]byte(fmt.Sprint(parts...))) }

func aSession(user authcore.UserID, name string) authcore.Session {
	now := time.Now()
	d := digest("id", name)
	return authcore.Session{
		ID: authcore.SessionID(base64.RawURLEncoding.EncodeToString(d[:16])), Token: digest("token", name),
		User: user, Client: "nTo1eRIub60vPb54WeE6aojPwYwImtl4", Device: digest("device"),
		Methods: []authcore.Method{authcore.MethodQQ}, AuthTime: now, Issued: now, Expires: now.Add(168 * time.Hour),
		OS: "Android13", Agent: "MyApp/1.0", IP: "192.0.2.1",
	}
}
