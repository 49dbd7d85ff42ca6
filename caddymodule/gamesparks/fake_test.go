package gamesparks_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/caddymodule/gamesparks"
)

// called is what a fake was asked.
type called struct {
	Method string
	Client authcore.ClientID
	Caller authcore.Caller
	In     any
}

// fake is a core in which everybody is who they are expected to be. It answers
// err to everything where that is set, and play to every login.
type fake struct {
	mu       sync.Mutex
	calls    []called
	err      error
	panic    any
	play     authcore.Play
	account  authcore.PlayerAccount
	lasted   time.Duration
	lobbyErr error
	attends  error
	// overAtOnce ends sessions before Attend has returned.
	overAtOnce bool
	closed     error // of Open

	live     map[string]player // by authToken
	attended []*attendance
	lobby    int
	open     int
	// hold, if not nil, is waited for in every login.
	hold chan struct{}
	// after runs in a login before it answers.
	after func()
	// asks has ConnectQQ wait for QQ, which never answers.
	asks bool
}

type player struct {
	session authcore.SessionID
	user    authcore.UserID
}

// attendance is one call of Attend.
type attendance struct {
	token string
	ended func(bool)
	left  bool
}

const (
	knownClient = authcore.ClientID("nTo1eRIub60vPb54WeE6aojPwYwImtl4")
	knownKey    = "a123456FLeia"
	knownCred   = "device"
	knownSecret = "S3cretOfTheGame"
	knownToken  = "btsiBjx85prcZu6I6Ki057Tmw3nSF2VO"
	knownUser   = authcore.UserID("20220126153857263-A04D-60E0D446C")
	newToken    = "524c13c7e4b0f3abf2b1ddc0AAAAAAAA"
)

func newFake() *fake {
	return &fake{
		play: success(newToken, "sid-new", "523b0628e4b0aba320077410", "Nick"),
		live: map[string]player{knownToken: {"sid-known", knownUser}},
	}
}

// success is a login that succeeded.
func success(token string, session authcore.SessionID, user authcore.UserID, name string) authcore.Play {
	return authcore.Play{
		Outcome: authcore.Outcome{
			Status: authcore.StatusSuccess,
			Grant:  authcore.Grant{Token: authcore.SessionToken{Secret: opaque.Of(token)}, ExpiresIn: time.Hour},
		},
		Session: session, User: user, Name: name,
	}
}

// Open is the Config's.
func (f *fake) Open() (gamesparks.Service, func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed != nil {
		return nil, nil, f.closed
	}
	f.open++
	return f, func() {
		f.mu.Lock()
		f.open--
		f.mu.Unlock()
	}, nil
}

func (f *fake) note(method string, client authcore.ClientID, caller authcore.Caller, in any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == 0 {
		panic("called while not open")
	}
	f.calls = append(f.calls, called{method, client, caller, in})
	if f.panic != nil {
		panic(f.panic)
	}
	return f.err
}

func (f *fake) login(method string, client authcore.ClientID, caller authcore.Caller, in any) (authcore.Play, error) {
	err := f.note(method, client, caller, in)
	f.mu.Lock()
	hold, after, play := f.hold, f.after, f.play
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if after != nil {
		after()
	}
	return play, err
}

func (f *fake) ConnectQQ(ctx context.Context, id authcore.ClientID, c authcore.Caller, in authcore.QQConnect) (authcore.Play, error) {
	play, err := f.login("ConnectQQ", id, c, in)
	f.mu.Lock()
	asks := f.asks
	f.mu.Unlock()
	if asks {
		<-ctx.Done()
		return authcore.Play{}, authcore.ErrQQUnavailable
	}
	return play, err
}

func (f *fake) LoginDevice(_ context.Context, id authcore.ClientID, c authcore.Caller, in authcore.DeviceLogin) (authcore.Play, error) {
	return f.login("LoginDevice", id, c, in)
}

func (f *fake) LoginPassword(_ context.Context, id authcore.ClientID, c authcore.Caller, in authcore.PasswordLogin) (authcore.Play, error) {
	return f.login("LoginPassword", id, c, in)
}

func (f *fake) RegisterPlayer(_ context.Context, id authcore.ClientID, c authcore.Caller, in authcore.Registration) (authcore.Play, error) {
	return f.login("RegisterPlayer", id, c, in)
}

func (f *fake) Resume(_ context.Context, id authcore.ClientID, c authcore.Caller, token string) (authcore.Play, error) {
	play, err := f.login("Resume", id, c, token)
	if _, ok := f.live[token]; err == nil && !ok {
		err = fmt.Errorf("resume: %w", authcore.ErrSession)
	}
	return play, err
}

func (f *fake) Playing(_ context.Context, _ authcore.ClientID, token string) (authcore.SessionID, authcore.UserID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.live[token]
	if !ok {
		return "", "", fmt.Errorf("read session: %w", authcore.ErrSession)
	}
	return p.session, p.user, nil
}

func (f *fake) ChangeDetails(_ context.Context, id authcore.ClientID, c authcore.Caller, s authcore.SessionID, d authcore.Details) error {
	return f.note("ChangeDetails", id, c, [2]any{s, d})
}

func (f *fake) Account(_ context.Context, id authcore.ClientID, s authcore.SessionID) (authcore.PlayerAccount, error) {
	err := f.note("Account", id, authcore.Caller{}, s)
	return f.account, err
}

func (f *fake) Disconnect(_ context.Context, id authcore.ClientID, c authcore.Caller, s authcore.SessionID) error {
	return f.note("Disconnect", id, c, s)
}

func (f *fake) EndPlay(_ context.Context, id authcore.ClientID, c authcore.Caller, s authcore.SessionID) (time.Duration, error) {
	err := f.note("EndPlay", id, c, s)
	return f.lasted, err
}

func (f *fake) Attend(_ context.Context, _ authcore.ClientID, token authcore.SessionToken, ended func(bool)) (func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.attends != nil {
		return nil, f.attends
	}
	if f.overAtOnce {
		ended(true)
	}
	a := &attendance{token: token.Reveal(), ended: ended}
	f.attended = append(f.attended, a)
	return func() {
		f.mu.Lock()
		a.left = true
		f.mu.Unlock()
	}, nil
}

func (f *fake) EnterLobby(authcore.Caller) (func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lobbyErr != nil {
		return nil, f.lobbyErr
	}
	f.lobby++
	return sync.OnceFunc(func() {
		f.mu.Lock()
		f.lobby--
		f.mu.Unlock()
	}), nil
}

// set changes the fake while it is in use.
func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// last is what was asked last; count how often anything was.
func (f *fake) last(t testing.TB) called {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) == 0 {
		t.Fatal("the service was not called")
	}
	return f.calls[len(f.calls)-1]
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

// attendances are those so far, with whether each was left.
func (f *fake) attendances() []attendance {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []attendance
	for _, a := range f.attended {
		all = append(all, *a)
	}
	return all
}

var _ gamesparks.Service = (*fake)(nil)
