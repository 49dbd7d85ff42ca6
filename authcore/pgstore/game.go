package pgstore

import (
	"slices"

	"github.com/qqauth/qqauth/authcore"
)

// userGame is what a user has for games. It is a sealed part of its own, because
// nodes of versions 1 and 2 read personal, too, the links included: those that sync
// the name are told here.
type userGame struct {
	Password  string                  `cbor:"1,keyasint,omitempty"`
	Home      authcore.ClientID       `cbor:"2,keyasint,omitempty"`
	Devices   []authcore.Device       `cbor:"3,keyasint,omitempty"`
	Requested map[string]string       `cbor:"4,keyasint,omitempty"`
	SyncName  []authcore.IdentityHash `cbor:"5,keyasint,omitempty"`
}

// pendingGame is what comes with a login at a game that is not finished.
type pendingGame struct {
	Leave     authcore.SessionID `cbor:"1,keyasint,omitempty"`
	Requested map[string]string  `cbor:"2,keyasint,omitempty"`
	SyncName  bool               `cbor:"3,keyasint,omitempty"`
}

// What the columns are sealed for.
const (
	userGameColumn    = "qqauth_users.game"
	pendingGameColumn = "qqauth_pendings.game"
)

// sealUserGame makes the column of a user, null if there is nothing to hold, and the
// links as personal has them.
func (t *tx) sealUserGame(u *authcore.User) (sealed []byte, links []authcore.Link) {
	g := userGame{Password: u.Password, Home: u.Home, Devices: u.Devices, Requested: u.Requested}
	links = slices.Clone(u.Links)
	for i := range links {
		if links[i].SyncName {
			links[i].SyncName = false
			g.SyncName = append(g.SyncName, links[i].Identity)
		}
	}
	if len(g.Password)+len(g.Home)+len(g.Devices)+len(g.Requested)+len(g.SyncName) == 0 {
		return nil, links
	}
	return t.seal(userGameColumn, []byte(u.ID), &g), links
}

// openUserGame undoes sealUserGame. An older node may have removed a link and left
// its identity in the column.
func (t *tx) openUserGame(u *authcore.User, sealed []byte) error {
	if sealed == nil {
		return nil
	}
	var g userGame
	if err := t.open(userGameColumn, []byte(u.ID), sealed, &g); err != nil {
		return err
	}
	u.Password, u.Home, u.Devices, u.Requested = g.Password, g.Home, g.Devices, g.Requested
	for i := range u.Links {
		u.Links[i].SyncName = slices.Contains(g.SyncName, u.Links[i].Identity)
	}
	return nil
}

// sealPendingGame makes the column of a pending login, null if there is nothing to
// hold.
func (t *tx) sealPendingGame(p *authcore.Pending) []byte {
	if p.Leave == "" && len(p.Requested) == 0 && !p.SyncName {
		return nil
	}
	return t.seal(pendingGameColumn, []byte(p.ID), &pendingGame{p.Leave, p.Requested, p.SyncName})
}

// openPendingGame undoes sealPendingGame.
func (t *tx) openPendingGame(p *authcore.Pending, sealed []byte) error {
	if sealed == nil {
		return nil
	}
	var g pendingGame
	if err := t.open(pendingGameColumn, []byte(p.ID), sealed, &g); err != nil {
		return err
	}
	p.Leave, p.Requested, p.SyncName = g.Leave, g.Requested, g.SyncName
	return nil
}
