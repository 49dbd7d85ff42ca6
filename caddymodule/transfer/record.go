package transfer

import (
	"errors"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// lineOf is a record as it is written.
func lineOf(r authcore.Record) (any, error) {
	switch {
	case r.Erased != nil:
		return erasedLine{typeErased, hash(r.Erased.Hash), r.Erased.At.UTC()}, nil
	case r.User != nil:
		return userToLine(r.User), nil
	case r.Session != nil:
		return sessionToLine(r.Session), nil
	case r.Retired != nil:
		t := r.Retired
		return retiredLine{typeRetired, hash(t.Token), t.Session, t.At.UTC(), t.Expires.UTC(), t.GoodUntil.UTC()}, nil
	case r.Access != nil:
		a := r.Access
		return accessLine{typeAccess, hash(a.Hash), a.User, a.Epoch, a.Expires.UTC()}, nil
	case r.Account != nil:
		a := r.Account
		return accountLine{typeAccount, a.App, a.OpenID, a.UnionID, a.DisplayName, a.Mobile, a.Email, a.Verified, a.Segments}, nil
	}
	return nil, errors.New("record of no kind")
}

func userToLine(u *authcore.User) userLine {
	line := userLine{
		Type: typeUser, ID: u.ID, Created: u.Created.UTC(), Disabled: u.Disabled, DisabledBy: u.DisabledBy, Epoch: u.Epoch, UserName: u.UserName,
		Password: u.Password, Home: u.Home, Requested: u.Requested, DisplayName: u.DisplayName, Mobile: u.Mobile, MobileVia: u.MobileVia, Email: u.Email, EmailVia: u.EmailVia, Segments: u.Segments,
	}
	for _, l := range u.Links {
		line.Links = append(line.Links, linkPart{App: l.App, OpenID: l.OpenID, UnionID: l.UnionID, Since: l.Since.UTC(), SyncName: l.SyncName})
	}
	for _, d := range u.Devices {
		line.Devices = append(line.Devices, devicePart{Client: d.Client, OS: d.OS, ID: d.ID, Since: d.Since.UTC()})
	}
	return line
}

func sessionToLine(s *authcore.Session) sessionLine {
	return sessionLine{
		Type: typeSession, ID: s.ID, Token: hash(s.Token), User: s.User, Client: s.Client, Device: hash(s.Device),
		Methods: s.Methods, AuthTime: s.AuthTime.UTC(), Issued: s.Issued.UTC(), Expires: s.Expires.UTC(), Epoch: s.Epoch,
		Parent: s.Parent, Previous: hash(s.Previous), Used: s.Used, Idle: secondsOf(s.Idle), LastUse: s.LastUse.UTC(),
		OS: s.OS, Agent: s.Agent, IP: s.IP, DeviceIP: s.DeviceIP,
	}
}

// recordOf reads the record of a line. Its errors hold nothing of the line.
func recordOf(kind string, line []byte) (r authcore.Record, err error) {
	switch kind {
	case typeErased:
		var l erasedLine
		err = decode(line, &l, &l.At)
		r.Erased = &authcore.Erased{Hash: authcore.ErasedHash(l.Hash), At: l.At}
	case typeUser:
		r.User, err = readUser(line)
	case typeSession:
		r.Session, err = readSession(line)
	case typeRetired:
		var l retiredLine
		err = decode(line, &l, &l.At, &l.Expires)
		r.Retired = &authcore.RetiredToken{
			Token:   authcore.TokenHash(l.Token),
			Retired: authcore.Retired{Session: l.Session, At: l.At, Expires: l.Expires, GoodUntil: l.GoodUntil.UTC()},
		}
	case typeAccess:
		var l accessLine
		err = decode(line, &l, &l.Expires)
		r.Access = &authcore.KnownAccess{
			Hash:   authcore.AccessHash(l.Hash),
			Access: authcore.Access{User: l.User, Epoch: l.Epoch, Expires: l.Expires},
		}
	case typeAccount:
		var l accountLine
		err = decode(line, &l)
		r.Account = &authcore.Account{
			App: l.App, OpenID: l.OpenID, UnionID: l.UnionID, DisplayName: l.DisplayName,
			Mobile: l.Mobile, Email: l.Email, Verified: l.Verified, Segments: someOf(l.Segments),
		}
	default:
		err = errors.New("unknown type")
	}
	if err != nil {
		return authcore.Record{}, err
	}
	return r, nil
}

func readUser(line []byte) (*authcore.User, error) {
	var l userLine
	if err := decode(line, &l, &l.Created); err != nil {
		return nil, err
	}
	u := &authcore.User{
		ID: l.ID, Created: l.Created, Disabled: l.Disabled, DisabledBy: l.DisabledBy, Epoch: l.Epoch, UserName: l.UserName,
		Password: l.Password, Home: l.Home, Requested: someOf(l.Requested), DisplayName: l.DisplayName, Mobile: l.Mobile, MobileVia: some(l.MobileVia), Email: l.Email, EmailVia: some(l.EmailVia),
		Segments: someOf(l.Segments),
	}
	for _, p := range l.Links {
		u.Links = append(u.Links, authcore.Link{App: p.App, OpenID: p.OpenID, UnionID: p.UnionID, Since: p.Since.UTC(), SyncName: p.SyncName})
	}
	for _, p := range l.Devices {
		u.Devices = append(u.Devices, authcore.Device{Client: p.Client, OS: p.OS, ID: p.ID, Since: p.Since.UTC()})
	}
	return u, nil
}

func readSession(line []byte) (*authcore.Session, error) {
	var l sessionLine
	if err := decode(line, &l, &l.AuthTime, &l.Issued, &l.Expires); err != nil {
		return nil, err
	}
	idle, ok := l.Idle.duration()
	if !ok || (idle > 0) == l.LastUse.IsZero() {
		return nil, errors.New("a wrong idle, or one without its last_use, or that without it")
	}
	return &authcore.Session{
		ID: l.ID, Token: authcore.TokenHash(l.Token), User: l.User, Client: l.Client, Device: authcore.DeviceHash(l.Device),
		Methods: l.Methods, AuthTime: l.AuthTime, Issued: l.Issued, Expires: l.Expires, Epoch: l.Epoch,
		Parent: l.Parent, Previous: authcore.TokenHash(l.Previous), Used: l.Used, Idle: idle, LastUse: l.LastUse.UTC(),
		OS: l.OS, Agent: l.Agent, IP: l.IP, DeviceIP: l.DeviceIP,
	}, nil
}

// some is the list, or nil if it is empty: what is written tells no difference.
func some[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// someOf is some for a map.
func someOf[K comparable, V any](m map[K]V) map[K]V {
	if len(m) == 0 {
		return nil
	}
	return m
}

// decode reads a line whose names are known not to be doubled. times are those
// that must be there.
func decode(line []byte, v any, times ...*time.Time) error {
	if err := unmarshal(line, v); err != nil {
		return err
	}
	for _, t := range times {
		if t.IsZero() {
			return errors.New("a time is missing")
		}
		*t = t.UTC()
	}
	return nil
}
