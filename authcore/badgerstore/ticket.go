package badgerstore

import "github.com/qqauth/qqauth/authcore"

// Ticket implements [authcore.Tx].
func (t *tx) Ticket(h authcore.TokenHash) (authcore.Ticket, error) {
	var ticket authcore.Ticket
	err := t.load(kindTicket.hash(h), &ticket)
	return ticket, err
}

// PutTicket implements [authcore.Tx].
func (t *tx) PutTicket(ticket authcore.Ticket) {
	t.save(kindTicket.hash(ticket.Token), ticket, t.store.ttl(ticket.Expires))
}

// DeleteTicket implements [authcore.Tx].
func (t *tx) DeleteTicket(h authcore.TokenHash) { t.delete(kindTicket.hash(h)) }

var _ authcore.Tx = (*tx)(nil)
