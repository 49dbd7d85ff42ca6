package authcore_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/qqauth/qqauth/authcore"
)

const strangerID authcore.UserID = "20220425140138519-BF1B-528B05551"

// TestImportedContactsFindTheirUser: by a code, as those that were proved here.
func TestImportedContactsFindTheirUser(t *testing.T) {
	w := newCodeWorld(t)
	user := authcore.User{
		ID: strangerID, Mobile: ownPhone, Email: ownEmail, MobileVia: []authcore.ClientID{mainClient, "gone"},
		Links: []authcore.Link{{App: secondApp, OpenID: "A"}},
	}
	account := authcore.Account{App: secondApp, OpenID: "B", Mobile: otherPhone, Email: "LiSi@QQ.com", Verified: true}
	unproved := authcore.Account{App: secondApp, OpenID: "C", Mobile: "+86-15201657333"}
	report, _ := w.take([]authcore.Record{{User: &user}, {Account: &account}, {Account: &unproved}}, authcore.ImportConfig{})
	if report.Created != 3 || len(report.Conflicts) != 0 {
		t.Fatalf("%+v", report)
	}
	if u := w.userRecord(strangerID); !slices.Equal(u.MobileVia, user.MobileVia) || len(u.EmailVia) != 0 {
		t.Errorf("the user is %+v", u)
	}
	second, err := w.UserByOpenID(t.Context(), secondApp, "B")
	if err != nil || second.Email != otherEmail || len(second.MobileVia) != 0 {
		t.Errorf("the user of the account is %+v, %v", second, err)
	}
	if id := w.holder(authcore.WayEmail, ownEmail); id != strangerID {
		t.Errorf("the address is %q's", id)
	}
	for _, test := range []struct {
		kind, to string
		user     authcore.UserID
		want     error
	}{
		{"BIND_MOBILE_SMS", ownPhone, strangerID, nil},
		{"BIND_EMAIL_EMS", otherEmail, second.ID, nil},
		{"BIND_MOBILE_SMS", "+86-15201657333", "", authcore.ErrNoUser},
	} {
		got, err := w.binds(test.kind, test.to)
		want(t, "bind by "+test.to, err, test.want)
		if got != test.user {
			t.Errorf("%s finds %q; want %s", test.to, got, test.user)
		}
	}
}

// TestImportOfTakenContacts: who is here keeps what is theirs, and so does who came
// in before.
func TestImportOfTakenContacts(t *testing.T) {
	w := newCodeWorld(t)
	p := w.newPlayer()
	w.proved(p, "UPDATE_MOBILE_SMS", ownPhone)
	w.proved(p, "UPDATE_EMAIL_EMS", ownEmail)
	account := func(openID, mobile, email string) authcore.Record {
		return authcore.Record{Account: &authcore.Account{App: secondApp, OpenID: openID, Mobile: mobile, Email: email, Verified: true}}
	}
	report, _ := w.take([]authcore.Record{
		{User: &authcore.User{ID: strangerID, Mobile: ownPhone, Email: otherEmail, Links: []authcore.Link{{App: secondApp, OpenID: "A"}}}},
		account("B", otherPhone, strings.ToUpper(otherEmail)),
		account("C", otherPhone, ownEmail),
	}, authcore.ImportConfig{})
	places := make([]int, 0, len(report.Conflicts))
	for _, c := range report.Conflicts {
		places = append(places, c.Record)
		if strings.Contains(c.Reason, "152") || strings.Contains(c.Reason, "qq.com") {
			t.Errorf("conflict %+v tells whose", c)
		}
	}
	if report.Created != 3 || !slices.Equal(places, []int{0, 1, 2, 2}) {
		t.Errorf("%+v", report)
	}
	for way, owners := range map[authcore.Way]map[string]authcore.UserID{
		authcore.WayPhone: {ownPhone: p.user, otherPhone: w.byOpenID("B").ID},
		authcore.WayEmail: {ownEmail: p.user, otherEmail: strangerID},
	} {
		for value, owner := range owners {
			if got := w.holder(way, value); got != owner {
				t.Errorf("%s is %q's; want %s", value, got, owner)
			}
		}
	}
	if u := w.userRecord(strangerID); u.Mobile != "" || u.Email != otherEmail {
		t.Errorf("the first is %+v", u)
	}
	if u := w.byOpenID("C"); u.Mobile != "" || u.Email != "" {
		t.Errorf("the last is %+v", u)
	}
}

// byOpenID is the user of an account in the second application.
func (w *world) byOpenID(openID string) authcore.User {
	w.t.Helper()
	u, err := w.UserByOpenID(w.t.Context(), secondApp, openID)
	if err != nil {
		w.t.Fatalf("find %s: %v", openID, err)
	}
	return u
}

// TestImportHeals: a user who came in before phones were found by is found after the
// same file has come in again.
func TestImportHeals(t *testing.T) {
	for name, test := range map[string]struct {
		way           authcore.Way
		stored, found string
	}{
		"a phone":                    {authcore.WayPhone, ownPhone, ownPhone},
		"an address":                 {authcore.WayEmail, ownEmail, ownEmail},
		"an address in upper case":   {authcore.WayEmail, "ZhangSan@QQ.com", ownEmail},
		"an address of a far domain": {authcore.WayEmail, "a@bücher.example", "a@xn--bcher-kva.example"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.newPlayer()
			w.changeUser(p.user, func(u *authcore.User) {
				if test.way == authcore.WayEmail {
					u.Email = test.stored
				} else {
					u.Mobile = test.stored
				}
			})
			u := w.userRecord(p.user)
			for n := range 2 {
				report, _ := w.take([]authcore.Record{{User: &u}}, authcore.ImportConfig{})
				if report.Changed != 1-n || report.Unchanged != n || len(report.Conflicts) != 0 {
					t.Errorf("import %d: %+v", n, report)
				}
			}
			if got := w.holder(test.way, test.found); got != p.user {
				t.Errorf("%s is %q's; want %s", test.found, got, p.user)
			}
			want(t, "the user's session", w.admit(w.guard(), p.session), nil)
		})
	}
}

// What came in is found by what its owner writes, which is brought into one form.
func TestImportedAddressIsFoundInItsOneForm(t *testing.T) {
	w := newCodeWorld(t)
	written := "Jonny@Bücher.example"
	w.take([]authcore.Record{{Account: &authcore.Account{App: secondApp, OpenID: "A", Email: written, Verified: true}}}, authcore.ImportConfig{})
	contact := w.contact(written)
	if got, wanted := w.holder(authcore.WayEmail, contact.Value), w.byOpenID("A").ID; got != wanted {
		t.Errorf("%s is %q's; want %s", contact.Value, got, wanted)
	}
}

// One line that no store can hold must not keep the others out.
func TestImportRefusesTooManyClients(t *testing.T) {
	w := newWorld(t)
	many := make([]authcore.ClientID, 60_000)
	for i := range many {
		many[i] = "client"
	}
	u := authcore.User{ID: strangerID, Mobile: ownPhone, MobileVia: many}
	i, err := w.node.NewImport(t.Context(), authcore.ImportConfig{})
	want(t, "begin", err, nil)
	report, err := i.Take(t.Context(), []authcore.Record{{User: &u}, {Account: &authcore.Account{App: mainApp, OpenID: "A"}}})
	want(t, "take", err, nil)
	if len(report.Conflicts) != 1 || report.Created != 1 {
		t.Errorf("%d conflicts, %d created", len(report.Conflicts), report.Created)
	}
}
