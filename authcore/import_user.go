package authcore

import (
	"errors"
	"maps"
	"slices"
)

// Account is a QQ account on a list of another system.
type Account struct {
	App         AppID
	OpenID      string
	UnionID     string
	DisplayName string
	Mobile      string // "+86-15201657321"
	Email       string
	// Verified says that the other system has proved Mobile and Email. Otherwise
	// they are left out: they would be ways in.
	Verified bool
	Segments map[string]string
}

// The reasons for conflicts.
const (
	reasonTaken         = "the QQ account belongs to another user"
	reasonTakenDisabled = "the QQ account of this disabled user belongs to another user"
	reasonOtherAccount  = "the user has another QQ account in this application"
	reasonSegments      = "more segments than a user may have"
	reasonMobile        = "the phone belongs to another user"
	reasonEmail         = "the e-mail address belongs to another user"
	reasonErased        = "was erased here"
	reasonUserName      = "the user name belongs to another user"
	reasonGivenUp       = "the user name was given up"
	reasonNoUserName    = "a user name that nobody may have"
	reasonDevice        = "the device belongs to another user"
	reasonDevices       = "more devices than a user may have"
)

// user takes a user of another store in. For one that is here already, what is
// here stays and what is missing is added, but the word that keeps more out
// counts: disabled, and the higher epoch.
func (b *importing) user(tx Tx, n int, in *User) error {
	if at, err := b.erasedBefore(tx, erasedUser(b.ring, in.ID)); err != nil {
		return err
	} else if !at.IsZero() {
		b.conflict(n, reasonErased)
		return nil
	}
	u, err := tx.User(in.ID)
	known := err == nil
	if errors.Is(err, ErrNotFound) {
		u = *in
		u.Links, u.Segments, u.Requested = nil, maps.Clone(in.Segments), maps.Clone(in.Requested)
		u.Mobile, u.MobileVia, u.Email, u.EmailVia = "", nil, "", nil
		u.UserName, u.Password, u.Devices = "", "", nil
	} else if err != nil {
		return err
	}
	added, err := b.addLinks(tx, n, &u, in)
	if err != nil {
		return err
	}
	if known {
		return b.change(tx, n, u, in, added)
	}
	if len(added) == 0 && len(in.Links) > 0 {
		return nil // its QQ accounts are others'
	}
	ways, _, err := b.addWays(tx, n, &u, in)
	if err != nil {
		return err
	}
	if !ways && len(in.Links) == 0 && (in.hasPassword() || len(in.Devices) > 0) {
		b.handles = nil
		return nil // its ways in are others'
	}
	b.report.Created++
	return b.put(tx, u, added)
}

// addWays gives u what else of in is a way in and free. changed is also true for what
// is none: a name alone, or a way that u had already and was not found by.
func (b *importing) addWays(tx Tx, n int, u, in *User) (added, changed bool, err error) {
	for _, add := range []func(Tx, int, *User, *User) (bool, bool, error){b.addContacts, b.addName, b.addDevices} {
		more, other, err := add(tx, n, u, in)
		if err != nil {
			return false, false, err
		}
		added, changed = added || more, changed || other
	}
	return added, changed, nil
}

// addLinks gives u those links of in that are free, and returns them.
func (b *importing) addLinks(tx Tx, n int, u, in *User) (added []Link, err error) {
	u.Links = slices.Clone(u.Links)
	for _, l := range in.Links {
		l.Identity = b.identity(l.App, l.OpenID)
		if old, ok := u.link(l.App); ok {
			if old.Identity != l.Identity {
				b.conflict(n, reasonOtherAccount)
			}
			continue
		}
		if at, err := b.erasedBefore(tx, ErasedHash(l.Identity)); err != nil {
			return nil, err
		} else if !at.IsZero() && !l.Since.After(at) {
			b.conflict(n, reasonErased)
			continue
		}
		switch _, err := tx.UserByIdentity(l.Identity); {
		case err == nil && in.Disabled:
			b.conflict(n, reasonTakenDisabled)
		case err == nil:
			b.conflict(n, reasonTaken)
		case errors.Is(err, ErrNotFound):
			u.Links, added = append(u.Links, l), append(added, l)
		default:
			return nil, err
		}
	}
	return added, nil
}

func (b *importing) identity(app AppID, openID string) IdentityHash {
	return IdentityHash(b.ring.Index("identity", string(app), openID))
}

// change makes u, who is here, what both sides say. Like any new way in, a new
// link ends the user's sessions.
func (b *importing) change(tx Tx, n int, u User, in *User, added []Link) error {
	told := b.complete(n, &u, in)
	ways, changed, err := b.addWays(tx, n, &u, in)
	if err != nil {
		return err
	}
	told = told || changed
	epoch := max(u.Epoch, in.Epoch)
	disabling := in.Disabled && !u.Disabled
	if disabling {
		u.Disabled, u.DisabledBy, epoch = true, in.DisabledBy, max(u.Epoch+1, in.Epoch)
		b.report.Disabled++
	}
	ends := disabling || epoch != u.Epoch || len(added) > 0 || ways
	u.Epoch = epoch
	if !told && !ends {
		b.report.Unchanged++
		return nil
	}
	b.report.Changed++
	if ends {
		ended, err := endSessions(tx, &u, func(SessionRef) bool { return true })
		if err != nil {
			return err
		}
		b.events = append(b.events, ended...)
	}
	b.events = append(b.events, Event{User: u.ID, Ended: ends})
	return b.put(tx, u, added)
}

// complete fills in what u lacks and reports whether there was anything.
func (b *importing) complete(n int, u, in *User) (changed bool) {
	if u.DisplayName == "" && in.DisplayName != "" {
		u.DisplayName, changed = in.DisplayName, true
	}
	all := make(map[string]string)
	maps.Copy(all, in.Segments)
	maps.Copy(all, u.Segments)
	switch {
	case len(all) == len(u.Segments):
	case len(all) > maxSegments:
		b.conflict(n, reasonSegments)
	default:
		u.Segments, changed = all, true
	}
	return changed
}

// put writes a user with new links.
func (b *importing) put(tx Tx, u User, added []Link) error {
	tx.PutUser(u)
	for _, h := range b.handles {
		tx.PutHandle(h, u.ID)
	}
	b.handles = nil
	if len(u.Devices) > 0 && u.isGuest() {
		tx.PutGuest(Guest{User: u.ID, Due: b.now.Add(guestUnused)})
	}
	for _, l := range added {
		tx.PutLink(l, u.ID)
		seen := admission{ring: b.ring, user: u, proved: Pending{App: l.App, UnionID: l.UnionID}}
		if err := seen.remember(tx); err != nil {
			return err
		}
	}
	b.report.Links += len(added)
	return nil
}

// account makes a user of a QQ account that nobody has.
func (b *importing) account(tx Tx, n int, in *Account) error {
	hash := b.identity(in.App, in.OpenID)
	if _, err := tx.UserByIdentity(hash); err == nil {
		b.report.Unchanged++
		return nil
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	if at, err := b.erasedBefore(tx, ErasedHash(hash)); err != nil {
		return err
	} else if !at.IsZero() {
		b.conflict(n, reasonErased)
		return nil
	}
	id := b.newUsers[n]
	if _, err := tx.User(id); err == nil {
		return errors.New("user id collides")
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	link := Link{Identity: hash, App: in.App, OpenID: in.OpenID, UnionID: in.UnionID, Since: b.now}
	u := User{
		ID: id, Created: b.now, DisplayName: in.DisplayName, Segments: maps.Clone(in.Segments), Links: []Link{link},
	}
	if in.Verified {
		if _, _, err := b.addContacts(tx, n, &u, &User{Mobile: in.Mobile, Email: in.Email}); err != nil {
			return err
		}
	}
	b.report.Created++
	return b.put(tx, u, u.Links)
}
