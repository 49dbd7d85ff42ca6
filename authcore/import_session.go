package authcore

import (
	"crypto/sha256"
	"errors"
)

// session takes a living session in. One that came in before is left alone,
// whatever has become of it: a second import must not bring it back after its
// log-out, nor its token after a refresh.
func (b *importing) session(tx Tx, s *Session) error {
	if !b.shared || !b.now.Before(s.Expires) {
		b.report.Left++
		return nil
	}
	u, err := tx.User(s.User)
	missing := errors.Is(err, ErrNotFound)
	if err != nil && !missing {
		return err
	}
	if missing && !b.dry || !missing && !s.alive(&u, b.now) {
		b.report.Left++
		return nil
	}
	mark := LoginQuery{Access: cameIn(s.ID)}
	record, err := tx.Login(mark)
	if err != nil {
		return err
	}
	_, _, err = tx.SessionByID(s.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil || record.Seen {
		b.report.Left++
		return nil
	}
	tx.PutSession(*s)
	tx.ListSession(*s)
	tx.PutAccess(mark.Access, Access{Expires: s.Expires})
	b.report.Sessions++
	return nil
}

// cameIn is where the store remembers for the life of a session that it came in:
// among the access tokens, because what is remembered of tokens goes with the
// session. No token has this hash, and no user is named there.
func cameIn(id SessionID) AccessHash {
	return sha256.Sum256([]byte("session came in\x00" + string(id)))
}

// retired takes the remains of a refreshed token in, if its session is here and
// goes on under another token.
func (b *importing) retired(tx Tx, r *RetiredToken) error {
	carried := false
	if b.shared && b.now.Before(r.Expires) {
		session, _, err := tx.SessionByID(r.Session)
		missing := errors.Is(err, ErrNotFound)
		if err != nil && !missing {
			return err
		}
		_, err = tx.Retired(r.Token)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		carried = err != nil && (missing && b.dry || !missing && session.Token != r.Token)
	}
	if !carried {
		b.report.Left++
		return nil
	}
	tx.RetireToken(r.Token, r.Retired)
	b.report.Retired++
	return nil
}

// access takes in that a QQ access token was used.
func (b *importing) access(tx Tx, a *KnownAccess) error {
	if !b.shared || !b.now.Before(a.Expires) {
		b.report.Left++
		return nil
	}
	record, err := tx.Login(LoginQuery{Access: a.Hash})
	if err != nil {
		return err
	}
	if record.Seen {
		b.report.Left++
		return nil
	}
	tx.PutAccess(a.Hash, a.Access)
	b.report.Accesses++
	return nil
}
