package main

import (
	"fmt"
	"time"
)

// starts is how often each server is started.
const starts = 7

// startRow is how long Caddy takes until a session gets through its guard.
func startRow(b *bench) ([]result, error) {
	few, err := b.makeStore(b.badger("one"), 1)
	if err != nil {
		return nil, err
	}
	many, err := b.makeStore(b.badger("many"), b.sessions)
	if err != nil {
		return nil, err
	}
	var took [2][]float64
	for i := range 1 + starts {
		for j, s := range []*store{few, many} {
			seconds, err := b.timeStart(s)
			if err != nil {
				return nil, err
			}
			if i > 0 { // the first one makes the RSA key
				took[j] = append(took[j], seconds)
			}
		}
	}
	more := median(took[1]) - median(took[0])
	const most = 1.0
	return []result{{
		what: fmt.Sprintf("start with %s sessions, until the first answer through a guard", count(float64(b.sessions))),
		goal: "≤ 1 s more than with none",
		measured: fmt.Sprintf("%.2f s more: %.2f s (%.2f–%.2f) against %.2f s (%.2f–%.2f), %d starts each", more,
			median(took[1]), quantile(took[1], 0), quantile(took[1], 1),
			median(took[0]), quantile(took[0], 0), quantile(took[0], 1), starts),
		met: whether(more <= most),
	}}, nil
}

func (b *bench) timeStart(s *store) (seconds float64, err error) {
	began := time.Now()
	server, err := (guarded{store: s}).start(b)
	if err != nil {
		return 0, err
	}
	return time.Since(began).Seconds(), server.stop()
}
