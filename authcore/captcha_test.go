package authcore_test

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/qqauth/qqauth/authcore"
)

// puzzle is a new puzzle and its solution.
func (w *codeWorld) puzzle() (puzzle string, x float64) {
	w.t.Helper()
	p, err := w.NewPuzzle(w.t.Context(), w.client, w.caller)
	if err != nil {
		w.t.Fatalf("puzzle: %v", err)
	}
	return p.Token, w.solution(p.Token)
}

// solve says where the piece belongs.
func (w *codeWorld) solve(puzzle string, x float64) error {
	w.t.Helper()
	return w.SolvePuzzle(w.t.Context(), w.client, w.caller, puzzle, x, w.contact(ownPhone))
}

// sendBy asks for a code with a pass.
func (w *codeWorld) sendBy(pass, to string) error {
	w.t.Helper()
	return w.SendCode(w.t.Context(), w.client, w.caller, authcore.CodeRequest{Type: "REGISTER_SMS", To: w.contact(to), Pass: pass})
}

func TestPuzzle(t *testing.T) {
	w := newCodeWorld(t)
	p, err := w.NewPuzzle(t.Context(), mainClient, phone)
	want(t, "puzzle", err, nil)
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(p.Token) {
		t.Errorf("token = %q", p.Token)
	}
	for _, picture := range []string{p.Picture, p.Piece} {
		if raw, err := base64.StdEncoding.DecodeString(picture); err != nil || len(raw) < 8 || string(raw[1:4]) != "PNG" {
			t.Errorf("a picture is no PNG: %v", err)
		}
	}
	_, err = w.NewPuzzle(t.Context(), "nobody", phone)
	want(t, "puzzle for an unknown client", err, authcore.ErrUnknownClient)
}

func TestSolutions(t *testing.T) {
	for _, test := range []struct {
		off  float64
		want error
	}{
		{0, nil}, {5, nil}, {-5, nil}, {4.75, nil},
		{5.001, authcore.ErrCaptcha}, {-5.001, authcore.ErrCaptcha}, {1e300, authcore.ErrCaptcha},
		{math.NaN(), authcore.ErrCaptcha}, {math.Inf(1), authcore.ErrCaptcha}, {math.Inf(-1), authcore.ErrCaptcha},
	} {
		t.Run(fmt.Sprint(test.off), func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
			w.login(w.newAccount(), authcore.StatusUserRegister)
			p, x := w.puzzle()
			want(t, "solve", w.solve(p, x+test.off), test.want)
			if test.want == nil {
				want(t, "send", w.sendBy(p, ownPhone), nil)
				return
			}
			want(t, "solve it rightly then", w.solve(p, x), authcore.ErrCaptcha)
			want(t, "send", w.sendBy(p, ownPhone), authcore.ErrPass)
		})
	}
}

func TestLifeOfAPuzzle(t *testing.T) {
	w := newCodeWorld(t)
	p, x := w.puzzle()
	w.clock.step(2*time.Minute - 1)
	want(t, "solve in time", w.solve(p, x), nil)
	p, x = w.puzzle()
	w.clock.step(2 * time.Minute)
	want(t, "solve too late", w.solve(p, x), authcore.ErrCaptcha)
}

// TestPuzzleOfAnother: neither a puzzle nor the pass that it turns into changes
// hands.
func TestPuzzleOfAnother(t *testing.T) {
	for name, see := range map[string]func(*codeWorld) *codeWorld{
		"client": func(w *codeWorld) *codeWorld { return w.as(receiverClient, phone) },
		"device": func(w *codeWorld) *codeWorld { return w.as(mainClient, tablet) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
			other := see(w)
			w.login(w.newAccount(), authcore.StatusUserRegister)
			p, x := w.puzzle()
			want(t, "solve another's", other.solve(p, x), authcore.ErrCaptcha)
			pass := w.pass(ownPhone)
			want(t, "send by another's pass", other.sendBy(pass, ownPhone), authcore.ErrPass)
			want(t, "send by it as its owner", w.sendBy(pass, ownPhone), nil)
			if n := w.messages(); n != 1 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

func TestPass(t *testing.T) {
	for _, test := range []struct {
		name string
		use  func(w *codeWorld) error
		want error
	}{
		{"none", func(w *codeWorld) error { return w.sendBy("", ownPhone) }, authcore.ErrPass},
		{"invented", func(w *codeWorld) error { return w.sendBy("0123456789abcdef0123456789abcdef", ownPhone) }, authcore.ErrPass},
		{"of a puzzle that is not solved", func(w *codeWorld) error {
			p, _ := w.puzzle()
			return w.sendBy(p, ownPhone)
		}, authcore.ErrPass},
		{"for another receiver", func(w *codeWorld) error { return w.sendBy(w.pass(otherPhone), ownPhone) }, authcore.ErrPass},
		{"for the receiver in another spelling", func(w *codeWorld) error { return w.sendBy(w.pass("15201657321"), "+86 152 0165 7321") }, nil},
		{"used", func(w *codeWorld) error {
			pass := w.pass(ownPhone)
			want(w.t, "send once", w.sendBy(pass, ownPhone), nil)
			w.clock.step(90 * time.Second)
			return w.sendBy(pass, ownPhone)
		}, authcore.ErrPass},
		{"used for what nothing waited for", func(w *codeWorld) error {
			other := w.as(receiverClient, phone)
			pass := other.pass(ownPhone)
			want(w.t, "send once", other.sendBy(pass, ownPhone), nil)
			return other.sendBy(pass, ownPhone)
		}, authcore.ErrPass},
		{"solved twice", func(w *codeWorld) error {
			p, x := w.puzzle()
			want(w.t, "solve", w.solve(p, x), nil)
			want(w.t, "solve again", w.solve(p, x), authcore.ErrCaptcha)
			return w.sendBy(p, ownPhone)
		}, authcore.ErrPass},
		{"in time", func(w *codeWorld) error {
			pass := w.pass(ownPhone)
			w.clock.step(2*time.Minute - 1)
			return w.sendBy(pass, ownPhone)
		}, nil},
		{"expired", func(w *codeWorld) error {
			pass := w.pass(ownPhone)
			w.clock.step(2 * time.Minute)
			return w.sendBy(pass, ownPhone)
		}, authcore.ErrPassExpired},
		{"expired and another's", func(w *codeWorld) error {
			pass := w.pass(ownPhone)
			w.clock.step(2 * time.Minute)
			return w.as(mainClient, tablet).sendBy(pass, ownPhone)
		}, authcore.ErrPass},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newCodeWorld(t, unknownUser(authcore.UnknownRegister))
			w.login(w.newAccount(), authcore.StatusUserRegister)
			want(t, "send", test.use(w), test.want)
		})
	}
}

// TestPassIsUsedOnce however many send by it at once.
func TestPassIsUsedOnce(t *testing.T) {
	w := newCodeWorld(t, unknownUser(authcore.UnknownRegister), func(cfg *authcore.Config) {
		cfg.Limits.TargetMinute, cfg.Limits.TargetHour, cfg.Limits.TargetDay = 0, 0, 0
	})
	w.login(w.newAccount(), authcore.StatusUserRegister)
	pass, to := w.pass(ownPhone), w.contact(ownPhone)
	together(100, func(int) {
		_ = w.SendCode(t.Context(), mainClient, phone, authcore.CodeRequest{Type: "REGISTER_SMS", To: to, Pass: pass})
	})
	if n := w.messages(); n != 1 {
		t.Errorf("%d messages by one pass", n)
	}
}

// TestSolvedPuzzleIsOnePass: of many solutions at once, at most one counts.
func TestSolvedPuzzleIsOnePass(t *testing.T) {
	w := newCodeWorld(t)
	p, x := w.puzzle()
	to := w.contact(ownPhone)
	errs := make([]error, 50)
	together(len(errs), func(i int) {
		errs[i] = w.SolvePuzzle(t.Context(), mainClient, phone, p, x, to)
	})
	solved := 0
	for _, err := range errs {
		if err == nil {
			solved++
		} else {
			want(t, "solve", err, authcore.ErrCaptcha)
		}
	}
	if solved != 1 {
		t.Errorf("solved %d times", solved)
	}
}

func TestPuzzlesAreLimited(t *testing.T) {
	w := newCodeWorld(t)
	at := func(addr string) error {
		caller := phone
		caller.Addr = netip.MustParseAddr(addr)
		_, err := w.NewPuzzle(t.Context(), mainClient, caller)
		return err
	}
	for i := range 120 {
		want(t, fmt.Sprintf("puzzle %d", i+1), at("2001:db8::1"), nil)
	}
	err := at("2001:db8::ffff:1")
	want(t, "puzzle 121 of the /64", err, authcore.ErrLimited)
	if after, ok := authcore.RetryAfter(err); !ok || after != time.Second {
		t.Errorf("retry after %s, %t", after, ok)
	}
	want(t, "another /64", at("2001:db8:0:1::1"), nil)
	w.clock.step(time.Second)
	want(t, "a second later", at("2001:db8::1"), nil)
}

func TestPuzzlesWithoutLimits(t *testing.T) {
	w := newCodeWorld(t, func(cfg *authcore.Config) { cfg.Limits.Off = true })
	for range 121 {
		_, err := w.NewPuzzle(t.Context(), mainClient, phone)
		want(t, "puzzle", err, nil)
	}
}
