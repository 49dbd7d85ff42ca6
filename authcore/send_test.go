package authcore_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/badgerstore"
	"github.com/qqauth/qqauth/authcore/token"
)

// onlyLimit lifts the limits of sending, and sets those that a test is about.
func onlyLimit(set func(*authcore.Limits)) func(*authcore.Config) {
	return func(cfg *authcore.Config) {
		l := &cfg.Limits
		l.Captchas, l.TargetMinute, l.TargetHour, l.TargetDay = 0, 0, 0, 0
		l.AddressHour, l.ClientHour, l.TotalDay, l.Pendings = 0, 0, 1000, 0
		set(l)
	}
}

// number is one of many phones.
func number(n int) string { return fmt.Sprintf("+86-1520165%04d", n) }

// from is the same world seen from another address, by a device that has a login
// there.
func (w *codeWorld) from(client authcore.ClientID, addr string) *codeWorld {
	w.t.Helper()
	caller := phone
	caller.Fingerprint, caller.Addr = "fingerprint at "+addr, netip.MustParseAddr(addr)
	view := w.as(client, caller)
	a := w.newAccount()
	w.qq2.know(a.access, qqAccount{openID: a.openID})
	view.login(a, authcore.StatusUserRegister)
	return view
}

// registering lets the clients of both applications register by phone.
func registering(cfg *authcore.Config) {
	for _, id := range []authcore.ClientID{mainClient, secondClient} {
		clientOf(cfg, id).Unknown = authcore.UnknownRegister
		clientOf(cfg, id).Verify = []authcore.Way{authcore.WayPhone, authcore.WayEmail}
	}
}

func TestLimitsOfSending(t *testing.T) {
	const here, neighbour, there = "2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"
	for _, test := range []struct {
		name   string
		set    func(*authcore.Limits)
		most   int
		window time.Duration
		same   func(w *codeWorld, n int) (*codeWorld, string) // sends that are counted together
		other  func(w *codeWorld) (*codeWorld, string)        // one that is not
	}{
		{
			"per target and minute", func(l *authcore.Limits) { l.TargetMinute = 1 }, 1, time.Minute,
			func(w *codeWorld, n int) (*codeWorld, string) {
				return w.from([]authcore.ClientID{mainClient, secondClient}[n%2], fmt.Sprintf("192.0.2.%d", n+1)), ownPhone
			},
			func(w *codeWorld) (*codeWorld, string) { return w.from(mainClient, "192.0.2.100"), otherPhone },
		},
		{
			"per target and hour", func(l *authcore.Limits) { l.TargetHour = 5 }, 5, time.Hour,
			func(w *codeWorld, n int) (*codeWorld, string) {
				return w.from(mainClient, fmt.Sprintf("192.0.2.%d", n+1)), ownEmail
			},
			func(w *codeWorld) (*codeWorld, string) { return w.from(mainClient, "192.0.2.100"), otherEmail },
		},
		{
			"per target and day", func(l *authcore.Limits) { l.TargetDay = 10 }, 10, 24 * time.Hour,
			func(w *codeWorld, n int) (*codeWorld, string) {
				return w.from(mainClient, fmt.Sprintf("192.0.2.%d", n+1)), []string{"15201657321", "+86 152 0165 7321", "008615201657321"}[n%3]
			},
			func(w *codeWorld) (*codeWorld, string) { return w.from(mainClient, "192.0.2.100"), otherPhone },
		},
		{
			"per address", func(l *authcore.Limits) { l.AddressHour = 6 }, 6, time.Hour,
			func(w *codeWorld, n int) (*codeWorld, string) {
				return w.from(mainClient, []string{here, neighbour}[n%2]), number(n)
			},
			func(w *codeWorld) (*codeWorld, string) { return w.from(mainClient, there), number(9000) },
		},
		{
			"per IPv4 address", func(l *authcore.Limits) { l.AddressHour = 6 }, 6, time.Hour,
			func(w *codeWorld, n int) (*codeWorld, string) {
				return w.from(mainClient, []string{"192.0.2.1", "::ffff:192.0.2.1"}[n%2]), number(n)
			},
			func(w *codeWorld) (*codeWorld, string) { return w.from(mainClient, "192.0.2.2"), number(9000) },
		},
		{
			"per client", func(l *authcore.Limits) { l.ClientHour = 6 }, 6, time.Hour,
			func(w *codeWorld, n int) (*codeWorld, string) {
				return w.from(mainClient, fmt.Sprintf("192.0.2.%d", n+1)), number(n)
			},
			func(w *codeWorld) (*codeWorld, string) { return w.from(secondClient, "192.0.2.1"), number(9000) },
		},
		{
			"in all", func(l *authcore.Limits) { l.TotalDay = 6 }, 6, 24 * time.Hour,
			func(w *codeWorld, n int) (*codeWorld, string) {
				return w.from([]authcore.ClientID{mainClient, secondClient}[n%2], fmt.Sprintf("192.0.2.%d", n+1)), number(n)
			},
			nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newCodeWorld(t, registering, onlyLimit(test.set))
			for n := range test.most {
				view, to := test.same(w, n)
				want(t, fmt.Sprintf("send %d", n+1), view.send(typeOf(authcore.PurposeRegister, to), to), nil)
				w.clock.step(time.Second)
			}
			if n := w.messages(); n != test.most {
				t.Fatalf("%d messages; want %d", n, test.most)
			}
			view, to := test.same(w, test.most)
			err := view.send(typeOf(authcore.PurposeRegister, to), to)
			want(t, "one more", err, authcore.ErrLimited)
			after, ok := authcore.RetryAfter(err)
			if !ok || after > test.window+test.window/60 || after < test.window-time.Duration(test.most)*time.Second {
				t.Errorf("retry after %s, %t", after, ok)
			}
			if test.other != nil {
				view, to := test.other(w)
				want(t, "one that is not counted with them", view.send(typeOf(authcore.PurposeRegister, to), to), nil)
				w.messages()
			}
			if stopped := w.audit.count(authcore.AuditSendingStopped); (stopped == 1) != (test.other == nil) || stopped > 1 {
				t.Errorf("sending_stopped audited %d times", stopped)
			}
			w.clock.step(after)
			view, to = test.same(w, test.most+1)
			want(t, "one more after that time", view.send(typeOf(authcore.PurposeRegister, to), to), nil)
			if n := w.messages(); n != 1 {
				t.Errorf("%d messages after that time", n)
			}
		})
	}
}

// TestStopOfSendingIsAuditedOnceAMinute however many are refused.
func TestStopOfSendingIsAuditedOnceAMinute(t *testing.T) {
	w := newCodeWorld(t, registering, onlyLimit(func(l *authcore.Limits) { l.TotalDay = 1 }))
	view := w.from(mainClient, "192.0.2.1")
	want(t, "send", view.send("REGISTER_SMS", ownPhone), nil)
	for range 5 {
		want(t, "one more", view.send("REGISTER_SMS", ownPhone), authcore.ErrLimited)
	}
	if n := w.audit.count(authcore.AuditSendingStopped); n != 1 {
		t.Errorf("sending_stopped audited %d times", n)
	}
	w.clock.step(time.Minute)
	want(t, "a minute later", view.send("REGISTER_SMS", ownPhone), authcore.ErrLimited)
	if n := w.audit.count(authcore.AuditSendingStopped); n != 2 {
		t.Errorf("sending_stopped audited %d times a minute later", n)
	}
}

// TestStopOfSendingIsAuditedBesideAnotherLimit: that one takes longer to have room.
func TestStopOfSendingIsAuditedBesideAnotherLimit(t *testing.T) {
	w := newCodeWorld(t, registering, onlyLimit(func(l *authcore.Limits) { l.TotalDay, l.TargetDay = 2, 1 }))
	view := w.from(mainClient, "192.0.2.1")
	want(t, "send", view.send("REGISTER_SMS", number(1)), nil)
	w.clock.step(time.Hour)
	view = w.from(mainClient, "192.0.2.1")
	want(t, "send", view.send("REGISTER_SMS", number(2)), nil)
	want(t, "one more", view.send("REGISTER_SMS", number(2)), authcore.ErrLimited)
	if n := w.audit.count(authcore.AuditSendingStopped); n != 1 {
		t.Errorf("sending_stopped audited %d times", n)
	}
}

// TestStopOfSendingIsNoOtherLimit: where the number in all is not limited, nothing
// stops.
func TestStopOfSendingIsNoOtherLimit(t *testing.T) {
	w := newCodeWorld(t, registering, onlyLimit(func(l *authcore.Limits) { l.ClientHour, l.TotalDay = 1, 0 }))
	view := w.from(mainClient, "192.0.2.1")
	want(t, "send", view.send("REGISTER_SMS", ownPhone), nil)
	want(t, "one more", view.send("REGISTER_SMS", ownPhone), authcore.ErrLimited)
	if n := w.audit.count(authcore.AuditSendingStopped); n != 0 {
		t.Errorf("sending_stopped audited %d times", n)
	}
}

// TestFailedSending counts as a sending, and costs no try.
func TestFailedSending(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
	out := w.login(w.newAccount(), authcore.StatusUserRegister)
	w.texts.fail(errGateway)
	want(t, "send", w.send("REGISTER_SMS", ownPhone), authcore.ErrSend)
	if w.audit.count(authcore.AuditCodeNotSent) != 1 || w.audit.count(authcore.AuditCodeSent) != 0 {
		t.Error("want code_not_sent audited")
	}
	want(t, "send again", w.send("REGISTER_SMS", ownPhone), authcore.ErrLimited)
	for range 4 {
		w.clock.step(2 * time.Minute)
		want(t, "send later", w.send("REGISTER_SMS", ownPhone), authcore.ErrSend)
	}
	w.texts.fail(nil)
	w.clock.step(2 * time.Minute)
	want(t, "the sixth of the hour", w.send("REGISTER_SMS", ownPhone), authcore.ErrLimited)
	login := w.state(out)
	code := w.code("REGISTER_SMS", otherPhone)
	for range 4 {
		_, err := w.try(w.Register, login, otherPhone, wrong(code))
		want(t, "wrong code", err, authcore.ErrCode)
	}
	w.finish(w.Register, out, otherPhone, code, authcore.StatusSuccess)
}

func TestNoSender(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), func(cfg *authcore.Config) {
		delete(cfg.Senders, authcore.WayEmail)
	}, bothWays)
	w.login(w.newAccount(), authcore.StatusUserRegister)
	want(t, "send by a way without sender", w.send("REGISTER_EMS", ownEmail), authcore.ErrSend)
	want(t, "send by the other", w.send("REGISTER_SMS", ownPhone), nil)
}

// TestUnsentIsLimitedAlike: whether something waits must not show in a limit.
func TestUnsentIsLimitedAlike(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
	want(t, "send", w.send("REGISTER_SMS", ownPhone), nil)
	want(t, "send again", w.send("REGISTER_SMS", ownPhone), authcore.ErrLimited)
	for range 4 {
		w.clock.step(2 * time.Minute)
		want(t, "send later", w.send("REGISTER_SMS", ownPhone), nil)
	}
	w.clock.step(2 * time.Minute)
	want(t, "the sixth of the hour", w.send("REGISTER_SMS", ownPhone), authcore.ErrLimited)
	if n := w.messages(); n != 0 {
		t.Fatalf("%d messages", n)
	}
}

// TestUnsentTakesNothingFromOthers: whoever asks for codes that nothing waits for
// must not use up what the owner of the phone, or the client, may be sent.
func TestUnsentTakesNothingFromOthers(t *testing.T) {
	w := newCodeWorld(t, registering, func(cfg *authcore.Config) { cfg.Limits.ClientHour, cfg.Limits.TotalDay = 3, 3 })
	attacker := w.as(mainClient, tablet)
	for range 5 {
		want(t, "send what nothing waits for", attacker.send("REGISTER_SMS", ownPhone), nil)
		w.clock.step(2 * time.Minute)
	}
	w.code("REGISTER_SMS", w.owned())
}

// owned logs an account in that has to register, and is the phone to do it with.
func (w *codeWorld) owned() string {
	w.t.Helper()
	w.login(w.newAccount(), authcore.StatusUserRegister)
	return ownPhone
}

// slow is a sender that takes its time.
type slow struct{ takes time.Duration }

func (s slow) Send(ctx context.Context, _ authcore.Message) error {
	timer := time.NewTimer(s.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestPace: what is not sent is not answered sooner.
func TestPace(t *testing.T) {
	const takes = 100 * time.Millisecond
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), func(cfg *authcore.Config) {
		cfg.Senders[authcore.WayPhone] = slow{takes}
	})
	timed := func(view *codeWorld) time.Duration {
		pass := view.pass(ownPhone)
		began := time.Now()
		want(t, "send", view.sendBy(pass, ownPhone), nil)
		return time.Since(began)
	}
	w.login(w.newAccount(), authcore.StatusUserRegister)
	if took := timed(w); took < takes {
		t.Fatalf("the sending took %s", took)
	}
	if took := timed(w.as(receiverClient, tablet)); took < takes {
		t.Errorf("nothing was sent, in %s", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	other := w.as(receiverClient, phone)
	pass := other.pass(otherPhone)
	if err := w.SendCode(ctx, receiverClient, phone, authcore.CodeRequest{Type: "REGISTER_SMS", To: w.contact(otherPhone), Pass: pass}); err != nil {
		t.Errorf("send for whoever has hung up = %v", err)
	}
}

// TestSendingOutlivesTheCaller: a code that was counted is sent.
func TestSendingOutlivesTheCaller(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), func(cfg *authcore.Config) {
		cfg.Senders[authcore.WayPhone] = slow{20 * time.Millisecond}
	})
	w.login(w.newAccount(), authcore.StatusUserRegister)
	pass := w.pass(ownPhone)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := w.SendCode(ctx, mainClient, phone, authcore.CodeRequest{Type: "REGISTER_SMS", To: w.contact(ownPhone), Pass: pass})
	want(t, "send for whoever has hung up", err, nil)
	if n := w.audit.count(authcore.AuditCodeSent); n != 1 {
		t.Errorf("code_sent audited %d times", n)
	}
}

// reopen closes the node and starts another on its store.
func (w *codeWorld) reopen() {
	w.t.Helper()
	if err := w.node.Close(); err != nil {
		w.t.Fatalf("close the node: %v", err)
	}
	w.keys = token.NewKeys(w.keyConfig())
	store, err := badgerstore.Open(w.t.Context(), badgerstore.Config{
		Dir: w.dir, Vault: w.keys, Now: w.clock.Now, LowWater: 1, HardWater: 1,
	})
	if err != nil {
		w.t.Fatalf("reopen the store: %v", err)
	}
	w.store = &faultStore{Store: store}
	node := authcore.NewNode(authcore.NodeConfig{Store: w.store, Keys: w.keys, Now: w.clock.Now})
	w.t.Cleanup(func() {
		if err := node.Close(); err != nil {
			w.t.Errorf("close the node: %v", err)
		}
	})
	w.node = node
	w.Service = w.service(w.cfg)
}

// TestRestartForgetsNoCounter of codes and sends, and no code either.
func TestRestartForgetsNoCounter(t *testing.T) {
	w := newCodeWorld(t, mfa(authcore.WayPhone), func(cfg *authcore.Config) { cfg.Limits.UserCodes = 6 })
	p := w.known(ownPhone)
	out := w.login(p, authcore.StatusMFAAuth)
	login, code := w.state(out), w.code("MFA_AUTH_SMS", ownPhone)
	for range 5 {
		_, err := w.try(w.FinishMFA, login, ownPhone, wrong(code))
		want(t, "wrong code", err, authcore.ErrCode)
	}
	w.reopen()
	want(t, "send within the minute", w.send("MFA_AUTH_SMS", ownPhone), authcore.ErrLimited)
	_, err := w.try(w.FinishMFA, login, ownPhone, code)
	want(t, "the sixth try", err, authcore.ErrLimited)
	w.clock.step(2 * time.Minute)
	code = w.code("MFA_AUTH_SMS", ownPhone)
	w.reopen()
	_, err = w.try(w.FinishMFA, login, ownPhone, wrong(code))
	want(t, "the user's sixth wrong code", err, authcore.ErrCode)
	_, err = w.try(w.FinishMFA, login, ownPhone, code)
	want(t, "the user's seventh", err, authcore.ErrLimited)
	w.clock.step(24*time.Hour + 30*time.Minute)
	out = w.login(p, authcore.StatusMFAAuth)
	code = w.code("MFA_AUTH_SMS", ownPhone)
	w.reopen()
	w.finish(w.FinishMFA, out, ownPhone, code, authcore.StatusSuccess)
}

// TestCodeForASession: a code of an UPDATE type is sent while somebody is signed in
// on the device, and to nobody afterwards.
func TestCodeForASession(t *testing.T) {
	w := newCodeWorld(t)
	p := w.newPlayer()
	want(t, "send to a starred number", w.send("UPDATE_MOBILE_SMS", "152****7321"), nil)
	for name, other := range map[string]*codeWorld{"device": w.as(mainClient, tablet), "client": w.as(receiverClient, phone)} {
		want(t, "send for another "+name, other.send("UPDATE_MOBILE_SMS", ownPhone), nil)
	}
	if n := w.messages(); n != 0 {
		t.Errorf("%d messages that nothing waits for", n)
	}
	w.code("UPDATE_MOBILE_SMS", ownPhone)
	want(t, "log-out", w.Logout(t.Context(), mainClient, p.session, ""), nil)
	w.clock.step(2 * time.Minute)
	want(t, "send after the log-out", w.send("UPDATE_MOBILE_SMS", ownPhone), nil)
	if n := w.messages(); n != 0 {
		t.Errorf("%d messages after the log-out", n)
	}
}
