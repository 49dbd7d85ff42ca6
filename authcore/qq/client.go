package qq

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

const (
	defaultEndpoint = "https://graph.qq.com"
	defaultTimeout  = 5 * time.Second

	// maxTokenBytes and maxOpenIDBytes bound what a caller can make us send
	// and compare; QQ's own are 32 bytes and a unionid is said to fit in 64.
	maxTokenBytes  = 512
	maxOpenIDBytes = 128

	// notGranted is the error of a unionid that Tencent has not granted to the
	// application. It replaces the whole answer, open id included.
	notGranted number = 100048
)

// Config says which QQ application a Client speaks for, and how.
type Config struct {
	// App is the application's id at QQ Connect. Required.
	App authcore.AppID
	// Key is the application's secret at QQ Connect. Without one no code is
	// exchanged.
	Key opaque.Secret
	// Endpoint is the URL under which QQ's paths lie, https://graph.qq.com if
	// empty. It has no user, query or fragment.
	Endpoint string
	// Timeout bounds one Prove, one Profile or one Exchange, waiting for a free
	// slot and all calls together; 5 s if zero.
	Timeout time.Duration
	// UnionID asks for the account's unionid, which Tencent must have granted
	// to the application. Without the grant logins work and cost two calls.
	UnionID bool
	// Transport makes the calls; nil for one of the Client's own, which Close
	// closes. Whatever it is, redirects are not followed. It must not repeat a
	// request whose body cannot be read again; http.Transport does not.
	Transport http.RoundTripper
	// Observe, if not nil, is told of each call that was made or given up:
	// call is "me", "profile" or "token", result "ok", "token", "app", "openid",
	// "config" or "unavailable", d the time it took, waiting included.
	Observe func(call, result string, d time.Duration)
}

// Client asks QQ for one QQ application. It is safe for concurrent use.
type Client struct {
	app       authcore.AppID
	key       opaque.Secret
	me        url.URL
	profile   url.URL
	token     url.URL
	timeout   time.Duration
	unionID   bool
	transport http.RoundTripper
	own       *http.Transport   // nil if the transport was given to us
	once      http.RoundTripper // for what must not be sent twice
	observe   func(call, result string, d time.Duration)
	gate      gate
}

// New returns a Client, or an error that says which field of c is wrong.
func New(c Config) (*Client, error) {
	if c.App == "" {
		return nil, errors.New("qq: the app id is empty")
	}
	if c.Timeout < 0 {
		return nil, errors.New("qq: the timeout is negative")
	}
	if c.Endpoint == "" {
		c.Endpoint = defaultEndpoint
	}
	base, err := url.Parse(c.Endpoint)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" ||
		base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		// Not quoted: a password may stand in it.
		return nil, errors.New("qq: the endpoint is not an http or https URL without user, query and fragment")
	}
	if base.Path == "" {
		base.Path = "/" // JoinPath keeps a relative path relative, even below a host
	}
	client := &Client{
		app:       c.App,
		key:       c.Key,
		me:        *base.JoinPath("oauth2.0", "me"),
		profile:   *base.JoinPath("user", "get_user_info"),
		token:     *base.JoinPath("oauth2.0", "token"),
		timeout:   c.Timeout,
		unionID:   c.UnionID,
		transport: c.Transport,
		once:      c.Transport,
		observe:   c.Observe,
		gate:      newGate(),
	}
	if client.timeout == 0 {
		client.timeout = defaultTimeout
	}
	if client.transport == nil {
		client.own = newTransport()
		client.transport = client.own
		client.once = onceTransport()
	}
	return client, nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: defaultTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // answers are a hundred bytes
		MaxIdleConnsPerHost:    maxInFlight,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxAnswerBytes,
	}
}

// Close drops the idle connections of a transport of the Client's own. Calls in
// flight go on, and later ones work.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Prove implements [authcore.QQ]. It costs one call; with UnionID set and not
// granted, two.
func (c *Client) Prove(ctx context.Context, accessToken, openID string) (authcore.Identity, error) {
	if !presentable(accessToken, maxTokenBytes) {
		return authcore.Identity{}, fault(callMe, "not sent: malformed access token", authcore.ErrQQToken)
	}
	if openID != "" && !presentable(openID, maxOpenIDBytes) {
		return authcore.Identity{}, fault(callMe, "not sent: malformed open id", authcore.ErrQQOpenID)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errTimeout)
	defer cancel()
	id, err := c.askMe(ctx, accessToken, openID, c.unionID)
	if refused, ok := errors.AsType[*refusal](err); ok && c.unionID && refused.number == notGranted {
		return c.askMe(ctx, accessToken, openID, false)
	}
	return id, err
}

// askMe makes one call to /oauth2.0/me, which tells whose token it is and never
// hears whose it should be: both comparisons are ours.
func (c *Client) askMe(ctx context.Context, accessToken, openID string, unionID bool) (id authcore.Identity, err error) {
	defer c.observed(callMe, time.Now(), &err)
	query := "access_token=" + url.QueryEscape(accessToken) + "&fmt=json"
	if unionID {
		query += "&unionid=1"
	}
	body, err := c.get(ctx, callMe, c.me, query)
	if err != nil {
		return authcore.Identity{}, err
	}
	me, err := parseMe(body)
	switch {
	case err != nil:
		return authcore.Identity{}, err
	case me.App != c.app:
		return authcore.Identity{}, fault(callMe, "", authcore.ErrQQApp)
	case openID != "" && openID != me.OpenID:
		return authcore.Identity{}, fault(callMe, "", authcore.ErrQQOpenID)
	}
	if !unionID {
		me.UnionID = ""
	}
	return me, nil
}

// Profile implements [authcore.QQ]. QQ is asked about the open id in id, so its
// answer proves nothing.
func (c *Client) Profile(ctx context.Context, accessToken string, id authcore.Identity) (profile authcore.QQProfile, err error) {
	if !presentable(accessToken, maxTokenBytes) {
		return authcore.QQProfile{}, fault(callProfile, "not sent: malformed access token", authcore.ErrQQToken)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errTimeout)
	defer cancel()
	defer c.observed(callProfile, time.Now(), &err)
	query := "access_token=" + url.QueryEscape(accessToken) +
		"&oauth_consumer_key=" + url.QueryEscape(string(c.app)) +
		"&openid=" + url.QueryEscape(id.OpenID)
	body, err := c.get(ctx, callProfile, c.profile, query)
	if err != nil {
		return authcore.QQProfile{}, err
	}
	return parseProfile(body)
}

func (c *Client) observed(call callName, start time.Time, err *error) {
	if c.observe != nil {
		c.observe(string(call), result(*err), time.Since(start))
	}
}

// presentable reports whether s is one to limit of the characters that a URL
// leaves as they are (RFC 3986 section 2.3). What QQ might trim or unescape would
// be a second spelling of one token, and no spelling that was refused here may
// come back as another.
func presentable(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		case b == '-', b == '.', b == '_', b == '~':
		default:
			return false
		}
	}
	return true
}

var _ authcore.QQ = (*Client)(nil)
