// Package storetest is the contract of [authcore.Store] and [authcore.Tx] as
// tests, which every store must pass.
//
// It must not know any store: what it does not reach through the interfaces is
// in the [Fixture].
package storetest
