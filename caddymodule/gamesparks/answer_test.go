package gamesparks_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

const stateToken = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"

// waiting is a login that goes on elsewhere.
func waiting(status authcore.Status, ways ...authcore.Way) authcore.Play {
	return authcore.Play{Outcome: authcore.Outcome{Status: status, StateToken: stateToken, Ways: ways}}
}

func refused(why authcore.Refusal, owner *authcore.PlayerSummary) authcore.Play {
	return authcore.Play{Refused: why, Owner: owner}
}

const (
	qqBody       = `{"@class":".QQConnectRequest","accessToken":"43E9534E912AS35","requestId":"1447_1"}`
	deviceBody   = `{"@class":".DeviceAuthenticationRequest","deviceId":"d-12345678","deviceOS":"IOS"}`
	passwordBody = `{"@class":".AuthenticationRequest","userName":"nick","password":"pw"}`
	registerBody = `{"@class":".RegistrationRequest","userName":"nick","password":"pw","displayName":"Nick"}`
	changeBody   = `{"@class":".ChangeUserDetailsRequest","displayName":"Nick"}`
	detailsBody  = `{"@class":".AccountDetailsRequest"}`
	statusBody   = `{"@class":".SocialStatusRequest"}`
	unlinkBody   = `{"@class":".SocialDisconnectRequest","systemId":"QQ"}`
	endBody      = `{"@class":".EndSessionRequest"}`
)

// answers is what each request is answered, over either transport. player says
// that the known player is signed in.
var answers = []struct {
	name, body string
	player     bool
	core       func(*fake)
	want       string
}{
	{"login with QQ", qqBody, false, nil,
		`{"@class":".AuthenticationResponse","authToken":"524c13c7e4b0f3abf2b1ddc0AAAAAAAA","displayName":"Nick","newPlayer":false,"requestId":"1447_1","userId":"523b0628e4b0aba320077410"}`},
	{"new player", deviceBody, false, func(f *fake) { f.play.Created = true },
		`{"@class":".AuthenticationResponse","authToken":"524c13c7e4b0f3abf2b1ddc0AAAAAAAA","displayName":"Nick","newPlayer":true,"userId":"523b0628e4b0aba320077410"}`},
	{"password", passwordBody, false, func(f *fake) { f.play.Name = `"尼克" <&>` },
		`{"@class":".AuthenticationResponse","authToken":"524c13c7e4b0f3abf2b1ddc0AAAAAAAA","displayName":"\"尼克\" <&>","newPlayer":false,"userId":"523b0628e4b0aba320077410"}`},
	{"registration", registerBody, false, func(f *fake) { f.play.Created = true },
		`{"@class":".RegistrationResponse","authToken":"524c13c7e4b0f3abf2b1ddc0AAAAAAAA","displayName":"Nick","newPlayer":true,"userId":"523b0628e4b0aba320077410"}`},
	{"details changed", changeBody, true, nil, `{"@class":".ChangeUserDetailsResponse"}`},
	{"account", detailsBody, true, func(f *fake) {
		f.account = authcore.PlayerAccount{User: knownUser, Name: "Nick", OpenID: "D8924F70", Requested: map[string]string{"PROFILE": "P1", "A": "1"}}
	}, `{"@class":".AccountDetailsResponse","achievements":[],"displayName":"Nick","externalIds":{"QQ":"D8924F70"},"segments":{"A":"1","PROFILE":"P1"},"userId":"20220126153857263-A04D-60E0D446C","virtualGoods":{}}`},
	{"account of a guest", detailsBody, true, func(f *fake) { f.account = authcore.PlayerAccount{User: knownUser} },
		`{"@class":".AccountDetailsResponse","achievements":[],"displayName":"","externalIds":{},"segments":{},"userId":"20220126153857263-A04D-60E0D446C","virtualGoods":{}}`},
	{"social status", statusBody, true, func(f *fake) { f.account.OpenID = "D8924F70" },
		`{"@class":".SocialStatusResponse","statuses":[{"active":true,"systemId":"QQ"}]}`},
	{"social status of a guest", statusBody, true, nil, `{"@class":".SocialStatusResponse","statuses":[]}`},
	{"disconnected", unlinkBody, true, nil, `{"@class":".SocialDisconnectResponse"}`},
	{"ended", endBody, true, func(f *fake) { f.lasted = 90*time.Second + 7*time.Millisecond },
		`{"@class":".EndSessionResponse","sessionDuration":90007}`},
	{"request id of nothing", `{"@class":".EndSessionRequest","requestId":""}`, true, nil,
		`{"@class":".EndSessionResponse","requestId":"","sessionDuration":0}`},
	{"request id of null", `{"@class":".EndSessionRequest","requestId":null}`, true, nil,
		`{"@class":".EndSessionResponse","sessionDuration":0}`},
	{"request id of markup", `{"@class":".EndSessionRequest","requestId":"<\u00e9\">"}`, true, nil,
		`{"@class":".EndSessionResponse","requestId":"<é\">","sessionDuration":0}`},

	{"no access token", `{"@class":".QQConnectRequest","accessToken":"","requestId":"r"}`, false, nil,
		`{"@class":".AuthenticationResponse","error":{"accessToken":"REQUIRED"},"newPlayer":false,"requestId":"r"}`},
	{"creation refused", qqBody, false, func(f *fake) { f.play = refused(authcore.RefusedCreation, nil) },
		`{"@class":".AuthenticationResponse","error":{"accessToken":"CREATE_REFUSED"},"newPlayer":false,"requestId":"1447_1"}`},
	{"switch refused", qqBody, true, func(f *fake) {
		f.play = refused(authcore.RefusedSwitch, &authcore.PlayerSummary{User: "u-2", Name: "Other", OpenID: "D8924F70", Online: true})
	}, `{"@class":".AuthenticationResponse","error":{"accessToken":"SWITCH_REFUSED"},"newPlayer":false,"requestId":"1447_1","switchSummary":{"displayName":"Other","externalIds":{"QQ":"D8924F70"},"id":"u-2","online":true}}`},
	{"already linked", qqBody, true, func(f *fake) { f.play = refused(authcore.RefusedLinked, nil) },
		`{"@class":".AuthenticationResponse","error":{"accessToken":"ACCOUNT_ALREADY_LINKED"},"newPlayer":false,"requestId":"1447_1"}`},
	{"register elsewhere", qqBody, false, func(f *fake) {
		f.play = waiting(authcore.StatusUserRegister, authcore.WayPhone, authcore.WayEmail)
	}, `{"@class":".AuthenticationResponse","error":{"authentication":"USER_REGISTER"},"newPlayer":false,"requestId":"1447_1","scriptData":{"state_token":"eyJhbGciOiJIUzI1NiJ9.e30.c2ln","data":"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\",\"VERIFY_EMAIL\"]}"}}`},
	{"bind elsewhere", qqBody, false, func(f *fake) { f.play = waiting(authcore.StatusSocialBind, authcore.WayPhone) },
		`{"@class":".AuthenticationResponse","error":{"authentication":"SOCIAL_BIND"},"newPlayer":false,"requestId":"1447_1","scriptData":{"state_token":"eyJhbGciOiJIUzI1NiJ9.e30.c2ln","data":"{\"socialBindOrRegisterFlow\":[\"VERIFY_PHONE\"]}"}}`},
	{"MFA", qqBody, false, func(f *fake) { f.play = waiting(authcore.StatusMFAAuth, authcore.WayPhone) },
		`{"@class":".AuthenticationResponse","error":{"authentication":"MFA_REQUIRED"},"newPlayer":false,"requestId":"1447_1","scriptData":{"state_token":"eyJhbGciOiJIUzI1NiJ9.e30.c2ln"}}`},
	{"denied", qqBody, false, func(f *fake) { f.play = waiting(authcore.StatusAccessDenied) },
		`{"@class":".AuthenticationResponse","error":{"authentication":"ACCESS_DENIED"},"newPlayer":false,"requestId":"1447_1"}`},

	{"no device", `{"@class":".DeviceAuthenticationRequest"}`, false, nil,
		`{"@class":".AuthenticationResponse","error":{"deviceId":"REQUIRED","deviceOS":"REQUIRED"},"newPlayer":false}`},
	{"strange device", `{"@class":".DeviceAuthenticationRequest","deviceId":"d-12345678","deviceOS":"BeOS"}`, false, nil,
		`{"@class":".AuthenticationResponse","error":{"deviceOS":"IOS|ANDROID|WP8|W8"},"newPlayer":false}`},
	{"no password", `{"@class":".AuthenticationRequest","userName":"nick","password":null}`, false, nil,
		`{"@class":".AuthenticationResponse","error":{"password":"REQUIRED"},"newPlayer":false}`},
	{"nothing to register", `{"@class":".RegistrationRequest"}`, false, nil,
		`{"@class":".RegistrationResponse","error":{"displayName":"REQUIRED","password":"REQUIRED","userName":"REQUIRED"},"newPlayer":false}`},
	{"segments are a list", `{"@class":".QQConnectRequest","accessToken":"t","segments":["P1"]}`, false, nil,
		`{"@class":".AuthenticationResponse","error":{"segments":"REFUSED"},"newPlayer":false}`},
	{"a segment is a number", `{"@class":".DeviceAuthenticationRequest","deviceId":"d-12345678","deviceOS":"IOS","segments":{"A":1}}`, false, nil,
		`{"@class":".AuthenticationResponse","error":{"segments":"REFUSED"},"newPlayer":false}`},
	{"a segment is null", strings.Replace(registerBody, "{", `{"segments":{"A":null},`, 1), false, nil,
		`{"@class":".RegistrationResponse","error":{"segments":"REFUSED"},"newPlayer":false}`},
	{"no system", `{"@class":".SocialDisconnectRequest"}`, true, nil,
		`{"@class":".SocialDisconnectResponse","error":{"systemId":"REQUIRED"},"newPlayer":false}`},
	{"another system", `{"@class":".SocialDisconnectRequest","systemId":"FB"}`, true, nil,
		`{"@class":".SocialDisconnectResponse","error":{"systemId":"NOT_CONNECTED"},"newPlayer":false}`},

	{"nobody's details", detailsBody, false, nil,
		`{"@class":".AccountDetailsResponse","error":{"authentication":"NOTAUTHORIZED"},"newPlayer":false}`},
	{"nobody's change", changeBody, false, nil,
		`{"@class":".ChangeUserDetailsResponse","error":{"authentication":"NOTAUTHORIZED"},"newPlayer":false}`},
	{"nobody's status", statusBody, false, nil,
		`{"@class":".SocialStatusResponse","error":{"authentication":"NOTAUTHORIZED"},"newPlayer":false}`},
	{"nobody disconnects", unlinkBody, false, nil,
		`{"@class":".SocialDisconnectResponse","error":{"authentication":"NOTAUTHORIZED"},"newPlayer":false}`},
	{"nobody ends", endBody, false, nil,
		`{"@class":".EndSessionResponse","error":{"authentication":"NOTAUTHORIZED"},"newPlayer":false}`},
	{"somebody else's playerId", strings.Replace(qqBody, "{", `{"playerId":"u-2",`, 1), true, nil,
		`{"@class":".AuthenticationResponse","error":{"authentication":"NOTAUTHORIZED"},"newPlayer":false,"requestId":"1447_1"}`},
	{"nobody's playerId", `{"@class":".QQConnectRequest","playerId":"20220126153857263-A04D-60E0D446C"}`, false, nil,
		`{"@class":".AuthenticationResponse","error":{"authentication":"NOTAUTHORIZED"},"newPlayer":false}`},
	{"own playerId", `{"@class":".EndSessionRequest","playerId":"20220126153857263-A04D-60E0D446C"}`, true, nil,
		`{"@class":".EndSessionResponse","sessionDuration":0}`},
}

// faults is what each fault of the core is answered, and with which status.
var faults = []struct {
	err    error
	status int
	want   string
}{
	{authcore.ErrQQToken, 200, `{"accessToken":"NOTAUTHENTICATED"}`},
	{authcore.ErrQQApp, 200, `{"accessToken":"NOTAUTHENTICATED"}`},
	{authcore.ErrQQOpenID, 200, `{"accessToken":"NOTAUTHENTICATED"}`},
	{authcore.ErrQQUnavailable, 200, `{"accessToken":"UNAVAILABLE"}`},
	{authcore.ErrQQConfig, 200, `{"accessToken":"UNAVAILABLE"}`},
	{authcore.ErrNoUser, 200, `{"authentication":"ACCESS_DENIED"}`},
	{authcore.ErrDenied, 200, `{"authentication":"ACCESS_DENIED"}`},
	{authcore.ErrUserDisabled, 200, `{"authentication":"DISABLED"}`},
	{authcore.ErrLimited, 429, `{"authentication":"LIMIT"}`},
	{authcore.ErrStale, 200, `{"authentication":"REAUTHENTICATE"}`},
	{authcore.ErrSession, 200, `{"authentication":"NOTAUTHORIZED"}`},
	{authcore.ErrIDToken, 200, `{"authentication":"NOTAUTHORIZED"}`},
	{authcore.ErrDetails, 200, `{"DETAILS":"UNRECOGNISED"}`},
	{authcore.ErrLockedOut, 200, `{"DETAILS":"LOCKED"}`},
	{authcore.ErrTaken, 200, `{"USERNAME":"TAKEN"}`},
	{authcore.ErrUserName, 200, `{"USERNAME":"REFUSED"}`},
	{authcore.ErrNoUserName, 200, `{"userName":"REQUIRED"}`},
	{authcore.ErrPassword, 200, `{"password":"REFUSED"}`},
	{authcore.ErrName, 200, `{"displayName":"REFUSED"}`},
	{authcore.ErrSegments, 200, `{"segments":"REFUSED"}`},
	{authcore.ErrDevice, 200, `{"deviceId":"REFUSED"}`},
	{authcore.ErrNotLinked, 200, `{"systemId":"NOT_CONNECTED"}`},
	{authcore.ErrLastWay, 200, `{"password":"NOT_SET"}`},
	{authcore.ErrUnavailable, 503, `{"authentication":"UNAVAILABLE"}`},
	{authcore.ErrDamaged, 503, `{"authentication":"UNAVAILABLE"}`},
	{fmt.Errorf("%w and %w", authcore.ErrSession, authcore.ErrUnavailable), 503, `{"authentication":"UNAVAILABLE"}`},
	{authcore.ErrUnknownClient, 500, `{"request":"ERROR"}`},
	{fmt.Errorf("disk on fire"), 500, `{"request":"ERROR"}`},
}

func TestAnswersOverREST(t *testing.T) {
	for _, test := range answers {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			if test.core != nil {
				test.core(f)
			}
			body := test.body
			if test.player {
				body = strings.Replace(body, "{", `{"authToken":"`+knownToken+`",`, 1)
			}
			w := newWorld(t, f)
			resp := w.post(t, nameOf(t, body), body)
			if resp.status != http.StatusOK || resp.body != test.want {
				t.Errorf("status %d\n got %s\nwant %s", resp.status, resp.body, test.want)
			}
		})
	}
}

func TestAnswersOverSocket(t *testing.T) {
	for _, test := range answers {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			w := newWorld(t, f)
			c := w.dial(t)
			if test.player {
				f.play = success(knownToken, "sid-known", knownUser, "Known")
				c.handshake(t, knownToken)
			} else {
				c.handshake(t, "")
			}
			f.set(func(f *fake) { f.play = newFake().play })
			if test.core != nil {
				f.set(test.core)
			}
			c.send(t, test.body)
			if got := c.receive(t); got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	for _, test := range faults {
		t.Run(test.err.Error(), func(t *testing.T) {
			f := newFake()
			w := newWorld(t, f)
			c := w.dial(t)
			c.handshake(t, "")
			f.set(func(f *fake) { f.err = fmt.Errorf("decide: %w", test.err) })
			want := `{"@class":".AuthenticationResponse","error":` + test.want + `,"newPlayer":false,"requestId":"1447_1"}`
			resp := w.post(t, "QQConnectRequest", qqBody)
			if resp.status != test.status || resp.body != want {
				t.Errorf("status %d, want %d\n got %s\nwant %s", resp.status, test.status, resp.body, want)
			}
			later := resp.header.Get("Retry-After")
			if wants := test.status == 429 || test.status == 503; wants != (later == "5") {
				t.Errorf("Retry-After %q", later)
			}
			c.send(t, qqBody)
			if got := c.receive(t); got != want {
				t.Errorf("socket:\n got %s\nwant %s", got, want)
			}
		})
	}
}
