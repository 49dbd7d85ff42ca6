package token

import (
	"slices"
	"time"
)

const (
	// signingTime is how long a key signs.
	signingTime = 90 * 24 * time.Hour
	// leadTime is how long a successor is known, at least, before it signs.
	leadTime = 24 * time.Hour
	// noticeTime is how long before the end of signingTime a successor is made:
	// who looks once a day still looks in time.
	noticeTime = 2 * leadTime
)

// Prepare decides what must become of a store's wrapped ring under c at c.Now:
// a successor is published, an old key dropped, a key that c asks for added, the
// whole wrapped under c.Current. It returns the wrapped ring to write, or nil if
// nothing is due. For nil it returns a new ring.
//
// It depends on its arguments alone and changes nothing. Making an RSA key takes
// up to a second: a caller that must not hold a transaction for so long reads
// the ring, prepares, and writes in a transaction that finds the same bytes.
//
// ErrWrongSecret: none of c's KEKs opens the ring. ErrCorrupt: it is damaged, or
// has lost a key that cannot be replaced.
func Prepare(c Config, wrapped []byte) (replace []byte, err error) {
	if c, err = c.withDefaults(); err != nil {
		return nil, err
	}
	var records []record
	var stale bool
	if wrapped != nil {
		if records, stale, err = unwrap(c, wrapped); err != nil {
			return nil, err
		}
		if err := whole(records); err != nil {
			return nil, err
		}
	}
	next, changed, err := rotate(c, records, c.Now())
	if err != nil || !changed && !stale {
		return nil, err
	}
	if _, err := newRing(c, next); err != nil {
		return nil, err
	}
	return wrap(c.Current, next)
}

// whole refuses a ring that has lost a key without which records are lost, too.
func whole(records []record) error {
	for _, want := range (Config{}).roles() {
		if want.permanent() && !slices.ContainsFunc(records, func(r record) bool { return r.role == want }) {
			return corrupt("the ring has lost its " + string(want.Purpose) + " key")
		}
	}
	return nil
}

// rotate returns the records that should be at now. Keys of unknown roles are a
// newer version's and are carried along.
func rotate(c Config, records []record, now time.Time) (next []record, changed bool, err error) {
	next = slices.DeleteFunc(slices.Clone(records), func(r record) bool { return expendable(c, r, now) })
	changed = len(next) != len(records)
	for _, want := range c.roles() {
		newest := -1
		for i, r := range next {
			if r.role == want && (newest < 0 || r.Activates.After(next[newest].Activates)) {
				newest = i
			}
		}
		activates := now
		if newest >= 0 {
			end := next[newest].Activates.Add(signingTime)
			if want.permanent() || now.Before(end.Add(-noticeTime)) {
				continue
			}
			if activates = now.Add(leadTime); activates.Before(end) {
				activates = end
			}
			next[newest].Retires = activates.UTC()
		}
		made, err := newRecord(want, now, activates)
		if err != nil {
			return nil, false, err
		}
		next, changed = append(next, made), true
	}
	return next, changed, nil
}

// expendable reports whether nothing good at now can have been signed by a key.
func expendable(c Config, r record, now time.Time) bool {
	if r.permanent() || !r.known() {
		return false
	}
	end := r.Retires
	if end.IsZero() {
		if slices.Contains(c.roles(), r.role) {
			return false // it signs until it has a successor
		}
		// A former algorithm's: nobody here will give it a successor. Another
		// node may still be configured for it, and then does.
		end = r.Activates.Add(signingTime)
	}
	return !now.Before(end.Add(c.Keep))
}
