package token

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// StateClaims is what a state_token says. All but ID is for show: the pending
// login under that id decides.
type StateClaims struct {
	ID        string // jti, from NewStateID
	Status    string
	SocialUID string // the QQ open id, where the login has no user yet
	UserID    string // the user, where it has one; then SocialUID is not told
	Expires   time.Time

	// Issued is set by VerifyState; SignState writes now.
	Issued time.Time
}

// stateToken is the JSON of a state_token, in the vendor's order.
type stateToken struct {
	Subject string `json:"sub"`
	Expires int64  `json:"exp"`
	Issued  int64  `json:"iat"`
	ID      string `json:"jti"`
}

// The JSON inside the sub claim.
type (
	socialSubject struct {
		SocialUID string `json:"socialUid"`
		Status    string `json:"status"`
	}
	userSubject struct {
		UserID string `json:"userId"`
		Status string `json:"status"`
	}
)

// millisDigits is how many digits of a jti are milliseconds since 1970; they
// last until the year 2286.
const millisDigits = 13

// NewStateID makes the jti of a state_token that is issued at now: the vendor's
// 13 digits of time and 22 random characters, which nobody can guess.
func NewStateID(now time.Time) string {
	return fmt.Sprintf("%0*d", millisDigits, now.UnixMilli()) + newID()
}

// SignState mints a state_token at the now that its ID was made at.
func (r *Ring) SignState(c StateClaims, now time.Time) (string, error) {
	var subject any = socialSubject{c.SocialUID, c.Status}
	if c.UserID != "" {
		subject = userSubject{c.UserID, c.Status}
	}
	sub, err := marshal(subject)
	if err != nil {
		return "", fmt.Errorf("sign state_token: %w", err)
	}
	return mint(r.signer(forState, algHMAC, now), stateToken{
		Subject: string(sub),
		Expires: c.Expires.Unix(),
		Issued:  now.Unix(),
		ID:      c.ID,
	})
}

// VerifyState reads a state_token that is good at now. It answers ErrNotJWT for
// what has not even the form of a JWT; other errors wrap ErrInvalid only.
func (r *Ring) VerifyState(raw string, now time.Time) (StateClaims, error) {
	if len(raw) <= maxToken && !isJWT(raw) {
		return StateClaims{}, ErrNotJWT
	}
	var t stateToken
	if err := r.verify(raw, forState, now, &t); err != nil {
		return StateClaims{}, err
	}
	if !stateIDAt(t.ID, t.Issued) {
		return StateClaims{}, invalid("jti does not agree with iat")
	}
	var sub struct {
		socialSubject
		UserID string `json:"userId"`
	}
	if json.Unmarshal([]byte(t.Subject), &sub) != nil {
		return StateClaims{}, invalid("claim sub does not parse")
	}
	if err := cmp.Or(started(now, t.Issued), ended(now, t.Expires)); err != nil {
		return StateClaims{}, err
	}
	return StateClaims{
		ID:        t.ID,
		Status:    sub.Status,
		SocialUID: sub.SocialUID,
		UserID:    sub.UserID,
		Expires:   seconds(t.Expires),
		Issued:    seconds(t.Issued),
	}, nil
}

// stateIDAt reports whether id is one that NewStateID makes in that second.
func stateIDAt(id string, issued int64) bool {
	if len(id) != millisDigits+idLength {
		return false
	}
	millis, err := strconv.ParseInt(id[:millisDigits], 10, 64)
	return err == nil && millis/1000 == issued
}

// isJWT reports whether raw has the form of a signed JWT: a header and
// claims that are JSON objects, and a signature.
func isJWT(raw string) bool {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return false
	}
	for _, p := range parts[:2] {
		var object map[string]any
		b, ok := decode(p)
		if !ok || json.Unmarshal(b, &object) != nil || object == nil {
			return false
		}
	}
	_, ok := decode(parts[2])
	return ok
}
