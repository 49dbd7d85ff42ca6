package qqtest

import "net/http"

// Behavior is what a test can change while the server runs. The zero Behavior
// is QQ as it is mostly seen.
type Behavior struct {
	// ContentType of every answer but pages; "text/html; charset=utf-8" if
	// empty. Grade OBS for that, for text/plain and for application/json.
	ContentType string
	// JSONP frames the answers of token and me although fmt=json is asked for.
	// Grade OBS.
	JSONP bool
	// ExpiresIn is the life of an issued token in seconds as it is told and
	// kept; 5184000 (60 days, DOC) if zero. 7776000 was seen too.
	ExpiresIn int
	// NumericExpiry writes expires_in as a number in JSON. Grade OBS from the
	// mobile SDK; graph.qq.com was seen to write a string.
	NumericExpiry bool
	// Profile is how get_user_info differs from row U1.
	Profile Variant
	// UserInfo, if set, is the row that get_user_info answers with, for rows
	// that have no condition: U7, U8, U9.
	UserInfo Row
	// Fault, if not nil, sees each request first, and reports whether it has
	// answered: slowly, half, with 502 or with too much. Grade INF. It may
	// panic with http.ErrAbortHandler, which breaks the connection.
	Fault func(w http.ResponseWriter, r *http.Request) (answered bool)
}

// Behave changes the server's behaviour for the requests that come after.
func (s *Server) Behave(b Behavior) {
	if b.ContentType == "" {
		b.ContentType = "text/html; charset=utf-8"
	}
	if b.ExpiresIn == 0 {
		b.ExpiresIn = 60 * 24 * 60 * 60
	}
	s.behavior.Store(&b)
}

// Variant is a body of get_user_info that differs from row U1: row U10.
type Variant string

// The variants. Their grade is OBS but for Hostile, which is synthetic.
const (
	NoLargeAvatar Variant = "no large avatar" // figureurl_qq_2 is ""
	NoNickname    Variant = "no nickname"     // ""
	DotNickname   Variant = "dot"             // "."
	Placeholder   Variant = "placeholder"     // "qzuser", as without the scope
	EmojiNickname Variant = "emoji"           // several joined into one among them
	Hostile       Variant = "hostile"         // raw C0 bytes, bidi and markup
	Lost          Variant = "lost"            // is_lost is 1
	ExtraFields   Variant = "extra fields"    // members that no page names
	NoGenderType  Variant = "no gender_type"  // as in older answers
)
