package transfer_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore"
	"github.com/qqauth/qqauth/caddymodule/transfer"
)

var moment = time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC)

// full has a record of every kind with every field, and one with as few as may be.
var full = []authcore.Record{
	{Erased: &authcore.Erased{Hash: authcore.ErasedHash{7, 255}, At: moment}},
	{User: &authcore.User{
		ID: "20220425140138519-BF1B-528B05551", Created: moment, Disabled: true, DisabledBy: "shop", Epoch: 7, UserName: "jonny", DisplayName: "林<小>雨 ",
		Mobile: "+86-15201657321", MobileVia: []authcore.ClientID{"c", "d"}, Email: "a@example.com", EmailVia: []authcore.ClientID{"<d>"},
		Segments: map[string]string{"tier": "gold", "a": ""},
		Links:    []authcore.Link{{App: "101", OpenID: "O", UnionID: "U", Since: moment, SyncName: true}, {App: "102", OpenID: "P", Since: moment}},
		Password: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", Home: "c", Requested: map[string]string{"vip": "yes", "b": ""},
		Devices: []authcore.Device{{Client: "c", OS: "ios", ID: "<0123>4567", Since: moment}, {Client: "d", OS: "android", ID: "01234567", Since: moment}},
	}},
	{User: &authcore.User{ID: "u", Created: moment}},
	{Session: &authcore.Session{
		ID: "sid", Token: authcore.TokenHash{1, 255}, User: "u", Client: "c", Device: authcore.DeviceHash{2}, Methods: []authcore.Method{"qq", "sms"},
		AuthTime: moment, Issued: moment, Expires: moment.Add(time.Hour), Epoch: 3, Parent: "parent", Previous: authcore.TokenHash{3}, Used: true,
		Idle: 30 * time.Minute, LastUse: moment,
		OS: "os", Agent: "agent", IP: "192.0.2.1", DeviceIP: "192.0.2.2",
	}},
	{Session: &authcore.Session{ID: "s", Token: authcore.TokenHash{4}, User: "u", Client: "c", AuthTime: moment, Issued: moment, Expires: moment}},
	{Retired: &authcore.RetiredToken{Token: authcore.TokenHash{5}, Retired: authcore.Retired{Session: "sid", At: moment, Expires: moment}}},
	{Retired: &authcore.RetiredToken{Token: authcore.TokenHash{8}, Retired: authcore.Retired{
		Session: "sid", At: moment, Expires: moment, GoodUntil: moment.Add(time.Minute),
	}}},
	{Access: &authcore.KnownAccess{Hash: authcore.AccessHash{6}, Access: authcore.Access{User: "u", Epoch: 1, Expires: moment}}},
	{Account: &authcore.Account{
		App: "101", OpenID: "O", UnionID: "U", DisplayName: "n", Mobile: "m", Email: "e", Verified: true, Segments: map[string]string{"tier": "gold"},
	}},
}

// written is a file of records.
func written(t testing.TB, keys []byte, records []authcore.Record) string {
	t.Helper()
	var file bytes.Buffer
	w := transfer.NewWriter(&file)
	err := w.Header(transfer.Header{Created: moment, Final: true})
	if keys != nil {
		err = errors.Join(err, w.Keys(keys))
	}
	for _, r := range records {
		err = errors.Join(err, w.Record(r))
	}
	if err = errors.Join(err, w.End()); err != nil {
		t.Fatalf("write: %v", err)
	}
	return file.String()
}

// read reads a file to its end or the first error.
func read(file string) (keys []byte, records []authcore.Record, err error) {
	r, err := transfer.NewReader(strings.NewReader(file))
	if err != nil {
		return nil, nil, err
	}
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return keys, records, nil
		}
		if err != nil {
			return keys, records, err
		}
		if line.Keys != nil {
			keys = line.Keys
		} else {
			records = append(records, line.Record)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	file := written(t, []byte("ring"), full)
	keys, records, err := read(file)
	if err != nil || string(keys) != "ring" {
		t.Fatalf("keys %q, %v", keys, err)
	}
	if diff := cmp.Diff(full, records); diff != "" {
		t.Error(diff)
	}
	r, err := transfer.NewReader(strings.NewReader(file))
	if err != nil || !r.Header.Final || !r.Header.Created.Equal(moment.Truncate(time.Second)) {
		t.Errorf("header %+v, %v", r.Header, err)
	}
}

// The format is documented: other programs write and read it.
func TestFormat(t *testing.T) {
	const want = `{"qqauth":"export","version":1,"created":"2026-05-04T03:02:01Z","final":true}
{"type":"keys","ring":"cmluZw=="}
{"type":"erased","erased_hash":"B_8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","at":"2026-05-04T03:02:01.987654321Z"}
{"type":"user","id":"20220425140138519-BF1B-528B05551","created":"2026-05-04T03:02:01.987654321Z","disabled":true,"disabled_by":"shop","epoch":7,"user_name":"jonny","password":"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA","display_name":"林<小>雨 ","mobile":"+86-15201657321","mobile_via":["c","d"],"email":"a@example.com","email_via":["<d>"],"segments":{"a":"","tier":"gold"},"links":[{"app_id":"101","open_id":"O","unionid":"U","since":"2026-05-04T03:02:01.987654321Z","sync_display_name":true},{"app_id":"102","open_id":"P","since":"2026-05-04T03:02:01.987654321Z"}],"home":"c","devices":[{"client_id":"c","os":"ios","device_id":"<0123>4567","since":"2026-05-04T03:02:01.987654321Z"},{"client_id":"d","os":"android","device_id":"01234567","since":"2026-05-04T03:02:01.987654321Z"}],"requested_segments":{"b":"","vip":"yes"}}
{"type":"user","id":"u","created":"2026-05-04T03:02:01.987654321Z"}
{"type":"session","sid":"sid","token_hash":"Af8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","user_id":"u","client_id":"c","device_hash":"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","amr":["qq","sms"],"auth_time":"2026-05-04T03:02:01.987654321Z","issued":"2026-05-04T03:02:01.987654321Z","expires":"2026-05-04T04:02:01.987654321Z","epoch":3,"parent_sid":"parent","previous_token_hash":"AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","used":true,"idle":1800,"last_use":"2026-05-04T03:02:01.987654321Z","operating_sys_version":"os","agent":"agent","ip":"192.0.2.1","device_ip":"192.0.2.2"}
{"type":"retired","token_hash":"BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sid":"sid","at":"2026-05-04T03:02:01.987654321Z","expires":"2026-05-04T03:02:01.987654321Z"}
{"type":"retired","token_hash":"CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sid":"sid","at":"2026-05-04T03:02:01.987654321Z","expires":"2026-05-04T03:02:01.987654321Z","good_until":"2026-05-04T03:03:01.987654321Z"}
{"type":"end","erased":1,"users":2,"sessions":1,"retired":2,"accesses":0}
`
	records := []authcore.Record{full[0], full[1], full[2], full[3], full[5], full[6]}
	if diff := cmp.Diff(want, written(t, []byte("ring"), records)); diff != "" {
		t.Error(diff)
	}
}

// A file that was cut anywhere is noticed.
func TestCutFile(t *testing.T) {
	file := written(t, []byte("ring"), full)
	for n := range len(file) {
		_, _, err := read(file[:n])
		if !errors.Is(err, transfer.ErrIncomplete) || errors.Is(err, transfer.ErrCut) == (n == 0 || file[n-1] == '\n') {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	const (
		header = `{"qqauth":"export","version":1,"created":"2026-05-04T03:02:01Z","final":false}` + "\n"
		user   = `{"type":"user","id":"SECRET","created":"2026-05-04T03:02:01Z"}` + "\n"
		end    = `{"type":"end","users":1,"sessions":0,"retired":0,"accesses":0}` + "\n"
		keys   = `{"type":"keys","ring":"cmluZw=="}` + "\n"
		erased = `{"type":"erased","erased_hash":"BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","at":"2026-05-04T03:02:01Z"}` + "\n"
	)
	retired := strings.Split(written(t, nil, full[5:6]), "\n")[1] + "\n"
	session := written(t, nil, full[3:4])
	session = strings.Split(session, "\n")[1] + "\n"
	const (
		lastUse = `,"last_use":"2026-05-04T03:02:01.987654321Z"`
		idle    = `,"idle":1800`
	)
	without := func(part string) string { return header + strings.Replace(session, part, "", 1) }
	if _, _, err := read(header + keys + user + end); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, want string }{
		"no header":            {user + end, "line 1"},
		"no JSON":              {"SECRET\n", "line 1"},
		"another file":         {`{"qqauth":"backup","version":1}` + "\n", "line 1"},
		"a later version":      {strings.Replace(header, ":1,", ":2,", 1), "version 2"},
		"a header with more":   {strings.Replace(header, "false", `false,"SECRET":1`, 1), "line 1"},
		"a header twice":       {header + header, "line 2"},
		"an unknown type":      {header + `{"type":"SECRET"}` + "\n", "line 2: unknown type"},
		"no type":              {header + "{}\n", "line 2: unknown type"},
		"an empty line":        {header + "\n", "line 2"},
		"a doubled name":       {header + strings.Replace(user, `"id"`, `"ID":"SECRET","id"`, 1), "line 2: duplicate"},
		"an unknown field":     {header + strings.Replace(user, `"id"`, `"SECRET":1,"id"`, 1), "line 2"},
		"a wrong type":         {header + strings.Replace(user, `"SECRET"`, `5`, 1), "line 2"},
		"a wrong time":         {header + strings.Replace(user, `2026`, `SECRET`, 1), "line 2"},
		"no time":              {header + `{"type":"user","id":"SECRET"}` + "\n", "line 2"},
		"a short hash":         {header + `{"type":"access","access_hash":"SECRET","user_id":"u","expires":"2026-05-04T03:02:01Z"}` + "\n", "line 2"},
		"a long line":          {header + strings.Replace(user, "SECRET", strings.Repeat("SECRET", 50_000), 1), "line 2: longer"},
		"keys behind a record": {header + user + keys + end, "line 3: keys"},
		"keys twice":           {header + keys + keys, "line 3: keys"},
		"empty keys":           {header + `{"type":"keys","ring":""}` + "\n", "line 2: keys"},
		"a wrong count":        {header + user + strings.Replace(end, "1", "2", 1), "line 3: it counts"},
		"more after the end":   {header + user + end + user, "line 4"},
		"two objects a line":   {header + strings.TrimSpace(user) + user, "line 2"},
		"keys behind erased":   {header + erased + keys, "line 3: keys"},
		"erased, not counted":  {header + erased + user + end, "line 4: it counts"},
		"erased at no time":    {header + strings.Replace(erased, `,"at":"2026-05-04T03:02:01Z"`, "", 1), "line 2: a time"},
		"erased, a short hash": {header + strings.Replace(erased, "BwAA", "SECRET", 1), "line 2"},
		"erased with more":     {header + strings.Replace(erased, `,"at"`, `,"user_id":"SECRET","at"`, 1), "line 2"},
		"a via that is none":   {header + strings.Replace(user, `"id"`, `"mobile_via":"SECRET","id"`, 1), "line 2"},
		"devices as words":     {header + strings.Replace(user, `"id"`, `"devices":["SECRET"],"id"`, 1), "line 2"},
		"a device with more":   {header + strings.Replace(user, `"id"`, `"devices":[{"client_id":"c","SECRET":1}],"id"`, 1), "line 2"},
		"segments of numbers":  {header + strings.Replace(user, `"id"`, `"requested_segments":{"SECRET":1},"id"`, 1), "line 2"},
		"good until nowhen":    {header + retired + strings.Replace(retired, `"at"`, `"good_until":"SECRET","at"`, 1), "line 3"},
		"idle without use":     {without(lastUse), "line 2: a wrong idle"},
		"use without idle":     {without(idle), "line 2: a wrong idle"},
		"a negative idle":      {header + strings.Replace(session, "1800", "-1800", 1), "line 2: a wrong idle"},
		"an idle of eons":      {header + strings.Replace(session, "1800", "9223372037", 1), "line 2: a wrong idle"},
		"an idle of parts":     {header + strings.Replace(session, "1800", "0.5", 1), "line 2"},
	} {
		_, _, err := read(tt.file)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		} else if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: the error tells what stands there: %v", name, err)
		}
	}
}

func TestWriterRefusesWhatNoReaderTakes(t *testing.T) {
	w := transfer.NewWriter(io.Discard)
	u := authcore.User{Created: moment, DisplayName: strings.Repeat("x", 256<<10)}
	if err := w.Record(authcore.Record{User: &u}); err == nil || w.Counts.Total() != 0 {
		t.Errorf("a line that is too long: %v", err)
	}
	if err := w.Record(authcore.Record{}); err == nil {
		t.Error("a record of no kind is written")
	}
}

func TestPosition(t *testing.T) {
	for _, r := range full[:8] {
		p := transfer.Position(r)
		back, err := transfer.ParsePosition(p)
		if err != nil || transfer.Position(back) != p {
			t.Errorf("%s is read as %s, %v", p, transfer.Position(back), err)
		}
	}
	for _, s := range []string{"user", "user:", "keys:x", "access:x", "erased:x", "erased:", ":"} {
		if _, err := transfer.ParsePosition(s); err == nil {
			t.Errorf("%q is a position", s)
		}
	}
}

// What may go unused for a part of a second more may do so after a move.
func TestIdleOfAPart(t *testing.T) {
	s := *full[3].Session
	s.Idle = time.Minute + 1
	_, records, err := read(written(t, nil, []authcore.Record{{Session: &s}}))
	if err != nil || len(records) != 1 || records[0].Session.Idle != 61*time.Second {
		t.Errorf("%+v, %v", records, err)
	}
}

// Whatever a file holds: what is read of it, written anew, is read alike.
func FuzzReader(f *testing.F) {
	file := written(f, []byte("ring"), full)
	f.Add(file)
	f.Add(strings.Replace(file, `"epoch":7`, `"epoch":-7`, 1))
	f.Add(strings.Replace(file, "2026-05-04T03", "2026-05-04t03", 1))
	f.Add(strings.Replace(file, "Z\"", "+08:00\"", 3))
	f.Add(strings.Replace(file, `"tier":"gold"`, `"tier":null`, 1))
	f.Add(strings.Replace(file, `["c","d"]`, `[]`, 1))
	f.Add(strings.Replace(file, `{"a":"","tier":"gold"}`, `{}`, 1))
	f.Add(strings.Replace(file, `"idle":1800`, `"idle":0`, 1))
	f.Add(strings.Replace(file, `"requested_segments":{"b":"","vip":"yes"}`, `"requested_segments":{},"devices":[]`, 1))
	f.Add(strings.Replace(file, `"good_until":"2026-05-04T03:03:01.987654321Z"`, `"good_until":"0001-01-01T00:00:00Z"`, 1))
	f.Add(strings.Replace(file, `"idle":1800`, `"idle":9223372036`, 1))
	f.Add(file[:len(file)/2])
	f.Fuzz(func(t *testing.T, file string) {
		keys, records, err := read(file)
		again, same, err2 := read(written(t, keys, records))
		if err2 != nil || !bytes.Equal(keys, again) {
			t.Fatalf("read of %q (%v), written anew: %v", file, err, err2)
		}
		if diff := cmp.Diff(records, same); diff != "" {
			t.Fatalf("read of %q: %s", file, diff)
		}
	})
}
