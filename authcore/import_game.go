package authcore

import (
	"errors"
	"slices"
)

// addName gives the user the user name that came in where there is none yet and that
// is nobody's. A name that was somebody's once stays nobody's. The password comes
// with its name alone, to a user who has none, and is a new way in. For a name that
// the user has already, it sees to it that it finds the user.
func (b *importing) addName(tx Tx, n int, u, in *User) (added, changed bool, err error) {
	handle := userNameHandle(b.ring, in.UserName)
	if in.UserName == "" || u.UserName != "" && userNameHandle(b.ring, u.UserName) != handle {
		return false, false, nil
	}
	owner, err := tx.UserByHandle(handle)
	found := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, false, err
	}
	if found && owner.ID != u.ID {
		b.conflict(n, reasonUserName)
		return false, false, nil
	}
	if !found {
		if free, err := b.nameIsFree(tx, n, u, in.UserName); !free || err != nil {
			return false, false, err
		}
		b.handles, changed = append(b.handles, handle), true
	}
	if u.UserName == "" {
		u.UserName, changed = in.UserName, true
	}
	if u.Password == "" && in.Password != "" {
		u.Password, added, changed = in.Password, true, true
	}
	return added, changed, nil
}

// nameIsFree reports whether a name that finds nobody may find the user from now on.
// One that the user had before names were found by stays, if anybody may have it.
func (b *importing) nameIsFree(tx Tx, n int, u *User, name string) (bool, error) {
	fit := checkUserName(name) == nil
	if u.UserName != "" {
		return fit, nil
	}
	if !fit {
		b.conflict(n, reasonNoUserName)
		return false, nil
	}
	at, err := b.erasedBefore(tx, ErasedHash(userNameHandle(b.ring, name)))
	if err != nil {
		return false, err
	}
	if !at.IsZero() {
		b.conflict(n, reasonGivenUp)
	}
	return at.IsZero(), nil
}

// addDevices gives the user the devices that came in and are nobody else's, which
// are new ways in. For one that the user has already, it sees to it that it finds the
// user.
func (b *importing) addDevices(tx Tx, n int, u, in *User) (added, changed bool, err error) {
	u.Devices = slices.Clone(u.Devices)
	for _, d := range in.Devices {
		has := slices.ContainsFunc(u.Devices, func(own Device) bool { return own.is(&d) })
		handle := deviceHandle(b.ring, &d)
		owner, err := tx.UserByHandle(handle)
		switch {
		case err != nil && !errors.Is(err, ErrNotFound):
			return added, changed, err
		case err == nil && owner.ID != u.ID:
			b.conflict(n, reasonDevice)
			continue
		case err == nil && has:
			continue
		case !has && len(u.Devices) >= maxImportedDevices:
			b.conflict(n, reasonDevices)
			continue
		}
		if !has {
			u.Devices, added = append(u.Devices, d), true
		}
		b.handles, changed = append(b.handles, handle), true
	}
	return added, changed, nil
}
