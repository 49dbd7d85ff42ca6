package authcore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/qqauth/qqauth/authcore/token"
)

const (
	minDeviceID = 8   // characters
	maxDeviceID = 256 // bytes
	maxDeviceOS = 32  // bytes
)

// sharedDevices are ids that many devices have, in lower case and without
// separators: the ANDROID_ID of a batch of Android 2.2 phones (Android issue 10603),
// the MAC address that Android and iOS show to apps, a serial number that boards come
// with, and what programs make of an id that they have not got.
var sharedDevices = []string{
	"9774d56d682e549c", "020000000000", "0123456789abcdef", "undefined", "(null)", "[objectobject]", "unknown",
}

// check answers ErrDevice for a device that cannot stand for a player.
func (d *Device) check() error {
	if utf8.RuneCountInString(d.ID) < minDeviceID || len(d.ID) > maxDeviceID || !utf8.ValidString(d.ID) ||
		strings.ContainsFunc(d.ID, unicode.IsControl) || d.OS == "" || len(d.OS) > maxDeviceOS || !isText(d.OS) {
		return ErrDevice
	}
	bare := strings.NewReplacer("-", "", ":", "", " ", "").Replace(strings.ToLower(norm.NFKC.String(d.ID)))
	if strings.Trim(bare, "0") == "" || strings.Trim(bare, "f") == "" || slices.Contains(sharedDevices, bare) {
		return ErrDevice
	}
	return nil
}

// is reports whether two devices are one.
func (d *Device) is(other *Device) bool {
	return d.Client == other.Client && d.OS == other.OS && d.ID == other.ID
}

// deviceHandle stands for a device identity; users are found by it.
func deviceHandle(ring *token.Ring, d *Device) HandleHash {
	return HandleHash(ring.Index("device identity", string(d.Client), d.OS, d.ID))
}

// dropDevices sees to it that no device logs in as the user any more.
func dropDevices(tx Tx, ring *token.Ring, u *User) error {
	for i := range u.Devices {
		handle := deviceHandle(ring, &u.Devices[i])
		owner, err := tx.UserByHandle(handle)
		if err == nil && owner.ID == u.ID {
			tx.DeleteHandle(handle)
		} else if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	u.Devices = nil
	return nil
}

// LoginDevice logs in whoever plays on a device of a client, as a new guest if the
// device is new. It proves the device and not the player.
func (s *Service) LoginDevice(ctx context.Context, id ClientID, caller Caller, in DeviceLogin) (Play, error) {
	c, _, err := s.admitGame(id, caller)
	if err != nil {
		return Play{}, err
	}
	l := &deviceLogin{admission: s.newAdmission(c, caller), in: in, device: Device{Client: id, OS: in.OS, ID: in.ID}}
	for _, err := range []error{l.device.check(), checkDisplayName(in.Name), checkRequested(in.Segments)} {
		if err != nil {
			return Play{}, s.loginRefused(c, caller, err)
		}
	}
	l.device.Since, l.newUser = l.now, newUserID(l.now)
	l.handle = deviceHandle(l.ring, &l.device)
	l.begin(IdentityHash(l.ring.Index("device login", string(l.handle[:]))), in.Current, in.Segments)
	err = s.node.update(ctx, l.decide)
	if errors.Is(err, errArrives) {
		// Only a device that is new counts, which is known by trying.
		if err = s.countArrival(caller); err == nil {
			l.counted = true
			err = s.node.update(ctx, l.decide)
		}
	}
	if err != nil {
		return Play{}, s.loginRefused(c, caller, err)
	}
	if l.created {
		s.cfg.Audit(l.event(AuditUserCreated))
	}
	return s.play(&l.admission, l.created)
}

// deviceLogin is one login by a device: what it rests on, and what it was decided
// to be.
type deviceLogin struct {
	admission
	in      DeviceLogin
	device  Device
	handle  HandleHash
	newUser UserID
	counted bool // against the limit of arrivals

	created bool
}

func (l *deviceLogin) decide(tx Tx) ([]Event, error) {
	l.reset()
	l.created = false
	err := l.judge(tx)
	return l.ended, err
}

func (l *deviceLogin) judge(tx Tx) error {
	u, err := tx.UserByHandle(l.handle)
	if errors.Is(err, ErrNotFound) {
		return l.arrive(tx)
	} else if err != nil {
		return err
	}
	if !slices.ContainsFunc(u.Devices, func(d Device) bool { return d.is(&l.device) }) {
		return ErrDamaged
	}
	if u.isGuest() {
		l.noteGuest(tx, u.ID)
	}
	return l.enter(tx, u, MethodDevice)
}

// noteGuest notes that a guest is in use for as long as a session that begins now.
func (l *deviceLogin) noteGuest(tx Tx, id UserID) {
	tx.PutGuest(Guest{User: id, Due: l.now.Add(l.lifetimes.Session + guestUnused)})
}

// arrive makes a guest.
func (l *deviceLogin) arrive(tx Tx) error {
	if !l.client.takesArrivals() {
		l.status = StatusAccessDenied
		return nil
	}
	if !l.counted {
		return errArrives
	}
	if err := l.create(tx, l.newUser); err != nil {
		return err
	}
	l.user.DisplayName, l.user.Home, l.user.Devices = l.in.Name, l.client.ID, []Device{l.device}
	tx.PutUser(l.user)
	tx.PutHandle(l.handle, l.user.ID)
	l.noteGuest(tx, l.user.ID)
	l.created = true
	return l.conclude(tx, &LoginRecord{}, []Method{MethodDevice})
}
