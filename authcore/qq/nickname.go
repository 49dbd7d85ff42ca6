package qq

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	maxNicknameRunes = 64

	joiner         = '\u200d' // zero width joiner: it makes one emoji of several
	emojiSelection = '\ufe0f' // may stand between an emoji and a joiner
)

// cleanNickname makes a name that can be shown on any page and in any log line
// without changing what stands around it: NFC, at most 64 runes, no control,
// format, bidi or line separator characters. A name that stands for no name is
// empty.
func cleanNickname(name string) string {
	name = norm.NFC.String(withoutFormats(name))
	name = strings.TrimFunc(name, invisible)
	n := 0
	for i := range name {
		if n++; n > maxNicknameRunes {
			name = strings.TrimRightFunc(name[:i], invisible)
			break
		}
	}
	// "qzuser" is what QQ answers without the right scope, "." what an account
	// without a name has.
	if name == "qzuser" || name == "." {
		return ""
	}
	return name
}

func invisible(r rune) bool { return r == joiner || unicode.IsSpace(r) }

// withoutFormats drops what is not to be seen but changes how the rest is: Cc,
// Cf, and the separators of lines and paragraphs. A joiner stays between emoji.
func withoutFormats(name string) string {
	var b strings.Builder
	runes := []rune(name)
	last := ' '
	for i, r := range runes {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			joins := r == joiner && (pictorial(last) || last == emojiSelection) &&
				i+1 < len(runes) && pictorial(runes[i+1])
			if !joins {
				continue
			}
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}

// pictorial reports whether r may stand beside a joiner in an emoji: pictures
// are So, but for the skin tones and the arrow of a shaken head.
func pictorial(r rune) bool {
	return unicode.Is(unicode.So, r) || '\U0001f3fb' <= r && r <= '\U0001f3ff' || r == '\u2194'
}
