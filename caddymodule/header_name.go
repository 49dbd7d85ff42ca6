package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// defaultTicketHeader carries the assertion. No request keeps one of its own,
// whatever a guard's ticket_header says.
const defaultTicketHeader = "X-Qqauth-Ticket"

// unsettable are headers, in lower case, that belong to the connection or the
// framing of a message (RFC 9110 §7.6.1), or that carry credentials.
var unsettable = []string{
	"connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
	"host", "content-length", "expect", "proxy-authenticate", "proxy-authorization",
	"cookie", "set-cookie", "authorization",
}

// normalName is the form under which two spellings of a header's name are one.
// Servers behind us that make environment variables of headers read X_User and
// X.User as X-User.
func normalName(name string) string {
	return dashes.Replace(strings.ToLower(name))
}

var dashes = strings.NewReplacer("_", "-", ".", "-")

// checkHeaderName demands a name that a guard may set.
func checkHeaderName(name string) error {
	if !isToken(name) {
		return errors.New("that is no header name: write letters, digits and '-'")
	}
	if slices.Contains(unsettable, normalName(name)) {
		return fmt.Errorf("%s belongs to the connection or carries credentials: write a name of your own, such as X-User-Id", name)
	}
	return nil
}

// isToken reports whether s is a token by RFC 9110 §5.6.2.
func isToken(s string) bool {
	const marks = "!#$%&'*+-.^_`|~"
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(marks, r))
	})
}
