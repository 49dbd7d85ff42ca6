package pgtest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// conn is a client's connection through the proxy. One goroutine carries flights
// to the server, another carries answers back.
type conn struct {
	proxy          *Proxy
	client, server net.Conn
	done           chan struct{} // closed when the connection is cut

	mu      sync.Mutex
	isCut   bool
	waiting []*flight // forwarded and not yet answered, oldest first
}

func (c *conn) serve() {
	p := c.proxy
	defer p.set(func() { delete(p.conns, c) })
	defer c.cut()
	if !c.pass() {
		return
	}
	server, err := net.DialTimeout("tcp", p.target, patience)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.server = server
	if c.isCut {
		server.Close()
	}
	c.mu.Unlock()

	var pump sync.WaitGroup
	pump.Go(func() {
		c.carryAnswers()
		if c.pass() {
			c.cut()
		}
	})
	c.carryFlights()
	c.pass()
	c.cut()
	pump.Wait()
}

// cut closes both sides, from any goroutine.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isCut {
		return
	}
	c.isCut = true
	close(c.done)
	c.client.Close()
	if c.server != nil {
		c.server.Close()
	}
}

// pass waits while the proxy hangs, and reports whether the connection is still
// there.
func (c *conn) pass() bool {
	c.proxy.mu.Lock()
	gate := c.proxy.gate
	c.proxy.mu.Unlock()
	select {
	case <-c.done:
		return false
	case <-gate:
		return true
	}
}

// sleep waits, and reports whether the connection is still there.
func (c *conn) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.done:
		return false
	case <-timer.C:
		return true
	}
}

// carryFlights reads from the client until either side ends.
func (c *conn) carryFlights() {
	r := bufio.NewReader(c.client)
	if !c.begin(r) {
		return
	}
	d := &dictionary{statements: make(map[string]verbs), portals: make(map[string]verbs)}
	for {
		f := &flight{}
		for last := false; !last; {
			from := len(f.bytes)
			var err error
			if f.bytes, err = readMessage(r, f.bytes); err != nil {
				return
			}
			last = f.add(d, from)
		}
		c.proxy.statements.Add(int64(f.statements))
		if !c.forward(f) {
			return
		}
	}
}

// begin carries the packets before the first message, and reports whether
// messages follow.
func (c *conn) begin(r *bufio.Reader) bool {
	for {
		packet, err := readPacket(r, nil)
		if err != nil {
			return false
		}
		switch binary.BigEndian.Uint32(packet[4:]) {
		case codeTLS, codeGSS:
			if _, err := c.client.Write([]byte("N")); err != nil {
				return false
			}
		case codeCancel:
			c.proxy.cancels.Add(1)
			c.forward(&flight{bytes: packet, awaited: true})
			return false
		default:
			return c.forward(&flight{bytes: packet, awaited: true})
		}
	}
}

// forward sends a flight to the server, with what is to happen to it, and reports
// whether the connection is still there.
func (c *conn) forward(f *flight) bool {
	f.fault = c.proxy.fault(f)
	if f.fault.CutBefore || !c.sleep(f.fault.Delay) || !c.pass() {
		return false
	}
	if f.fault.Fail != "" {
		f.spoil()
	}
	if f.answers > 0 {
		c.mu.Lock()
		c.waiting = append(c.waiting, f)
		c.mu.Unlock()
	}
	_, err := c.server.Write(f.bytes)
	return err == nil
}

// spoil replaces a flight by one that fails and leaves the transaction as the
// flight would have left it, had it failed.
func (f *flight) spoil() {
	raise := fmt.Sprintf("DO $$ BEGIN RAISE EXCEPTION 'a fault of the proxy' USING ERRCODE = '%s'; END $$", f.fault.Fail)
	if f.verbs.begin && f.verbs.other && !f.verbs.commit { // a BEGIN alone begins nothing
		raise = "BEGIN; " + raise
	}
	f.bytes, f.answers = queryMessage(raise), 1
	if f.verbs.commit {
		f.bytes, f.answers = append(f.bytes, queryMessage("ROLLBACK")...), 2
	}
}

// carryAnswers reads from the server until either side ends.
func (c *conn) carryAnswers() {
	r := bufio.NewReaderSize(c.server, 32<<10)
	var out []byte // whole messages
	for {
		from := len(out)
		var err error
		if out, err = readMessage(r, out); err != nil {
			return
		}
		kind := out[from]
		keep, ok := c.answer(kind)
		if !ok {
			return
		}
		if !keep {
			out = out[:from]
		}
		if kind != msgReadyForQuery && r.Buffered() > 0 && len(out) < 64<<10 {
			continue
		}
		if !c.pass() {
			return
		}
		if _, err := c.client.Write(out); err != nil {
			return
		}
		out = out[:0]
	}
}

// answer decides about a message from the server: whether the client gets it,
// and whether the connection goes on.
func (c *conn) answer(kind byte) (keep, ok bool) {
	f := c.oldest()
	if f == nil { // logging in
		return true, true
	}
	if !c.sleep(f.fault.DelayAnswer) {
		return false, false
	}
	f.fault.DelayAnswer = 0
	if kind == msgReadyForQuery {
		f.answers--
	}
	answered := f.answers == 0
	if f.fault.CutAfter {
		return false, !answered
	}
	if answered {
		c.mu.Lock()
		c.waiting = slices.Delete(c.waiting, 0, 1)
		c.mu.Unlock()
		c.proxy.roundTrips.Add(1)
	}
	return f.fault.Fail == "" || answered || kind == msgErrorResponse, true
}

func (c *conn) oldest() *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return nil
	}
	return c.waiting[0]
}
