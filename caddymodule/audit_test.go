package caddymodule

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/qqauth/qqauth/authcore"
)

// TestAudit: what an event says is in its line under the names that operators
// search for, and what it leaves out is not.
func TestAudit(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	metrics, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	app := &App{auditLog: zap.New(core), metrics: metrics}
	app.audit(authcore.AuditEvent{
		Name: authcore.AuditSessionEnd, User: "u", From: "f", Client: "c", Session: "s", App: "1", Addr: netip.MustParseAddr("192.0.2.1"),
		Status: "SUCCESS", Count: 2, Contact: "+86-159****2852",
	})
	app.audit(authcore.AuditEvent{Name: authcore.AuditLogin, User: "u"})
	want := []map[string]any{
		{
			"user_id": "u", "from_user_id": "f", "client_id": "c", "sid": "s", "app_id": "1", "status": "SUCCESS",
			"contact": "+86-159****2852", "addr": "192.0.2.1", "count": int64(2),
		},
		{"user_id": "u"},
	}
	var got []map[string]any
	for _, entry := range logs.All() {
		got = append(got, entry.ContextMap())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
