package badgerstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// BenchmarkUpdate is a login of a known user: one compound read, one session.
func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s := openIn(b, b.TempDir())
			for i := range logins {
				if err := logIn(s, i); err != nil {
					b.Fatal(err)
				}
			}
			before := s.Stats()
			b.ReportAllocs()
			work := make(chan int, callers)
			done := make(chan error, callers)
			b.ResetTimer()
			for range callers {
				go func() {
					var first error
					for i := range work {
						err := s.Update(context.Background(), func(tx authcore.Tx) error {
							r, err := tx.Login(authcore.LoginQuery{Identity: identity(i % logins)})
							if err != nil {
								return err
							}
							for _, old := range r.Sessions {
								tx.DeleteSession(r.User.ID, old)
							}
							session := aSession(i % logins)
							session.Token = tokenHash("bench", i)
							session.Expires = time.Now().Add(time.Hour)
							tx.PutSession(session)
							return nil
						})
						if first == nil {
							first = err
						}
					}
					done <- first
				}()
			}
			for i := range b.N {
				work <- i
			}
			close(work)
			for range callers {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
			b.ReportMetric(float64(b.N)/float64(s.Stats().Batches-before.Batches), "updates/batch")
		})
	}
}

// BenchmarkViewSession is what a guard pays on a miss of its cache.
func BenchmarkViewSession(b *testing.B) {
	s := openIn(b, b.TempDir())
	for i := range logins {
		if err := logIn(s, i); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		err := s.View(context.Background(), func(tx authcore.Tx) error {
			_, _, err := tx.Session(tokenHash("token", i%logins))
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
