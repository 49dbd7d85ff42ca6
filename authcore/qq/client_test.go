package qq_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/authcore/opaque"
	"github.com/qqauth/qqauth/authcore/qq"
	"github.com/qqauth/qqauth/authcore/qq/qqtest"
)

// The applications of the tests: ours, a sibling of the same developer, and one
// of somebody else.
const (
	ours    = "101000001"
	sibling = "101000002"
	foreign = "102000003"
)

func newQQ(t *testing.T) *qqtest.Server {
	t.Helper()
	s, err := qqtest.New(qqtest.Config{Apps: []qqtest.App{
		{ID: ours, Key: key, Developer: "dev", UnionID: true},
		{ID: sibling, Developer: "dev"},
		{ID: foreign, Developer: "other"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newClient returns a client of our application, or of the one that c names.
func newClient(t *testing.T, c qq.Config) *qq.Client {
	t.Helper()
	if c.App == "" {
		c.App = ours
	}
	client, err := qq.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestProve(t *testing.T) {
	s := newQQ(t)
	mine, openID := s.Token(ours, 1), s.OpenID(ours, 1)
	expired, revoked := s.Issue(ours, 1), s.Issue(ours, 1)
	s.Expire(expired)
	s.Revoke(revoked)
	for _, tt := range []struct {
		name, token, openID string
		want                error
		calls               int
	}{
		{"good", mine, openID, nil, 1},
		{"no open id claimed", mine, "", nil, 1},
		{"token of a sibling application", s.Token(sibling, 1), s.OpenID(sibling, 1), authcore.ErrQQApp, 1},
		{"token of another developer", s.Token(foreign, 1), s.OpenID(foreign, 1), authcore.ErrQQApp, 1},
		{"foreign token without a claim", s.Token(foreign, 1), "", authcore.ErrQQApp, 1},
		{"foreign token and our open id", s.Token(foreign, 1), openID, authcore.ErrQQApp, 1},
		{"another user's open id", mine, s.OpenID(ours, 2), authcore.ErrQQOpenID, 1},
		{"lower-case open id", mine, strings.ToLower(openID), authcore.ErrQQOpenID, 1},
		{"open id with a space", mine, openID + " ", authcore.ErrQQOpenID, 0},
		{"one-time code as token", s.Code(ours, 1, ""), openID, authcore.ErrQQToken, 1},
		{"garbage", "garbage", openID, authcore.ErrQQToken, 1},
		{"expired", expired, openID, authcore.ErrQQToken, 1},
		{"revoked", revoked, openID, authcore.ErrQQToken, 1},
		{"parameters in the token", mine + "&unionid=1", openID, authcore.ErrQQToken, 0},
		{"space behind the token", mine + " ", openID, authcore.ErrQQToken, 0},
		{"512 bytes", strings.Repeat("x", 512), openID, authcore.ErrQQToken, 1},
		{"empty token", "", openID, authcore.ErrQQToken, 0},
		{"513 bytes", strings.Repeat("x", 513), openID, authcore.ErrQQToken, 0},
		{"newline in token", mine + "\n", openID, authcore.ErrQQToken, 0},
		{"token not ASCII", mine + "林", openID, authcore.ErrQQToken, 0},
		{"open id of 129 bytes", mine, strings.Repeat("A", 129), authcore.ErrQQOpenID, 0},
		{"open id not ASCII", mine, openID + "林", authcore.ErrQQOpenID, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := newClient(t, qq.Config{Transport: s.Transport()})
			before := s.Calls(qqtest.PathMe)
			got, err := client.Prove(t.Context(), tt.token, tt.openID)
			want := authcore.Identity{App: ours, OpenID: openID}
			if tt.want != nil {
				want = authcore.Identity{}
			}
			if !errors.Is(err, tt.want) || got != want {
				t.Errorf("got %v, %v; want %v, %v", got, err, want, tt.want)
			}
			if n := s.Calls(qqtest.PathMe) - before; n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
		})
	}
}

func TestProveUnionID(t *testing.T) {
	s := newQQ(t)
	for _, tt := range []struct {
		name  string
		app   authcore.AppID
		ask   bool
		union string
		calls int
	}{
		{"granted", ours, true, s.UnionID(ours, 1), 1},
		{"granted, not asked for", ours, false, "", 1},
		{"not granted", sibling, true, "", 2}, // 100048 costs the first answer
	} {
		t.Run(tt.name, func(t *testing.T) {
			var results []string
			client := newClient(t, qq.Config{App: tt.app, UnionID: tt.ask, Transport: s.Transport(),
				Observe: func(call, result string, _ time.Duration) { results = append(results, call+" "+result) }})
			openID := s.OpenID(string(tt.app), 1)
			got, err := client.Prove(t.Context(), s.Token(string(tt.app), 1), openID)
			if want := (authcore.Identity{App: tt.app, OpenID: openID, UnionID: tt.union}); err != nil || got != want {
				t.Errorf("got %v, %v; want %v", got, err, want)
			}
			want := []string{"me config", "me ok"}[2-tt.calls:]
			if diff := cmp.Diff(want, results); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProfile(t *testing.T) {
	s := newQQ(t)
	client := newClient(t, qq.Config{Transport: s.Transport()})
	token, id := s.Token(ours, 0), authcore.Identity{App: ours, OpenID: s.OpenID(ours, 0)}
	for _, tt := range []struct {
		behavior qqtest.Behavior
		nickname string
		want     error
	}{
		{qqtest.Behavior{}, "林小雨", nil},
		{qqtest.Behavior{ContentType: "application/json", JSONP: true}, "林小雨", nil},
		{qqtest.Behavior{Profile: qqtest.NoLargeAvatar}, "林小雨", nil},
		{qqtest.Behavior{Profile: qqtest.NoNickname}, "", nil},
		{qqtest.Behavior{Profile: qqtest.DotNickname}, "", nil},
		{qqtest.Behavior{Profile: qqtest.Placeholder}, "", nil},
		{qqtest.Behavior{Profile: qqtest.EmojiNickname}, "👩‍🚀🐼🏳️‍🌈", nil},
		{qqtest.Behavior{Profile: qqtest.Hostile}, "林小雨<b>[31m", nil},
		{qqtest.Behavior{Profile: qqtest.Lost}, "林小雨", nil},
		{qqtest.Behavior{Profile: qqtest.ExtraFields}, "林小雨", nil},
		{qqtest.Behavior{Profile: qqtest.NoGenderType}, "林小雨", nil},
		{qqtest.Behavior{UserInfo: qqtest.U2}, "", authcore.ErrQQUnavailable}, // -1 blames nobody in particular
		{qqtest.Behavior{UserInfo: qqtest.U3}, "", authcore.ErrQQToken},
		{qqtest.Behavior{UserInfo: qqtest.U4}, "", authcore.ErrQQToken},
		{qqtest.Behavior{UserInfo: qqtest.U5}, "", authcore.ErrQQConfig},
		{qqtest.Behavior{UserInfo: qqtest.U7}, "", authcore.ErrQQToken},
		{qqtest.Behavior{UserInfo: qqtest.U8}, "", authcore.ErrQQToken},
		{qqtest.Behavior{UserInfo: qqtest.U9}, "", authcore.ErrQQUnavailable},
	} {
		s.Behave(tt.behavior)
		got, err := client.Profile(t.Context(), token, id)
		if got.Nickname != tt.nickname || !errors.Is(err, tt.want) {
			t.Errorf("%+v: got %q, %v; want %q, %v", tt.behavior, got.Nickname, err, tt.nickname, tt.want)
		}
	}
	if _, err := client.Profile(t.Context(), "", id); !errors.Is(err, authcore.ErrQQToken) {
		t.Errorf("empty token: %v", err)
	}
}

// A profile is a nicety: QQ's failing at it leaves the proof of a login alone.
func TestProveWithoutProfile(t *testing.T) {
	s := newQQ(t)
	s.Behave(qqtest.Behavior{JSONP: true, Fault: func(w http.ResponseWriter, r *http.Request) bool {
		if qqtest.Path(r.URL.Path) != qqtest.PathUserInfo {
			return false
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	}})
	client := newClient(t, qq.Config{Transport: s.Transport()})
	id, err := client.Prove(t.Context(), s.Token(ours, 1), s.OpenID(ours, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Profile(t.Context(), s.Token(ours, 1), id); !errors.Is(err, authcore.ErrQQUnavailable) {
		t.Errorf("profile: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]qq.Config{
		"no app":           {},
		"negative timeout": {App: ours, Timeout: -1},
		"no URL":           {App: ours, Endpoint: "http://a b"},
		"no scheme":        {App: ours, Endpoint: "graph.qq.com"},
		"other scheme":     {App: ours, Endpoint: "ftp://graph.qq.com"},
		"no host":          {App: ours, Endpoint: "https:///x"},
		"user":             {App: ours, Endpoint: "https://u:p4ssw0rd@graph.qq.com"},
		"query":            {App: ours, Endpoint: "https://graph.qq.com?p4ssw0rd=1"},
		"fragment":         {App: ours, Endpoint: "https://graph.qq.com#a"},
	} {
		if _, err := qq.New(c); err == nil || strings.Contains(err.Error(), "p4ssw0rd") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEndpointMayHaveAPath(t *testing.T) {
	for _, endpoint := range []string{"", "https://qq.example", "http://127.0.0.1:80/qq-simulator/"} {
		var got []string
		client := newClient(t, qq.Config{Key: opaque.Of(key), Endpoint: endpoint, Transport: tripper(func(r *http.Request) (*http.Response, error) {
			u := *r.URL
			u.RawQuery = ""
			got = append(got, u.String())
			return nil, io.EOF
		})})
		_, _ = client.Prove(t.Context(), "t", "")
		_, _ = client.Profile(t.Context(), "t", authcore.Identity{})
		_, _ = client.Exchange(t.Context(), "t")
		base := strings.TrimSuffix(endpoint, "/")
		if base == "" {
			base = "https://graph.qq.com"
		}
		if diff := cmp.Diff([]string{base + "/oauth2.0/me", base + "/user/get_user_info", base + "/oauth2.0/token"}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// tripper is a transport that is a function.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering is a transport that answers everything with one body.
func answering(body string) tripper {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// Sixty-four calls run, 1,024 wait, and the next is told at once.
func TestAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const inFlight, waiting = 64, 1024
		var running atomic.Int64
		release := make(chan struct{})
		client := newClient(t, qq.Config{Timeout: time.Minute, Transport: tripper(func(r *http.Request) (*http.Response, error) {
			running.Add(1)
			<-release
			return answering(`{"client_id":"101000001","openid":"A"}`)(r)
		})})
		prove := func(ctx context.Context, n int) chan error {
			errs := make(chan error, n)
			for range n {
				go func() {
					_, err := client.Prove(ctx, "t", "A")
					errs <- err
				}()
			}
			synctest.Wait()
			return errs
		}

		admitted := prove(t.Context(), inFlight)
		ctx, giveUp := context.WithCancel(t.Context())
		patient := prove(ctx, waiting-1)
		lucky := prove(t.Context(), 1)
		if n := running.Load(); n != inFlight {
			t.Fatalf("%d calls in flight, want %d", n, inFlight)
		}
		start := time.Now()
		_, err := client.Prove(t.Context(), "t", "A")
		if want := "qq me: too many logins wait: qq is unavailable"; fmt.Sprint(err) != want || time.Since(start) != 0 {
			t.Errorf("beyond the queue: %v after %v; want %s", err, time.Since(start), want)
		}

		giveUp()
		for range waiting - 1 {
			if err := <-patient; !errors.Is(err, authcore.ErrQQUnavailable) || !errors.Is(err, context.Canceled) {
				t.Fatalf("gave up waiting: %v", err)
			}
		}
		late := prove(t.Context(), 1)
		time.Sleep(time.Minute) // in the bubble: ours, nobody waits for it
		if err := <-late; fmt.Sprint(err) != "qq me: no answer in time: qq is unavailable" || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waited too long: %v", err)
		}
		if err := <-lucky; !errors.Is(err, authcore.ErrQQUnavailable) {
			t.Errorf("waited too long: %v", err)
		}
		close(release)
		for range inFlight {
			if err := <-admitted; err != nil {
				t.Fatalf("admitted call: %v", err)
			}
		}
		if err := <-prove(t.Context(), 1); err != nil {
			t.Errorf("after the crowd: %v", err)
		}
	})
}

func BenchmarkProve(b *testing.B) {
	client, err := qq.New(qq.Config{App: ours, Transport: answering(`{"client_id":"101000001","openid":"D8924F7071DC1D29A6822C794D848D9C"}`)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Prove(b.Context(), "8B11C37B7894C5E2347E1606DC7CCFDC", "D8924F7071DC1D29A6822C794D848D9C"); err != nil {
			b.Fatal(err)
		}
	}
}
