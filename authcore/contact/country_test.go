package contact_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/qqauth/qqauth/authcore/contact"
)

func TestList(t *testing.T) {
	list := countries(t, 86, 44, 852).List()
	var codes []string
	for _, c := range list {
		codes = append(codes, c.AreaCode+" "+c.CountryCode)
	}
	want := []string{"86 CN", "44 GB", "44 GG", "44 IM", "44 JE", "852 HK"}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("regions (-want +got):\n%s", diff)
	}
	china := contact.Country{
		AreaCode: "86", CountryCode: "CN", NameEN: "China", NameZhCN: "中国", NameZhTW: "中國",
		MobileRegex: `^(\+86){0,1}\-?1\d{10}$`,
	}
	if diff := cmp.Diff(china, list[0]); diff != "" {
		t.Errorf("China (-want +got):\n%s", diff)
	}
	if hk := list[5]; !strings.HasPrefix(hk.MobileRegex, `^(\+852){0,1}\-?(?:`) || hk.NameZhCN == hk.NameZhTW {
		t.Errorf("Hong Kong = %+v", hk)
	}
}

// TestListLeavesOutWhereNobodyHasAMobile: Tristan da Cunha shares Saint Helena's
// calling code and has landlines only.
func TestListLeavesOutWhereNobodyHasAMobile(t *testing.T) {
	if list := countries(t, 290).List(); len(list) != 1 || list[0].CountryCode != "SH" {
		t.Errorf("the regions of 290 are %+v", list)
	}
}

func TestListIsACopy(t *testing.T) {
	c := countries(t, 86)
	c.List()[0].AreaCode = "1"
	if c.List()[0].AreaCode != "86" {
		t.Error("whoever is given the list can change it")
	}
}

func TestEveryCountryHasItsNames(t *testing.T) {
	for _, c := range countries(t, everyCode()...).List() {
		if c.NameEN == "" || c.NameZhCN == "" || c.NameZhTW == "" || c.NameEN == c.NameZhCN {
			t.Errorf("%+v", c)
		}
	}
}

func TestNewCountriesRefuses(t *testing.T) {
	for _, tt := range []struct {
		codes []int
		want  string
	}{
		{nil, "no calling code"},
		{[]int{86, 999}, "999"},
		{[]int{0}, "0"},
		{[]int{-86}, "-86"},
		{[]int{86, 881}, "881"}, // satellite phones are no country's
		{[]int{86, 852, 86}, "86 is given twice"},
	} {
		if c, err := contact.NewCountries(tt.codes); c != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("NewCountries(%v) = %v, %v; want an error that says %q", tt.codes, c, err, tt.want)
		}
	}
}
