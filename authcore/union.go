package authcore

import (
	"errors"
	"slices"
)

// joinable looks for a user of a joined application with the identity's unionid.
// An empty unionid matches nothing, and two users that exist are never made one.
func (a *admission) joinable(tx Tx, app *App) (*User, error) {
	if len(app.UnionWith) == 0 || a.proved.UnionID == "" {
		return nil, nil
	}
	members, err := tx.Union(a.unionHash())
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if m.App == app.ID || !slices.Contains(app.UnionWith, m.App) {
			continue
		}
		user, err := tx.User(m.User)
		if errors.Is(err, ErrNotFound) {
			continue // erased since
		} else if err != nil {
			return nil, err
		}
		// The link that vouches for the user must still be there, and the user
		// must not have another QQ account in this application.
		vouching, linked := user.link(m.App)
		if _, other := user.link(app.ID); linked && vouching.UnionID == a.proved.UnionID && !other {
			return &user, nil
		}
	}
	return nil, nil
}

// noteUnionID keeps the link's unionid as QQ tells it now: Tencent may grant it
// long after the first login.
func (a *admission) noteUnionID(tx Tx) error {
	if a.proved.UnionID == "" {
		return nil
	}
	links := slices.Clone(a.user.Links)
	i := slices.IndexFunc(links, func(k Link) bool { return k.Identity == a.proved.Identity })
	if i < 0 || links[i].UnionID == a.proved.UnionID {
		return nil
	}
	if err := leaveUnion(tx, a.ring, links[i], a.user.ID); err != nil {
		return err
	}
	links[i].UnionID = a.proved.UnionID
	a.user.Links = links
	tx.PutUser(a.user)
	return a.remember(tx)
}

// remember lists the user under the identity's unionid.
func (a *admission) remember(tx Tx) error {
	if a.proved.UnionID == "" {
		return nil
	}
	members, err := tx.Union(a.unionHash())
	if err != nil {
		return err
	}
	self := UnionMember{App: a.proved.App, User: a.user.ID}
	if !slices.Contains(members, self) {
		tx.PutUnion(a.unionHash(), append(slices.Clone(members), self))
	}
	return nil
}

func (a *admission) unionHash() UnionHash {
	return UnionHash(a.ring.Index("unionid", a.proved.UnionID))
}
