package idaas

import "github.com/qqauth/qqauth/authcore"

func sendSMS(c *call) error { return c.sendCode(authcore.WayPhone) }

func sendEmail(c *call) error { return c.sendCode(authcore.WayEmail) }

// sendCode passes on any type: whether anything waits for it is not told.
func (c *call) sendCode(way authcore.Way) error {
	var to proof // without its code
	var in struct {
		Type string `json:"type"`
		Pass string `json:"captcha_token"`
	}
	if err := c.decode(&to, &in); err != nil {
		return err
	}
	receiver, err := c.contact(way, fieldOf(way), to.written(way), true)
	if err != nil {
		return err
	}
	if in.Type == "" {
		return empty("type")
	}
	if in.Pass == "" {
		return empty("captcha_token")
	}
	pass, ok := parsePass(in.Pass)
	if !ok {
		return refuse(passInvalid, "captcha_token is malformed")
	}
	return c.done(c.service.SendCode(c.r.Context(), c.client, c.who, authcore.CodeRequest{
		Login: c.login, Type: in.Type, To: receiver, Pass: pass, Lang: languageOf(c.r.Header).String(),
	}))
}

// country is one whose phones may get codes, as the vendor describes it.
type country struct {
	AreaCode string `json:"areaCode"`
	Name     struct {
		ZhTW string `json:"zh-TW"`
		EN   string `json:"en"`
		ZhCN string `json:"zh-CN"`
	} `json:"displayMapping"`
	CountryCode string   `json:"countryCode"`
	MobileRegex string   `json:"mobileRegex"`
	Suffixes    []string `json:"areaCodeSuffixes"`
}

func countryCodes(c *call) error {
	var out struct {
		Countries []country `json:"phoneAreaCodeDefinitions"`
		Preferred string    `json:"preferredAreaCode"`
	}
	out.Countries = []country{}
	for i, from := range c.service.Countries() {
		if i == 0 {
			out.Preferred = from.AreaCode
		}
		to := country{
			AreaCode: from.AreaCode, CountryCode: from.CountryCode, MobileRegex: from.MobileRegex, Suffixes: []string{},
		}
		to.Name.ZhTW, to.Name.EN, to.Name.ZhCN = from.NameZhTW, from.NameEN, from.NameZhCN
		out.Countries = append(out.Countries, to)
	}
	return c.ok(out)
}
