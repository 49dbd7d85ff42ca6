package token

import (
	"bytes"
	"slices"
	"time"
)

// Merge decides what becomes of mine, the wrapped ring of one store, when theirs,
// that of another, comes in with its records. fresh says that nothing that is
// kept for long was made under mine: its store knows no user.
//
// If the permanent index and opaque keys are the same, or mine is fresh, the
// result has theirs, and same is true: whatever was made under theirs is good
// here, too. All other keys of both are in the ring. Mine goes on sealing, so
// that a node which does not have the new ring yet can open what others seal. Of
// several keys that would sign, the newest does, and the others are retired at
// c.Now.
//
// Otherwise same is false, and only theirs' keys of id_tokens and assertions come
// in, retired, so that what they signed verifies until it expires.
//
// It returns the wrapped ring to write, or nil if mine stays as it is, and
// depends on its arguments alone, like [Prepare], whose errors it returns.
func Merge(c Config, mine, theirs []byte, fresh bool) (replace []byte, same bool, err error) {
	if c, err = c.withDefaults(); err != nil {
		return nil, false, err
	}
	own, stale, err := unwrapWhole(c, mine)
	if err != nil {
		return nil, false, err
	}
	other, _, err := unwrapWhole(c, theirs)
	if err != nil {
		return nil, false, err
	}
	m := merger{now: c.Now().UTC(), records: slices.Clone(own)}
	other = slices.DeleteFunc(other, func(r record) bool { return expendable(c, r, m.now) })
	same = agree(own, other)
	if same = same || fresh; same {
		m.joinAll(other)
	} else {
		m.joinVerifiers(other)
	}
	if !m.changed && !stale {
		return nil, same, nil
	}
	if _, err := newRing(c, m.records); err != nil {
		return nil, false, err
	}
	replace, err = wrap(c.Current, m.records)
	return replace, same, err
}

// Merge is [Merge] under the configuration in force.
func (k *Keys) Merge(mine, theirs []byte, fresh bool) (replace []byte, same bool, err error) {
	return Merge(k.current(), mine, theirs, fresh)
}

func unwrapWhole(c Config, wrapped []byte) (records []record, stale bool, err error) {
	if records, stale, err = unwrap(c, wrapped); err != nil {
		return nil, false, err
	}
	return records, stale, whole(records)
}

// decisive reports whether a key decides what records are found by and which
// tokens are taken for ours.
func (r role) decisive() bool { return r.Purpose == forIndex || r.Purpose == forOpaque }

// agree reports whether two rings have the same decisive keys.
func agree(a, b []record) bool {
	for _, want := range (Config{}).roles() {
		if want.decisive() && !bytes.Equal(first(a, want).Secret, first(b, want).Secret) {
			return false
		}
	}
	return true
}

// first is the key of a permanent role that a ring goes by.
func first(records []record, want role) (found record) {
	for _, r := range records {
		if r.role == want && (found.ID == "" || r.Activates.Before(found.Activates)) {
			found = r
		}
	}
	return found
}

// merger is a ring in the making.
type merger struct {
	now     time.Time
	records []record
	changed bool
}

// joinAll takes every key in. What mine says of a key that both have stands: it
// tells of an earlier merger.
func (m *merger) joinAll(other []record) {
	for _, r := range other {
		if r.decisive() && !m.has(r) {
			m.records = slices.DeleteFunc(m.records, func(own record) bool {
				return own.role == r.role || own.Purpose == forState
			})
		}
	}
	for _, r := range other {
		if m.has(r) {
			continue
		}
		if r.Purpose == forSeal {
			r = m.placeBefore(r)
		}
		m.records, m.changed = append(m.records, r), true
	}
	m.retire()
}

// joinVerifiers takes in, retired, the keys whose signatures others rely on.
func (m *merger) joinVerifiers(other []record) {
	for _, r := range other {
		if r.Purpose != forIDToken && r.Purpose != forAssertion || m.has(r) {
			continue
		}
		if r.Retires.IsZero() || r.Retires.After(m.now) {
			r.Retires = m.now
		}
		m.records, m.changed = append(m.records, m.placeBefore(r)), true
	}
}

func (m *merger) has(r record) bool {
	return slices.ContainsFunc(m.records, func(own record) bool { return own.ID == r.ID })
}

// placeBefore moves a key's activation before that of all others of its role, as
// the key activated last is the one that seals or signs. Where there is no other,
// it is old enough for a successor to be made at once.
func (m *merger) placeBefore(r record) record {
	earliest := m.now.Add(-signingTime)
	for _, own := range m.records {
		if own.role == r.role && own.Activates.Before(earliest) {
			earliest = own.Activates
		}
	}
	if !r.Activates.Before(earliest) {
		r.Activates = earliest.Add(-time.Second)
	}
	return r
}

// retire gives every signing key but the newest of its role its end, which is
// where the next one takes over.
func (m *merger) retire() {
	for i := range m.records {
		r := &m.records[i]
		if r.permanent() || !r.known() || !r.Retires.IsZero() {
			continue
		}
		if next, ok := m.next(i); ok {
			if r.Retires = next; next.Before(m.now) {
				r.Retires = m.now
			}
			m.changed = true
		}
	}
}

// next is when the key that follows the i-th in its role becomes active. Of two
// that become active at once the later one in the ring follows.
func (m *merger) next(i int) (at time.Time, ok bool) {
	r := m.records[i]
	for j, other := range m.records {
		order := other.Activates.Compare(r.Activates)
		follows := other.role == r.role && (order > 0 || order == 0 && j > i)
		if follows && (!ok || other.Activates.Before(at)) {
			at, ok = other.Activates, true
		}
	}
	return at, ok
}
