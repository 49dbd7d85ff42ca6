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
	perMinute int
	buckets   *otter.Cache[netip.Addr, *rate.Limiter]
}

// newAddressLimit returns a limit; zero allows all.
func newAddressLimit(perMinute int) *addressLimit {
	return &addressLimit{perMinute: perMinute, buckets: otter.Must(&otter.Options[netip.Addr, *rate.Limiter]{
		MaximumSize:      limitedAddresses,
		ExpiryCalculator: otter.ExpiryAccessing[netip.Addr, *rate.Limiter](2 * time.Minute),
	})}
}

// take counts an attempt at now. It returns nil, or ErrLimited with the time at
// which there is room again.
func (l *addressLimit) take(addr netip.Addr, now time.Time) error {
	if l.perMinute <= 0 {
		return nil
	}
	bucket, _ := l.buckets.ComputeIfAbsent(network(addr), func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute), false
	})
	if bucket.AllowN(now, 1) {
		return nil
	}
	missing := 1 - bucket.TokensAt(now)
	return retryLater{ErrLimited, time.Duration(missing / float64(bucket.Limit()) * float64(time.Second))}
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
