package authcore

import (
	"errors"
	"time"

	"github.com/qqauth/qqauth/authcore/token"
)

// The faults that this package returns. Wire formats translate them with
// [errors.Is]; whatever is not one of them is an internal error, whose cause
// belongs in a log and never in an answer.
var (
	// ErrQQToken says that QQ does not accept the access token: expired,
	// revoked, a one-time code in its place, or refused here because its user
	// logged out everywhere.
	ErrQQToken = errors.New("qq does not accept the access token")
	// ErrQQApp says that the access token was issued to another application.
	ErrQQApp = errors.New("the access token belongs to another qq application")
	// ErrQQOpenID says that the claimed open id is not the token's.
	ErrQQOpenID = errors.New("the open id is not the access token's")
	// ErrQQConfig says that QQ refuses our application, not the user.
	ErrQQConfig = errors.New("qq refuses this server's application")
	// ErrQQUnavailable says that QQ cannot be reached in time, has no capacity
	// left for us or answers what cannot be understood.
	ErrQQUnavailable = errors.New("qq is unavailable")

	// ErrUnknownClient says that no client of this id is configured.
	ErrUnknownClient = errors.New("unknown client")
	// ErrClientSecret says that a client's credentials are wrong.
	ErrClientSecret = errors.New("wrong client credentials")
	// ErrBearer says that a tenant bearer is not good.
	ErrBearer = errors.New("invalid tenant bearer")

	// ErrNoUser says that there is no such user.
	ErrNoUser = errors.New("no such user")
	// ErrUserDisabled says that the user exists and may not log in.
	ErrUserDisabled = errors.New("user is disabled")
	// ErrSession says that a session is unknown, dead or another client's;
	// which of these is not told.
	ErrSession = errors.New("no such session")
	// ErrTicket says that a ticket is unknown, used, expired or not the
	// caller's; which of these is not told.
	ErrTicket = errors.New("no such ticket")
	// ErrIDToken says that an id_token is not good, not the client's, or that its
	// session has ended.
	ErrIDToken = errors.New("invalid id_token")
	// ErrNoState says that there is no state_token, or none that has the form of
	// one.
	ErrNoState = errors.New("no state_token")
	// ErrState says that a state_token is not good here: forged, expired, used,
	// another client's or device's, or for something else; which is not told.
	ErrState = errors.New("invalid state_token")
	// ErrContact says that a phone number or an e-mail address is malformed, or
	// of a country that no codes are sent to.
	ErrContact = errors.New("malformed phone or e-mail")
	// ErrCode says that a verification code is not the one that was sent.
	ErrCode = errors.New("wrong verification code")
	// ErrCaptcha says that a puzzle is not solved.
	ErrCaptcha = errors.New("puzzle not solved")
	// ErrPassExpired says that the permission to send a code has expired.
	ErrPassExpired = errors.New("permission to send has expired")
	// ErrPass says that there is no such permission for this caller and receiver.
	ErrPass = errors.New("no permission to send")
	// ErrTaken says that a phone, an e-mail or a QQ account belongs to another
	// user, or that the user has another QQ account.
	ErrTaken = errors.New("belongs to another user")
	// ErrLastWay says that nobody could log in as the user any more.
	ErrLastWay = errors.New("the last way in")
	// ErrStale says that the login is not fresh enough for what was asked.
	ErrStale = errors.New("login is not fresh")
	// ErrName says that a name is too long or holds control characters.
	ErrName = errors.New("name refused")
	// ErrUserName says that nobody may have this user name: it is not 3 to 64
	// characters long, holds control characters or looks like a user id.
	ErrUserName = errors.New("user name refused")
	// ErrNoUserName says that a password is to be set for a user without a name.
	ErrNoUserName = errors.New("no user name")
	// ErrPassword says that a password is too long, or no text.
	ErrPassword = errors.New("password refused")
	// ErrDetails says that a user name or its password is wrong; which is not told.
	ErrDetails = errors.New("wrong user name or password")
	// ErrLockedOut says that there were too many wrong passwords; [RetryAfter] tells
	// when to come back. The right one is refused, too.
	ErrLockedOut = errors.New("too many wrong passwords")
	// ErrDevice says that a device id is too short, too long, no text, or one that
	// many devices are known to share.
	ErrDevice = errors.New("device id refused")
	// ErrNotLinked says that the user has no QQ account in the client's application.
	ErrNotLinked = errors.New("no such link")
	// ErrDenied says that the caller is known and may not do this.
	ErrDenied = errors.New("not allowed")
	// ErrLimited says that a limit is reached; [RetryAfter] tells when to come
	// back.
	ErrLimited = errors.New("too many attempts")

	// ErrUnavailable says that the store cannot answer now: not open yet, full,
	// unreachable. Nothing was decided.
	ErrUnavailable = errors.New("store is unavailable")
	// ErrDamaged says that the store holds something that cannot be true. It
	// wraps ErrUnavailable: nobody is let in on the strength of it, and it needs
	// an operator.
	ErrDamaged error = damaged{}
	// ErrFrozen says that the store is closed for writing. It wraps
	// ErrUnavailable.
	ErrFrozen error = frozen{}
	// ErrLocked says that another process holds the store.
	ErrLocked = errors.New("store is held by another process")
	// ErrNotFound is what a [Tx] answers for a record that does not exist.
	ErrNotFound = errors.New("not found")

	// ErrWrongSecret says that the store was made under another secret_key.
	ErrWrongSecret = token.ErrWrongSecret
)

type frozen struct{}

func (frozen) Error() string { return "store is closed for writing" }
func (frozen) Unwrap() error { return ErrUnavailable }

type damaged struct{}

func (damaged) Error() string { return "store is damaged" }
func (damaged) Unwrap() error { return ErrUnavailable }

// retryLater is an error that knows when to come back.
type retryLater struct {
	error
	after time.Duration
}

func (r retryLater) Unwrap() error { return r.error }

// RetryAfter is how long the caller that met err should wait, rounded up to
// whole seconds, at least one. ok is false if err does not say.
func RetryAfter(err error) (after time.Duration, ok bool) {
	var r retryLater
	if !errors.As(err, &r) {
		return 0, false
	}
	return max(time.Second, (r.after + time.Second - 1).Truncate(time.Second)), true
}
