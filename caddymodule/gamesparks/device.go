package gamesparks

import (
	"encoding/json"
	"strings"
	"unicode"
)

// deviceSystems are the values of deviceOS, in capitals: those of the vendor's
// pages, and what its own SDKs send of themselves (IGSPlatform::GetDeviceOS of the
// C++ SDK, PlatformBase.DeviceOS of the one for Unity), which the pages do not
// mention. It is a part of the device's identity and means nothing else.
var deviceSystems = words(
	"IOS ANDROID WP8 W8",
	"OSX LINUX MARMELADE BADA BLACKBERRY NACL PS4 XBOXONE NINTENDO",
	"MACOS WINDOWS WEBGL WSA TVOS TIZEN SWITCH WIIU PS5 GC_XBOXONE XBOXSERIES UNKNOWN",
)

func words(lines ...string) map[string]bool {
	m := make(map[string]bool)
	for _, line := range lines {
		for _, word := range strings.Fields(line) {
			m[word] = true
		}
	}
	return m
}

// deviceOS is the one spelling of a deviceOS: the C++ SDK sends "Android", the one
// for Unity "ANDROID". Letters that are capitals of those elsewhere are not meant.
func deviceOS(s string) (string, bool) {
	upper := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
	return upper, deviceSystems[upper]
}

// loose is a string that is for show: any other value counts as none.
type loose string

// UnmarshalJSON takes whatever there is.
func (l *loose) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*l = loose(s)
	}
	return nil
}

// maxShown bounds in bytes what is kept of it, which is more than is recorded.
const maxShown = 256

// spaced joins what there is, without control characters.
func spaced(parts ...loose) string {
	var out []string
	for _, p := range parts {
		s := strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, string(p))
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	s := strings.Join(out, " ")
	if len(s) > maxShown {
		// The copy lets go of the rest.
		s = strings.Clone(strings.ToValidUTF8(s[:maxShown], ""))
	}
	return s
}
