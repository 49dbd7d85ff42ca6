package authcore

import (
	"net/netip"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// limitedAddresses bounds the memory of a limit: an attacker with more
// addresses than this pushes out the oldest, which only forgets its attempts.
const limitedAddresses = 64 << 10

// addressLimit allows each address so many attempts a minute, on this node.
type addressLimit struct {
	buckets *otter.Cache[netip.Addr, *rate.Limiter]
}

func newAddressLimit() *addressLimit {
	return &addressLimit{otter.Must(&otter.Options[netip.Addr, *rate.Limiter]{
		MaximumSize:      limitedAddresses,
		ExpiryCalculator: otter.ExpiryAccessing[netip.Addr, *rate.Limiter](2 * time.Minute),
	})}
}

func (l *addressLimit) close() {
	l.buckets.InvalidateAll()
	l.buckets.StopAllGoroutines()
}

// take counts an attempt at now against a limit a minute; 0 is none. It returns
// nil, or ErrLimited with the time at which there is room again.
func (l *addressLimit) take(addr netip.Addr, perMinute int, now time.Time) error {
	if perMinute <= 0 {
		return nil
	}
	bucket, _ := l.buckets.ComputeIfAbsent(network(addr), func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute), false
	})
	if bucket.Burst() != perMinute { // another configuration made it
		bucket.SetLimitAt(now, rate.Limit(float64(perMinute)/60))
		bucket.SetBurstAt(now, perMinute)
	}
	if bucket.AllowN(now, 1) {
		return nil
	}
	missing := 1 - bucket.TokensAt(now)
	return retryLater{ErrLimited, time.Duration(missing / float64(bucket.Limit()) * float64(time.Second))}
}

// Site is what an address is counted as where few of them could keep everybody out:
// of an IPv6 address, the /48 that whoever has several networks has at most.
func Site(addr netip.Addr) netip.Addr {
	addr = network(addr)
	if addr.Is6() {
		prefix, _ := addr.Prefix(48)
		return prefix.Addr()
	}
	return addr
}

// network is what an address is counted as: whoever has an IPv6 address has the
// /64 around it.
func network(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64)
		return prefix.Addr()
	}
	return addr
}
