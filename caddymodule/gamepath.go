package caddymodule

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// gameFolders are where the paths of the GameSparks API hold a secret:
// /rs/{credential}/{secret}/{RequestName} and /ws/{credential}/{apiKey}.
var gameFolders = []string{"rs", "ws"}

// requestName is what a request of the GameSparks API may be called. No secret
// that we ask an operator to make has this form.
var requestName = regexp.MustCompile(`^[A-Za-z]{1,57}Request$`)

// hidden stands for a secret in an access log.
const hidden = "REDACTED"

// carriesGameSecret reports whether a request to the login site holds a secret of
// a game in its URL, or in its Referer, which a browser sends for what it loads
// after somebody has opened such a URL in it.
func carriesGameSecret(r *http.Request) bool {
	if _, ok := gamePath(r); ok {
		return true
	}
	return slices.ContainsFunc(r.Header["Referer"], mentionsGame)
}

// gamePath returns the path of a request to the GameSparks API, in whatever
// spelling a game that is set up wrongly may send: another case, doubled
// slashes, dot segments, escapes of escapes. It looks at what other handlers
// have made of the request, and at what arrived, which is what Caddy logs.
func gamePath(r *http.Request) (path string, ok bool) {
	if path := writtenPath(r.URL); throughGame(path) {
		return path, true
	}
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil {
		return "", false
	}
	path = writtenPath(original.URL)
	return path, throughGame(path)
}

// writtenPath is a URL's path, also of one such as http:rs/credential/secret.
func writtenPath(u *url.URL) string { return cmp.Or(u.Path, u.Opaque) }

// throughGame reports whether a path leads through a folder of the GameSparks
// API, even if dot segments lead out of it again: the secret was written all the
// same.
func throughGame(path string) bool {
	depth := 0
	for segment := range strings.SplitSeq(unescaped(path), "/") {
		switch segment {
		case "", ".":
		case "..":
			depth = max(depth-1, 0)
		default:
			depth++
			if depth == 1 && isGameFolder(segment) {
				return true
			}
		}
	}
	return false
}

// mentionsGame reports whether a folder of the GameSparks API stands anywhere in
// a text that may hold a URL or a path.
func mentionsGame(text string) bool {
	text = strings.ReplaceAll(unescaped(text), ":", "/")
	return strings.Contains(text, "/") && slices.ContainsFunc(strings.Split(text, "/"), isGameFolder)
}

// isGameFolder reports whether a path's segment is a folder of the GameSparks
// API in any case, whatever separator unknown to us stands behind it.
func isGameFolder(segment string) bool {
	if end := strings.IndexFunc(segment, notInName); end >= 0 {
		segment = segment[:end]
	}
	return slices.ContainsFunc(gameFolders, func(folder string) bool { return strings.EqualFold(segment, folder) })
}

// notInName reports whether a character ends a name, as those do that some
// server or client takes for a separator. What is not ASCII goes on with it.
func notInName(c rune) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c >= 0x80:
		return false
	}
	return !strings.ContainsRune("._~-", c)
}

// maxEscapes is how many layers of percent-escapes are taken off. More than one
// comes of a program that escapes what is escaped already. Without an end, a path
// of escapes of escapes would cost the square of its length.
const maxEscapes = 4

var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// unescaped takes percent-escapes off, whatever else has the look of one, and
// reads a backslash as a slash.
func unescaped(text string) string {
	for range maxEscapes {
		if !strings.Contains(text, "%") {
			break
		}
		text = escape.ReplaceAllStringFunc(text, func(code string) string {
			c, _ := strconv.ParseUint(code[1:], 16, 8) // the pattern takes no other
			return string([]byte{byte(c)})
		})
	}
	return strings.ReplaceAll(text, `\`, "/")
}

// hideGamePath is a path of the GameSparks API as a log may show it. Only what we
// know cannot be a secret stays: in a request that is set up wrongly, the secret
// may stand in any place.
func (a *App) hideGamePath(path string) string {
	segments := strings.Split(path, "/")
	if len(segments) < 2 || segments[0] != "" || !slices.Contains(gameFolders, segments[1]) {
		return "/" + hidden
	}
	for i, segment := range segments {
		switch {
		case i < 2, segment == "":
		case i == 2 && a.isCredential(segment):
		case i == 4 && requestName.MatchString(segment):
		default:
			segments[i] = hidden
		}
	}
	return strings.Join(segments, "/")
}

// isCredential reports whether some client's games use a credential.
func (a *App) isCredential(name string) bool {
	for i := range a.Clients {
		if games := a.Clients[i].GameSparks; games != nil && games.Credential == name {
			return true
		}
	}
	return false
}
