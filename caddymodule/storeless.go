package caddymodule

import (
	"context"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/contact"
	"github.com/qqauth/qqauth/caddymodule/idaas"
)

// storeless stands in for the service while the store is not open: it knows the
// clients, how phones and e-mail addresses are written and nothing else, so a
// wrong request is told what is wrong with it, and a right one is told to come
// back.
type storeless struct{ app *App }

// countries are those of the configuration, which was checked.
func (s storeless) countries() *contact.Countries {
	c, _ := contact.NewCountries(s.app.SMSCountries)
	return c
}

func (s storeless) HasClient(id authcore.ClientID) bool { return s.app.client(id) != nil }

func (s storeless) LoginQQ(context.Context, authcore.ClientID, authcore.Caller, string, string) (authcore.Outcome, error) {
	return authcore.Outcome{}, authcore.ErrUnavailable
}

func (s storeless) ParseContact(way authcore.Way, written string) (authcore.Contact, error) {
	return authcore.ParseContact(s.countries(), way, written)
}

func (s storeless) Countries() []contact.Country { return s.countries().List() }

func (s storeless) VerifyWays(id authcore.ClientID) []authcore.Way { return s.app.client(id).Verify }

func (s storeless) CheckState(context.Context, authcore.ClientID, authcore.Caller, string, ...authcore.Status) (authcore.PendingID, error) {
	return "", authcore.ErrUnavailable
}

func (s storeless) Bind(context.Context, authcore.ClientID, authcore.Caller, authcore.PendingID, authcore.Contact, string) (authcore.Outcome, error) {
	return authcore.Outcome{}, authcore.ErrUnavailable
}

func (s storeless) Register(context.Context, authcore.ClientID, authcore.Caller, authcore.PendingID, authcore.Contact, string) (authcore.Outcome, error) {
	return authcore.Outcome{}, authcore.ErrUnavailable
}

func (s storeless) FinishMFA(context.Context, authcore.ClientID, authcore.Caller, authcore.PendingID, authcore.Contact, string) (authcore.Outcome, error) {
	return authcore.Outcome{}, authcore.ErrUnavailable
}

func (s storeless) MobileOf(context.Context, authcore.ClientID, authcore.Caller, authcore.PendingID) (string, error) {
	return "", authcore.ErrUnavailable
}

func (s storeless) NewPuzzle(context.Context, authcore.ClientID, authcore.Caller) (authcore.Puzzle, error) {
	return authcore.Puzzle{}, authcore.ErrUnavailable
}

func (s storeless) SolvePuzzle(context.Context, authcore.ClientID, authcore.Caller, string, float64, authcore.Contact) error {
	return authcore.ErrUnavailable
}

func (s storeless) SendCode(context.Context, authcore.ClientID, authcore.Caller, authcore.CodeRequest) error {
	return authcore.ErrUnavailable
}

func (s storeless) CheckIDToken(context.Context, authcore.ClientID, string) (authcore.SessionID, error) {
	return "", authcore.ErrUnavailable
}

func (s storeless) Profile(context.Context, authcore.ClientID, authcore.SessionID) (authcore.Profile, error) {
	return authcore.Profile{}, authcore.ErrUnavailable
}

func (s storeless) UpdateProfile(context.Context, authcore.ClientID, authcore.Caller, authcore.SessionID, authcore.ProfileUpdate) error {
	return authcore.ErrUnavailable
}

func (s storeless) Socials(context.Context, authcore.ClientID, authcore.SessionID) ([]authcore.Social, error) {
	return nil, authcore.ErrUnavailable
}

func (s storeless) Unlink(context.Context, authcore.ClientID, authcore.Caller, authcore.SessionID, string) error {
	return authcore.ErrUnavailable
}

func (s storeless) DeleteAccount(context.Context, authcore.ClientID, authcore.Caller, authcore.SessionID) error {
	return authcore.ErrUnavailable
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

func (s storeless) TenantUser(context.Context, authcore.ClientID, authcore.UserID) (authcore.ManagedUser, error) {
	return authcore.ManagedUser{}, authcore.ErrUnavailable
}

func (s storeless) TenantDisable(context.Context, authcore.ClientID, authcore.UserID, bool) error {
	return authcore.ErrUnavailable
}

func (s storeless) TenantEndSessions(context.Context, authcore.ClientID, authcore.UserID) error {
	return authcore.ErrUnavailable
}

var (
	_ idaas.Service = storeless{}
	_ idaas.Service = (*authcore.Service)(nil)
)
