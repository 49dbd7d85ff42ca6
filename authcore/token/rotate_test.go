package token_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/qqauth/qqauth/authcore/token"
)

const day = 24 * time.Hour

// rotateTo does at a time what a node does: asks, commits, adopts.
func rotateTo(t *testing.T, keys *token.Keys, c *clock, wrapped []byte, at time.Time) ([]byte, bool) {
	t.Helper()
	c.now = at
	replace, err := keys.Rotate(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if replace == nil {
		return wrapped, false
	}
	if err := keys.Adopt(replace); err != nil {
		t.Fatal(err)
	}
	return replace, true
}

func kids(t *testing.T, doc []byte) (list []string) {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(doc, &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		list = append(list, k.KeyID)
	}
	return list
}

func kidOf(t *testing.T, raw string) string {
	t.Helper()
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	return jws.Signatures[0].Header.KeyID
}

// issued is a token, its kind, and when it ends.
type issued struct {
	raw, kind string
	until     time.Time
}

// issue makes one token of each kind. The first two are those with a kid.
func issue(t *testing.T, r *token.Ring, now time.Time) []issued {
	t.Helper()
	id, a := idClaims, assertionClaims
	id.Expires, a.Expires = now.Add(2*time.Hour), now.Add(5*time.Minute)
	s := token.StateClaims{ID: token.NewStateID(now), Expires: now.Add(30 * time.Minute)}
	idToken, err1 := r.SignIDToken(token.EdDSA, id, now)
	assertion, err2 := r.SignAssertion(a, now)
	state, err3 := r.SignState(s, now)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return []issued{
		{idToken, "id_token", id.Expires},
		{assertion, "assertion", a.Expires},
		{state, "state", s.Expires},
		{r.NewBearer("app", secretHash, now, 30*time.Minute), "bearer", now.Add(30 * time.Minute)},
	}
}

// A year of operation, looked at every five hours.
func TestRotation(t *testing.T) {
	conf, c := config(token.EdDSA)
	keys, wrapped := unlocked(t, conf)
	firstSeen, lastSigned := map[string]time.Time{}, map[string]time.Time{}
	for _, kid := range kids(t, keys.Ring().AllKeys(start)) {
		firstSeen[kid] = start.Add(-2 * day) // the first keys sign at once
	}
	changes, alive := 0, []issued(nil)
	for now := start; now.Before(start.Add(365 * day)); now = now.Add(5 * time.Hour) {
		var changed bool
		if wrapped, changed = rotateTo(t, keys, c, wrapped, now); changed {
			changes++
		}
		r := keys.Ring()
		published := kids(t, r.AllKeys(now))
		for _, kid := range published {
			if _, ok := firstSeen[kid]; !ok {
				firstSeen[kid] = now
			}
		}
		for _, o := range alive {
			// At the last moment, under the ring of today.
			if err := kinds[o.kind].verify(r, o.raw, o.until.Add(-time.Second)); err != nil {
				t.Errorf("%v: %s of the step before: %v", now, o.kind, err)
			}
		}
		alive = issue(t, r, now)
		if first := kids(t, r.IDTokenKeys(token.EdDSA, now))[0]; first != kidOf(t, alive[0].raw) {
			t.Errorf("%v: %s is published first and does not sign", now, first)
		}
		for _, o := range alive[:2] {
			kid := kidOf(t, o.raw)
			if age := now.Sub(firstSeen[kid]); !slices.Contains(published, kid) || age < day || age > 92*day {
				t.Errorf("%v: %s signs, known for %v, among %v", now, kid, age, published)
			}
			lastSigned[kid] = now
		}
		for _, kid := range published {
			if last, ok := lastSigned[kid]; ok && now.Sub(last) > 3*time.Hour+5*time.Hour {
				t.Errorf("%v: %s is published, and signed last at %v", now, kid, last)
			}
		}
	}
	if len(lastSigned) != 10 { // from days 0, 90, 180, 270 and 360, of two kinds
		t.Errorf("%d keys signed in a year", len(lastSigned))
	}
	if changes != 8 { // four times successors, four times the end of the old keys
		t.Errorf("the ring changed %d times", changes)
	}
}

// What is stored was made with these keys and is made with no others.
func TestPermanentKeysStay(t *testing.T) {
	conf, c := config(token.EdDSA)
	keys, wrapped := unlocked(t, conf)
	r := keys.Ring()
	sealed, checked, index := r.Seal(nil, nil), r.NewOpaque("k").Reveal(), r.Index("l")
	for n := range 20 {
		wrapped, _ = rotateTo(t, keys, c, wrapped, start.Add(time.Duration(n)*50*day))
	}
	r = keys.Ring()
	if _, err := r.Open(sealed, nil); err != nil || !r.ValidOpaque("k", checked) || r.Index("l") != index {
		t.Error("what must last for ever has not lasted")
	}
	count := map[any]int{}
	token.Edit(conf, wrapped, func(list []map[string]any) []map[string]any {
		for _, k := range list {
			count[k["purpose"]]++
		}
		return list
	})
	if count["seal"] != 1 || count["index"] != 1 || count["opaque"] != 1 || count["state"] > 2 {
		t.Errorf("the ring holds %v", count)
	}
}

// What an old key signed is good for Keep after its last signature, not longer;
// that holds for MAC keys too, and before anybody has dropped the key.
func TestRetiredKeysEnd(t *testing.T) {
	conf, c := config(token.EdDSA)
	keys, wrapped := unlocked(t, conf)
	r := keys.Ring()
	far := start.Add(1000 * day)
	id := idClaims
	id.Expires = far
	idToken, err := r.SignIDToken(token.EdDSA, id, start)
	if err != nil {
		t.Fatal(err)
	}
	a := assertionClaims
	a.Expires = far
	assertion, err := r.SignAssertion(a, start)
	if err != nil {
		t.Fatal(err)
	}
	state, err := r.SignState(token.StateClaims{ID: token.NewStateID(start), Expires: far}, start)
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]string{
		"id_token": idToken, "assertion": assertion, "state": state,
		"bearer": r.NewBearer("app", secretHash, start, 1000*day),
	}
	rotateTo(t, keys, c, wrapped, start.Add(88*day))
	end := start.Add(90*day + 3*time.Hour)
	for kind, raw := range made {
		if err := kinds[kind].verify(keys.Ring(), raw, end.Add(-time.Second)); err != nil {
			t.Errorf("%s before the end: %v", kind, err)
		}
		if err := kinds[kind].verify(keys.Ring(), raw, end); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s after the end: %v", kind, err)
		}
	}
	if slices.Contains(kids(t, keys.Ring().AllKeys(end)), kidOf(t, idToken)) {
		t.Error("an ended key is published")
	}
	if !slices.Contains(kids(t, keys.Ring().AllKeys(end.Add(-time.Second))), kidOf(t, idToken)) {
		t.Error("a retired key is not published until its end")
	}
}

// A node that stood still for a year publishes before it signs all the same.
func TestLateRotation(t *testing.T) {
	conf, c := config(token.EdDSA)
	keys, wrapped := unlocked(t, conf)
	sign := func(now time.Time) string {
		raw, err := keys.Ring().SignIDToken(token.EdDSA, idClaims, now)
		if err != nil {
			t.Fatal(err)
		}
		return kidOf(t, raw)
	}
	first, late := sign(start), start.Add(365*day)
	if sign(late) != first {
		t.Error("another key signs before anybody has looked")
	}
	wrapped, changed := rotateTo(t, keys, c, wrapped, late)
	if !changed {
		t.Fatal("no successor is published")
	}
	if sign(late) != first || sign(late.Add(day-time.Second)) != first {
		t.Error("the successor signs before it was published for a day")
	}
	if sign(late.Add(day)) == first {
		t.Error("the successor does not sign after a day")
	}
	if _, changed := rotateTo(t, keys, c, wrapped, late.Add(day)); changed {
		t.Error("there is more to do at once")
	}
	if sign(start.Add(-time.Hour)) != first {
		t.Error("a clock that is behind finds no key")
	}
}

// Rotate runs in transactions that may run again or not commit.
func TestRotateHasNoEffect(t *testing.T) {
	conf, c := config(token.EdDSA)
	keys, wrapped := unlocked(t, conf)
	before, stored := keys.Ring(), bytes.Clone(wrapped)
	c.now = start.Add(88 * day)
	for range 2 {
		if replace, err := keys.Rotate(wrapped); replace == nil || err != nil {
			t.Fatal(err)
		}
	}
	if keys.Ring() != before || !bytes.Equal(stored, wrapped) {
		t.Error("Rotate has changed what it must not")
	}
	if _, err := keys.Rotate(wrapped[1:]); !errors.Is(err, token.ErrCorrupt) {
		t.Errorf("a damaged ring: %v", err)
	}
}

// While a fleet is being reconfigured, its nodes disagree about the algorithm.
// They must not rotate each other's keys away, nor the ring grow.
func TestNodesOfTwoAlgorithms(t *testing.T) {
	one, c := config(token.EdDSA)
	_, wrapped := unlocked(t, one)
	two := one
	two.Alg = token.ES256
	changes := 0
	for now := start; now.Before(start.Add(400 * day)); now = now.Add(day) {
		c.now = now
		for _, conf := range []token.Config{one, two} {
			replace, err := token.Prepare(conf, wrapped)
			if err != nil {
				t.Fatal(err)
			}
			if replace != nil {
				wrapped, changes = replace, changes+1
			}
			if err := token.NewKeys(conf).Adopt(wrapped); err != nil {
				t.Fatalf("%v: %v", now, err)
			}
		}
	}
	if changes > 20 {
		t.Errorf("the ring changed %d times", changes)
	}

	// Once all nodes agree, the former algorithm ages out.
	c.now = start.Add(600 * day)
	for range 3 {
		c.now = c.now.Add(2 * day)
		replace, err := token.Prepare(two, wrapped)
		if err != nil {
			t.Fatal(err)
		}
		if replace != nil {
			wrapped = replace
		}
	}
	token.Edit(two, wrapped, func(list []map[string]any) []map[string]any {
		for _, k := range list {
			if k["alg"] == "EdDSA" {
				t.Error("a key of the former algorithm is still there")
			}
		}
		return list
	})
}
