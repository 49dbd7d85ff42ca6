package idaas

import (
	"fmt"
	"net/http"

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
	loginDenied struct {
		Status authcore.Status `json:"status"`
		Data   string          `json:"data"`
	}
)

// denied is the text of ACCESS_DENIED.
var denied = texts{zh: "拒绝访问", en: "Access denied"}

func loginQQ(c *call) error {
	var in struct {
		AccessToken string `json:"access_token"`
		OpenID      string `json:"open_id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.AccessToken == "" {
		return refuse(accessTokenEmpty, "access_token is empty")
	}
	if in.OpenID == "" {
		return refuse(openIDEmpty, "open_id is empty")
	}
	out, err := c.service.LoginQQ(c.r.Context(), c.client, c.who, in.AccessToken, in.OpenID)
	if err != nil {
		return err
	}
	return c.outcome(out)
}

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
		data, err := flow(out.Ways)
		if err != nil {
			return err
		}
		return c.ok(loginPending{StateToken: out.StateToken, Data: data, Status: out.Status})
	case authcore.StatusAccessDenied:
		return c.ok(loginDenied{Status: out.Status, Data: denied.in(languageOf(c.r.Header))})
	default:
		return fmt.Errorf("login ended in unknown status %q", out.Status)
	}
}

// flow is the `data` of a login that waits for a phone or an e-mail address.
func flow(ways []authcore.Way) (string, error) {
	words := map[authcore.Way]string{authcore.WayPhone: "VERIFY_PHONE", authcore.WayEmail: "VERIFY_EMAIL"}
	data := struct {
		Flow []string `json:"socialBindOrRegisterFlow"`
	}{[]string{}}
	for _, w := range ways {
		word, ok := words[w]
		if !ok {
			return "", fmt.Errorf("login offers unknown way %q", w)
		}
		data.Flow = append(data.Flow, word)
	}
	b, err := encode(data)
	return string(b), err
}

// idToken answers a fresh id_token beside the session token that it was asked
// for with, which stays.
func idToken(c *call) error {
	session, ok := header(c.r.Header, "session-token")
	if !ok || session == "" {
		return refuse(sessionInvalid, "session-token is empty or malformed")
	}
	g, err := c.service.IDToken(c.r.Context(), c.client, c.who, session)
	if err != nil {
		return err
	}
	return c.ok(struct {
		SessionToken string `json:"session_token"`
		Expire       int64  `json:"expire"`
		IDToken      string `json:"id_token"`
	}{g.Token.Reveal(), seconds(g.ExpiresIn), g.IDToken})
}

// logout ends a session and says nothing about whether there was one.
func logout(c *call) error {
	session, ok := header(c.r.Header, "session-token")
	bearer := bearerOf(c.r.Header)
	if !ok || session == "" && bearer == "" {
		return refuse(sessionInvalid, "session-token and Authorization are empty or malformed")
	}
	if err := c.service.Logout(c.r.Context(), c.client, session, bearer); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}
