package authcore_test

import (
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

func BenchmarkGuardHit(b *testing.B) {
	w := newWorld(b)
	session, g := w.newPlayer().session, w.guard()
	want(b, "admission", w.admit(g, session), nil)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, err := g.Admit(b.Context(), session, "")
			if err != nil {
				b.Fatal(err)
			}
			p.Release()
		}
	})
}

// BenchmarkGuardMiss includes the signature that a new entry costs.
func BenchmarkGuardMiss(b *testing.B) {
	w := newWorld(b)
	session, g := w.newPlayer().session, w.guard()
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		w.node.Evict()
		p, err := g.Admit(b.Context(), session, "")
		if err != nil {
			b.Fatal(err)
		}
		p.Release()
	}
}

func BenchmarkLoginKnown(b *testing.B) {
	w := newWorld(b)
	p := w.newPlayer()
	b.ReportAllocs()
	b.ResetTimer()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			out, err := w.LoginQQ(b.Context(), mainClient, phone, p.access, p.openID)
			if err != nil || out.Status != authcore.StatusSuccess {
				b.Errorf("login = %q, %v", out.Status, err)
				return
			}
		}
	})
}
