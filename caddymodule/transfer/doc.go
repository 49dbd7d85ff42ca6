// Package transfer is the wire format in which an account base travels between
// stores, and the lists that other systems give.
//
// An export is a file of JSON Lines: a header, the wrapped key ring, one record
// a line, and a last line that counts them, so that a cut file is noticed. It is
// read strictly: what is unknown, doubled, out of place or too long is refused,
// with the number of its line and never its content, which is personal. A CSV
// file or a plain list of openids gives records of one kind, accounts.
//
// The package must not know stores, or what becomes of a record.
package transfer
