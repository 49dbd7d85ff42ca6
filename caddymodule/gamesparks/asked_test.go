package gamesparks_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// The example of the vendor's page, as it stands there.
const vendorExample = `
    {
      "@class" : ".QQConnectRequest",
      "accessToken" : "43E9534E912AS35&2E8F0836C1E",
      "doNotLinkToCurrentPlayer" : false,
      "errorOnSwitch" : false,
      "segments" : {
        "PROFILE" : "P1"
      },
      "switchIfPossible" : false,
      "syncDisplayName" : false
    }
`

// What the service is asked, for everything that a request can say.
func TestWhatIsAsked(t *testing.T) {
	name, user, password := "Nick", "nick", "new"
	caller := authcore.Caller{Addr: clientAddr, Loopback: true}
	for _, test := range []struct {
		name, body string
		method     string
		caller     authcore.Caller
		want       any
	}{
		{"the vendor's example", vendorExample, "ConnectQQ", caller,
			authcore.QQConnect{Token: "43E9534E912AS35&2E8F0836C1E", Segments: map[string]string{"PROFILE": "P1"}}},
		{"doNotLink", `{"accessToken":"t","doNotLinkToCurrentPlayer":true}`, "ConnectQQ", caller,
			authcore.QQConnect{Token: "t", LinkFlags: authcore.LinkFlags{DoNotLink: true}}},
		{"errorOnSwitch", `{"accessToken":"t","errorOnSwitch":true}`, "ConnectQQ", caller,
			authcore.QQConnect{Token: "t", LinkFlags: authcore.LinkFlags{ErrorOnSwitch: true}}},
		{"switchIfPossible", `{"accessToken":"t","switchIfPossible":true}`, "ConnectQQ", caller,
			authcore.QQConnect{Token: "t", LinkFlags: authcore.LinkFlags{SwitchIfPossible: true}}},
		{"doNotCreate", `{"accessToken":"t","doNotCreateNewPlayer":true}`, "ConnectQQ", caller,
			authcore.QQConnect{Token: "t", LinkFlags: authcore.LinkFlags{DoNotCreate: true}}},
		{"sync", `{"accessToken":"t","syncDisplayName":true,"segments":null}`, "ConnectQQ", caller,
			authcore.QQConnect{Token: "t", SyncName: true}},
		{"with a player", `{"accessToken":"t","authToken":"` + knownToken + `","scriptData":{"unknown":[1]}}`, "ConnectQQ", caller,
			authcore.QQConnect{Token: "t", Current: "sid-known"}},
		{"with a dead player", `{"accessToken":"t","authToken":"` + newToken + `"}`, "ConnectQQ", caller,
			authcore.QQConnect{Token: "t"}},
		{"with no player", `{"accessToken":"t","authToken":"0"}`, "ConnectQQ", caller,
			authcore.QQConnect{Token: "t"}},
		{"device", `{"@class":".DeviceAuthenticationRequest","deviceId":"d-12345678","deviceOS":"Android","deviceModel":"Pixel\u0000 8",` +
			`"deviceName":"\u0085Nick's","deviceType":"Handheld","operatingSystem":"Android OS 9\n","displayName":"Nick","segments":{},"authToken":"` + knownToken + `"}`,
			"LoginDevice", authcore.Caller{Addr: clientAddr, Loopback: true, Agent: "Pixel 8 Nick's Handheld", OS: "Android OS 9"},
			authcore.DeviceLogin{Current: "sid-known", OS: "ANDROID", ID: "d-12345678", Name: "Nick", Segments: map[string]string{}}},
		{"bare device", `{"@class":".DeviceAuthenticationRequest","deviceId":"d-12345678","deviceOS":"WP8","deviceModel":8,"deviceName":{}}`,
			"LoginDevice", caller, authcore.DeviceLogin{OS: "WP8", ID: "d-12345678"}},
		{"password", strings.Replace(passwordBody, "{", `{"authToken":"`+knownToken+`",`, 1), "LoginPassword", caller,
			authcore.PasswordLogin{Current: "sid-known", UserName: "nick", Password: "pw"}},
		{"registration", strings.Replace(registerBody, "{", `{"segments":{"A":"1"},`, 1), "RegisterPlayer", caller,
			authcore.Registration{PasswordLogin: authcore.PasswordLogin{UserName: "nick", Password: "pw"}, Name: "Nick", Segments: map[string]string{"A": "1"}}},
		{"all details", `{"@class":".ChangeUserDetailsRequest","authToken":"` + knownToken + `","displayName":"Nick","language":"zh","userName":"nick","newPassword":"new","oldPassword":"old"}`,
			"ChangeDetails", caller, [2]any{authcore.SessionID("sid-known"), authcore.Details{Name: &name, UserName: &user, NewPassword: &password, OldPassword: "old"}}},
		{"empty details", `{"@class":".ChangeUserDetailsRequest","authToken":"` + knownToken + `","displayName":"","userName":"","newPassword":""}`,
			"ChangeDetails", caller, [2]any{authcore.SessionID("sid-known"), authcore.Details{}}},
		{"disconnect", strings.Replace(unlinkBody, "{", `{"authToken":"`+knownToken+`",`, 1), "Disconnect", caller, authcore.SessionID("sid-known")},
		{"end", strings.Replace(endBody, "{", `{"authToken":"`+knownToken+`",`, 1), "EndPlay", caller, authcore.SessionID("sid-known")},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, newFake())
			request := "QQConnectRequest"
			if className.MatchString(test.body) {
				request = nameOf(t, test.body)
			}
			if resp := w.post(t, request, test.body); resp.status != 200 || strings.Contains(resp.body, `"error"`) {
				t.Fatalf("status %d: %s", resp.status, resp.body)
			}
			want := called{test.method, knownClient, test.caller, test.want}
			got := w.last(t)
			if diff := cmp.Diff(want, got, cmp.Comparer(sameCaller)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func sameCaller(a, b authcore.Caller) bool { return a == b }

// The values of deviceOS that the vendor's SDKs send, each in its own spelling.
func TestDeviceSystems(t *testing.T) {
	w := newWorld(t, newFake())
	sent := "IOS ANDROID WP8 W8 OSX Android Linux Marmelade Bada Blackberry NaCl PS4 XBOXONE Nintendo " +
		"MACOS WINDOWS LINUX WEBGL WSA TVOS PS5 XBOXSERIES GC_XBOXONE UNKNOWN"
	for os := range strings.FieldsSeq(sent) {
		w.post(t, "DeviceAuthenticationRequest", `{"deviceId":"d-12345678","deviceOS":"`+os+`"}`)
		if got := w.last(t).In.(authcore.DeviceLogin).OS; got != strings.ToUpper(os) {
			t.Errorf("%s became %s", os, got)
		}
	}
	before := w.count()
	for _, os := range []string{"ios ", "IOS|ANDROID", "windows 95", "ıos"} {
		w.post(t, "DeviceAuthenticationRequest", `{"deviceId":"d-12345678","deviceOS":"`+os+`"}`)
	}
	if got := w.count(); got != before {
		t.Errorf("%d unknown systems were taken", got-before)
	}
}

// What a device says of itself is cut before it is kept.
func TestLongDeviceNames(t *testing.T) {
	w := newWorld(t, newFake())
	w.post(t, "DeviceAuthenticationRequest", `{"deviceId":"d-12345678","deviceOS":"IOS","deviceModel":"x`+strings.Repeat("尼", 1000)+`"}`)
	if got, want := w.last(t).Caller.Agent, "x"+strings.Repeat("尼", 85); got != want {
		t.Errorf("agent is %q", got)
	}
}
