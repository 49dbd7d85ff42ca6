// Package authcore holds what is true about users, logins, sessions and
// tickets: who a QQ account belongs to, what a login ends in, how long a session
// lives and what ends it, what a guard may say of it to an upstream.
//
// It decides and nothing else decides. Every rule that reads and writes is one
// function that runs inside one [Store.Update], so it holds on every store and
// on every node. It speaks to QQ through [QQ], to the store through [Store] and
// [Tx], and takes the time from an injected clock.
//
// It must not know HTTP servers, Caddy, any wire format or any database driver.
package authcore
