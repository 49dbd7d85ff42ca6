package authcore

import (
	"net/netip"
	"sync"
)

// crowd counts what each address has at the same time, on this node.
type crowd struct {
	mu   sync.Mutex
	from map[netip.Addr]int
}

// enter counts one more of an address until leave is called; ok is false if it has
// most already. 0 is no limit.
func (c *crowd) enter(addr netip.Addr, most int) (leave func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if most > 0 && c.from[addr] >= most {
		return nil, false
	}
	if c.from == nil {
		c.from = make(map[netip.Addr]int)
	}
	c.from[addr]++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.from[addr]--; c.from[addr] == 0 {
			delete(c.from, addr)
		}
	}), true
}
