package idaas

import (
	"net/http"
	"net/url"
	"strings"
)

// redacted stands for a secret in an access log.
const redacted = "REDACTED"

// secretHeaders carry tokens. Access logs know to hide the last four; this
// list has them too because Redact's copy is logged as it is.
var secretHeaders = []string{"Session-Token", "X-State-Token", "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"}

// secretParams are the query parameters that carry secrets, on any path.
var secretParams = map[string]bool{
	"client_secret": true,
	"access_token":  true,
	"code":          true,
	"state":         true,
	"session_token": true,
}

// openParams are the query parameters of this API that are worth reading in a
// log. Any other on our paths is redacted: a misspelt client_secret is one too.
var openParams = map[string]bool{"grant_type": true, "client_id": true}

// Secrets reports whether an access log that hides only cookies and
// Authorization would show a secret of this request: a token in a header, or a
// client's secret in the query, on any path, as ours may have been missed by a
// letter; or any query on a path of ours, where nothing else belongs. Such a
// request is logged by what [Redact] leaves.
func Secrets(r *http.Request) bool {
	return len(r.Header["Session-Token"]) > 0 || len(r.Header["X-State-Token"]) > 0 ||
		r.URL.RawQuery != "" && (serves(r.URL.Path) || strings.Contains(r.URL.RawQuery, "client_secret"))
}

// Redact returns the request's URI as it arrived, and its headers, with REDACTED
// for every secret. The request is not changed.
func Redact(r *http.Request) (uri string, header http.Header) {
	uri = r.RequestURI
	if uri == "" {
		uri = r.URL.RequestURI()
	}
	if path, query, ok := strings.Cut(uri, "?"); ok {
		uri = path + "?" + redactQuery(query, serves(r.URL.Path))
	}
	header = r.Header.Clone()
	for _, name := range secretHeaders {
		for i := range header[name] {
			header[name][i] = redacted
		}
	}
	return uri, header
}

// redactQuery works on the text and not on parsed values, so that a query that
// nobody can parse shows nothing and every other keeps its order.
func redactQuery(query string, ours bool) string {
	// Some servers take ; for & and so may whoever wrote it.
	pairs := strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' })
	for i, pair := range pairs {
		key, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		switch {
		case secretParams[name]:
			pairs[i] = key + "=" + redacted
		case err != nil, ours && !openParams[name]:
			pairs[i] = redacted
		}
	}
	return strings.Join(pairs, "&")
}
