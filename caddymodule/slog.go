package caddymodule

import (
	"log/slog"
	"math"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

// slogOver is a slog.Logger over one of Caddy's, for packages that know nothing
// of Caddy. It adds no stack traces: a refused request is no crash.
func slogOver(log *zap.Logger) *slog.Logger {
	return slog.New(zapslog.NewHandler(log.Core(), zapslog.WithName(log.Name()), zapslog.AddStacktraceAt(math.MaxInt)))
}
