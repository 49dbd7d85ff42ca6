package caddymodule

import (
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// cleaner removes from requests what only the guard may say, and what is the
// guard's alone to know.
type cleaner struct {
	// names are the headers that the guard sets, normalised, by length: most
	// headers of a request differ from all of them in length already.
	names map[int][]string
}

func newCleaner(rules *guardRules) *cleaner {
	c := &cleaner{names: make(map[int][]string)}
	c.add(defaultTicketHeader)
	if rules.ticketHeader != "" {
		c.add(rules.ticketHeader)
	}
	for _, h := range rules.headers {
		c.add(h.name)
	}
	return c
}

func (c *cleaner) add(name string) {
	name = normalName(name)
	if !slices.Contains(c.names[len(name)], name) {
		c.names[len(name)] = append(c.names[len(name)], name)
	}
}

// ours reports whether a header is one that the guard sets, in any spelling that
// some upstream would take for it.
func (c *cleaner) ours(name string) bool {
	names, ok := c.names[len(name)]
	return ok && slices.Contains(names, normalName(name))
}

// request removes from a request the headers that the guard sets, their names
// from Connection, whose headers a proxy drops, and the session itself.
func (c *cleaner) request(r *http.Request) {
	for name := range r.Header {
		if c.ours(name) {
			delete(r.Header, name)
		}
	}
	if lines := r.Header["Connection"]; len(lines) > 0 {
		c.connection(r.Header, lines)
	}
	if lines := r.Header["Authorization"]; len(lines) > 0 {
		removeSessions(r.Header, lines)
	}
	// The login API's headers, sent to the wrong place: they carry nothing but
	// its secrets.
	delete(r.Header, "Session-Token")
	delete(r.Header, "X-State-Token")
	if lines := r.Header["Cookie"]; len(lines) > 0 {
		removeCookies(r.Header, lines)
	}
}

// connection drops our names from the Connection header. A client that lists
// the assertion's header there would otherwise have the proxy remove it.
func (c *cleaner) connection(h http.Header, lines []string) {
	var kept []string
	changed := false
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.TrimString(name); c.ours(name) {
				changed = true
			} else if name != "" {
				kept = append(kept, name)
			}
		}
	}
	if !changed {
		return
	}
	if h.Del("Connection"); len(kept) > 0 {
		h["Connection"] = []string{strings.Join(kept, ", ")}
	}
}

// removeSessions removes bearer session tokens and leaves any other credentials
// to the upstream.
func removeSessions(h http.Header, lines []string) {
	kept := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		_, ok := sessionBearer(line)
		return ok
	})
	setLines(h, "Authorization", lines, kept)
}

// removeCookies removes our cookies and leaves the others.
func removeCookies(h http.Header, lines []string) {
	var kept []string
	for _, line := range lines {
		if !strings.Contains(strings.ToLower(line), "qqauth") {
			kept = append(kept, line)
			continue
		}
		var pairs []string
		for pair := range strings.SplitSeq(line, ";") {
			if name, _, _ := strings.Cut(pair, "="); !isOurCookie(name) {
				pairs = append(pairs, pair)
			}
		}
		if rest := strings.TrimSpace(strings.Join(pairs, ";")); rest != "" {
			kept = append(kept, rest)
		}
	}
	setLines(h, "Cookie", lines, kept)
}

func setLines(h http.Header, name string, old, kept []string) {
	switch {
	case len(kept) == 0:
		delete(h, name)
	case !slices.Equal(old, kept):
		h[name] = kept
	}
}

// response returns a writer that keeps an upstream from setting our cookies.
func (c *cleaner) response(w http.ResponseWriter) http.ResponseWriter {
	return &cookieFilter{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
}

// cookieFilter removes Set-Cookie of our names from a response. An upstream that
// could set them could put somebody into another's session.
type cookieFilter struct {
	caddyhttp.ResponseWriterWrapper
	wrote bool
}

func (f *cookieFilter) filter() {
	if f.wrote {
		return
	}
	h := f.Header()
	if lines := h["Set-Cookie"]; len(lines) > 0 {
		setLines(h, "Set-Cookie", lines, slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
			// A cookie without a name comes back as if its value were one.
			name, _, _ := strings.Cut(strings.TrimLeft(line, " \t="), "=")
			return isOurCookie(name)
		}))
	}
}

func (f *cookieFilter) WriteHeader(status int) {
	f.filter()
	// An informational answer is followed by another.
	f.wrote = status < 100 || status > 199 || status == http.StatusSwitchingProtocols
	f.ResponseWriter.WriteHeader(status)
}

func (f *cookieFilter) Write(p []byte) (int, error) {
	f.filter()
	f.wrote = true
	return f.ResponseWriter.Write(p)
}

// ReadFrom lets the connection copy the body by itself where it can.
func (f *cookieFilter) ReadFrom(src io.Reader) (int64, error) {
	f.filter()
	f.wrote = true
	return f.ResponseWriterWrapper.ReadFrom(src)
}

// FlushError sends what there is, headers first.
func (f *cookieFilter) FlushError() error {
	f.filter()
	f.wrote = true
	return http.NewResponseController(f.ResponseWriter).Flush()
}

var _ io.ReaderFrom = (*cookieFilter)(nil)
