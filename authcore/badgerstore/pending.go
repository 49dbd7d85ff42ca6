package badgerstore

import (
	"slices"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// maxWaiting is how many pending logins of one client on one device are listed.
// Whoever invents logins on a device pushes out those of that device alone.
const maxWaiting = 16

// Pending implements [authcore.Tx].
func (t *tx) Pending(id authcore.PendingID) (authcore.Pending, error) {
	var p authcore.Pending
	err := t.load(kindPending.key(string(id)), &p)
	return p, err
}

// Pendings implements [authcore.Tx].
func (t *tx) Pendings(h authcore.IdentityHash) ([]authcore.PendingRef, error) {
	return t.pendingsAt(kindPendings.hash(h))
}

// Waiting implements [authcore.Tx].
func (t *tx) Waiting(client authcore.ClientID, device authcore.DeviceHash) ([]authcore.PendingRef, error) {
	return t.pendingsAt(kindWaiting.at(client, device))
}

// PendingsOf implements [authcore.Tx].
func (t *tx) PendingsOf(id authcore.UserID) ([]authcore.PendingRef, error) {
	return t.pendingsAt(kindOwn.key(string(id)))
}

func (t *tx) pendingsAt(key []byte) ([]authcore.PendingRef, error) {
	var refs []authcore.PendingRef
	err := t.load(key, &refs)
	return refs, allowAbsent(err)
}

// PutPending implements [authcore.Tx]. A login that is written again keeps its
// place: the oldest comes first.
func (t *tx) PutPending(p authcore.Pending) {
	if old, err := t.Pending(p.ID); err == nil && old.User != "" && old.User != p.User {
		editLines(t, kindOwn.key(string(old.User)), pendingExpiry, withoutPending(p.ID))
	}
	t.save(kindPending.key(string(p.ID)), p, t.store.ttl(p.Expires))
	with := t.withPending(authcore.PendingRef{ID: p.ID, Expires: p.Expires})
	editLines(t, kindPendings.hash(p.Identity), pendingExpiry, with)
	editLines(t, kindWaiting.at(p.Client, p.Device), pendingExpiry, func(refs []authcore.PendingRef) []authcore.PendingRef {
		refs = with(refs)
		return refs[max(0, len(refs)-maxWaiting):]
	})
	if p.User != "" {
		editLines(t, kindOwn.key(string(p.User)), pendingExpiry, with)
	}
}

// withPending puts a line into a list, or in the place of the one that is there.
func (t *tx) withPending(line authcore.PendingRef) func([]authcore.PendingRef) []authcore.PendingRef {
	now := t.store.cfg.Now()
	return func(refs []authcore.PendingRef) []authcore.PendingRef {
		refs = slices.DeleteFunc(refs, func(r authcore.PendingRef) bool {
			return r.ID != line.ID && !now.Before(r.Expires)
		})
		if i := slices.IndexFunc(refs, func(r authcore.PendingRef) bool { return r.ID == line.ID }); i >= 0 {
			refs[i] = line
			return refs
		}
		return append(refs, line)
	}
}

func withoutPending(id authcore.PendingID) func([]authcore.PendingRef) []authcore.PendingRef {
	return func(refs []authcore.PendingRef) []authcore.PendingRef {
		return slices.DeleteFunc(refs, func(r authcore.PendingRef) bool { return r.ID == id })
	}
}

// DeletePending implements [authcore.Tx].
func (t *tx) DeletePending(h authcore.IdentityHash, id authcore.PendingID) {
	without := withoutPending(id)
	if p, err := t.Pending(id); err == nil {
		editLines(t, kindWaiting.at(p.Client, p.Device), pendingExpiry, without)
		if p.User != "" {
			editLines(t, kindOwn.key(string(p.User)), pendingExpiry, without)
		}
	}
	t.delete(kindPending.key(string(id)))
	editLines(t, kindPendings.hash(h), pendingExpiry, without)
}

func pendingExpiry(r authcore.PendingRef) time.Time { return r.Expires }
