package idaas

// subject refuses the id of a user that nobody can have, before it becomes the
// key of anything.
func subject(c *call) error {
	if !plain(string(c.user)) {
		return refuse(userUnknown, "id of the user is malformed")
	}
	return nil
}

func user(c *call) error {
	u, err := c.service.TenantUser(c.r.Context(), c.client, c.user)
	if err != nil {
		return err
	}
	return c.ok(struct {
		ID       string `json:"id"`
		UserName string `json:"userName"`
		Name     string `json:"name"`
		Mobile   string `json:"mobile"`
		Email    string `json:"email"`
		Disabled bool   `json:"disabled"`
	}{string(u.ID), u.UserName, u.Name, u.Mobile, u.Email, u.Disabled})
}

func disableUser(c *call) error {
	return c.done(c.service.TenantDisable(c.r.Context(), c.client, c.user, true))
}

func enableUser(c *call) error {
	return c.done(c.service.TenantDisable(c.r.Context(), c.client, c.user, false))
}

func endSessions(c *call) error {
	return c.done(c.service.TenantEndSessions(c.r.Context(), c.client, c.user))
}
