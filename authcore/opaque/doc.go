// Package opaque owns random tokens: making them, hashing them, comparing them,
// and keeping them out of logs.
//
// A token is 32 characters of [A-Za-z0-9]: 26 random ones and a keyed checksum
// of 6, which lets an invented token be refused without asking anybody. A store
// keeps the hash of a token, never the token.
//
// It must not know what a token is for beyond the kind that it is told, nor
// where its keys come from.
package opaque
