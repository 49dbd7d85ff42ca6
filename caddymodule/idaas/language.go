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

var languages = language.NewMatcher([]language.Tag{zh: language.Chinese, en: language.English})

// languageOf is the language that a request asks for in X-L: one tag or a
// weighted list. What cannot be understood is Chinese, never a fault.
func languageOf(h http.Header) lang {
	wanted, _, err := language.ParseAcceptLanguage(strings.Join(h.Values("X-L"), ","))
	if err != nil {
		return zh
	}
	_, best, confidence := languages.Match(wanted...)
	if confidence == language.No { // the matcher's own guess for French is English
		return zh
	}
	return lang(best)
}

func (t texts) in(l lang) string { return t[l] }
