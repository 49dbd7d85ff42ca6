package idaas

import (
	"context"

	"github.com/qqauth/qqauth/authcore"
)

// Service decides what this API asks. Its faults are those of authcore; any
// other error is answered as a fault of this server. Its errors MUST NOT hold
// tokens, secrets, phones or e-mail addresses: they are logged.
type Service interface {
	HasClient(authcore.ClientID) bool

	// LoginQQ logs in whoever QQ says the access token and the open id belong to.
	LoginQQ(ctx context.Context, client authcore.ClientID, caller authcore.Caller, accessToken, openID string) (authcore.Outcome, error)
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
}
