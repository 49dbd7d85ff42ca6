package idaas

import (
	"net/http"
	"strings"

	"github.com/qqauth/qqauth/authcore"
)

// maxField bounds a header value, and a device field in a body, in bytes. It is
// far above any user agent and keeps megabytes out of hashes and records.
const maxField = 4 << 10

// header is the value of one of our own headers, empty if it is absent. ok is
// false if it is sent twice, too long or holds control characters: what a proxy
// in front took from it need not be what we would take.
func header(h http.Header, name string) (value string, ok bool) {
	switch lines := h.Values(name); len(lines) {
	case 0:
		return "", true
	case 1:
		return strings.TrimSpace(lines[0]), plain(lines[0])
	default:
		return "", false
	}
}

// plain reports whether s is short and free of control characters.
func plain(s string) bool {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	return len(s) <= maxField && !strings.ContainsFunc(s, control)
}

// bearerOf is the credential of an Authorization: Bearer header, empty if there
// is none or more than one.
func bearerOf(h http.Header) string {
	v, ok := header(h, "Authorization")
	scheme, credential, _ := strings.Cut(v, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(credential)
}

// deviceFields are the device as a caller describes it: in the body of a tenant
// call, in headers of an SDK call.
type deviceFields struct {
	OS          string `json:"operating_sys_version"`
	IP          string `json:"device_ip"`
	Fingerprint string `json:"device_fingerprint"`
	Agent       string `json:"agent"`
}

// device takes the device from the headers. They come before anything that
// depends on who calls, as the vendor numbers their faults.
func device(c *call) error {
	var d deviceFields
	for _, f := range []struct {
		name     string
		into     *string
		required bool
	}{
		{"X-operating-sys-version", &d.OS, true},
		{"X-device-fingerprint", &d.Fingerprint, true},
		{"X-device-ip", &d.IP, false},
		{"X-agent", &d.Agent, true},
	} {
		v, ok := header(c.r.Header, f.name)
		if !ok || f.required && v == "" {
			return refuse(deviceIncomplete, f.name+" is empty or malformed")
		}
		*f.into = v
	}
	c.describe(d)
	return nil
}

// check is the tenant calls' share of device: the same faults, in the order of
// the vendor's table.
func (d deviceFields) check() error {
	for _, f := range []struct {
		name, value string
		required    bool
	}{
		{"operating_sys_version", d.OS, true},
		{"device_ip", d.IP, true},
		{"device_fingerprint", d.Fingerprint, true},
		{"agent", d.Agent, false},
	} {
		if !plain(f.value) || f.required && f.value == "" {
			return refuse(deviceIncomplete, f.name+" is empty or malformed")
		}
	}
	return nil
}

// describe notes who calls.
func (c *call) describe(d deviceFields) {
	c.who = authcore.Caller{Fingerprint: d.Fingerprint, OS: d.OS, Agent: d.Agent, DeviceIP: d.IP}
	c.who.Addr, c.who.Loopback = c.caller(c.r)
}

// client takes the calling application from its header.
func client(c *call) error {
	v, ok := header(c.r.Header, "X-client-id")
	if !ok || v == "" {
		return refuse(clientEmpty, "X-client-id is empty or malformed")
	}
	id := authcore.ClientID(v)
	if !c.service.HasClient(id) {
		return refuse(clientUnknown, "X-client-id is not configured")
	}
	c.client = id
	return nil
}
