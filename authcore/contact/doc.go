// Package contact owns how phone numbers and e-mail addresses are written: the
// one form in which each is kept and compared, the form in which it is shown
// when it must not be shown whole, and the list of countries.
//
// Two spellings of one number would be two users, and two numbers that read
// alike would be one. So whatever comes from outside passes through here once,
// before anything is looked up or sent to.
//
// It must not know users, codes or HTTP, and no number or address may get into
// its errors.
package contact
