// Package e2e holds the black-box tests of the binary that operators run: each
// starts caddymodule/cmd/caddy with a Caddyfile and speaks to it over the
// network, as apps, browsers, backends and administrators do.
//
// It owns no code that ships. It must not import the packages that it tests,
// but for the offline QQ, which stands outside the server here.
package e2e
