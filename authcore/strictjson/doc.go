// Package strictjson reads JSON that outsiders wrote in the one way in which no
// two readers can disagree about it.
//
// encoding/json takes the last of two members with one name, takes "OpenID" for
// "openid", and turns broken text into U+FFFD. Each of these lets a sender show
// one value to whoever checks and another to whoever acts. So this package
// refuses duplicate names at any depth, counts names that differ in case alone
// as duplicates, fills a field only from a member spelled exactly like it, and
// takes nothing that is not one complete object of valid UTF-8.
//
// It owns the grammar and knows nothing of any wire format: what a body may
// weigh, which members it must have and what is answered is its caller's.
package strictjson
