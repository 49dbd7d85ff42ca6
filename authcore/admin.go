package authcore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Limits of segments; they travel in every assertion.
const (
	maxSegments     = 32
	maxSegmentName  = 64
	maxSegmentValue = 256
)

// ErrSegments says that segments are refused: more than 32, a name that is not
// 1 to 64 of [A-Za-z0-9._-], or a value over 256 bytes or with control
// characters.
var ErrSegments = errors.New("segments refused")

// UserByID returns a user, or ErrNoUser.
func (s *Service) UserByID(ctx context.Context, id UserID) (User, error) {
	return s.findUser(ctx, func(tx Tx) (User, error) { return tx.User(id) })
}

// UserByOpenID returns the user that a QQ identity is linked to, or ErrNoUser.
func (s *Service) UserByOpenID(ctx context.Context, app AppID, openID string) (User, error) {
	hash := IdentityHash(s.node.keys.Ring().Index("identity", string(app), openID))
	return s.findUser(ctx, func(tx Tx) (User, error) { return tx.UserByIdentity(hash) })
}

func (s *Service) findUser(ctx context.Context, find func(Tx) (User, error)) (u User, err error) {
	err = s.node.store.View(ctx, func(tx Tx) error {
		u, err = find(tx)
		return err
	})
	return u, noUser(err)
}

func noUser(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrNoUser
	}
	return err
}

// Disable keeps a user out until Enable: it ends all sessions, and every QQ
// access token that the user had logged in with is refused from then on.
func (s *Service) Disable(ctx context.Context, id UserID) error {
	return s.changeUser(ctx, id, AuditEvent{Name: AuditUserDisabled}, func(tx Tx, u User) ([]Event, error) {
		return disable(tx, u, "")
	})
}

func disable(tx Tx, u User, by ClientID) ([]Event, error) {
	if !u.Disabled || by == "" { // what an administrator has done stays done
		u.Disabled, u.DisabledBy = true, by
	}
	_, events, err := endAll(tx, u)
	return events, err
}

// Enable lets a disabled user log in again.
func (s *Service) Enable(ctx context.Context, id UserID) error {
	return s.changeUser(ctx, id, AuditEvent{Name: AuditUserEnabled}, enable)
}

func enable(tx Tx, u User) ([]Event, error) {
	u.Disabled, u.DisabledBy = false, ""
	tx.PutUser(u)
	return nil, nil
}

// SetSegments replaces a user's segments. Guards see them at once.
func (s *Service) SetSegments(ctx context.Context, id UserID, segments map[string]string) error {
	if err := checkSegments(segments); err != nil {
		return err
	}
	return s.changeUser(ctx, id, AuditEvent{Name: AuditUserSegments}, func(tx Tx, u User) ([]Event, error) {
		u.Segments = maps.Clone(segments)
		tx.PutUser(u)
		return []Event{{User: id}}, nil
	})
}

// EndSessions logs a user out everywhere, QQ's access tokens included.
func (s *Service) EndSessions(ctx context.Context, id UserID) error {
	return s.changeUser(ctx, id, AuditEvent{Name: AuditSessionEnd}, endEverywhere)
}

func endEverywhere(tx Tx, u User) ([]Event, error) {
	_, events, err := endAll(tx, u)
	return events, err
}

// EndSession ends one session by its public id, or answers ErrSession.
func (s *Service) EndSession(ctx context.Context, id SessionID) error {
	var events []Event
	var session Session
	err := s.node.update(ctx, func(tx Tx) ([]Event, error) {
		var u User
		var err error
		if session, u, err = tx.SessionByID(id); errors.Is(err, ErrNotFound) {
			return nil, ErrSession
		} else if err != nil {
			return nil, err
		}
		events, err = endSession(tx, &u, &session)
		return events, err
	})
	if err != nil {
		return err
	}
	s.auditEnd(events, AuditEvent{Name: AuditSessionEnd, User: session.User, Client: session.Client})
	return nil
}

// Sessions lists a user's living sessions, the newest first.
func (s *Service) Sessions(ctx context.Context, id UserID) (out []Session, err error) {
	now := s.node.now()
	err = s.node.store.View(ctx, func(tx Tx) error {
		out = nil
		if _, err := tx.User(id); err != nil {
			return noUser(err)
		}
		refs, err := tx.Sessions(id)
		if err != nil {
			return err
		}
		for _, r := range refs {
			session, user, err := tx.SessionByID(r.ID)
			if errors.Is(err, ErrNotFound) || err == nil && !session.alive(&user, now) {
				continue
			} else if err != nil {
				return err
			}
			out = append(out, session)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Session) int { return b.Issued.Compare(a.Issued) })
	return out, err
}

// changeUser applies a change to a user from above.
func (s *Service) changeUser(ctx context.Context, id UserID, audit AuditEvent, change func(Tx, User) ([]Event, error)) error {
	var events []Event
	err := s.node.update(ctx, func(tx Tx) ([]Event, error) {
		u, err := tx.User(id)
		if err != nil {
			return nil, noUser(err)
		}
		events, err = change(tx, u)
		return events, err
	})
	if err != nil {
		return err
	}
	audit.User, audit.Count = id, countSessions(events)
	s.cfg.Audit(audit)
	return nil
}

func checkSegments(segments map[string]string) error {
	if len(segments) > maxSegments {
		return fmt.Errorf("%w: more than %d", ErrSegments, maxSegments)
	}
	for name, value := range segments {
		if name == "" || len(name) > maxSegmentName || !isSegmentName(name) {
			return fmt.Errorf("%w: a name is not 1 to %d of [A-Za-z0-9._-]", ErrSegments, maxSegmentName)
		}
		if len(value) > maxSegmentValue || !isText(value) {
			return fmt.Errorf("%w: the value of %s is over %d bytes or holds control characters", ErrSegments, name, maxSegmentValue)
		}
	}
	return nil
}

func isSegmentName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

func isText(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return false
		}
	}
	return true
}
