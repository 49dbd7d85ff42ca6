package badgerstore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

// Without its mark a store opens, keeps its users and lets nobody in.
func TestMissingMarkVoidsSessions(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	ticket := authcore.Ticket{Token: tokenHash("ticket", 1), Expires: aSession(0).Expires}
	pending := authcore.Pending{ID: "pending", Identity: identity(1), User: userID(0), Expires: aSession(0).Expires}
	code := authcore.Code{Hash: authcore.CodeHash{1}, Expires: aSession(0).Expires}
	captcha := authcore.Captcha{Token: tokenHash("captcha", 1), Expires: aSession(0).Expires}
	atDevice := aSession(1)
	atDevice.User, atDevice.Device = userID(0), authcore.DeviceHash{1}
	if err := errors.Join(logIn(s, 0), s.Update(t.Context(), func(tx authcore.Tx) error {
		tx.PutTicket(ticket)
		tx.PutPending(pending)
		tx.PutCode(code)
		tx.PutCaptcha(captcha)
		tx.PutSession(atDevice)
		tx.ListSession(atDevice)
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	for _, marked := range []bool{true, false} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if !marked {
			remove("MARK")(t, dir)
		}
		s = openIn(t, dir)
		err := s.View(t.Context(), func(tx authcore.Tx) error {
			_, _, sessionErr := tx.Session(tokenHash("token", 0))
			_, _, idErr := tx.SessionByID(aSession(0).ID)
			_, ticketErr := tx.Ticket(ticket.Token)
			_, pendingErr := tx.Pending("pending")
			_, codeErr := tx.Code(code.Hash)
			_, captchaErr := tx.Captcha(captcha.Token)
			for _, err := range []error{sessionErr, idErr, ticketErr, pendingErr, codeErr, captchaErr} {
				if errors.Is(err, authcore.ErrNotFound) == marked {
					t.Errorf("marked %v: got error %v", marked, err)
				}
			}
			refs, err := tx.Sessions(userID(0))
			if err != nil || (len(refs) == 2) != marked {
				t.Errorf("marked %v: sessions %v, %v", marked, refs, err)
			}
			atDevice, err := tx.SessionsAt("client", atDevice.Device)
			waiting, err2 := tx.Waiting("", authcore.DeviceHash{})
			own, err3 := tx.PendingsOf(userID(0))
			for _, n := range []int{len(atDevice), len(waiting), len(own)} {
				if err := errors.Join(err, err2, err3); err != nil || (n == 1) != marked {
					t.Errorf("marked %v: a list of %d, %v", marked, n, err)
				}
			}
			r, err := tx.Login(authcore.LoginQuery{Identity: identity(0)})
			if !r.Linked || r.User.ID != userID(0) {
				t.Errorf("marked %v: the user is gone", marked)
			}
			return err
		})
		if err != nil {
			t.Errorf("marked %v: %v", marked, err)
		}
	}
}

// A mark that another store wrote says nothing about this one.
func TestForeignMark(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		if err := openIn(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(dirs[0], markName))
	if err != nil {
		t.Fatal(err)
	}
	writeSparse(t, filepath.Join(dirs[1], markName), data)
	if _, err := tryOpen(t, dirs[1]); !errors.Is(err, authcore.ErrDamaged) {
		t.Errorf("got error %v, want ErrDamaged", err)
	}
}

// Somebody who can write the file, but has no key, cannot hide a loss by setting
// the mark back.
func TestForgedMark(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	for i := range 3 {
		if err := logIn(s, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p, tag, _, err := readMark(dir)
	if err != nil {
		t.Fatal(err)
	}
	p.sequence--
	slot, err := encodeSlot(p, tag)
	if err != nil {
		t.Fatal(err)
	}
	writeSparse(t, filepath.Join(dir, markName), slot)
	if _, err := tryOpen(t, dir); !errors.Is(err, authcore.ErrDamaged) {
		t.Errorf("got error %v, want ErrDamaged", err)
	}
}
