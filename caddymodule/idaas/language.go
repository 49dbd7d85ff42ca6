package idaas

import (
	"net/http"
	"strings"

	"golang.org/x/text/language"
)

// lang is a language of the API's texts.
type lang int

const (
	zh lang = iota // the vendor's default
	en
)

func (l lang) String() string { return [...]string{zh: "zh", en: "en"}[l] }

// languageOf is the language that a request asks for in X-L, one tag or a
// weighted list, looked up as RFC 4647 section 3.4 says: of the tags in the order
// of their weights, the first that begins with a language we have. What asks for
// none of them, or cannot be understood, is Chinese, never a fault.
func languageOf(h http.Header) lang {
	wanted, _, err := language.ParseAcceptLanguage(strings.Join(h.Values("X-L"), ","))
	if err != nil {
		return zh
	}
	for _, tag := range wanted {
		switch base, _, _ := tag.Raw(); base.String() {
		case "zh":
			return zh
		case "en":
			return en
		}
	}
	return zh
}

func (t texts) in(l lang) string { return t[l] }
