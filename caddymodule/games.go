package caddymodule

import (
	"slices"

	"github.com/qqauth/qqauth/caddymodule/gamesparks"
)

// sockets are the connections of games to this process. They outlive the
// configuration that took them: a reload keeps them.
var sockets = gamesparks.NewSockets()

// newGames makes the GameSparks API of this configuration.
func (a *App) newGames() *gamesparks.Handler {
	cfg := gamesparks.Config{
		Open: a.openGames, Caller: caller, PublicURL: a.PublicURL, Sockets: sockets,
		Log: slogOver(a.log.Named("gamesparks")),
	}
	for _, c := range a.Clients {
		if c.GameSparks != nil {
			cfg.Gates = append(cfg.Gates, gamesparks.Gate{
				Client: c.ID, APIKey: c.GameSparks.APIKey, Credential: c.GameSparks.Credential, Secret: a.secrets.games[c.ID],
			})
		}
	}
	return gamesparks.New(cfg)
}

// hasGames reports whether the GameSparks API is open to any client.
func (c *Config) hasGames() bool {
	return slices.ContainsFunc(c.Clients, func(c Client) bool { return c.GameSparks != nil })
}

// openGames returns what answers one request or message of a game.
func (a *App) openGames() (gamesparks.Service, func(), error) {
	now, err := a.current()
	if err != nil {
		return nil, nil, err
	}
	return now.service, now.node.Begin(), nil
}

// reviewSockets has the connections go on under the configuration in force, and ends
// those for which there is none, as when the server stops.
func (a *App) reviewSockets() {
	sockets.Review(func() *gamesparks.Handler {
		if successor := activeApp(); successor != nil && successor != a {
			return successor.games
		}
		return nil
	})
}
