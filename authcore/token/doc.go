// Package token owns the keys and everything that is made with them: signed
// tokens, tenant bearers, the checksums of opaque tokens, the MACs that stand
// for personal data, and the sealing of what a store writes down.
//
// A [Ring] is an immutable set of keys, each for one purpose and one algorithm.
// [Keys] holds the ring that is in force, wrapped by the operator's secret_key
// whenever it leaves memory. The tokens of one kind are minted and verified here
// side by side: id_token, assertion, state_token, tenant bearer. A verifier
// takes key and algorithm from the ring and never from the token, and refuses
// the tokens of every other kind.
//
// # Rotation
//
// A signing key ([Config].Alg for id_tokens, ES256 for assertions, and the MAC
// keys of state_tokens and bearers) signs for 90 days. Its successor joins the
// ring 48 hours before that, and never signs before it has been there for 24, so
// that every node and every copy of the JWKS has it in time; where nobody looked
// so long, the old key signs on. What an old key signed verifies, and the key
// stays published, for [Config].Keep after it was succeeded; then it is dropped.
// The first key of a purpose signs at once. Keys for sealing, indexing and
// checksums are for ever, since what was made with them is.
//
// After a change of [Config].Alg the keys of the former algorithm verify on and
// age out: each is dropped 90 days and Keep after its activation.
//
// # Clocks
//
// A token is dead at the very second of its exp. A token from up to 60 s in the
// future is taken, because nodes of a fleet issue by their own clocks.
//
// The package must not know stores, HTTP, or what makes a user or a session good.
package token
