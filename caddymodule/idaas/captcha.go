package idaas

import (
	"encoding/json"
	"strings"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/strictjson"
)

// puzzle is a slider puzzle with all the keys of the vendor's. What is nil stands
// for null: the vendor's secretKey would encrypt point_json, which its pages show
// in clear.
type puzzle struct {
	CaptchaID   any    `json:"captchaId"`
	ProjectCode any    `json:"projectCode"`
	Path        any    `json:"captchaOriginalPath"`
	FontType    any    `json:"captchaFontType"`
	FontSize    any    `json:"captchaFontSize"`
	SecretKey   any    `json:"secretKey"`
	Picture     string `json:"originalImageBase64"`
	Point       any    `json:"point"`
	Piece       string `json:"jigsawImageBase64"`
	WordList    any    `json:"wordList"`
	PointList   any    `json:"pointList"`
	PointJSON   any    `json:"pointJson"`
	Token       string `json:"token"`
	Result      bool   `json:"result"`
	Verified    any    `json:"captchaVerification"`
}

func captcha(c *call) error {
	p, err := c.service.NewPuzzle(c.r.Context(), c.client, c.who)
	if err != nil {
		return err
	}
	return c.ok(puzzle{Picture: p.Picture, Piece: p.Piece, Token: p.Token})
}

// passSeparator joins a solved puzzle's token and the solution.
const passSeparator = "---"

func captchaVerify(c *call) error {
	var in struct {
		Point  string `json:"point_json"`
		Token  string `json:"token"`
		Sender string `json:"sender"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Point == "" {
		return empty("point_json")
	}
	x, ok := parsePoint(in.Point)
	if !ok {
		return refuse(captchaFailed, "point_json is malformed")
	}
	if in.Token == "" {
		return empty("token")
	}
	way := authcore.WayPhone
	if strings.Contains(in.Sender, "@") {
		way = authcore.WayEmail
	}
	sender, err := c.contact(way, "sender", in.Sender, true)
	if err != nil {
		return err
	}
	if err := c.service.SolvePuzzle(c.r.Context(), c.client, c.who, in.Token, x, sender); err != nil {
		return err
	}
	return c.ok(struct {
		Pass string `json:"captcha_token"`
	}{in.Token + passSeparator + in.Point})
}

// pointY is where the vendor's clients put every piece.
const pointY = 5.0

// parsePoint reads {"x":237.0,"y":5.0}: these two numbers and nothing else.
func parsePoint(s string) (x float64, ok bool) {
	var point struct {
		X *float64 `json:"x"`
		Y *float64 `json:"y"`
	}
	var members map[string]float64
	if strictjson.Decode([]byte(s), &point) != nil || json.Unmarshal([]byte(s), &members) != nil {
		return 0, false
	}
	if len(members) != 2 || point.X == nil || point.Y == nil || *point.Y != pointY {
		return 0, false
	}
	return *point.X, true
}

// parsePass takes the puzzle's token from a captcha_token. The rest was judged
// when the puzzle was solved.
func parsePass(s string) (token string, ok bool) {
	token, _, ok = strings.Cut(s, passSeparator)
	return token, ok && token != ""
}
