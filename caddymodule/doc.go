// Package caddymodule is the Caddy module: it reads the configuration, opens and
// closes what the configuration names, and wires requests to authcore through
// the wire formats below it.
//
// It must not hold a rule of the product: who gets in, what ends a session and
// what a token says is decided in authcore.
package caddymodule
