package qqtest

import (
	"crypto/aes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// profileBody is row U1 with the spacing, escapes and types of a body that was
// received (OBS): two hosts of which one has its slashes escaped, numbers as
// strings, and the demographics that QQ tells of everybody.
const profileBody = `{
  "ret": 0,
  "msg": "",
  "is_lost":0,
  "nickname": %[1]s,
  "gender": "男",
  "gender_type": 2,
  "province": "广东",
  "city": "深圳",
  "year": "1990",
  "constellation": "",
  "figureurl": "http:\/\/qzapp.qlogo.cn\/qzapp\/%[2]s\/%[3]s\/30",
  "figureurl_1": "http:\/\/qzapp.qlogo.cn\/qzapp\/%[2]s\/%[3]s\/50",
  "figureurl_2": "http:\/\/qzapp.qlogo.cn\/qzapp\/%[2]s\/%[3]s\/100",
  "figureurl_qq_1": "http://thirdqq.qlogo.cn/g?b=oidb&k=qqtest%[4]d&kti=qqtest%[4]d&s=40&t=1483286748",
  "figureurl_qq_2": "http://thirdqq.qlogo.cn/g?b=oidb&k=qqtest%[4]d&kti=qqtest%[4]d&s=100&t=1483286748",
  "figureurl_qq": "http://thirdqq.qlogo.cn/g?b=oidb&k=qqtest%[4]d&kti=qqtest%[4]d&s=100&t=1483286748",
  "figureurl_type": "0",
  "is_yellow_vip": "0",
  "vip": "0",
  "yellow_vip_level": "0",
  "level": "0",
  "is_yellow_year_vip": "0"
}`

// userInfo answers /user/get_user_info: rows U1 to U10. It has no JSONP and no
// fmt.
func (s *Server) userInfo(w http.ResponseWriter, r *http.Request, b *Behavior) {
	q := r.URL.Query()
	token, openID := q.Get("access_token"), q.Get("openid")
	ours := s.app(q.Get("oauth_consumer_key"))
	a, c, bad := s.resolve(token)
	row := b.UserInfo
	switch {
	case row != "":
	case ours == nil:
		row = U5
	case !wellFormed(openID):
		row = U2
	case bad != "":
		row = U4
	case a != ours:
		row = U6
	case a.openID(c.account) != openID:
		row = U3
	default:
		send(w, b, s.profile(a, c.account, b.Profile))
		return
	}
	f := s.failure(row)
	write(w, b, true, struct {
		Ret int    `json:"ret"`
		Msg string `json:"msg"`
	}{f.Number, f.Text})
}

func wellFormed(openID string) bool {
	_, err := hex.DecodeString(openID)
	return err == nil && len(openID) == 2*aes.BlockSize
}

// profile returns row U1 of an account, or its variant of row U10.
func (s *Server) profile(a *app, account int, v Variant) []byte {
	nickname := s.Nickname(account)
	switch v {
	case NoNickname:
		nickname = ""
	case DotNickname:
		nickname = "."
	case Placeholder:
		nickname = "qzuser"
	case EmojiNickname:
		nickname = "👩‍🚀🐼🏳️‍🌈"
	}
	quoted, err := json.Marshal(nickname)
	if err != nil {
		panic(err) // a string
	}
	if v == Hostile {
		quoted = []byte("\"林\x14小\u202e雨\u2066<b>\x1b[31m\"")
	}
	body := fmt.Sprintf(profileBody, quoted, a.ID, a.openID(account), account)
	switch v {
	case NoLargeAvatar:
		from := strings.Index(body, `"figureurl_qq_2": "`) + len(`"figureurl_qq_2": "`)
		body = body[:from] + body[from+strings.IndexByte(body[from:], '"'):]
	case Lost:
		body = strings.Replace(body, `"is_lost":0`, `"is_lost":1`, 1)
	case ExtraFields:
		body = strings.Replace(body, `"level": "0"`, `"level": "0", "userTags": [{"id": 1}], "x_new": null`, 1)
	case NoGenderType:
		body = strings.Replace(body, "  \"gender_type\": 2,\n", "", 1)
	}
	return []byte(body)
}
