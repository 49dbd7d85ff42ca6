package caddymodule

import (
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestWebSocketsGauge: the gauge is there, and before any store is open it is not
// a number, as those beside it.
func TestWebSocketsGauge(t *testing.T) {
	if n := countSockets(); n != 0 {
		t.Errorf("%d connections before there is anything to connect to", n)
	}
	registry := prometheus.NewRegistry()
	if _, err := newMetrics(registry); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "qqauth_websockets" {
			continue
		}
		if v := family.GetMetric()[0].GetGauge().GetValue(); !math.IsNaN(v) || family.GetHelp() != "GameSparks connections open." {
			t.Errorf("got %v, %q", v, family.GetHelp())
		}
		return
	}
	t.Error("no qqauth_websockets")
}
