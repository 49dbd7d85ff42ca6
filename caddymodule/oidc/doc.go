// Package oidc publishes what others verify our tokens with: the key documents
// and the metadata that leads to them.
//
// It owns the paths, the headers and the metadata. The key documents it gets
// ready made; it must not know keys, users, Caddy or another wire format.
package oidc
