package authcore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

const (
	// importBatch is how many records one transaction takes, and importBytes
	// about how much they may hold: a store's transaction has bounds.
	importBatch = 64
	importBytes = 256 << 10
)

// errDryRun ends a transaction that was only to be decided.
var errDryRun = errors.New("dry run")

// ImportConfig says what comes in.
type ImportConfig struct {
	// Keys is the wrapped key ring of the store that the records come from; nil
	// leaves keys, and all that is good under them alone, where they are.
	Keys []byte
	// DryRun decides everything and writes nothing. What one transaction would
	// have found of an earlier one it does not see, but takes a session whose user
	// it does not find for one whose user has just come in.
	DryRun bool
}

// Import takes records of another store, or of another system, into a node's
// store. It may be given the same records twice.
type Import struct {
	node *Node
	dry  bool
	keys ImportedKeys
}

// ImportedKeys is what has become of the keys that came in.
type ImportedKeys string

// The outcomes for keys.
const (
	// KeysLeft says that none came in.
	KeysLeft ImportedKeys = "left"
	// KeysShared says that what was made under them is good here: sessions can
	// come in.
	KeysShared ImportedKeys = "shared"
	// KeysVerifying says that this store has users under keys of its own: of the
	// others, what was signed verifies until it expires, and nothing else.
	KeysVerifying ImportedKeys = "verifying"
)

// ImportReport counts what records have come to.
type ImportReport struct {
	Created, Changed, Unchanged int // users
	Disabled                    int // users, of those changed
	Links                       int
	Sessions, Retired, Accesses int
	Erased                      int // QQ accounts and users that were erased elsewhere
	// Left counts sessions, refreshed tokens and access tokens that did not come
	// in: over, here already, or not good under the keys of this store.
	Left      int
	Conflicts []Conflict
}

// Conflict is a record, or a part of one, that was not taken.
type Conflict struct {
	Record int    // its place among those that were given
	Reason string // holds nothing personal
}

// NewImport begins an import by taking the keys in. ErrWrongSecret: they are
// wrapped by a secret_key that is none of this node's, and nothing has changed.
// The first users should come in before anybody logs in: a login that is under
// way while a store without users takes other keys over may be lost.
func (n *Node) NewImport(ctx context.Context, cfg ImportConfig) (*Import, error) {
	i := &Import{node: n, dry: cfg.DryRun, keys: KeysLeft}
	if cfg.Keys == nil {
		return i, nil
	}
	merge := func(stored []byte) (replace []byte, err error) {
		users, err := viewArchive(ctx, n.store, func(a Archive) ([]User, error) { return a.UsersAfter("", 1) })
		if err != nil {
			return nil, err
		}
		replace, same, err := n.keys.Merge(stored, cfg.Keys, len(users) == 0)
		if i.keys = KeysVerifying; same {
			i.keys = KeysShared
		}
		return replace, err
	}
	if i.dry {
		stored, err := n.storedRing(ctx)
		if err == nil {
			_, err = merge(stored)
		}
		return i, takeOver(err)
	}
	ring, err := n.replaceRing(ctx, merge)
	if err == nil {
		err = n.keys.Adopt(ring)
	}
	return i, takeOver(err)
}

func takeOver(err error) error {
	if err != nil {
		return fmt.Errorf("take keys over: %w", err)
	}
	return nil
}

// Keys tells what has become of the keys.
func (i *Import) Keys() ImportedKeys { return i.keys }

// DryRun reports whether nothing is written.
func (i *Import) DryRun() bool { return i.dry }

// Take takes records in, in their order: a session after its user. What it
// reports holds, and is known on every node, when it returns; after an error, so
// does what came before it.
func (i *Import) Take(ctx context.Context, records []Record) (report ImportReport, err error) {
	if err := i.node.store.Writable(); err != nil {
		return report, err
	}
	erased := make(map[ErasedHash]bool)
	for first := 0; first < len(records); {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		b := i.batch(records[first:])
		if err := i.node.update(ctx, b.decide); err != nil && !errors.Is(err, errDryRun) {
			return report, err
		}
		report.add(&b.report, first)
		for _, hash := range b.gone {
			erased[hash] = true
		}
		first += len(b.records)
	}
	if len(erased) > 0 && !i.dry {
		err = i.eraseUsers(ctx, erased)
	}
	return report, err
}

// batch readies as many records as fit into one transaction.
func (i *Import) batch(records []Record) *importing {
	b := &importing{
		ring: i.node.keys.Ring(), now: i.node.now(), dry: i.dry, shared: i.keys == KeysShared,
		newUsers: make(map[int]UserID),
	}
	size := 0
	for n := range records {
		if size += records[n].size(); n > 0 && (n == importBatch || size > importBytes) {
			break
		}
		if records[n].Account != nil {
			b.newUsers[n] = newUserID(b.now)
		}
		b.records = records[:n+1]
	}
	return b
}

// add counts what a batch whose first record is the one at place first came to.
func (r *ImportReport) add(other *ImportReport, first int) {
	r.Created += other.Created
	r.Changed += other.Changed
	r.Unchanged += other.Unchanged
	r.Disabled += other.Disabled
	r.Links += other.Links
	r.Sessions += other.Sessions
	r.Retired += other.Retired
	r.Accesses += other.Accesses
	r.Erased += other.Erased
	r.Left += other.Left
	for _, c := range other.Conflicts {
		r.Conflicts = append(r.Conflicts, Conflict{Record: first + c.Record, Reason: c.Reason})
	}
}

// importing is one transaction of an import: what it rests on, and what it was
// decided to be.
type importing struct {
	records  []Record
	newUsers map[int]UserID // made before the transaction, which may run again
	ring     *token.Ring
	now      time.Time
	dry      bool
	shared   bool // the keys are those that the records were made under

	report  ImportReport
	events  []Event
	handles []HandleHash // of the user who is being put
	gone    []ErasedHash // what was erased elsewhere
}

func (b *importing) decide(tx Tx) ([]Event, error) {
	b.report, b.events, b.handles, b.gone = ImportReport{}, nil, nil, nil
	for n := range b.records {
		if err := b.take(tx, n); err != nil {
			return nil, err
		}
	}
	if b.dry {
		return nil, errDryRun
	}
	return b.events, nil
}

func (b *importing) take(tx Tx, n int) error {
	r := &b.records[n]
	if reason := r.unfit(); reason != "" {
		b.conflict(n, reason)
		return nil
	}
	switch {
	case r.User != nil:
		return b.user(tx, n, r.User)
	case r.Account != nil:
		return b.account(tx, n, r.Account)
	case r.Erased != nil:
		return b.erased(tx, r.Erased)
	case r.Session != nil:
		return b.session(tx, r.Session)
	case r.Retired != nil:
		return b.retired(tx, r.Retired)
	default:
		return b.access(tx, r.Access)
	}
}

func (b *importing) conflict(n int, reason string) {
	b.report.Conflicts = append(b.report.Conflicts, Conflict{Record: n, Reason: reason})
}
