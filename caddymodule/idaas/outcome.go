package idaas

import (
	"fmt"

	"github.com/qqauth/qqauth/authcore"
)

// The answers to a login, keys in the order of the source document's examples.
type (
	loginSuccess struct {
		SessionToken string          `json:"session_token"`
		Expire       int64           `json:"expire"`
		Status       authcore.Status `json:"status"`
		IDToken      string          `json:"id_token"`
	}
	loginPending struct {
		StateToken string          `json:"state_token"`
		Data       string          `json:"data"` // JSON in a string
		Status     authcore.Status `json:"status"`
	}
	loginMFA struct {
		Status     authcore.Status `json:"status"`
		StateToken string          `json:"state_token"`
		Data       string          `json:"data"` // JSON in a string
	}
	loginDenied struct {
		Status authcore.Status `json:"status"`
		Data   string          `json:"data"`
	}
	// mfaSuccess is loginSuccess in the order of the vendor's pages on MFA.
	mfaSuccess struct {
		Status       authcore.Status `json:"status"`
		Expire       int64           `json:"expire"`
		SessionToken string          `json:"session_token"`
		IDToken      string          `json:"id_token"`
	}
)

// denied is the text of ACCESS_DENIED.
var denied = texts{zh: "拒绝访问", en: "Access denied"}

// The ways as the `data` of a login that waits spells them.
var (
	flowWords = map[authcore.Way]string{authcore.WayPhone: "VERIFY_PHONE", authcore.WayEmail: "VERIFY_EMAIL"}
	mfaWords  = map[authcore.Way]string{authcore.WayPhone: "SMS", authcore.WayEmail: "EMAIL"}
)

// outcome answers what a login ended in. All of them are HTTP 200.
func (c *call) outcome(out authcore.Outcome) error {
	switch out.Status {
	case authcore.StatusSuccess:
		return c.ok(loginSuccess{
			SessionToken: out.Grant.Token.Reveal(),
			Expire:       seconds(out.Grant.ExpiresIn),
			Status:       out.Status,
			IDToken:      out.Grant.IDToken,
		})
	case authcore.StatusUserRegister, authcore.StatusSocialBind:
		ways, err := spell(out.Ways, flowWords)
		if err != nil {
			return err
		}
		data, err := encode(struct {
			Flow []string `json:"socialBindOrRegisterFlow"`
		}{ways})
		if err != nil {
			return err
		}
		return c.ok(loginPending{StateToken: out.StateToken, Data: string(data), Status: out.Status})
	case authcore.StatusMFAAuth:
		ways, err := spell(out.Ways, mfaWords)
		if err != nil {
			return err
		}
		data, err := encode(ways)
		if err != nil {
			return err
		}
		return c.ok(loginMFA{Status: out.Status, StateToken: out.StateToken, Data: string(data)})
	case authcore.StatusAccessDenied:
		return c.ok(loginDenied{Status: out.Status, Data: denied.in(languageOf(c.r.Header))})
	default:
		return fmt.Errorf("login ended in unknown status %q", out.Status)
	}
}

// outcomeOfMFA is outcome in the order of the vendor's pages on MFA.
func (c *call) outcomeOfMFA(out authcore.Outcome) error {
	if out.Status != authcore.StatusSuccess {
		return c.outcome(out)
	}
	return c.ok(mfaSuccess{
		Status:       out.Status,
		Expire:       seconds(out.Grant.ExpiresIn),
		SessionToken: out.Grant.Token.Reveal(),
		IDToken:      out.Grant.IDToken,
	})
}

// spell writes ways in the words of an answer.
func spell(ways []authcore.Way, words map[authcore.Way]string) ([]string, error) {
	spelt := []string{}
	for _, w := range ways {
		word, ok := words[w]
		if !ok {
			return nil, fmt.Errorf("login offers unknown way %q", w)
		}
		spelt = append(spelt, word)
	}
	return spelt, nil
}
