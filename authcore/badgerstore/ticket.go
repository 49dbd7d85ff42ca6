package badgerstore

import (
	"slices"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

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

// Pending implements [authcore.Tx].
func (t *tx) Pending(id authcore.PendingID) (authcore.Pending, error) {
	var p authcore.Pending
	err := t.load(kindPending.key(string(id)), &p)
	return p, err
}

// Pendings implements [authcore.Tx].
func (t *tx) Pendings(h authcore.IdentityHash) ([]authcore.PendingRef, error) {
	var refs []authcore.PendingRef
	err := t.load(kindPendings.hash(h), &refs)
	return refs, allowAbsent(err)
}

// PutPending implements [authcore.Tx]. A login that is written again keeps its
// place: the oldest comes first.
func (t *tx) PutPending(p authcore.Pending) {
	t.save(kindPending.key(string(p.ID)), p, t.store.ttl(p.Expires))
	now := t.store.cfg.Now()
	t.editPendings(p.Identity, func(refs []authcore.PendingRef) []authcore.PendingRef {
		line := authcore.PendingRef{ID: p.ID, Expires: p.Expires}
		refs = slices.DeleteFunc(refs, func(r authcore.PendingRef) bool {
			return r.ID != p.ID && !now.Before(r.Expires)
		})
		if i := slices.IndexFunc(refs, func(r authcore.PendingRef) bool { return r.ID == p.ID }); i >= 0 {
			refs[i] = line
			return refs
		}
		return append(refs, line)
	})
}

// DeletePending implements [authcore.Tx].
func (t *tx) DeletePending(h authcore.IdentityHash, id authcore.PendingID) {
	t.delete(kindPending.key(string(id)))
	t.editPendings(h, func(refs []authcore.PendingRef) []authcore.PendingRef {
		return slices.DeleteFunc(refs, func(r authcore.PendingRef) bool { return r.ID == id })
	})
}

func (t *tx) editPendings(h authcore.IdentityHash, edit func([]authcore.PendingRef) []authcore.PendingRef) {
	refs, err := t.Pendings(h)
	if err != nil {
		return // refused already
	}
	key := kindPendings.hash(h)
	if refs = edit(refs); len(refs) == 0 {
		t.delete(key)
		return
	}
	t.save(key, refs, t.store.ttl(latest(refs, func(r authcore.PendingRef) time.Time { return r.Expires })))
}

var _ authcore.Tx = (*tx)(nil)
