package pgstore

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/internal/pgtest"
)

// logBuffer is everything that was logged.
type logBuffer struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.String()
}

// logged opens a store whose log is kept.
func logged(t *testing.T, dsn string) (*Store, *logBuffer, error) {
	t.Helper()
	target, err := ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	log := new(logBuffer)
	encoder := zapcore.NewJSONEncoder(zap.NewDevelopmentEncoderConfig())
	s, err := Open(t.Context(), Config{
		Target: target, Vault: &testVault{}, Logger: zap.New(zapcore.NewCore(encoder, zapcore.AddSync(log), zap.DebugLevel)),
	})
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, log, err
}

// wantSilent checks that a text holds none of the words, as they are or in hex.
func wantSilent(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		for _, form := range []string{w, hex.EncodeToString([]byte(w)), url.QueryEscape(w)} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
				t.Errorf("%s tells %q: %s", what, w, text)
			}
		}
	}
}

func withPassword(t *testing.T, dsn, password string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), password)
	return u.String()
}

func passwordOf(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	return password
}

func TestErrorsHideThePassword(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	proxy, via := pgtest.Via(t, dsn)
	proxy.Refuse(true)
	const secret = "pa55 w0rd/of:the@operator"
	for _, test := range []struct {
		name, dsn string
		away      bool
	}{
		{"wrong password", withPassword(t, dsn, secret), false},
		{"no server", withPassword(t, via, secret), true},
		{"no such host", withPassword(t, "postgres://user@qqauth.invalid/db?sslmode=disable", secret), true},
		{"no such database", strings.Replace(dsn, "/test_", "/absent_", 1), false},
	} {
		_, log, err := logged(t, test.dsn)
		if err == nil {
			t.Errorf("%s: the store opens", test.name)
			continue
		}
		if errors.Is(err, authcore.ErrUnavailable) != test.away {
			t.Errorf("%s: got error %v; it may be tried again: want %v", test.name, err, test.away)
		}
		wantSilent(t, test.name, err.Error()+log.String(), passwordOf(t, test.dsn))
	}
}

// TestErrorsHideRecords makes the database and the network refuse what is
// written, and reads what is said about it.
func TestErrorsHideRecords(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	proxy, via := pgtest.Via(t, dsn)
	s, log, err := logged(t, via)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	const user, sid = "20260101000000000-ABCD-012345678", "public-id-of-a-session"
	who := authcore.User{ID: user, Created: time.Now(), DisplayName: "林小雨", Mobile: "+86-15201657321", Email: "lin@example.com"}
	live := aSession(user, "secret")
	live.ID, live.IP = sid, "203.0.113.77"
	identity := digest("identity of somebody")
	words := []string{
		user, sid, who.DisplayName, who.Mobile, who.Email, live.IP, string(live.Token[:]), string(identity[:]), passwordOf(t, dsn),
	}
	said := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: no error", what)
			return
		}
		wantSilent(t, what, err.Error(), words...)
	}
	update := func(change func(authcore.Tx)) error {
		return s.Update(t.Context(), func(tx authcore.Tx) error { change(tx); return nil })
	}

	said("session of nobody", update(func(tx authcore.Tx) { tx.PutSession(live) }))
	said("link to nobody", update(func(tx authcore.Tx) { tx.PutLink(authcore.Link{Identity: identity, App: "101"}, user) }))
	write(t, s, func(tx authcore.Tx) { tx.PutUser(who); tx.PutSession(live) })
	second := live
	second.ID = "another-" + sid
	said("token of another session", update(func(tx authcore.Tx) { tx.PutSession(second) }))
	proxy.OnCommit(once(pgtest.Fault{CutBefore: true}))
	said("cut", update(func(tx authcore.Tx) { tx.PutUser(who) }))
	proxy.OnCommit(once(pgtest.Fault{Fail: "23505"}))
	_ = update(func(tx authcore.Tx) { tx.PutUser(who) })
	beside(t, dsn).run("UPDATE qqauth_users SET personal = $1", []byte(who.Mobile))
	said("damaged", s.View(t.Context(), func(tx authcore.Tx) error { _, err := tx.User(user); return err }))
	said("panic", s.View(t.Context(), func(authcore.Tx) error { panic(who.Mobile) }))
	proxy.Refuse(true)
	_, _, err = s.Poll(t.Context())
	said("away", err)
	said("while it is away", update(func(tx authcore.Tx) { tx.PutUser(who) }))
	if !strings.Contains(log.String(), "postgresql does not answer") {
		t.Error("nothing is logged of a database that is away")
	}
	wantSilent(t, "the log", log.String(), words...)
}

// wantNothingOf dumps every table and looks for personal data in it.
func wantNothingOf(t *testing.T, dsn string, personal []string) {
	t.Helper()
	ctx := context.Background() // it runs as a cleanup, too
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	dump := dumpTables(ctx, t, c)
	if !strings.Contains(dump, "qqauth_keys: ") {
		t.Error("the dump has not even the key ring in it")
	}
	for _, word := range personal {
		if strings.Contains(dump, word) || strings.Contains(dump, hex.EncodeToString([]byte(word))) {
			t.Errorf("%q is in a table in clear", word)
		}
	}
}

// dumpTables is every row of every table, one a line.
func dumpTables(ctx context.Context, t *testing.T, c *pgx.Conn) string {
	t.Helper()
	var dump strings.Builder
	read := func(sql string, take func(line string)) {
		rows, err := c.Query(ctx, sql)
		if err != nil {
			t.Fatalf("dump: %v", err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("dump: %v", err)
		}
		for _, line := range lines {
			take(line)
		}
	}
	read("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'", func(table string) {
		read("SELECT t::text FROM "+table+" t", func(row string) { dump.WriteString(table + ": " + row + "\n") })
	})
	return dump.String()
}

func TestTablesHoldNothingPersonal(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	s := open(t, dsn)
	now := time.Now()
	live := aSession("u", "s")
	live.OS, live.Agent, live.IP, live.DeviceIP = "HarmonyOS", "Mozilla/5.0", "203.0.113.77", "192.168.9.9"
	l := authcore.Link{Identity: digest("identity"), App: "101", OpenID: "0A1B2C3D4E5F60718293A4B5C6D7E8F9", UnionID: "UID_ABCDEF", Since: now}
	write(t, s, func(tx authcore.Tx) {
		tx.PutUser(authcore.User{
			ID: "u", Created: now, UserName: "xiaoyu", DisplayName: "林小雨", Mobile: "+86-15201657321", Email: "lin@example.com",
			Segments: map[string]string{"district": "Nanshan"}, Links: []authcore.Link{l},
			MobileVia: []authcore.ClientID{"matchmaking"}, EmailVia: []authcore.ClientID{"matchmaking"},
			Password: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g", Home: "arcade",
			Devices:   []authcore.Device{{Client: "arcade", OS: "WindowsPhone", ID: "3f2504e0-4f89-11d3-9a0c-0305e82c3301", Since: now}},
			Requested: map[string]string{"guild": "Dragons"},
		})
		tx.PutGuest(authcore.Guest{User: "u", Due: now})
		tx.PutHandle(digest("phone"), "u")
		tx.PutCode(authcore.Code{Hash: digest("code"), Answer: digest("123456"), Expires: now.Add(time.Hour)})
		tx.PutCaptcha(authcore.Captcha{Token: digest("captcha"), Client: "c", Sender: digest("phone"), Expires: now.Add(time.Hour)})
		tx.PutCounter(authcore.Counter{Key: digest("counter"), Slots: []authcore.Slot{{At: 1, N: 1}}, Expires: now.Add(time.Hour)})
		tx.PutErased(authcore.Erased{Hash: digest("erased"), At: now})
		tx.PutLink(l, "u")
		tx.PutUnion(digest("union"), []authcore.UnionMember{{App: "101", User: "u"}})
		tx.PutAccess(digest("access"), authcore.Access{User: "u", Expires: now.Add(time.Hour)})
		tx.PutSession(live)
		tx.PutTicket(authcore.Ticket{Token: digest("ticket"), Session: live.ID, Receiver: "r", Expires: now.Add(time.Hour)})
		tx.PutPending(authcore.Pending{
			ID: "p", Status: authcore.StatusSocialBind, Identity: digest("identity"), App: "101", OpenID: l.OpenID, UnionID: l.UnionID,
			Nickname: "小雨点", Leave: "left-session", Requested: map[string]string{"guild": "Unicorns"}, Client: "c", Created: now, Expires: now.Add(time.Hour),
		})
		tx.Announce(authcore.Event{User: "u"})
	})
	personal := []string{
		"xiaoyu", "林小雨", "15201657321", "lin@example.com", "Nanshan", l.OpenID, l.UnionID, "小雨点",
		live.OS, live.Agent, live.IP, live.DeviceIP, "matchmaking",
		"argon2id", "c2FsdHNhbHQ", "aGFzaGhhc2g", "arcade", "WindowsPhone", "3f2504e0", "guild", "Dragons", "left-session", "Unicorns",
	}
	a := beside(t, dsn)
	if dump := dumpTables(t.Context(), t, a.Conn); strings.Count(dump, "\n") < 19 {
		t.Errorf("the dump has too few rows:\n%s", dump)
	}
	wantNothingOf(t, dsn, personal)
}
