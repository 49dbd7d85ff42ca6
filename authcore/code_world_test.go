package authcore_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// errGateway is what a sender answers that cannot send.
var errGateway = errors.New("the gateway is down")

// mailbox is a sender that keeps what it is given.
type mailbox struct {
	mu       sync.Mutex
	messages []authcore.Message
	fault    error // what every Send answers, if set
}

func (m *mailbox) Send(_ context.Context, message authcore.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != nil {
		return m.fault
	}
	m.messages = append(m.messages, message)
	return nil
}

// fail makes every Send answer an error, or none if it is nil.
func (m *mailbox) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = err
}

// take returns what was sent since it was last asked.
func (m *mailbox) take() []authcore.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	sent := m.messages
	m.messages = nil
	return sent
}

const (
	ownPhone   = "+86-15201657321"
	otherPhone = "+86-15201657322"
	ownEmail   = "zhangsan@qq.com"
	otherEmail = "lisi@qq.com"
)

// withCodes gives a world senders and the limits of the contract.
func withCodes(texts, mails *mailbox) func(*authcore.Config) {
	return func(cfg *authcore.Config) {
		cfg.Senders = map[authcore.Way]authcore.Sender{authcore.WayPhone: texts, authcore.WayEmail: mails}
		cfg.Lifetimes.Code = 5 * time.Minute
		cfg.Limits.Captchas, cfg.Limits.CodeTries, cfg.Limits.UserCodes = 120, 5, 20
		cfg.Limits.TargetMinute, cfg.Limits.TargetHour, cfg.Limits.TargetDay = 1, 5, 10
		cfg.Limits.AddressHour, cfg.Limits.ClientHour, cfg.Limits.TotalDay = 100, 1000, 10000
	}
}

// verify sets what the main client's users may register and bind with.
func verify(ways ...authcore.Way) func(*authcore.Config) {
	return func(cfg *authcore.Config) { clientOf(cfg, mainClient).Verify = ways }
}

// mfa sets the second factor that the main client demands.
func mfa(ways ...authcore.Way) func(*authcore.Config) {
	return func(cfg *authcore.Config) { clientOf(cfg, mainClient).MFA = ways }
}

// codeWorld is a world that sends codes.
type codeWorld struct {
	*world
	texts, mails *mailbox
	client       authcore.ClientID
	caller       authcore.Caller
}

func newCodeWorld(t testing.TB, change ...func(*authcore.Config)) *codeWorld {
	t.Helper()
	w := &codeWorld{texts: new(mailbox), mails: new(mailbox), client: mainClient, caller: phone}
	w.world = newWorld(t, append([]func(*authcore.Config){withCodes(w.texts, w.mails)}, change...)...)
	return w
}

// as is the same world as another client, or the same one on another device,
// sees it.
func (w *codeWorld) as(client authcore.ClientID, caller authcore.Caller) *codeWorld {
	other := *w
	other.client, other.caller = client, caller
	return &other
}

// contact is what somebody wrote, in its one form.
func (w *codeWorld) contact(written string) authcore.Contact {
	w.t.Helper()
	way := authcore.WayPhone
	for _, r := range written {
		if r == '@' {
			way = authcore.WayEmail
		}
	}
	c, err := w.ParseContact(way, written)
	if err != nil {
		w.t.Fatalf("parse %q: %v", written, err)
	}
	return c
}

// pass solves a puzzle for whoever is to get a code.
func (w *codeWorld) pass(to string) string {
	w.t.Helper()
	p, err := w.NewPuzzle(w.t.Context(), w.client, w.caller)
	if err != nil {
		w.t.Fatalf("puzzle: %v", err)
	}
	if err := w.SolvePuzzle(w.t.Context(), w.client, w.caller, p.Token, w.solution(p.Token), w.contact(to)); err != nil {
		w.t.Fatalf("solve: %v", err)
	}
	return p.Token
}

// solution looks where the piece belongs.
func (w *codeWorld) solution(token string) (x float64) {
	w.t.Helper()
	err := w.store.Store.View(w.t.Context(), func(tx authcore.Tx) error {
		c, err := tx.Captcha(authcore.HashToken(token))
		x = float64(c.X)
		return err
	})
	if err != nil {
		w.t.Fatalf("read the puzzle: %v", err)
	}
	return x
}

// send asks for a code, for the newest login that waits.
func (w *codeWorld) send(kind, to string) error {
	w.t.Helper()
	return w.SendCode(w.t.Context(), w.client, w.caller, authcore.CodeRequest{
		Type: kind, To: w.contact(to), Pass: w.pass(to), Lang: "zh",
	})
}

// code has a code sent and reads it.
func (w *codeWorld) code(kind, to string) string {
	w.t.Helper()
	w.texts.take()
	w.mails.take()
	if err := w.send(kind, to); err != nil {
		w.t.Fatalf("send %s: %v", kind, err)
	}
	sent := append(w.texts.take(), w.mails.take()...)
	if len(sent) != 1 || sent[0].Type() != kind {
		w.t.Fatalf("%d messages, %+v; want one of %s", len(sent), sent, kind)
	}
	return sent[0].Code.Reveal()
}

// wrong is a code that is not the right one.
func wrong(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// login logs an account in and wants a status.
func (w *codeWorld) login(p player, status authcore.Status) authcore.Outcome {
	w.t.Helper()
	out, err := w.LoginQQ(w.t.Context(), w.client, w.caller, p.access, p.openID)
	if err != nil || out.Status != status {
		w.t.Fatalf("login = %q, %v; want %s", out.Status, err, status)
	}
	return out
}

// state is the login that a state_token names.
func (w *codeWorld) state(out authcore.Outcome, statuses ...authcore.Status) authcore.PendingID {
	w.t.Helper()
	id, err := w.CheckState(w.t.Context(), w.client, w.caller, out.StateToken, statuses...)
	if err != nil {
		w.t.Fatalf("check the state_token: %v", err)
	}
	return id
}

type finisher func(context.Context, authcore.ClientID, authcore.Caller, authcore.PendingID, authcore.Contact, string) (authcore.Outcome, error)

// finish finishes a login by a code and wants a status.
func (w *codeWorld) finish(by finisher, out authcore.Outcome, to, code string, status authcore.Status) authcore.Outcome {
	w.t.Helper()
	done, err := by(w.t.Context(), w.client, w.caller, w.state(out), w.contact(to), code)
	if err != nil || done.Status != status {
		w.t.Fatalf("finish = %q, %v; want %s", done.Status, err, status)
	}
	return done
}

// registered is a user who has just registered with a phone.
func (w *codeWorld) registered(to string) (player, authcore.Outcome) {
	w.t.Helper()
	p := w.newAccount()
	out := w.login(p, authcore.StatusUserRegister)
	done := w.finish(w.Register, out, to, w.code("REGISTER_SMS", to), authcore.StatusSuccess)
	claims := w.idToken(done.Grant.IDToken)
	p.user, p.session, p.sid = authcore.UserID(claims.Subject), done.Grant.Token.Reveal(), authcore.SessionID(claims.Session)
	return p, done
}

// tablet is the main client's user on another device.
var tablet = authcore.Caller{
	Fingerprint: "fingerprint-of-a-tablet", Addr: netip.MustParseAddr("203.0.113.10"), Loopback: true,
}

// codeless is the world without MFA and without unfinished logins, to make one of its
// users in.
func (w *codeWorld) codeless() *world {
	w.t.Helper()
	cfg := w.config()
	cfg.Audit = nil
	lax := &world{
		Service: w.service(cfg), t: w.t, clock: w.clock, keys: w.keys, store: w.store, node: w.node,
		qq: w.qq, qq2: w.qq2, cfg: cfg,
	}
	lax.players.Store(w.players.Add(1) - 1) // the number of one account
	return lax
}

// known is a user of the main client who has a QQ account, a session that QQ
// alone has proved, and the given phones and addresses.
func (w *codeWorld) known(contacts ...string) player {
	w.t.Helper()
	p := w.codeless().newPlayer()
	w.give(p.user, contacts...)
	return p
}

// elsewhere is a user of the second application, with the given phones and
// addresses.
func (w *codeWorld) elsewhere(contacts ...string) player {
	w.t.Helper()
	n := w.players.Add(1)
	p := player{openID: fmt.Sprintf("%032X", n), access: fmt.Sprintf("access-token-%d", n)}
	w.qq2.know(p.access, qqAccount{openID: p.openID})
	p = w.codeless().loginAt(secondClient, p)
	w.give(p.user, contacts...)
	return p
}

// give gives a user phones and addresses as if they were proved.
func (w *codeWorld) give(id authcore.UserID, contacts ...string) {
	w.t.Helper()
	for _, written := range contacts {
		c := w.contact(written)
		w.changeUser(id, func(u *authcore.User) {
			if c.Way == authcore.WayEmail {
				u.Email = c.Value
			} else {
				u.Mobile = c.Value
			}
		})
		w.write(func(tx authcore.Tx) { tx.PutHandle(w.HandleOf(c), id) })
	}
}

// owner is the user whom a phone or an address belongs to.
func (w *codeWorld) owner(written string) (u authcore.User, err error) {
	w.t.Helper()
	err = w.store.Store.View(w.t.Context(), func(tx authcore.Tx) error {
		u, err = tx.UserByHandle(w.HandleOf(w.contact(written)))
		return err
	})
	return u, err
}

// secondGuard guards the sessions of both applications' clients.
func (w *codeWorld) secondGuard() *authcore.Guard {
	w.t.Helper()
	return w.guard(func(cfg *authcore.GuardConfig) { cfg.Clients = []authcore.ClientID{mainClient, secondClient} })
}

// dead reports whether a state_token no longer names a login.
func (w *codeWorld) dead(out authcore.Outcome) error {
	w.t.Helper()
	_, err := w.CheckState(w.t.Context(), w.client, w.caller, out.StateToken)
	return err
}

// try finishes a login by a code.
func (w *codeWorld) try(by finisher, login authcore.PendingID, to, code string) (authcore.Outcome, error) {
	w.t.Helper()
	return by(w.t.Context(), w.client, w.caller, login, w.contact(to), code)
}

// audited is what was audited under a name.
func (l *auditLog) audited(name string) (found []authcore.AuditEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Name == name {
			found = append(found, e)
		}
	}
	return found
}

// methods are the amr of an outcome with a session.
func (w *codeWorld) methods(out authcore.Outcome) string {
	w.t.Helper()
	return strings.Join(w.idToken(out.Grant.IDToken).Methods, " ")
}

// messages is how many messages were sent since it was last asked.
func (w *codeWorld) messages() int { return len(w.texts.take()) + len(w.mails.take()) }

// typeOf is the type of the code that is sent to a contact for a purpose.
func typeOf(purpose authcore.Purpose, to string) string {
	way := authcore.WayPhone
	if strings.ContainsRune(to, '@') {
		way = authcore.WayEmail
	}
	return (&authcore.Message{Way: way, Purpose: purpose}).Type()
}

// proves is the method that a code sent to a contact proves.
func proves(to string) string {
	if strings.ContainsRune(to, '@') {
		return "email"
	}
	return "sms"
}

func TestCodeWorld(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
	p, _ := w.registered(ownPhone)
	if got := w.userRecord(p.user); got.Mobile != ownPhone || len(got.Links) != 1 {
		t.Errorf("the user is %+v", got)
	}
	want(t, "admit", w.admit(w.guard(), p.session), nil)
	w.clock.step(2 * time.Minute)

	// A second QQ account of the same person binds to the same phone, and is
	// refused: the user has one already in this application.
	second := w.newAccount()
	out := w.login(second, authcore.StatusUserRegister)
	code := w.code("REGISTER_SMS", "15201657321")
	_, err := w.Register(t.Context(), mainClient, phone, w.state(out), w.contact(ownPhone), wrong(code))
	want(t, "wrong code", err, authcore.ErrCode)
	_, err = w.Register(t.Context(), mainClient, phone, w.state(out), w.contact(ownPhone), code)
	want(t, "bind a second account", err, authcore.ErrTaken)
	if errors.Is(w.admit(w.guard(), p.session), authcore.ErrSession) {
		t.Error("the session has ended")
	}
}
