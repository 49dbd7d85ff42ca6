package idaas

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
	return c.done(c.service.Logout(c.r.Context(), c.client, session, bearer))
}
