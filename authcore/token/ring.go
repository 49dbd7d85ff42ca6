package token

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/qqauth/qqauth/authcore/opaque"
)

// Ring is an immutable set of keys, as it stood at one moment. It is safe for
// concurrent use.
type Ring struct {
	keys []*key // known roles only, in the order of activation
	alg  Alg
	keep time.Duration

	seal   *key // the newest: it seals, all of them open
	index  *macs
	opaque *[32]byte
}

// newRing readies records for use under c, which has its defaults.
func newRing(c Config, records []record) (*Ring, error) {
	r := &Ring{alg: c.Alg, keep: c.Keep}
	for _, rec := range records {
		if !rec.known() {
			continue
		}
		k, err := newKey(rec)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, k)
	}
	slices.SortStableFunc(r.keys, func(a, b *key) int { return a.Activates.Compare(b.Activates) })
	for _, want := range c.roles() {
		if !slices.ContainsFunc(r.keys, func(k *key) bool { return k.role == want }) {
			return nil, corrupt(fmt.Sprintf("the ring has no %s key for %s", want.Alg, want.Purpose))
		}
	}
	for _, k := range r.keys {
		switch k.Purpose {
		case forSeal:
			r.seal = k
		case forIndex:
			r.index = cmp.Or(r.index, k.macs)
		case forOpaque:
			r.opaque = cmp.Or(r.opaque, (*[32]byte)(k.Secret))
		}
	}
	return r, nil
}

// signer returns the key of a role that signs at now, nil if there is none.
func (r *Ring) signer(p purpose, alg Alg, now time.Time) *key {
	var signer *key
	for _, k := range r.keys {
		if k.role != (role{p, alg}) {
			continue
		}
		// The first key counts even before its time: it was made by a node
		// whose clock is ahead of ours, and there is no other.
		if signer == nil || !k.Activates.After(now) {
			signer = k
		}
	}
	return signer
}

// verifies reports whether what a key signed is good at now. Successors verify
// before they sign, for the sake of nodes whose clocks are ahead.
func (r *Ring) verifies(k *key, now time.Time) bool {
	return k.Retires.IsZero() || now.Before(k.Retires.Add(r.keep))
}

// Index stands for parts in a key or record where they must not be readable:
// HMAC-SHA256 under a key that never changes. Different labels, and different
// parts however they are cut, give unrelated values.
func (r *Ring) Index(label string, parts ...string) [32]byte {
	m := r.index.get()
	defer r.index.put(m)
	write(m, label)
	for _, p := range parts {
		write(m, p)
	}
	return m.sum()
}

// NewOpaque makes an opaque token of a kind.
func (r *Ring) NewOpaque(kind string) opaque.Secret { return opaque.New(r.opaque, kind) }

// ValidOpaque reports whether s can have been made by NewOpaque for kind.
func (r *Ring) ValidOpaque(kind, s string) bool { return opaque.Valid(r.opaque, kind, s) }
