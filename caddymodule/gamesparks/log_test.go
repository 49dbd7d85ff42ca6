package gamesparks_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/gamesparks"
)

// planted stands in everything that a caller can send.
const planted = "PLANTED"

// plantedBody is a request that says planted wherever it can.
func plantedBody(name string) string {
	var fields []string
	for _, f := range []string{
		"accessToken", "deviceId", "deviceModel", "deviceName", "deviceType", "operatingSystem", "displayName",
		"userName", "password", "newPassword", "oldPassword", "language", "systemId", planted,
	} {
		fields = append(fields, fmt.Sprintf("%q:%q", f, planted+"-12345678"))
	}
	fields = append(fields, `"segments":{"PLANTED":"PLANTED"}`, `"deviceOS":"IOS"`, `"requestId":"r"`, `"authToken":"`+knownToken+`"`)
	return `{"@class":".` + name + `",` + strings.Join(fields, ",") + `}`
}

// One line for each request that is refused, none for any other, and in no line
// anything that came with the request; nor does it come back.
func TestLog(t *testing.T) {
	bodies := map[string]func(string) string{
		"plain":     plantedBody,
		"JSON":      func(string) string { return planted },
		"duplicate": func(string) string { return `{"PLANTED":1,"planted":2}` },
		"type": func(string) string {
			return `{"accessToken":["PLANTED"],"userName":["PLANTED"],"deviceId":["PLANTED"]}`
		},
		"class":    func(string) string { return `{"@class":".PLANTED"}` },
		"id":       func(string) string { return `{"requestId":{"PLANTED":1}}` },
		"playerId": func(name string) string { return `{"@class":".` + name + `","playerId":"PLANTED"}` },
		"segments": func(name string) string { return `{"@class":".` + name + `","accessToken":"x","segments":["PLANTED"]}` },
		"deviceOS": func(name string) string { return `{"@class":".` + name + `","deviceId":"x","deviceOS":"PLANTED"}` },
	}
	cores := map[string]func(*fake){
		"good":        func(*fake) {},
		"limit":       func(f *fake) { f.err = authcore.ErrLimited },
		"unavailable": func(f *fake) { f.err = authcore.ErrUnavailable },
		"unexpected":  func(f *fake) { f.err = errors.New("disk on fire") },
		"panic":       func(f *fake) { f.panic = planted },
		"panic error": func(f *fake) { f.panic = errors.New(planted) },
		"MFA": func(f *fake) {
			f.play = authcore.Play{Outcome: authcore.Outcome{Status: authcore.StatusMFAAuth, StateToken: "s"}}
		},
	}
	for _, name := range gamesparks.RequestNames() {
		for kind, body := range bodies {
			for core, set := range cores {
				t.Run(name+"/"+kind+"/"+core, func(t *testing.T) {
					f := newFake()
					set(f)
					w := newWorld(t, f)
					got := w.post(t, name, body(name))
					lines := w.log.lines()
					want := got.status != 200 || strings.Contains(got.body, `"error"`)
					if (len(lines) == 1) != want || len(lines) > 1 {
						t.Errorf("%s: %d lines", got.body, len(lines))
					}
					if text := strings.Join(lines, ""); strings.Contains(strings.ToUpper(text), planted) || strings.Contains(text, knownToken) {
						t.Errorf("a secret is in the log: %s", text)
					}
					if strings.Contains(got.body, planted) {
						t.Errorf("a secret is in the answer: %s", got.body)
					}
				})
			}
		}
	}
}

// What stands in the path of a request that is refused is in no line either.
func TestLogOfPaths(t *testing.T) {
	w := newWorld(t, newFake())
	for _, path := range []string{
		"/rs/PLANTED", "/rs/PLANTED/PLANTED/PLANTED", "/rs/device/PLANTED/QQConnectRequest", "/rs/device/" + knownSecret + "/PLANTED",
		"/ws/PLANTED", "/ws/device/PLANTED", "/ws/PLANTED/" + knownKey, "/ws/device/" + knownKey + "?PLANTED",
	} {
		r := w.request(t, "POST", path, planted)
		r.Header.Set("Authorization", planted)
		w.do(t, r)
		r = w.request(t, "GET", path, "")
		r.Header.Set("Sec-WebSocket-Key", planted)
		w.do(t, r)
	}
	text := strings.Join(w.log.lines(), "\n")
	for _, secret := range []string{planted, knownSecret, knownKey} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in the log: %s", secret, text)
		}
	}
	if n := len(w.log.lines()); n != 16 {
		t.Errorf("%d lines for 16 refusals", n)
	}
}

// What a game says over a WebSocket is in no line, at whatever stage.
func TestLogOfSockets(t *testing.T) {
	w := newWorld(t, newFake())
	for _, first := range []string{planted, plantedBody("QQConnectRequest"), plantedBody("PLANTED"), plantedBody("AuthenticatedConnectRequest")} {
		g := w.dial(t)
		g.nonce(t)
		g.send(t, first)
		g.receive(t)
		g.closes(t, 1008)
	}
	g := w.online(t)
	w.set(func(f *fake) { f.err = authcore.ErrQQToken })
	sent := 4
	for _, name := range append(gamesparks.RequestNames(), "PLANTED") {
		g.send(t, plantedBody(name))
		g.receive(t)
		sent++
	}
	w.set(func(f *fake) { f.panic = planted })
	g.send(t, plantedBody("QQConnectRequest"))
	g.receive(t)
	sent++
	lines := w.log.lines()
	if len(lines) != sent {
		t.Errorf("%d lines for %d refusals", len(lines), sent)
	}
	text := strings.Join(lines, "\n")
	for _, secret := range []string{planted, knownSecret, knownKey, knownToken, "SECRETDEVICE"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in the log: %s", secret, text)
		}
	}
}

func TestLogLine(t *testing.T) {
	for name, test := range map[string]struct {
		core func(*fake)
		want map[string]any
	}{
		"caller's fault": {func(f *fake) { f.err = authcore.ErrQQToken }, map[string]any{
			"level": "INFO", "request": "QQConnectRequest", "status": 200.0, "client_id": string(knownClient),
			"why": authcore.ErrQQToken.Error(), "error": nil,
		}},
		"our qq application": {func(f *fake) { f.err = fmt.Errorf("prove: %w", authcore.ErrQQConfig) }, map[string]any{
			"level": "ERROR", "status": 200.0, "error": "prove: " + authcore.ErrQQConfig.Error(),
		}},
		"store": {func(f *fake) { f.err = fmt.Errorf("read session: %w", authcore.ErrDamaged) }, map[string]any{
			"level": "ERROR", "status": 503.0, "error": "read session: store is damaged",
		}},
		"unexpected": {func(f *fake) { f.err = errors.New("disk on fire") }, map[string]any{
			"level": "ERROR", "status": 500.0, "error": "disk on fire",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			test.core(f)
			w := newWorld(t, f)
			w.post(t, "QQConnectRequest", qqBody)
			if len(w.log.lines()) != 1 {
				t.Fatalf("%d lines, want one", len(w.log.lines()))
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(w.log.lines()[0]), &got); err != nil {
				t.Fatal(err)
			}
			for _, name := range slices.Sorted(maps.Keys(test.want)) {
				if got[name] != test.want[name] {
					t.Errorf("%s = %v, want %v", name, got[name], test.want[name])
				}
			}
		})
	}
}
