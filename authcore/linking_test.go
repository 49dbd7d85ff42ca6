package authcore_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
)

// linkRow is one row of the decision table.
type linkRow struct {
	current string // none, device, registered, other_qq or same_qq
	known   bool   // the QQ account is somebody's
	flags   authcore.LinkFlags

	outcome  string
	after    string // whose the session is afterwards: none, new, P (the owner) or C (the current player)
	created  string // newPlayer
	fault    string
	summary  string // of whom
	evidence string
}

func (r linkRow) String() string {
	knowledge := map[bool]string{true: "known", false: "unknown"}[r.known]
	return fmt.Sprintf("%s,%s,L=%t,E=%t,W=%t,N=%t", r.current, knowledge,
		r.flags.DoNotLink, r.flags.ErrorOnSwitch, r.flags.SwitchIfPossible, r.flags.DoNotCreate)
}

// refusal is what the row's error is called here. The vendor's pages name one; the
// other two are the contract's, and differ by what would have happened.
func (r linkRow) refusal(t *testing.T) authcore.Refusal {
	t.Helper()
	switch {
	case r.fault == "":
		return ""
	case r.fault == "accessToken=ACCOUNT_ALREADY_LINKED":
		return authcore.RefusedLinked
	case r.fault != "<undocumented key/value>":
		t.Fatalf("the table has the error %q", r.fault)
	case r.known:
		return authcore.RefusedSwitch
	}
	return authcore.RefusedCreation
}

// linkRows reads the decision table.
func linkRows(t *testing.T) (rows []linkRow) {
	t.Helper()
	f, err := os.Open("testdata/gamesparks-linking.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatalf("read the table: %v", err)
	}
	const head = "current_player,qq,doNotLinkToCurrentPlayer,errorOnSwitch,switchIfPossible,doNotCreateNewPlayer," +
		"outcome,session_after,newPlayer,error,switchSummary_of,evidence"
	if strings.Join(all[0], ",") != head {
		t.Fatalf("the table begins with %v", all[0])
	}
	for _, c := range all[1:] {
		on := func(i int) bool {
			if c[i] != "0" && c[i] != "1" {
				t.Fatalf("the table has the flag %q", c[i])
			}
			return c[i] == "1"
		}
		rows = append(rows, linkRow{
			current: c[0], known: c[1] == "known",
			flags: authcore.LinkFlags{
				DoNotLink: on(2), ErrorOnSwitch: on(3), SwitchIfPossible: on(4), DoNotCreate: on(5),
			},
			outcome: c[6], after: c[7], created: c[8], fault: c[9], summary: c[10], evidence: c[11],
		})
	}
	// Nine states of a player and a QQ account, and every combination of four flags:
	// a row that is missing or there twice is no table.
	seen := make(map[string]bool)
	for _, r := range rows {
		seen[r.String()] = true
	}
	if len(rows) != 144 || len(seen) != 144 {
		t.Fatalf("the table has %d rows, %d of them different; want 144", len(rows), len(seen))
	}
	return rows
}

func TestLinkingDecision(t *testing.T) {
	const player, owner authcore.UserID = "C", "P"
	for _, row := range linkRows(t) {
		t.Run(row.String(), func(t *testing.T) {
			var c, p authcore.UserID
			if row.current != "none" {
				c = player
			}
			if row.known {
				p = owner
			}
			if row.current == "same_qq" {
				p = player
			}
			action, refused, summary := authcore.DecideLink(c, p, row.current == "other_qq", row.flags)

			type decision struct {
				outcome, after, created string
				refused                 authcore.Refusal
				summary                 string
			}
			stays := map[bool]string{true: "C", false: "none"}[c != ""]
			got, ok := map[string]decision{
				"create": {outcome: "CREATE", after: "new", created: "true"},
				"link":   {outcome: "LINK_C", after: "C", created: "false"},
				"login":  {outcome: "LOGIN_P", after: "P", created: "false"},
				"same":   {outcome: "SAME", after: "P", created: "false"},
				"switch": {outcome: "SWITCH_P", after: "P", created: "false"},
				"refuse": {outcome: "ERROR", after: stays, created: "false"},
			}[action]
			if !ok {
				t.Fatalf("the decision is %q", action)
			}
			got.refused = refused
			if summary {
				got.summary = "P"
			}
			wanted := decision{row.outcome, row.after, row.created, row.refusal(t), row.summary}
			if got != wanted {
				t.Errorf("decided %+v; want %+v (%s)", got, wanted, row.evidence)
			}
		})
	}
}

// TestLinkingEndToEnd builds the state of each row, asks, and looks at everything
// that may have changed.
func TestLinkingEndToEnd(t *testing.T) {
	rows := linkRows(t)
	// A world holds the rows of one state: everything in it is read for each of them.
	for same := range slices.Chunk(rows, 16) {
		w := newWorld(t, atGames, unlimited)
		for _, row := range same {
			t.Run(row.String(), func(t *testing.T) { w.tryRow(t, row, w.stage(t, row)) })
		}
	}
}

// TestLinkingByTheSessionThatLinked: a link leaves the session alive that it came
// with, and by it the player is one with a QQ account, as by any other.
func TestLinkingByTheSessionThatLinked(t *testing.T) {
	rows := slices.DeleteFunc(linkRows(t), func(r linkRow) bool {
		return r.current != "other_qq" && r.current != "same_qq"
	})
	for same := range slices.Chunk(rows, 16) {
		w := newWorld(t, atGames, unlimited)
		for _, row := range same {
			t.Run(row.String(), func(t *testing.T) {
				s := w.stage(t, linkRow{current: "device", known: row.known && row.current != "same_qq"})
				linked := s.account
				if row.current == "other_qq" {
					linked = w.newAccount()
				}
				s.earlier = w.play(t, linked, s.current.sid, authcore.LinkFlags{})
				if s.earlier.user != s.current.user {
					t.Fatalf("the account went to %s; want %s", s.earlier.user, s.current.user)
				}
				if row.current == "same_qq" {
					s.owner = w.play(t, linked, "", authcore.LinkFlags{})
				}
				w.tryRow(t, row, s)
			})
		}
	}
}

// linkStage is the state of a row: a QQ account and the players it is about.
type linkStage struct {
	account player
	owner   player // P, with a session
	current player // C, with the session that the game has
	earlier player // C on another connection
}

// stage builds the state of a row.
func (w *world) stage(t *testing.T, row linkRow) (s linkStage) {
	t.Helper()
	s.account = w.newAccount()
	if row.known && row.current != "same_qq" {
		s.owner = w.play(t, s.account, "", authcore.LinkFlags{})
	}
	again := func() player { return player{} }
	switch row.current {
	case "none":
	case "device":
		device := w.newDevice()
		again = func() player { return w.onPhone(t, device) }
	case "registered":
		registered := w.registeredPlayer(t)
		again = func() player { return w.byPassword(t, registered) }
	case "other_qq":
		other := w.newAccount()
		again = func() player { return w.play(t, other, "", authcore.LinkFlags{}) }
	case "same_qq":
		again = func() player { return w.play(t, s.account, "", authcore.LinkFlags{}) }
	default:
		t.Fatalf("the table has the current player %q", row.current)
	}
	s.earlier, s.current = again(), again()
	if row.current == "same_qq" {
		s.owner = again()
	}
	return s
}

// tryRow asks what a row asks, in its state.
func (w *world) tryRow(t *testing.T, row linkRow, s linkStage) {
	t.Helper()
	before := w.snap(t)
	switched := len(w.audit.audited(authcore.AuditPlayerSwitched))
	p, err := w.ConnectQQ(t.Context(), mainClient, phone, authcore.QQConnect{
		Current: s.current.sid, Token: s.account.access, LinkFlags: row.flags,
	})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}

	refused := row.refusal(t)
	if p.Refused != refused {
		t.Fatalf("refused %q; want %q", p.Refused, refused)
	}
	if got := fmt.Sprint(p.Created); got != row.created {
		t.Errorf("created: %s; want %s", got, row.created)
	}
	w.checkSummary(t, row, p, s)
	if refused != "" {
		if p.Status != "" || !p.Grant.Token.IsZero() || p.StateToken != "" || p.User != "" || p.Session != "" || p.Name != "" {
			t.Errorf("a refusal is %+v", p)
		}
		if diff := cmp.Diff(before, w.snap(t)); diff != "" {
			t.Errorf("a refusal changed the store: %s", diff)
		}
		return
	}

	if p.Status != authcore.StatusSuccess || p.Grant.IDToken != "" {
		t.Fatalf("the answer is %+v", p)
	}
	after := map[string]authcore.UserID{"P": s.owner.user, "C": s.current.user, "new": p.User}[row.after]
	if row.after == "new" && (p.User == s.owner.user || p.User == s.current.user || before.Users[p.User].ID != "") {
		t.Errorf("the new user is %s, who was there before", p.User)
	}
	if p.User != after || after == "" {
		t.Errorf("the player is %s; want %s (%s)", p.User, after, row.after)
	}
	w.wantPlaying(t, "the new session", p.Grant.Token.Reveal(), p.Session, after)
	if got := w.session(p.Session).Methods; !slices.Equal(got, []authcore.Method{authcore.MethodQQ}) {
		t.Errorf("the new session is proved by %v", got)
	}
	w.checkLinks(t, s, before, after)

	left := row.outcome == "SWITCH_P" || row.outcome == "CREATE" && row.current != "none"
	if got := len(w.audit.audited(authcore.AuditPlayerSwitched)) - switched; got != map[bool]int{true: 1}[left] {
		t.Errorf("player_switched audited %d times", got)
	}
	if row.current == "none" {
		return
	}
	// A link is a way in, and ends all that was logged in before but the session that
	// it came with; whoever becomes another user leaves that one behind.
	linked := row.outcome == "LINK_C"
	w.wantAlive(t, "the session that was current", s.current, !left)
	if !left { // QQ has proved the new session, and not this one
		if diff := cmp.Diff(before.Sessions[s.current.sid], w.session(s.current.sid)); diff != "" {
			t.Errorf("the session that was current has changed: %s", diff)
		}
	}
	w.wantAlive(t, "the player's other session", s.earlier, !linked)
	if s.owner.session != "" {
		w.wantAlive(t, "the owner's session", s.owner, true)
	}
}

// checkSummary wants the owner described where the row says so, and nowhere else.
func (w *world) checkSummary(t *testing.T, row linkRow, p authcore.Play, s linkStage) {
	t.Helper()
	var wanted *authcore.PlayerSummary
	if row.summary == "P" {
		wanted = &authcore.PlayerSummary{
			User: s.owner.user, Name: w.userRecord(s.owner.user).DisplayName, OpenID: s.account.openID,
		}
		if wanted.Name == "" {
			t.Error("the owner has no name to be told")
		}
	}
	if diff := cmp.Diff(wanted, p.Owner); diff != "" {
		t.Errorf("the summary differs: %s", diff)
	}
}

// checkLinks wants the QQ account to be the new session's player's, and no other
// player's links to have changed.
func (w *world) checkLinks(t *testing.T, s linkStage, before snapshot, after authcore.UserID) {
	t.Helper()
	now := w.snap(t)
	if owner, err := w.UserByOpenID(t.Context(), mainApp, s.account.openID); err != nil || owner.ID != after {
		t.Errorf("the QQ account is %s's, %v; want %s's", owner.ID, err, after)
	}
	for id, u := range now.Users {
		if id == after {
			if len(u.Links) != 1 || u.Links[0].OpenID != s.account.openID {
				t.Errorf("the player's links are %+v", u.Links)
			}
			continue
		}
		if diff := cmp.Diff(before.Users[id], u); diff != "" {
			t.Errorf("user %s has changed: %s", id, diff)
		}
	}
	for id := range before.Users {
		if _, ok := now.Users[id]; !ok {
			t.Errorf("user %s is gone", id)
		}
	}
}
