// Package pgstore is the [authcore.Store] that many nodes share: PostgreSQL, or
// a distributed database that speaks its protocol.
//
// It owns the tables named qqauth_*, their versions, the connections, what one
// round trip carries, and the feed that tells each node what the others
// announced. An Update is one SERIALIZABLE transaction: the reads of its function
// go out with BEGIN, its writes with COMMIT. One that the database refuses
// because of another runs again. One whose COMMIT was sent and not answered does
// not: nobody knows what became of it, and the caller is told just that.
//
// A COMMIT is never cancelled. PostgreSQL takes a cancelled wait for a standby
// for a success, so it could make visible here what a failover then takes back.
// At its deadline the connection is dropped and the transaction left to its fate.
//
// Only portable SQL is spoken: no LISTEN, advisory locks, extensions or stored
// procedures.
//
// The package must not know what the records mean, who is let in, or what time
// the node believes it is.
package pgstore
