package authcore

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// The cost of one password: what OWASP asks for at least (Password Storage Cheat
// Sheet, argon2id).
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonLanes  = 1
	argonSalt   = 16
	argonHash   = 32
)

// maxPassword is how many bytes a password has at most: what is hashed for an
// unknown caller must be small.
const maxPassword = 1024

// argonForm is how a hash is written, as argon2's own tools do.
const argonForm = "$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s"

// hasPassword reports whether the user can log in by name and password.
func (u *User) hasPassword() bool { return u.UserName != "" && u.Password != "" }

// checkPassword answers ErrPassword for what cannot be one. How good it is, is not
// asked: a game's users choose as they always did, and guards do not take a
// session for proved that rests on it.
func checkPassword(password string) error {
	if password == "" || len(password) > maxPassword || !utf8.ValidString(password) {
		return ErrPassword
	}
	return nil
}

// argon is what a password comes to. Keyboards compose characters differently, so
// the password is hashed in NFC (RFC 8265 §4.2.2).
func argon(password string, salt []byte, passes, memory uint32, lanes uint8) []byte {
	return argon2.IDKey([]byte(norm.NFC.String(password)), salt, passes, memory, lanes, argonHash)
}

// hashPassword makes what a password is verified by.
func hashPassword(password string) string {
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	hash := argon(password, salt, argonTime, argonMemory, argonLanes)
	return fmt.Sprintf(argonForm, argonMemory, argonTime, argonLanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(hash))
}

// nobodysPassword is verified where there is no user, so that it takes as long.
var nobodysPassword = fmt.Sprintf(argonForm, argonMemory, argonTime, argonLanes,
	base64.RawStdEncoding.EncodeToString(make([]byte, argonSalt)), base64.RawStdEncoding.EncodeToString(make([]byte, argonHash)))

// verifyPassword reports whether a password is the one that a hash was made of. An
// empty hash is nobody's.
func verifyPassword(phc, password string) bool {
	known := phc != ""
	if !known {
		phc = nobodysPassword
	}
	var memory, passes uint32
	var lanes uint8
	fields := strings.Split(phc, "$")
	if len(fields) != 6 || fields[1] != "argon2id" || fields[2] != "v=19" {
		return false
	}
	if n, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); n != 3 || err != nil ||
		passes < 1 || lanes < 1 || memory > maxArgonMemory || passes > maxArgonTime {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(fields[4])
	want, err2 := base64.RawStdEncoding.DecodeString(fields[5])
	if err != nil || err2 != nil || len(want) != argonHash {
		return false
	}
	return subtle.ConstantTimeCompare(argon(password, salt, passes, memory, lanes), want) == 1 && known
}

// What a hash that was imported may cost.
const (
	maxArgonMemory = 256 << 10 // KiB
	maxArgonTime   = 16
)

const (
	// hashesWaiting is how many passwords of one address may wait to be hashed, and
	// hashWait for how long. Before all that wait only a few of each address come to
	// the processors' queue, so nobody's flood keeps the others from their turn.
	hashesWaiting = 256
	hashWait      = 20 * time.Second
	// hashRetry is when whoever found no place may come back.
	hashRetry = time.Second
)

// hashGate admits the hashing of passwords: as many at a time as there are
// processors.
type hashGate struct {
	slots chan struct{}
	turns turns // of each address, twice as many as there are slots
}

func newHashGate() *hashGate {
	return &hashGate{slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// enter waits for a turn. Whoever it admits must leave.
func (g *hashGate) enter(ctx context.Context, addr netip.Addr, limited bool) (leave func(), err error) {
	next := func() {}
	if limited {
		var ok bool
		if next, ok = g.turns.enter(ctx, Site(addr), 2*runtime.GOMAXPROCS(0), hashesWaiting, hashWait); !ok {
			return nil, cmp.Or(ctx.Err(), error(retryLater{ErrLimited, hashRetry}))
		}
	}
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots; next() }, nil
	case <-ctx.Done():
		next()
		return nil, ctx.Err()
	}
}

// hashing runs f, which hashes, when it is its caller's turn.
func (s *Service) hashing(ctx context.Context, caller Caller, f func()) error {
	leave, err := s.node.hashes.enter(ctx, caller.Addr, !s.cfg.Limits.Off)
	if err != nil {
		return err
	}
	defer leave()
	f()
	return nil
}
