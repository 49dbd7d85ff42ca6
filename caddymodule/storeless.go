package caddymodule

import (
	"context"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/idaas"
)

// storeless stands in for the service while the store is not open: it knows the
// clients and nothing else, so a wrong request is told what is wrong with it,
// and a right one is told to come back.
type storeless struct{ app *App }

func (s storeless) HasClient(id authcore.ClientID) bool { return s.app.client(id) != nil }

func (s storeless) LoginQQ(context.Context, authcore.ClientID, authcore.Caller, string, string) (authcore.Outcome, error) {
	return authcore.Outcome{}, authcore.ErrUnavailable
}

func (s storeless) IDToken(context.Context, authcore.ClientID, authcore.Caller, string) (authcore.Grant, error) {
	return authcore.Grant{}, authcore.ErrUnavailable
}

func (s storeless) Logout(context.Context, authcore.ClientID, string, string) error {
	return authcore.ErrUnavailable
}

func (s storeless) NewBearer(authcore.ClientID, string) (authcore.Bearer, error) {
	return authcore.Bearer{}, authcore.ErrUnavailable
}

func (s storeless) CheckBearer(string) (authcore.ClientID, error) {
	return "", authcore.ErrUnavailable
}

func (s storeless) IssueTicket(context.Context, authcore.ClientID, authcore.Caller, string, authcore.ClientID) (authcore.IssuedTicket, error) {
	return authcore.IssuedTicket{}, authcore.ErrUnavailable
}

func (s storeless) RedeemTicket(context.Context, authcore.ClientID, authcore.Caller, string) (authcore.Profile, error) {
	return authcore.Profile{}, authcore.ErrUnavailable
}

func (s storeless) Refresh(context.Context, authcore.ClientID, authcore.Caller, string) (authcore.Grant, error) {
	return authcore.Grant{}, authcore.ErrUnavailable
}

var (
	_ idaas.Service = storeless{}
	_ idaas.Service = (*authcore.Service)(nil)
)
