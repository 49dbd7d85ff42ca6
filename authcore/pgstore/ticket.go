package pgstore

import (
	"github.com/jackc/pgx/v5"

	"github.com/qqauth/qqauth/authcore"
)

// Ticket implements [authcore.Tx].
func (t *tx) Ticket(h authcore.TokenHash) (ticket authcore.Ticket, err error) {
	found := false
	err = t.read(statement{
		sql:  "SELECT session_id, receiver, device, expires FROM qqauth_tickets WHERE token = $1",
		args: []any{h[:]},
		scan: func(rows pgx.Rows) error {
			found = true
			var session, receiver string
			var device []byte
			if err := rows.Scan(&session, &receiver, &device, &ticket.Expires); err != nil {
				return err
			}
			ticket.Token, ticket.Session, ticket.Receiver = h, authcore.SessionID(session), authcore.ClientID(receiver)
			ticket.Device, ticket.Expires = hash(device), ticket.Expires.UTC()
			return nil
		},
	})
	return ticket, none(found, err)
}

// PutTicket implements [authcore.Tx].
func (t *tx) PutTicket(ticket authcore.Ticket) {
	t.write("INSERT INTO qqauth_tickets (token, session_id, receiver, device, expires) VALUES ($1, $2, $3, $4, $5)",
		ticket.Token[:], string(ticket.Session), string(ticket.Receiver), orNull(ticket.Device), ticket.Expires)
}

// DeleteTicket implements [authcore.Tx].
func (t *tx) DeleteTicket(h authcore.TokenHash) {
	t.write("DELETE FROM qqauth_tickets WHERE token = $1", h[:])
}
