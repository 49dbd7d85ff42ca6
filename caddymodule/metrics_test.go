package caddymodule

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestWebSocketsGauge: the gauge is there, and a number before any store is open:
// connections belong to the process.
func TestWebSocketsGauge(t *testing.T) {
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
		if v := family.GetMetric()[0].GetGauge().GetValue(); v != 0 || family.GetHelp() != "GameSparks connections open." {
			t.Errorf("got %v, %q", v, family.GetHelp())
		}
		return
	}
	t.Error("no qqauth_websockets")
}
