// Package qq asks QQ Connect (graph.qq.com) whose access token it is shown, and
// what QQ tells about that account; and it exchanges a one-time code for a token.
//
// QQ is never trusted to be polite: it answers errors with HTTP 200 and
// text/html, as JSON or as JSONP whatever was asked for, and with any
// application's token it is content. So an answer is read by its body alone, an
// error by its number alone, and an identity is believed only if QQ names
// exactly our application and exactly the open id that was claimed.
//
// The package owns the calls, their bounds and the reading of answers. It must
// not know users, sessions, stores, HTTP servers or Caddy, and no access token,
// code, key, open id or text of QQ's may get into its errors.
package qq
