package gamesparks

import (
	"context"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// Service decides what this API asks. Its faults are those of authcore; any
// other error is answered as a fault of this server. Its errors MUST NOT hold
// tokens, secrets, names or device ids: they are logged.
type Service interface {
	// The logins. A current player who is no longer signed in is nobody.
	ConnectQQ(context.Context, authcore.ClientID, authcore.Caller, authcore.QQConnect) (authcore.Play, error)
	LoginDevice(context.Context, authcore.ClientID, authcore.Caller, authcore.DeviceLogin) (authcore.Play, error)
	LoginPassword(context.Context, authcore.ClientID, authcore.Caller, authcore.PasswordLogin) (authcore.Play, error)
	RegisterPlayer(context.Context, authcore.ClientID, authcore.Caller, authcore.Registration) (authcore.Play, error)
	// Resume exchanges an authToken for a new one. ErrSession: it is nobody's.
	Resume(ctx context.Context, client authcore.ClientID, caller authcore.Caller, authToken string) (authcore.Play, error)
	// Playing tells whose session of the client an authToken is, or ErrSession.
	Playing(ctx context.Context, client authcore.ClientID, authToken string) (authcore.SessionID, authcore.UserID, error)

	// The calls of a player: ErrSession if the session has ended.
	ChangeDetails(context.Context, authcore.ClientID, authcore.Caller, authcore.SessionID, authcore.Details) error
	Account(context.Context, authcore.ClientID, authcore.SessionID) (authcore.PlayerAccount, error)
	Disconnect(context.Context, authcore.ClientID, authcore.Caller, authcore.SessionID) error
	// EndPlay revokes the session and tells how long it has lasted.
	EndPlay(context.Context, authcore.ClientID, authcore.Caller, authcore.SessionID) (time.Duration, error)

	// Attend notes that a connection belongs to a session's player until leave is
	// called. ended is called at most once, from any goroutine, and not after
	// leave, when the connection must go: terminated says that the session is over,
	// otherwise the node closes or has lost its store.
	Attend(ctx context.Context, client authcore.ClientID, token authcore.SessionToken, ended func(terminated bool)) (leave func(), err error)
	// EnterLobby counts a connection without a player against its address until
	// leave is called: ErrLimited if there are too many.
	EnterLobby(authcore.Caller) (leave func(), err error)
}
