package authcore

import "context"

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
