package authcore

import (
	"encoding/base64"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/qqauth/qqauth/authcore/contact"
)

// Limits of what comes in: a record that no login could have made is refused.
const (
	maxImportedName    = 512 // bytes
	maxImportedLinks   = 64
	maxPublicID        = 64
	maxImportedClients = 256
	maxImportedDevices = 64
	maxImportedHash    = 256 // bytes
)

var (
	userIDs = regexp.MustCompile(`^[0-9]{17}-[0-9A-F]{4}-[0-9A-F]{9}$`)
	appIDs  = regexp.MustCompile(`^[0-9]{1,20}$`)
	mobiles = regexp.MustCompile(`^\+[1-9][0-9]{0,2}-[0-9]{4,14}$`)
	phcs    = regexp.MustCompile(`^\$argon2id\$v=19\$m=([1-9][0-9]{0,6}),t=([1-9][0-9]?),p=([1-9][0-9]{0,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{43})$`)
	openIDs = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,128}$`) // as they are taken from QQ
)

// size is about how many bytes a record takes in a transaction.
func (r *Record) size() int {
	const links, devices, rest = 1 << 10, 1 << 9, 1 << 10
	switch {
	case r.User != nil:
		return rest + len(r.User.Links)*links + sizeOf(r.User.Segments) + (len(r.User.MobileVia)+len(r.User.EmailVia))*maxPublicID +
			len(r.User.Devices)*devices + sizeOf(r.User.Requested)
	case r.Account != nil:
		return rest + links + sizeOf(r.Account.Segments)
	}
	return rest
}

func sizeOf(segments map[string]string) (n int) {
	for name, value := range segments {
		n += len(name) + len(value)
	}
	return n
}

// unfit tells why a record cannot be taken, "" if it can.
func (r *Record) unfit() string {
	switch {
	case r.User != nil:
		return r.User.unfit()
	case r.Account != nil:
		a := r.Account
		link := []Link{{App: a.App, OpenID: a.OpenID, UnionID: a.UnionID}}
		return unfitPerson(link, a.Segments, a.Mobile, a.Email, a.DisplayName)
	case r.Session != nil:
		return r.Session.unfit()
	case r.Retired != nil:
		return unless(r.Retired.Token != TokenHash{} && isPublicID(r.Retired.Session), "no token or no session")
	case r.Erased != nil:
		return unless(r.Erased.Hash != ErasedHash{} && !r.Erased.At.IsZero(), "nobody, or no time")
	case r.Access != nil:
		return unless(r.Access.Hash != AccessHash{} && userIDs.MatchString(string(r.Access.User)), "no access token or no user")
	}
	return "nothing that is known"
}

func unless(fit bool, reason string) string {
	if fit {
		return ""
	}
	return reason
}

func (u *User) unfit() string {
	if !userIDs.MatchString(string(u.ID)) {
		return "no user id"
	}
	if len(u.Links) > maxImportedLinks {
		return "more links than a user may have"
	}
	if len(u.MobileVia)+len(u.EmailVia) > maxImportedClients {
		return "a mobile or an email proved through more clients than there can be"
	}
	if len(u.Devices) > maxImportedDevices {
		return reasonDevices
	}
	clients := append(slices.Concat(u.MobileVia, u.EmailVia), u.DisabledBy, u.Home)
	for _, d := range u.Devices {
		if d.check() != nil {
			return "a device that cannot stand for a user"
		}
		if d.Client == "" {
			return "a device of no client"
		}
		clients = append(clients, d.Client)
	}
	for _, id := range clients {
		if text := string(id); text != cut(text) || strings.ContainsRune(text, 0) {
			return "a client id over 128 bytes, or that is no text"
		}
	}
	if u.Password != "" && !isHash(u.Password) {
		return "a password that is no hash by argon2id, or one that costs too much to verify"
	}
	if checkRequested(u.Requested) != nil {
		return "requested segments that no user may have"
	}
	return unfitPerson(u.Links, u.Segments, u.Mobile, u.Email, u.DisplayName, u.UserName)
}

// isHash reports whether verifyPassword takes what came in for a hash.
func isHash(phc string) bool {
	fields := phcs.FindStringSubmatch(phc)
	if fields == nil || len(phc) > maxImportedHash {
		return false
	}
	for i, most := range []int{maxArgonMemory, maxArgonTime, math.MaxUint8} {
		if n, err := strconv.Atoi(fields[1+i]); err != nil || n > most {
			return false
		}
	}
	_, err := base64.RawStdEncoding.DecodeString(fields[4])
	_, err2 := base64.RawStdEncoding.DecodeString(fields[5])
	return err == nil && err2 == nil
}

func unfitPerson(links []Link, segments map[string]string, mobile, email string, names ...string) string {
	for _, l := range links {
		if !appIDs.MatchString(string(l.App)) {
			return "an app id is not 1 to 20 digits"
		}
		if !openIDs.MatchString(l.OpenID) || l.UnionID != "" && !openIDs.MatchString(l.UnionID) {
			return "an openid or unionid that QQ does not give"
		}
	}
	if checkSegments(segments) != nil {
		return "segments that no user may have"
	}
	if mobile != "" && !mobiles.MatchString(mobile) {
		return "a mobile that is not written like +86-15201657321"
	}
	if _, err := contact.ParseEmail(email); email != "" && err != nil {
		return "an email that is no address"
	}
	for _, name := range names {
		if len(name) > maxImportedName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
			return "a name that is too long or holds control characters"
		}
	}
	return ""
}

func isPublicID(id SessionID) bool {
	return len(id) <= maxPublicID && openIDs.MatchString(string(id))
}

func (s *Session) unfit() string {
	for _, m := range s.Methods {
		if !slices.Contains([]Method{MethodQQ, MethodSMS, MethodEmail, MethodPassword, MethodDevice}, m) {
			return "a session proved in an unknown way"
		}
	}
	for _, text := range []string{s.OS, s.Agent, s.IP, s.DeviceIP, string(s.Client), string(s.Parent)} {
		if text != cut(text) || strings.ContainsRune(text, 0) {
			return "a session with a field over 128 bytes, or that is no text"
		}
	}
	if !isPublicID(s.ID) || s.Token == (TokenHash{}) || s.Client == "" || len(s.Methods) == 0 {
		return "a session without id, token, client or amr"
	}
	return ""
}
