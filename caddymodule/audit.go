package caddymodule

import (
	"go.uber.org/zap"

	"github.com/qqauth/qqauth/authcore"
)

// audit writes an event to the logger qqauth.audit and counts it.
func (a *App) audit(e authcore.AuditEvent) {
	a.metrics.count(e)
	fields := make([]zap.Field, 0, 9)
	for _, f := range []struct{ key, value string }{
		{"user_id", string(e.User)}, {"from_user_id", string(e.From)}, {"client_id", string(e.Client)}, {"sid", string(e.Session)},
		{"app_id", string(e.App)}, {"status", e.Status}, {"contact", e.Contact},
	} {
		if f.value != "" {
			fields = append(fields, zap.String(f.key, f.value))
		}
	}
	if e.Addr.IsValid() {
		fields = append(fields, zap.Stringer("addr", e.Addr))
	}
	if e.Count > 0 {
		fields = append(fields, zap.Int("count", e.Count))
	}
	a.auditLog.Info(e.Name, fields...)
}
