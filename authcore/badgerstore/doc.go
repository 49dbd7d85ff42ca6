// Package badgerstore keeps an [authcore.Store] in a directory, on Badger.
//
// It owns everything in that directory: the format of keys and values, when a
// write is durable, and what counts as damage. It must not know what the records
// mean beyond what [authcore.Tx] says, nor HTTP, Caddy or the cryptography
// behind [authcore.Vault].
//
// Badger alone would lose acknowledged writes in a power cut, read a damaged
// block as "not found", drop a damaged log without a word and die of a full
// disk. So there is one writer that commits and syncs a batch at a time
// (writer.go), the directory is checked before Badger may touch it
// (preflight.go), every value is sealed, what may not be missed is written twice
// far apart (key.go), a sequence number is kept inside and beside the database
// (mark.go), free space is watched (space_unix.go), and what was deleted of a user
// is made to leave the files, too (residue.go).
//
// # Accepting a loss
//
// A store that finds damage refuses to open until an operator decides. A table
// or MANIFEST that cannot be read has to be put back from a copy. Where writes
// are missing, deleting the file MARK in the directory says that they may stay
// missing: the store then opens with what is there and voids every session,
// ticket and pending login, because a log-out may be among the things lost. The
// same has to be done after an older copy of the directory has been put back.
package badgerstore
