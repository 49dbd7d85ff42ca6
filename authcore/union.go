package authcore

import (
	"errors"
	"slices"
)

// join looks for a user of a joined application with the identity's unionid,
// and links the identity to that user. An empty unionid matches nothing, and
// two users that exist are never made one.
func (l *login) join(tx Tx, record *LoginRecord) error {
	if len(l.app.UnionWith) == 0 || l.identity.UnionID == "" {
		return nil
	}
	members, err := tx.Union(l.unionHash())
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.App == l.app.ID || !slices.Contains(l.app.UnionWith, m.App) {
			continue
		}
		user, err := tx.User(m.User)
		if errors.Is(err, ErrNotFound) {
			continue // erased since
		} else if err != nil {
			return err
		}
		// The link that vouches for the user must still be there, and the user
		// must not have another QQ account in this application.
		vouching, linked := user.link(m.App)
		if _, other := user.link(l.app.ID); !linked || vouching.UnionID != l.identity.UnionID || other {
			continue
		}
		// A new way in ends the user's sessions, as any other does.
		if l.ended, err = endSessions(tx, &user, func(SessionRef) bool { return true }); err != nil {
			return err
		}
		l.joined, l.user = true, user
		record.Linked = true
		err = l.link(tx)
		record.User = l.user
		return err
	}
	return nil
}

// noteUnionID keeps the link's unionid as QQ tells it now: Tencent may grant it
// long after the first login.
func (l *login) noteUnionID(tx Tx) error {
	if l.identity.UnionID == "" {
		return nil
	}
	links := slices.Clone(l.user.Links)
	i := slices.IndexFunc(links, func(k Link) bool { return k.Identity == l.hash })
	if i < 0 || links[i].UnionID == l.identity.UnionID {
		return nil
	}
	links[i].UnionID = l.identity.UnionID
	l.user.Links = links
	tx.PutUser(l.user)
	return l.remember(tx)
}

// remember lists the user under the identity's unionid.
func (l *login) remember(tx Tx) error {
	if l.identity.UnionID == "" {
		return nil
	}
	members, err := tx.Union(l.unionHash())
	if err != nil {
		return err
	}
	self := UnionMember{App: l.identity.App, User: l.user.ID}
	if !slices.Contains(members, self) {
		tx.PutUnion(l.unionHash(), append(slices.Clone(members), self))
	}
	return nil
}

func (l *login) unionHash() UnionHash {
	return UnionHash(l.ring.Index("unionid", l.identity.UnionID))
}
