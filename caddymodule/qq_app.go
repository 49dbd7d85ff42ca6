package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/qqauth/qqauth/authcore"
)

// QQ is an application at QQ Connect.
type QQ struct {
	// AppID is the application's number, 1 to 20 digits. Required.
	AppID authcore.AppID `json:"app_id,omitempty"`

	// AppKey is the application's secret, as a placeholder. Only the exchange of
	// codes needs it: without it a one-time code in the place of an access token
	// is refused.
	AppKey string `json:"app_key,omitempty"`

	// Endpoint is the base of QQ's paths. Default: `https://graph.qq.com`.
	Endpoint string `json:"endpoint,omitempty"`

	// Timeout bounds a login's calls to QQ, waiting for a free one included.
	// Default: `5s`, at most `1m`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// UnionID asks for the unionid and stores it. Tencent must have granted it.
	// By itself it joins nobody.
	UnionID bool `json:"unionid,omitempty"`

	// Join are other applications, configured here, whose accounts with the same
	// unionid are the same user. Whoever runs one of them can log in as its
	// users in all. Both sides need UnionID.
	Join []authcore.AppID `json:"join,omitempty"`
}

const (
	defaultSimulator = authcore.AppID("100000000")
	defaultEndpoint  = "https://graph.qq.com"
	defaultTimeout   = caddy.Duration(5 * time.Second)
	maxTimeout       = caddy.Duration(time.Minute)
)

func (q *QQ) setDefaults() {
	q.Endpoint = cmp.Or(q.Endpoint, defaultEndpoint)
	if base, err := parseBase(q.Endpoint); err == nil {
		q.Endpoint = base.String()
	}
	q.Timeout = cmp.Or(q.Timeout, defaultTimeout)
}

// apps lists the QQ applications that clients may name, the simulator's
// included.
func (c *Config) apps() []authcore.AppID {
	apps := make([]authcore.AppID, 0, len(c.QQ)+1)
	for _, q := range c.QQ {
		apps = append(apps, q.AppID)
	}
	if c.Simulator != "" {
		apps = append(apps, c.Simulator)
	}
	return apps
}

// joined lists the applications whose accounts with one unionid are the same
// user as app's, app included; empty if app is joined to none. Joining is mutual
// and passes through: if A joins B and B joins C, then a user of A is a user of
// B, who is a user of C.
func (c *Config) joined(app authcore.AppID) []authcore.AppID {
	group := []authcore.AppID{app}
	for i := 0; i < len(group); i++ {
		for _, q := range c.QQ {
			for _, other := range q.Join {
				switch {
				case q.AppID == group[i] && !slices.Contains(group, other):
					group = append(group, other)
				case other == group[i] && !slices.Contains(group, q.AppID):
					group = append(group, q.AppID)
				}
			}
		}
	}
	if len(group) == 1 {
		return nil
	}
	slices.Sort(group)
	return group
}

func (c *Config) checkQQ() error {
	apps := c.apps()
	if len(apps) == 0 {
		return errors.New("no qq application: write qq <app_id>, or qq simulator for development")
	}
	for i, app := range apps {
		if err := checkAppID(app); err != nil {
			return fmt.Errorf("qq: %w", err)
		}
		if slices.Contains(apps[:i], app) {
			return fmt.Errorf("qq %s is configured twice: write one block for it", app)
		}
	}
	for i := range c.QQ {
		if err := c.QQ[i].check(c); err != nil {
			return fmt.Errorf("qq %s: %w", c.QQ[i].AppID, err)
		}
	}
	return nil
}

func (q *QQ) check(c *Config) error {
	if err := checkBase(q.Endpoint); err != nil {
		return fmt.Errorf("endpoint: %w", err)
	}
	if q.Timeout <= 0 || q.Timeout > maxTimeout {
		return errors.New("timeout: write a duration above 0 and up to 1m")
	}
	if err := distinct(q.Join); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	for _, app := range q.Join {
		if app == q.AppID {
			return errors.New("join: names the application itself: name the others only")
		}
		i := slices.IndexFunc(c.QQ, func(other QQ) bool { return other.AppID == app })
		if i < 0 {
			return fmt.Errorf("join: %s is no configured qq application: write qq %[1]s { … }, or leave it out", app)
		}
		// Without a unionid on both sides nothing would ever be joined, and the
		// operator would find out from users with two accounts.
		if !q.UnionID || !c.QQ[i].UnionID {
			return fmt.Errorf("join: needs unionid in this application and in %s: write unionid in both", app)
		}
	}
	return nil
}

var appID = regexp.MustCompile(`^[0-9]{1,20}$`)

func checkAppID(id authcore.AppID) error {
	if !appID.MatchString(string(id)) {
		return errors.New("an app id is 1 to 20 digits: write it as QQ Connect shows it")
	}
	return nil
}
