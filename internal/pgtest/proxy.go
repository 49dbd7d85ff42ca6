package pgtest

import (
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Fault is what happens to a flight; the zero value lets it pass.
type Fault struct {
	// CutBefore cuts the connection; the server never gets the flight.
	CutBefore bool
	// CutAfter forwards the flight, waits for the server's answer and cuts the
	// connection in its place.
	CutAfter bool
	// Fail is the SQLSTATE of an error that the client gets instead of having the
	// flight executed. The server raises it itself, so that it is of the same
	// opinion about the transaction: an open one, or one that the flight begins
	// and goes on with, has failed and awaits ROLLBACK; a COMMIT has ended it
	// without effect. In a transaction that had failed before it is 25P02.
	Fail string
	// Delay is the time until the flight is forwarded.
	Delay time.Duration
	// DelayAnswer is the time for which the server's answer is held back.
	DelayAnswer time.Duration
}

// Proxy is a TCP proxy on a loopback port between clients and a PostgreSQL. It
// answers requests for TLS with no. Its methods are safe for concurrent use.
//
// It reads the protocol in flights: what a client sends before it waits, up to a
// Sync or a simple Query. A flight is held until it is whole, so that a fault is
// about all of it, but a Flush forwards the part before it without asking for
// faults.
type Proxy struct {
	target, addr string
	work         sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	closed   bool
	conns    map[*conn]struct{}
	gate     chan struct{} // closed unless the proxy hangs
	slow     time.Duration
	onCommit func() Fault
	onRead   func() Fault

	connections, cancels, roundTrips, statements atomic.Int64
}

// NewProxy starts a proxy before the server at a host and port. The caller must
// close it.
func NewProxy(target string) (*Proxy, error) {
	l, err := listen()
	if err != nil {
		return nil, fmt.Errorf("start a proxy: %w", err)
	}
	p := &Proxy{
		target: target, addr: l.Addr().String(), listener: l,
		conns: make(map[*conn]struct{}), gate: make(chan struct{}),
	}
	close(p.gate)
	p.work.Go(func() { p.accept(l) })
	return p, nil
}

// Via starts a proxy before the server of a DSN, for the length of the test, and
// returns the DSN that leads through it.
func Via(tb testing.TB, dsn string) (*Proxy, string) {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatalf("read the DSN: %v", err)
	}
	p, err := NewProxy(u.Host)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	u.Host = p.Addr()
	return p, u.String()
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.addr }

// Connections is how many connections were accepted.
func (p *Proxy) Connections() int { return int(p.connections.Load()) }

// CancelRequests is how many requests to cancel a statement came, each on a
// connection of its own.
func (p *Proxy) CancelRequests() int { return int(p.cancels.Load()) }

// RoundTrips is how many flights were answered: each Sync and each simple Query is
// one, and logging in is none. Flights that are sent without waiting for the
// answer to the one before count each.
func (p *Proxy) RoundTrips() int { return int(p.roundTrips.Load()) }

// Statements is how many simple Query and Execute messages came.
func (p *Proxy) Statements() int { return int(p.statements.Load()) }

// Slow delays every flight that the client awaits an answer to, those of logging
// in too.
func (p *Proxy) Slow(delay time.Duration) { p.set(func() { p.slow = delay }) }

// OnCommit sets what is asked about every flight that executes COMMIT; nil lets
// all pass. It is called from several goroutines and may use the Proxy.
func (p *Proxy) OnCommit(fault func() Fault) { p.set(func() { p.onCommit = fault }) }

// OnRead is OnCommit for the flights without a COMMIT: reads, but also BEGIN,
// ROLLBACK, writes and the preparing of statements.
func (p *Proxy) OnRead(fault func() Fault) { p.set(func() { p.onRead = fault }) }

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// Hang makes the proxy a black hole until it is called with false: connections
// are made and stay, and nothing that arrives is forwarded, not even their end.
func (p *Proxy) Hang(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
		if on {
			p.gate = make(chan struct{})
		}
	default:
		if !on {
			close(p.gate)
		}
	}
}

// Cut cuts all connections.
func (p *Proxy) Cut() { p.set(p.cutAll) }

func (p *Proxy) cutAll() {
	for c := range p.conns {
		c.cut()
	}
}

// Refuse cuts all connections and makes the system refuse new ones until it is
// called with false. It panics if the port is lost meanwhile.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed || on == (p.listener == nil):
	case on:
		p.listener.Close()
		p.listener = nil
		p.cutAll()
	default:
		l, err := net.Listen("tcp", p.addr)
		if err != nil {
			panic(fmt.Sprintf("pgtest: accept connections again: %v", err))
		}
		p.listener = l
		p.work.Go(func() { p.accept(l) })
	}
}

// Close ends the proxy and its connections.
func (p *Proxy) Close() {
	p.Refuse(true)
	p.set(func() { p.closed = true })
	p.work.Wait()
}

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return // closed
		}
		p.connections.Add(1)
		c := &conn{proxy: p, client: client, done: make(chan struct{})}
		p.set(func() {
			if p.listener != l {
				client.Close()
				return
			}
			p.conns[c] = struct{}{}
			p.work.Go(c.serve)
		})
	}
}

// fault asks about a flight.
func (p *Proxy) fault(f *flight) Fault {
	p.mu.Lock()
	ask, slow := p.onRead, p.slow
	if f.verbs.commit {
		ask = p.onCommit
	}
	p.mu.Unlock()
	var fault Fault
	if ask != nil && f.answers > 0 {
		fault = ask()
	}
	if f.awaited {
		fault.Delay += slow
	}
	return fault
}
