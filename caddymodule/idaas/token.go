package idaas

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/qqauth/qqauth/authcore"
)

// credentials are a client's id and secret, as one place of a request has them.
type credentials struct{ id, secret string }

// token answers client credentials with a bearer for the tenant calls
// (RFC 6749 section 4.4; the vendor's clients put everything in the query).
func token(c *call) error {
	p, err := c.params()
	if err != nil {
		return err
	}
	creds, err := c.credentials(p)
	if err != nil {
		return err
	}
	switch grant := p.first("grant_type"); grant {
	case "":
		return refuse(requestInvalid, "grant_type is empty")
	case "client_credentials":
	default:
		return refuse(grantUnsupported, "grant_type is not client_credentials")
	}
	if creds.id == "" || creds.secret == "" {
		return refuse(clientInvalid, "client credentials are incomplete")
	}
	if id := authcore.ClientID(creds.id); c.service.HasClient(id) {
		c.client = id
	}
	b, err := c.service.NewBearer(authcore.ClientID(creds.id), creds.secret)
	if errors.Is(err, authcore.ErrUnknownClient) || errors.Is(err, authcore.ErrClientSecret) {
		return refuse(clientInvalid, "client credentials are wrong")
	}
	if err != nil {
		return err
	}
	return c.ok(struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
		Scope       string `json:"scope"`
	}{b.Token.Reveal(), "Bearer", seconds(b.ExpiresIn), "all"})
}

// params are a token request's parameters, by where they stand.
type params struct{ query, form url.Values }

// first is a parameter's value from either place. One that is sent without a
// value counts as omitted (RFC 6749 section 3.2).
func (p params) first(name string) string {
	if v := p.query.Get(name); v != "" {
		return v
	}
	return p.form.Get(name)
}

// params reads query and form. No parameter may be sent twice (RFC 6749
// section 3.2): what reads the first and what reads the last would differ.
func (c *call) params() (params, error) {
	malformed := refuse(requestInvalid, "parameters are malformed or repeated")
	body, err := c.read()
	if err != nil {
		return params{}, err
	}
	if len(body) > 0 && !c.contentType("application/x-www-form-urlencoded") {
		return params{}, refuse(requestInvalid, "body is not a form")
	}
	query, errQuery := url.ParseQuery(c.r.URL.RawQuery)
	form, errForm := url.ParseQuery(string(body))
	if errQuery != nil || errForm != nil {
		return params{}, malformed
	}
	for _, values := range []url.Values{query, form} {
		for name := range values {
			if len(query[name])+len(form[name]) > 1 {
				return params{}, malformed
			}
		}
	}
	return params{query, form}, nil
}

// credentials finds the client's id and secret in the one place that has them
// (RFC 6749 section 2.3: a client uses one method in a request). None at all
// are empty credentials.
func (c *call) credentials(p params) (found credentials, err error) {
	basic, err := c.basic()
	if err != nil {
		return found, err
	}
	places := 0
	for _, at := range []credentials{
		basic,
		{p.query.Get("client_id"), p.query.Get("client_secret")},
		{p.form.Get("client_id"), p.form.Get("client_secret")},
	} {
		if at != (credentials{}) {
			found = at
			places++
		}
	}
	if places > 1 {
		return found, refuse(requestInvalid, "client credentials stand in two places")
	}
	return found, nil
}

// basic reads the credentials of HTTP Basic, empty if it is not used.
func (c *call) basic() (found credentials, err error) {
	encoded, ok := basicOf(c.r.Header)
	if !ok {
		return found, refuse(requestInvalid, "Authorization is malformed or repeated")
	}
	malformed := refuse(clientInvalid, "Basic credentials are malformed")
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return found, malformed
	}
	// Both are form-encoded first (RFC 6749 section 2.3.1), which many clients
	// forget. A plus is left as it is: base64 secrets of those who forget have
	// it, and a space is in nobody's secret.
	id, secret, _ := strings.Cut(string(decoded), ":")
	if found.id, err = url.PathUnescape(id); err != nil {
		return found, malformed
	}
	if found.secret, err = url.PathUnescape(secret); err != nil {
		return found, malformed
	}
	return found, nil
}

// basicOf is the credential of an Authorization: Basic header. Any other scheme
// is no attempt to use it: some clients send their old bearer along. ok is false
// for a malformed header.
func basicOf(h http.Header) (encoded string, ok bool) {
	v, ok := header(h, "Authorization")
	scheme, encoded, _ := strings.Cut(v, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return "", ok
	}
	return strings.TrimSpace(encoded), true
}
