package delivery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
)

const (
	code    = "402817"
	phone   = "+86-15201657321"
	address = "zhangsan@mail.example"
	secret  = "b3JkaW5hcnktc2VjcmV0LTAx"
)

// sms is a message to a phone.
func sms(purpose authcore.Purpose) authcore.Message {
	return authcore.Message{
		Time: time.Date(2026, 3, 1, 20, 30, 15, 999, time.FixedZone("", 8*3600)),
		Way:  authcore.WayPhone, To: phone, Purpose: purpose,
		Code: opaque.Of(code), Lang: "zh", ExpiresIn: 5 * time.Minute,
	}
}

// email is a message to a mailbox.
func email(purpose authcore.Purpose, lang string) authcore.Message {
	m := sms(purpose)
	m.Way, m.To, m.Lang = authcore.WayEmail, address, lang
	return m
}

// wantFault demands an error that says want, and neither code nor receiver nor
// secret.
func wantFault(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
		return
	}
	for _, hidden := range []string{code, "15201657321", address, "zhangsan", secret, "query-token"} {
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("the error tells %s: %v", hidden, err)
		}
	}
}
