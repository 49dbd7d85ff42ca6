package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one keep-alive connection of a client that does as little as a client
// can: on a machine that it shares with the server, what it saves is the
// server's.
type conn struct {
	net.Conn
	in   *bufio.Reader
	out  []byte // the request that is being made
	body []byte
}

func dial(addr string) (*conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReader(c)}, nil
}

// roundTrip sends a request and reads its answer. The body is good until the
// next call.
func (c *conn) roundTrip(request []byte) (status int, body []byte, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, nil, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	const before = "HTTP/1.1 "
	if len(line) < len(before)+3 {
		return 0, nil, fmt.Errorf("malformed status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[len(before) : len(before)+3])); err != nil {
		return 0, nil, fmt.Errorf("malformed status line: %w", err)
	}
	length := -1
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		if len(line) <= len("\r\n") {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, nil, fmt.Errorf("malformed Content-Length: %w", err)
			}
		}
	}
	if length < 0 {
		return 0, nil, fmt.Errorf("answer %d has no Content-Length", status)
	}
	c.body = append(c.body[:0], make([]byte, length)...)
	for read := 0; read < length; {
		n, err := c.in.Read(c.body[read:])
		if err != nil {
			return 0, nil, err
		}
		read += n
	}
	return status, c.body, nil
}

// demand is roundTrip for a request that must be answered 200. The request is
// what append made of c.out.
func (c *conn) demand(request []byte) ([]byte, error) {
	c.out = request
	status, body, err := c.roundTrip(request)
	if err != nil {
		return nil, err
	}
	if status != 200 {
		return nil, fmt.Errorf("answered %d: %s", status, body)
	}
	return body, nil
}

// client is a closed loop: each connection sends its next request when the last
// one is answered.
type client struct {
	conns []*conn
	next  atomic.Int64 // the number of the next operation, over all rounds
}

func newClient(addr string, conns int) (*client, error) {
	c := &client{}
	for range conns {
		made, err := dial(addr)
		if err != nil {
			c.close()
			return nil, err
		}
		c.conns = append(c.conns, made)
	}
	return c, nil
}

func (c *client) close() {
	for _, one := range c.conns {
		_ = one.Close() // it has nothing to lose
	}
}

// stuck is how long a round may take before the server counts as hanging.
const stuck = 5 * time.Minute

// drive carries out n operations over all connections.
func (c *client) drive(n int, operation func(c *conn, i int) error) error {
	var workers sync.WaitGroup
	var fault atomic.Pointer[error]
	end := c.next.Load() + int64(n)
	for _, one := range c.conns {
		workers.Go(func() {
			_ = one.SetDeadline(time.Now().Add(stuck))
			for fault.Load() == nil {
				i := c.next.Add(1) - 1
				if i >= end {
					return
				}
				if err := operation(one, int(i)); err != nil {
					fault.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	workers.Wait()
	c.next.Store(end)
	if err := fault.Load(); err != nil {
		return *err
	}
	return nil
}
