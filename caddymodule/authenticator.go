package caddymodule

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/qqauth/qqauth/authcore"
)

func init() {
	caddy.RegisterModule(Authenticator{})
}

// Authenticator is the provider `qqauth` of Caddy's authentication handler: it
// says who a request's session belongs to. It is no guard: it sets no header,
// removes none, makes no assertion and does not end requests with their session.
type Authenticator struct {
	// Clients are those whose sessions count. May be left out while one client
	// is configured.
	Clients []authcore.ClientID `json:"clients,omitempty"`

	guard *Guard
}

// CaddyModule returns the Caddy module information.
func (Authenticator) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.authentication.providers.qqauth",
		New: func() caddy.Module { return new(Authenticator) },
	}
}

// Provision finds the app.
func (a *Authenticator) Provision(ctx caddy.Context) error {
	app, err := ctx.App("qqauth")
	if err != nil {
		return fmt.Errorf("the provider qqauth needs the app qqauth: %w", err)
	}
	a.guard = &Guard{GuardConfig: GuardConfig{Clients: a.Clients}}
	a.guard.app, a.guard.log = app.(*App), slogOver(ctx.Logger())
	if a.guard.rules, err = a.guard.check(&a.guard.app.Config); err != nil {
		return err
	}
	a.guard.origins = http.NewCrossOriginProtection()
	return nil
}

// Authenticate says who a request's session belongs to. Not to know is no error;
// a store that cannot answer is one.
func (a *Authenticator) Authenticate(_ http.ResponseWriter, r *http.Request) (caddyauth.User, bool, error) {
	who, err := a.guard.identity(r)
	if errors.Is(err, authcore.ErrSession) || errors.Is(err, authcore.ErrDenied) {
		return caddyauth.User{}, false, nil
	}
	if err != nil {
		return caddyauth.User{}, false, err
	}
	return caddyauth.User{ID: string(who.User), Metadata: map[string]string{
		"name": who.Name, "client_id": string(who.Client), "session_id": string(who.Session),
	}}, true, nil
}

var (
	_ caddy.Provisioner       = (*Authenticator)(nil)
	_ caddyauth.Authenticator = (*Authenticator)(nil)
)
