package contact_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/qqauth/qqauth/authcore/contact"
)

func countries(t testing.TB, codes ...int) *contact.Countries {
	t.Helper()
	c, err := contact.NewCountries(codes)
	if err != nil {
		t.Fatalf("list countries %v: %v", codes, err)
	}
	return c
}

// everyCode is every calling code of a country.
func everyCode() (codes []int) {
	for code := range phonenumbers.GetSupportedCallingCodes() {
		if phonenumbers.GetRegionCodeForCountryCode(code) != phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}

func TestParseMobile(t *testing.T) {
	china, hongKong := countries(t, 86, 852), countries(t, 852, 86)
	britain, america := countries(t, 44), countries(t, 1, 86)
	for _, tt := range []struct {
		in   string
		of   *contact.Countries
		want string
	}{
		{"15201657321", china, "+86-15201657321"},
		{"15200000000", china, "+86-15200000000"}, // the vendor's examples
		{"15907132852", china, "+86-15907132852"},
		{"18310136755", china, "+86-18310136755"},
		{"+86-15201657321", china, "+86-15201657321"},
		{"+86 15201657321", china, "+86-15201657321"},
		{"+8615201657321", china, "+86-15201657321"},
		{"008615201657321", china, "+86-15201657321"},
		{"00 86 152-0165-7321", china, "+86-15201657321"},
		{"86-15201657321", china, "+86-15201657321"},
		{"86 152 0165 7321", china, "+86-15201657321"},
		{" 152-0165-7321\n", china, "+86-15201657321"},
		{"+852-51234567", china, "+852-51234567"},
		{"852 5123 4567", china, "+852-51234567"},
		{"51234567", hongKong, "+852-51234567"},
		{"07400 123456", britain, "+44-7400123456"},
		{"+44 07400 123456", britain, "+44-7400123456"},
		{"1-201-555-0123", america, "+1-2015550123"},
		{"+86 15201657321", america, "+86-15201657321"},
	} {
		if got, err := tt.of.ParseMobile(tt.in); got != tt.want || err != nil {
			t.Errorf("ParseMobile(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestParseMobileRefuses(t *testing.T) {
	china := countries(t, 86, 852)
	for _, in := range []string{
		"", " ", "+", "-", "0", "00", "+86", "+86-", "86", "0086",
		"1520165732", "152016573210", // a digit less, one more
		"02161234567", "+86-2161234567", "95555", "4008001234", // landlines and services
		"51234567",                   // Hong Kong's, without its code
		"8615201657321",              // a code that nothing sets apart
		"1-2015550123", "1 86 15201", // America's is not listed
		"+1-2015550123", "+44-7400123456", "001-2015550123", "+882-16123456", "+999-15201657321",
		"+86-15201657321 ext. 3", "+86-15201657321x3", "+86-15201657321;ext=3", "+86-15201657321#3",
		"tel:+8615201657321", "15201657321;phone-context=+86", "1520165PERL",
		"+86--15201657321", "+ 86 15201657321", "++8615201657321", "-15201657321", "15201657321-", "152  01657321",
		"+86(152)01657321", "152.0165.7321", "152\t01657321", "152\x0001657321", "15201657321\r\n5201657321",
		"１５２０１６５７３２１", "٠١٢٣٤٥٦٧٨٩", "＋86-15201657321", "15201657321\u200b", "152\u00a001657321", "\xff15201657321",
		"152****7321", "+86-152****7321",
		"00-8-6-1-5-2-0-1-6-5-7-3-2-1-0-0-0", strings.Repeat("1", 1<<16),
	} {
		got, err := china.ParseMobile(in)
		if got != "" || !errors.Is(err, contact.ErrMalformed) {
			t.Errorf("ParseMobile(%.40q) = %q, %v; want ErrMalformed", in, got, err)
		}
	}
}

// TestParseMobileIsBounded: with the prefix and the carrier that are dialled in
// Brazil, this is a number, and longer than one needs to be.
func TestParseMobileIsBounded(t *testing.T) {
	brazil := countries(t, 55)
	const short, long = "0055015 11 9 6 1 2 3 4 5 6 7", "0-0-5-5-0-1-5-1-1-9-6-1-2-3-4-5-6-7"
	if got, err := brazil.ParseMobile(short); got != "+55-11961234567" || err != nil {
		t.Errorf("ParseMobile(%q) = %q, %v", short, got, err)
	}
	if got, err := brazil.ParseMobile(long); !errors.Is(err, contact.ErrMalformed) {
		t.Errorf("ParseMobile(%q) = %q, %v; want ErrMalformed", long, got, err)
	}
}

// TestParseMobileReadsNationalDigitsFirst: 201-555-0123 is a number in America,
// and 20 the calling code of Egypt, where 1555012345 is one.
func TestParseMobileReadsNationalDigitsFirst(t *testing.T) {
	c := countries(t, 1, 20)
	for in, want := range map[string]string{
		"20-15550123":   "+1-2015550123",
		"20-1001234567": "+20-1001234567",
		"+20-155501234": "",
	} {
		if got, _ := c.ParseMobile(in); got != want {
			t.Errorf("ParseMobile(%q) = %q, want %q", in, got, want)
		}
	}
}

func without(codes []int, code int) []int {
	return slices.DeleteFunc(slices.Clone(codes), func(c int) bool { return c == code })
}

// examples are the library's own numbers, in E.164.
func examples(kind phonenumbers.PhoneNumberType) map[string]*phonenumbers.PhoneNumber {
	all := make(map[string]*phonenumbers.PhoneNumber)
	for region := range phonenumbers.GetSupportedRegions() {
		if n := phonenumbers.GetExampleNumberForType(region, kind); n != nil {
			all[region] = n
		}
	}
	return all
}

func TestParseMobileOfEveryRegion(t *testing.T) {
	all := countries(t, everyCode()...)
	regexes := make(map[string]*regexp.Regexp)
	for _, c := range all.List() {
		regexes[c.CountryCode] = regexp.MustCompile(c.MobileRegex)
	}
	mobiles := examples(phonenumbers.MOBILE)
	if len(mobiles) < 200 {
		t.Fatalf("the library has examples of %d regions only", len(mobiles))
	}
	for region, n := range mobiles {
		e164 := phonenumbers.Format(n, phonenumbers.E164)
		got, err := all.ParseMobile(e164)
		if err != nil || strings.Replace(got, "-", "", 1) != e164 {
			t.Errorf("%s: ParseMobile(%s) = %q, %v", region, e164, got, err)
			continue
		}
		_, national, _ := strings.Cut(got, "-")
		regex := regexes[region]
		if regex == nil {
			t.Errorf("%s is not listed", region)
			continue
		}
		for _, written := range []string{got, e164, national} {
			if !regex.MatchString(written) {
				t.Errorf("%s: %s does not match %s", region, written, regex)
			}
		}
		if regex.MatchString(got+"0000000") || regex.MatchString("+999-"+national) {
			t.Errorf("%s: %s matches more than the region's numbers", region, regex)
		}
	}
	for region, n := range examples(phonenumbers.TOLL_FREE) {
		if got, err := all.ParseMobile(phonenumbers.Format(n, phonenumbers.E164)); err == nil {
			t.Errorf("%s: a toll-free number became %s", region, got)
		}
	}
}

// FuzzParseMobile: what is returned is in the wire form and parses to itself,
// and every other spelling of the same E.164 number parses to it, too.
func FuzzParseMobile(f *testing.F) {
	for _, s := range []string{
		"15201657321", "+86-15201657321", "0086 152 0165 7321", "86-15201657321", "+54 9 11 2345 6789",
		"+54 11 15 2345 6789", "+52 1 222 123 4567", "+39 0312345678", "+225 01 23 45 67 89", "+44 07400 123456",
		"+7 8 912 345 67 89", "+55 0 15 11 96123 4567", "011 86 152", "tel:+86", "152****7321", "+1 1 201 555 0123",
	} {
		f.Add(s)
	}
	wire := regexp.MustCompile(`^\+[1-9][0-9]{0,2}-[0-9]{4,14}$`)
	codes := everyCode()
	china := countries(f, append([]int{86}, without(codes, 86)...)...)
	america := countries(f, codes...)
	argentina := countries(f, append([]int{54}, without(codes, 54)...)...)
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range []*contact.Countries{china, america, argentina} {
			mobile, err := c.ParseMobile(s)
			if err != nil {
				continue
			}
			if !wire.MatchString(mobile) {
				t.Fatalf("ParseMobile(%q) = %q, not the wire form", s, mobile)
			}
			e164 := strings.Replace(mobile, "-", "", 1)
			for _, same := range []string{mobile, e164, "00" + e164[1:], strings.Replace(mobile, "-", " ", 1)} {
				if got, err := c.ParseMobile(same); got != mobile || err != nil {
					t.Fatalf("ParseMobile(%q) = %q, then ParseMobile(%q) = %q, %v", s, mobile, same, got, err)
				}
			}
		}
	})
}
