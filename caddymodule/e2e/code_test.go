package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qqauth/qqauth/internal/solver"
)

// puzzle is what is shown to a person.
type puzzle struct {
	Picture string `json:"originalImageBase64"`
	Piece   string `json:"jigsawImageBase64"`
	Token   string `json:"token"`
}

func (a *app) puzzle() (p puzzle) {
	a.t.Helper()
	a.call("GET", "/captcha", nil).want(http.StatusOK, "").json(&p)
	return p
}

// look returns where the piece of a puzzle belongs, as an app writes it.
func (a *app) look(p puzzle) (point string) {
	a.t.Helper()
	x, err := solver.Solve(p.Picture, p.Piece)
	if err != nil {
		a.t.Fatal(err)
	}
	return fmt.Sprintf(`{"x":%d.0,"y":5.0}`, x)
}

func (a *app) slide(p puzzle, point, sender string) answer {
	a.t.Helper()
	return a.call("POST", "/captcha/verify", map[string]string{"point_json": point, "token": p.Token, "sender": sender})
}

// pass solves a puzzle for somebody who is to get a code. Looking misses now and
// then, as a person's does.
func (a *app) pass(sender string) (captchaToken string) {
	a.t.Helper()
	for tries := 3; ; tries-- {
		p := a.puzzle()
		point := a.look(p)
		got := a.slide(p, point, sender)
		if got.code() == "IDAAS.SDK.CAPTCHA.0002" && tries > 1 {
			continue
		}
		var pass map[string]string
		got.want(http.StatusOK, "").json(&pass)
		if want := p.Token + "---" + point; pass["captcha_token"] != want || len(pass) != 1 {
			a.t.Fatalf("captcha/verify answered %v, want %s", pass, want)
		}
		return pass["captcha_token"]
	}
}

// isEmail reports whether a receiver is one, and fieldOf is where it stands in a
// body.
func isEmail(to string) bool { return strings.Contains(to, "@") }

func fieldOf(to string) string {
	if isEmail(to) {
		return "email"
	}
	return "mobile"
}

// trySend asks for a code. The state_token may be empty.
func (a *app) trySend(kind, to, stateToken string) answer {
	a.t.Helper()
	return a.sendWith(a.pass(to), kind, to, stateToken)
}

func (a *app) sendWith(pass, kind, to, stateToken string) answer {
	a.t.Helper()
	path := "/sms/send"
	if isEmail(to) {
		path = "/email/send"
	}
	var header []string
	if stateToken != "" {
		header = []string{"X-state-token", stateToken}
	}
	return a.call("POST", path, map[string]string{fieldOf(to): to, "type": kind, "captcha_token": pass}, header...)
}

// notice is a message as senders write it.
type notice struct {
	Time      time.Time `json:"time"`
	Channel   string    `json:"channel"`
	To        string    `json:"to"`
	Type      string    `json:"type"`
	Code      string    `json:"code"`
	Lang      string    `json:"lang"`
	ExpiresIn int       `json:"expires_in"`
}

// notices reads all that was sent by one channel.
func (a *app) notices(channel string) (all []notice) {
	a.t.Helper()
	content, err := os.ReadFile(filepath.Join(a.outbox, channel+".jsonl"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.t.Fatal(err)
	}
	for line := range bytes.Lines(content) {
		all = append(all, parseNotice(a.t, line))
	}
	return all
}

// noticeKeys are all that a message has.
var noticeKeys = []string{"channel", "code", "expires_in", "lang", "time", "to", "type"}

func parseNotice(t *testing.T, line []byte) (n notice) {
	t.Helper()
	var members map[string]any
	err := json.Unmarshal(line, &members)
	if err == nil {
		err = json.Unmarshal(line, &n)
	}
	if keys := slices.Sorted(maps.Keys(members)); err != nil || !slices.Equal(keys, noticeKeys) {
		t.Fatalf("message %q: %v, keys %v", line, err, keys)
	}
	return n
}

// code has a code sent to a phone or mailbox and takes it from there. The
// receiver may be written otherwise than it is reached.
func (a *app) code(kind, to, stateToken string, reached ...string) string {
	a.t.Helper()
	channel, at := "sms", "+86-"+to
	if isEmail(to) {
		channel, at = "email", to
	}
	if len(reached) > 0 {
		at = reached[0]
	}
	before := a.notices(channel)
	if got := a.trySend(kind, to, stateToken).want(http.StatusOK, ""); len(got.body) > 0 {
		a.t.Errorf("the answer to a sending is %q", got.body)
	}
	after := a.notices(channel)
	if len(after) != len(before)+1 {
		a.t.Fatalf("%d messages were sent by %s, want 1", len(after)-len(before), channel)
	}
	sent := after[len(before)]
	if len(sent.Code) != 6 || strings.Trim(sent.Code, "0123456789") != "" {
		a.t.Errorf("the code is %q", sent.Code)
	}
	want := notice{sent.Time, channel, at, kind, sent.Code, a.language, 300}
	if age := time.Since(sent.Time); sent != want || age < -time.Second || age > patience {
		a.t.Errorf("the message is %+v, %v old; want %+v", sent, age, want)
	}
	return sent.Code
}

// sendsNothing asks for a code that nothing waits for.
func (a *app) sendsNothing(kind, to, stateToken string) {
	a.t.Helper()
	before := len(a.notices("sms")) + len(a.notices("email"))
	if got := a.trySend(kind, to, stateToken).want(http.StatusOK, ""); len(got.body) > 0 {
		a.t.Errorf("the answer to a sending is %q", got.body)
	}
	if after := len(a.notices("sms")) + len(a.notices("email")); after != before {
		a.t.Errorf("%d messages were sent for %s to %s", after-before, kind, to)
	}
}
