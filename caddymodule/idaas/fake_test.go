package idaas

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/contact"
	"github.com/qqauth/qqauth/authcore/opaque"
)

const (
	knownClient = "nTo1eRIub60vPb54WeE6aojPwYwImtl4"
	knownBearer = "goodBearer"
	knownState  = "good.state.token"
	knownID     = "good.id.token"
	knownUser   = "20220126153857263-A04D-60E0D446C"
	ticket32    = "y0w1ODvy7v0000nCa91OYoj1Bzxqfesy"
	session32   = "btsiBjx85prcZu6I6Ki057Tmw3nSF2VO"
	puzzle32    = "71dd26999e314f9abb0c635336976635"
	point       = `{"x":237.0,"y":5.0}`
)

// called is what a fake was asked.
type called struct {
	method     string
	client     authcore.ClientID
	caller     authcore.Caller
	one, other string // the arguments that are not those above
	more       any    // those that are no strings
}

// fake answers every method with what it was given: err if there is one.
type fake struct {
	mu      sync.Mutex
	calls   []called
	checks  []called // of X-state-token and id_token
	err     error
	panic   any
	outcome authcore.Outcome
	grant   authcore.Grant
	bearer  authcore.Bearer
	ticket  authcore.IssuedTicket
	profile authcore.Profile
	mobile  string
	puzzle  authcore.Puzzle
	socials []authcore.Social
	managed authcore.ManagedUser
	verify  []authcore.Way
	from    []contact.Country
}

func (f *fake) note(c called) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	if f.panic != nil {
		panic(f.panic)
	}
	return f.err
}

func (f *fake) last(t *testing.T) called {
	t.Helper()
	if len(f.calls) != 1 {
		t.Fatalf("service was called %d times, want once", len(f.calls))
	}
	return f.calls[0]
}

func (f *fake) HasClient(id authcore.ClientID) bool { return id == knownClient }

func (f *fake) LoginQQ(_ context.Context, client authcore.ClientID, c authcore.Caller, token, openID string) (authcore.Outcome, error) {
	return f.outcome, f.note(called{"LoginQQ", client, c, token, openID, nil})
}

// ParseContact takes what looks like a number or an address, and what is planted.
func (f *fake) ParseContact(way authcore.Way, written string) (authcore.Contact, error) {
	to := authcore.Contact{Way: way, Value: written}
	switch {
	case written == planted, way == authcore.WayEmail && strings.Contains(written, "@"):
		return to, nil
	case way == authcore.WayPhone && len(strings.Trim(written, "+-*0123456789")) == 0:
		to.Starred = strings.Contains(written, "*")
		return to, nil
	}
	return authcore.Contact{}, authcore.ErrContact
}

func (f *fake) Countries() []contact.Country {
	if f.panic != nil {
		panic(f.panic)
	}
	return f.from
}

func (f *fake) VerifyWays(authcore.ClientID) []authcore.Way { return f.verify }

func (f *fake) CheckState(_ context.Context, client authcore.ClientID, c authcore.Caller, token string, statuses ...authcore.Status) (authcore.PendingID, error) {
	f.checks = append(f.checks, called{"CheckState", client, c, token, "", statuses})
	switch {
	case token == knownState, token == planted:
		return "login-of-" + authcore.PendingID(client), nil
	case strings.Count(token, ".") == 2:
		return "", authcore.ErrState
	}
	return "", authcore.ErrNoState
}

func (f *fake) CheckIDToken(_ context.Context, client authcore.ClientID, token string) (authcore.SessionID, error) {
	f.checks = append(f.checks, called{"CheckIDToken", client, authcore.Caller{}, token, "", nil})
	if token != knownID && token != planted {
		return "", authcore.ErrIDToken
	}
	return "session-of-" + authcore.SessionID(client), nil
}

func (f *fake) Bind(_ context.Context, client authcore.ClientID, c authcore.Caller, login authcore.PendingID, to authcore.Contact, code string) (authcore.Outcome, error) {
	return f.outcome, f.note(called{"Bind", client, c, string(login), code, to})
}

func (f *fake) Register(_ context.Context, client authcore.ClientID, c authcore.Caller, login authcore.PendingID, to authcore.Contact, code string) (authcore.Outcome, error) {
	return f.outcome, f.note(called{"Register", client, c, string(login), code, to})
}

func (f *fake) FinishMFA(_ context.Context, client authcore.ClientID, c authcore.Caller, login authcore.PendingID, to authcore.Contact, code string) (authcore.Outcome, error) {
	return f.outcome, f.note(called{"FinishMFA", client, c, string(login), code, to})
}

func (f *fake) MobileOf(_ context.Context, client authcore.ClientID, who authcore.Caller, login authcore.PendingID) (string, error) {
	return f.mobile, f.note(called{"MobileOf", client, who, string(login), "", nil})
}

func (f *fake) NewPuzzle(_ context.Context, client authcore.ClientID, c authcore.Caller) (authcore.Puzzle, error) {
	return f.puzzle, f.note(called{"NewPuzzle", client, c, "", "", nil})
}

// solution is what SolvePuzzle is asked about.
type solution struct {
	x      float64
	sender authcore.Contact
}

func (f *fake) SolvePuzzle(_ context.Context, client authcore.ClientID, c authcore.Caller, token string, x float64, sender authcore.Contact) error {
	return f.note(called{"SolvePuzzle", client, c, token, "", solution{x, sender}})
}

func (f *fake) SendCode(_ context.Context, client authcore.ClientID, c authcore.Caller, r authcore.CodeRequest) error {
	return f.note(called{"SendCode", client, c, "", "", r})
}

func (f *fake) Profile(_ context.Context, client authcore.ClientID, session authcore.SessionID) (authcore.Profile, error) {
	return f.profile, f.note(called{"Profile", client, authcore.Caller{}, string(session), "", nil})
}

func (f *fake) UpdateProfile(_ context.Context, client authcore.ClientID, c authcore.Caller, session authcore.SessionID, u authcore.ProfileUpdate) error {
	return f.note(called{"UpdateProfile", client, c, string(session), "", u})
}

func (f *fake) Socials(_ context.Context, client authcore.ClientID, session authcore.SessionID) ([]authcore.Social, error) {
	return f.socials, f.note(called{"Socials", client, authcore.Caller{}, string(session), "", nil})
}

func (f *fake) Unlink(_ context.Context, client authcore.ClientID, c authcore.Caller, session authcore.SessionID, social string) error {
	return f.note(called{"Unlink", client, c, string(session), social, nil})
}

func (f *fake) DeleteAccount(_ context.Context, client authcore.ClientID, c authcore.Caller, session authcore.SessionID) error {
	return f.note(called{"DeleteAccount", client, c, string(session), "", nil})
}

func (f *fake) TenantUser(_ context.Context, tenant authcore.ClientID, id authcore.UserID) (authcore.ManagedUser, error) {
	return f.managed, f.note(called{"TenantUser", tenant, authcore.Caller{}, string(id), "", nil})
}

func (f *fake) TenantDisable(_ context.Context, tenant authcore.ClientID, id authcore.UserID, disabled bool) error {
	return f.note(called{"TenantDisable", tenant, authcore.Caller{}, string(id), "", disabled})
}

func (f *fake) TenantEndSessions(_ context.Context, tenant authcore.ClientID, id authcore.UserID) error {
	return f.note(called{"TenantEndSessions", tenant, authcore.Caller{}, string(id), "", nil})
}

func (f *fake) IDToken(_ context.Context, client authcore.ClientID, c authcore.Caller, session string) (authcore.Grant, error) {
	return f.grant, f.note(called{"IDToken", client, c, session, "", nil})
}

func (f *fake) Logout(_ context.Context, client authcore.ClientID, session, idToken string) error {
	return f.note(called{"Logout", client, authcore.Caller{}, session, idToken, nil})
}

func (f *fake) NewBearer(client authcore.ClientID, secret string) (authcore.Bearer, error) {
	return f.bearer, f.note(called{"NewBearer", client, authcore.Caller{}, secret, "", nil})
}

func (f *fake) CheckBearer(bearer string) (authcore.ClientID, error) {
	if bearer != knownBearer {
		return "", authcore.ErrBearer
	}
	return knownClient, nil
}

func (f *fake) IssueTicket(_ context.Context, tenant authcore.ClientID, c authcore.Caller, session string, receiver authcore.ClientID) (authcore.IssuedTicket, error) {
	return f.ticket, f.note(called{"IssueTicket", tenant, c, session, string(receiver), nil})
}

func (f *fake) RedeemTicket(_ context.Context, tenant authcore.ClientID, c authcore.Caller, ticket string) (authcore.Profile, error) {
	return f.profile, f.note(called{"RedeemTicket", tenant, c, ticket, "", nil})
}

func (f *fake) Refresh(_ context.Context, tenant authcore.ClientID, c authcore.Caller, session string) (authcore.Grant, error) {
	return f.grant, f.note(called{"Refresh", tenant, c, session, "", nil})
}

// newFake answers with values that every route can encode.
func newFake() *fake {
	grant := authcore.Grant{
		Token:     authcore.SessionToken{Secret: opaque.Of(session32)},
		ExpiresIn: 604800 * time.Second,
		IDToken:   "header.claims.signature",
	}
	return &fake{
		outcome: authcore.Outcome{Status: authcore.StatusSuccess, Grant: grant},
		grant:   grant,
		bearer:  authcore.Bearer{Token: opaque.Of("bearer-of-a-tenant"), ExpiresIn: 1800 * time.Second},
		ticket:  authcore.IssuedTicket{Token: authcore.TicketToken{Secret: opaque.Of(ticket32)}, ExpiresIn: 300 * time.Second},
		profile: authcore.Profile{ID: knownUser, UserName: "zhangsan"},
		mobile:  "+86-152****7321",
		puzzle:  authcore.Puzzle{Token: puzzle32, Picture: "iVBOR1", Piece: "iVBOR2"},
		socials: []authcore.Social{{
			ID: "s1", User: knownUser, App: "101000001", OpenID: "D8924F7071DC1D29A6822C794D848D9C", Name: "penguin",
			Since: time.Date(2026, 4, 25, 22, 1, 38, 519e6, time.FixedZone("", 8*60*60)),
		}},
		managed: authcore.ManagedUser{Profile: authcore.Profile{ID: knownUser, UserName: "zhangsan"}, Disabled: true},
		verify:  bothWays,
		from: []contact.Country{{
			AreaCode: "86", CountryCode: "CN", NameEN: "China", NameZhCN: "中国", NameZhTW: "中國",
			MobileRegex: `^(\+86){0,1}\-?1\d{10}$`,
		}, {
			AreaCode: "852", CountryCode: "HK", NameEN: "Hong Kong", NameZhCN: "香港", NameZhTW: "香港",
			MobileRegex: `^(\+852){0,1}\-?\d{8}$`,
		}},
	}
}
