package authcore_test

import (
	"sync"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// The attack: one address sends more bad tokens than there are calls to QQ that may
// be in flight or wait, and nobody else can log in. What is beyond its share waits for
// its turn, without QQ being asked; a login from elsewhere goes on.
func TestOneAddressDoesNotTakeAllOfQQ(t *testing.T) {
	const share, more = 128, 20
	w := newWorld(t, games, func(cfg *authcore.Config) { cfg.Limits.QQRefused = 10_000 })
	silent := make(chan struct{})
	w.qq.mu.Lock()
	w.qq.silent = silent
	w.qq.mu.Unlock()
	asked := func() int {
		w.qq.mu.Lock()
		defer w.qq.mu.Unlock()
		return w.qq.proves
	}
	var crowd sync.WaitGroup
	answers := make(chan error, share+more)
	for n := range share + more {
		crowd.Go(func() {
			if n%2 == 0 {
				_, err := w.LoginQQ(t.Context(), mainClient, from(1), "bad", "")
				answers <- err
			} else {
				_, err := w.ConnectQQ(t.Context(), mainClient, from(1), authcore.QQConnect{Token: "bad"})
				answers <- err
			}
		})
	}
	await(t, "its share to be asked about", func() bool { return asked() == share && w.node.Proving() == share+more })
	if n := asked(); n != share {
		t.Errorf("QQ was asked %d times; want %d", n, share)
	}
	account := w.newAccount()
	elsewhere := make(chan error, 1)
	crowd.Go(func() {
		_, err := w.LoginQQ(t.Context(), mainClient, from(2), account.access, account.openID)
		elsewhere <- err
	})
	await(t, "the login from elsewhere to be asked about", func() bool { return asked() == share+1 })
	close(silent)
	crowd.Wait()
	want(t, "the login from elsewhere", <-elsewhere, nil)
	for range share + more {
		want(t, "a bad token", <-answers, authcore.ErrQQToken)
	}
	if n := w.node.Proving(); n != 0 {
		t.Errorf("%d are still counted", n)
	}
}
