package token_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

// base is a store's ring and what was made under it.
type base struct {
	conf    token.Config
	keys    *token.Keys
	wrapped []byte

	sealed, index, checked []byte
	issued                 []issued
}

// newBase makes a store under a secret_key and uses it at start plus age.
func newBase(t *testing.T, kek token.KEK, age time.Duration) *base {
	t.Helper()
	conf, c := config(token.EdDSA)
	conf.Current, c.now = kek, start.Add(age)
	b := &base{conf: conf}
	b.keys, b.wrapped = unlocked(t, conf)
	b.use(t)
	return b
}

// use makes something of every kind.
func (b *base) use(t *testing.T) {
	t.Helper()
	r := b.keys.Ring()
	index := r.Index("label", "part")
	b.sealed, b.index = r.Seal([]byte("plain"), []byte("place")), index[:]
	b.checked = []byte(r.NewOpaque("session").Reveal())
	b.issued = issue(t, r, b.conf.Now())
}

// merge takes their ring in, at start plus at.
func (b *base) merge(t *testing.T, theirs *base, fresh bool, at time.Duration) (changed, same bool) {
	t.Helper()
	b.conf.Now = func() time.Time { return start.Add(at) }
	replace, same, err := token.Merge(b.conf, b.wrapped, theirs.wrapped, fresh)
	if err != nil {
		t.Fatalf("Merge: %v", err)
	}
	if replace == nil {
		return false, same
	}
	b.wrapped = replace
	if err := b.keys.Reconfigure(b.conf, replace); err != nil {
		t.Fatalf("adopt the merged ring: %v", err)
	}
	if again, _, err := token.Merge(b.conf, b.wrapped, theirs.wrapped, false); same && (again != nil || err != nil) {
		t.Errorf("merged again: the ring changes, error %v", err)
	}
	return true, same
}

// opens checks what a store made: what is kept, and what is signed at a time.
func (b *base) opens(t *testing.T, name string, made *base, kept bool, at time.Duration, signed ...bool) {
	t.Helper()
	r := b.keys.Ring()
	if _, err := r.Open(made.sealed, []byte("place")); (err == nil) != kept {
		t.Errorf("%s: what was sealed: %v, want it to open: %v", name, err, kept)
	}
	if index := r.Index("label", "part"); bytes.Equal(index[:], made.index) != kept {
		t.Errorf("%s: the index is the same: %v, want %v", name, !kept, kept)
	}
	if r.ValidOpaque("session", string(made.checked)) != kept {
		t.Errorf("%s: a session token is taken: %v, want %v", name, !kept, kept)
	}
	for i, o := range made.issued {
		if err := kinds[o.kind].verify(r, o.raw, start.Add(at)); (err == nil) != signed[min(i, len(signed)-1)] {
			t.Errorf("%s: %s: %v", name, o.kind, err)
		}
	}
}

func (b *base) signer(t *testing.T, at time.Duration) string {
	t.Helper()
	return kidOf(t, issue(t, b.keys.Ring(), start.Add(at))[0].raw)
}

func TestMergeIntoAFreshRing(t *testing.T) {
	kek := token.NewKEK()
	old, fresh := newBase(t, kek, 0), newBase(t, kek, time.Minute)
	mine := *fresh
	if changed, same := fresh.merge(t, old, true, 2*time.Minute); !changed || !same {
		t.Fatalf("Merge: changed %v, same %v", changed, same)
	}
	fresh.opens(t, "theirs", old, true, 3*time.Minute, true)
	if _, err := fresh.keys.Open(mine.sealed, []byte("place")); err != nil {
		t.Errorf("what was sealed here before: %v", err)
	}
	for i, good := range []bool{true, true, false, true} {
		o := mine.issued[i]
		if err := kinds[o.kind].verify(fresh.keys.Ring(), o.raw, start.Add(3*time.Minute)); (err == nil) != good {
			t.Errorf("%s of this store: %v", o.kind, err)
		}
	}
	if got, want := fresh.signer(t, 3*time.Minute), kidOf(t, mine.issued[0].raw); got != want {
		t.Errorf("%s signs, want the newest %s", got, want)
	}
}

// The key that has to stop signing verifies for Keep, and goes.
func TestMergeRetiresTheOlderKey(t *testing.T) {
	kek := token.NewKEK()
	old, fresh := newBase(t, kek, 0), newBase(t, kek, time.Minute)
	fresh.merge(t, old, true, time.Hour)
	kid := kidOf(t, old.issued[0].raw)
	for _, tt := range []struct {
		at   time.Duration
		want bool
	}{{4*time.Hour - time.Second, true}, {4 * time.Hour, false}} {
		if got := slices.Contains(kids(t, fresh.keys.Ring().AllKeys(start.Add(tt.at))), kid); got != tt.want {
			t.Errorf("after %v the older key is published: %v, want %v", tt.at, got, tt.want)
		}
	}
	fresh.conf.Now = func() time.Time { return start.Add(4 * time.Hour) }
	if replace, err := token.Prepare(fresh.conf, fresh.wrapped); replace == nil || err != nil {
		t.Errorf("the older key is not dropped: %v", err)
	}
}

// A ring goes to another store, and what came of it comes back.
func TestMergeRoundTrip(t *testing.T) {
	kek := token.NewKEK()
	first, second, third := newBase(t, kek, 0), newBase(t, kek, time.Minute), newBase(t, kek, 2*time.Minute)
	second.merge(t, first, true, 3*time.Minute)
	moved := *second
	moved.conf.Now = func() time.Time { return start.Add(4 * time.Minute) }
	moved.use(t)
	if changed, same := first.merge(t, &moved, false, 4*time.Minute); !changed || !same {
		t.Errorf("back in the first store: changed %v, same %v", changed, same)
	}
	third.merge(t, &moved, true, 4*time.Minute)
	for name, b := range map[string]*base{"back in the first store": first, "in a third store": third} {
		b.opens(t, name+", what the second made", &moved, true, 4*time.Minute, true)
	}
	third.opens(t, "in a third store, what the first made", first, true, 4*time.Minute, true)
}

// Two stores with users of their own: only what others verify is taken over.
func TestMergeOfTwoUsedRings(t *testing.T) {
	kek := token.NewKEK()
	// Theirs are newer than mine, and must not sign for all that.
	mine, theirs := newBase(t, kek, 0), newBase(t, kek, time.Hour)
	own := *mine
	if changed, same := mine.merge(t, theirs, false, 2*time.Hour); !changed || same {
		t.Fatalf("Merge: changed %v, same %v", changed, same)
	}
	mine.opens(t, "theirs", theirs, false, 2*time.Hour+time.Minute, true, false)
	if _, err := mine.keys.Open(own.sealed, []byte("place")); err != nil {
		t.Errorf("what was sealed here: %v", err)
	}
	if got := mine.signer(t, 2*time.Hour); got != kidOf(t, own.issued[0].raw) {
		t.Error("a key that came in signs")
	}
	if published := kids(t, mine.keys.Ring().AllKeys(start.Add(5*time.Hour))); len(published) != 2 {
		t.Errorf("after Keep %d keys are published, want the 2 of this store", len(published))
	}
	// A change of the algorithm to one that only theirs have a key of.
	theirs.conf.Alg = token.ES256
	theirs.wrapped = prepared(t, theirs.conf, theirs.wrapped)
	mine.merge(t, theirs, false, 3*time.Hour)
	mine.conf.Alg = token.ES256
	mine.wrapped = prepared(t, mine.conf, mine.wrapped)
	if err := mine.keys.Reconfigure(mine.conf, mine.wrapped); err != nil {
		t.Fatal(err)
	}
	if n := len(kids(t, mine.keys.Ring().IDTokenKeys(token.ES256, start.Add(3*time.Hour)))); n < 2 {
		t.Errorf("%d keys for the new algorithm: what came in retired stays the only one", n)
	}
}

func prepared(t *testing.T, c token.Config, wrapped []byte) []byte {
	t.Helper()
	replace, err := token.Prepare(c, wrapped)
	if err != nil || replace == nil {
		t.Fatalf("Prepare: %d bytes, %v", len(replace), err)
	}
	return replace
}

// Keys that are on their way in and out at the moment of the merger.
func TestMergeDuringARotation(t *testing.T) {
	kek := token.NewKEK()
	mine, theirs := newBase(t, kek, 0), newBase(t, kek, 30*day)
	mine.conf.Now = func() time.Time { return start.Add(88 * day) }
	mine.wrapped = prepared(t, mine.conf, mine.wrapped) // the successor signs from day 90
	before := mine.sealed
	mine.merge(t, theirs, true, 88*day)
	if sealed := mine.keys.Seal(nil, nil); !bytes.Equal(sealed[:9], before[:9]) {
		t.Error("another key seals: a node with the former ring could not open it")
	}
	if got := mine.signer(t, 89*day); got != kidOf(t, theirs.issued[0].raw) {
		t.Errorf("%s signs before the successor does", got)
	}
	if successor := mine.signer(t, 91*day); successor == mine.signer(t, 89*day) {
		t.Error("the successor does not sign")
	}
	late := issue(t, mine.keys.Ring(), start.Add(90*day-time.Second))
	for _, o := range late[:2] {
		if err := kinds[o.kind].verify(mine.keys.Ring(), o.raw, o.until.Add(-time.Second)); err != nil {
			t.Errorf("%s of the last second before the successor: %v", o.kind, err)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	mine, theirs := newBase(t, token.NewKEK(), 0), newBase(t, token.NewKEK(), 0)
	_, _, err := token.Merge(mine.conf, mine.wrapped, theirs.wrapped, true)
	if !errors.Is(err, token.ErrWrongSecret) {
		t.Errorf("a ring under another secret: %v", err)
	}
	if _, _, err := token.Merge(mine.conf, mine.wrapped, mine.wrapped[1:], true); !errors.Is(err, token.ErrCorrupt) {
		t.Errorf("a damaged ring: %v", err)
	}
	if _, _, err := token.Merge(mine.conf, mine.wrapped, nil, true); !errors.Is(err, token.ErrCorrupt) {
		t.Errorf("no ring: %v", err)
	}
	both := mine.conf
	both.Previous = []token.KEK{theirs.conf.Current}
	replace, same, err := token.Merge(both, mine.wrapped, theirs.wrapped, true)
	if err != nil || !same {
		t.Fatalf("a ring under the previous secret: same %v, %v", same, err)
	}
	if err := token.NewKeys(mine.conf).Adopt(replace); err != nil {
		t.Errorf("the result is not under the current secret: %v", err)
	}
}
