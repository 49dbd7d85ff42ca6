// Package pgtest runs private PostgreSQL servers for tests and benchmarks, and a
// proxy that makes the network before them bad.
//
// It owns the processes, directories and ports of these servers, and what their
// clients see of faults: a killed or hanging server, a standby that takes over, a
// connection that is cut in the middle of a commit. It must not know any driver
// nor what is stored. The server's own programs (initdb, postgres, psql,
// pg_basebackup) have to be installed.
//
// Nothing is left behind, however the process ends: a shell waits for its end,
// kills what still runs and removes the directory.
//
// Ports are taken below the range that systems use for outgoing connections:
// from it, a client that keeps dialling a dead server would in the end be
// connected to itself, and a server that is down could lose its port.
package pgtest
