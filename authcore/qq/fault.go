package qq

import (
	"errors"
	"fmt"

	"github.com/qqauth/qqauth/authcore"
)

// callName names a call in errors and metrics.
type callName string

const (
	callMe      callName = "me"
	callProfile callName = "profile"
	callToken   callName = "token"
)

// number is an error number of QQ's.
type number int

// refusal is an answer that is an error of QQ's. QQ's own words are left out:
// they are not needed, they change, and they could repeat what we sent.
type refusal struct {
	call   callName
	number number
}

func (r *refusal) Error() string {
	return fmt.Sprintf("qq %s: error %d: %v", r.call, r.number, r.Unwrap())
}

// Unwrap returns the fault that the number stands for. The numbers are those of
// QQ Connect's page "公共返回码说明" and, if negative, of its OpenAPI gateway. One
// that stands in no row says nothing about the user: it is never taken for a
// refused token, and never for a success.
func (r *refusal) Unwrap() error {
	switch r.number {
	case 100007, 100013, 100014, 100015, 100016, 100030, // token missing, illegal, expired, revoked, unchecked; API not granted
		100005, 100018, 100019, 100020, // a one-time code where a token belongs
		-20, -21, -22, -23, -24, -70, -71, -73, // the gateway's words for the same
		1002: // not logged in
		return authcore.ErrQQToken
	case 100001, 100002, 100008, 100009, 100010, 100011, 100031, // application unknown, its key wrong, offline, not entitled
		notGranted,
		-2, -3, -4, -5, -72: // application, API, address or signature refused
		return authcore.ErrQQConfig
	}
	return authcore.ErrQQUnavailable
}

// fault returns an error that names the call and wraps what is wrong. Nothing
// that came from outside may stand in reason.
func fault(call callName, reason string, wrong error) error {
	if reason != "" {
		reason += ": "
	}
	return fmt.Errorf("qq %s: %s%w", call, reason, wrong)
}

// result is the bounded word for a metric.
func result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, authcore.ErrQQToken):
		return "token"
	case errors.Is(err, authcore.ErrQQApp):
		return "app"
	case errors.Is(err, authcore.ErrQQOpenID):
		return "openid"
	case errors.Is(err, authcore.ErrQQConfig):
		return "config"
	}
	return "unavailable"
}
