package authcore_test

import (
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// TestTokenOfBeforeDoesNotUseTheSuccessor: a refresh whose answer is lost is asked for
// again within 30 s while its successor is unused. A game's other connection, which
// still has the token of before, uses no successor: the player would be logged out as
// if the token were stolen.
func TestTokenOfBeforeDoesNotUseTheSuccessor(t *testing.T) {
	newWorld(t, games).eachUse(func(name string, use func(*world, string) error) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, games)
			p := w.newPlayer()
			second := w.resumed(p.session)
			lost := w.refreshed(second)
			want(t, "the token of before", use(w, p.session), nil)
			w.clock.step(5 * time.Second)
			third := w.refreshed(second)
			if w.audit.count(authcore.AuditSessionReplay) != 0 {
				t.Error("the family has ended, as if the token were stolen")
			}
			want(t, "the lost answer", use(w, lost), authcore.ErrSession)
			want(t, "the answer to the second", use(w, third), nil)
			// A use of the successor itself closes that door.
			_, err := w.Refresh(t.Context(), mainClient, phone, second)
			want(t, "the refresh once more", err, authcore.ErrSession)
			if w.audit.count(authcore.AuditSessionReplay) != 1 {
				t.Error("a token that comes back after its successor was used is not taken for stolen")
			}
		})
	})
}

// eachUse calls test with everything that a token is good for.
func (w *world) eachUse(test func(name string, use func(*world, string) error)) {
	for name := range w.uses() {
		test(name, func(w *world, session string) error { return w.uses()[name](session) })
	}
}
