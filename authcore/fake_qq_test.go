package authcore_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/qqauth/qqauth/authcore"
)

// fakeQQ is QQ for one application: it knows access tokens by heart.
type fakeQQ struct {
	mu       sync.Mutex
	app      authcore.AppID
	accounts map[string]qqAccount // by access token
	fault    error                // what every Prove answers, if set
	mute     error                // what every Profile answers, if set
	proves   int
	profiles int
	silent   chan struct{} // if set, every Prove waits until it is closed
}

type qqAccount struct{ openID, unionID, nickname string }

func newFakeQQ(app authcore.AppID) *fakeQQ {
	return &fakeQQ{app: app, accounts: make(map[string]qqAccount)}
}

// know makes QQ accept an access token for an account.
func (q *fakeQQ) know(accessToken string, account qqAccount) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.accounts[accessToken] = account
}

// fail makes every Prove answer an error, or none if it is nil.
func (q *fakeQQ) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fault = err
}

// failProfile makes every Profile answer an error.
func (q *fakeQQ) failProfile(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mute = err
}

// takeCalls returns the calls since it was last asked.
func (q *fakeQQ) takeCalls() (proves, profiles int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	proves, profiles = q.proves, q.profiles
	q.proves, q.profiles = 0, 0
	return proves, profiles
}

func (q *fakeQQ) Prove(_ context.Context, accessToken, openID string) (authcore.Identity, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.proves++
	if silent := q.silent; silent != nil {
		q.mu.Unlock()
		<-silent
		q.mu.Lock()
	}
	if q.fault != nil {
		return authcore.Identity{}, q.fault
	}
	a, ok := q.accounts[accessToken]
	switch {
	case !ok:
		return authcore.Identity{}, fmt.Errorf("%w: 100016", authcore.ErrQQToken)
	case openID != "" && openID != a.openID:
		return authcore.Identity{}, authcore.ErrQQOpenID
	}
	return authcore.Identity{App: q.app, OpenID: a.openID, UnionID: a.unionID}, nil
}

func (q *fakeQQ) Profile(_ context.Context, accessToken string, _ authcore.Identity) (authcore.QQProfile, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.profiles++
	if q.mute != nil {
		return authcore.QQProfile{}, q.mute
	}
	return authcore.QQProfile{Nickname: q.accounts[accessToken].nickname}, nil
}

var _ authcore.QQ = (*fakeQQ)(nil)
