package authcore

import (
	"context"

	"github.com/qqauth/qqauth/authcore/opaque"
)

// AppID is the number of an application at QQ Connect. Tencent calls it an
// integer and sends it as a string; it is compared as a string.
type AppID string

// Identity is a QQ account as one QQ application sees it. App and OpenID
// together name it; UnionID is an attribute, empty unless Tencent grants it.
type Identity struct {
	App     AppID
	OpenID  string
	UnionID string
}

// QQProfile is what QQ tells about an account. None of it is proved, none of it
// is unique and all of it may be empty.
type QQProfile struct {
	// Nickname is NFC, without control and bidi characters, at most 64 runes.
	Nickname string
}

// QQ proves access tokens for one QQ application.
//
// Implementations MUST bound time, answers and calls in flight, MUST be safe
// for concurrent use, and MUST NOT let an access token into an error.
type QQ interface {
	// Prove asks QQ whose access token this is. It returns an identity only if
	// the token was issued to this application; if openID is not empty, only if
	// it is exactly the token's. Errors wrap ErrQQToken, ErrQQApp, ErrQQOpenID,
	// ErrQQConfig or ErrQQUnavailable.
	Prove(ctx context.Context, accessToken, openID string) (Identity, error)
	// Profile fetches what QQ tells about the proved identity.
	Profile(ctx context.Context, accessToken string, id Identity) (QQProfile, error)
}

// CodeExchanger is an ability that a QQ may have: to turn a one-time code into
// an access token. Tencent's server-side login leaves such a code where its
// other logins leave the token, and nothing tells the two apart but QQ.
//
// Implementations MUST send a code at most once, whatever becomes of the answer:
// QQ takes it once, and the loss of an answer tells nothing about that. They MUST
// NOT let a code, a token or the application's key into an error, and MUST bound
// time, answers and calls in flight as those of QQ do.
type CodeExchanger interface {
	// Exchange returns the access token that QQ gives for a code. It proves
	// nothing: the token goes to Prove like any other. Errors wrap ErrQQToken
	// where QQ refuses the code, ErrQQConfig or ErrQQUnavailable. Without a key
	// of the application nobody is asked, and every code is refused.
	Exchange(ctx context.Context, code string) (accessToken opaque.Secret, err error)
}
