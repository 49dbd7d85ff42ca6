package qq

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/authcore/strictjson"
)

// jsonSpace is what the recommended pattern for JSONP counts as space.
const jsonSpace = " \t\r\n\f"

// maxNumber is larger than every error number of QQ's. A longer one is nonsense
// and must not be repeated in an error: it could be what we sent.
const maxNumber = 9_999_999

// object takes the frame off an answer. QQ frames errors as JSONP even where it
// was asked for JSON, with and without spaces and semicolon; the frame must
// hold the whole answer, and in it an object.
func object(body []byte) []byte {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	body = bytes.Trim(body, jsonSpace)
	inner, ok := bytes.CutPrefix(body, []byte("callback"))
	if !ok {
		return body
	}
	inner = bytes.TrimSuffix(inner, []byte(";"))
	inner, opened := bytes.CutPrefix(bytes.Trim(inner, jsonSpace), []byte("("))
	inner, closed := bytes.CutSuffix(inner, []byte(")"))
	inner = bytes.Trim(inner, jsonSpace)
	if !opened || !closed || !bytes.HasPrefix(inner, []byte("{")) {
		return nil
	}
	return inner
}

// parseMe reads an answer of /oauth2.0/me: a proved pair of application and
// open id, or an error, and never something of both.
func parseMe(body []byte) (authcore.Identity, error) {
	var me struct {
		ClientID scalar `json:"client_id"`
		OpenID   string `json:"openid"`
		UnionID  string `json:"unionid"`
		Error    scalar `json:"error"`
	}
	if err := strictjson.Decode(object(body), &me); err != nil {
		return authcore.Identity{}, unreadable(callMe)
	}
	if me.Error.present {
		n, ok := me.Error.number()
		if !ok || n == 0 || me.ClientID.present || me.OpenID != "" {
			return authcore.Identity{}, unreadable(callMe)
		}
		return authcore.Identity{}, &refusal{call: callMe, number: n}
	}
	if me.ClientID.text == "" || !presentable(me.OpenID, maxOpenIDBytes) ||
		me.UnionID != "" && !presentable(me.UnionID, maxOpenIDBytes) {
		return authcore.Identity{}, unreadable(callMe)
	}
	return authcore.Identity{App: authcore.AppID(me.ClientID.text), OpenID: me.OpenID, UnionID: me.UnionID}, nil
}

// parseToken reads an answer of /oauth2.0/token: an access token or an error, and
// never something of both.
func parseToken(body []byte) (opaque.Secret, error) {
	var answer tokenAnswer
	body = object(body)
	read := answer.readQuery
	if bytes.HasPrefix(body, []byte("{")) {
		read = answer.readObject
	}
	if err := read(body); err != nil {
		return opaque.Secret{}, unreadable(callToken)
	}
	if answer.Error.present {
		n, ok := answer.Error.number()
		if !ok || n == 0 || answer.AccessToken != "" {
			return opaque.Secret{}, unreadable(callToken)
		}
		return opaque.Secret{}, &refusal{call: callToken, number: n}
	}
	if !presentable(answer.AccessToken, maxTokenBytes) {
		return opaque.Secret{}, unreadable(callToken)
	}
	return opaque.Of(answer.AccessToken), nil
}

// tokenAnswer is what we read of an answer of /oauth2.0/token. How long the token
// lives is told as a string here and as a number there, and nobody here asks.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	Error       scalar `json:"error"`
}

func (a *tokenAnswer) readObject(body []byte) error { return strictjson.Decode(body, a) }

// readQuery reads the form that QQ answered in before there was fmt=json. As in
// an object, a member is spelled in one way and stands once.
func (a *tokenAnswer) readQuery(body []byte) error {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return err
	}
	for name, list := range values {
		for _, ours := range []string{"access_token", "error"} {
			if strings.EqualFold(name, ours) && (name != ours || len(list) > 1) {
				return strictjson.ErrDuplicate
			}
		}
	}
	a.AccessToken = values.Get("access_token")
	a.Error = scalar{text: values.Get("error"), present: values.Has("error")}
	return nil
}

// parseProfile reads an answer of /user/get_user_info. Without an explicit ret
// of 0 it is no success: an error of another call has no ret at all, and every
// other number is an error, positive ones included.
func parseProfile(body []byte) (authcore.QQProfile, error) {
	var info struct {
		Ret      scalar `json:"ret"`
		Nickname string `json:"nickname"`
	}
	body = bytes.ToValidUTF8(withoutControls(object(body)), nil)
	if err := strictjson.Decode(body, &info); err != nil {
		return authcore.QQProfile{}, unreadable(callProfile)
	}
	ret, ok := info.Ret.number()
	if !ok {
		return authcore.QQProfile{}, unreadable(callProfile)
	}
	if ret != 0 {
		return authcore.QQProfile{}, &refusal{call: callProfile, number: ret}
	}
	return authcore.QQProfile{Nickname: cleanNickname(info.Nickname)}, nil
}

func unreadable(call callName) error {
	return fault(call, "unreadable answer", authcore.ErrQQUnavailable)
}

// withoutControls drops raw control characters within strings, where JSON
// allows none and the names of real accounts have some.
func withoutControls(body []byte) []byte {
	out := make([]byte, 0, len(body))
	var inString, escaped bool
	for _, c := range body {
		switch {
		case inString && c < ' ':
			continue
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		}
		out = append(out, c)
	}
	return out
}

// scalar is a member that QQ writes as a string here and as a number there.
type scalar struct {
	text    string
	present bool
}

// UnmarshalJSON takes a string or a whole number, spelled in digits.
func (s *scalar) UnmarshalJSON(raw []byte) error {
	s.present = true
	if raw[0] == '"' {
		return json.Unmarshal(raw, &s.text)
	}
	s.text = string(raw)
	if len(bytes.TrimLeft(raw, "-0123456789")) > 0 {
		return errors.New("neither a string nor a whole number")
	}
	return nil
}

// number reads an error number.
func (s *scalar) number() (n number, ok bool) {
	i, err := strconv.Atoi(s.text)
	return number(i), err == nil && -maxNumber <= i && i <= maxNumber
}
