package authcore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/qqauth/qqauth/authcore"
)

// TestUserNamesThatAreOne is contract 3.2: NFKC and case folding.
func TestUserNamesThatAreOne(t *testing.T) {
	for _, same := range [][]string{
		{"alice", "ALICE", "aLiCe", "ａｌｉｃｅ", "ＡＬＩＣＥ", "ⓐⓛⓘⓒⓔ", "𝐚𝐥𝐢𝐜𝐞", "𝒜ℒℐ𝒞ℰ"},
		{"ﬁsher", "fisher", "FISHER", "ﬁſher", "ＦＩsher"},
		{"straße", "STRASSE", "strasse", "STRAẞE", "straẞe", "Straſſe"},
		{"kelvin", "\u212Aelvin", "Kelvin"},                                   // the Kelvin sign
		{"\u212Bngström", "ångström", "A\u030Angstro\u0308m"},                 // the Angstrom sign, and composed by marks
		{"σίσυφος", "ΣΊΣΥΦΟΣ", "σίσυφοσ"},                                     // a final sigma
		{"istanbul", "ISTANBUL", "Istanbul"},                                  // not Turkish
		{"i\u0307stanbul", "\u0130stanbul", "I\u0307STANBUL"},                 // Turkish, as it is
		{"テスト名", "ﾃｽﾄ名"}, {"ガンダム", "ｶﾞﾝﾀﾞﾑ"}, {"한국어", "\u1112\u1161\u11ab국어"}, // half-width, and composed of parts
		{"ᎠᎡᎢ", "ꭰꭱꭲ"}, {"ᏰᏱᏲ", "ᏸᏹᏺ"}, // which golang.org/x/text/cases does not fold
		{"x²³", "x23", "X２３"}, {"Ⅷ号机", "viii号机"}, {"№ nine", "no nine"},
	} {
		for _, name := range same {
			if authcore.FoldName(name) != authcore.FoldName(same[0]) {
				t.Errorf("%q and %q are two: %q, %q", name, same[0], authcore.FoldName(name), authcore.FoldName(same[0]))
			}
		}
	}
	for _, different := range [][2]string{
		{"istanbul", "\u0131stanbul"}, {"istanbul", "\u0130stanbul"}, // without its dot, and with one more
		{"alice", "аlice"}, {"alice", "alice "}, {"resume", "résumé"}, {"alice", "a lice"},
	} {
		if authcore.FoldName(different[0]) == authcore.FoldName(different[1]) {
			t.Errorf("%q and %q are one", different[0], different[1])
		}
	}
}

// TestFoldingEveryCharacter: a character and its other cases are one, whatever the
// form that they are written in, and folding what is folded changes nothing.
func TestFoldingEveryCharacter(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if utf8.ValidRune(r) {
			checkFolding(t, r)
		}
	}
}

func checkFolding(t *testing.T, r rune) {
	t.Helper()
	folded := authcore.FoldName("a" + string(r) + "b")
	if again := authcore.FoldName(folded); again != folded {
		t.Errorf("%U folds to %+q, and that to %+q", r, folded, again)
	}
	for s := unicode.SimpleFold(r); s != r; s = unicode.SimpleFold(s) {
		if other := authcore.FoldName("a" + string(s) + "b"); other != folded {
			t.Errorf("%U and %U fold to %+q and %+q", r, s, folded, other)
		}
	}
}

// TestFoldingIsOneForEveryForm: what an input method composes or takes apart is the
// same name.
func TestFoldingIsOneForEveryForm(t *testing.T) {
	pieces := []*unicode.RangeTable{
		unicode.Latin, unicode.Greek, unicode.Hangul, unicode.Katakana, unicode.Hebrew, unicode.Arabic, unicode.Mn,
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.RuneFrom(nil, pieces...), 1, 12, -1).Draw(t, "name")
		folded := authcore.FoldName(name)
		for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			if other := authcore.FoldName(form.String(name)); other != folded {
				t.Fatalf("%+q folds to %+q, and taken apart or composed to %+q", name, folded, other)
			}
		}
		if again := authcore.FoldName(folded); again != folded {
			t.Fatalf("%+q folds to %+q, and that to %+q", name, folded, again)
		}
	})
}

func TestRefusedUserNames(t *testing.T) {
	for what, name := range map[string]string{
		"nothing": "", "2 characters": "ab", "2 of 4 bytes": "😀😀", "65": strings.Repeat("x", 65), "65 of 3 bytes": strings.Repeat("名", 65),
		"short when it is folded": "ｅ\u0301x", "long when it is folded": strings.Repeat("ﷺ", 4),
		"long before it is": strings.Repeat("e\u0301", 33),
		"no UTF-8":          "alice\xff", "a surrogate": "alice\xed\xa0\x80",
		"a space before": " alice", "a space after": "alice ", "a wide space": "alice\u3000", "a line": "alice\n", "a hard space": "\u00a0alice",
		"a control": "al\x00ice", "a control of C1": "al\u0085ice", "an escape": "al\x1b[31mice",
		"a zero-width space": "al\u200bice", "a joiner": "al\u200dice", "a mark of direction": "al\u200eice",
		"an override of direction": "al\u202eice", "a soft hyphen": "al\u00adice", "a mark of byte order": "\ufeffalice",
		"an isolate": "al\u2066ice", "a word joiner": "al\u2060ice", "a tag": "al\U000E0041ice",
		"a user id": "20220425140138519-BF1B-528B05551", "one in small letters": "20220425140138519-bf1b-528b05551",
		"one in full width": "２０２２０４２５１４０１３８５１９-BF1B-528B05551", "one with a wide hyphen": "20220425140138519－BF1B－528B05551",
	} {
		want(t, what, authcore.CheckUserName(name), authcore.ErrUserName)
	}
	for what, name := range map[string]string{
		"3 characters": "bob", "3 of Chinese": "张小三", "64": strings.Repeat("x", 64), "64 of 4 bytes": strings.Repeat("😀", 64),
		"a space within": "张 三丰", "an address": "zhangsan@qq.com", "a number": "15201657321", "marks": "a_b-c.d",
		"almost a user id": "2022042514013851-BF1B-528B05551", "a longer one": "20220425140138519-BF1B-528B055511",
	} {
		want(t, what, authcore.CheckUserName(name), nil)
	}
}

// TestUserNamesHideNothing: Unicode has characters that show nothing and are no format
// controls: fillers, joiners of graphemes and selectors of variants. With one of them a
// name would look like another's.
func TestUserNamesHideNothing(t *testing.T) {
	hidden := []rune{0x2800, 0x200b, 0xE0001, 0xE0100, 0xE01EF, 0xE0FFF, 0xFFFF, 0xE000}
	for _, table := range []*unicode.RangeTable{unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Cf} {
		for _, r16 := range table.R16 {
			for r := rune(r16.Lo); r <= rune(r16.Hi); r += rune(r16.Stride) {
				hidden = append(hidden, r)
			}
		}
	}
	for _, r := range hidden {
		want(t, fmt.Sprintf("%U", r), authcore.CheckUserName("al"+string(r)+"ice"), authcore.ErrUserName)
	}
}

// nameWorld is a world in which guests take names, which costs no hashing.
type nameWorld struct {
	*world
	made atomic.Int64
}

func (w *nameWorld) newNamed(t testing.TB) player {
	p, err := w.LoginDevice(t.Context(), mainClient, phone, aDevice(fmt.Sprint("number ", w.made.Add(1))))
	if err != nil {
		t.Fatalf("login: %v", err)
	}
	return player{session: p.Grant.Token.Reveal(), user: p.User, sid: p.Session}
}

// name gives a guest a name.
func (w *world) name(p player, name string) error {
	return w.ChangeDetails(w.t.Context(), mainClient, phone, p.sid, authcore.Details{UserName: &name})
}

func TestNameIsNeverGivenAgain(t *testing.T) {
	w := newWorld(t, games)
	alice, bob := w.guest("alice"), w.guest("bob")
	want(t, "a name", w.name(alice, "Alice"), nil)
	want(t, "another's", w.name(bob, "ＡＬＩＣＥ"), authcore.ErrTaken)
	want(t, "the own in another spelling", w.name(alice, "aliCE"), nil)
	if got := w.userRecord(alice.user).UserName; got != "aliCE" {
		t.Errorf("the name is %q", got)
	}
	want(t, "a new name", w.name(alice, "alicia"), nil)
	want(t, "what another gave up", w.name(bob, "Alice"), authcore.ErrTaken)
	want(t, "what one gave up oneself", w.name(alice, "Alice"), authcore.ErrTaken)
	if a, b := w.userRecord(alice.user).UserName, w.userRecord(bob.user).UserName; a != "alicia" || b != "" {
		t.Errorf("the names are %q and %q", a, b)
	}
	want(t, "erasure", w.DeleteAccount(t.Context(), mainClient, phone, alice.sid), nil)
	for _, name := range []string{"Alice", "ALICIA"} {
		want(t, "what an erased one had", w.name(bob, name), authcore.ErrTaken)
		_, err := w.RegisterPlayer(t.Context(), mainClient, phone, authcore.Registration{PasswordLogin: credentials(name, "pw")})
		want(t, "registering what an erased one had", err, authcore.ErrTaken)
		_, err = w.RegisterPlayer(t.Context(), secondClient, phone, authcore.Registration{PasswordLogin: credentials(name, "pw")})
		want(t, "registering it elsewhere", err, authcore.ErrTaken)
	}
	if users, _, _ := w.dump(); len(users) != 1 {
		t.Errorf("%d users; want 1", len(users))
	}
}

// TestNamesHaveOneOwnerEver plays with names against a model: whoever has one or had
// one is the only one who ever does.
func TestNamesHaveOneOwnerEver(t *testing.T) {
	w := &nameWorld{world: newWorld(t, games, func(cfg *authcore.Config) { cfg.Limits.Off = true })}
	spell := []func(string) string{
		func(s string) string { return s }, strings.ToUpper,
		func(s string) string {
			return strings.Map(func(r rune) rune {
				if r > ' ' && r < 0x7f {
					return r - '!' + '！' // full width
				}
				return r
			}, s)
		},
		func(s string) string { return strings.Replace(s, "k", "\u212A", 1) },
	}
	var round atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		prefix := fmt.Sprintf("r%dk", round.Add(1))
		players := []player{w.newNamed(t), w.newNamed(t), w.newNamed(t)}
		has := make([]string, len(players))
		var ever []string // names that are somebody's or were
		for range rapid.IntRange(5, 15).Draw(rt, "steps") {
			i := rapid.IntRange(0, len(players)-1).Draw(rt, "who")
			if rapid.IntRange(0, 5).Draw(rt, "step") == 0 {
				if err := w.DeleteAccount(t.Context(), mainClient, phone, players[i].sid); err != nil {
					rt.Fatalf("erase: %v", err)
				}
				players[i], has[i] = w.newNamed(t), ""
				continue
			}
			name := prefix + rapid.SampledFrom([]string{"one", "two", "three", "four"}).Draw(rt, "name")
			err := w.name(players[i], rapid.SampledFrom(spell).Draw(rt, "spelling")(name))
			var expected error
			if has[i] != name && slices.Contains(ever, name) {
				expected = authcore.ErrTaken
			}
			if !errors.Is(err, expected) {
				rt.Fatalf("%q for %d, who has %q: %v; want %v", name, i, has[i], err, expected)
			}
			if err == nil {
				has[i], ever = name, append(ever, name)
			}
		}
		for i, p := range players {
			if got := authcore.FoldName(w.userRecord(p.user).UserName); got != authcore.FoldName(has[i]) {
				rt.Fatalf("%d is called %q; want %q", i, got, has[i])
			}
		}
	})
}

// TestOneNameForMany: of those who ask at once, one gets it.
func TestOneNameForMany(t *testing.T) {
	w := newWorld(t, games, func(cfg *authcore.Config) { cfg.Limits.Off = true })
	for n := range 10 {
		players := make([]player, 20)
		for i := range players {
			players[i] = w.guest(fmt.Sprint(n, " of ", i))
		}
		name := fmt.Sprint("wanted", n)
		var got atomic.Int64
		together(len(players), func(i int) {
			spelt := name
			if i%2 == 1 {
				spelt = strings.ToUpper(name)
			}
			if err := w.name(players[i], spelt); err == nil {
				got.Add(1)
			} else if !errors.Is(err, authcore.ErrTaken) {
				t.Errorf("name: %v", err)
			}
		})
		if got.Load() != 1 {
			t.Errorf("%d got the name; want one", got.Load())
		}
	}
}
