// Package delivery takes codes to phones and mailboxes: as a line in a file, by
// a webhook, by SMTP, and by Tencent Cloud SMS.
//
// It owns the words of the messages, the calls and their bounds. It must not
// know users, logins, limits, HTTP servers or Caddy. Neither a code nor a
// receiver may get into its errors, so that what the other side says is never
// repeated there, and only its numbers and names of errors are.
package delivery
