package badgerstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// BenchmarkUpdate is a login of a known user: one compound read, one session.
func BenchmarkUpdate(b *testing.B) { benchmarkUpdate(b, func(*Store) {}, 1, 64, 256) }

func benchmarkUpdate(b *testing.B, change func(*Store), crowds ...int) {
	for _, callers := range crowds {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s := openIn(b, b.TempDir())
			for i := range logins {
				if err := logIn(s, i); err != nil {
					b.Fatal(err)
				}
			}
			change(s)
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

// BenchmarkView is what a guard pays on a miss of its cache, and for a look
// whether what it has there still stands.
func BenchmarkView(b *testing.B) {
	s := openIn(b, b.TempDir())
	for i := range logins {
		if err := logIn(s, i); err != nil {
			b.Fatal(err)
		}
	}
	for _, reading := range []struct {
		name string
		read func(tx authcore.Tx, i int) error
	}{
		{"session", func(tx authcore.Tx, i int) error { _, _, err := tx.Session(tokenHash("token", i)); return err }},
		{"stamp", func(tx authcore.Tx, i int) error {
			_, err := tx.(authcore.Stamped).Stamp(tokenHash("token", i), userID(i))
			return err
		}},
	} {
		b.Run(reading.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				err := s.View(context.Background(), func(tx authcore.Tx) error { return reading.read(tx, i%logins) })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUpdateSlowDisk is BenchmarkUpdate where a sync takes 8 ms more, as the
// two that Badger makes of it do on a disk of 4 ms.
func BenchmarkUpdateSlowDisk(b *testing.B) {
	benchmarkUpdate(b, func(s *Store) {
		s.sync = func() error { time.Sleep(8 * time.Millisecond); return s.db.Sync() }
	}, 1, 128)
}
