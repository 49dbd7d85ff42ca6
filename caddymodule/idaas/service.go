package idaas

import (
	"context"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/contact"
)

// Service decides what this API asks. Its faults are those of authcore; any
// other error is answered as a fault of this server. Its errors MUST NOT hold
// tokens, secrets, phones or e-mail addresses: they are logged.
type Service interface {
	HasClient(authcore.ClientID) bool

	// LoginQQ logs in whoever QQ says the access token and the open id belong to.
	LoginQQ(ctx context.Context, client authcore.ClientID, caller authcore.Caller, accessToken, openID string) (authcore.Outcome, error)
	// ParseContact brings what somebody wrote into its one form, or answers
	// ErrContact. A phone number may be starred. It asks no store.
	ParseContact(way authcore.Way, written string) (authcore.Contact, error)
	// Countries lists the countries whose phones may get codes, the preferred one
	// first. It asks no store.
	Countries() []contact.Country

	// CheckState answers which login a state_token is for, if that waits in one
	// of the statuses, any if none is given: ErrNoState, ErrState.
	CheckState(ctx context.Context, client authcore.ClientID, caller authcore.Caller, stateToken string, statuses ...authcore.Status) (authcore.PendingID, error)
	// Bind, Register and FinishMFA finish a login with a code that was sent:
	// ErrState, ErrCode, ErrTaken, ErrNoUser, ErrUserDisabled.
	Bind(ctx context.Context, client authcore.ClientID, caller authcore.Caller, login authcore.PendingID, to authcore.Contact, code string) (authcore.Outcome, error)
	Register(ctx context.Context, client authcore.ClientID, caller authcore.Caller, login authcore.PendingID, to authcore.Contact, code string) (authcore.Outcome, error)
	FinishMFA(ctx context.Context, client authcore.ClientID, caller authcore.Caller, login authcore.PendingID, to authcore.Contact, code string) (authcore.Outcome, error)
	// VerifyWays is what a client's users may bind and register with.
	VerifyWays(client authcore.ClientID) []authcore.Way
	// MobileOf is the starred number of the user whose login waits for MFA.
	MobileOf(ctx context.Context, client authcore.ClientID, caller authcore.Caller, login authcore.PendingID) (string, error)
	// NewPuzzle makes a slider puzzle, SolvePuzzle turns it into the permission to
	// send one code to one receiver (ErrCaptcha), and SendCode uses that up:
	// ErrPass, ErrPassExpired, ErrSend.
	NewPuzzle(ctx context.Context, client authcore.ClientID, caller authcore.Caller) (authcore.Puzzle, error)
	SolvePuzzle(ctx context.Context, client authcore.ClientID, caller authcore.Caller, token string, x float64, sender authcore.Contact) error
	SendCode(ctx context.Context, client authcore.ClientID, caller authcore.Caller, r authcore.CodeRequest) error

	// CheckIDToken answers the living session of the client that an id_token
	// names, or ErrIDToken.
	CheckIDToken(ctx context.Context, client authcore.ClientID, idToken string) (authcore.SessionID, error)
	// The calls of a signed-in user: ErrIDToken if the session has ended since,
	// ErrStale if its login is too old for the change.
	Profile(ctx context.Context, client authcore.ClientID, session authcore.SessionID) (authcore.Profile, error)
	UpdateProfile(ctx context.Context, client authcore.ClientID, caller authcore.Caller, session authcore.SessionID, u authcore.ProfileUpdate) error
	Socials(ctx context.Context, client authcore.ClientID, session authcore.SessionID) ([]authcore.Social, error)
	Unlink(ctx context.Context, client authcore.ClientID, caller authcore.Caller, session authcore.SessionID, social string) error
	DeleteAccount(ctx context.Context, client authcore.ClientID, caller authcore.Caller, session authcore.SessionID) error

	// IDToken makes a fresh id_token for a live session of the client.
	IDToken(ctx context.Context, client authcore.ClientID, caller authcore.Caller, sessionToken string) (authcore.Grant, error)
	// Logout ends the session of sessionToken if that is not empty, else the one
	// of the id_token. One that is dead or another client's is no error.
	Logout(ctx context.Context, client authcore.ClientID, sessionToken, idToken string) error

	// NewBearer answers ErrUnknownClient or ErrClientSecret for credentials that
	// are not good.
	NewBearer(client authcore.ClientID, secret string) (authcore.Bearer, error)
	// CheckBearer tells whose bearer this is, or answers ErrBearer.
	CheckBearer(bearer string) (authcore.ClientID, error)
	// IssueTicket makes a ticket for receiver, or for the tenant itself if that
	// is empty.
	IssueTicket(ctx context.Context, tenant authcore.ClientID, caller authcore.Caller, sessionToken string, receiver authcore.ClientID) (authcore.IssuedTicket, error)
	// RedeemTicket uses up a ticket, which is given without its prefix.
	RedeemTicket(ctx context.Context, tenant authcore.ClientID, caller authcore.Caller, ticket string) (authcore.Profile, error)
	// Refresh replaces a session token; the old one dies.
	Refresh(ctx context.Context, tenant authcore.ClientID, caller authcore.Caller, sessionToken string) (authcore.Grant, error)
	// The calls about a user of the tenant's: ErrNoUser for any other.
	TenantUser(ctx context.Context, tenant authcore.ClientID, id authcore.UserID) (authcore.ManagedUser, error)
	TenantDisable(ctx context.Context, tenant authcore.ClientID, id authcore.UserID, disabled bool) error
	TenantEndSessions(ctx context.Context, tenant authcore.ClientID, id authcore.UserID) error
}
