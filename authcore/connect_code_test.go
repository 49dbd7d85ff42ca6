package authcore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

// exchangingQQ is a QQ that gives access tokens for one-time codes.
type exchangingQQ struct {
	*fakeQQ
	mu    sync.Mutex
	codes map[string]string // access tokens by code; each is taken once
	fault error             // what every Exchange answers, if set
	sent  int
}

func (q *exchangingQQ) Exchange(_ context.Context, code string) (opaque.Secret, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent++
	if q.fault != nil {
		return opaque.Secret{}, q.fault
	}
	access, ok := q.codes[code]
	if delete(q.codes, code); !ok {
		return opaque.Secret{}, fmt.Errorf("%w: 100019", authcore.ErrQQToken)
	}
	return opaque.Of(access), nil
}

// takeSent is how many codes were sent since it was last asked.
func (q *exchangingQQ) takeSent() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, q.sent = q.sent, 0
	return n
}

var _ authcore.CodeExchanger = (*exchangingQQ)(nil)

// newCodeGame is a game whose QQ knows codes.
func newCodeGame(t *testing.T) (*world, *exchangingQQ) {
	t.Helper()
	qq := &exchangingQQ{codes: make(map[string]string)}
	w := newWorld(t, atGames, func(cfg *authcore.Config) {
		qq.fakeQQ = cfg.Apps[0].QQ.(*fakeQQ)
		cfg.Apps[0].QQ = qq
	})
	return w, qq
}

const oneTimeCode = "code-0123456789"

func TestCodeInPlaceOfAToken(t *testing.T) {
	w, qq := newCodeGame(t)
	a := w.newAccount()
	// A first login needs the nickname and decides twice: the code is sent once.
	qq.codes[oneTimeCode] = a.access
	now := w.play(t, player{openID: a.openID, access: oneTimeCode}, "", authcore.LinkFlags{})
	if proves, profiles := qq.takeCalls(); qq.takeSent() != 1 || proves != 2 || profiles != 1 {
		t.Errorf("%d proofs and %d profiles", proves, profiles)
	}
	if u := w.userRecord(now.user); u.Links[0].OpenID != a.openID || u.DisplayName != "nickname 1" {
		t.Errorf("the player is %+v", u)
	}
	// A known player's costs no profile; a token that is none costs no exchange.
	qq.codes[oneTimeCode] = a.access
	again := w.play(t, player{openID: a.openID, access: oneTimeCode}, "", authcore.LinkFlags{})
	if proves, profiles := qq.takeCalls(); again.user != now.user || qq.takeSent() != 1 || proves != 2 || profiles != 0 {
		t.Errorf("%s by %d proofs and %d profiles", again.user, proves, profiles)
	}
	w.play(t, a, "", authcore.LinkFlags{})
	if proves, _ := qq.takeCalls(); qq.takeSent() != 0 || proves != 1 {
		t.Errorf("a token cost %d proofs, or an exchange", proves)
	}
	// What is remembered is the token, not the code.
	want(t, "log-out of all", w.EndSessions(t.Context(), now.user), nil)
	qq.codes["another"] = a.access
	_, err := w.tryQQ(t, player{access: "another"}, "", authcore.LinkFlags{})
	want(t, "another code for the same token", err, authcore.ErrQQToken)
}

// TestCodeSpentOnARefusal: a refusal by the linking decision has used the code up.
func TestCodeSpentOnARefusal(t *testing.T) {
	w, qq := newCodeGame(t)
	a := w.newAccount()
	qq.codes[oneTimeCode] = a.access
	p, err := w.tryQQ(t, player{access: oneTimeCode}, "", authcore.LinkFlags{DoNotCreate: true})
	if err != nil || p.Refused != authcore.RefusedCreation || qq.takeSent() != 1 {
		t.Fatalf("connect = %+v, %v", p, err)
	}
}

func TestCodeThatQQDoesNotTake(t *testing.T) {
	down := fmt.Errorf("%w: timeout", authcore.ErrQQUnavailable)
	for _, test := range []struct {
		name    string
		prepare func(w *world, qq *exchangingQQ)
		err     error
		sent    int
		proves  int
		reason  string
	}{
		{"refused", func(*world, *exchangingQQ) {}, authcore.ErrQQToken, 1, 1, "qq_token"},
		{"the token it gives is refused", func(_ *world, qq *exchangingQQ) { qq.codes[oneTimeCode] = "no token" }, authcore.ErrQQToken, 1, 2, "qq_token"},
		{"no answer to the exchange", func(_ *world, qq *exchangingQQ) { qq.fault = down }, authcore.ErrQQUnavailable, 1, 1, "qq_unavailable"},
		{"misconfigured", func(_ *world, qq *exchangingQQ) { qq.fault = authcore.ErrQQConfig }, authcore.ErrQQConfig, 1, 1, "qq_config"},
		{"no answer to the proof", func(_ *world, qq *exchangingQQ) { qq.fail(down) }, authcore.ErrQQUnavailable, 0, 1, "qq_unavailable"},
		{"another application's", func(_ *world, qq *exchangingQQ) { qq.fail(authcore.ErrQQApp) }, authcore.ErrQQApp, 0, 1, "qq_app"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, qq := newCodeGame(t)
			guest := w.newGuest(t)
			test.prepare(w, qq)
			before := w.snap(t)
			_, err := w.tryQQ(t, player{access: oneTimeCode}, guest.sid, authcore.LinkFlags{})
			want(t, "connect", err, test.err)
			if strings.Contains(fmt.Sprint(err), oneTimeCode) {
				t.Errorf("the error names the code: %v", err)
			}
			if proves, profiles := qq.takeCalls(); qq.takeSent() != test.sent || proves != test.proves || profiles != 0 {
				t.Errorf("%d proofs and %d profiles", proves, profiles)
			}
			refusals := w.audit.audited(authcore.AuditLoginRefused)
			if len(refusals) != 1 || refusals[0].Status != test.reason {
				t.Errorf("audited %+v; want one refusal for %q", refusals, test.reason)
			}
			if diff := cmp.Diff(before, w.snap(t)); diff != "" {
				t.Errorf("the store has changed: %s", diff)
			}
			w.wantAlive(t, "the guest's session", guest, true)
		})
	}
}

// TestAppsSendNoCodes: the vendor's apps log in with tokens, and what stands in a
// token's place there is refused (contract 3.1, QQ.0001).
func TestAppsSendNoCodes(t *testing.T) {
	w, qq := newCodeGame(t)
	a := w.newAccount()
	qq.codes[oneTimeCode] = a.access
	_, err := w.LoginQQ(t.Context(), mainClient, phone, oneTimeCode, a.openID)
	want(t, "login", err, authcore.ErrQQToken)
	if n := qq.takeSent(); n != 0 {
		t.Errorf("%d codes were sent", n)
	}
}

// TestQQWithoutCodes is an application that cannot exchange any.
func TestQQWithoutCodes(t *testing.T) {
	w := newWorld(t, atGames)
	_, err := w.tryQQ(t, player{access: oneTimeCode}, "", authcore.LinkFlags{})
	want(t, "connect", err, authcore.ErrQQToken)
	if proves, _ := w.qq.takeCalls(); proves != 1 {
		t.Errorf("QQ was asked %d times", proves)
	}
}

// TestGuessedCodesAreLimited as tokens are: the sixty-first that QQ refuses within a
// minute is not judged any more, and one that QQ takes is.
func TestGuessedCodesAreLimited(t *testing.T) {
	w, qq := newCodeGame(t)
	for range 60 {
		_, err := w.tryQQ(t, player{access: "no code"}, "", authcore.LinkFlags{})
		want(t, "a guess", err, authcore.ErrQQToken)
	}
	_, err := w.tryQQ(t, player{access: "no code"}, "", authcore.LinkFlags{})
	want(t, "the next guess", err, authcore.ErrLimited)
	if _, ok := authcore.RetryAfter(err); !ok || errors.Is(err, authcore.ErrQQToken) {
		t.Errorf("the limit is %v", err)
	}
	a := w.newAccount()
	qq.codes[oneTimeCode] = a.access
	w.play(t, player{access: oneTimeCode}, "", authcore.LinkFlags{})
}
