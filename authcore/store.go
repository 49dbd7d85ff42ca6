package authcore

import (
	"context"
	"time"
)

// Store keeps users with their links, phones and addresses, sessions, tickets,
// pending logins, codes, what limits count, and the key ring.
//
// Transactions are serializable. The store batches or retries them, so a
// function given to it may run more than once and MUST have no effect but
// through its Tx; what it captures it MUST reset at its start. If the function
// returns an error, nothing is written and that error is returned as it is.
//
// A store MUST answer with an error that wraps ErrUnavailable when it cannot
// read or write, and one that wraps ErrDamaged when a record is there and cannot
// be opened, or when one of two records that are written together is missing.
// It MUST NOT take a damaged record for an absent one.
type Store interface {
	// View runs fn on a consistent snapshot that holds every Update that
	// returned before View was called. fn must not write.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn and returns when what it wrote is durable: neither a
	// killed process nor a power cut takes it back. A ctx that ends stops an
	// Update only before fn has run; from then on the outcome is waited for, so
	// that whoever revokes knows whether there is something to announce.
	Update(ctx context.Context, fn func(Tx) error) error
	// UpdateVolatile is Update without durability: a power cut may take the
	// writes back, a killed process may not. It is for issuing what can only
	// be lost (a ticket, a puzzle), never for using one up.
	UpdateVolatile(ctx context.Context, fn func(Tx) error) error
	// Ping proves that the store can answer. The age of the last proof is how
	// far cached sessions may be trusted.
	Ping(ctx context.Context) error
	// Writable returns nil while there is room and health enough to take
	// logins. Revocations are attempted even if there is not.
	Writable() error
	// Freeze durably closes the store for writing, or opens it again: from its
	// return on, on every node and after every start, an Update answers
	// ErrFrozen. What an Update wrote before is written before Freeze returns.
	Freeze(ctx context.Context, frozen bool) error
	// Close waits for what runs and closes. It may be called again; every
	// other call after it answers ErrUnavailable.
	Close() error
}

// Tx is one transaction. Reads see the transaction's own writes. Reads of what
// does not exist answer ErrNotFound unless they say otherwise. Writes are
// applied together when the function returns; they return nothing because
// nothing can be decided on their outcome. Everything given to a Tx and taken
// from it belongs to the receiver.
type Tx interface {
	// Login reads all that a login by a QQ identity needs, in one round trip.
	// It never answers ErrNotFound. A link without its mirror, a link to a
	// user that is absent or does not name it, and the reverse, are ErrDamaged.
	Login(LoginQuery) (LoginRecord, error)
	// Session reads the session whose current token this is, and its user. For
	// a token that was retired by a refresh it answers ErrNotFound.
	Session(TokenHash) (Session, User, error)
	// SessionByID is Session by public id.
	SessionByID(SessionID) (Session, User, error)
	// Retired reads what is left of a refreshed token.
	Retired(TokenHash) (Retired, error)
	// Sessions lists the user's sessions; none is no error. It may name
	// sessions that have expired, never one that was deleted.
	Sessions(UserID) ([]SessionRef, error)
	// User reads a user.
	User(UserID) (User, error)
	// UserByIdentity reads the user that an identity is linked to.
	UserByIdentity(IdentityHash) (User, error)
	// Union lists the users that were seen with a unionid; none is no error.
	Union(UnionHash) ([]UnionMember, error)
	// Ticket reads a ticket.
	Ticket(TokenHash) (Ticket, error)
	// Pending reads a login that is not finished.
	Pending(PendingID) (Pending, error)
	// Pendings lists the logins of an identity that are not finished; none is
	// no error. The oldest comes first. It may name expired ones.
	Pendings(IdentityHash) ([]PendingRef, error)
	// Waiting lists the newest of the logins that are not finished at a client on
	// a device, at least 16 of them if there are as many; none is no error. The
	// oldest comes first. It may name expired ones.
	Waiting(ClientID, DeviceHash) ([]PendingRef, error)
	// SessionsAt lists the newest of the sessions of a client on a device that were
	// given to ListSession, at least 8 of them if there are as many; none is no
	// error. The
	// oldest, by Issued, comes first. It may name others, and some that have
	// expired or were deleted.
	SessionsAt(ClientID, DeviceHash) ([]SessionRef, error)
	// UserByHandle reads the user that a phone number, an e-mail address, a user
	// name or a device belongs to.
	UserByHandle(HandleHash) (User, error)
	// Code reads a verification code.
	Code(CodeHash) (Code, error)
	// Captcha reads a puzzle.
	Captcha(TokenHash) (Captcha, error)
	// Counters reads counters, in the order of the keys; one that is absent is
	// zero but for its key.
	Counters(...CounterHash) ([]Counter, error)
	// Erased reads what is kept of somebody who was erased.
	Erased(ErasedHash) (Erased, error)
	// PendingsOf lists the logins of a user that are not finished, by Pending.User;
	// none is no error. It may name expired ones.
	PendingsOf(UserID) ([]PendingRef, error)
	// Guests lists up to limit of the guests who are due before a time, in any order;
	// none is no error. It may leave out what cannot be read. It is for a View alone.
	Guests(before time.Time, limit int) ([]Guest, error)
	// Ring reads the wrapped key ring.
	Ring() ([]byte, error)

	// PutUser writes a user. Its links are written by PutLink alone: a store
	// keeps the user's Links as they are given here in its record.
	PutUser(User)
	// PutLink links an identity to a user, who must exist: the link and its
	// mirror.
	PutLink(Link, UserID)
	// DeleteLink undoes PutLink.
	DeleteLink(Link, UserID)
	// PutHandle says that a phone number, an e-mail address, a user name or a device
	// belongs to a user, who must exist.
	PutHandle(HandleHash, UserID)
	// DeleteHandle undoes PutHandle.
	DeleteHandle(HandleHash)
	// DeleteUser removes a user of whom nothing is left: whose links and handles
	// were deleted before, whose sessions and pending logins, too, and who is in
	// no union. A store that has files of its own drops from them within a day what
	// was sealed of the user.
	DeleteUser(UserID)
	// PutSession writes a session under its token and its public id, and its
	// line in the user's list.
	PutSession(Session)
	// ListSession lets SessionsAt list a session that PutSession writes; one without
	// a device is listed nowhere.
	ListSession(Session)
	// DeleteSession removes a session, its public id and its line in the list
	// of the user.
	DeleteSession(UserID, SessionRef)
	// RetireToken replaces the session record at a token by its remains.
	RetireToken(TokenHash, Retired)
	// PutAccess remembers a QQ access token that a user logged in with.
	PutAccess(AccessHash, Access)
	// PutUnion writes the users that were seen with a unionid.
	PutUnion(UnionHash, []UnionMember)
	// PutTicket writes a ticket.
	PutTicket(Ticket)
	// DeleteTicket removes a ticket.
	DeleteTicket(TokenHash)
	// PutPending writes a pending login and its lines in the lists of its identity
	// and of its client and device.
	PutPending(Pending)
	// DeletePending removes a pending login and its lines.
	DeletePending(IdentityHash, PendingID)
	// PutCode writes a verification code.
	PutCode(Code)
	// DeleteCode removes a verification code.
	DeleteCode(CodeHash)
	// PutCaptcha writes a puzzle.
	PutCaptcha(Captcha)
	// DeleteCaptcha removes a puzzle.
	DeleteCaptcha(TokenHash)
	// PutCounter writes a counter.
	PutCounter(Counter)
	// PutErased keeps what stands for somebody who was erased.
	PutErased(Erased)
	// PutGuest says when it is time to look whether a user, who must exist, is a
	// guest that nobody uses any more.
	PutGuest(Guest)
	// DeleteGuest undoes PutGuest. DeleteUser does so, too.
	DeleteGuest(UserID)
	// PutRing writes the wrapped key ring.
	PutRing([]byte)

	// Announce tells the other nodes of the store, if it has any, what the
	// transaction changes: they hear of it when it is durable.
	Announce(...Event)
}

// Feed is an ability of a store that many nodes share: to tell each of them what
// the others announced.
type Feed interface {
	// Poll answers the events that were announced by other nodes and that no
	// earlier Poll of this Store answered. Every Update that announced and
	// returned before Poll was called is among them. complete is false if some
	// may have been missed since the last Poll: everything that the node
	// remembers is then to be read again. Poll must not be called concurrently.
	Poll(context.Context) (events []Event, complete bool, err error)
}

// Archive is an ability of the Tx of a View: to go through everything that
// outlives a move to another store. Each method lists up to limit records in an
// order of the store's own, beginning after the given one; the zero key comes
// before all. Fewer than limit means that there are no more. A record that cannot be
// read is ErrDamaged and never left out.
type Archive interface {
	UsersAfter(after UserID, limit int) ([]User, error)
	SessionsAfter(after SessionID, limit int) ([]Session, error)
	RetiredAfter(after TokenHash, limit int) ([]RetiredToken, error)
	AccessesAfter(after AccessHash, limit int) ([]KnownAccess, error)
	ErasedAfter(after ErasedHash, limit int) ([]Erased, error)
}

// RetiredToken is a refreshed token and what is left of it.
type RetiredToken struct {
	Token TokenHash
	Retired
}

// KnownAccess is a QQ access token and who logged in with it.
type KnownAccess struct {
	Hash AccessHash
	Access
}

// Stamp is what two versions of a session and its user are told apart by. It
// means nothing else.
type Stamp [2]uint64

// Stamped is an ability that a Tx of a View may have: to tell at less cost than
// that of reading them whether two records have been written since.
type Stamped interface {
	// Stamp answers the stamp of the session with this token and of this user,
	// or ErrNotFound if one of them is absent. It differs from every earlier one
	// if either record was written since.
	Stamp(TokenHash, UserID) (Stamp, error)
}

// LoginQuery asks for what a login needs.
type LoginQuery struct {
	Identity IdentityHash
	// Access is the QQ access token that the login came with; zero asks for
	// none.
	Access AccessHash
}

// LoginRecord answers a LoginQuery.
type LoginRecord struct {
	// Linked says that the identity belongs to User; otherwise User and
	// Sessions are zero.
	Linked   bool
	User     User
	Sessions []SessionRef
	// Seen says that this access token was used before; Access tells by whom.
	Seen   bool
	Access Access
}

// Access is the memory of a QQ access token that a user logged in with. It is
// kept for 90 days, longer than QQ lets a token live.
type Access struct {
	User UserID `cbor:"1,keyasint"`
	// Epoch is the user's at the login: after a log-out of all it is behind,
	// and the token is refused.
	Epoch   uint32    `cbor:"2,keyasint,omitempty"`
	Expires time.Time `cbor:"3,keyasint"`
}

// UnionMember is a user that was seen with a unionid in an application.
type UnionMember struct {
	App  AppID  `cbor:"1,keyasint"`
	User UserID `cbor:"2,keyasint"`
}

// Vault opens a store's key ring and seals what the store writes down.
type Vault interface {
	// Unlock is called once while a store opens, with the wrapped ring that
	// it holds, or nil if the store is new. It returns the wrapped ring to
	// write in its place, or nil if that one stays. It answers ErrWrongSecret
	// for a ring that was wrapped under another secret.
	Unlock(wrapped []byte) (replace []byte, err error)
	// Seal encrypts and authenticates plain for one place, which context names.
	Seal(plain, context []byte) []byte
	// Open undoes Seal. It fails for anything that Seal did not return for
	// exactly this context.
	Open(sealed, context []byte) ([]byte, error)
}
