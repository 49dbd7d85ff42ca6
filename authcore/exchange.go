package authcore

import (
	"context"
	"errors"
	"slices"
	"time"
)

// errNotVolatile ends an issuing transaction that found something to write that
// must be durable.
var errNotVolatile = errors.New("needs a durable update")

// IssueTicket turns a session of the calling client into a ticket for one
// redemption by receiver, the client itself if empty. The caller must be on the
// session's device.
func (s *Service) IssueTicket(ctx context.Context, tenant ClientID, caller Caller, sessionToken string, receiver ClientID) (IssuedTicket, error) {
	c := s.clients[tenant]
	if c == nil {
		return IssuedTicket{}, ErrUnknownClient
	}
	ring := s.node.keys.Ring()
	if !ring.ValidOpaque(kindSession, sessionToken) {
		return IssuedTicket{}, ErrSession
	}
	if err := s.node.store.Writable(); err != nil {
		return IssuedTicket{}, err
	}
	if receiver == "" {
		receiver = tenant
	}
	t := &issue{
		client: c, receiver: receiver, device: s.device(caller.Fingerprint), now: s.node.now(),
		hash:  hashToken(sessionToken),
		token: TicketToken{ring.NewOpaque(kindTicket)}, lifetime: s.cfg.Lifetimes.Ticket,
	}
	err := s.node.store.UpdateVolatile(ctx, func(tx Tx) error { return t.decide(tx, false) })
	if errors.Is(err, errNotVolatile) {
		err = s.node.update(ctx, func(tx Tx) ([]Event, error) { return nil, t.decide(tx, true) })
	}
	if err != nil {
		return IssuedTicket{}, err
	}
	s.cfg.Audit(AuditEvent{Name: AuditTicketIssued, User: t.session.User, Client: receiver, Session: t.session.ID, Addr: caller.Addr})
	return IssuedTicket{Token: t.token, ExpiresIn: t.lifetime}, nil
}

// issue is the issuing of one ticket.
type issue struct {
	client   *client
	receiver ClientID
	device   DeviceHash
	now      time.Time
	hash     TokenHash
	token    TicketToken
	lifetime time.Duration

	session Session
}

func (t *issue) decide(tx Tx, durable bool) error {
	session, _, _, err := readSession(tx, t.hash, t.now)
	if err != nil {
		return err
	}
	if session.Client != t.client.ID {
		return ErrSession
	}
	bound, ok := session.bindDevice(t.device)
	if !ok {
		return ErrSession
	}
	if t.receiver != t.client.ID && !slices.Contains(t.client.TicketsFor, t.receiver) {
		return ErrDenied
	}
	unproved := session.Token == t.hash && session.unproved(t.now)
	if used := session.noteUse(t.now); bound || used || unproved {
		if !durable {
			return errNotVolatile
		}
		session.Used = session.Used || session.Token == t.hash
		tx.PutSession(session)
	}
	t.session = session
	tx.PutTicket(Ticket{
		Token: TokenHash(t.token.Hash()), Session: session.ID, Receiver: t.receiver,
		Device: t.device, Expires: t.now.Add(t.lifetime),
	})
	return nil
}

// RedeemTicket turns a ticket into the user it stands for. Whatever the verdict,
// the ticket is used up.
func (s *Service) RedeemTicket(ctx context.Context, tenant ClientID, caller Caller, ticket string) (Profile, error) {
	c := s.clients[tenant]
	if c == nil {
		return Profile{}, ErrUnknownClient
	}
	if !s.node.keys.Ring().ValidOpaque(kindTicket, ticket) {
		return Profile{}, ErrTicket
	}
	hash, device, now := hashToken(ticket), s.device(caller.Fingerprint), s.node.now()
	var verdict error
	var u User
	err := s.node.update(ctx, func(tx Tx) ([]Event, error) {
		t, err := tx.Ticket(hash)
		if errors.Is(err, ErrNotFound) {
			return nil, ErrTicket
		} else if err != nil {
			return nil, err
		}
		tx.DeleteTicket(hash)
		u, verdict, err = redeem(tx, &t, tenant, device, now)
		return nil, err
	})
	if err != nil {
		return Profile{}, err
	}
	event := AuditEvent{Name: AuditTicketRedeemed, User: u.ID, Client: tenant, Addr: caller.Addr}
	if verdict != nil {
		event.Name = AuditTicketRefused
	}
	s.cfg.Audit(event)
	if verdict != nil {
		return Profile{}, verdict
	}
	return c.profile(&u), nil
}

// redeem judges a ticket. Only err undoes its use.
func redeem(tx Tx, t *Ticket, tenant ClientID, device DeviceHash, now time.Time) (u User, verdict, err error) {
	s, u, err := tx.SessionByID(t.Session)
	if errors.Is(err, ErrNotFound) {
		return u, ErrTicket, nil // its session has ended
	} else if err != nil {
		return u, nil, err
	}
	if t.Receiver != tenant || t.Device != device || !now.Before(t.Expires) || !s.alive(&u, now) {
		return u, ErrTicket, nil
	}
	return u, nil, nil
}
