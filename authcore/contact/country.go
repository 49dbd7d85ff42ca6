package contact

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Countries are those whose phone numbers are taken. It is safe for concurrent
// use.
type Countries struct {
	home  string // the region whose numbers may be written without calling code
	codes map[int]bool
	list  []Country
}

// Country is a region of a listed calling code, as a client offers it.
type Country struct {
	AreaCode    string // the calling code: "86"
	CountryCode string // ISO 3166-1 alpha-2: "CN"
	NameEN      string
	NameZhCN    string
	NameZhTW    string
	// MobileRegex matches the region's numbers in the form that ParseMobile
	// returns, and without their calling code.
	MobileRegex string
}

// chinaRegex is the one that the vendor's clients have always been given.
const chinaRegex = `^(\+86){0,1}\-?1\d{10}$`

// NewCountries lists the regions of calling codes, such as 86 and 852. Numbers
// without calling code are those of the first one's main region. A code that is
// no country's and a code given twice are errors.
func NewCountries(codes []int) (*Countries, error) {
	if len(codes) == 0 {
		return nil, errors.New("list countries: no calling code")
	}
	patterns, err := mobilePatterns()
	if err != nil {
		return nil, err
	}
	c := &Countries{home: phonenumbers.GetRegionCodeForCountryCode(codes[0]), codes: make(map[int]bool)}
	for _, code := range codes {
		if c.codes[code] {
			return nil, fmt.Errorf("list countries: calling code %d is given twice", code)
		}
		c.codes[code] = true
		found := len(c.list)
		for _, region := range phonenumbers.GetRegionCodesForCountryCode(code) {
			// The calling codes of satellites and services are no region's, and
			// Tristan da Cunha has no mobile phones.
			if pattern := patterns[region]; pattern != "" {
				c.list = append(c.list, describe(code, region, pattern))
			}
		}
		if len(c.list) == found {
			return nil, fmt.Errorf("list countries: no country has the calling code %d", code)
		}
	}
	return c, nil
}

// List is one entry for each region of each calling code, in the order in which
// the codes were given and the main region of each first.
func (c *Countries) List() []Country { return slices.Clone(c.list) }

func describe(code int, region, pattern string) Country {
	c := Country{AreaCode: strconv.Itoa(code), CountryCode: region}
	if r, err := language.ParseRegion(region); err == nil {
		c.NameEN = display.English.Regions().Name(r)
		c.NameZhCN = display.SimplifiedChinese.Regions().Name(r)
		c.NameZhTW = display.TraditionalChinese.Regions().Name(r)
	}
	c.MobileRegex = chinaRegex
	if region != "CN" {
		c.MobileRegex = fmt.Sprintf(`^(\+%d){0,1}\-?(?:%s)$`, code, pattern)
	}
	return c
}

// mobilePatterns are the patterns of the national numbers of mobile phones, by
// region.
func mobilePatterns() (map[string]string, error) {
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		return nil, fmt.Errorf("read numbering plans: %w", err)
	}
	patterns := make(map[string]string)
	for _, m := range all.GetMetadata() {
		pattern := m.GetMobile().GetNationalNumberPattern()
		if pattern != "NA" && m.GetId() != phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
			patterns[m.GetId()] = pattern
		}
	}
	return patterns, nil
}
