package qq_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/authcore/qq"
)

const (
	token  = "8B11C37B7894C5E2347E1606DC7CCFDC"
	openID = "D8924F7071DC1D29A6822C794D848D9C"
	code   = "5F1E0B6D0A9C4C2B8E7D3A1F6C5B4E90"
	key    = "f3d1c0a7e5b94862a1d0c3b2e4f59687"
)

// meAnswers are answers of /oauth2.0/me and what a caller who claims openID is
// told of them.
var meAnswers = []struct {
	body string
	want error
}{
	// What QQ was seen to answer.
	{`callback( {"client_id":"101000001","openid":"` + openID + `"} );` + "\n", nil},
	{`{"client_id":"101000001","openid":"` + openID + `"}`, nil},
	{`{"client_id":"101000001","openid":"` + openID + `","unionid":"UID_` + openID + `"}`, nil},
	{`callback( {"error":100007,"error_description":"param access token is wrong or lost "} );` + "\n", authcore.ErrQQToken},
	{`{"error":100013,"error_description":"access token is illegal"}`, authcore.ErrQQToken},
	{`callback( {"error":100016,"error_description":"access token check failed"} );` + "\n", authcore.ErrQQToken},
	{`callback( { "error": 100048, "error_description": "CompanyID not set" } );`, authcore.ErrQQConfig},

	// Other spellings of the same.
	{`callback({"client_id":"101000001","openid":"` + openID + `"})`, nil},
	{`callback({"client_id":"101000001","openid":"` + openID + `"});`, nil},
	{"\ufeff \r\n callback\t (\n{\"client_id\":\"101000001\",\n\"openid\":\"" + openID + "\"}\n) ; \n", nil},
	{"\ufeff{\"client_id\":\"101000001\",\"openid\":\"" + openID + "\"}", nil},
	{`{"client_id":101000001,"openid":"` + openID + `"}`, nil},
	{`{"error":"100013"}`, authcore.ErrQQToken},
	{`callback( {"error":100013,"error_description":"a ) and a } and a );"} );`, authcore.ErrQQToken},
	{`{"error":100013,"openid":""}`, authcore.ErrQQToken},

	// Another's token or another user.
	{`{"client_id":"101000002","openid":"` + openID + `"}`, authcore.ErrQQApp},
	{`{"client_id":" 101000001","openid":"` + openID + `"}`, authcore.ErrQQApp},
	{`{"client_id":"0101000001","openid":"` + openID + `"}`, authcore.ErrQQApp},
	{`{"client_id":"101000002","openid":"x"}`, authcore.ErrQQApp},
	{`{"client_id":"101000001","openid":"` + strings.ToLower(openID) + `"}`, authcore.ErrQQOpenID},

	// Neither a proof nor a refusal.
	{``, authcore.ErrQQUnavailable},
	{`ok`, authcore.ErrQQUnavailable},
	{`null`, authcore.ErrQQUnavailable},
	{`{}`, authcore.ErrQQUnavailable},
	{`[{"client_id":"101000001","openid":"` + openID + `"}]`, authcore.ErrQQUnavailable},
	{`<html><body>502 Bad Gateway</body></html>`, authcore.ErrQQUnavailable},
	{`client_id=101000001&openid=` + openID, authcore.ErrQQUnavailable}, // the WAP twin's form
	{`{"client_id":"101000001"}`, authcore.ErrQQUnavailable},
	{`{"openid":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"client_id":"","openid":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"client_id":null,"openid":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"client_id":"101000001","openid":""}`, authcore.ErrQQUnavailable},
	{`{"client_id":"101000001","openid":null}`, authcore.ErrQQUnavailable},
	{`{"client_id":"101000001","openid":7}`, authcore.ErrQQUnavailable},
	{`{"client_id":1.01e8,"openid":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"client_id":true,"openid":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"client_id":{"client_id":"101000001"},"openid":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"client_id":"101000001","openid":"` + strings.Repeat("A", 129) + `"}`, authcore.ErrQQUnavailable},
	{`{"client_id":"101000001","openid":"` + openID + `","unionid":"\n"}`, authcore.ErrQQUnavailable},
	{`{"client_id":"101000001","openid":"` + openID + `"} x`, authcore.ErrQQUnavailable},
	{`{"client_id":"101000001","openid":"` + openID + `"}{}`, authcore.ErrQQUnavailable},
	{`callback( {"client_id":"101000001","openid":"` + openID + `"} );x`, authcore.ErrQQUnavailable},
	{`callback( {"client_id":"101000001","openid":"` + openID + `"} );callback({})`, authcore.ErrQQUnavailable},
	{`callback( {"client_id":"101000001","openid":"` + openID + `"} `, authcore.ErrQQUnavailable},
	{`callback {"client_id":"101000001","openid":"` + openID + `"} )`, authcore.ErrQQUnavailable},
	{`x( {"client_id":"101000001","openid":"` + openID + `"} );`, authcore.ErrQQUnavailable},
	{`{"client_id":"101000001","openid":"x","openid":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"client_id":"101000001","openid":"` + openID + `","OpenID":"x"}`, authcore.ErrQQUnavailable},
	{`{"client_id":"101000002","Client_ID":"101000001","openid":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"CLIENT_ID":"101000001","OPENID":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"error":100013,"client_id":"101000001","openid":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"error":0,"client_id":"101000001","openid":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"error":0}`, authcore.ErrQQUnavailable},
	{`{"error":"","client_id":"101000001","openid":"` + openID + `"}`, authcore.ErrQQUnavailable},
	{`{"error":"invalid_request"}`, authcore.ErrQQUnavailable},
	{`{"error":99999999999999999999}`, authcore.ErrQQUnavailable},
	{`{"error":100013,"error":0}`, authcore.ErrQQUnavailable},
	{"{\"error\":100016,\n\"error_description\":\"access token check failed\",\n}", authcore.ErrQQUnavailable}, // a typo of the documents
	{`{"client_id":"101000001","openid":"` + "\x01" + `"}`, authcore.ErrQQUnavailable},
	{"{\"client_id\":\"101000001\",\"openid\":\"" + openID + "\",\"x\":\"\xff\"}", authcore.ErrQQUnavailable},
	{`{"error":100013,"error_description":"` + strings.Repeat(" ", 64<<10) + `"}`, authcore.ErrQQUnavailable},
}

func TestMeAnswers(t *testing.T) {
	for _, tt := range meAnswers {
		client := newClient(t, qq.Config{Transport: answering(tt.body)})
		id, err := client.Prove(t.Context(), token, openID)
		if !errors.Is(err, tt.want) || (tt.want == nil) != (id == authcore.Identity{App: ours, OpenID: openID}) {
			t.Errorf("%.200q: got %v, %v; want %v", tt.body, id, err, tt.want)
		}
	}
}

// The class of an error is its number's and no other's.
func TestErrorNumbers(t *testing.T) {
	classes := map[error][]int{
		authcore.ErrQQToken: {100005, 100007, 100013, 100014, 100015, 100016, 100018, 100019, 100020, 100030, 1002,
			-20, -21, -22, -23, -24, -70, -71, -73},
		authcore.ErrQQConfig:      {100001, 100002, 100008, 100009, 100010, 100011, 100031, 100048, -2, -3, -4, -5, -72},
		authcore.ErrQQUnavailable: {1, -1, -6, -8, 1001, 13002, 21006, 100000, 100021, 100050, 9999999, -9999999},
	}
	for want, numbers := range classes {
		for _, n := range numbers {
			me := newClient(t, qq.Config{Transport: answering(fmt.Sprintf(`{"error":%d,"error_description":"x"}`, n))})
			_, err := me.Prove(t.Context(), token, openID)
			info := newClient(t, qq.Config{Transport: answering(fmt.Sprintf(`{"ret":"%d","msg":"x","nickname":"x"}`, n))})
			profile, infoErr := info.Profile(t.Context(), token, authcore.Identity{})
			exchange := newClient(t, qq.Config{Key: opaque.Of(key), Transport: answering(fmt.Sprintf(`{"error":%d,"error_description":"x"}`, n))})
			got, tokenErr := exchange.Exchange(t.Context(), code)
			for class := range classes {
				is := class == want
				if errors.Is(err, class) != is || errors.Is(infoErr, class) != is || errors.Is(tokenErr, class) != is {
					t.Errorf("%d: got %v, %v and %v, want %v", n, err, infoErr, tokenErr, want)
				}
			}
			if wantText := fmt.Sprintf("qq token: error %d: %v", n, want); tokenErr.Error() != wantText || !got.IsZero() {
				t.Errorf("got %q, want %q; a token: %v", tokenErr, wantText, !got.IsZero())
			}
			if wantText := fmt.Sprintf("qq me: error %d: %v", n, want); err.Error() != wantText || profile.Nickname != "" {
				t.Errorf("got %q, want %q; nickname %q", err, wantText, profile.Nickname)
			}
		}
	}
}

func TestProfileAnswers(t *testing.T) {
	for _, tt := range []struct {
		body, nickname string
		want           error
	}{
		{`{"ret":0,"nickname":"Jonny"}`, "Jonny", nil},
		{`{"ret":"0","nickname":"Jonny"}`, "Jonny", nil},
		{`{"ret":0}`, "", nil},
		{`{"ret":0,"nickname":null}`, "", nil},
		{"{\"ret\":0,\n\"nickname\":\"a\x01\\u0001\n\x7f\u0085\\nb\"}", "ab", nil},
		{"{\"ret\":0,\"nickname\":\"a\\\x01\"b\"}", `a"b`, nil},
		{"{\"ret\":0,\"nickname\":\"a\\\\\",\"x\":\"\x01\"}", `a\`, nil},
		{"{\"ret\":0,\"nickname\":\"a\xffb\"}", "ab", nil},
		{`{"nickname":"Jonny"}`, "", authcore.ErrQQUnavailable},
		{`{"ret":null,"nickname":"Jonny"}`, "", authcore.ErrQQUnavailable},
		{`{"ret":"","nickname":"Jonny"}`, "", authcore.ErrQQUnavailable},
		{`{"ret":0.0,"nickname":"Jonny"}`, "", authcore.ErrQQUnavailable},
		{`{"error":100013,"error_description":"access token is illegal"}`, "", authcore.ErrQQUnavailable},
		{`{"ret":1002,"ret":0}`, "", authcore.ErrQQUnavailable},
		{`{"ret":0,"nickname":1}`, "", authcore.ErrQQUnavailable},
		{"{\"ret\":0\x01}", "", authcore.ErrQQUnavailable},
		{`{"ret":0,"nickname":"` + strings.Repeat("a", 64<<10) + `"}`, "", authcore.ErrQQUnavailable},
	} {
		client := newClient(t, qq.Config{Transport: answering(tt.body)})
		got, err := client.Profile(t.Context(), token, authcore.Identity{App: ours, OpenID: openID})
		if got.Nickname != tt.nickname || !errors.Is(err, tt.want) {
			t.Errorf("%.100q: got %q, %v; want %q, %v", tt.body, got.Nickname, err, tt.nickname, tt.want)
		}
	}
}

// Whatever QQ answers, a proof is one that a second, independent reading finds
// too, and no error repeats the token.
func FuzzMe(f *testing.F) {
	for _, seed := range meAnswers {
		f.Add(seed.body)
	}
	f.Add(`{"error":` + token + `}`)
	f.Add(token)
	f.Fuzz(func(t *testing.T, body string) {
		client := newClient(t, qq.Config{UnionID: true, Transport: answering(body)})
		id, err := client.Prove(t.Context(), token, "")
		if err != nil {
			if strings.Contains(err.Error(), token) {
				t.Fatalf("the token is in %q", err)
			}
			if id != (authcore.Identity{}) {
				t.Fatalf("%v beside %v", id, err)
			}
			return
		}
		app, open, ok := oracle(body)
		if !ok || app != ours || open != id.OpenID || id.App != ours || id.OpenID == "" {
			t.Fatalf("%q proves %v; the oracle reads %q, %q, %v", body, id, app, open, ok)
		}
	})
}

var jsonp = regexp.MustCompile(`(?s)^callback\s*\(\s*(\{.*\})\s*\)\s*;?\s*$`)

// oracle reads an answer by the reference's pattern and encoding/json's tokens.
// ok is false if it is no proof.
func oracle(body string) (app, open string, ok bool) {
	members, ok := objectOf(body)
	if !ok || members["error"] != nil {
		return "", "", false
	}
	open, _ = members["openid"].(string)
	return fmt.Sprint(members["client_id"]), open, true
}

// objectOf reads an object, in a frame or without one; ok is false if there is
// anything else, or members' names differ in case alone.
func objectOf(body string) (members map[string]any, ok bool) {
	body = strings.TrimLeft(strings.TrimPrefix(body, "\ufeff"), jsonSpaces)
	if m := jsonp.FindStringSubmatch(body); m != nil {
		body = m[1]
	}
	body = strings.TrimRight(body, jsonSpaces)
	if !json.Valid([]byte(body)) || !utf8.ValidString(body) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader([]byte(body)))
	d.UseNumber()
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, false
	}
	members = make(map[string]any)
	for d.More() {
		token, _ := d.Token()
		name := token.(string)
		for other := range members {
			if strings.EqualFold(other, name) {
				return nil, false
			}
		}
		var value any
		if d.Decode(&value) != nil {
			return nil, false
		}
		members[name] = value
	}
	return members, true
}

const jsonSpaces = " \t\r\n\f"
