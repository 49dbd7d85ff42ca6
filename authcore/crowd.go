package authcore

import (
	"net/netip"
	"sync"
)

// crowd counts what each address is at the same time, on this node.
type crowd struct {
	mu   sync.Mutex
	all  int
	from map[netip.Addr]int
}

// enter counts one more of an address until leave is called; ok is false if it has
// most already, or all addresses together have mostOfAll. 0 is no limit.
func (c *crowd) enter(addr netip.Addr, most, mostOfAll int) (leave func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if most > 0 && c.from[addr] >= most || mostOfAll > 0 && c.all >= mostOfAll {
		return nil, false
	}
	if c.from == nil {
		c.from = make(map[netip.Addr]int)
	}
	c.all++
	c.from[addr]++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all--
		if c.from[addr]--; c.from[addr] == 0 {
			delete(c.from, addr)
		}
	}), true
}
